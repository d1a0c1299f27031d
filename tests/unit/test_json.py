"""How event data becomes text."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import NamedTuple
from uuid import UUID

import attrs
import pydantic
import pytest

from pusher_channels import InvalidArgumentError, PresenceUser
from pusher_channels._json import encode_data


@dataclass
class Order:
    id: UUID
    total: Decimal


@attrs.frozen
class Item:
    name: str
    order: Order | None = None


class Model(pydantic.BaseModel):
    when: datetime
    count: int = 3


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Kind(StrEnum):
    NEW = "new"


class Point(NamedTuple):
    x: int
    y: int


ID = UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("as it is", "as it is"),
        ("", ""),
        ('{"a": 1}', '{"a": 1}'),
        ("ü", "ü"),
        ("ü".encode(), "ü"),
        (bytearray(b"x"), "x"),
        (memoryview(b"x"), "x"),
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (1.5, "1.5"),
        ({"a": [1, "ü", None]}, '{"a":[1,"ü",null]}'),
        ((1, 2), "[1,2]"),
        (Point(1, 2), "[1,2]"),
        ({1: "a", None: "b", False: "c"}, '{"1":"a","null":"b","false":"c"}'),
        (OrderedDict([("b", 1), ("a", 2)]), '{"b":1,"a":2}'),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (ID, f'"{ID}"'),
        (Decimal("1.10"), '"1.10"'),
        (Colour.RED, '"red"'),
        (Level.HIGH, "3"),
        (Kind.NEW, "new"),
        ({"k": Kind.NEW, "c": Colour.RED}, '{"k":"new","c":"red"}'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), '"2026-01-02T03:04:05+00:00"'),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))), '"2026-01-02T00:00:00+02:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (Order(ID, Decimal(3)), f'{{"id":"{ID}","total":"3"}}'),
        ([Item("a", Order(ID, Decimal("0.1")))], f'[{{"name":"a","order":{{"id":"{ID}","total":"0.1"}}}}]'),
        (Model(when=datetime(2026, 1, 2, tzinfo=UTC)), '{"when":"2026-01-02T00:00:00Z","count":3}'),
        (PresenceUser(user_id=1), '{"user_id":1}'),
    ],
)
def test_encodes(data: object, text: str) -> None:
    assert encode_data(data, "data") == text


def circular() -> object:
    value: list[object] = []
    value.append(value)
    return value


def deep() -> object:
    value: object = None
    for _ in range(100_000):
        value = [value]
    return value


@dataclass
class Unfinished:
    never: int = field(init=False)


@attrs.define
class UnfinishedAttrs:
    never: int = attrs.field(init=False)


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: float("nan"), "NaN"),
        (lambda: {"a": [float("inf")]}, "NaN"),
        (lambda: Decimal("NaN"), "NaN"),
        (lambda: Decimal("-Infinity"), "NaN"),
        (lambda: {float("nan"): 1}, "NaN"),
        (lambda: "\ud800", "surrogate"),
        (lambda: {"a": "\udfff"}, "surrogate"),
        (lambda: b"\xff", "UTF-8"),
        (lambda: datetime(2026, 1, 1), "naive"),
        (lambda: {"a": object()}, "object"),
        (lambda: {1, 2}, "set"),
        (lambda: Order, "type"),
        (lambda: {(1, 2): 3}, "keys"),
        (lambda: {"a": b"bytes inside"}, "bytes"),
        (circular, "itself|deeply"),
        (deep, "deeply"),
        (Unfinished, "not hold a Unfinished with a field that is not set"),
        (lambda: [UnfinishedAttrs()], "not hold a UnfinishedAttrs with a field that is not set"),
    ],
)
def test_refuses(make: Callable[[], object], rule: str) -> None:
    with pytest.raises(InvalidArgumentError, match=rule) as caught:
        encode_data(make(), "events[2].data")
    assert caught.value.argument == "events[2].data"


def test_a_json_encoder_replaces_it_all_but_for_text() -> None:
    def encoder(value: object) -> str:
        return json.dumps(value, default=str)

    assert encode_data({"a": datetime(2026, 1, 1)}, "data", encoder) == '{"a": "2026-01-01 00:00:00"}'
    assert encode_data("text", "data", encoder) == "text"
    assert encode_data(b"text", "data", encoder) == "text"


def test_a_json_encoder_must_return_sendable_text() -> None:
    with pytest.raises(InvalidArgumentError, match="json_encoder must return a str"):
        encode_data(1, "data", lambda _: b"1")  # type: ignore[arg-type,return-value]  # pyright: ignore
    with pytest.raises(InvalidArgumentError, match="surrogate"):
        encode_data(1, "data", lambda _: "\ud800")
