"""Row 4: what computes and never connects, by its public calls."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from benchmarks.contestant import Run, official, one_by_one
from benchmarks.samples import (
    APP_ID,
    CHANNEL,
    DATA,
    ENCRYPTED_CHANNEL,
    EVENT,
    KEY,
    MASTER_KEY,
    MEMBER,
    PRESENCE_CHANNEL,
    SECRET,
    SOCKET_ID,
    USER,
    webhook_body,
    webhook_headers,
)
from benchmarks.sink import Sink
from pusher_channels import Pusher
from pusher_channels.signing import sign_request

WEBHOOK_EVENTS = 5


def _ours() -> Pusher:
    return Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY)


def _official(sink: Sink) -> Any:
    return official(sink, encryption_master_key_base64=MASTER_KEY)


@contextmanager
def private_ours(sink: Sink) -> Generator[Run]:
    """Authorize a private channel. It checks the socket id and the channel, and that the channel is such a one."""
    with _ours() as pusher:
        yield one_by_one(lambda: pusher.authorize_channel(SOCKET_ID, CHANNEL))


@contextmanager
def private_official(sink: Sink) -> Generator[Run]:
    """It checks the form of both; any channel will do."""
    pusher = _official(sink)
    yield one_by_one(lambda: pusher.authenticate(CHANNEL, SOCKET_ID))


@contextmanager
def presence_ours(sink: Sink) -> Generator[Run]:
    """Authorize a presence channel. It also checks the user's id, the kind of each field, and the size of it all."""
    with _ours() as pusher:
        yield one_by_one(lambda: pusher.authorize_channel(SOCKET_ID, PRESENCE_CHANNEL, MEMBER))


@contextmanager
def presence_official(sink: Sink) -> Generator[Run]:
    """It takes any object as the user."""
    pusher = _official(sink)
    yield one_by_one(lambda: pusher.authenticate(PRESENCE_CHANNEL, SOCKET_ID, MEMBER))


@contextmanager
def user_ours(sink: Sink) -> Generator[Run]:
    """Authenticate a user. It checks the id, the kind of each field, and each id of the watch list."""
    with _ours() as pusher:
        yield one_by_one(lambda: pusher.authenticate_user(SOCKET_ID, USER))


@contextmanager
def user_official(sink: Sink) -> Generator[Run]:
    """It checks the id."""
    pusher = _official(sink)
    yield one_by_one(lambda: pusher.authenticate_user(SOCKET_ID, USER))


@contextmanager
def encrypt_ours(sink: Sink) -> Generator[Run]:
    """Make the data of an event for an encrypted channel, from the object to the text that goes into the body.

    Neither library has a public call for this part of `trigger`: these are the calls that both make there.
    """
    from pusher_channels._encryption import KeyRing
    from pusher_channels._json import encode_data

    keys = KeyRing(MASTER_KEY)
    yield one_by_one(lambda: keys.encrypt(ENCRYPTED_CHANNEL, encode_data(DATA, "data")))


@contextmanager
def encrypt_official(sink: Sink) -> Generator[Run]:
    """The same, by the PyPI library's own functions, as its `trigger` calls them."""
    crypto: Any = import_module("pusher.crypto")
    key = crypto.parse_master_key(None, MASTER_KEY)

    def encrypt() -> str:
        text = crypto.data_to_string(DATA, None)
        return json.dumps(crypto.encrypt(ENCRYPTED_CHANNEL, text, key), ensure_ascii=False)

    yield one_by_one(encrypt)


@contextmanager
def webhook_ours(sink: Sink) -> Generator[Run]:
    """Validate a webhook of a handful of events: headers, signature, age, and an object of its own class an event."""
    body = webhook_body(WEBHOOK_EVENTS)
    headers = webhook_headers(body)
    with _ours() as pusher:
        yield one_by_one(lambda: pusher.webhook(headers, body))


@contextmanager
def webhook_official(sink: Sink) -> Generator[Run]:
    """It checks signature and age, and gives the parsed JSON; its caller takes the headers apart."""
    body = webhook_body(WEBHOOK_EVENTS)
    headers = webhook_headers(body)
    pusher = _official(sink)

    def validate() -> None:
        if pusher.validate_webhook(headers["x-pusher-key"], headers["x-pusher-signature"], body) is None:
            raise RuntimeError("the webhook was refused")

    yield one_by_one(validate)


@contextmanager
def sign_ours(sink: Sink) -> Generator[Run]:
    """`sign_request`: the signature of a request of which all is known."""
    body = json.dumps({"name": EVENT, "channels": [CHANNEL], "data": json.dumps(DATA)}).encode()
    path = f"/apps/{APP_ID}/events"
    yield one_by_one(lambda: sign_request("POST", path, None, body, key=KEY, secret=SECRET, timestamp=1353088179))


@contextmanager
def request_ours(sink: Sink) -> Generator[Run]:
    """All of `trigger` but the sending: the bytes that would be sent, and those of an answer read."""
    from pusher_channels._http.answers import AnswerParser
    from pusher_channels._http.messages import sign

    pusher = Pusher(APP_ID, KEY, SECRET)
    transport, parser = pusher._transport, AnswerParser()  # pyright: ignore[reportPrivateUsage]

    def build_and_read() -> None:
        request = pusher._build.trigger(CHANNEL, EVENT, DATA)  # pyright: ignore[reportPrivateUsage]
        prepared = transport._prepare_operation(request)  # pyright: ignore[reportPrivateUsage]
        signed = sign(prepared, transport._signer)  # pyright: ignore[reportPrivateUsage]
        parser.expect(signed.signature)
        parser.feed(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        request.operation.decode(parser.result().content)

    yield one_by_one(build_and_read)
