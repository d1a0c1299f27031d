"""Reading of answers and webhooks. Only types are checked here: limits bind those who send.

A server may add fields, so unknown ones are kept, and PHP servers write `[]` for an empty map and `{}` for an empty
list, so both read as empty.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar, cast

from .errors import InvalidArgumentError, ResponseDecodeError

__all__ = [
    "JSON_OBJECT",
    "copy_json",
    "decode_json",
    "decode_nothing",
    "decode_text",
    "parse_json",
    "read_boolean",
    "read_comma_list",
    "read_constant",
    "read_either",
    "read_integer",
    "read_list",
    "read_map",
    "read_number",
    "read_object",
    "read_string",
]

JSON_OBJECT: type[dict[str, object]] = dict
"""What `json` makes of an object, for a look without a call: type checkers then know what is in it."""

T = TypeVar("T")
U = TypeVar("U")


def decode_json(content: bytes, read: Callable[[object], T]) -> T:
    """Read a JSON body. An empty one, as a 204 has, reads as an empty object."""
    try:
        value = parse_json(content or b"{}")
    except (ValueError, RecursionError) as error:
        raise ResponseDecodeError("the body of the answer is not JSON") from error
    try:
        return read(value)
    except InvalidArgumentError as error:
        raise ResponseDecodeError(str(error)) from error


def parse_json(content: bytes | str) -> object:
    """Parse JSON, and nothing that Python takes beyond it: NaN, Infinity, and floats too large to be any number.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is nested too deeply.
    """
    # A text in bytes may be UTF-16 or UTF-32: `json` finds out.
    text = content if isinstance(content, str) else content.decode(json.detect_encoding(content), "surrogatepass")
    value: object = _DECODER.decode(text)
    return value


def decode_text(content: bytes) -> str:
    """Read a text body."""
    return content.decode(errors="replace")


def decode_nothing(content: bytes) -> None:
    """Accept any body of an answer that says nothing but success."""


def copy_json(value: object) -> object:
    """Copy plain JSON, of which the readers take out what they read."""
    copied: list[Any] = [value]
    waiting: list[tuple[Any, Any]] = [(copied, 0)]
    while waiting:  # a recursion would end before `json` does
        holder, place = waiting.pop()
        item = holder[place]
        if _is_dict(item):
            holder[place] = fields = dict(item)
            waiting += [(fields, key) for key in fields]
        elif _is_list(item):
            holder[place] = items = list(item)
            waiting += [(items, index) for index in range(len(items))]
    return copied[0]


def read_object(value: object, where: str) -> dict[str, object]:
    """Read a JSON object, which the reader takes the fields out of."""
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType] - a TypeGuard would cost as much as all of this
    if value == []:
        return {}
    raise ResponseDecodeError(f"{where}: must be an object")


def read_list(value: object, where: str, read: Callable[[object], T]) -> tuple[T, ...]:
    """Read a JSON array."""
    if _is_list(value):
        return tuple([read(item) for item in value])
    if value == {}:
        return ()
    raise ResponseDecodeError(f"{where}: must be a list")


def read_map(value: object, where: str, read: Callable[[object], T]) -> dict[str, T]:
    """Read a JSON object whose keys are data."""
    if _is_dict(value):
        for (
            key,
            item,
        ) in value.items():  # in place: what was read is gone at once, and no more objects exist than before
            value[key] = read(item)
        return cast("dict[str, T]", value)
    if value == []:
        return {}
    raise ResponseDecodeError(f"{where}: must be an object")


def read_string(value: object, where: str) -> str:
    """Read a string."""
    if isinstance(value, str):
        return value
    raise ResponseDecodeError(f"{where}: must be a string")


def read_comma_list(value: object, where: str) -> tuple[str, ...]:
    """Read a list that travels as one comma separated string."""
    text = read_string(value, where)
    return tuple(text.split(",")) if text else ()


def read_integer(value: object, where: str) -> int:
    """Read an integer."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ResponseDecodeError(f"{where}: must be an integer")


def read_number(value: object, where: str) -> float:
    """Read a number."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ResponseDecodeError(f"{where}: must be a number")


def read_boolean(value: object, where: str) -> bool:
    """Read a boolean."""
    if isinstance(value, bool):
        return value
    raise ResponseDecodeError(f"{where}: must be a boolean")


def read_constant(value: object, where: str, constant: T) -> T:
    """Read a field that has only one value."""
    if type(value) is type(constant) and value == constant:
        return constant
    raise ResponseDecodeError(f"{where}: must be {constant!r}")


def read_either(
    value: object, where: str, first: Callable[[object, str], T], second: Callable[[object, str], U]
) -> T | U:
    """Return what the first reader that takes the value returns."""
    try:
        return first(value, where)
    except ResponseDecodeError:
        return second(value, where)


def _refuse(name: str) -> float:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    return value if value - value == 0.0 else _refuse(text)


# json.loads would make a new one at every call.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def _is_dict(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, (list, tuple))
