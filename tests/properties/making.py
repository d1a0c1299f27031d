"""What the properties draw: values made out of one short string of bytes, which is all that Hypothesis has to choose.

A strategy of many parts costs a millisecond an example or more; this costs a third of it, so that 10,000 examples of
each property fit into every run. Failures still shrink: Hypothesis makes the bytes smaller, and zero is always the
plain choice. A failure shows what was made or, where that is long, the bytes: ``make(Choices(...))`` makes it again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeGuard, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

T = TypeVar("T")

SOAK = bool(os.environ.get("SOAK"))


def _examples(number: int) -> settings:
    """The same examples in every run; a soak has ten times as many, new ones each time."""
    return settings(
        max_examples=number * 10 if SOAK else number,
        deadline=None,
        database=None,
        derandomize=not SOAK,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


PURE = _examples(10_000)
SOCKETS = _examples(500)


class Choices:
    """Makes choices by the bytes that it was given, and the plain choice when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._rest = iter(data)

    def number(self, below: int) -> int:
        """Return a number from 0 on; ``below`` is at most 65,536."""
        number = next(self._rest, 0)
        return (number if below <= 256 else number * 256 + next(self._rest, 0)) % below

    def once_in(self, times: int) -> bool:
        """Say yes now and then."""
        return self.number(times) == times - 1

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options."""
        return options[self.number(len(options))]

    def text(self) -> str:
        """Return a text with what makes trouble in texts."""
        return "".join(self.pick(_PIECES) for _ in range(self.number(4)))

    def scalar(self) -> Any:
        """Return a JSON value without parts."""
        return self.text() if self.once_in(3) else self.pick(_SCALARS)

    def json(self, depth: int = 2) -> Any:
        """Return any JSON value, of those that stand for others in `json_bytes` too."""
        kind = self.number(6) if depth else 0
        if kind < 4:
            return self.pick(_RAW_NAMES) if self.once_in(12) else self.scalar()
        if kind == 4:
            return [self.json(depth - 1) for _ in range(self.number(4))]
        return {self.text(): self.json(depth - 1) for _ in range(self.number(4))}

    def near(self, value: Any) -> Any:
        """Return the JSON value with a few things changed in it, or as it is. It is not changed itself."""
        for _ in range(self.number(4)):
            value = self._changed(value, self.pick(list(_paths(value))))
        return value

    def _changed(self, value: Any, path: tuple[str | int, ...]) -> Any:
        """Return a copy of the value that differs at one place."""
        if path and is_object(value):
            if len(path) == 1 and self.once_in(3):
                return {key: item for key, item in value.items() if key != path[0]}
            return {key: self._changed(item, path[1:]) if key == path[0] else item for key, item in value.items()}
        if path:
            items = [self._changed(item, path[1:]) if at == path[0] else item for at, item in enumerate(value)]
            return items * 2 if self.once_in(8) else items
        if is_object(value) and self.once_in(2):
            return {**value, self.text(): self.json()}
        if isinstance(value, str) and self.once_in(2):
            at = self.number(len(value) + 1)
            return value[:at] + self.text() + value[at + self.number(3) :]
        others: list[Any] = [self.json(), [value], {"a": value}]
        return self.pick(others)

    def json_bytes(self, value: Any) -> bytes:
        """Write the value as JSON, sometimes with what no JSON writer would write."""
        text = json.dumps(value, ensure_ascii=self.once_in(2))
        if '"@' in text:
            text = _RAW_NAME.sub(lambda found: RAW[found[0][1:-1]], text)
        at = self.number(len(text) + 1)
        damage = self.number(30)
        if damage == 1:
            text = text[:at]
        elif damage == 2:
            text = text[:at] + self.pick(_PIECES) + text[at:]
        elif damage == 3 and (brace := text.find("{", at)) >= 0:
            name = self.pick(["name", "time_ms", "channel", "data", "channels", "events"])
            text = f'{text[: brace + 1]}"{name}":{json.dumps(self.scalar())},{text[brace + 1 :]}'
        elif damage == 4:
            text = "\ufeff" + text
        elif damage == 5:
            return text.encode(self.pick(["utf-16", "utf-16-le", "utf-32", "utf-8-sig"]), "replace")
        content = text.encode("utf-8", "surrogatepass")
        if damage == 6:
            content = content[:at] + self.pick([b"\xff", b"\x00", b"\xc0\x80", b"\r\n"]) + content[at:]
        return content

    def bytes(self) -> bytes:
        """Return any bytes."""
        return bytes(islice(self._rest, self.number(20)))

    def twins(self) -> tuple[Choices, Choices]:
        """Return two that make the same choices."""
        rest = bytes(self._rest)
        return Choices(rest), Choices(rest)


_PIECES = [
    *("a", "1", " ", "é", "İ", "٣", "\ud800", "\U0001f600", "\x00", "\x7f", "\n", "\u2028", "\ufeff", "x" * 201),
    "é" * 600,
    *("%", "%41", "&", "=", "+", ";", ":", "/", "#", "?", "\\", '"', "\\ud800", "{", "}", "[", ",", ".", "..", "-"),
    *("private-", "presence-", "private-encrypted-", "#server-to-user-", "client-", ":user::", "NaN", "null", "1.1"),
]
_SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**53, -(2**63), 10**30, 0.5, -0.0, 1e308, "", "a", "1.1", [], {}, [[]]),
]

RAW = {
    "@huge": "9" * 5000,
    "@deep": "[" * 3000 + "]" * 3000,  # Hypothesis allows for 2,000 levels
    "@less deep": "[" * 1200 + '"private-encrypted-a"' + "]" * 1200,
    "@deep object": '{"a":' * 400 + "1" + "}" * 400,
    "@nan": "NaN",
    "@infinity": "-Infinity",
    "@infinite": "1e999",
    "@twice": '{"name":"a","name":1}',
    "@exponent": "1E5",
    "@surrogate": '"\\ud83d"',
    "@nothing": "",
}
"""Texts that stand in `Choices.json_bytes` for the strings that name them: JSON's corners, and what is no JSON."""
_RAW_NAMES = list(RAW)
_RAW_NAME = re.compile("|".join(f'"{name}"' for name in RAW))


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Return the ways to a JSON value and to all that stands in it, but not for ever."""
    yield path
    if len(path) == 8:
        return
    if is_object(value):
        for name, item in value.items():
            yield from _paths(item, (*path, name))
    elif is_list(value):
        for at, item in enumerate(value):
            yield from _paths(item, (*path, at))


def made(make: Callable[[Choices], T], size: int = 40) -> st.SearchStrategy[T]:
    """Return the strategy of what a function makes by so many bytes of choices."""
    return st.binary(min_size=size, max_size=size).map(lambda data: make(Choices(data)))


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def is_json(value: object) -> bool:
    """Tell whether the value is JSON that every other program can read."""
    json.dumps(value, allow_nan=False)
    return True
