"""Whatever a browser posts to an auth endpoint, and whatever that endpoint passes on: what is signed is checked."""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

from hypothesis import given as for_all

from pusher_channels import ConfigurationError, InvalidArgumentError, Pusher
from pusher_channels_rest.models import ChannelAuthorization
from tests.properties.making import PURE, Choices, is_json, made
from tests.properties.things import thing
from tests.unit.support import APP_ID, KEY, MASTER_KEY, SECRET

PUSHER = Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY)
WITHOUT_KEY = Pusher(APP_ID, KEY, SECRET)
SOCKET_ID = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
TO_SIGN = re.compile(r"(?=.{1,200}\Z)(private|presence)-[-a-zA-Z0-9_=@,.;]*", re.ASCII)


def signature(text: str) -> str:
    return f"{KEY}:{hmac.digest(SECRET.encode(), text.encode(), 'sha256').hex()}"


def check_channel(given: ChannelAuthorization, socket_id: object, channel: object) -> None:
    """Check an authorization by a computation of our own."""
    assert isinstance(socket_id, str)
    assert isinstance(channel, str)
    channel = "".join(channel)  # the characters, whatever a subclass says of itself
    assert SOCKET_ID.fullmatch(socket_id)
    assert TO_SIGN.fullmatch(channel)
    text = f"{''.join(socket_id)}:{channel}"
    if given.channel_data is None:
        assert given.auth == signature(text)
    else:
        assert channel.startswith("presence-")
        assert given.auth == signature(f"{text}:{given.channel_data}")
        assert len(given.channel_data.encode()) <= 1024
        user = json.loads(given.channel_data)
        assert type(user["user_id"]) in (str, int)
        assert is_json(user)
    assert (given.shared_secret is not None) == channel.startswith("private-encrypted-")
    assert is_json(given.to_dict())


# Forms

SOCKET_IDS = [
    *("1.1", "1234.5678", "1", "1.", ".1", "1.1:private-b", "1.1:", "٣.٣", "1.1\n", " 1.1", "1.1.1", "-1.1", "1e3.1"),
    "",
]
CHANNELS = [
    *("private-a", "presence-a", "private-encrypted-a", "private-", "a", "", ':user::{"id":"1"}', "private-a:b"),
    *("private-é", "private-a\n", "\nprivate-a", "private-a\x00", "private-a ", "PRIVATE-a"),
    *("private-" + "a" * 192, "private-" + "a" * 193),
]
ESCAPES: list[Callable[[str], str]] = [
    *(quote_plus, quote_plus, quote, str),
    lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
]
BREAKS = ["%", "%f", "%ff", "%ed%a0%80", "&", "=", "\x00", "é", "\ud800", "%00"]


def make_form(choices: Choices) -> tuple[bytes | str, Any]:
    """Make a form that is nearly right, in one of the ways to write it, and a user of the endpoint's."""
    pairs = [["socket_id", choices.pick(SOCKET_IDS[:2])], ["channel_name", choices.pick(CHANNELS[:3])]]
    for _ in range(choices.number(4)):
        match choices.number(8):
            case 0:
                pairs.append([choices.pick(["socket_id", "channel_name", "other", choices.text()]), choices.text()])
            case 1:
                pairs[choices.number(len(pairs))][choices.number(2)] = choices.text()
            case 2:
                pairs.reverse()
            case 3:
                pairs[0][1] = choices.pick(SOCKET_IDS)
            case 4:
                pairs[-1][1] = choices.pick(CHANNELS)
            case 5:
                pairs[-1][1] += choices.text()
            case 6:
                pairs += choices.pick([pairs[:1], pairs[:0], [["a", "1"]] * 99])
            case _:
                pairs.append(["", ""])
    escape = choices.pick(ESCAPES)
    written = ["=".join(escape(part.encode("utf-8", "replace").decode()) for part in pair) for pair in pairs]
    text = choices.pick("&&&&;,").join(written)
    if choices.once_in(4):
        at = choices.number(len(text) + 1)
        text = text[:at] + choices.pick(BREAKS) + text[at:]
    users = [None, None, {"user_id": "1"}, {"user_id": "1", "a": "é"}, {"user_id": 1}, {}, choices.json()]
    if choices.once_in(12):
        return choices.bytes(), choices.pick(users)
    return text if choices.once_in(4) else text.encode("utf-8", "surrogatepass"), choices.pick(users)


