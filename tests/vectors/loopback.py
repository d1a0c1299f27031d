"""Real sockets on the loopback interface, for what a transport in memory cannot show."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

from attrs import field, frozen


@frozen
class Proxy:
    """An HTTP proxy that answers every request itself, and keeps its target and its proxy credentials."""

    port: int
    seen: list[tuple[str, str | None]] = field(factory=list[tuple[str, str | None]])


@contextmanager
def proxy() -> Generator[Proxy, None, None]:
    """Run a proxy on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.seen.append((self.path, self.headers["Proxy-Authorization"]))
            body = b'{"channels":{}}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Proxy(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def closed_port() -> Generator[int, None, None]:
    """Hold a port on which nobody listens: connections to it are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
