"""What the peer tests run on: processes that speak JSON lines, and an HTTP server of the test's own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import attrs
import pytest

HERE = Path(__file__).parent
NODE_MODULES = HERE.parents[1] / "node_modules"
PATIENCE = 60.0
"""Seconds to wait for something that must happen. What must not happen is shown by a later event instead of a wait."""

Message = dict[str, Any]
ItemT = TypeVar("ItemT")


def missing(reason: str) -> NoReturn:
    """Skip, or fail where the peers have to be there."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (and CI is set)", pytrace=False)
    pytest.skip(reason)


def node() -> str:
    """The path of node. Skips or fails if it or the npm packages are missing."""
    path = shutil.which("node")
    if path is None:
        missing("node is not installed")
    for package in ("pusher", "pusher-js", "@soketi/soketi"):
        if not (NODE_MODULES / package).is_dir():
            missing(f"node_modules has no {package}: run `npm ci`")
    return path


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Log(Generic[ItemT]):
    """What has come in so far, and a way to wait for more. Nothing is consumed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._items: list[ItemT] = []
        self._changed = threading.Condition()
        self._over: str | None = None

    def add(self, item: ItemT) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def end(self, reason: str) -> None:
        """Say that nothing more will come, so that nobody waits in vain."""
        with self._changed:
            self._over = reason
            self._changed.notify_all()

    def all(self, match: Callable[[ItemT], bool]) -> list[ItemT]:
        with self._changed:
            return [item for item in self._items if match(item)]

    def wait(self, match: Callable[[ItemT], bool], what: str, count: int = 1) -> ItemT:
        """The `count`-th item that matches, waiting for it if need be."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._over is not None or sum(map(match, self._items)) >= count, timeout=PATIENCE
            )
            found = [item for item in self._items if match(item)]
            if len(found) >= count:
                return found[count - 1]
            recent = "\n".join(f"  {item}" for item in self._items[-15:])
            raise AssertionError(f"{self._name}: no {what} ({self._over or f'in {PATIENCE} s'}). Last:\n{recent}")


class JsonProcess:
    """A node script that takes and gives JSON lines."""

    def __init__(self, script: str, *arguments: str) -> None:
        self.log = Log[Message](script)
        self._process = subprocess.Popen(
            [node(), str(HERE / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._sending = threading.Lock()
        self._errors: list[str] = []
        self._threads = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for thread in self._threads:
            thread.start()

    def send(self, message: Message) -> None:
        assert self._process.stdin is not None
        with self._sending:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """Close its input, which ends it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # soketi has its own chatter
                self.log.add(json.loads(line))
        self._process.wait()
        self._threads[1].join()
        self.log.end("it ended: " + "".join(self._errors[-20:]))

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        self._errors.extend(self._process.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


@attrs.frozen
class Received:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Received], tuple[int, object]]


class Backend:
    """An HTTP server on loopback: keeps what it receives and answers JSON, by path or the same to everything."""

    def __init__(self, default: Mapping[str, object] | None = None) -> None:
        self.log = Log[Received]("backend")
        self.answers: dict[str, Answer] = {}
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def handle_request(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.command, self.path, headers, body)
                status: int
                content: object
                try:
                    answer = backend.answers.get(received.path)
                    status, content = (200, dict(default or {})) if answer is None else answer(received)
                except Exception as error:
                    status, content = 500, {"error": repr(error)}
                backend.log.add(received)
                payload = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_POST = handle_request  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def received_from(self, action: Callable[[], object]) -> Received:
        """What the action sends, which is one request."""
        before = len(self.log.all(lambda _: True))
        action()
        received = self.log.all(lambda _: True)[before:]
        assert len(received) == 1, received
        return received[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
