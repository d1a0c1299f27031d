"""Checks of arguments. Each returns the value to use, or raises `InvalidArgumentError`.

Every check looks at the type first: to Python a `bool` is an `int` and a `str` is a sequence of `str`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from re import Pattern
from typing import TypeGuard, TypeVar

from .errors import InvalidArgumentError

__all__ = [
    "check_at_least_one",
    "check_boolean",
    "check_comma_list",
    "check_constant",
    "check_either",
    "check_exactly_one",
    "check_fields",
    "check_integer",
    "check_json",
    "check_known_fields",
    "check_list",
    "check_map",
    "check_model",
    "check_number",
    "check_object",
    "check_object_size",
    "check_other_fields",
    "check_parsed",
    "check_string",
    "take_required",
]

T = TypeVar("T")
U = TypeVar("U")
ModelT = TypeVar("ModelT")

MAX_JSON_DEPTH = 100
"""How deep free JSON values may be nested: far more than any real payload, far less than Python's own limit."""

_NOT_UTF8 = "must be valid Unicode text without lone surrogates"


def check_string(
    value: object,
    argument: str,
    *,
    min_length: int = 0,
    max_length: int | None = None,
    max_bytes: int | None = None,
    pattern: Pattern[str] | None = None,
    pattern_rule: str = "",
    allowed: Sequence[str] | None = None,
) -> str:
    """Check a string: its length in characters and in UTF-8 bytes, its pattern, its allowed values."""
    if not isinstance(value, str):
        raise InvalidArgumentError(argument, "must be a string")
    length = len(value)
    if length < min_length or (max_length is not None and length > max_length):
        raise InvalidArgumentError(argument, _size_rule(min_length, max_length, "must be", "character", " long"))
    if not value.isascii():
        try:
            length = len(value.encode())
        except UnicodeEncodeError:
            raise InvalidArgumentError(argument, _NOT_UTF8) from None
    if max_bytes is not None and length > max_bytes:
        raise InvalidArgumentError(argument, f"must be at most {max_bytes} bytes long (UTF-8)")
    if pattern is not None and pattern.fullmatch(value) is None:
        raise InvalidArgumentError(argument, pattern_rule)
    if allowed is not None and value not in allowed:
        raise InvalidArgumentError(argument, _allowed_rule(allowed))
    # A subclass, such as an enum of strings, may format itself as another text than the one that was checked.
    return value if type(value) is str else str.__str__(value)


def check_integer(
    value: object,
    argument: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    multiple_of: float | None = None,
    allowed: Sequence[int] | None = None,
) -> int:
    """Check an integer. `True` and `1.0` are none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgumentError(argument, "must be an integer")
    _check_range(value, argument, minimum, maximum, multiple_of)
    if allowed is not None and value not in allowed:
        raise InvalidArgumentError(argument, _allowed_rule(allowed))
    return value


def check_number(
    value: object,
    argument: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    multiple_of: float | None = None,
) -> float:
    """Check a number. JSON has no NaN and no infinity."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InvalidArgumentError(argument, "must be a number")
    if not _is_finite(value):
        raise InvalidArgumentError(argument, "must be a finite number")
    _check_range(value, argument, minimum, maximum, multiple_of)
    return value


def check_boolean(value: object, argument: str) -> bool:
    """Check a boolean: `True` or `False`, nothing that is merely truthy."""
    if not isinstance(value, bool):
        raise InvalidArgumentError(argument, "must be True or False")
    return value


def check_constant(value: object, argument: str, constant: T) -> T:
    """Check that the value is the one that the API takes."""
    if type(value) is not type(constant) or value != constant:
        raise InvalidArgumentError(argument, f"must be {constant!r}")
    return constant


def check_either(
    value: object, argument: str, first: Callable[[object, str], T], second: Callable[[object, str], U]
) -> T | U:
    """Return what the first check that passes returns."""
    try:
        return first(value, argument)
    except InvalidArgumentError as error:
        rule = error.rule
    try:
        return second(value, argument)
    except InvalidArgumentError as error:
        if error.rule != rule:
            rule = f"{rule}, or {error.rule}"
    raise InvalidArgumentError(argument, rule)


