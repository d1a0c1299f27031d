// msgpackr takes a failing import as "the native part was not built" and uses its JavaScript.
throw new Error('not built');
