"""Publish through a local server and watch the events arrive: ``make demo``.

Everything here is real but the hosted service: the emulator listens on a port of this machine, subscribers connect to
it over WebSockets, a backend answers their auth requests and receives webhooks over HTTP, and both clients publish.
Each ✓ is something that was compared with what arrived. The exit status is 0 if all of them hold.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import attrs
import httpx
import uvicorn
from starlette.requests import Request

from examples.starlette_backend import User, make_app
from examples.subscriber import TIMEOUT, Subscriber
from pusher_channels import AsyncPusher, ClientEvent, Event, Pusher, Webhook, WebhookEvent
from pusher_channels.emulator import AppConfig, Emulator, WebhookEndpoint

MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="  # of this demo: make your own with openssl rand -base64 32
USERS = {"ada": User("ada", "Ada", friends=("ben",)), "ben": User("ben", "Ben", friends=("ada",))}
WIDTH = 110


class Report:
    """Prints what happens, and counts what was expected of it."""

    def __init__(self) -> None:
        self.expected = 0
        self.met = 0
        encoding = (sys.stdout.encoding or "").lower().replace("-", "")
        self._yes, self._no, self._line = ("✓", "✗", "─") if encoding == "utf8" else ("ok", "NO", "-")

    def section(self, title: str, channel: str = "") -> None:
        """Begin a part of the story."""
        print(f"\n{title}  {channel}".rstrip())
        print(self._line * WIDTH)

    def tell(self, who: str, what: str, data: object = None) -> None:
        """Print a line that is not checked: what was done."""
        print(f"    {who:<13}{what:<30}{_text(data)}".rstrip())

    async def expect(self, who: str, what: str, expected: object, actual: Awaitable[object]) -> None:
        """Wait for something and compare it."""
        self.expected += 1
        try:
            value = await actual
        except Exception as error:  # a demo goes on, and tells in the end
            value = error
        is_met = value == expected
        self.met += is_met
        print(f"  {self._yes if is_met else self._no:<2}{who:<13}{what:<30}{_text(value)}".rstrip())
        if not is_met:
            print(f"    {'':<13}{'expected':<30}{_text(expected)}")


def _text(data: object) -> str:
    if data is None:
        return ""
    text = data if isinstance(data, str) else repr(data) if isinstance(data, Exception) else json.dumps(data)
    room = WIDTH - 47
    return text if len(text) <= room else text[: room - 3] + "..."


async def value_of(value: object) -> object:
    """Turn a value at hand into one to wait for."""
    return value


@attrs.frozen
class Stage:
    """Who takes part."""

    server: Emulator
    pusher: Pusher
    async_pusher: AsyncPusher
    ada: Subscriber
    ben: Subscriber
    new_subscriber: Callable[[str], Awaitable[Subscriber]]
    webhook_events: asyncio.Queue[WebhookEvent]
    report: Report


async def public_channel(stage: Stage) -> None:
    report, data = stage.report, {"title": "Local and live"}
    report.section("Public channel", "news")
    for subscriber in (stage.ada, stage.ben):
        await subscriber.subscribe("news")
    report.tell("Pusher", "trigger headline", data)
    stage.pusher.trigger("news", "headline", data)
    for subscriber in (stage.ada, stage.ben):
        await report.expect(subscriber.name, "received headline", data, subscriber.data("headline", "news"))


async def private_channel(stage: Stage) -> None:
    report, data = stage.report, {"unread": 3}
    report.section("Private channel", "private-user-ada, authorized by the backend")
    await stage.ada.subscribe("private-user-ada")
    report.tell("AsyncPusher", "trigger mail", data)
    await stage.async_pusher.trigger("private-user-ada", "mail", data)
    await report.expect("Ada", "received mail", data, stage.ada.data("mail", "private-user-ada"))
    try:
        await stage.ben.subscribe("private-user-ada")
    except httpx.HTTPStatusError as refusal:
        await report.expect("Ben", "is refused with", 403, value_of(refusal.response.status_code))
    else:
        await report.expect("Ben", "is refused", True, value_of(False))


async def presence_channel(stage: Stage) -> None:
    report, channel = stage.report, "presence-room"
    report.section("Presence channel", channel)
    members = {"presence": {"ids": ["ada"], "hash": {"ada": {"name": "Ada"}}, "count": 1}}
    await report.expect("Ada", "joined and sees", members, stage.ada.subscribe(channel))
    await stage.ben.subscribe(channel)
    joined = {"user_id": "ben", "user_info": {"name": "Ben"}}
    await report.expect("Ada", "sees who comes", joined, stage.ada.data("pusher_internal:member_added", channel))
    report.tell("Pusher", "trigger question", "a str is sent as it is")
    stage.pusher.trigger(channel, "question", "a str is sent as it is", socket_id=stage.ben.socket_id)
    received = stage.ada.data("question", channel)
    await report.expect("Ada", "received question", "a str is sent as it is", received)
    excluded = stage.ben.has_received("question", channel)
    await report.expect("Ben", "was excluded, received it", False, excluded)
    report.tell("Ben", "trigger client-answer", {"answer": 42})
    await stage.ben.trigger(channel, "client-answer", {"answer": 42})
    await report.expect("Ada", "received client-answer", {"answer": 42}, stage.ada.data("client-answer", channel))


async def encrypted_channel(stage: Stage) -> None:
    report, channel, data = stage.report, "private-encrypted-ward", {"patient": "Grace", "room": 7}
    report.section("End-to-end encrypted channel", channel)
    await stage.ada.subscribe(channel)
    report.tell("Pusher", "trigger admitted", data)
    stage.pusher.trigger(channel, "admitted", data)
    frame = await stage.ada.frame("admitted", channel)
    wire = str(frame.data)
    report.tell("on the wire", "", wire)
    fields = list(json.loads(wire)) if "Grace" not in wire else []
    await report.expect("on the wire", "nothing but", ["nonce", "ciphertext"], value_of(fields))
    await report.expect("Ada", "decrypted admitted", data, value_of(stage.ada.decode(frame)))


async def cache_channel(stage: Stage) -> None:
    report, channel, data = stage.report, "cache-weather", {"degrees": 21}
    report.section("Cache channel", channel)
    await stage.ada.subscribe(channel)
    await report.expect("Ada", "finds the cache empty", None, stage.ada.data("pusher:cache_miss", channel))
    report.tell("AsyncPusher", "trigger measured", data)
    await stage.async_pusher.trigger(channel, "measured", data)
    await report.expect("Ada", "received measured", data, stage.ada.data("measured", channel))
    late = await stage.new_subscriber("ben")
    await late.subscribe(channel)
    await report.expect("Ben, later", "received measured", data, late.data("measured", channel))
    await late.close()


async def batch(stage: Stage) -> None:
    report = stage.report
    report.section("A batch", "three events in one request, one of them encrypted")
    events = [
        Event("news", "batched", {"number": 1}),
        Event("presence-room", "batched", {"number": 2}),
        Event("private-encrypted-ward", "batched", {"number": 3}),
    ]
    report.tell("AsyncPusher", "trigger_batch", [event.data for event in events])
    await stage.async_pusher.trigger_batch(events)
    for event in events:
        what = f"on {event.channel}"
        await report.expect("Ada", what, event.data, stage.ada.data("batched", event.channel))


async def one_user(stage: Stage) -> None:
    report, data = stage.report, {"for": "Ada alone"}
    report.section("One user", "on all connections that signed in")
    await stage.ada.sign_in()
    await stage.ben.sign_in()
    watched = {"events": [{"name": "online", "user_ids": ["ben"]}]}
    await stage.ada.frame("pusher_internal:watchlist_events")  # that ben is offline, at first
    online = stage.ada.data("pusher_internal:watchlist_events")
    await report.expect("Ada", "watches a friend sign in", watched, online)
    report.tell("Pusher", "send_to_user ada", data)
    stage.pusher.send_to_user("ada", "notice", data)
    await report.expect("Ada", "received notice", data, stage.ada.data("notice", "#server-to-user-ada"))


async def queries(stage: Stage) -> None:
    report, pusher = stage.report, stage.pusher
    report.section("Queries")
    rooms = pusher.channels.list(filter_by_prefix="presence-", info=["user_count"])
    expected = {"presence-room": 2}
    counts = {name: attributes.user_count for name, attributes in rooms.channels.items()}
    await report.expect("Pusher", "channels.list", expected, value_of(counts))
    news = await stage.async_pusher.channels.get("news", info=["subscription_count"])
    state = {"occupied": True, "subscription_count": 2}
    await report.expect("AsyncPusher", "channels.get news", state, value_of(news.to_dict()))
    cached = pusher.channels.get("cache-weather", info=["cache"]).cache
    data = cached.data if cached is not None else None
    await report.expect("Pusher", "channels.get cache-weather", '{"degrees":21}', value_of(data))
    users = await stage.async_pusher.channels.users("presence-room")
    await report.expect("AsyncPusher", "channels.users", ["ada", "ben"], value_of([user.id for user in users.users]))
    result = pusher.trigger("presence-room", "counted", {}, info=["user_count"])
    counted = {name: attributes.to_dict() for name, attributes in (result.channels or {}).items()}
    expected_counts = {"presence-room": {"user_count": 2}}
    await report.expect("Pusher", "trigger with info", expected_counts, value_of(counted))


async def termination(stage: Stage) -> None:
    report = stage.report
    report.section("Termination")
    report.tell("Pusher", "users.terminate_connections ben")
    stage.pusher.users.terminate_connections("ben")
    await report.expect("Ben", "is closed with code", 4009, stage.ben.closed())
    removed = stage.ada.data("pusher_internal:member_removed", "presence-room")
    await report.expect("Ada", "sees who goes", {"user_id": "ben"}, removed)


async def webhooks(stage: Stage) -> None:
    report = stage.report
    report.section("Webhooks", "received over HTTP, verified by pusher.webhook")
    missing = {
        "channel_occupied news",
        "channel_occupied presence-room",
        "member_added presence-room ben",
        "client_event presence-room client-answer",
        "cache_miss cache-weather",
        "subscription_count news",
        "member_removed presence-room ben",
        "channel_vacated private-user-ada",
    }
    await stage.ada.close()
    seen: list[str] = []
    try:
        async with asyncio.timeout(TIMEOUT):
            while not missing <= set(seen):
                seen.append(describe(await stage.webhook_events.get()))
    except TimeoutError:
        pass
    for line in sorted(missing):
        await report.expect("backend", "received", line, value_of(line if line in seen else "nothing"))


def describe(event: WebhookEvent) -> str:
    words = [event.name, *(str(getattr(event, field, "")) for field in ("channel", "user_id"))]
    if isinstance(event, ClientEvent):
        words = [event.name, event.channel, event.event]
    return " ".join(word for word in words if word)


@asynccontextmanager
async def run_backend(
    listener: socket.socket, pusher: Pusher, receive: Callable[[Webhook], None]
) -> AsyncGenerator[None]:
    """Serve the application of `starlette_backend` to the demo's users, who say who they are in a header."""

    def current_user(request: Request) -> User | None:
        return USERS.get(request.headers.get("X-Demo-User", ""))

    app = make_app(pusher, current_user, receive)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def open_stage(report: Report) -> AsyncGenerator[Stage]:
    """Start the emulator and the backend, and connect two users."""
    webhook_events: asyncio.Queue[WebhookEvent] = asyncio.Queue()

    def receive(webhook: Webhook) -> None:
        for event in webhook.events:
            webhook_events.put_nowait(event)

    listener = socket.create_server(("127.0.0.1", 0))
    backend_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = AppConfig(webhooks=(WebhookEndpoint(backend_url + "/pusher/webhooks"),), webhook_delay=0.2)
    async with (
        Emulator(apps=[app]) as server,
        AsyncPusher.from_url(server.url, encryption_master_key_base64=MASTER_KEY) as async_pusher,
        httpx.AsyncClient(base_url=backend_url, headers={"X-Demo-User": "ada"}) as ada_session,
        httpx.AsyncClient(base_url=backend_url, headers={"X-Demo-User": "ben"}) as ben_session,
    ):
        sessions = {"ada": ada_session, "ben": ben_session}

        async def new_subscriber(user_id: str) -> Subscriber:
            return await Subscriber.connect(USERS[user_id].name, server.websocket_url, sessions[user_id])

        with Pusher.from_url(server.url, encryption_master_key_base64=MASTER_KEY) as pusher:
            async with run_backend(listener, pusher, receive):
                print(f"Pusher Channels demo\n\n    emulator  {server.host}:{server.port}\n    backend   {backend_url}")
                ada, ben = await new_subscriber("ada"), await new_subscriber("ben")
                yield Stage(server, pusher, async_pusher, ada, ben, new_subscriber, webhook_events, report)
                for subscriber in (ada, ben):
                    await subscriber.close()


async def run() -> int:
    """Play all acts, and return the exit status."""
    started = time.perf_counter()
    report = Report()
    async with open_stage(report) as stage:
        await public_channel(stage)
        await private_channel(stage)
        await presence_channel(stage)
        await encrypted_channel(stage)
        await cache_channel(stage)
        await batch(stage)
        await one_user(stage)
        await queries(stage)
        await termination(stage)
        await webhooks(stage)
        published = len(stage.server.published)
    seconds = time.perf_counter() - started
    print(f"\n{report.met} of {report.expected} expectations met, {published} events published, {seconds:.1f} s")
    return 0 if report.met == report.expected else 1


def main() -> int:
    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
