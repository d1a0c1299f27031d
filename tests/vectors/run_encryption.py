"""Runners: end-to-end encryption."""

from __future__ import annotations

import base64
import binascii

from pusher_channels import (
    ChannelAuthorization,
    ClientEvent,
    ConfigurationError,
    EncryptionError,
    InvalidArgumentError,
    Webhook,
)
from pusher_channels._encryption import KeyRing

from .differences import Difference
from .keys import OPTION, usable_key
from .support import (
    MASTER_KEY,
    SOCKET_ID,
    Case,
    Session,
    as_list,
    as_text,
    base64_text,
    channel_key,
    check_hides,
    compact,
    is_sealed,
    refused,
    texts,
    webhook_headers,
)

_PREFIX = "private-encrypted-"


def encrypt_decrypt(case: Case) -> None:
    """Derivation, decryption, and what is encrypted: through auth and webhooks where the channel's name allows it."""
    inputs, expected = case.inputs, case.expected
    operation, channel = inputs.text("op"), inputs.text("channel")
    key = usable_key(case)
    assert key is not None
    if operation == "shared_secret":
        secret = base64.b64decode(_shared_secret(case, channel, key))
        assert secret == channel_key(channel, base64.b64decode(key))
        if "shared_secret_hex" in expected:
            assert secret.hex() == expected["shared_secret_hex"]
        if "shared_secret_base64" in expected:
            if len(expected.text("shared_secret_base64")) % 4:
                case.differs(Difference.PADDED_BASE64)
            assert base64_text(secret).rstrip("=") == expected.text("shared_secret_base64").rstrip("=")
    elif operation == "decrypt":
        data = inputs.optional_text("data")
        sealed = {"nonce": inputs["nonce"], "ciphertext": inputs["ciphertext"]} if "nonce" in inputs else None
        assert data is None or sealed is None or data == compact(sealed)
        _check_decrypts(case, channel, key, data or compact(sealed))
    elif operation == "encrypt":
        plaintext, nonce = inputs.text("plaintext"), expected["nonce"]
        assert nonce == inputs.get("nonce_base64", nonce)
        data = compact({"nonce": nonce, "ciphertext": expected["ciphertext"]})
        assert _decrypt(case, channel, key, data) == plaintext
        # Ours has a nonce of its own every time, so the way back is what shows that it is right.
        ours = [_encrypt(case, channel, key, plaintext) for _ in range(2)]
        assert ours[0] != ours[1]
        for text in ours:
            assert is_sealed(text)
            assert len(text) == len(data)
            assert _decrypt(case, channel, key, text) == plaintext
    else:
        case.unknown()


def _shared_secret(case: Case, channel: str, key: str) -> str:
    if not channel.startswith(_PREFIX):
        return KeyRing(key).shared_secret(channel)
    session = Session(case.twin, encryption_master_key_base64=key)
    result = session.call("authorize_channel", SOCKET_ID, channel)
    assert isinstance(result, ChannelAuthorization)
    assert result.shared_secret is not None
    assert result.shared_secret not in repr(result)
    return result.shared_secret


def _encrypt(case: Case, channel: str, key: str, plaintext: str) -> str:
    if not channel.startswith(_PREFIX):
        return KeyRing(key).encrypt(channel, plaintext)
    session = Session(case.twin, encryption_master_key_base64=key)
    session.call("trigger", channel, "event", plaintext)
    return as_text(session.sent().json["data"])


def _decrypt(case: Case, channel: str, key: str, data: str) -> str | None:
    return (
        client_event(case, channel, key, data).data
        if channel.startswith(_PREFIX)
        else KeyRing(key).decrypt(channel, data)
    )


def client_event(case: Case, channel: str, key: str, data: str) -> ClientEvent:
    """Receive the data in a webhook, beside an event that must stay unaffected by it."""
    event = {"name": "client_event", "channel": channel, "event": "client-x", "data": data, "socket_id": SOCKET_ID}
    body = compact({"time_ms": 1, "events": [event, {"name": "channel_occupied", "channel": channel}]}).encode()
    session = Session(case.twin, encryption_master_key_base64=key)
    received = session.call("webhook", webhook_headers(body), body, max_age=None)
    assert isinstance(received, Webhook)
    first, second = received.events
    assert second.name == "channel_occupied"
    assert isinstance(first, ClientEvent)
    assert first.raw_data == data
    assert (first.data is None) == (first.decryption_error is not None)
    return first


