"""The parts of a `Timeout`, each of which ends an attempt long before the others would."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from pusher_channels import APITimeoutError, AsyncPusher, Pusher, Timeout
from tests.faults.certificates import Certificates, make_certificates
from tests.faults.network import silent_port
from tests.faults.server import FaultServer, Peer

LONG, SHORT = 20.0, 0.2
LARGE = b"[" + b" " * 16_000_000 + b"]"
"""More than the buffers of the system take."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def say_nothing(peer: Peer) -> None:
    peer.request()
    peer.server.done.wait()


def read_nothing(peer: Peer) -> None:
    peer.server.done.wait()


Post = Callable[[dict[str, Any], bytes], None]
PARTS = {
    "connect": (Timeout(LONG, connect=SHORT), say_nothing),
    "read": (Timeout(LONG, read=SHORT), say_nothing),
    "write": (Timeout(LONG, write=SHORT), read_nothing),
}


def post_sync(options: dict[str, Any], body: bytes) -> None:
    with Pusher("3", "key", "secret", **options) as pusher:
        pusher.request("POST", "/x", body=body)


def post_async(options: dict[str, Any], body: bytes) -> None:
    async def post() -> None:
        async with AsyncPusher("3", "key", "secret", **options) as pusher:
            await pusher.request("POST", "/x", body=body)

    asyncio.run(post())


ALL = [(part, post) for part in PARTS for post in (post_sync, post_async)]
ALL.remove(("write", post_async))  # asyncio writes in the background: there it is the time for reading that runs out


@pytest.mark.parametrize(("part", "post"), ALL)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_part_ends_an_attempt(part: str, tls: bool, post: Post, certificates: Certificates) -> None:
    timeout, behaviour = PARTS[part]
    with ExitStack() as stack:
        server = stack.enter_context(FaultServer(behaviour, certificates.good if tls else None))
        port = stack.enter_context(silent_port()) if part == "connect" else server.port
        options = {"host": f"127.0.0.1:{port}", "ssl": tls, "verify": certificates.client, "timeout": timeout}
        began = time.monotonic()
        with pytest.raises(APITimeoutError) as caught:
            post({**options, "max_retries": 0}, LARGE if part == "write" else b"{}")
        assert time.monotonic() - began < LONG / 2
        assert isinstance(caught.value.__cause__, TimeoutError)
