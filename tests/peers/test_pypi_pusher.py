"""Our output beside that of the official PyPI library, which we replace: equal bytes, or a comment on who is wrong."""

from __future__ import annotations

import base64
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
from tests.peers.harness import Backend
from tests.peers.support import (
    APP_ID,
    KEY,
    MASTER_KEY,
    SECRET,
    Sdk,
    check_signature,
    event_from,
    pypi,
    raw_query,
    webhook_of,
)

ENCRYPTED = "private-encrypted-odd_=@,.;Z9"
EMPTY_MD5 = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture(scope="module")
def theirs(capture: Backend) -> Any:
    library = pypi("pusher")
    options = {"host": "127.0.0.1", "port": capture.port, "ssl": False}
    return library.Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY, **options)


@pytest.fixture
def pusher() -> Pusher:
    return Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY)


@pytest.fixture
def spaced() -> Pusher:
    """Our client with the PyPI library's own way to write JSON: spaces, and non-ASCII escaped."""
    return Pusher(APP_ID, KEY, SECRET, json_encoder=json.dumps)


# Signatures


def their_request(method: str, path: str, parameters: Any) -> Any:
    """A request of the library's own, signed and not sent."""
    client = pypi("pusher.pusher_client").PusherClient(APP_ID, KEY, SECRET)
    return pypi("pusher.http").Request(client, method, path, parameters)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/apps/3/events", {"name": "foo", "channels": ["project-3"], "data": '{"some":"data"}'}),
        ("/apps/3/events", {"name": "grüße", "channels": [ODD], "data": "世界 🎉"}),
        ("/apps/3/users/a@b,c/terminate_connections", {}),
    ],
)
def test_a_signed_post_is_equal(path: str, body: Any) -> None:
    request = their_request("POST", path, body)
    timestamp = int(request.query_params["auth_timestamp"])
    signed = sign_request("POST", path, None, request.body, key=KEY, secret=SECRET, timestamp=timestamp)
    assert signed == request.query_params


def test_the_library_signs_the_md5_of_nothing() -> None:
    query = {"info": "user_count,subscription_count", "filter_by_prefix": "presence-"}
    request = their_request("GET", "/apps/3/channels", dict(query))
    timestamp = int(request.query_params["auth_timestamp"])
    signed = sign_request("GET", "/apps/3/channels", query, None, key=KEY, secret=SECRET, timestamp=timestamp)
    # Wrong there: a GET has no body, and some servers (Laravel Reverb) refuse the request for it.
    assert request.query_params["body_md5"] == EMPTY_MD5
    assert "body_md5" not in signed
    assert signed.keys() == request.query_params.keys() - {"body_md5"}
    for name in signed.keys() - {"auth_signature"}:
        assert signed[name] == request.query_params[name]


@pytest.mark.parametrize("call", [call for call in CALLS if call.pypi], ids=lambda call: call.name)
def test_a_request_is_equal(theirs: Any, ours: Sdk, capture: Backend, call: Call) -> None:
    assert call.pypi is not None
    send = call.pypi
    sent = capture.received_from(lambda: send(theirs))
    mine = capture.received_from(lambda: call.ours(ours))
    assert (mine.method, mine.path) == (sent.method, sent.path)
    own = check_signature(mine)
    if mine.method == "POST":
        assert check_signature(sent) == own == {}
        # Objects are JSON on both sides, with other spaces.
        assert loaded(mine.json) == loaded(sent.json)
        assert mine.headers["content-type"] == sent.headers["content-type"] == "application/json"
    else:
        their_query = raw_query(sent.query)
        assert their_query.pop("body_md5") == EMPTY_MD5  # see above
        assert own == {name: value for name, value in their_query.items() if not name.startswith("auth_")}
        assert mine.body == sent.body == b""


def loaded(body: Any) -> Any:
    """The body with the data of its events read, where it is JSON."""
    for event in body.get("batch", [body]):
        if event.get("data", "").startswith(("{", "[")):
            event["data"] = json.loads(event["data"])
    return body


def test_the_library_terminates_at_a_wrong_path(theirs: Any, ours: Sdk, capture: Backend) -> None:
    sent = capture.received_from(lambda: theirs.terminate_user_connections("user@1"))
    mine = capture.received_from(lambda: ours.terminate_connections("user@1"))
    # Wrong there: no server has this path, so nobody is ever disconnected.
    assert sent.path == "/users/user@1/terminate_connections"
    assert mine.path == "/apps/3/users/user@1/terminate_connections"
    assert mine.body == sent.body == b"{}"
    check_signature(mine)


