"""Python objects of any kind, as arguments: what a caller without a type checker passes, by mistake or for mischief."""

from __future__ import annotations

import math
from collections import OrderedDict, UserDict, UserList, UserString, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from itertools import repeat
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, cast
from uuid import UUID

import attrs
import httpx

from pusher_channels import Event
from pusher_channels_rest.models import ChannelAttributes, PresenceUser, SigninUser
from tests.properties.making import Choices


class Colour(Enum):
    RED = "red"
    ODD = object()


class Channel(StrEnum):
    NEWS = "news"
    PRIVATE = "private-encrypted-a"


class Mixed(str, Enum):  # noqa: UP042  it formats itself otherwise than a StrEnum
    EU = "eu"


class Number(IntEnum):
    ONE = 1


@dataclass
class Point:
    x: object
    y: object = 2


@dataclass
class Unfinished:
    never: int = field(init=False)


@attrs.frozen
class Pair:
    left: object
    right: object = None


@attrs.define
class UnfinishedAttrs:
    never: int = attrs.field(init=False)


@attrs.frozen
class Answers:
    """An object with a ``to_dict``, which returns anything."""

    answer: object

    def to_dict(self) -> object:
        return self.answer


class Empty:
    pass


class Loud(str):
    """A string that formats itself as another than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "private-encrypted-other"

    def __format__(self, spec: str) -> str:
        return ":user::{}"


class Endless:
    """It makes itself anew at each look."""

    def to_dict(self) -> object:
        return {"inner": Endless()}


def _circle() -> list[object]:
    items: list[object] = []
    items.append(items)
    return items


def _deep(levels: int) -> list[object]:
    items: list[object] = []
    for _ in range(levels):
        items = [items]
    return items


THINGS: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**53, 10**400, 10**5000, 0.5, math.nan, math.inf, -math.inf, 1j, Fraction(1, 3)),
    *("", "a", "é", "\ud800", "\x00", "x" * 201, "é" * 6000, "x" * 10_241, "NaN", "{}", "1.1", "..", ".", "a/b", "٣.٣"),
    *("private-a", "presence-a", "private-encrypted-a", "private-encrypted-\ud800", "#server-to-user-1", ":user::{}"),
    *(b"", b"a", b"\xff", b"private-encrypted-a", bytearray(b"a"), memoryview(b"a"), [b"a"], range(3), range(1000)),
    *([], {}, (), set[str](), frozenset({"a"}), deque(["a"]), OrderedDict(a=1), UserDict({"a": 1}), UserList(["a"])),
    *(UserString("a"), MappingProxyType({"a": 1}), SimpleNamespace(a=1), Empty, Empty(), int, object(), len, ...),
    *({1: 2}, {None: 1}, {(1, 2): 3}, {b"a": 1}, {"\ud800": 1}, {math.nan: 1}, {10**5000: 1}, {Channel.NEWS: 1}),
    *({Loud("a"): Loud("b")}, Loud("a"), Endless(), _circle(), _deep(90), _deep(400), _deep(3000), {"a": _deep(120)}),
    *(Colour.RED, Colour.ODD, Channel.NEWS, Channel.PRIVATE, Mixed.EU, Number.ONE, Point, Point(1), Point(object())),
    *(Point(_circle()), Unfinished(), UnfinishedAttrs(), Pair, Pair(1), Pair(Point(2)), Answers, Answers({"a": 1})),
    *(Answers(Answers(object())), Answers(math.nan), PresenceUser(user_id="1"), SigninUser(id="1")),
    ChannelAttributes(),
    *(Event, Event("a", "e", "d"), repeat(Event("a", "e", "d")), httpx.URL("http://a"), PurePosixPath("/a")),
    *(date(2020, 1, 2), datetime(2020, 1, 2), datetime(2020, 1, 2, tzinfo=UTC), timedelta(1), UUID(int=3)),
    *(Decimal("1.10"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), ValueError("x"), NotImplemented),
]
"""None of them changes when it is used, as a generator does."""


def thing(choices: Choices, depth: int = 1) -> Any:
    """Return any object, or a collection of some."""
    kind = choices.number(8) if depth else 0
    if kind < 5:
        return choices.pick(THINGS)
    if kind == 5:
        return [thing(choices, depth - 1) for _ in range(choices.number(3))]
    if kind == 6:
        return {choices.text(): thing(choices, depth - 1) for _ in range(choices.number(3))}
    return choices.pick([Point, Pair, Answers])(thing(choices, depth - 1))


def same(one: object, other: object) -> bool:
    """Tell whether two things that were made by the same choices are still the same; NaN is, to itself."""
    if one is other or type(one) is not type(other):
        return one is other
    if isinstance(one, (Point, Pair, Answers, Event)):
        return all(same(getattr(one, name), getattr(other, name)) for name in one.__annotations__)
    if isinstance(one, dict):
        mine, theirs = cast("dict[object, object]", one), cast("dict[object, object]", other)
        return list(mine) == list(theirs) and all(same(mine[key], theirs[key]) for key in mine)
    if isinstance(one, (list, tuple)):
        items = cast("Sequence[object]", one), cast("Sequence[object]", other)
        return len(items[0]) == len(items[1]) and all(map(same, *items))
    return one == other
