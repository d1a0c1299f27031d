"""Our output beside that of the official npm library: the same bytes, or a comment on who is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pusher_channels import (
    Event,
    InvalidArgumentError,
    InvalidSignatureError,
    Pusher,
    StaleWebhookError,
    UnknownKeyError,
)
from pusher_channels.signing import sign_request
from tests.peers.calls import CALLS, DATA, ODD, Call
from tests.peers.conftest import Npm
from tests.peers.harness import Backend
from tests.peers.support import APP_ID, KEY, MASTER_KEY, SECRET, Sdk, check_signature, event_from, webhook_of

ENCRYPTED = "private-encrypted-odd_=@,.;Z9"


@pytest.fixture
def pusher() -> Pusher:
    return Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY)


# Signatures


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/apps/3/channels", {}, None),
        ("GET", "/apps/3/channels", {"filter_by_prefix": "presence-", "info": "user_count,subscription_count"}, None),
        ("GET", f"/apps/3/channels/{ODD}/users", {}, None),
        ("POST", "/apps/3/events", {}, {"name": "foo", "channels": ["project-3"], "data": '{"some":"data"}'}),
        ("POST", "/apps/3/events", {}, {"name": "grüße", "channels": [ODD], "data": "世界 🎉"}),
        ("POST", "/apps/3/users/a@b,c/terminate_connections", {}, {}),
        ("GET", "/apps/3/channels", {"zeta": "last", "alpha": "a b+c%2Cd/é", "auth_z": "1"}, None),
    ],
)
def test_a_signed_query_is_equal(npm: Npm, method: str, path: str, query: dict[str, str], body: Any) -> None:
    text = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    theirs = npm("sign", method=method, path=path, params=query, body=text, timestamp=1353088179)
    signed = sign_request(method, path, query, text, key=KEY, secret=SECRET, timestamp=1353088179)
    # The library leaves the values unescaped, also when it sends them.
    *others, signature = theirs.split("&")
    assert [*others, signature] == [
        *(f"{name}={signed[name]}" for name in sorted(signed) if name != "auth_signature"),
        f"auth_signature={signed['auth_signature']}",
    ]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_request_is_equal(npm: Npm, ours: Sdk, capture: Backend, call: Call) -> None:
    method, values = call.npm
    theirs = capture.received_from(lambda: npm.method(method, *values))
    mine = capture.received_from(lambda: call.ours(ours))
    assert (mine.method, mine.path) == (theirs.method, theirs.path)
    assert check_signature(mine) == check_signature(theirs)
    if mine.method == "POST":
        # The order of the fields is each library's own; the data inside is text, and the same to the byte.
        assert mine.json == theirs.json
        assert mine.headers["content-type"] == theirs.headers["content-type"] == "application/json"
    else:
        assert mine.body == theirs.body == b""


# Authorization: the signed text is JSON, which JSON.stringify writes as we do


@pytest.mark.parametrize(
    "channel", ["private-a", f"private-{ODD}", ENCRYPTED, "private-cache-a", "private-" + "x" * 192]
)
def test_a_channel_authorization_is_equal(npm: Npm, pusher: Pusher, channel: str) -> None:
    assert pusher.authorize_channel("1234.5678", channel).to_dict() == npm.method(
        "authorizeChannel", "1234.5678", channel
    )


@pytest.mark.parametrize(
    "user",
    [
        {"user_id": "ann"},
        {"user_id": 42, "user_info": {"name": 'Ä "quoted" \\ / \n 世界 🎉', "empty": {}, "none": None}},
        {"user_info": {"first": 1}, "user_id": "order-kept", "extra": [True]},
    ],
)
def test_a_presence_authorization_is_equal(npm: Npm, pusher: Pusher, user: dict[str, Any]) -> None:
    theirs = npm.method("authorizeChannel", "1.2", "presence-a", user)
    assert pusher.authorize_channel("1.2", "presence-a", user).to_dict() == theirs


@pytest.mark.parametrize(
    "user",
    [{"id": "ann"}, {"id": "a@b;c", "user_info": {"name": "世界 🎉"}, "watchlist": ["bob", "cid"], "extra": 1}],
)
def test_a_user_authentication_is_equal(npm: Npm, pusher: Pusher, user: dict[str, Any]) -> None:
    assert pusher.authenticate_user("1.2", user).to_dict() == npm.method("authenticateUser", "1.2", user)


def test_the_library_signs_what_needs_no_signature(npm: Npm, pusher: Pusher) -> None:
    # Wrong there: a public channel has no authorization, and a presence channel none without a user.
    assert npm.method("authorizeChannel", "1.2", "public")["auth"]
    assert npm.method("authorizeChannel", "1.2", "presence-a")["auth"]
    for channel in ("public", "presence-a"):
        with pytest.raises(InvalidArgumentError):
            pusher.authorize_channel("1.2", channel)


# Encryption


@pytest.mark.parametrize("data", [DATA, [1, "two"], 5, None])
def test_each_decrypts_the_other(npm: Npm, ours: Sdk, capture: Backend, data: Any) -> None:
    theirs = capture.received_from(lambda: npm.method("trigger", ENCRYPTED, "e", data)).json
    mine = capture.received_from(lambda: ours.trigger(ENCRYPTED, "e", data)).json
    plaintext = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    assert event_from(theirs["data"], ENCRYPTED, ours.local).data == plaintext
    assert npm("open", channel=ENCRYPTED, data=mine["data"]) == plaintext
    # The nonce is random; with the same one the box is the same to the byte.
    nonce = json.loads(mine["data"])["nonce"]
    assert npm("seal", channel=ENCRYPTED, text=plaintext, nonce=nonce) == mine["data"]


def test_a_batch_is_encrypted_alike(npm: Npm, ours: Sdk, capture: Backend) -> None:
    events = [{"channel": ENCRYPTED, "name": "e", "data": DATA}, {"channel": "a", "name": "e", "data": DATA}]
    theirs = capture.received_from(lambda: npm.method("triggerBatch", events)).json["batch"]
    batch = [Event(str(event["channel"]), str(event["name"]), event["data"]) for event in events]
    mine = capture.received_from(lambda: ours.trigger_batch(batch)).json["batch"]
    assert event_from(theirs[0]["data"], ENCRYPTED, ours.local).data == mine[1]["data"] == theirs[1]["data"]
    assert npm("open", channel=ENCRYPTED, data=mine[0]["data"]) == mine[1]["data"]


def test_the_library_encrypts_a_str_in_json_quotes(npm: Npm, ours: Sdk, capture: Backend) -> None:
    theirs = capture.received_from(lambda: npm.method("trigger", ENCRYPTED, "e", "text")).json
    mine = capture.received_from(lambda: ours.trigger(ENCRYPTED, "e", "text")).json
    # Wrong there: a str is sent as it is on every other channel, and by the other libraries on this one.
    assert event_from(theirs["data"], ENCRYPTED, ours.local).data == '"text"'
    assert npm("open", channel=ENCRYPTED, data=mine["data"]) == "text"


# Webhooks

OCCUPIED: dict[str, object] = {"name": "channel_occupied", "channel": "grüße"}


def test_a_webhook_is_judged_alike(npm: Npm, pusher: Pusher) -> None:
    headers, body = webhook_of([OCCUPIED])
    theirs = npm("webhook", headers=headers, body=body.decode(), tokens=[])
    assert theirs == {"valid": True, "events": [OCCUPIED]}
    assert [event.to_dict() for event in pusher.webhook(headers, body).events] == theirs["events"]

    other_headers, other_body = webhook_of([OCCUPIED], secret="other")
    other_headers["x-pusher-key"] = "other key"
    assert not npm("webhook", headers=other_headers, body=other_body.decode(), tokens=[])["valid"]
    tokens = [{"key": "other key", "secret": "other"}]
    assert npm("webhook", headers=other_headers, body=other_body.decode(), tokens=tokens)["valid"]
    assert pusher.webhook(other_headers, other_body, tokens={"other key": "other"}).events
    with pytest.raises(UnknownKeyError):
        pusher.webhook(other_headers, other_body)

    forged = body.replace(b"occupied", b"vacated")
    assert not npm("webhook", headers=headers, body=forged.decode(), tokens=[])["valid"]
    with pytest.raises(InvalidSignatureError):
        pusher.webhook(headers, forged)


def test_the_library_takes_an_old_webhook(npm: Npm, pusher: Pusher) -> None:
    headers, body = webhook_of([OCCUPIED], age=7 * 86400)
    # Wrong there: whoever recorded a webhook can send it again for ever.
    assert npm("webhook", headers=headers, body=body.decode(), tokens=[])["valid"]
    with pytest.raises(StaleWebhookError):
        pusher.webhook(headers, body)


def test_the_library_refuses_a_content_type_with_a_charset(npm: Npm, pusher: Pusher) -> None:
    headers, body = webhook_of([OCCUPIED])
    headers["content-type"] = "application/json; charset=utf-8"
    # Wrong there: it is the same type, and proxies add the charset.
    assert not npm("webhook", headers=headers, body=body.decode(), tokens=[])["valid"]
    assert pusher.webhook(headers, body).events


# Limits


def test_the_library_sends_what_the_server_refuses(npm: Npm, ours: Sdk, capture: Backend) -> None:
    # Wrong there: the limits are known, so the request is a wasted one.
    big = "x" * 10_241
    assert capture.received_from(lambda: npm.method("trigger", "a", "e", big)).json["data"] == big
    with pytest.raises(InvalidArgumentError):
        ours.trigger("a", "e", big)

    events = [{"channel": "a", "name": "e", "data": "x"}] * 11
    assert len(capture.received_from(lambda: npm.method("triggerBatch", events)).json["batch"]) == 11
    with pytest.raises(InvalidArgumentError):
        ours.trigger_batch([Event("a", "e", "x")] * 11)

    sent = capture.received_from(lambda: npm.method("sendToUser", "not a user id", "e", "x"))
    assert sent.json["channels"] == ["#server-to-user-not a user id"]
    with pytest.raises(InvalidArgumentError):
        ours.send_to_user("not a user id", "e", "x")
