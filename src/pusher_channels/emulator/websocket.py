"""A client's connection from its handshake to its end.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/#websocket-connection
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from starlette.websockets import WebSocket, WebSocketDisconnect

from pusher_channels.emulator.app import App
from pusher_channels.emulator.connection import NEWEST_PROTOCOL, Connection
from pusher_channels.emulator.controls import Controls
from pusher_channels.emulator.liveness import Liveness
from pusher_channels.emulator.protocol import CloseError, Session

SUPPORTED_PROTOCOLS = range(4, NEWEST_PROTOCOL + 1)
"""Protocols 1 to 3 are gone from the hosted service. Of 4 to 7 the ping and the close differ."""


async def serve_client(apps: Mapping[str, App], controls: Controls, websocket: WebSocket) -> None:
    """Serve one client from its handshake to its end. ``apps`` are those that run, by key."""
    await websocket.accept()
    connection = Connection(websocket)
    app = None
    try:
        app = _admit(apps, controls, websocket, connection)
    except CloseError as error:
        connection.close(error.code, error.reason)
    tasks = [connection.writer]
    if app is not None:
        tasks.append(asyncio.create_task(_read_all(app, websocket, connection)))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if app is not None:
            app.disconnect(connection)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _admit(apps: Mapping[str, App], controls: Controls, websocket: WebSocket, connection: Connection) -> App:
    key = websocket.path_params.get("key")
    if key is None:
        raise CloseError(4005, "Path not found")
    connection.protocol = _protocol(websocket.query_params.get("protocol"), websocket.query_params.get("version"))
    app = apps.get(key)
    if app is None:
        raise CloseError(4001, f"App key {key} not in this cluster. Did you forget to specify the cluster?")
    config = app.config
    if not config.enabled:
        raise CloseError(4003, "Application disabled")
    if config.tls_only and websocket.url.scheme != "wss":
        raise CloseError(4000, "Application only accepts SSL connections, reconnect using wss://")
    if config.max_connections is not None and len(app.connections) >= config.max_connections:
        raise CloseError(4004, "Application is over connection quota")
    if controls.capacity is not None and sum(len(app.connections) for app in apps.values()) >= controls.capacity:
        raise CloseError(4100, "Over capacity")
    app.connect(connection)
    return app


def _protocol(protocol: str | None, version: str | None) -> int:
    if protocol is None:
        # Old JavaScript clients send their own version only. It stands for the protocol of its day.
        if version is None:
            raise CloseError(4008, "No protocol version supplied")
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
            raise CloseError(4006, "Invalid version string format")
        return NEWEST_PROTOCOL
    if not re.fullmatch("[0-9]{1,4}", protocol):
        raise CloseError(4006, "Invalid version string format")
    if int(protocol) not in SUPPORTED_PROTOCOLS:
        raise CloseError(4007, "Unsupported protocol version")
    return int(protocol)


async def _read_all(app: App, websocket: WebSocket, connection: Connection) -> None:
    def close(code: int, reason: str) -> None:
        app.close(connection, code, reason)

    session = Session(app, connection)
    liveness = Liveness(app.config, connection.protocol, connection.send, close)
    timeout = app.config.authorization_timeout
    timer = None
    if timeout is not None:
        timer = asyncio.get_running_loop().call_later(timeout, session.close_unless_authorized)
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            liveness.heard()
            session.receive(message.get("text"))
    except WebSocketDisconnect:
        return
    finally:
        liveness.stop()
        if timer is not None:
            timer.cancel()