def check_list(
    value: object,
    argument: str,
    item: Callable[[object, str], T],
    *,
    min_items: int = 0,
    max_items: int | None = None,
    unique: bool = False,
) -> tuple[T, ...]:
    """Check a list and each item of it, and return a copy. Any sequence is a list, but no str, bytes or iterator."""
    if not _is_sequence(value):
        raise InvalidArgumentError(argument, "must be a list (any sequence, but not a string)")
    count = len(value)
    if count < min_items or (max_items is not None and count > max_items):
        raise InvalidArgumentError(argument, _size_rule(min_items, max_items, "must have", "item", ""))
    items: list[T] = []
    try:
        for entry in value:
            items.append(item(entry, ""))
    except InvalidArgumentError as error:
        raise error.under(f"{argument}[{len(items)}]") from None
    if unique and any(entry in items[:index] for index, entry in enumerate(items)):
        raise InvalidArgumentError(argument, "must not have the same item twice")
    return tuple(items)


def check_comma_list(
    value: object,
    argument: str,
    item: Callable[[object, str], str],
    *,
    min_items: int = 0,
    max_items: int | None = None,
    unique: bool = False,
) -> tuple[str, ...]:
    """Check a list that travels as one comma separated string; such a string is taken apart."""
    if value == () and not min_items:
        return ()
    if isinstance(value, str):
        value = value.split(",") if value else ()
    elif not _is_sequence(value):
        raise InvalidArgumentError(argument, "must be a list of strings, or one comma separated string")
    items = check_list(value, argument, item, min_items=min_items, max_items=max_items, unique=unique)
    for index, entry in enumerate(items):
        if "," in entry or not entry:
            raise InvalidArgumentError(f"{argument}[{index}]", "must not be empty or hold a comma")
    return items


def check_map(
    value: object,
    argument: str,
    item: Callable[[object, str], T],
    *,
    min_items: int = 0,
    max_items: int | None = None,
) -> dict[str, T]:
    """Check a mapping with string keys and each value of it, and return a copy."""
    if not _is_mapping(value):
        raise InvalidArgumentError(argument, "must be a mapping")
    if len(value) < min_items or (max_items is not None and len(value) > max_items):
        raise InvalidArgumentError(argument, _size_rule(min_items, max_items, "must have", "entry", ""))
    items: dict[str, T] = {}
    for key, entry in value.items():
        name = check_string(key, f"{argument} (a key)")
        try:
            items[name] = item(entry, "")
        except InvalidArgumentError as error:
            raise error.under(f"{argument}[{name!r}]") from None
    return items


def check_model(value: object, argument: str, model: type[ModelT]) -> ModelT:
    """Check that the value is a model of this class. It was checked when it was made."""
    if not isinstance(value, model):
        raise InvalidArgumentError(argument, f"must be {_article(model.__name__)} {model.__name__}")
    return value


def check_json(value: object, argument: str) -> object:
    """Check a free JSON value and return a copy: a mapping becomes a dict, a sequence a list."""
    return _copy_json(value, argument, 0)


def check_object(value: object, argument: str) -> dict[str, object]:
    """Check a free JSON object and return a copy."""
    if not _is_mapping(value):
        raise InvalidArgumentError(argument, "must be a mapping")
    return _copy_object(value, argument, 0)


def check_object_size(value: Mapping[str, object], argument: str, *, min_items: int, max_items: int | None) -> None:
    """Check how many fields an object has."""
    if len(value) < min_items or (max_items is not None and len(value) > max_items):
        raise InvalidArgumentError(argument, _size_rule(min_items, max_items, "must have", "field", ""))


def check_fields(value: object) -> dict[str, object]:
    """Check that the value is an object with string keys, and return a copy that the reader takes the fields out of."""
    if not _is_mapping(value):
        raise InvalidArgumentError("", "must be a mapping")
    fields: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidArgumentError("", "must have strings as keys")
        fields[key] = item
    return fields


