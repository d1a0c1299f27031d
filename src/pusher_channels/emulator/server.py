"""The emulator as a running server: uvicorn on a thread of its own, which owns all state."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from pusher_channels.emulator import config as defaults
from pusher_channels.emulator.app import App, PublishedEvent, PublishedNotification
from pusher_channels.emulator.asgi import make_asgi_app
from pusher_channels.emulator.config import AppConfig, WebhookEndpoint
from pusher_channels.emulator.controls import Controls, Fault, PlannedFault
from pusher_channels.emulator.uvicorn_protocols import HttpProtocol, WebSocketProtocol

if TYPE_CHECKING:
    from types import TracebackType

BACKLOG = 2048
MAX_MESSAGE_BYTES = 1024 * 1024
KEEP_ALIVE = 75
CLOSE_GRACE = 0.2
"""How long clients get to answer a close before their sockets are shut."""


class Emulator:
    """A local Pusher Channels server, for development and tests.

        with Emulator() as server:
            pusher = Pusher.from_url(server.url)

    It runs on a thread of its own, so it can be used from plain code and from a running event loop alike
    (``async with``). Any number may run at once; each has its own port and its own state.
    """

    def __init__(
        self,
        app_id: str = defaults.APP_ID,
        key: str = defaults.KEY,
        secret: str = defaults.SECRET,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        webhook_url: str | None = None,
        apps: Sequence[AppConfig] | None = None,
        capacity: int | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        """Describe a server. It starts with `start`, or as a context manager.

        Args:
            app_id: The app's id.
            key: The app's key.
            secret: The key's secret. It is a development secret: the URL shows it.
            host: Where to listen.
            port: The port, or 0 for a free one.
            webhook_url: Where webhooks are sent, if anywhere.
            apps: Apps with settings of their own, in place of the one that the other arguments describe.
            capacity: How many connections all apps may have together before new ones are closed with 4100.
            log: Called with one line for each request and event, on the server's thread.

        Raises:
            ValueError: Two apps have the same id or key, or there is none, or ``webhook_url`` is given beside them.
        """
        if apps is not None and webhook_url is not None:
            raise ValueError("webhook_url: the apps say themselves where their webhooks go")
        webhooks = () if webhook_url is None else (WebhookEndpoint(webhook_url),)
        if apps is None:
            apps = (AppConfig(app_id=app_id, key=key, secret=secret, webhooks=webhooks),)
        self.apps = tuple(apps)
        if not self.apps or len({app.key for app in self.apps}) < len(self.apps):
            raise ValueError("apps: at least one app, each with a key of its own")
        if len({app.app_id for app in self.apps}) < len(self.apps):
            raise ValueError("apps: each app needs an app_id of its own")
        self.host = host
        self._port = port
        self._log = log
        self._controls = Controls(capacity)
        self._running: _Running | None = None
        self._published: tuple[PublishedEvent, ...] = ()
        self._notifications: tuple[PublishedNotification, ...] = ()

    def __repr__(self) -> str:
        return f"Emulator(host={self.host!r}, port={self.port}, apps={[app.app_id for app in self.apps]})"

    @property
    def port(self) -> int:
        """The port: once it is started the real one."""
        return self._port if self._running is None else self._running.port

    @property
    def url(self) -> str:
        """The URL of the first app with its credentials, as ``Pusher.from_url`` and ``PUSHER_URL`` take it."""
        return self.url_of(self.apps[0])

    def url_of(self, app: AppConfig) -> str:
        """Return the URL of an app."""
        return f"http://{quote(app.key, safe='')}:{quote(app.secret, safe='')}@{self._netloc}/apps/{app.app_id}"

    @property
    def websocket_url(self) -> str:
        """The URL at which clients of the first app connect."""
        return f"ws://{self._netloc}/app/{quote(self.apps[0].key, safe='')}?protocol=7"

    @property
    def console_url(self) -> str:
        """The page that shows what happens. It answers on this machine only, to nobody else's pages."""
        return f"http://{self._netloc}/console"

    @property
    def published(self) -> tuple[PublishedEvent, ...]:
        """What the HTTP API took in this run or, when it is stopped, in the last one: all apps, oldest first."""
        return self._published if self._running is None else self._running.published()

    def events(self, *, channel: str | None = None, name: str | None = None) -> tuple[PublishedEvent, ...]:
        """Return what of `published` is of the channel, and has the name. None is any."""
        return tuple(
            event for event in self.published if channel in (None, event.channel) and name in (None, event.name)
        )

    @property
    def notifications(self) -> tuple[PublishedNotification, ...]:
        """The push notifications that the HTTP API took, as `published` has the events."""
        return self._notifications if self._running is None else self._running.notifications()

    @property
    def clock_offset(self) -> float:
        """How many seconds the server's clock is ahead, for the age of requests and the time of webhooks."""
        return self._controls.clock_offset

    @clock_offset.setter
    def clock_offset(self, seconds: float) -> None:
        self._controls.clock_offset = seconds

    def fail_next(self, fault: Fault, *, times: int = 1, path: str | None = None, delay: float = 1.0) -> None:
        """Let the next requests of the HTTP API fail. Several faults happen one after another.

        Args:
            fault: What happens.
            times: To how many requests.
            path: The end of their path, such as ``/events``. None is any.
            delay: How many seconds a slow answer takes, or `Fault.UNAVAILABLE` asks the client to wait.
        """
        self._controls.faults.add(PlannedFault(fault, times, path, delay))

    def clear(self) -> None:
        """Forget what was published, and the faults that are still to come. Set the clock right."""
        self._controls.faults.clear()
        self._controls.clock_offset = 0.0
        self._published = self._notifications = ()
        if self._running is not None:
            self._running.clear()

    @property
    def _netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def start(self) -> Self:
        """Start to listen. Returns when clients can connect.

        Raises:
            OSError: The address cannot be listened on.
            RuntimeError: It is running already.
        """
        if self._running is not None:
            raise RuntimeError("this emulator is running already")
        self._running = _Running(self.apps, self.host, self._port, self._controls, self._log or _no_log)
        return self

    def stop(self) -> None:
        """Stop: close all connections, forget all state. Harmless when it is not running."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()
            self._published, self._notifications = running.published(), running.notifications()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


def _no_log(_: str) -> None:
    pass


class _Running:
    """One run of an emulator, from the bound socket to the joined thread."""

    def __init__(
        self, apps: Sequence[AppConfig], host: str, port: int, controls: Controls, log: Callable[[str], None]
    ) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._host = host
        self._configs = apps
        self._controls = controls
        self._log = log
        self._apps: tuple[App, ...] = ()
        self._started: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"pusher-emulator-{self.port}", daemon=True)
        self._thread.start()
        self._started.result()

    def published(self) -> tuple[PublishedEvent, ...]:
        # Copying a list is one step to other threads, so this needs no word with the loop.
        events = [event for app in self._apps for event in tuple(app.published)]
        return tuple(sorted(events, key=lambda event: event.time))

    def notifications(self) -> tuple[PublishedNotification, ...]:
        entries = [entry for app in self._apps for entry in tuple(app.notifications)]
        return tuple(sorted(entries, key=lambda entry: entry.time))

    def clear(self) -> None:
        for app in self._apps:
            app.published.clear()
            app.notifications.clear()

    def stop(self) -> None:
        if self._loop is not None:
            # Closed already if the server ended by itself.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.run(self._serve())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)
        finally:
            self._socket.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._apps = tuple(App(config, self._log, self._controls.time) for config in self._configs)
        config = uvicorn.Config(
            make_asgi_app(self._apps, self._controls, self._log, self._host),
            loop="asyncio",
            http=HttpProtocol,
            ws=WebSocketProtocol,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            ws_ping_interval=None,  # the protocol has a ping of its own
            interface="asgi3",
            lifespan="off",
            workers=1,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        await _Server(config, self._apps, self._stop, self._started).serve(sockets=[self._socket])


def _listen(host: str, port: int) -> socket.socket:
    """Listen, on a socket that says it is TCP: asyncio sends at once (TCP_NODELAY) only on those."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # Else the port of a stopped server stays taken for a minute. Elsewhere the option lets ports be stolen.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class _Server(uvicorn.Server):
    """A uvicorn server that says when it is ready, and stops at once instead of at its next poll."""

    def __init__(self, config: uvicorn.Config, apps: Sequence[App], stop: asyncio.Event, started: Future[None]) -> None:
        super().__init__(config)
        self._apps = apps
        self._stop = stop
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started.set_result(None)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):  # keeps the Date header right
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), timeout=1)
                return

    async def _stop_accepting(self) -> None:
        # A connection that was accepted, but whose protocol has not begun when its server closes, asyncio leaves open.
        loop = asyncio.get_running_loop()
        for listener in [listener for server in self.servers for listener in server.sockets]:
            with contextlib.suppress(NotImplementedError):  # on Windows
                loop.remove_reader(listener)
        for _ in range(3):  # a transport is made, it is handed to its protocol, which is then among the connections
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._stop_accepting()
        for app in self._apps:
            for connection in list(app.connections.values()):
                app.close(connection, 4200, "The emulator is stopping")
            await app.aclose()
        connections, tasks = self.server_state.connections, self.server_state.tasks
        for protocol in list(connections):
            if not isinstance(protocol, WebSocketsSansIOProtocol):
                protocol.shutdown()
        deadline = asyncio.get_running_loop().time() + CLOSE_GRACE
        while (connections or tasks) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  no event for it
            await asyncio.sleep(0.005)
        for protocol in list(connections):
            protocol.transport.abort()
        rest = list(tasks)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
