"""A browser in a few lines: it subscribes over a WebSocket as pusher-js does. For the demo, not for production."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any, Self, cast

import attrs
import httpx
from nacl.secret import SecretBox
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

TIMEOUT = 20.0


@attrs.frozen
class Frame:
    """A frame as it came."""

    event: str
    channel: str | None
    data: object


class Subscriber:
    """One user's browser. ``backend`` is the user's session with your application, which has the auth endpoints."""

    def __init__(self, name: str, socket: ClientConnection, backend: httpx.AsyncClient) -> None:
        self.name = name
        self.socket_id = ""
        self._socket = socket
        self._backend = backend
        self._shared_secrets: dict[str, bytes] = {}
        self._skipped: list[Frame] = []

    @classmethod
    async def connect(cls, name: str, websocket_url: str, backend: httpx.AsyncClient) -> Self:
        """Connect and wait for the socket id."""
        subscriber = cls(name, await connect(websocket_url, proxy=None), backend)
        established = cast("dict[str, str]", await subscriber.data("pusher:connection_established"))
        subscriber.socket_id = established["socket_id"]
        return subscriber

    async def sign_in(self) -> None:
        """Ask the backend who the user is, and tell the server."""
        answer = await self._ask("/pusher/user-auth")
        await self._send("pusher:signin", answer)
        await self.frame("pusher:signin_success")

    async def subscribe(self, channel: str) -> object:
        """Subscribe, asking the backend first where the channel needs it. Returns what a presence channel says."""
        answer: dict[str, str] = {}
        if channel.startswith(("private-", "presence-")):
            answer = await self._ask("/pusher/auth", channel_name=channel)
        shared_secret = answer.pop("shared_secret", None)
        if shared_secret is not None:
            self._shared_secrets[channel] = base64.b64decode(shared_secret)
        await self._send("pusher:subscribe", {"channel": channel, **answer})
        return await self.data("pusher_internal:subscription_succeeded", channel)

    async def trigger(self, channel: str, event: str, data: object) -> None:
        """Send a client event to the other subscribers."""
        await self._socket.send(json.dumps({"event": event, "channel": channel, "data": data}))

    async def frame(self, event: str, channel: str | None = None) -> Frame:
        """Wait for a frame of this event and channel. Others are kept for later."""
        for frame in self._skipped:
            if (frame.event, frame.channel) == (event, channel):
                self._skipped.remove(frame)
                return frame
        async with asyncio.timeout(TIMEOUT):
            while True:
                raw = cast("dict[str, Any]", json.loads(await self._socket.recv()))
                frame = Frame(raw["event"], raw.get("channel"), raw.get("data"))
                if (frame.event, frame.channel) == (event, channel):
                    return frame
                self._skipped.append(frame)

    async def data(self, event: str, channel: str | None = None) -> object:
        """Wait for a frame and return its data, decrypted and decoded."""
        return self.decode(await self.frame(event, channel))

    async def has_received(self, event: str, channel: str) -> bool:
        """Tell whether such a frame came. The server keeps the order, so all before the pong is here."""
        await self._socket.send(json.dumps({"event": "pusher:ping", "data": {}}))
        await self.frame("pusher:pong")
        return any((frame.event, frame.channel) == (event, channel) for frame in self._skipped)

    def decode(self, frame: Frame) -> object:
        """Return the data of a frame as the application gets it."""
        text = frame.data
        if not isinstance(text, str):
            return text
        key = self._shared_secrets.get(frame.channel or "")
        if key is not None and not frame.event.startswith("pusher"):
            sealed: dict[str, str] = json.loads(text)
            nonce, ciphertext = (base64.b64decode(sealed[field]) for field in ("nonce", "ciphertext"))
            text = SecretBox(key).decrypt(ciphertext, nonce).decode()
        try:
            return cast("object", json.loads(text))
        except ValueError:
            return text

    async def closed(self) -> int:
        """Wait until the server closes the connection, and return its code."""
        try:
            async with asyncio.timeout(TIMEOUT):
                while True:
                    await self._socket.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd is not None else 1006

    async def close(self) -> None:
        """Close the connection."""
        await self._socket.close()

    async def _send(self, event: str, data: Mapping[str, str]) -> None:
        await self._socket.send(json.dumps({"event": event, "data": data}))

    async def _ask(self, path: str, **fields: str) -> dict[str, str]:
        response = await self._backend.post(path, data={"socket_id": self.socket_id, **fields})
        response.raise_for_status()
        answer: dict[str, str] = response.json()
        return answer
