"""Text that is not quite a str: subclasses and enums stand for the text they hold, in whatever way they format."""

from __future__ import annotations

import json
from enum import Enum

import pytest

from pusher_channels import InvalidArgumentError, Pusher
from pusher_channels.signing import sign_request
from tests.unit.support import APP_ID, KEY, SECRET, Recorder


class Name(str, Enum):  # noqa: UP042  StrEnum formats itself as its text; this one does not
    CHANNEL = "private-a"
    PRESENCE = "presence-"
    USER = "user-7"
    SOCKET = "1.1"
    DATA = "text"
    KEY = KEY
    SECRET = SECRET


class Forged(str):
    """Passes every check by its text, and formats itself as another."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return ':user::{"id":"1"}'

    __str__ = __repr__ = lambda self: ':user::{"id":"1"}'


def test_the_text_that_was_checked_is_the_text_that_is_signed(pusher: Pusher) -> None:
    right = pusher.authorize_channel("1.1", "private-a")
    assert pusher.authorize_channel(Name.SOCKET, Name.CHANNEL) == right
    assert pusher.authorize_channel(Forged("1.1"), Forged("private-a")) == right
    assert pusher.authenticate_user(Name.SOCKET, {"id": Name.USER}) == pusher.authenticate_user("1.1", {"id": "user-7"})
    signed = sign_request("GET", Forged("/x"), {"a": Forged("b")}, None, key=Name.KEY, secret=Name.SECRET, timestamp=1)
    assert signed == sign_request("GET", "/x", {"a": "b"}, None, key=KEY, secret=SECRET, timestamp=1)


def test_the_text_that_was_checked_is_the_text_that_is_sent(recorder: Recorder) -> None:
    pusher = recorder.sync()
    pusher.send_to_user(Name.USER, "e", Name.DATA)
    assert recorder.body == {"name": "e", "channels": ["#server-to-user-user-7"], "data": "text"}
    pusher.trigger(Forged("public"), Forged("e"), Forged("data"))
    assert json.loads(recorder.requests[-1].content) == {"name": "e", "channels": ["public"], "data": "data"}
    recorder.content = b'{"channels": {}}'
    pusher.channels.list(filter_by_prefix=Name.PRESENCE)
    assert recorder.urls[-1].params["filter_by_prefix"] == "presence-"
    pusher.request("GET", Forged("/channels"), query={"a": Forged("b")})
    assert recorder.urls[-1].path == "/apps/3/channels"
    assert recorder.urls[-1].params["a"] == "b"


def test_enums_as_credentials() -> None:
    pusher = Pusher(APP_ID, Name.KEY, Name.SECRET)
    assert pusher.authorize_channel("1.1", "private-a").auth == (
        Pusher(APP_ID, KEY, SECRET).authorize_channel("1.1", "private-a").auth
    )


EMPTY: dict[str, str] = {}


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("method", (None, "/x", EMPTY, None, 1)),
        ("path", ("GET", None, EMPTY, None, 1)),
        ("path", ("GET", "/x?y=1", EMPTY, None, 1)),
        ("query", ("GET", "/x", {"a": None}, None, 1)),
        ("query", ("GET", "/x", {"a": "\ud800"}, None, 1)),
        ("body", ("GET", "/x", EMPTY, 7, 1)),
        ("timestamp", ("GET", "/x", EMPTY, None, 1.5)),
        ("timestamp", ("GET", "/x", EMPTY, None, None)),
        ("timestamp", ("GET", "/x", EMPTY, None, True)),
    ],
)
def test_sign_request_checks_what_it_signs(
    argument: str, arguments: tuple[str, str, dict[str, str], None, int]
) -> None:
    method, path, query, body, timestamp = arguments
    with pytest.raises(InvalidArgumentError) as caught:
        sign_request(method, path, query, body, key=KEY, secret=SECRET, timestamp=timestamp)
    assert caught.value.argument == argument


@pytest.mark.parametrize("key", ["", None, b"key", "\ud800"])
def test_sign_request_checks_credentials(key: str) -> None:
    with pytest.raises(InvalidArgumentError, match="^key: "):
        sign_request("GET", "/x", None, None, key=key, secret=SECRET, timestamp=1)
    with pytest.raises(InvalidArgumentError, match="^secret: "):
        sign_request("GET", "/x", None, None, key=KEY, secret=key, timestamp=1)
