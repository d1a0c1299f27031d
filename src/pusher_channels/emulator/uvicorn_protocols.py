"""The two protocols of the server below ASGI, where they must behave unlike uvicorn's own."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

_LINGER = struct.pack("ii" if os.name == "posix" else "hh", 1, 0)
"""Close without a goodbye, whatever is still to be sent."""


class HttpProtocol(H11Protocol):
    """HTTP whose applications can reset the connection, through ``scope["state"]["reset"]``."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "reset": self.reset}, _loop)

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
        self.transport.abort()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """WebSockets that take text which is not UTF-8 for the client's mistake. uvicorn logs an error of its own."""

    def send_receive_event_to_app(self) -> None:
        """Pass a whole message on."""
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()
