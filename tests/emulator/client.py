"""A bare protocol client: it sends what it is told to and shows every frame that came, in order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import attrs
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from pusher_channels import ChannelAuthorization
from pusher_channels.emulator import AppConfig, Emulator

TIMEOUT = 20.0
"""Seconds to wait for what must come. Only a failure waits so long."""


@attrs.frozen
class Frame:
    """A frame from the server."""

    event: str
    channel: str | None
    raw_data: object
    user_id: str | None

    @property
    def data(self) -> Any:
        """The data, decoded if it is JSON text, as client libraries decode it."""
        if isinstance(self.raw_data, str):
            try:
                return json.loads(self.raw_data)
            except ValueError:
                return self.raw_data
        return self.raw_data


def sign(app: AppConfig, text: str) -> str:
    """Sign as the customer's server does, without the code under test."""
    return f"{app.key}:{hmac.new(app.secret.encode(), text.encode(), hashlib.sha256).hexdigest()}"


class Client:
    """One connection."""

    def __init__(self, socket: ClientConnection, app: AppConfig) -> None:
        self._socket = socket
        self._app = app
        self.socket_id = ""

    async def send_text(self, text: str | bytes) -> None:
        await self._socket.send(text)

    async def send_bytes_as_text(self, data: bytes) -> None:
        await self._socket.send(data, text=True)

    def begin_text(self, length: int) -> None:
        """Send the first bytes of a text of this length, and no more of it."""
        self._socket.transport.write(b"\x81\xff" + length.to_bytes(8, "big") + bytes(4) + b"x" * 1000)

    async def send(self, event: str, data: object = None, **fields: object) -> None:
        await self.send_text(json.dumps({"event": event, "data": {} if data is None else data, **fields}))

    async def next(self) -> Frame:
        """Return the next frame."""
        async with asyncio.timeout(TIMEOUT):
            frame = cast("dict[str, Any]", json.loads(await self._socket.recv()))
        assert set(frame) <= {"event", "channel", "data", "user_id"}, frame
        return Frame(frame["event"], frame.get("channel"), frame.get("data"), frame.get("user_id"))

    async def expect(self, event: str, channel: str | None = None) -> Frame:
        """Return the next frame, which is of this event and channel."""
        frame = await self.next()
        assert (frame.event, frame.channel) == (event, channel), frame
        return frame

    async def expect_nothing(self) -> None:
        """Check that all frames are seen: a pong comes next, and the server keeps the order."""
        await self.send("pusher:ping")
        await self.expect("pusher:pong")

    async def expect_error(self, code: int | None = None) -> str:
        """Return the text of the error that comes next."""
        error = (await self.expect("pusher:error")).raw_data
        assert isinstance(error, dict)
        fields = cast("dict[str, Any]", error)
        assert set(fields) == {"code", "message"}
        assert fields["code"] == code, fields
        return str(fields["message"])

    async def expect_close(self) -> tuple[int, str]:
        """Return code and reason of the close that comes next."""
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(TIMEOUT):
                await self._socket.recv()
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code, closed.value.rcvd.reason

    async def subscribe(self, channel: str, user: Mapping[str, object] | None = None) -> Frame:
        """Subscribe, with a signature where the channel needs one, and return the confirmation."""
        await self.send("pusher:subscribe", self.subscription(channel, user))
        return await self.expect("pusher_internal:subscription_succeeded", channel)

    def subscription(self, channel: str, user: Mapping[str, object] | None = None) -> dict[str, str]:
        """Return the data of a good ``pusher:subscribe``."""
        data = {"channel": channel}
        if user is not None:
            data["channel_data"] = json.dumps(user)
            data["auth"] = sign(self._app, f"{self.socket_id}:{channel}:{data['channel_data']}")
        elif channel.startswith(("private-", "presence-")):
            data["auth"] = sign(self._app, f"{self.socket_id}:{channel}")
        return data

    async def subscribe_as(self, channel: str, authorization: ChannelAuthorization) -> Frame:
        """Subscribe with what an auth endpoint answered."""
        fields = authorization.to_dict()
        fields.pop("shared_secret", None)
        await self.send("pusher:subscribe", {"channel": channel, **fields})
        return await self.expect("pusher_internal:subscription_succeeded", channel)

    async def sign_in(self, user: Mapping[str, object]) -> None:
        """Sign in and wait for the confirmation."""
        await self.send("pusher:signin", self.signin(user))
        assert (await self.expect("pusher:signin_success")).data == {"user_data": json.dumps(user)}

    def signin(self, user: Mapping[str, object]) -> dict[str, str]:
        """Return the data of a good ``pusher:signin``."""
        user_data = json.dumps(user)
        return {"user_data": user_data, "auth": sign(self._app, f"{self.socket_id}::user::{user_data}")}

    async def close(self) -> None:
        await self._socket.close()


@asynccontextmanager
async def open_client(server: Emulator, *, app: AppConfig | None = None) -> AsyncGenerator[Client]:
    """Connect to an app, the first if not told otherwise, and wait for the socket id."""
    app = app or server.apps[0]
    async with open_socket(server, f"/app/{app.key}?protocol=7&client=test&version=1.0") as socket:
        client = Client(socket, app)
        established = (await client.expect("pusher:connection_established")).data
        assert established["activity_timeout"] == math.ceil(app.activity_timeout)
        client.socket_id = established["socket_id"]
        yield client


@asynccontextmanager
async def open_socket(server: Emulator, path: str) -> AsyncGenerator[ClientConnection]:
    """Connect and say nothing."""
    url = f"ws://{server.host}:{server.port}{path}"
    async with connect(url, proxy=None, compression=None, open_timeout=TIMEOUT, ping_interval=None) as socket:
        yield socket
