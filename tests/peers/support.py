"""The app that all peers share, and one interface to both of our clients."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, ParamSpec, Protocol, TypeVar
from urllib.parse import unquote_plus

import attrs

from pusher_channels import (
    AsyncPusher,
    Channel,
    ChannelList,
    ChannelUsers,
    ClientEvent,
    Event,
    Pusher,
    TerminateConnectionsResult,
    TriggerBatchResult,
    TriggerResult,
)
from pusher_channels.signing import sign_request
from tests.peers.harness import Received

APP_ID = "3"  # the PyPI client takes digits only
KEY = "278d425bdf160c739803"
SECRET = "7ad3773142a6692b25b8"
MASTER_KEY = base64.b64encode(bytes(range(100, 132))).decode()

P = ParamSpec("P")
T = TypeVar("T")


class Trigger(Protocol):
    def __call__(
        self,
        channels: str | Sequence[str],
        event_name: str,
        data: object,
        *,
        socket_id: str | None = None,
        info: Sequence[str] | str = (),
    ) -> TriggerResult: ...


@attrs.frozen
class Sdk:
    """Either of our clients, called in the same way: what the peers see may not depend on which."""

    local: Pusher | AsyncPusher
    trigger: Trigger
    trigger_batch: Callable[[Iterable[Event]], TriggerBatchResult]
    send_to_user: Callable[[str, str, object], TriggerResult]
    terminate_connections: Callable[[str], TerminateConnectionsResult]
    list_channels: Callable[..., ChannelList]
    get_channel: Callable[..., Channel]
    users: Callable[[str], ChannelUsers]
    close: Callable[[], None]


def sync_sdk(port: int) -> Sdk:
    pusher = Pusher(APP_ID, KEY, SECRET, **options(port))
    return Sdk(
        pusher,
        pusher.trigger,
        pusher.trigger_batch,
        pusher.send_to_user,
        pusher.users.terminate_connections,
        pusher.channels.list,
        pusher.channels.get,
        pusher.channels.users,
        pusher.close,
    )


def async_sdk(port: int) -> Sdk:
    pusher = AsyncPusher(APP_ID, KEY, SECRET, **options(port))
    runner = asyncio.Runner()

    def blocking(function: Callable[P, Awaitable[T]]) -> Callable[P, T]:
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await function(*args, **kwargs)

        return lambda *args, **kwargs: runner.run(call(*args, **kwargs))

    def close() -> None:
        runner.run(pusher.aclose())
        runner.close()

    return Sdk(
        pusher,
        blocking(pusher.trigger),
        blocking(pusher.trigger_batch),
        blocking(pusher.send_to_user),
        blocking(pusher.users.terminate_connections),
        blocking(pusher.channels.list),
        blocking(pusher.channels.get),
        blocking(pusher.channels.users),
        close,
    )


def options(port: int) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": port, "ssl": False, "encryption_master_key_base64": MASTER_KEY}


def raw_query(query: str) -> dict[str, str]:
    """The parameters of a query string. Peers send some characters unescaped, so nothing is taken for granted."""
    return {
        unquote_plus(name): unquote_plus(value) for name, _, value in (pair.partition("=") for pair in query.split("&"))
    }


def check_signature(received: Received) -> dict[str, str]:
    """Sign a received request anew by our own function: every parameter must come out. Returns the others."""
    sent = raw_query(received.query)
    own = {name: value for name, value in sent.items() if not name.startswith("auth_") and name != "body_md5"}
    timestamp = int(sent["auth_timestamp"])
    signed = sign_request(
        received.method, received.path, own, received.body, key=KEY, secret=SECRET, timestamp=timestamp
    )
    assert signed == sent
    return own


def pypi(module: str) -> Any:
    """A module of a PyPI peer, which has no types."""
    return import_module(module)


def event_from(sealed: str, channel: str, local: Pusher | AsyncPusher) -> ClientEvent:
    """What our client reads in an encrypted event: a webhook is where a server meets one."""
    event: dict[str, object] = {
        "name": "client_event",
        "channel": channel,
        "event": "client-e",
        "socket_id": "1.2",
        "data": sealed,
    }
    headers, body = webhook_of([event])
    (read,) = local.webhook(headers, body).events
    assert isinstance(read, ClientEvent)
    return read


def webhook_of(events: list[dict[str, object]], age: float = 0, secret: str = SECRET) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a webhook as Pusher sends it."""
    body = json.dumps({"time_ms": int((time.time() - age) * 1000), "events": events}).encode()
    signature = hmac.digest(secret.encode(), body, "sha256").hex()
    return {"x-pusher-key": KEY, "x-pusher-signature": signature, "content-type": "application/json"}, body
