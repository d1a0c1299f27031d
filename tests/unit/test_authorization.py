"""Channel authorization and user authentication."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType

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


def message_of(call: Callable[[], object]) -> str:
    with pytest.raises(InvalidArgumentError) as caught:
        call()
    return str(caught.value)


def test_a_refused_channel_is_told_its_rule(pusher: Pusher) -> None:
    user = {"user_id": "1"}
    assert message_of(lambda: pusher.authorize_channel("1.1", "public")) == (
        "channel_name: must begin with private- or presence-: other channels need no authorization"
    )
    assert message_of(lambda: pusher.authorize_channel("1.1", "public", user)) == (
        "channel_name: must begin with private- or presence-: other channels need no authorization"
    )
    assert message_of(lambda: pusher.authorize_channel("1.1", "private-x", user)) == (
        "user: is for presence channels only"
    )
    assert message_of(lambda: pusher.authorize_channel("1.1", "private-x", user, signed_in=True)) == (
        "user: is for presence channels only"
    )
    assert message_of(lambda: pusher.authorize_channel("1.1", "presence-x")) == (
        "user: is needed for a presence channel, unless signed_in=True says that the connection has signed in"
    )
    assert message_of(
        lambda: pusher.authorize_channel("1.1", "presence-x", signed_in=1)  # type: ignore[arg-type]  # pyright: ignore
    ) == ("signed_in: must be True or False")


@pytest.mark.parametrize("user", ["user", b"user", '{"user_id":"1","id":"1"}', ["user_id"], 7])
def test_a_user_that_is_no_object_is_told_its_rule(pusher: Pusher, user: object) -> None:
    def authorize() -> object:
        return pusher.authorize_channel("1.1", "presence-x", user)  # type: ignore[arg-type]  # pyright: ignore

    def authenticate() -> object:
        return pusher.authenticate_user("1.1", user)  # type: ignore[arg-type]  # pyright: ignore

    assert message_of(authorize) == "user: must be a mapping or a PresenceUser"
    assert message_of(authenticate) == "user: must be a mapping or a SigninUser"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "user: json_encoder must return JSON"),
        ("", "user: json_encoder must return JSON"),
        ("[" * 100_000, "user: json_encoder must return JSON"),
        ("[]", "user: must be a mapping or a PresenceUser"),
    ],
)
def test_a_json_encoder_must_return_the_json_of_an_object(text: str, message: str) -> None:
    def encoder(_value: object) -> str:
        return text

    pusher = Pusher(APP_ID, KEY, SECRET, json_encoder=encoder)
    assert message_of(lambda: pusher.authorize_channel("1.1", "presence-x", {"user_id": "1"})) == message


def test_what_is_checked_is_what_the_json_encoder_returns() -> None:
    def encoder(_value: object) -> str:
        return '{"user_id":""}'

    pusher = Pusher(APP_ID, KEY, SECRET, json_encoder=encoder)
    message = message_of(lambda: pusher.authorize_channel("1.1", "presence-x", {"user_id": "1"}))
    assert message.startswith("user.user_id: ")


def test_an_error_about_a_user_shows_no_other_error(pusher: Pusher) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        pusher.authorize_channel("1.1", "presence-x", {"user_id": ""})
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_presence_without_a_user_has_no_channel_data_and_no_key(pusher: Pusher) -> None:
    authorization = pusher.authorize_channel("1.1", "presence-x", signed_in=True)
    assert authorization.channel_data is None
    assert authorization.shared_secret is None
    assert pusher.authorize_channel("1.1", "presence-x", {"user_id": "1"}).shared_secret is None


def test_the_prefix_of_a_presence_channel_wins_over_what_follows(pusher: Pusher) -> None:
    channel = "presence-private-encrypted-x"
    authorization = pusher.authorize_channel("1.1", channel, {"user_id": "1"})
    assert authorization.to_dict() == {
        "auth": signature(f'1.1:{channel}:{{"user_id":"1"}}'),
        "channel_data": '{"user_id":"1"}',
    }


def test_the_socket_id_is_signed_as_given(pusher: Pusher) -> None:
    assert pusher.authenticate_user("12.34", {"id": "7"}).auth == signature('12.34::user::{"id":"7"}')


def test_a_bad_form_is_told_its_rule(pusher: Pusher) -> None:
    rule = "must be an application/x-www-form-urlencoded form in UTF-8, as bytes or str"
    for body in (b"\xff", "socket_id=%FF", "ü".encode(), None):
        assert message_of(lambda body=body: pusher.authorize_channel_form(body)) == f"body: {rule}"  # type: ignore[misc]  # pyright: ignore
    once = "must stand in the form exactly once"
    assert message_of(lambda: pusher.authorize_channel_form("channel_name=private-x")) == f"socket_id: {once}"
    assert message_of(lambda: pusher.authorize_channel_form("socket_id=1.1")) == f"channel_name: {once}"


def test_a_form_has_at_most_100_fields(pusher: Pusher) -> None:
    form = "socket_id=1.1&channel_name=private-x" + "&a=1" * 98
    assert pusher.authorize_channel_form(form) == pusher.authorize_channel("1.1", "private-x")
    assert message_of(lambda: pusher.authorize_channel_form(form + "&a=1")).startswith("body: ")


def test_an_empty_field_of_a_form_still_stands_in_it(pusher: Pusher) -> None:
    message = message_of(lambda: pusher.authorize_channel_form("socket_id=1.1&socket_id=&channel_name=private-x"))
    assert message == "socket_id: must stand in the form exactly once"


def test_a_user_that_has_no_json_is_named(pusher: Pusher) -> None:
    for user in (
        {"id": "u", "user_info": {"a": object()}},
        MappingProxyType({"id": "u", "user_info": {"a": object()}}),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            pusher.authenticate_user("1.1", user)
        assert caught.value.argument == "user"
