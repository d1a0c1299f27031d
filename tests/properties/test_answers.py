"""Whatever a server answers: a ResponseDecodeError or a model that says the same, and a wait that is one."""

from __future__ import annotations

import json
import math
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Protocol, Self

from hypothesis import given as for_all

import pusher_channels_rest.operations as generated
from pusher_channels import ResponseDecodeError
from pusher_channels._http.answers import Headers, RawResponse
from pusher_channels._http.messages import Origin
from pusher_channels._retry import server_offset, wait_before
from pusher_channels_rest.codec import Operation
from tests.properties.making import PURE, Choices, is_json, made
from tests.properties.typing_of import assert_typed
from tests.spec.document import operation as described
from tests.spec.document import values


class Model(Protocol):
    """What all models of answers have."""

    def to_dict(self) -> dict[str, object]: ...

    @classmethod
    def from_dict(cls, value: object) -> Self: ...


OPERATIONS: dict[str, Operation[Model | None]] = {
    value.id: value
    for module in iter_modules(generated.__path__)
    for value in vars(import_module(f"{generated.__name__}.{module.name}")).values()
    if isinstance(value, Operation)
}
EXAMPLES: dict[str, list[Any]] = {
    name: [
        value
        for status, response in described(name).responses.items()
        if status.startswith("2")
        for media in response.get("content", {}).values()
        for value in values(media)
    ]
    or [{}]  # an operation that answers with nothing but success
    for name in OPERATIONS
}


def make_answer(choices: Choices) -> tuple[str, bytes]:
    name = choices.pick(list(OPERATIONS))
    kind = choices.number(8)
    if kind == 6:
        return name, choices.json_bytes(choices.json())
    if kind == 7:
        return name, choices.bytes()
    return name, choices.json_bytes(choices.near(choices.pick(EXAMPLES[name])))


@PURE
@for_all(case=made(make_answer))
def test_answers_that_are_nearly_right(case: tuple[str, bytes]) -> None:
    name, content = case
    try:
        result = OPERATIONS[name].decode(content)
    except ResponseDecodeError as error:
        assert str(error)
        return
    if result is None:
        assert name == "channels/trigger_event"
        return
    assert_typed(result)
    assert repr(result)
    written = result.to_dict()
    assert is_json(written)
    fields = json.loads(content or b"{}")
    assert not fields or written.keys() >= {key for key, value in fields.items() if value is not None}
    assert type(result).from_dict(written) == result
    assert OPERATIONS[name].decode(json.dumps(written).encode()) == result


# What a server says of the time

BEFORE = "Timestamp expired: Given timestamp (2013-02-01T00:00:00Z) not within 600s of server time ("
STAMPS = [
    *("120", "0", "-1", "1e9", "٣", "9" * 5000, "00000000001", "2013-02-01T00:00:00Z", "Fri, 31 Dec 1999 23:59:59 GMT"),
    *("Fri Dec 31 23:59:59 1999", "Friday, 31-Dec-99 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -9999"),
    "Thu, 1 Jan 0001 00:00:00 +2359",
]
BITS = ["9", "-", "+", " ", ",", ":", "GMT", "Z"]
ORIGIN = Origin("https", "api.example", 443)


def make_stamp(choices: Choices) -> str:
    stamp = choices.pick(STAMPS)
    for _ in range(choices.number(3)):
        at = choices.number(len(stamp) + 1)
        stamp = stamp[:at] + choices.pick([*BITS, choices.text()]) + stamp[at + choices.number(4) :]
    return stamp.encode("utf-8", "replace").decode()


def make_hint(choices: Choices) -> tuple[int, str, bytes]:
    """Make a number of retries, a Retry-After, and a body that tells the server's time."""
    before = choices.pick([BEFORE, BEFORE, BEFORE, BEFORE[1:]])
    retries = choices.pick([0, 1, 5, 1023, 1024, 10**6])
    return retries, make_stamp(choices), f"{before}{make_stamp(choices)})\n".encode()


@PURE
@for_all(hint=made(make_hint))
def test_what_servers_say_of_the_time(hint: tuple[int, str, bytes]) -> None:
    retry, retry_after, body = hint
    answer = RawResponse(401, Headers([(b"Retry-After", retry_after.encode())]), body)
    wait = wait_before(retry, answer)
    assert 0 <= wait <= 86_400 or wait == math.inf
    offset = server_offset(ORIGIN, answer)
    assert offset is None or abs(offset) <= 86_400