def fields_of(body: bytes | str) -> dict[bytes, list[bytes]]:
    """Read a form, without the library that the SDK reads it with."""
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    fields: dict[bytes, list[bytes]] = {}
    for pair in content.split(b"&"):
        name, _, value = (part.replace(b"+", b" ") for part in pair.partition(b"="))
        fields.setdefault(unquote_to_bytes(name), []).append(unquote_to_bytes(value))
    return fields


@PURE
@for_all(case=made(make_form))
def test_forms(case: tuple[bytes | str, Any]) -> None:
    body, user = case
    try:
        channel = PUSHER.authorize_channel_form(body, user, signed_in=not user)
    except InvalidArgumentError:
        pass
    else:
        (socket_id,), (name,) = fields_of(body)[b"socket_id"], fields_of(body)[b"channel_name"]
        check_channel(channel, socket_id.decode(), name.decode())
    try:
        given = PUSHER.authenticate_user_form(body, {"id": "7", "user_info": {"name": "é"}})
    except InvalidArgumentError:
        return
    (socket_id,) = fields_of(body)[b"socket_id"]
    assert SOCKET_ID.fullmatch(socket_id.decode())
    assert given.user_data == '{"id":"7","user_info":{"name":"é"}}'
    assert given.auth == signature(f"{socket_id.decode()}::user::{given.user_data}")


# Arguments

USERS: list[Any] = [
    {"user_id": "1", "user_info": {"name": "é"}, "more": [1.5, None]},
    {"user_id": 7},
    {"id": "7", "user_info": {"name": "é"}, "watchlist": ["8"], "more": 1},
    {"id": "a" * 200, "watchlist": ["b"] * 100},
    {"user_id": "1", "user_info": {"text": "é" * 490}},
]


def make_arguments(choices: Choices) -> tuple[Any, Any, Any, Any]:
    """Make the arguments of an authorization: one or two are of any kind."""
    socket_id: Any = choices.pick(SOCKET_IDS[:2])
    channel: Any = choices.pick(["presence-a", *CHANNELS[:3]])
    user: Any = choices.near(choices.pick(USERS)) if choices.number(3) else None
    signed_in: Any = choices.pick([False, False, True])
    match choices.number(8):
        case 0:
            socket_id = choices.pick([*SOCKET_IDS, thing(choices)])
        case 1:
            channel = choices.pick([*CHANNELS, thing(choices)])
        case 2:
            user = thing(choices, 2)
        case 3:
            name = choices.pick(["user_id", "user_info", "id", "watchlist", "a"])
            user = {**choices.pick(USERS), name: thing(choices)}
        case 4:
            signed_in = thing(choices)
        case _:
            pass
    return socket_id, channel, user, signed_in


@PURE
@for_all(arguments=made(make_arguments))
def test_arguments_of_any_kind(arguments: tuple[Any, Any, Any, Any]) -> None:
    socket_id, channel, user, signed_in = arguments
    with suppress(InvalidArgumentError):
        check_channel(PUSHER.authorize_channel(socket_id, channel, user, signed_in=signed_in), socket_id, channel)
    try:
        WITHOUT_KEY.authorize_channel(socket_id, channel, user, signed_in=signed_in)
    except ConfigurationError as error:
        assert error.option == "encryption_master_key_base64"
        assert channel.startswith("private-encrypted-")
    except InvalidArgumentError:
        pass
    try:
        given = PUSHER.authenticate_user(socket_id, user)
    except InvalidArgumentError:
        return
    assert SOCKET_ID.fullmatch(socket_id)
    assert isinstance(json.loads(given.user_data)["id"], str)
    assert given.auth == signature(f"{socket_id}::user::{given.user_data}")
    assert is_json(given.to_dict())
