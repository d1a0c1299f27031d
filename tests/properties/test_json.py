"""Whatever object a caller gives as data: the JSON that it stands for, or an InvalidArgumentError."""

from __future__ import annotations

import json
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

from hypothesis import given as for_all

from pusher_channels import InvalidArgumentError, Pusher
from pusher_channels._json import encode_data
from tests.properties.making import PURE, Choices, made
from tests.properties.things import Answers, Channel, Colour, Mixed, Number, Pair, Point, thing
from tests.unit.support import APP_ID, KEY, SECRET

PLAIN: list[Any] = [None, True, False, 0, -1, 2**70, 0.5, -0.0, 1e308, "", "é", "\u2028", '"\\', "\x00"]
LEAVES: list[tuple[Any, Any]] = [
    *((value, value) for value in PLAIN),
    *((Colour.RED, "red"), (Channel.NEWS, "news"), (Mixed.EU, "eu"), (Number.ONE, 1)),
    *((Decimal("1.10"), "1.10"), (Decimal("-0"), "-0"), (Decimal("1E+400"), "1E+400")),
    *((UUID(int=3), "00000000-0000-0000-0000-000000000003"), (date(2020, 1, 2), "2020-01-02")),
    (datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2020-01-02T03:04:05.000006+00:00"),
    (datetime(2020, 1, 2, tzinfo=timezone(timedelta(hours=-3))), "2020-01-02T00:00:00-03:00"),
]
KEYS: list[tuple[Any, str]] = [
    *(("a", "a"), ("é", "é"), ("", ""), (1, "1"), (True, "true"), (None, "null"), (0.5, "0.5"), (Number.ONE, "1")),
]


def make_value(choices: Choices, depth: int = 3) -> tuple[Any, Any]:
    """Make an object and the JSON value that it stands for."""
    kind = choices.number(12) if depth else 0
    if kind < 5:
        return choices.pick(LEAVES)
    parts = [make_value(choices, depth - 1) for _ in range(choices.number(4))]
    values, plain = [value for value, _ in parts], [value for _, value in parts]
    if kind < 7:
        return (values if kind == 5 else tuple(values)), plain
    if kind < 10:
        given: dict[Any, Any] = {}
        stands: dict[str, Any] = {}
        for value, stands_for in parts:
            key, name = choices.pick(KEYS)
            if key not in given:  # 1 and True are one key
                given[key], stands[name] = value, stands_for
        return choices.pick([dict, OrderedDict, MappingProxyType])(given), stands
    value, stands_for = make_value(choices, depth - 1)
    if kind == 10:
        return Answers(value), stands_for
    return choices.pick([(Point(value), {"x": stands_for, "y": 2}), (Pair(value), {"left": stands_for, "right": None})])


@PURE
@for_all(case=made(make_value))
def test_what_has_a_json_form(case: tuple[Any, Any]) -> None:
    value, stands_for = case
    text = encode_data(value, "data")
    if isinstance(value, str):
        assert text == stands_for
        return
    assert json.loads(text) == stands_for
    assert text == json.dumps(stands_for, ensure_ascii=False, separators=(",", ":"))


def make_thing(choices: Choices) -> tuple[Any, str]:
    return thing(choices, 2), choices.json_bytes(choices.json()).decode("utf-8", "surrogateescape")


@PURE
@for_all(case=made(make_thing))
def test_objects_and_encoders_of_any_kind(case: tuple[Any, str]) -> None:
    value, encoded = case
    try:
        text = encode_data(value, "data")
    except InvalidArgumentError as error:
        assert error.argument == "data"
    else:
        assert type(text) is str
        text.encode()
        if not isinstance(value, (str, bytes, bytearray, memoryview)):
            json.loads(text, parse_constant=refuse)
    answers: list[Any] = [case[0], encoded]
    for answer in answers:
        pusher = Pusher(APP_ID, KEY, SECRET, json_encoder=Encoder(answer))
        try:
            pusher.authorize_channel("1.1", "presence-a", {"user_id": "1"})
        except InvalidArgumentError as error:
            assert error.argument.startswith("user")


class Encoder:
    """An encoder that does not care what it is given."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __call__(self, value: object) -> Any:
        return self._answer


def refuse(name: str) -> None:
    raise ValueError(name)
