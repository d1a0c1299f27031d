"""A client's connection from its handshake to its end.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/#websocket-connection
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping

from starlette.websockets import WebSocket, WebSocketDisconnect

from pusher_channels.emulator.app import App
from pusher_channels.emulator.connection import Connection
from pusher_channels.emulator.protocol import Session

SUPPORTED_PROTOCOLS = range(4, 8)
"""Protocols 1 to 3 are gone from the hosted service; 4 to 7 differ in nothing that matters here."""


async def serve_client(apps: Mapping[str, App], websocket: WebSocket) -> None:
    """Serve one client from its handshake to its end. ``apps`` are those that run, by key."""
    await websocket.accept()
    connection = Connection(websocket)
    app = _admit(apps, websocket, connection)
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


def _admit(apps: Mapping[str, App], websocket: WebSocket, connection: Connection) -> App | None:
    key = websocket.path_params.get("key")
    if key is None:
        connection.close(4005, "Path not found")
        return None
    refusal = _refuse_version(websocket.query_params.get("protocol"), websocket.query_params.get("version"))
    if refusal is not None:
        connection.close(*refusal)
        return None
    app = apps.get(key)
    if app is None:
        connection.close(4001, f"App key {key} not in this cluster. Did you forget to specify the cluster?")
        return None
    config = app.config
    if not config.enabled:
        connection.close(4003, "Application disabled")
        return None
    if config.max_connections is not None and len(app.connections) >= config.max_connections:
        connection.close(4004, "Application is over connection quota")
        return None
    app.connect(connection)
    return app


def _refuse_version(protocol: str | None, version: str | None) -> tuple[int, str] | None:
    if protocol is None:
        # Old JavaScript clients send their own version only, and it tells the protocol.
        if version is None:
            return 4008, "No protocol version supplied"
        return None if re.fullmatch(r"[0-9]+(\.[0-9]+)*", version) else (4006, "Invalid version string format")
    if not re.fullmatch("[0-9]{1,4}", protocol):
        return 4006, "Invalid version string format"
    return None if int(protocol) in SUPPORTED_PROTOCOLS else (4007, "Unsupported protocol version")


async def _read_all(app: App, websocket: WebSocket, connection: Connection) -> None:
    session = Session(app, connection)
    timeout = app.config.authorization_timeout
    timer = None
    if timeout is not None:
        timer = asyncio.get_running_loop().call_later(timeout, session.close_unless_authorized)
    try:
        while True:
            message = await websocket.receive()
            if message["type"] == "websocket.disconnect":
                return
            session.receive(message.get("text"))
    except WebSocketDisconnect:
        return
    finally:
        if timer is not None:
            timer.cancel()
