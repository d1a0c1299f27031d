"""Run by test_promise.py with a client that was regenerated from a changed spec: all that changed must work.

The path of the changed client comes first on PYTHONPATH; the handwritten layer is the one of the source tree.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import time

import httpx
import pytest

import pusher_channels_rest
from pusher_channels import (
    AsyncPusher,
    EncryptionError,
    InvalidArgumentError,
    NotFoundError,
    Pusher,
)
from pusher_channels_rest.models import ChannelRenamed

SENT: list[httpx.URL] = []
BODIES: list[bytes] = []


def answer(request: httpx.Request) -> httpx.Response:
    SENT.append(request.url)
    BODIES.append(request.content)
    if request.url.path.endswith("/history"):
        return httpx.Response(200, json={"events": [{"name": "e", "data": "d"}], "more": True})
    if request.url.path.endswith("/regions"):
        return httpx.Response(200, json={"regions": ["eu"]})
    if request.url.path.endswith("/close"):
        return httpx.Response(404, text="No such region\n")
    return httpx.Response(200, json={"accepted_at": 17})


async def answer_async(request: httpx.Request) -> httpx.Response:
    return answer(request)


def check_signed(url: httpx.URL, method: str, body: bytes) -> None:
    pairs = dict(url.params)
    signature = pairs.pop("auth_signature")
    text = "&".join(f"{name}={value}" for name, value in sorted(pairs.items()))
    message = f"{method}\n{url.raw_path.partition(b'?')[0].decode()}\n{text}"
    assert hmac.new(b"secret", message.encode(), "sha256").hexdigest() == signature
    assert ("body_md5" in pairs) == bool(body)


def refused(argument: str, rule: str, error: InvalidArgumentError) -> None:
    assert error.argument == argument, error
    assert rule in error.rule, error


def check_sync() -> None:
    client = httpx.Client(transport=httpx.MockTransport(answer))
    pusher = Pusher("3", "key", "secret", http_client=client)
    history = pusher.channels.history("cache-x", limit=5)
    assert history.events[0].name == "e"
    assert history.more is True
    assert SENT[-1].path == "/apps/3/channels/cache-x/history"
    assert SENT[-1].params["limit"] == "5"
    check_signed(SENT[-1], "GET", b"")
    with pytest.raises(InvalidArgumentError) as caught:
        pusher.channels.history("cache-x", limit=101)
    refused("limit", "100", caught.value)
    assert list(pusher.regions.list().regions) == ["eu"]
    with pytest.raises(NotFoundError) as caught:
        pusher.regions.close(name="eu", channel="public", data="d")
    assert caught.value.body == "No such region\n"
    check_signed(SENT[-1], "POST", BODIES[-1])
    # the guard knows nothing of the new operation, and stops plaintext all the same
    with pytest.raises(EncryptionError):
        pusher.regions.close(name="eu", channel="private-encrypted-x", data="plain")
    result = pusher.trigger("c", "e", "d")
    assert result.accepted_at == 17
    pusher.events.trigger(name="e", data="d", channels=["c"], priority=3)
    assert json.loads(BODIES[-1])["priority"] == 3
    pusher.trigger(["c"] * 3, "e", "d")
    with pytest.raises(InvalidArgumentError) as caught:
        pusher.trigger(["c"] * 4, "e", "d")
    refused("channels", "3", caught.value)


async def check_async() -> None:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer_async))
    async with AsyncPusher("3", "key", "secret", http_client=client) as pusher:
        assert (await pusher.channels.history("cache-x", limit=5)).events[0].data == "d"
        check_signed(SENT[-1], "GET", b"")
        assert list((await pusher.regions.list()).regions) == ["eu"]
        assert (await pusher.trigger("c", "e", "d")).accepted_at == 17
        with pytest.raises(InvalidArgumentError) as caught:
            await pusher.trigger(["c"] * 4, "e", "d")
        refused("channels", "3", caught.value)


def check_webhook() -> None:
    event = {"name": "channel_renamed", "channel": "new", "old_channel": "old"}
    body = json.dumps({"time_ms": int(time.time() * 1000), "events": [event]}).encode()
    headers = {"X-Pusher-Key": "key", "X-Pusher-Signature": hmac.new(b"secret", body, "sha256").hexdigest()}
    for pusher in (Pusher("3", "key", "secret"), AsyncPusher("3", "key", "secret")):
        (received,) = pusher.webhook(headers, body).events
        assert received == ChannelRenamed(channel="new", old_channel="old")


if __name__ == "__main__":
    assert pusher_channels_rest.__file__.startswith(sys.argv[1]), pusher_channels_rest.__file__
    check_sync()
    asyncio.run(check_async())
    check_webhook()
    sys.stdout.write("all promises kept\n")
