"""How event data and user objects become text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TypeGuard, cast

from pusher_channels_rest.errors import InvalidArgumentError
from pusher_channels_rest.lazy import forks_wait

JsonEncoder = Callable[[object], str]


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    """Narrow what `json` parsed to an object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    """Narrow what `json` parsed to an array."""
    return isinstance(value, list)


def encode_data(data: object, argument: str, encoder: JsonEncoder | None = None) -> str:
    """Return event data as the text that is sent: a str as it is, bytes as UTF-8, anything else as compact JSON."""
    if isinstance(data, str):
        return utf8_text(data, argument)
    if isinstance(data, (bytes, bytearray, memoryview)):
        try:
            return bytes(cast("bytes", data)).decode()
        except UnicodeDecodeError:
            raise InvalidArgumentError(argument, "must be UTF-8 text when it is given as bytes") from None
    return encode_json(data, argument, encoder)


def encode_json(value: object, argument: str, encoder: JsonEncoder | None = None) -> str:
    """Return ``value`` as compact JSON text, by the caller's own encoder if there is one."""
    if encoder is not None:
        text = encoder(value)
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  users without a type checker
            raise InvalidArgumentError(argument, "json_encoder must return a str")
        return utf8_text(text, argument)
    try:
        text = _ENCODER.encode(value)
    except _NotEncodableError as error:
        raise InvalidArgumentError(argument, str(error)) from None
    except RecursionError:
        raise InvalidArgumentError(argument, "is nested too deeply to be JSON") from None
    except TypeError:
        raise InvalidArgumentError(argument, "must have keys of type str, int, float, bool or None") from None
    except ValueError:
        rule = "must not hold NaN, Infinity, an int of thousands of digits or a reference to itself"
        raise InvalidArgumentError(argument, rule) from None
    return utf8_text(text, argument)


def utf8_text(text: str, argument: str) -> str:
    """Return the text as a plain str that can be sent: one that has a form in UTF-8."""
    if type(text) is str and text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(argument, "must not hold lone surrogates: they have no UTF-8") from None
    return plain_text(text)


def plain_text(text: str) -> str:
    """Return a plain str: a subclass, such as an enum of strings, may format itself as another text than it holds."""
    return text if type(text) is str else str.__str__(text)


class _NotEncodableError(Exception):
    """A value that has no JSON form here; its text is the rule of the InvalidArgumentError."""


def _encode_other(value: object) -> object:
    """Encode what `json` does not know. `json` calls this again for what it finds inside the answer."""
    # Here, because most programs send none of these.
    with forks_wait():
        from dataclasses import fields, is_dataclass
        from datetime import date, datetime
        from decimal import Decimal
        from enum import Enum
        from uuid import UUID

    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise _NotEncodableError("must not hold naive datetimes: give them a time zone")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (UUID, Decimal)):
        # Decimal as text: a float would lose digits. Its NaN and Infinity are refused as the float ones are.
        if isinstance(value, Decimal) and not value.is_finite():
            raise _NotEncodableError("must not hold NaN or Infinity")
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]  any mapping will do
    if is_dataclass(value) and not isinstance(value, type):
        return _encode_fields(value, [field.name for field in fields(value)])
    return _encode_model(value)


def _encode_model(value: object) -> object:
    """Encode a model of this SDK, of pydantic or of attrs, found by its methods: none of them is imported here."""
    if not isinstance(value, type):
        for method in ("to_dict", "model_dump"):
            dump = getattr(value, method, None)
            if callable(dump):
                return dump(mode="json") if method == "model_dump" else dump()
        attributes = getattr(type(value), "__attrs_attrs__", None)
        if attributes is not None:
            return _encode_fields(value, [attribute.name for attribute in attributes])
    raise _NotEncodableError(f"must not hold a {type(value).__name__}: it has no JSON form (see json_encoder)")


def _encode_fields(value: object, names: list[str]) -> object:
    try:
        return {name: getattr(value, name) for name in names}
    except AttributeError:
        raise _NotEncodableError(f"must not hold a {type(value).__name__} with a field that is not set") from None


# json.dumps would make a new one at every call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_encode_other)
