"""The peers, each started once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import attrs
import pytest

from tests.peers.harness import Backend, JsonProcess, Message, Received, node
from tests.peers.soketi import Browser, start_soketi
from tests.peers.support import APP_ID, KEY, MASTER_KEY, SECRET, Sdk, async_sdk, sync_sdk

Connect = Callable[..., Browser]


@attrs.define
class Npm:
    """The official npm library: calls by name, each on a client with `options`. Any thread may call."""

    process: JsonProcess
    options: Message
    numbers: Iterator[int] = attrs.field(factory=count)

    def answer(self, call: str, **args: Any) -> Message:
        number = next(self.numbers)
        self.process.send({"id": number, "call": call, "options": self.options, "args": args})
        return self.process.log.wait(lambda message: message["id"] == number, f"answer to {call}")

    def __call__(self, call: str, **args: Any) -> Any:
        answer = self.answer(call, **args)
        assert "error" not in answer, answer
        return answer["result"]

    def method(self, name: str, *values: Any) -> Any:
        return self("method", name=name, values=list(values))


@pytest.fixture(scope="session")
def capture() -> Iterator[Backend]:
    """Where clients send to when it matters what they send. Its answer is right for every call."""
    with Backend({"channels": {}, "users": [], "batch": [], "occupied": False}) as backend:
        yield backend


@pytest.fixture(scope="session")
def npm(capture: Backend) -> Iterator[Npm]:
    node()
    options = {"appId": APP_ID, "key": KEY, "secret": SECRET, "encryptionMasterKeyBase64": MASTER_KEY}
    with JsonProcess("npm_pusher.js") as process:
        yield Npm(process, {**options, "host": "127.0.0.1", "port": capture.port, "useTLS": False})


@pytest.fixture(params=["sync", "async"])
def ours(request: pytest.FixtureRequest, capture: Backend) -> Iterator[Sdk]:
    """Our client, both of it, sending to `capture`."""
    ours = (sync_sdk if request.param == "sync" else async_sdk)(capture.port)
    yield ours
    ours.close()


@pytest.fixture(scope="session")
def backend() -> Iterator[Backend]:
    """The customer's own server: auth endpoints and the webhook receiver."""
    with Backend() as backend:
        yield backend


@pytest.fixture(scope="session")
def soketi(backend: Backend) -> Iterator[int]:
    """The port of a running soketi."""
    node()
    process, port = start_soketi(backend)
    with process:
        yield port


@pytest.fixture(scope="session")
def pusher_js() -> Iterator[JsonProcess]:
    node()
    with JsonProcess("subscriber.js") as process:
        yield process


@pytest.fixture(params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, soketi: int) -> Iterator[Sdk]:
    """Our client, both of it."""
    sdk = (sync_sdk if request.param == "sync" else async_sdk)(soketi)
    yield sdk
    sdk.close()


@pytest.fixture
def connect(pusher_js: JsonProcess, soketi: int, backend: Backend, sdk: Sdk) -> Iterator[Connect]:
    """Connects browsers; the backend authorizes them with our client, as the users named."""
    users: dict[str, Message] = {}
    browsers: list[Browser] = []

    def auth(received: Received) -> tuple[int, object]:
        form = parse_qs(received.body.decode())
        presence = form["channel_name"][0].startswith("presence-")
        user = users[form["socket_id"][0]] if presence else None
        return 200, sdk.local.authorize_channel_form(received.body, user).to_dict()

    def user_auth(received: Received) -> tuple[int, object]:
        user = users[parse_qs(received.body.decode())["socket_id"][0]]
        return 200, sdk.local.authenticate_user_form(received.body, user).to_dict()

    backend.answers |= {"/auth": auth, "/user-auth": user_auth}

    def connect(user: Message | None = None) -> Browser:
        name = uuid4().hex
        pusher_js.send({"do": "connect", "socket": name, "key": KEY, "port": soketi, "backend": backend.url})
        browser = Browser(pusher_js, name)
        browser.event("state", "connected")
        if user is not None:
            users[browser.socket_id] = user
        browsers.append(browser)
        return browser

    yield connect
    for browser in browsers:
        browser.do("disconnect")
