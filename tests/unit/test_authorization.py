"""Channel authorization and user authentication."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime

import pytest

from pusher_channels import InvalidArgumentError, PresenceUser, Pusher, SigninUser
from tests.unit.support import APP_ID, KEY, SECRET


def signature(text: str) -> str:
    return f"{KEY}:{hmac.new(SECRET.encode(), text.encode(), 'sha256').hexdigest()}"


def test_private_channel(pusher: Pusher) -> None:
    authorization = pusher.authorize_channel("1234.1234", "private-foobar")
    assert authorization.to_dict() == {
        "auth": f"{KEY}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
    }


def test_presence_channel(pusher: Pusher) -> None:
    user = {"user_id": 10, "user_info": {"name": "Mr. Pusher"}}
    authorization = pusher.authorize_channel("1234.1234", "presence-foobar", user)
    assert authorization.auth == f"{KEY}:afaed3695da2ffd16931f457e338e6c9f2921fa133ce7dac49f529792be6304c"
    assert authorization.channel_data == '{"user_id":10,"user_info":{"name":"Mr. Pusher"}}'
    model = PresenceUser(user_id=10, user_info={"name": "Mr. Pusher"})
    assert pusher.authorize_channel("1234.1234", "presence-foobar", model) == authorization


def test_encrypted_channel(pusher: Pusher) -> None:
    authorization = pusher.authorize_channel("1234.1234", "private-encrypted-foobar")
    assert authorization.auth == f"{KEY}:e6a18892d037c5d5e76a2265df4f086ffc38631605530dfd214aa5bff495f533"
    assert authorization.shared_secret == "Uedy6frF2/3cz/oMziDQ0pGdahMvE50/N0xZ8eKYEIg="
    assert json.loads(json.dumps(authorization.to_dict()))["shared_secret"] == authorization.shared_secret
    assert authorization.shared_secret not in repr(authorization)


def test_a_mapping_keeps_its_extra_keys_and_order(pusher: Pusher) -> None:
    user = {"z": 1, "user_info": {"when": datetime(2026, 1, 2, tzinfo=UTC)}, "user_id": "ü", "a": None}
    authorization = pusher.authorize_channel("1.1", "presence-x", user)
    text = '{"z":1,"user_info":{"when":"2026-01-02T00:00:00+00:00"},"user_id":"ü","a":null}'
    assert authorization.channel_data == text
    assert authorization.auth == signature(f"1.1:presence-x:{text}")


def test_presence_without_a_user_needs_signed_in(pusher: Pusher) -> None:
    with pytest.raises(InvalidArgumentError, match="^user: .*signed_in=True"):
        pusher.authorize_channel("1.1", "presence-x")
    authorization = pusher.authorize_channel("1.1", "presence-x", signed_in=True)
    assert authorization.to_dict() == {"auth": signature("1.1:presence-x")}
    with_user = pusher.authorize_channel("1.1", "presence-x", {"user_id": "1"}, signed_in=True)
    assert with_user.channel_data == '{"user_id":"1"}'


@pytest.mark.parametrize("signed_in", ["no", 1, None])
def test_signed_in_is_true_or_false(pusher: Pusher, signed_in: bool) -> None:
    with pytest.raises(InvalidArgumentError, match="^signed_in: "):
        pusher.authorize_channel("1.1", "presence-x", signed_in=signed_in)


@pytest.mark.parametrize("channel", ["private-x", "private-encrypted-x"])
def test_a_user_on_another_kind_of_channel_is_refused(pusher: Pusher, channel: str) -> None:
    with pytest.raises(InvalidArgumentError, match="^user: "):
        pusher.authorize_channel("1.1", channel, {"user_id": "1"})


@pytest.mark.parametrize("channel", ["public", "cache-x", "Private-x", "privatex", "#server-to-user-1"])
def test_a_channel_that_needs_no_authorization_is_refused(pusher: Pusher, channel: str) -> None:
    with pytest.raises(InvalidArgumentError, match="^channel_name: "):
        pusher.authorize_channel("1.1", channel)


@pytest.mark.parametrize(
    "channel",
    [
        ':user::{"id":"12345"}',
        'private-x:user::{"id":"1"}',
        'presence-foobar:{"user_id":"10","user_info":{"name":"Mr. Pusher"}}',
        "private-x\n",
        "private-ü",
        "private-" + "x" * 193,
        "",
        None,
        7,
        b"private-x",
    ],
)
def test_a_channel_name_cannot_forge_another_token(pusher: Pusher, channel: object) -> None:
    for signed_in in (False, True):
        with pytest.raises(InvalidArgumentError, match="^channel_name: ") as caught:
            pusher.authorize_channel("1234.1234", channel, signed_in=signed_in)  # type: ignore[arg-type]  # pyright: ignore
        assert "12345" not in str(caught.value)


@pytest.mark.parametrize(
    "socket_id", ["", "1", "1.", ".1", "1.1\n", "1.1:x", "٣.١", "1.1:private-x", None, 1.1, b"1.1", "1.1.1", "-1.1"]
)
def test_a_bad_socket_id_is_refused(pusher: Pusher, socket_id: object) -> None:
    with pytest.raises(InvalidArgumentError, match="^socket_id: "):
        pusher.authorize_channel(socket_id, "private-x")  # type: ignore[arg-type]  # pyright: ignore
    with pytest.raises(InvalidArgumentError, match="^socket_id: "):
        pusher.authenticate_user(socket_id, {"id": "1"})  # type: ignore[arg-type]  # pyright: ignore


def test_longest_names(pusher: Pusher) -> None:
    assert pusher.authorize_channel("1.1", "private-" + "x" * 192).auth


@pytest.mark.parametrize(
    ("user", "argument"),
    [
        ({}, "user.user_id"),
        ({"user_id": ""}, "user.user_id"),
        ({"user_id": "x" * 129}, "user.user_id"),
        ({"user_id": 2**53}, "user.user_id"),
        ({"user_id": -(2**53)}, "user.user_id"),
        ({"user_id": True}, "user.user_id"),
        ({"user_id": 1.5}, "user.user_id"),
        ({"user_id": None}, "user.user_id"),
        ({"user_id": ["1"]}, "user.user_id"),
        ({"user_id": "1", "user_info": "text"}, "user.user_info"),
        ({"user_id": "1", "user_info": {"x": "y" * 1024}}, "user"),
        ({"user_id": "1", "user_info": {"x": float("nan")}}, "user"),
        ({"user_id": "1", "user_info": {"x": "\ud800"}}, "user"),
        ({"user_id": "1", "user_info": {"x": datetime(2026, 1, 1)}}, "user"),
        ({"user_id": "1", "user_info": {"x": object()}}, "user"),
        ("user", "user"),
        (["user_id"], "user"),
        (7, "user"),
    ],
)
def test_a_bad_presence_user_is_refused(pusher: Pusher, user: object, argument: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pusher.authorize_channel("1.1", "presence-x", user)  # type: ignore[arg-type]  # pyright: ignore
    assert caught.value.argument == argument


@pytest.mark.parametrize("user_id", ["x" * 128, "any characters ü", 0, 2**53 - 1, -1])
def test_good_presence_user_ids(pusher: Pusher, user_id: str | int) -> None:
    assert pusher.authorize_channel("1.1", "presence-x", {"user_id": user_id}).channel_data


def test_presence_user_of_exactly_1024_bytes(pusher: Pusher) -> None:
    empty = len('{"user_id":"1","user_info":{"x":""}}')
    user = {"user_id": "1", "user_info": {"x": "y" * (1024 - empty)}}
    authorization = pusher.authorize_channel("1.1", "presence-x", user)
    assert len((authorization.channel_data or "").encode()) == 1024


def test_authenticate_user(pusher: Pusher) -> None:
    authentication = pusher.authenticate_user("1234.1234", {"id": "12345"})
    assert authentication.to_dict() == {
        "auth": f"{KEY}:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba",
        "user_data": '{"id":"12345"}',
    }
    assert pusher.authenticate_user("1234.1234", SigninUser(id="12345")) == authentication


def test_authenticate_user_with_a_watchlist(pusher: Pusher) -> None:
    user = {"id": "u1", "user_info": {"name": "Ada"}, "watchlist": ["u2", "u3"], "extra": 1}
    authentication = pusher.authenticate_user("1.1", user)
    assert json.loads(authentication.user_data) == user
    model = SigninUser(id="u1", user_info={"name": "Ada"}, watchlist=["u2", "u3"])
    assert json.loads(pusher.authenticate_user("1.1", model).user_data) == {
        "id": "u1",
        "user_info": {"name": "Ada"},
        "watchlist": ["u2", "u3"],
    }


@pytest.mark.parametrize(
    ("user", "argument"),
    [
        ({}, "user.id"),
        ({"id": ""}, "user.id"),
        ({"id": 7}, "user.id"),
        ({"id": "a b"}, "user.id"),
        ({"id": "ü"}, "user.id"),
        ({"id": ".."}, "user.id"),
        ({"id": "x" * 201}, "user.id"),
        ({"id": "1", "watchlist": ["x"] * 101}, "user.watchlist"),
        ({"id": "1", "watchlist": ["ok", "not ok"]}, "user.watchlist[1]"),
        ({"id": "1", "watchlist": "u2"}, "user.watchlist"),
        ({"id": "1", "user_info": []}, "user.user_info"),
        (None, "user"),
        ("1", "user"),
    ],
)
def test_a_bad_signin_user_is_refused(pusher: Pusher, user: object, argument: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pusher.authenticate_user("1.1", user)  # type: ignore[arg-type]  # pyright: ignore
    assert caught.value.argument == argument


def test_forms_of_the_browser_client(pusher: Pusher) -> None:
    form = b"socket_id=1234.1234&channel_name=private-foobar&extra=%C3%BC"
    assert pusher.authorize_channel_form(form) == pusher.authorize_channel("1234.1234", "private-foobar")
    assert pusher.authorize_channel_form(form.decode()) == pusher.authorize_channel("1234.1234", "private-foobar")
    presence = pusher.authorize_channel_form("socket_id=1.1&channel_name=presence-a%40b", {"user_id": "1"})
    assert presence == pusher.authorize_channel("1.1", "presence-a@b", {"user_id": "1"})
    assert pusher.authorize_channel_form("socket_id=1.1&channel_name=presence-x", signed_in=True).channel_data is None
    signin = pusher.authenticate_user_form(b"socket_id=1.1", {"id": "7"})
    assert signin == pusher.authenticate_user("1.1", {"id": "7"})


@pytest.mark.parametrize(
    ("body", "argument"),
    [
        (b"", "socket_id"),
        (b"channel_name=private-x", "socket_id"),
        (b"socket_id=1.1", "channel_name"),
        (b"socket_id=1.1&socket_id=2.2&channel_name=private-x", "socket_id"),
        (b"socket_id=1.1&channel_name=private-x&channel_name=private-y", "channel_name"),
        (b"socket_id=&channel_name=private-x", "socket_id"),
        (b"\xff\xfe", "body"),
        (b"socket_id=%FF&channel_name=private-x", "body"),
        ("socket_id=%ff&channel_name=private-x", "body"),
        (b"&".join([b"a=1"] * 1000), "body"),
        (b'{"socket_id":"1.1"}', "socket_id"),
        (None, "body"),
        (7, "body"),
    ],
)
def test_a_bad_form_is_refused(pusher: Pusher, body: object, argument: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pusher.authorize_channel_form(body)  # type: ignore[arg-type]  # pyright: ignore
    assert caught.value.argument == argument


def test_json_encoder_replaces_the_rules(pusher: Pusher) -> None:
    spaced = Pusher(APP_ID, KEY, SECRET, json_encoder=lambda value: json.dumps(value, sort_keys=True))
    authorization = spaced.authorize_channel("1.1", "presence-x", {"user_id": "1", "a": 1})
    assert authorization.channel_data == '{"a": 1, "user_id": "1"}'
    assert authorization.auth == signature('1.1:presence-x:{"a": 1, "user_id": "1"}')