# Authorization


@pytest.mark.parametrize("channel", ["private-a", f"private-{ODD}", "private-cache-a", "private-" + "x" * 192])
def test_a_channel_authorization_is_equal(theirs: Any, pusher: Pusher, channel: str) -> None:
    assert pusher.authorize_channel("1234.5678", channel).to_dict() == theirs.authenticate(channel, "1234.5678")


USERS: list[dict[str, Any]] = [
    {"user_id": "ann"},
    {"user_id": 42, "user_info": {"name": 'Ä "quoted" \\ / \n 世界 🎉', "empty": {}, "none": None, "half": 0.5}},
    {"user_info": {"first": 1}, "user_id": "order-kept", "extra": [True]},
]


@pytest.mark.parametrize("user", USERS)
def test_a_presence_authorization_is_equal(theirs: Any, pusher: Pusher, spaced: Pusher, user: dict[str, Any]) -> None:
    expected = theirs.authenticate("presence-a", "1.2", user)
    assert spaced.authorize_channel("1.2", "presence-a", user).to_dict() == expected
    # By itself ours writes the same object shorter, and signs that.
    mine = pusher.authorize_channel("1.2", "presence-a", user).to_dict()
    assert json.loads(str(mine["channel_data"])) == json.loads(expected["channel_data"]) == user


@pytest.mark.parametrize("user", [{"id": "ann"}, {"id": "a@b;c", "user_info": {"name": "世界"}, "watchlist": ["bob"]}])
def test_a_user_authentication_is_equal(theirs: Any, spaced: Pusher, user: dict[str, Any]) -> None:
    assert spaced.authenticate_user("1.2", user).to_dict() == theirs.authenticate_user("1.2", user)


def test_the_library_gives_a_shared_secret_that_is_no_json(theirs: Any, pusher: Pusher) -> None:
    expected = theirs.authenticate(ENCRYPTED, "1.2")
    mine = pusher.authorize_channel("1.2", ENCRYPTED).to_dict()
    # Wrong there: bytes, so that the answer of the auth endpoint cannot be written.
    with pytest.raises(TypeError):
        json.dumps(expected)
    assert mine == {"auth": expected["auth"], "shared_secret": expected["shared_secret"].decode()}
    assert json.loads(json.dumps(mine)) == mine


def test_the_library_signs_for_digits_of_any_script(theirs: Any, pusher: Pusher) -> None:
    # Wrong there: its pattern is not an ASCII one.
    assert theirs.authenticate("private-a", "١.٢")["auth"]
    with pytest.raises(InvalidArgumentError):
        pusher.authorize_channel("١.٢", "private-a")


# Encryption


@pytest.mark.parametrize("data", [DATA, "text: 世界", "", "x" * 5000])
def test_each_decrypts_the_other(theirs: Any, ours: Sdk, capture: Backend, data: Any) -> None:
    sent = capture.received_from(lambda: theirs.trigger(ENCRYPTED, "e", data)).json
    mine = capture.received_from(lambda: ours.trigger(ENCRYPTED, "e", data)).json
    spaces, compact = (
        (data, data)
        if isinstance(data, str)
        else (json.dumps(data, ensure_ascii=False), json.dumps(data, ensure_ascii=False, separators=(",", ":")))
    )
    assert event_from(sent["data"], ENCRYPTED, ours.local).data == spaces
    assert opened(mine["data"]) == compact
    # The nonce is random; with the same one the box is the same to the byte.
    sealed = json.loads(mine["data"])
    nonce = base64.b64decode(sealed["nonce"])
    master_key = base64.b64decode(MASTER_KEY)
    assert pypi("pusher.crypto").encrypt(ENCRYPTED, compact, master_key, nonce=nonce) == sealed


def opened(data: str) -> str:
    """What a subscriber with the library's secret for the channel reads."""
    sealed = json.loads(data)
    secret = pypi("pusher.crypto").generate_shared_secret(ENCRYPTED.encode(), base64.b64decode(MASTER_KEY))
    box = pypi("nacl.secret").SecretBox(secret)
    return str(box.decrypt(base64.b64decode(sealed["ciphertext"]), base64.b64decode(sealed["nonce"])).decode())


