"""No secret shows: planted ones are looked for after every way to fail, with logging at its most talkative."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from pusher_channels import AsyncPusher, ClientEvent, Pusher, PusherError, SignatureAuth
from pusher_channels.signing import sign_request
from tests.faults.conftest import Driven
from tests.faults.drive import SECRET
from tests.faults.secrets import everything_logged, leaks, signatures
from tests.faults.server import FaultServer, Peer, response

MASTER_KEY = base64.b64encode(b"a-marked-master-key-of-32-bytes!").decode()
PLANTED = (SECRET, MASTER_KEY, repr(base64.b64decode(MASTER_KEY))[2:-1])


def test_no_fault_shows_a_secret(driven: Driven) -> None:
    assert driven.signatures
    for case, result in driven.seen.items():
        if result.error is not None:
            assert leaks(result.error, [*PLANTED, *driven.signatures]) == [], case
    text = "\n".join(driven.lines)
    assert "apps/3/events -> APIConnectionError" in text
    assert [secret for secret in (*PLANTED, *driven.signatures) if secret in text] == []


def signature_in(request: bytes) -> str:
    found = re.search(rb"auth_signature=([0-9a-f]{64})", request)
    return found[1].decode() if found else ""


# Servers, proxies and their error pages repeat what they were sent.
ECHOES: dict[str, Callable[[str, str], bytes]] = {
    "body": lambda sign, _: response("401 No", f'Invalid signature: ... but you sent "{sign}"'.encode()),
    "success": lambda sign, _: response("200 OK", f'{{"auth_signature":"{sign}"'.encode()),
    "location": lambda _, target: response("307 Moved", b"", f"Location: https://elsewhere.test{target}"),
    "bad location": lambda _, target: response("307 Moved", b"", f"Location: http://x:{target}"),
    "header": lambda sign, target: response("500 No", b"", f"X-Asked: {target}", f"X-Signature: {sign}"),
    "reason": lambda sign, _: response(f"500 {sign}", b""),
    "broken header": lambda sign, _: f"HTTP/1.1 200 OK\r\nbroken {sign}\r\n\r\n".encode(),
    "broken status": lambda sign, _: f"{sign}\r\n\r\n".encode(),
    "cut off head": lambda _, target: f"HTTP/1.1 200 OK\r\nX-Asked: {target}\r\n".encode(),
    "broken chunk": lambda sign, _: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{sign}{sign}x\r\n".encode(),
    "retry-after": lambda sign, _: response("503 No", b"", f"Retry-After: {sign}"),
    "content coding": lambda sign, _: response("200 OK", b"x", f"Content-Encoding: {sign}"),
    "charset": lambda sign, _: response("400 No", b"x", f"Content-Type: text/plain; charset={sign}"),
    "cookie": lambda sign, target: response("403 No", b"x", f"Set-Cookie: {sign}={target}; Path=/"),
    "clock": lambda sign, _: response("401 No", f"Timestamp expired: Given timestamp ({sign}) not within".encode()),
}


@pytest.mark.parametrize("kind", ["sync", "async", "sync through httpx", "async through httpx"])
@pytest.mark.parametrize("echo", ECHOES)
def test_no_echo_shows_a_signature(echo: str, kind: str) -> None:
    def serve(peer: Peer) -> None:
        while (request := peer.request()) is not None:
            peer.send(ECHOES[echo](signature_in(request), request.split()[1].decode()))
            if echo == "cut off head":
                return peer.close()
        return None

    async def trigger(**options: Any) -> None:
        async with httpx.AsyncClient() as client:
            given = client if "httpx" in kind else None
            async with AsyncPusher("3", "key", SECRET, http_client=given, **options) as pusher:
                await pusher.trigger("c", "e", "d")

    def call(**options: Any) -> None:
        if kind.startswith("async"):
            asyncio.run(trigger(**options))
        else:
            with httpx.Client() as client:
                given = client if "httpx" in kind else None
                with Pusher("3", "key", SECRET, http_client=given, **options) as pusher:
                    pusher.trigger("c", "e", "d")

    with (
        FaultServer(serve) as server,
        everything_logged() as lines,
        signatures() as made,
        pytest.raises(PusherError) as caught,
    ):
        call(host=f"127.0.0.1:{server.port}", ssl=False, max_retries=1)
    assert made
    # httpx's and httpcore's own lines show that their logging was on.
    assert any("send_request_headers" in line for line in lines) == ("httpx" in kind)
    assert leaks(caught.value, [*PLANTED, *made]) == []
    assert [line for line in lines for secret in (*PLANTED, *made) if secret in line] == []


URL = f"https://key:{SECRET}@api-eu.pusher.com/apps/3"
WEBHOOK = b'{"time_ms":1,"events":[]}'


def pusher(**options: Any) -> Pusher:
    return Pusher("3", "key", SECRET, encryption_master_key_base64=MASTER_KEY, **options)


def webhook_headers(body: bytes, *, key: str = "key") -> dict[str, str]:
    return {"X-Pusher-Key": key, "X-Pusher-Signature": hmac.digest(SECRET.encode(), body, "sha256").hex()}


def tampered_webhook() -> None:
    pusher().webhook({**webhook_headers(WEBHOOK), "X-Pusher-Signature": "0" * 64}, WEBHOOK)


def undecryptable() -> None:
    event = {"name": "client_event", "channel": "private-encrypted-x", "event": "client-e", "data": "x"}
    body = json.dumps({"time_ms": int(time.time() * 1000), "events": [event]}).encode()
    (read,) = pusher().webhook(webhook_headers(body), body).events
    assert isinstance(read, ClientEvent)
    assert read.decryption_error is not None
    raise read.decryption_error


# Each of these must fail; what is wrong stands beside a secret that is right.
MISTAKES: dict[str, Callable[[], object]] = {
    "app id": lambda: Pusher("a/b", "key", SECRET),
    "key": lambda: Pusher("3", "", SECRET),
    "secret": lambda: Pusher("3", "key", SECRET + "\n"),
    "cluster": lambda: pusher(cluster="e u"),
    "timeout": lambda: pusher(timeout=0),
    "hook": lambda: pusher(on_request=3),
    "master key, not base64": lambda: Pusher("3", "k", SECRET, encryption_master_key_base64=MASTER_KEY + "!"),
    "master key, too short": lambda: Pusher(
        "3", "k", SECRET, encryption_master_key_base64=[MASTER_KEY, MASTER_KEY[:-4]]
    ),
    "master key, not text": lambda: Pusher("3", "k", SECRET, encryption_master_key_base64=[MASTER_KEY, 3]),  # type: ignore[list-item]  # pyright: ignore
    "master keys": lambda: Pusher("3", "k", SECRET, encryption_master_key_base64={MASTER_KEY: 1}),  # type: ignore[arg-type]  # pyright: ignore
    "url, app": lambda: Pusher.from_url(URL + "/more"),
    "url, port": lambda: Pusher.from_url(URL.replace(".com", ".com:99999")),
    "url, scheme": lambda: Pusher.from_url(URL.replace("https", "ftp")),
    "url, escape": lambda: Pusher.from_url(URL.replace("marked", "%ff-marked")),
    "url, option": lambda: Pusher.from_url(URL, timeout=0),
    "environment": lambda: Pusher.from_env("MARKED_URL"),
    "environment, option": lambda: Pusher.from_env("MARKED_URL", max_retries=-1),
    "webhook, signature": tampered_webhook,
    "webhook, key": lambda: pusher().webhook(webhook_headers(WEBHOOK, key="other"), WEBHOOK),
    "webhook, stale": lambda: pusher().webhook(webhook_headers(WEBHOOK), WEBHOOK),
    "webhook, body": lambda: pusher().webhook(webhook_headers(b"{"), b"{"),
    "webhook, tokens": lambda: pusher().webhook({}, WEBHOOK, tokens={"key": SECRET, "other": 3}),  # type: ignore[dict-item]  # pyright: ignore
    "webhook, max_age": lambda: pusher().webhook({}, WEBHOOK, tokens={"key": SECRET}, max_age=-1),
    "webhook, encrypted": undecryptable,
    "channel": lambda: pusher().authorize_channel("1.1", ":user::{}"),
    "user": lambda: pusher().authorize_channel("1.1", "presence-x", {"user_id": object()}),
    "sign in": lambda: pusher().authenticate_user("1.1", {"id": ""}),
    "form": lambda: pusher().authorize_channel_form(b"\xff"),
    "plaintext": lambda: pusher().request("POST", "/events", body={"channel": "private-encrypted-x", "data": "d"}),
    "encrypted data": lambda: pusher().trigger("private-encrypted-x", "e", "d" * 10_241),
    "proxy": lambda: pusher(proxy="http://127.0.0.1:1", host="[::1]:1", max_retries=0).channels.list(),
    "options": lambda: pusher().with_options(headers={"A": "\n"}),
    "sign_request": lambda: sign_request("GET", "x", {}, None, key="k", secret=SECRET, timestamp=1),
    "sign_request, query": lambda: sign_request(
        "GET", "/x", {"auth_key": "x"}, None, key="k", secret=SECRET, timestamp=1
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_no_mistake_shows_a_secret(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKED_URL", URL + ("/more" if mistake == "environment" else ""))
    with everything_logged() as lines, signatures() as made, pytest.raises(PusherError) as caught:
        MISTAKES[mistake]()
    assert leaks(caught.value, [*PLANTED, *made]) == []
    assert [line for line in lines for secret in (*PLANTED, *made) if secret in line] == []


def reprs() -> Iterator[tuple[str, object]]:
    client = pusher(proxy="http://127.0.0.1:1")
    yield "client", client
    yield "state", client._state  # pyright: ignore[reportPrivateUsage]
    yield "view", client.with_options(timeout=1.0)
    yield "transport", client._transport  # pyright: ignore[reportPrivateUsage]
    yield "settings", client._state.settings  # pyright: ignore[reportPrivateUsage]
    yield "auth", SignatureAuth("key", SECRET)
    yield "authorization", client.authorize_channel("1.1", "private-encrypted-x")


REPRS = list(reprs())


@pytest.mark.parametrize("value", [value for _, value in REPRS], ids=[name for name, _ in REPRS])
def test_no_repr_shows_a_secret(value: object) -> None:
    shared = pusher().authorize_channel("1.1", "private-encrypted-x").shared_secret
    assert shared is not None
    texts = [repr(value), str(value), *(repr(each) for each in getattr(value, "__dict__", {}).values())]
    assert [text for text in texts for secret in (*PLANTED, shared) if secret in text] == []
