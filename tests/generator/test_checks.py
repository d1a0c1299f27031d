"""The checks of the generated package: what they accept, and what they say."""

from __future__ import annotations

import copy
import pickle
import re
from collections import UserDict, deque
from collections.abc import Callable, Iterator
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType

import pytest

from generator.runtime import checks, reading, writing
from generator.runtime.errors import (
    APIError,
    InvalidArgumentError,
    PusherError,
    RequestInfo,
    ResponseDecodeError,
)
from generator.runtime.fields import NO_FIELDS


class Color(StrEnum):
    RED = "red"


class Number(IntEnum):
    ONE = 1


class Other(Enum):
    RED = "red"


def generated() -> Iterator[str]:
    yield "a"


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def in_a_circle() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


def short(value: object, argument: str) -> str:
    return checks.check_string(value, argument, min_length=1, max_length=3)


def letters(value: object) -> object:
    pattern = re.compile("[a-z]+", re.ASCII)
    return checks.check_string(value, "x", pattern=pattern, pattern_rule="must consist of small letters")


A_STRING = "must be a string"
A_LIST = "must be a list (any sequence, but not a string)"
UNICODE = "must be valid Unicode text without lone surrogates"

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: checks.check_string(1, "x"), f"x: {A_STRING}"),
    (lambda: checks.check_string(b"a", "x"), f"x: {A_STRING}"),
    (lambda: checks.check_string(None, "x"), f"x: {A_STRING}"),
    (lambda: checks.check_string(Other.RED, "x"), f"x: {A_STRING}"),
    (lambda: checks.check_string(["a"], "x"), f"x: {A_STRING}"),
    (lambda: checks.check_string("a\ud800", "x"), f"x: {UNICODE}"),
    (lambda: short("", "x"), "x: must be 1 to 3 characters long"),
    (lambda: short("aaaa", "x"), "x: must be 1 to 3 characters long"),
    (lambda: checks.check_string("ab", "x", max_length=1), "x: must be at most 1 character long"),
    (lambda: checks.check_string("", "x", min_length=2), "x: must be at least 2 characters long"),
    (lambda: checks.check_string("", "x", min_length=2, max_length=2), "x: must be exactly 2 characters long"),
    (lambda: checks.check_string("éé", "x", max_bytes=3), "x: must be at most 3 bytes long (UTF-8)"),
    (lambda: checks.check_string("aaaa", "x", max_bytes=3), "x: must be at most 3 bytes long (UTF-8)"),
    (lambda: letters("a\n"), "x: must consist of small letters"),
    (lambda: letters("é"), "x: must consist of small letters"),
    (lambda: checks.check_string("c", "x", allowed=("a", "b")), "x: must be one of: a, b"),
    (lambda: checks.check_integer(True, "x"), "x: must be an integer"),
    (lambda: checks.check_integer(1.0, "x"), "x: must be an integer"),
    (lambda: checks.check_integer("1", "x"), "x: must be an integer"),
    (lambda: checks.check_integer(0, "x", minimum=1), "x: must be at least 1"),
    (lambda: checks.check_integer(2, "x", maximum=1), "x: must be at most 1"),
    (lambda: checks.check_integer(2, "x", minimum=0, maximum=1), "x: must be 0 to 1"),
    (lambda: checks.check_integer(2, "x", multiple_of=3), "x: must be a multiple of 3"),
    (lambda: checks.check_integer(2, "x", allowed=(1, 3)), "x: must be one of: 1, 3"),
    (lambda: checks.check_number(True, "x"), "x: must be a number"),
    (lambda: checks.check_number("1", "x"), "x: must be a number"),
    (lambda: checks.check_number(float("nan"), "x"), "x: must be a finite number"),
    (lambda: checks.check_number(float("-inf"), "x"), "x: must be a finite number"),
    (lambda: checks.check_number(0.4, "x", minimum=0.5), "x: must be at least 0.5"),
    (lambda: checks.check_number(0.4, "x", multiple_of=0.5), "x: must be a multiple of 0.5"),
    (lambda: checks.check_boolean(1, "x"), "x: must be True or False"),
    (lambda: checks.check_constant("b", "x", "a"), "x: must be 'a'"),
    (lambda: checks.check_constant(True, "x", 1), "x: must be 1"),
    (lambda: checks.check_either(None, "x", short, checks.check_integer), f"x: {A_STRING}, or must be an integer"),
    (lambda: checks.check_either(None, "x", short, checks.check_string), f"x: {A_STRING}"),
    (lambda: checks.check_list("abc", "x", short), f"x: {A_LIST}"),
    (lambda: checks.check_list(b"abc", "x", checks.check_integer), f"x: {A_LIST}"),
    (lambda: checks.check_list(bytearray(b"a"), "x", checks.check_integer), f"x: {A_LIST}"),
    (lambda: checks.check_list({"a": 1}, "x", short), f"x: {A_LIST}"),
    (lambda: checks.check_list({"a"}, "x", short), f"x: {A_LIST}"),
    (lambda: checks.check_list(generated(), "x", short), f"x: {A_LIST}"),
    (lambda: checks.check_list([], "x", short, min_items=1, max_items=2), "x: must have 1 to 2 items"),
    (lambda: checks.check_list(["a"] * 3, "x", short, max_items=2), "x: must have at most 2 items"),
    (lambda: checks.check_list(["a"] * 3, "x", short, max_items=1), "x: must have at most 1 item"),
    (lambda: checks.check_list(["a", 1], "x", short), f"x[1]: {A_STRING}"),
    (lambda: checks.check_list(["a", "b", "a"], "x", short, unique=True), "x: must not have the same item twice"),
    (lambda: checks.check_comma_list(None, "x", short), "x: must be a list of strings, or one comma separated string"),
    (lambda: checks.check_comma_list("a,bbbb", "x", short), "x[1]: must be 1 to 3 characters long"),
    (lambda: checks.check_comma_list(["a,b"], "x", short), "x[0]: must not be empty or hold a comma"),
    (lambda: checks.check_comma_list("a,,b", "x", checks.check_string), "x[1]: must not be empty or hold a comma"),
    (lambda: checks.check_comma_list((), "x", short, min_items=1), "x: must have at least 1 item"),
    (lambda: checks.check_comma_list("a,b", "x", short, max_items=1), "x: must have at most 1 item"),
    (lambda: checks.check_map([], "x", short), "x: must be a mapping"),
    (lambda: checks.check_map({1: "a"}, "x", short), f"x (a key): {A_STRING}"),
    (lambda: checks.check_map({"k": ""}, "x", short), "x['k']: must be 1 to 3 characters long"),
    (lambda: checks.check_map({"k": "a", "l": "a"}, "x", short, max_items=1), "x: must have at most 1 entry"),
    (lambda: checks.check_map({}, "x", short, min_items=2), "x: must have at least 2 entries"),
    (lambda: checks.check_model("1", "x", int), "x: must be a int"),
    (lambda: checks.check_model(1, "x", APIError), "x: must be an APIError"),
    (lambda: checks.check_json({1}, "x"), "x: must hold JSON values only"),
    (lambda: checks.check_json(object(), "x"), "x: must hold JSON values only"),
    (lambda: checks.check_json(b"a", "x"), "x: must hold JSON values only"),
    (lambda: checks.check_json([float("inf")], "x"), "x: must be a finite number"),
    (lambda: checks.check_json({"a": "\ud800"}, "x"), f"x: {UNICODE}"),
    (lambda: checks.check_json({"\ud800": 1}, "x"), f"x: {UNICODE}"),
    (lambda: checks.check_json({1: 1}, "x"), "x: must have strings as keys"),
    (lambda: checks.check_json(deep(101), "x"), "x: must not be nested deeper than 100 levels"),
    (lambda: checks.check_json(deep(100_000), "x"), "x: must not be nested deeper than 100 levels"),
    (lambda: checks.check_json(in_a_circle(), "x"), "x: must not be nested deeper than 100 levels"),
    (lambda: checks.check_object([], "x"), "x: must be a mapping"),
    (lambda: checks.check_object({"a": b""}, "x"), "x: must hold JSON values only"),
    (lambda: checks.check_object_size({}, "x", min_items=1, max_items=2), "x: must have 1 to 2 fields"),
    (lambda: checks.check_fields([]), "must be a mapping"),
    (lambda: checks.check_fields({1: 2}), "must have strings as keys"),
    (lambda: checks.check_known_fields({"y": 1}, "Model"), "y: is no field of Model"),
    (lambda: checks.check_other_fields({"y": 1}, ("y", "z")), "additional_properties: must not have y, z"),
    (lambda: checks.take_required({}, "y"), "y: is required"),
    (lambda: checks.check_exactly_one(a=None, b=None), "a: exactly one of a, b must be given"),
    (lambda: checks.check_exactly_one(a=1, b=2), "a: exactly one of a, b must be given"),
    (lambda: checks.check_at_least_one(a=None, b=None), "a: at least one of a, b must be given"),
    (lambda: writing.encode_path("..", "x"), 'x: must not be empty, "." or ".."'),
    (lambda: writing.encode_path(".", "x"), 'x: must not be empty, "." or ".."'),
    (lambda: writing.encode_path("", "x"), 'x: must not be empty, "." or ".."'),
]