def _check_decrypts(case: Case, channel: str, key: str, data: str) -> None:
    if not case.expected.get("error"):
        assert _decrypt(case, channel, key, data) == case.expected["plaintext"]
    elif channel.startswith(_PREFIX):
        error = client_event(case, channel, key, data).decryption_error
        assert type(error) is EncryptionError
        check_hides(error, key, data)
    else:
        with refused(EncryptionError, None, key, data):
            KeyRing(key).decrypt(channel, data)


def master_key(case: Case) -> None:
    """What is a master key: one option, base64 of 32 bytes."""
    inputs, expected = case.inputs, case.expected
    ok, key = expected["ok"], inputs.get("base64")
    case.ignores("error", "error_contains")
    raw = inputs.get("raw", inputs.get("raw_bytes"))
    if raw is not None:
        case.differs(Difference.RAW_MASTER_KEY)
        try:
            Session(case.twin, encryption_master_key=raw)
        except TypeError as error:
            check_hides(error, raw)
        else:
            raise AssertionError("there is a second way to give a master key")
        if key is not None:
            _check_option(case, as_text(key), ok=None)  # both together cannot be given, so each counts alone
            return
        content = raw.encode() if isinstance(raw, str) else bytes(int(str(byte)) for byte in as_list(raw))
        key = base64_text(content)
    if key is None:
        case.unknown()
    _check_option(case, as_text(key), ok=ok)


def _check_option(case: Case, key: str, *, ok: object) -> None:
    try:
        content = base64.b64decode(key, validate=True)
    except binascii.Error:
        content = b""
    valid = len(content) == 32 and base64_text(content) == key
    assert ok is None or ok is valid
    if not valid:
        for value, option in ((key, OPTION), ([MASTER_KEY, key], f"{OPTION}[1]")):
            with refused(ConfigurationError, option, key):
                Session(case.twin, encryption_master_key_base64=value)
        return
    if "key_hex" in case.expected:
        assert content.hex() == case.expected["key_hex"]
    secret = _shared_secret(case, "private-encrypted-x", key)
    assert base64.b64decode(secret) == channel_key("private-encrypted-x", content)
    assert key not in repr(Session(case.twin, encryption_master_key_base64=key).client)


def is_encrypted_channel(case: Case) -> None:
    """Which channels are encrypted shows in what is sent; and none of them shares a trigger."""
    if "channels" in case.inputs:
        channels = texts(case.inputs["channels"])
        session = Session(case.twin, encryption_master_key_base64=MASTER_KEY)
        if len(channels) > 1 and any(channel.startswith(_PREFIX) for channel in channels):
            if case.expected["mixed"] is not True:
                case.differs(Difference.ENCRYPTED_ALONE)
            with refused(InvalidArgumentError, "channels", channels):
                session.call("trigger", channels, "event", "plain")
            session.check_silent()
        else:
            assert case.expected["mixed"] is False
            session.call("trigger", channels, "event", "plain")
            assert is_sealed(session.sent().json["data"]) is (channels[0].startswith(_PREFIX))
        return
    channel, encrypted = case.inputs.text("channel"), case.expected["result"]
    session = Session(case.twin, encryption_master_key_base64=MASTER_KEY)
    session.call("trigger", channel, "event", "plain")
    data = as_text(session.sent().json["data"])
    assert is_sealed(data) is encrypted
    assert (client_event(case, channel, MASTER_KEY, data).data if encrypted else data) == "plain"
    without_key = Session(case.twin)
    if encrypted:
        with refused(ConfigurationError, OPTION, channel):
            without_key.call("trigger", channel, "event", "plain")
    else:
        without_key.call("trigger", channel, "event", "plain")
