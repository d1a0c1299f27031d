"""The debug console: a page that shows an app live, and publishes events.

It has no password, so it answers only to those who can be nobody else's web page: see `_Guard`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from urllib.parse import urlsplit

import attrs
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from pusher_channels.emulator.app import App
from pusher_channels.emulator.channels import ChannelKind, channel_kind
from pusher_channels.emulator.console_feed import Feed
from pusher_channels.emulator.frames import to_json
from pusher_channels.emulator.operations import Call, trigger
from pusher_channels.emulator.request_auth import ApiError

PATH = "/console"
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

SHOWN = 200
"""How many connections, channels and members of a channel are shown. Their numbers are always right."""

INTERVAL = 0.1
"""How often the page is brought up to date at most."""

Log = Callable[[str], None]


def console_routes(apps: Sequence[App], log: Log, host: str) -> list[BaseRoute]:
    """Make the routes of the console. ``host`` is where the emulator listens."""
    guard = _Guard(host)
    html = files("pusher_channels.emulator").joinpath("console.html").read_text(encoding="utf-8")
    headers = {
        "Content-Security-Policy": _content_security_policy(html),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    by_id = {app.config.app_id: app for app in apps}

    async def page(request: Request) -> Response:
        refusal = guard.refuse(request)
        return _refused(refusal) if refusal else HTMLResponse(html, headers=headers)

    async def publish(request: Request) -> Response:
        refusal = guard.refuse(request) or guard.refuse_body(request.headers)
        if refusal:
            return _refused(refusal)
        app = by_id.get(request.path_params["app_id"])
        if app is None:
            return PlainTextResponse("404 NOT FOUND\n", 404)
        try:
            if not app.config.enabled:
                raise ApiError(403, "Application disabled")
            answer = trigger(app, Call(path={}, query={}, body=await request.body()))
        except ApiError as error:
            log(f"console {error.status} {error.text}")
            return PlainTextResponse((error.text + "\n").encode("utf-8", "replace"), error.status)
        log(f"console {answer.note}")
        return Response(to_json(answer.body), media_type="application/json")

    async def live(websocket: WebSocket) -> None:
        app = by_id.get(websocket.query_params.get("app", ""), apps[0])
        if guard.refuse(websocket):
            await websocket.close()  # before it is accepted: an answer with 403
            return
        # Cancelled when the server stops: not an error that uvicorn should log.
        with contextlib.suppress(asyncio.CancelledError):
            await _serve_page(app, apps, websocket)

    return [
        Route(PATH, page, methods=["GET"]),
        Route(PATH + "/apps/{app_id}/events", publish, methods=["POST"]),
        WebSocketRoute(PATH + "/live", live),
    ]


@attrs.frozen
class _Guard:
    """Keeps other people's web pages out, which a browser on this machine may have open.

    Such a page can send requests here. It cannot hide its origin, and cannot send JSON without asking first. If it
    makes its own name point here, so that it has the same origin (DNS rebinding), that name is in the Host header.
    """

    host: str

    def refuse(self, request: HTTPConnection) -> str | None:
        """Return why the request is refused, if it is."""
        authority = request.headers.get("host", "")
        # The address at which the request arrived: one of this machine's own, and no name that somebody can move.
        local: str = (request.scope.get("server") or ("", 0))[0]
        if _hostname(authority) not in LOCAL_HOSTS | {self.host.lower(), local.lower()}:
            return "The console answers to the names of this machine only: open it as http://localhost:<port>/console"
        origin = request.headers.get("origin")
        # Without its scheme, which a proxy in front may have changed.
        if origin is not None and origin.partition("://")[2].lower() != authority.lower():
            return "The console answers to its own page only"
        return None

    def refuse_body(self, headers: Headers) -> str | None:
        """Return why the request is refused, if it is: forms of other pages can send anything but JSON."""
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return "The console takes application/json only"
        return None


def _hostname(authority: str) -> str | None:
    try:
        return urlsplit(f"//{authority}").hostname
    except ValueError:
        return None


def _refused(reason: str) -> Response:
    return PlainTextResponse(reason + "\n", 403)


def _content_security_policy(html: str) -> str:
    """Allow the page's own script and style, by their hashes, and nothing else."""

    def sources(tag: str) -> str:
        texts = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{value}'" for value in hashes)

    return (
        f"default-src 'none'; script-src {sources('script')}; style-src {sources('style')}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


async def _serve_page(app: App, apps: Sequence[App], websocket: WebSocket) -> None:
    """Send what there is and then what changes, until the page is closed or the server stops."""
    await websocket.accept()
    listed = [{"id": each.config.app_id, "key": each.config.key} for each in apps]
    await websocket.send_text(to_json({"apps": listed, "app": app.config.app_id}))
    tasks = [asyncio.create_task(_send_changes(app, websocket)), asyncio.create_task(_read_all(websocket))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_all(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _send_changes(app: App, websocket: WebSocket) -> None:
    seen = 0
    try:
        with app.feed.watch() as changed:
            while True:
                await changed.wait()
                changed.clear()
                if app.feed.is_closed:
                    await websocket.close(1001)
                    return
                message = {**_news(app.feed, seen), "state": _state(app)}
                seen = app.feed.revision
                await websocket.send_text(to_json(message))
                # What happens meanwhile goes together, so that a busy server does not drown the page.
                await asyncio.sleep(INTERVAL)
    except WebSocketDisconnect:
        return


def _news(feed: Feed, seen: int) -> dict[str, object]:
    entries = [attrs.asdict(entry) for entry in feed.entries if entry.number > seen]
    deliveries = [attrs.asdict(delivery) for delivery in feed.deliveries if delivery.revision > seen]
    return {"entries": entries, "deliveries": deliveries}


def _state(app: App) -> dict[str, object]:
    """Describe the connections and channels of now."""
    connections = [
        {
            "socket_id": connection.socket_id,
            "user_id": None if connection.user is None else connection.user.user_id,
            "since": connection.since,
            "channels": len(connection.subscriptions),
        }
        for connection in list(app.connections.values())[:SHOWN]
    ]
    names = list(dict.fromkeys([*(channel.name for channel in app.occupied_channels()), *app.cached_channels()]))
    return {
        "connection_count": len(app.connections),
        "connections": connections,
        "channel_count": len(names),
        "channels": [_describe(app, name) for name in sorted(names)[:SHOWN]],
        "webhook_urls": [endpoint.url for endpoint in app.config.webhooks],
    }


def _describe(app: App, name: str) -> dict[str, object]:
    channel, kind, stored = app.channel(name), channel_kind(name), app.cached(name)
    members = () if channel is None else channel.members.values()
    cached = None
    if stored is not None:
        cached = {"event": stored.event, "data": stored.data, "ttl": app.cache_ttl(stored)}
    return {
        "name": name,
        "kind": _label(kind),
        "subscriptions": 0 if channel is None else channel.subscription_count,
        "member_count": len(members) if kind.presence else None,
        "members": [{"id": member.user_id, "info": member.user_info} for member in list(members)[:SHOWN]],
        "cached": cached,
    }


def _label(kind: ChannelKind) -> str:
    access = "encrypted" if kind.encrypted else "presence" if kind.presence else "private" if kind.private else "public"
    return f"{access} cache" if kind.cache else access
