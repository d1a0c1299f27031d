"""Translation of a spec's pattern (ECMA-262) to a Python one that has to match the whole string.

The pattern is parsed and written anew. Replacing `^` and `$` in the text would break a class or an alternative, and
some syntax means one thing in ECMA-262 and another, or nothing, in Python: `$` before a newline, `\\d`, `.`, `[[`.
What is not listed here is refused, so that no pattern is ever read wrongly.
"""

from __future__ import annotations

import re

_ESCAPED_CLASSES = "dDwW"  # ASCII in ECMA-262, and in Python with re.ASCII
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_SYNTAX = "^$\\.*+?()[]{}|/-"
_ANY_CHARACTER = r"[^\n\r\u2028\u2029]"
_ANYTHING = r"[\s\S]*"


class PatternError(ValueError):
    """The pattern uses something that is not supported."""


def to_python(pattern: str) -> str:
    """Return the source of a pattern for `re.compile(..., re.ASCII).fullmatch`."""
    return _Parser(pattern).parse()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def parse(self) -> str:
        alternatives: list[str] = []
        while True:
            starts = self._take("^")
            body = self._sequence()
            ends = self._take("$")
            alternatives.append(("" if starts else _ANYTHING) + body + ("" if ends else _ANYTHING))
            if not self._take("|"):
                break
        if self._at < len(self._pattern):
            raise self._error()
        return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"

    def _sequence(self) -> str:
        parts: list[str] = []
        while self._peek() not in ("", "|", ")", "$", "^"):
            parts.append(self._atom() + self._quantifier())
        return "".join(parts)

    def _atom(self) -> str:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == ".":
            return _ANY_CHARACTER
        if character == "\\":
            return self._escape()
        if character in "*+?{}])":
            raise self._error()
        return _outside_class(character)

    def _group(self) -> str:
        opening = "(?:"
        for start in ("?:", "?=", "?!"):
            if self._take(start):
                opening = f"({start}"
                break
        alternatives = [self._sequence()]
        while self._take("|"):
            alternatives.append(self._sequence())
        if not self._take(")"):
            raise self._error()
        return f"{opening}{'|'.join(alternatives)})"

    def _class(self) -> str:
        negated = self._take("^")
        parts: list[str] = []
        while not self._take("]"):
            first = self._class_member()
            if self._peek() == "-" and self._peek(1) not in ("]", ""):
                self._next()
                last = self._class_member()
                if len(first) > 1 or len(last) > 1 or first > last:
                    raise self._error()
                parts.append(f"{_in_class(first)}-{_in_class(last)}")
            else:
                parts.append(first if len(first) > 1 else _in_class(first))
        if not parts:
            raise self._error()
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def _class_member(self) -> str:
        """Return one character, or an escaped class such as `\\d`."""
        character = self._next()
        if character != "\\":
            return character
        if self._peek() == "b":
            self._next()
            return "\b"
        if self._peek() and self._peek() in _ESCAPED_CLASSES:
            return f"\\{self._next()}"
        return self._escaped_character()

    def _escape(self) -> str:
        if self._peek() and self._peek() in _ESCAPED_CLASSES:
            return f"\\{self._next()}"
        return _outside_class(self._escaped_character())

    def _escaped_character(self) -> str:
        character = self._next()
        if character in _SYNTAX:
            return character
        if character in _CONTROLS and not (character == "0" and self._peek().isdigit()):
            return _CONTROLS[character]
        digits = {"x": 2, "u": 4}.get(character)
        if digits is None:
            raise self._error()
        code = self._pattern[self._at : self._at + digits]
        if not re.fullmatch(r"[0-9a-fA-F]+", code) or len(code) != digits:
            raise self._error()
        self._at += digits
        return chr(int(code, 16))

    def _quantifier(self) -> str:
        if self._peek() and self._peek() in "*+?":
            quantifier = self._next()
        elif self._peek() == "{":
            found = re.compile(r"\{[0-9]+(?:,[0-9]*)?\}").match(self._pattern, self._at)
            if found is None:
                raise self._error()
            quantifier = found.group()
            self._at = found.end()
        else:
            return ""
        return quantifier + ("?" if self._take("?") else "")

    def _peek(self, ahead: int = 0) -> str:
        return self._pattern[self._at + ahead : self._at + ahead + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise self._error()
        self._at += 1
        return character

    def _take(self, text: str) -> bool:
        if self._pattern.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _error(self) -> PatternError:
        return PatternError(f"the pattern is not supported near its character {self._at + 1}")


def _outside_class(character: str) -> str:
    return f"\\{character}" if character in "\\.^$*+?{}[]|()" else character


def _in_class(character: str) -> str:
    return f"\\{character}" if character in "\\]^-[&~|" else character