@pytest.mark.parametrize(("check", "message"), REFUSED)
def test_refused(check: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        check()
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, PusherError)


def test_accepted() -> None:
    assert checks.check_string(Color.RED, "x", allowed=("red",)) == "red"
    assert checks.check_string("é" * 200, "x", max_length=200) == "é" * 200
    assert checks.check_integer(Number.ONE, "x", minimum=1, maximum=1, multiple_of=1, allowed=(1,)) == 1
    assert checks.check_number(10**400, "x", minimum=1) == 10**400
    assert checks.check_number(1.5, "x", multiple_of=0.5) == 1.5
    assert checks.check_boolean(False, "x") is False
    assert checks.check_constant("a", "x", "a") == "a"
    assert checks.check_either(7, "x", short, checks.check_integer) == 7
    for sequence in (["a", "b"], ("a", "b"), deque(["a", "b"])):
        assert checks.check_list(sequence, "x", short, unique=True) == ("a", "b")
    assert checks.check_comma_list("", "x", short) == ()
    assert checks.check_comma_list([], "x", short) == ()
    assert checks.check_comma_list("a,b", "x", short, min_items=2) == ("a", "b")
    assert checks.check_map(MappingProxyType({"k": "a"}), "x", short) == {"k": "a"}
    assert checks.check_json(deep(100), "x") == deep(100)
    checks.check_at_least_one(a=None, b=0)
    checks.check_exactly_one(a=None, b=0)


