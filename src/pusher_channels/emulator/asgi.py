"""The ASGI application: the HTTP API beside the WebSocket endpoint, on one port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from pusher_channels.emulator.app import App
from pusher_channels.emulator.console import console_routes
from pusher_channels.emulator.controls import Controls
from pusher_channels.emulator.http_api import api_routes, not_found
from pusher_channels.emulator.websocket import serve_client


def make_asgi_app(apps: Sequence[App], controls: Controls, log: Callable[[str], None], host: str) -> Starlette:
    """Make the application that serves these apps. ``host`` is where it listens."""
    by_key = {app.config.key: app for app in apps}

    async def websocket_endpoint(websocket: WebSocket) -> None:
        # Cancelled when the server stops: not an error that uvicorn should log.
        with contextlib.suppress(asyncio.CancelledError):
            await serve_client(by_key, controls, websocket)

    application = Starlette(
        routes=[
            *api_routes(by_key, controls, log),
            *console_routes(apps, log, host),
            WebSocketRoute("/app/{key}", websocket_endpoint),
            WebSocketRoute("/{path:path}", websocket_endpoint),
        ],
        # A known path with another method is as unknown to the service as any other.
        exception_handlers={404: not_found, 405: not_found},
    )
    application.router.redirect_slashes = False
    return application