def check_parsed(value: object, argument: str, read: Callable[[object], T]) -> T:
    """Read an object into a model that names its own fields, and name them as seen from here."""
    try:
        return read(value)
    except InvalidArgumentError as error:
        raise error.under(argument) from None


def check_known_fields(fields: Mapping[str, object], model: str) -> None:
    """Refuse the fields that are left when all known ones were taken."""
    for name in fields:
        raise InvalidArgumentError(name, f"is no field of {model}")


def check_other_fields(value: Mapping[str, T], known: Sequence[str]) -> Mapping[str, T]:
    """Refuse fields that have arguments of their own, where they would not be checked."""
    if any(name in value for name in known):
        raise InvalidArgumentError("additional_properties", f"must not have {', '.join(known)}: they are arguments")
    return value


def take_required(fields: dict[str, object], name: str) -> object:
    """Take a field out of an object."""
    try:
        return fields.pop(name)
    except KeyError:
        raise InvalidArgumentError(name, "is required") from None


def check_exactly_one(**arguments: object) -> None:
    """Check that one of these arguments is given, and not two."""
    given = [name for name, value in arguments.items() if value is not None]
    if len(given) != 1:
        names = list(arguments)
        raise InvalidArgumentError(names[0], f"exactly one of {', '.join(names)} must be given")


def check_at_least_one(**arguments: object) -> None:
    """Check that one of these arguments is given, or more."""
    if all(value is None for value in arguments.values()):
        names = list(arguments)
        raise InvalidArgumentError(names[0], f"at least one of {', '.join(names)} must be given")


def _is_sequence(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, (list, tuple)) or (
        isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview))
    )


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_finite(value: float) -> bool:
    return isinstance(value, int) or value - value == 0.0


def _copy_json(value: object, argument: str, depth: int) -> object:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return check_string(value, argument)
    if isinstance(value, float):
        return check_number(value, argument)
    if depth >= MAX_JSON_DEPTH:
        raise InvalidArgumentError(argument, f"must not be nested deeper than {MAX_JSON_DEPTH} levels")
    if _is_mapping(value):
        return _copy_object(value, argument, depth)
    if _is_sequence(value):
        return [_copy_json(item, argument, depth + 1) for item in value]
    raise InvalidArgumentError(
        argument, "must hold JSON values only: mappings, lists, strings, numbers, True, False, None"
    )


def _copy_object(value: Mapping[object, object], argument: str, depth: int) -> dict[str, object]:
    copy: dict[str, object] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidArgumentError(argument, "must have strings as keys")
        copy[check_string(key, argument)] = _copy_json(item, argument, depth + 1)
    return copy


def _check_range(
    value: float, argument: str, minimum: float | None, maximum: float | None, multiple_of: float | None
) -> None:
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        if minimum is None:
            rule = f"must be at most {maximum}"
        elif maximum is None:
            rule = f"must be at least {minimum}"
        else:
            rule = f"must be {minimum} to {maximum}"
        raise InvalidArgumentError(argument, rule)
    if multiple_of is not None and value % multiple_of:
        raise InvalidArgumentError(argument, f"must be a multiple of {multiple_of}")


def _allowed_rule(allowed: Sequence[object]) -> str:
    return f"must be one of: {', '.join(str(value) for value in allowed)}"


def _size_rule(least: int, most: int | None, verb: str, unit: str, ending: str) -> str:
    """Say how long or how many: `must be 1 to 200 characters long`, `must have at most 100 items`."""
    if most is None:
        amount, last = f"at least {least}", least
    elif least == 0:
        amount, last = f"at most {most}", most
    elif least == most:
        amount, last = f"exactly {most}", most
    else:
        amount, last = f"{least} to {most}", most
    units = unit if last == 1 else f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
    return f"{verb} {amount} {units}{ending}"


def _article(noun: str) -> str:
    return "an" if noun[:1] in "AEIOU" else "a"