def test_a_batch_is_encrypted_alike(theirs: Any, ours: Sdk, capture: Backend) -> None:
    events = [{"channel": ENCRYPTED, "name": "e", "data": "text"}, {"channel": "a", "name": "e", "data": "text"}]
    batch = [Event(**event) for event in events]
    mine = capture.received_from(lambda: ours.trigger_batch(batch)).json["batch"]
    assert opened(mine[0]["data"]) == mine[1]["data"] == "text"
    assert batch == [Event(**event) for event in events]

    sent = capture.received_from(lambda: theirs.trigger_batch(events)).json["batch"]
    assert event_from(sent[0]["data"], ENCRYPTED, ours.local).data == sent[1]["data"] == "text"
    # Wrong there: the caller's own list now holds the ciphertext, and sending it again encrypts it again.
    assert events[0]["data"] == sent[0]["data"]


# Webhooks

OCCUPIED: dict[str, object] = {"name": "channel_occupied", "channel": "grüße"}


def test_a_webhook_is_judged_alike(theirs: Any, pusher: Pusher) -> None:
    headers, body = webhook_of([OCCUPIED])
    signature = headers["x-pusher-signature"]
    assert theirs.validate_webhook(KEY, signature, body)["events"] == [OCCUPIED]
    assert [event.to_dict() for event in pusher.webhook(headers, body).events] == [OCCUPIED]

    forged = body.replace(b"occupied", b"vacated")
    assert theirs.validate_webhook(KEY, signature, forged) is None
    with pytest.raises(InvalidSignatureError):
        pusher.webhook(headers, forged)

    assert theirs.validate_webhook("other", signature, body) is None
    with pytest.raises(UnknownKeyError):
        pusher.webhook({**headers, "x-pusher-key": "other"}, body)

    headers, body = webhook_of([OCCUPIED], age=3600)
    assert theirs.validate_webhook(KEY, headers["x-pusher-signature"], body) is None
    with pytest.raises(StaleWebhookError):
        pusher.webhook(headers, body)


def test_the_library_refuses_the_last_retries_of_a_webhook(theirs: Any, pusher: Pusher) -> None:
    headers, body = webhook_of([OCCUPIED], age=310)
    # Wrong there: Pusher tries for five minutes, and what arrives at the end of them is older than that.
    assert theirs.validate_webhook(KEY, headers["x-pusher-signature"], body) is None
    assert pusher.webhook(headers, body).events


# Limits


def test_the_library_measures_the_python_object(theirs: Any, ours: Sdk, capture: Backend) -> None:
    # Wrong there: sys.getsizeof is neither the characters nor the bytes, and a trigger may have three times too much.
    fits, long, longer = "x" * 10_240, "é" * 5_121, "x" * 30_000
    with pytest.raises(ValueError, match="Too much data"):
        theirs.trigger_batch([{"channel": "a", "name": "e", "data": fits}])
    ours.trigger_batch([Event("a", "e", fits)])

    assert capture.received_from(lambda: theirs.trigger_batch([{"channel": "a", "name": "e", "data": long}]))
    assert capture.received_from(lambda: theirs.trigger("a", "e", longer)).json["data"] == longer
    for data in (long, longer):
        with pytest.raises(InvalidArgumentError, match="10,?240"):
            ours.trigger("a", "e", data)
        with pytest.raises(InvalidArgumentError, match="10,?240"):
            ours.trigger_batch([Event("a", "e", data)])


def test_the_library_sends_batches_of_any_length(theirs: Any, ours: Sdk, capture: Backend) -> None:
    # Wrong there: the server refuses more than ten.
    events = [{"channel": "a", "name": "e", "data": "x"} for _ in range(11)]
    assert len(capture.received_from(lambda: theirs.trigger_batch(events)).json["batch"]) == 11
    with pytest.raises(InvalidArgumentError):
        ours.trigger_batch([Event("a", "e", "x")] * 11)


def test_the_library_takes_numbers_for_app_ids_only(pusher: Pusher) -> None:
    # Wrong there: other servers of the protocol have names for their apps.
    with pytest.raises(ValueError, match="Invalid app id"):
        pypi("pusher").Pusher("my-app", KEY, SECRET)
    assert Pusher("my-app", KEY, SECRET).authorize_channel("1.2", "private-a") == pusher.authorize_channel(
        "1.2", "private-a"
    )
