"""What the official libraries do wrong, one test for each mistake: that we do it right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeVar

import pytest

from pusher_channels import (
    ChannelAuthorization,
    ChannelOccupied,
    ConfigurationError,
    EncryptionError,
    Event,
    InvalidArgumentError,
    InvalidSignatureError,
    InvalidWebhookBodyError,
    PusherError,
    ResponseDecodeError,
    UserAuthentication,
    Webhook,
)
from pusher_channels_rest.models import BatchEvent

from .keys import OPTION
from .run_answers import check_refused_connection, check_status
from .run_encryption import client_event
from .support import (
    APP_ID,
    BY_ID,
    KEY,
    MASTER_KEY,
    SECRET,
    SOCKET_ID,
    Answer,
    Case,
    Fields,
    Session,
    Setup,
    Twin,
    as_int,
    as_list,
    as_object,
    as_text,
    compact,
    is_sealed,
    refused,
    sha256_hmac,
    texts,
    webhook_headers,
)

ENCRYPTED = "private-encrypted-x"
TESTED_DEFECTS: dict[str, str] = {}

TestT = TypeVar("TestT", bound=Callable[..., None])


def defect(*ids: str) -> Callable[[TestT], TestT]:
    """Run the test for these vectors of the kind peer_defect, on both clients."""

    def mark(test: TestT) -> TestT:
        TESTED_DEFECTS.update(dict.fromkeys(ids, test.__name__))
        by_vector = pytest.mark.parametrize("inputs", [Fields(BY_ID[name].inputs) for name in ids], ids=ids)
        by_twin = pytest.mark.parametrize("twin", Twin, ids=lambda twin: twin.value)
        marked: TestT = by_twin(by_vector(test))
        return marked

    return mark


# Authorization


@defect("v467")
def test_channel_authorization_cannot_forge_a_user_token(twin: Twin, inputs: Fields) -> None:
    key, secret, socket_id = inputs.text("key"), inputs.text("secret"), inputs.text("socket_id")
    channel = inputs.text("channel")
    session = Session(twin, APP_ID, key, secret)
    user = json.loads(channel.removeprefix(":user::"))
    token = session.call("authenticate_user", socket_id, user)
    assert isinstance(token, UserAuthentication)
    assert (
        token.auth == f"{key}:{sha256_hmac(secret, f'{socket_id}:{channel}')}"
    )  # what a peer hands out for the channel
    for name in (channel, f"private-{channel}", f"presence-{channel}", f"private-encrypted-{channel}"):
        for member in (None, {"user_id": "1"}):
            with refused(InvalidArgumentError, "channel_name", channel):
                session.call("authorize_channel", socket_id, name, member)
    for forged in (f"{socket_id}:", f"{socket_id}:user:", f"{socket_id}::user::{{}}"):
        with refused(InvalidArgumentError, "socket_id"):
            session.call("authorize_channel", forged, "private-x")


@defect("v468")
def test_channel_authorization_cannot_forge_a_presence_member(twin: Twin, inputs: Fields) -> None:
    session = Session(twin, APP_ID, inputs.text("key"), inputs.text("secret"))
    channel = inputs.text("channel")
    for user in (None, {"user_id": "10"}):
        with refused(InvalidArgumentError, "channel_name", channel):
            session.call("authorize_channel", inputs["socket_id"], channel, user)
    with refused(InvalidArgumentError, "channel_name", channel):
        session.call("authorize_channel", inputs["socket_id"], channel, signed_in=True)


@defect("v487")
def test_an_empty_channel_name_is_not_signed(twin: Twin, inputs: Fields) -> None:
    with refused(InvalidArgumentError, "channel_name"):
        Session(twin).call("authorize_channel", inputs["socket_id"], inputs["channel"])


@defect("v508")
def test_presence_needs_a_user_unless_signed_in(twin: Twin, inputs: Fields) -> None:
    session, channel = Session(twin), inputs.text("channel")
    with refused(InvalidArgumentError, "user"):
        session.call("authorize_channel", SOCKET_ID, channel, inputs["custom_data"])
    with refused(InvalidArgumentError, "user.user_id"):  # an empty mapping is no user either
        session.call("authorize_channel", SOCKET_ID, channel, {})
    allowed = session.call("authorize_channel", SOCKET_ID, channel, signed_in=True)
    assert isinstance(allowed, ChannelAuthorization)
    assert allowed.to_dict() == {"auth": f"{KEY}:{sha256_hmac(SECRET, f'{SOCKET_ID}:{channel}')}"}


@defect("v488")
def test_user_data_has_text_keys(twin: Twin, inputs: Fields) -> None:
    result = Session(twin).call("authenticate_user", SOCKET_ID, inputs["user_data"])
    assert isinstance(result, UserAuthentication)
    assert json.loads(result.user_data) == inputs["user_data"]


@defect("v489")
def test_the_authorization_of_an_encrypted_channel_is_json(twin: Twin, inputs: Fields) -> None:
    session = Session(twin, encryption_master_key_base64=MASTER_KEY)
    result = session.call("authorize_channel", SOCKET_ID, inputs["channel"])
    assert isinstance(result, ChannelAuthorization)
    assert sorted(json.loads(json.dumps(result.to_dict()))) == ["auth", "shared_secret"]


# Encryption


@defect("v484", "v524")
def test_an_encrypted_channel_without_a_master_key_is_not_authorized(twin: Twin, inputs: Fields) -> None:
    if inputs["master_key"] is not None:
        with refused(ConfigurationError, OPTION):
            Session(twin, encryption_master_key_base64=inputs["master_key"])
    with refused(ConfigurationError, OPTION):
        Session(twin).call("authorize_channel", SOCKET_ID, inputs["channel"])


@defect("v485")
def test_a_short_master_key_is_refused(twin: Twin, inputs: Fields) -> None:
    with refused(ConfigurationError, OPTION, inputs["base64"]):
        Session(twin, encryption_master_key_base64=inputs["base64"])


@defect("v521")
def test_a_channel_key_is_the_hash_that_every_client_library_computes(twin: Twin, inputs: Fields) -> None:
    key, channel = inputs.text("master_key_base64"), inputs.text("channel")
    session = Session(twin, encryption_master_key_base64=key)
    result = session.call("authorize_channel", SOCKET_ID, channel)
    assert isinstance(result, ChannelAuthorization)
    assert result.shared_secret == BY_ID["v521"].expected["correct"]


@defect("v474")
def test_two_encrypted_channels_do_not_share_a_trigger(twin: Twin, inputs: Fields) -> None:
    session = Session(twin, encryption_master_key_base64=MASTER_KEY)
    with refused(InvalidArgumentError, "channels"):
        session.call("trigger", inputs["channels"], "event", inputs["data"])
    session.check_silent()


@defect("v498")
def test_a_batch_can_be_sent_again_because_nothing_in_it_is_changed(
    twin: Twin, inputs: Fields, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = map(as_object, as_list(inputs["batch"]))
    data = as_object(row["data"])
    before = dict(data)
    events = [Event(as_text(row["channel"]), as_text(row["name"]), data)]
    session = Session(twin, encryption_master_key_base64=MASTER_KEY)
    for _ in range(2):
        session.call("trigger_batch", events)
        (sent,) = map(as_object, as_list(session.sent().json["batch"]))
        case = Case(BY_ID["v498"], twin, monkeypatch)
        assert client_event(case, as_text(row["channel"]), MASTER_KEY, as_text(sent["data"])).data == compact(before)
    assert (events[0].data, data) == (data, before)


@defect("v500")
def test_no_option_sends_plaintext_to_an_encrypted_channel(twin: Twin, inputs: Fields) -> None:
    (row,) = map(as_object, as_list(inputs["batch"]))
    channel, name, data = (as_text(row[field]) for field in ("channel", "name", "data"))
    session = Session(twin, encryption_master_key_base64=MASTER_KEY)
    session.call("trigger_batch", [Event(channel, name, data)])
    (sent,) = map(as_object, as_list(session.sent().json["batch"]))
    assert is_sealed(sent["data"])
    with pytest.raises(TypeError):
        session.call("trigger_batch", [Event(channel, name, data)], already_encoded=inputs["already_encoded"])
    # The ways around the verbs: the generated operations, and any signed request.
    with refused(EncryptionError, None, data):
        session.call("events.trigger_batch", batch=[BatchEvent(channel=channel, name=name, data=data)])
    with refused(EncryptionError, None, data):
        session.call("events.trigger", name=name, data=data, channels=[channel])
    with refused(EncryptionError, None, data):
        session.call("request", "POST", "/batch_events", body={"batch": [row]})
    session.check_silent()


# Publishing


@defect("v476", "v483", "v494")
def test_an_empty_list_of_channels_is_refused(twin: Twin, inputs: Fields) -> None:
    session = Session(twin)
    with refused(InvalidArgumentError, "channels") as caught:
        session.call("trigger", inputs["channels"], "event", "data")
    assert isinstance(caught.value, ValueError)
    session.check_silent()


@defect("v486")
def test_a_trigger_is_checked_before_it_is_sent(twin: Twin, inputs: Fields) -> None:
    session = Session(twin)
    channels, name = texts(inputs["channels"]), "n" * as_int(inputs["event_len"])
    data, socket_id = "d" * as_int(inputs["data_len"]), inputs.text("socket_id")
    with refused(InvalidArgumentError, "channels[0]", channels):
        session.call("trigger", channels, "event", "data")
    with refused(InvalidArgumentError, "event_name", name):
        session.call("trigger", "channel", name, "data")
    with refused(InvalidArgumentError, "data", data):
        session.call("trigger", "channel", "event", data)
    with refused(InvalidArgumentError, "socket_id", socket_id):
        session.call("trigger", "channel", "event", "data", socket_id=socket_id)
    with pytest.raises(InvalidArgumentError):
        session.call("trigger", channels, name, data, socket_id=socket_id)
    session.check_silent()


@defect("v496")
def test_a_batch_event_may_have_all_the_bytes_that_the_api_takes(twin: Twin, inputs: Fields) -> None:
    session = Session(twin)
    for size in (as_int(inputs["data_bytes"]), 10240):
        session.call("trigger_batch", [Event("channel", "event", "x" * size)])
        session.sent()


@defect("v499")
def test_the_socket_id_of_a_batch_event_is_checked(twin: Twin, inputs: Fields) -> None:
    session, socket_id = Session(twin), inputs.text("socket_id")
    with refused(InvalidArgumentError, "events[0].socket_id", socket_id):
        session.call("trigger_batch", [Event("channel", "event", "data", socket_id=socket_id)])
    session.check_silent()


# Configuration


@defect("v480")
def test_a_url_may_have_a_colon_in_the_secret_and_a_name_as_app_id(twin: Twin, inputs: Fields) -> None:
    session = Session(Setup(twin, maker="from_url"), inputs["url"])
    session.call("trigger", "channel", "event", "data")
    sent = session.sent("key", "a:b")
    assert (sent.base_url, sent.path) == ("https://h", "/apps/abc/events")


@defect("v491")
def test_a_url_may_have_a_port(twin: Twin, inputs: Fields) -> None:
    session = Session(Setup(twin, maker="from_url"), inputs["url"])
    session.call("trigger", "channel", "event", "data")
    sent = session.sent("k", "s")
    assert (sent.url.host, sent.url.port) == ("127.0.0.1", 36323)
    assert sent.headers["host"] == "127.0.0.1:36323"


# Webhooks


def _receive(twin: Twin, headers: dict[str, object], body: str, **options: object) -> Webhook:
    result = Session(twin, **options).call("webhook", headers, body.encode(), max_age=None)
    assert isinstance(result, Webhook)
    return result


def _signed(body: str) -> dict[str, object]:
    return {**webhook_headers(body.encode())}


@defect("v469", "v470", "v471")
def test_a_webhook_event_without_data_on_an_encrypted_channel_is_delivered(twin: Twin, inputs: Fields) -> None:
    body = inputs.text("body")
    choices: list[dict[str, object]] = [{"encryption_master_key_base64": MASTER_KEY}, {}]
    for options in choices:
        (event,) = _receive(twin, _signed(body), body, **options).events
        assert event == ChannelOccupied(channel=ENCRYPTED)


@defect("v503", "v504")
def test_a_strange_or_missing_webhook_signature_is_invalid(twin: Twin, inputs: Fields) -> None:
    signature = inputs["signature"]
    given: list[dict[str, object]] = [{"X-Pusher-Key": KEY, "X-Pusher-Signature": signature}, {"X-Pusher-Key": KEY}]
    for headers in given:
        with refused(InvalidSignatureError, None, signature):
            _receive(twin, headers, '{"time_ms":1}')


@defect("v506", "v507")
def test_a_signed_body_that_is_no_webhook_is_a_webhook_error(twin: Twin, inputs: Fields) -> None:
    body = inputs.text("body")
    with refused(InvalidWebhookBodyError, None, body):
        _receive(twin, _signed(body), body)


# Answers


@defect("v512")
def test_a_success_that_is_not_json_is_an_error_of_ours(twin: Twin, inputs: Fields) -> None:
    session = Session(Setup(twin, Answer(as_int(inputs["status"]), inputs.text("body"))))
    with refused(ResponseDecodeError, None) as caught:
        session.call("trigger", "channel", "event", "data")
    assert isinstance(caught.value, PusherError)
    assert isinstance(caught.value, ResponseDecodeError)
    assert caught.value.request.url


@defect("v513")
def test_any_2xx_is_a_success(twin: Twin, inputs: Fields) -> None:
    for status in (as_int(inputs["status"]), 202, 299):
        check_status(twin, status, "{}")


@defect("v515", "v516", "v517", "v519")
def test_an_error_status_is_a_typed_error_with_status_and_body(twin: Twin, inputs: Fields) -> None:
    check_status(twin, as_int(inputs["status"]), "why it failed")


@defect("v522")
def test_an_error_body_need_not_be_json(twin: Twin, inputs: Fields) -> None:
    check_status(twin, as_int(inputs["status"]), inputs.text("body"))


@defect("v520")
def test_a_network_failure_does_not_leak_the_signature(twin: Twin, inputs: Fields) -> None:
    assert inputs["fault"] == "connection refused"
    check_refused_connection(twin)