def test_no_fields_is_an_empty_mapping_for_all() -> None:
    assert NO_FIELDS == {}
    assert NO_FIELDS == {}
    assert dict(NO_FIELDS) == {}
    assert repr(NO_FIELDS) == "{}"
    assert not NO_FIELDS
    assert NO_FIELDS.get("x") is None
    assert pickle.loads(pickle.dumps(NO_FIELDS)) is NO_FIELDS
    assert copy.deepcopy(NO_FIELDS) is NO_FIELDS


def test_json_is_copied() -> None:
    inner = [1]
    given = UserDict({"a": inner, "b": (True, None, 1.5)})
    copied = checks.check_object(given, "x")
    inner.append(2)
    assert copied == {"a": [1], "b": [True, None, 1.5]}
    assert type(copied) is dict


def test_names_seen_from_above() -> None:
    error = InvalidArgumentError("data", "must be short")
    assert error.under("batch[3]").argument == "batch[3].data"
    assert InvalidArgumentError("[1]", "").under("channels").argument == "channels[1]"
    assert InvalidArgumentError("", "").under("channels[1]").argument == "channels[1]"
    assert error.under("") is error


@pytest.mark.parametrize(
    "error",
    [
        InvalidArgumentError("channels[1]", "must be short"),
        APIError("failed", request=RequestInfo("GET", "https://host/path")),
        ResponseDecodeError("no JSON"),
    ],
)
def test_errors_can_be_pickled_and_copied(error: PusherError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert other.__dict__ == error.__dict__


@pytest.mark.parametrize(
    "read",
    [
        lambda: reading.read_string(1, "x"),
        lambda: reading.read_integer(True, "x"),
        lambda: reading.read_integer(1.0, "x"),
        lambda: reading.read_number(False, "x"),
        lambda: reading.read_boolean(1, "x"),
        lambda: reading.read_constant("b", "x", "a"),
        lambda: reading.read_object([1], "x"),
        lambda: reading.read_object(None, "x"),
        lambda: reading.read_list({"a": 1}, "x", str),
        lambda: reading.read_list("a", "x", str),
        lambda: reading.read_map([1], "x", str),
        lambda: reading.read_either(None, "x", reading.read_string, reading.read_integer),
    ],
)
def test_other_types_in_answers(read: Callable[[], object]) -> None:
    with pytest.raises(ResponseDecodeError, match="^x: must be "):
        read()


def test_empty_lists_and_maps_of_php() -> None:
    assert reading.read_object([], "x") == {}
    assert reading.read_map([], "x", str) == {}
    assert reading.read_list({}, "x", str) == ()


@pytest.mark.parametrize(
    "content", [b" ", b"{", b"\xff", b"[" * 100_000, b"1" * 10_000, b"NaN", b"[-Infinity]", b'{"a":1e999}']
)
def test_a_body_that_is_not_json(content: bytes) -> None:
    with pytest.raises(ResponseDecodeError, match="not JSON"):
        reading.decode_json(content, lambda value: value)


def test_text_and_empty_bodies() -> None:
    assert reading.decode_json(b"", lambda value: value) == {}
    assert reading.decode_text("é".encode()) == "é"
    assert reading.decode_text(b"\xff") == "�"
    reading.decode_nothing(b"anything")


def test_values_on_the_wire() -> None:
    assert writing.encode_path("presence-a@b=c,d;e", "x") == "presence-a@b=c,d;e"
    assert writing.encode_path("#a/b é%", "x") == "%23a%2Fb%20%C3%A9%25"
    assert writing.encode_path("...", "x") == "..."
    assert [writing.encode_query(value) for value in (True, False, 3, 1.5, "a b")] == [
        "true",
        "false",
        "3",
        "1.5",
        "a b",
    ]
    assert writing.encode_json({"a": "é", "b": [1, None]}) == '{"a":"é","b":[1,null]}'.encode()
