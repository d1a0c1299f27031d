"""The WebSocket protocol, frame by frame."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time

import pytest
from websockets.exceptions import ConnectionClosed

from pusher_channels.emulator import AppConfig, Emulator
from tests.emulator.client import Client, open_client, open_socket, sign
from tests.emulator.signed_http import Http

KEY = AppConfig().key


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("/app/other?protocol=7", 4001, "App key other not in this cluster. Did you forget to specify the cluster?"),
        ("/", 4005, "Path not found"),
        ("/apps/x/y", 4005, "Path not found"),
        (f"/app/{KEY}?protocol=seven", 4006, "Invalid version string format"),
        (f"/app/{KEY}?version=x.y", 4006, "Invalid version string format"),
        (f"/app/{KEY}?protocol=3", 4007, "Unsupported protocol version"),
        (f"/app/{KEY}?protocol=8", 4007, "Unsupported protocol version"),
        (f"/app/{KEY}", 4008, "No protocol version supplied"),
    ],
)
async def test_connections_that_are_refused(server: Emulator, path: str, code: int, reason: str) -> None:
    async with open_socket(server, path) as websocket:
        assert await Client(websocket, server.apps[0]).expect_close() == (code, reason)


@pytest.mark.parametrize("query", ["protocol=7", "protocol=5&client=js&version=7.0.3&flash=false", "version=1.9.3"])
async def test_connections_that_are_taken(server: Emulator, query: str) -> None:
    async with open_socket(server, f"/app/{KEY}?{query}") as websocket:
        frame = await Client(websocket, server.apps[0]).expect("pusher:connection_established")
        assert isinstance(frame.raw_data, str)
        assert re.fullmatch(r"[0-9]+\.[0-9]+", frame.data["socket_id"])
        assert frame.data["activity_timeout"] == 120


async def test_a_long_reason_is_cut_to_fit() -> None:
    with Emulator() as server:
        async with open_socket(server, f"/app/{'é' * 100}?protocol=7") as websocket:
            code, reason = await Client(websocket, server.apps[0]).expect_close()
            assert code == 4001
            assert len(reason.encode()) in (122, 123)


async def test_disabled_and_full_apps() -> None:
    disabled, full = AppConfig(enabled=False), AppConfig(app_id="2", key="full", max_connections=1)
    with Emulator(apps=[disabled, full]) as server:
        async with open_socket(server, f"/app/{disabled.key}?protocol=7") as websocket:
            assert await Client(websocket, disabled).expect_close() == (4003, "Application disabled")
        async with open_client(server, app=full), open_socket(server, "/app/full?protocol=7") as websocket:
            assert await Client(websocket, full).expect_close() == (4004, "Application is over connection quota")


async def test_clients_of_an_old_protocol_are_told_why_they_are_closed(server: Emulator) -> None:
    async with open_socket(server, "/app/other?protocol=5") as websocket:
        client = Client(websocket, server.apps[0])
        assert (await client.expect_error(4001)).startswith("App key other")
        assert (await client.expect_close())[0] == 4001


async def test_connections_without_tls_can_be_refused() -> None:
    with Emulator(apps=[AppConfig(tls_only=True)]) as server:
        async with open_socket(server, f"/app/{KEY}?protocol=7") as websocket:
            assert (await Client(websocket, server.apps[0]).expect_close())[0] == 4000


async def test_a_server_over_capacity() -> None:
    two = AppConfig(app_id="2", key="two")
    with Emulator(apps=[AppConfig(), two], capacity=1) as server:
        async with open_client(server) as client:
            async with open_socket(server, "/app/two?protocol=7") as websocket:
                assert await Client(websocket, two).expect_close() == (4100, "Over capacity")
            await client.expect_nothing()
            await client.close()
        async with open_client(server, app=two) as client:
            await client.expect_nothing()


async def test_a_silent_client_is_pinged_and_closed() -> None:
    with Emulator(apps=[AppConfig(activity_timeout=0.1, pong_timeout=0.2)]) as server:
        async with open_client(server) as silent:
            assert (await silent.expect("pusher:ping")).raw_data == {}
            assert await silent.expect_close() == (4201, "Pong reply not received in time")


async def test_a_pong_and_any_other_message_are_signs_of_life() -> None:
    # After a ping comes a close, unless there was a sign of life: then it is another ping. The pong may take so long
    # because the machine may be busy.
    with Emulator(apps=[AppConfig(activity_timeout=0.1, pong_timeout=3.0)]) as server:
        async with open_client(server) as answering, open_client(server) as talking:
            await answering.expect("pusher:ping")
            await answering.send("pusher:pong")
            await talking.expect("pusher:ping")
            await talking.send("pusher:ping")
            await talking.expect("pusher:pong")
            await answering.expect("pusher:ping")
            await talking.expect("pusher:ping")


async def test_old_clients_without_a_ping_may_be_silent_for_long() -> None:
    with Emulator(apps=[AppConfig(activity_timeout=0.02, pong_timeout=0.02, inactivity_timeout=0.3)]) as server:
        async with open_socket(server, f"/app/{KEY}?protocol=4") as websocket:
            client = Client(websocket, server.apps[0])
            await client.expect("pusher:connection_established")
            assert await client.expect_error(4202) == "Closed after inactivity"
            assert (await client.expect_close())[0] == 4202


async def test_text_that_is_not_utf_8_ends_the_connection(server: Emulator, caplog: pytest.LogCaptureFixture) -> None:
    async with open_client(server) as client:
        await client.send_bytes_as_text(b"\xff")
        assert (await client.expect_close())[0] == 1007
    assert caplog.records == []


async def test_ping(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.send("pusher:ping")
        assert (await client.expect("pusher:pong")).raw_data == {}
        await client.send("pusher:pong")
        await client.expect_nothing()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", "Invalid JSON"),
        ("[]", "Invalid JSON"),
        ("[" * 50_000, "Invalid JSON"),
        ('{"event": "pusher:ping", "data": NaN}', "Invalid JSON"),
        ('{"event": "\\ud800"}', "Unsupported event received on socket: ?"),
        ("{}", "Missing parameter: event"),
        ('{"event": 1}', "Missing parameter: event"),
        ('{"event": "other"}', "Unsupported event received on socket: other"),
        ('{"event": "pusher:subscribe"}', "Missing parameter: data.channel"),
        ('{"event": "pusher:subscribe", "data": "text"}', "Missing parameter: data.channel"),
        ('{"event": "pusher:subscribe", "data": {"channel": 1}}', "Missing parameter: data.channel"),
        ('{"event": "pusher:unsubscribe", "data": {}}', "Missing parameter: data.channel"),
        ('{"event": "pusher:signin", "data": {}}', "Missing parameter: data.user_data"),
        (b"\x00", "Binary WebSocket frames are not supported"),
    ],
)
async def test_messages_that_make_no_sense(server: Emulator, text: str | bytes, error: str) -> None:
    async with open_client(server) as client:
        await client.send_text(text)
        assert await client.expect_error() == error
        await client.expect_nothing()


async def test_public_channel(server: Emulator, http: Http) -> None:
    async with open_client(server) as client:
        assert (await client.subscribe("public")).raw_data == "{}"
        http.trigger("public", data='{"some":"data"}')
        frame = await client.expect("my-event", "public")
        assert (frame.raw_data, frame.user_id) == ('{"some":"data"}', None)
        await client.send("pusher:unsubscribe", {"channel": "public"})
        await client.expect_nothing()
        http.trigger("public")
        await client.expect_nothing()


async def test_data_may_come_as_json_text(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.send("pusher:subscribe", json.dumps({"channel": "public"}))
        await client.expect("pusher_internal:subscription_succeeded", "public")


@pytest.mark.parametrize("data", ["", "plain text", "null", "12", '"é\\u0000 \U0001f600"'])
async def test_any_text_arrives_as_it_is(server: Emulator, http: Http, data: str) -> None:
    async with open_client(server) as client:
        await client.subscribe("public")
        http.trigger("public", data=data)
        assert (await client.expect("my-event", "public")).raw_data == data


async def test_one_subscription_a_channel(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.subscribe("public")
        await client.send("pusher:subscribe", {"channel": "public"})
        assert await client.expect_error() == "Existing subscription to channel public"
        await client.send("pusher:unsubscribe", {"channel": "other"})
        expected = "No current subscription to channel other, or subscription in progress"
        assert await client.expect_error() == expected


@pytest.mark.parametrize("name", ["not good", "a:b", "x" * 201, "#other", "private-a/b"])
async def test_channel_names(server: Emulator, name: str) -> None:
    async with open_client(server) as client:
        await client.send("pusher:subscribe", {"channel": name})
        assert (await client.expect_error()).startswith("Invalid channel name")


@pytest.mark.parametrize(
    "channel", ["private-a", "private-encrypted-a", "private-cache-a", "private-encrypted-cache-a"]
)
async def test_private_channels_need_a_signature(server: Emulator, http: Http, channel: str) -> None:
    app = server.apps[0]
    async with open_client(server) as client:
        signed = f"{client.socket_id}:{channel}"
        bad = {
            None: "Invalid key in subscription auth data: ''",
            "no colon": "Invalid key in subscription auth data: 'no colon'",
            "other:0": "Invalid key in subscription auth data: 'other'",
            f"{app.key}:0": f"Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got 0",
        }
        for auth, error in bad.items():
            await client.send("pusher:subscribe", {"channel": channel, "auth": auth})
            assert await client.expect_error() == error
        await client.send("pusher:subscribe", {"channel": channel, "auth": sign(app, f"1.1:{channel}")})
        assert (await client.expect_error()).startswith("Invalid signature")
        http.trigger(channel)
        await client.expect_nothing()
        assert (await client.subscribe(channel)).raw_data == "{}"


@pytest.mark.parametrize("channel", ["cache-a", "private-cache-a", "presence-cache-a", "private-encrypted-cache-a"])
async def test_cache_channels(server: Emulator, http: Http, channel: str) -> None:
    async with open_client(server) as client:
        user = {"user_id": "1"} if channel.startswith("presence-") else None
        await client.subscribe(channel, user)
        miss = await client.expect("pusher:cache_miss", channel)
        assert miss.raw_data is None
        http.trigger(channel, data="1", socket_id=client.socket_id)
        http.trigger(channel, data="2")
        assert (await client.expect("my-event", channel)).raw_data == "2"
    async with open_client(server) as client:
        await client.subscribe(channel, user)
        assert (await client.expect("my-event", channel)).raw_data == "2"
        await client.expect_nothing()


@pytest.mark.parametrize("channel", ["xcache-a", "cachea", "private-xcache-a", "presence-a-cache-b"])
async def test_channels_that_are_not_cached(server: Emulator, http: Http, channel: str) -> None:
    http.trigger(channel)
    async with open_client(server) as client:
        await client.subscribe(channel, {"user_id": "1"} if channel.startswith("presence-") else None)
        await client.expect_nothing()


async def test_cached_events_expire() -> None:
    with Emulator(apps=[AppConfig(cache_ttl=0.0, subscription_counts=False)]) as server:
        http = Http(server)
        http.trigger("cache-a")
        async with open_client(server) as client:
            await client.subscribe("cache-a")
            await client.expect("pusher:cache_miss", "cache-a")
        http.close()


async def test_the_sender_is_left_out(server: Emulator, http: Http) -> None:
    async with open_client(server) as one, open_client(server) as two:
        for client in (one, two):
            await client.subscribe("public")
        http.trigger("public", socket_id=one.socket_id)
        batch = [{"name": "batched", "channel": "public", "data": "", "socket_id": two.socket_id}]
        http.post("/batch_events", {"batch": batch})
        await two.expect("my-event", "public")
        await two.expect_nothing()
        await one.expect("batched", "public")
        await one.expect_nothing()


async def test_presence_members(server: Emulator) -> None:
    async with open_client(server) as one, open_client(server) as two, open_client(server) as again:
        first = await one.subscribe("presence-room", {"user_id": 1, "user_info": {"name": "One"}})
        assert isinstance(first.raw_data, str)
        assert first.data == {"presence": {"ids": ["1"], "hash": {"1": {"name": "One"}}, "count": 1}}
        second = await two.subscribe("presence-room", {"user_id": "two"})
        expected = {"ids": ["1", "two"], "hash": {"1": {"name": "One"}, "two": None}, "count": 2}
        assert second.data == {"presence": expected}
        added = await one.expect("pusher_internal:member_added", "presence-room")
        assert isinstance(added.raw_data, str)
        assert added.data == {"user_id": "two"}

        await again.subscribe("presence-room", {"user_id": "two", "user_info": {"tab": 2}})
        await one.expect_nothing()
        await two.expect_nothing()
        await two.send("pusher:unsubscribe", {"channel": "presence-room"})
        await two.expect_nothing()
        await one.expect_nothing()
        await again.close()
        removed = await one.expect("pusher_internal:member_removed", "presence-room")
        assert removed.data == {"user_id": "two"}


async def test_presence_needs_a_user(server: Emulator) -> None:
    app = server.apps[0]
    async with open_client(server) as client:
        bad = {
            "": "Invalid channel_data: it must be a JSON object",
            "[]": "Invalid channel_data: it must be a JSON object",
            "{}": "Invalid channel_data",
            '{"user_id": true}': "Invalid channel_data",
            '{"user_id": ""}': "Invalid channel_data",
            json.dumps({"user_id": "x" * 129}): "Invalid channel_data",
            json.dumps({"user_id": "x", "user_info": {"y": "x" * 1024}}): "Invalid channel_data",
            '{"user_id": "1", "user_info": "text"}': "user_info supplied to presence subscription is invalid - "
            "if supplied it must be a type of hash",
        }
        for channel_data, error in bad.items():
            auth = sign(app, f"{client.socket_id}:presence-room:{channel_data}")
            data = {"channel": "presence-room", "channel_data": channel_data, "auth": auth}
            await client.send("pusher:subscribe", data)
            assert (await client.expect_error()).startswith(error)
        await client.send("pusher:subscribe", client.subscription("presence-room"))
        assert (await client.expect_error()).startswith("Missing parameter: channel_data")
        changed = {**client.subscription("presence-room", {"user_id": "1"}), "channel_data": '{"user_id":"2"}'}
        await client.send("pusher:subscribe", changed)
        assert (await client.expect_error()).startswith("Invalid signature")


async def test_presence_of_a_signed_in_user(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.sign_in({"id": "12345", "user_info": {"name": "Signed In"}})
        signed_in = await client.subscribe("presence-room")
        assert signed_in.data["presence"]["hash"] == {"12345": {"name": "Signed In"}}
        overridden = await client.subscribe("presence-other", {"user_id": "other"})
        assert overridden.data["presence"]["ids"] == ["other"]


async def test_presence_channels_have_a_limit() -> None:
    with Emulator(apps=[AppConfig(max_presence_members=1)]) as server:
        async with open_client(server) as one, open_client(server) as two:
            await one.subscribe("presence-room", {"user_id": "1"})
            await two.send("pusher:subscribe", two.subscription("presence-room", {"user_id": "2"}))
            assert "limit of 1 members" in await two.expect_error()
            await two.subscribe("presence-room", {"user_id": "1"})


async def test_client_events(server: Emulator, http: Http) -> None:
    async with open_client(server) as one, open_client(server) as two:
        for client in (one, two):
            await client.subscribe("private-chat")
        await one.send("client-typing", {"a": [1, "é"]}, channel="private-chat")
        frame = await two.expect("client-typing", "private-chat")
        assert (frame.raw_data, frame.user_id) == ('{"a":[1,"é"]}', None)
        await one.send("client-typing", "plain", channel="private-chat")
        assert (await two.expect("client-typing", "private-chat")).raw_data == "plain"
        await one.expect_nothing()


async def test_client_events_name_their_sender_to_members(server: Emulator) -> None:
    async with open_client(server) as one, open_client(server) as two:
        await one.subscribe("presence-room", {"user_id": 1})
        await two.subscribe("presence-room", {"user_id": 2})
        await two.send("client-hello", {}, channel="presence-room")
        await one.expect("pusher_internal:member_added", "presence-room")
        assert (await one.expect("client-hello", "presence-room")).user_id == "2"


async def test_client_events_are_not_cached(server: Emulator) -> None:
    async with open_client(server) as one, open_client(server) as two:
        await one.subscribe("private-cache-a")
        await one.expect("pusher:cache_miss", "private-cache-a")
        await one.send("client-hello", {}, channel="private-cache-a")
        await one.expect_nothing()
        await two.subscribe("private-cache-a")
        await two.expect("pusher:cache_miss", "private-cache-a")


async def test_client_events_that_are_refused(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.subscribe("public")
        await client.subscribe("private-mine")
        not_subscribed = "Cannot broadcast client event (connection not subscribed to channel private-other)"
        must_contain = "Invalid client event (must contain channel and data)"
        refused: list[tuple[str, dict[str, object], str]] = [
            ("client-a", {"channel": "private-other", "data": {}}, not_subscribed),
            ("client-a", {"channel": "public", "data": {}}, "Client event rejected - only supported on private"),
            ("client-a", {"channel": "private-mine"}, must_contain),
            ("client-a", {"data": {}}, must_contain),
            ("client-a", {"channel": "private-mine", "data": "x" * 10_241}, "Client event rejected"),
            ("client-a", {"channel": "private-mine", "data": "\ud800"}, "Client event rejected"),
            ("client-" + "a" * 200, {"channel": "private-mine", "data": ""}, "Client event rejected"),
            ("other", {"channel": "private-mine", "data": {}}, "Unsupported event"),
        ]
        for event, fields, error in refused:
            await client.send_text(json.dumps({"event": event, **fields}))
            assert (await client.expect_error()).startswith(error)


async def test_client_events_have_a_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(apps=[AppConfig(max_client_events_per_second=2)]) as server:
        async with open_client(server) as one, open_client(server) as two:
            for client in (one, two):
                await client.subscribe("presence-room", {"user_id": client.socket_id})
            await one.expect("pusher_internal:member_added", "presence-room")
            begin, real = time.monotonic(), time.monotonic
            with monkeypatch.context() as clock:  # a slow one, so that all is within a second on a busy machine, too
                clock.setattr(time, "monotonic", lambda: begin + (real() - begin) / 10)
                for number in range(3):
                    await two.send("client-hello", {"number": number}, channel="presence-room")
                assert await two.expect_error(4301) == "Client event rejected due to rate limit"
                assert [(await one.expect("client-hello", "presence-room")).data["number"] for _ in range(2)] == [0, 1]
                await one.expect_nothing()


async def test_client_events_can_be_switched_off() -> None:
    with Emulator(apps=[AppConfig(client_events=False)]) as server:
        async with open_client(server) as client:
            await client.subscribe("presence-room", {"user_id": "1"})
            await client.send("client-hello", {}, channel="presence-room")
            assert (await client.expect_error()).startswith("To send client events, you must enable this feature")


async def test_signing_in_and_user_events(server: Emulator, http: Http) -> None:
    async with open_client(server) as one, open_client(server) as two, open_client(server) as other:
        user = {"id": "12345", "user_info": {"name": "é"}}
        for client in (one, two):
            await client.sign_in(user)
        await other.sign_in({"id": "67890"})
        await one.subscribe("#server-to-user-12345")
        http.trigger("#server-to-user-12345", data='{"to":"you"}')
        for client in (one, two):
            frame = await client.expect("my-event", "#server-to-user-12345")
            assert frame.data == {"to": "you"}
        http.trigger("#server-to-user-12345", socket_id=one.socket_id)
        await two.expect("my-event", "#server-to-user-12345")
        await one.expect_nothing()
        await other.expect_nothing()
        assert http.get("/channels").json() == {"channels": {}}


async def test_nobody_else_gets_user_events(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.send("pusher:subscribe", {"channel": "#server-to-user-12345"})
        assert (await client.expect_error()).startswith("Invalid channel name")
        await client.sign_in({"id": "1"})
        await client.send("pusher:subscribe", {"channel": "#server-to-user-12345"})
        assert (await client.expect_error()).startswith("Invalid channel name")
        await client.subscribe("#server-to-user-1")
        await client.send("pusher:unsubscribe", {"channel": "#server-to-user-1"})
        await client.expect_nothing()


@pytest.mark.parametrize(
    ("auth", "error"),
    [
        (None, "Invalid format: auth must have the format key:signature"),
        ("no colon", "Invalid format: auth must have the format key:signature"),
        ("other:0", "Invalid key in signin auth data: 'other'"),
        ("\ud800:0", "Invalid key in signin auth data: '?'"),
        (f"{KEY}:0", 'Invalid signature: Expected HMAC SHA256 hex digest of {}::user::{{"id": "12345"}}, but got 0'),
    ],
)
async def test_a_wrong_signin_ends_the_connection(server: Emulator, auth: str | None, error: str) -> None:
    async with open_client(server) as client:
        await client.send("pusher:signin", {**client.signin({"id": "12345"}), "auth": auth})
        text = error.format(client.socket_id)
        assert await client.expect_error(4009) == text
        assert await client.expect_close() == (4009, text[:123])


@pytest.mark.parametrize(
    "user_data",
    ["text", "[]", "{}", '{"id": 12345}', '{"id": ""}', '{"id": "a b"}', '{"id": "1", "watchlist": 2}'],
)
async def test_a_signed_user_must_be_one(server: Emulator, user_data: str) -> None:
    async with open_client(server) as client:
        auth = sign(server.apps[0], f"{client.socket_id}::user::{user_data}")
        await client.send("pusher:signin", {"user_data": user_data, "auth": auth})
        assert (await client.expect_error(4009)).startswith("Invalid user_data")
        assert (await client.expect_close())[0] == 4009


async def test_one_user_a_connection(server: Emulator) -> None:
    async with open_client(server) as client:
        await client.sign_in({"id": "12345"})
        await client.sign_in({"id": "12345"})
        await client.send("pusher:signin", client.signin({"id": "other"}))
        assert "different user id" in await client.expect_error()
        await client.expect_nothing()


async def test_user_authentication_can_be_switched_off() -> None:
    with Emulator(apps=[AppConfig(user_authentication=False)]) as server:
        async with open_client(server) as client:
            await client.send("pusher:signin", client.signin({"id": "12345"}))
            assert (await client.expect_error()).startswith("To sign in, you must enable user authentication")


async def test_a_channel_signature_is_no_user_signature(server: Emulator) -> None:
    async with open_client(server) as client:
        user_data = '{"id":"12345"}'
        auth = sign(server.apps[0], f"{client.socket_id}:presence-room:{user_data}")
        await client.send("pusher:signin", {"user_data": user_data, "auth": auth})
        assert (await client.expect_error(4009)).startswith("Invalid signature")


async def test_watchlist_events(server: Emulator) -> None:
    event = "pusher_internal:watchlist_events"
    async with open_client(server) as watcher, open_client(server) as friend, open_client(server) as second_tab:
        await friend.sign_in({"id": "friend"})
        await watcher.sign_in({"id": "watcher", "watchlist": ["friend", "stranger", "friend"]})
        frame = await watcher.expect(event)
        assert frame.raw_data == {
            "events": [{"name": "online", "user_ids": ["friend"]}, {"name": "offline", "user_ids": ["stranger"]}]
        }
        await second_tab.sign_in({"id": "friend"})
        await second_tab.close()
        await watcher.expect_nothing()
        await friend.close()
        assert (await watcher.expect(event)).data == {"events": [{"name": "offline", "user_ids": ["friend"]}]}
        async with open_client(server) as stranger:
            await stranger.sign_in({"id": "stranger"})
            assert (await watcher.expect(event)).data == {"events": [{"name": "online", "user_ids": ["stranger"]}]}
        assert (await watcher.expect(event)).data == {"events": [{"name": "offline", "user_ids": ["stranger"]}]}


async def test_a_long_watchlist_is_cut() -> None:
    with Emulator(apps=[AppConfig(max_watchlist=2)]) as server:
        async with open_client(server) as client:
            await client.sign_in({"id": "1", "watchlist": ["a", "b", {"never": "looked at"}]})
            frame = await client.expect("pusher_internal:watchlist_events")
            assert frame.data == {"events": [{"name": "offline", "user_ids": ["a", "b"]}]}
            assert "Watchlist limit exceeded" in await client.expect_error(4302)


async def test_watchlist_events_can_be_switched_off() -> None:
    with Emulator(apps=[AppConfig(watchlist_events=False)]) as server:
        async with open_client(server) as client:
            await client.sign_in({"id": "1", "watchlist": ["a"]})
            await client.expect_nothing()


async def test_subscription_counts() -> None:
    with Emulator() as server:
        event = "pusher_internal:subscription_count"
        async with open_client(server) as one, open_client(server) as two:
            await one.subscribe("public")
            assert (await one.expect(event, "public")).data == {"subscription_count": 1}
            await two.subscribe("public")
            for client in (one, two):
                frame = await client.expect(event, "public")
                assert isinstance(frame.raw_data, str)
                assert frame.data == {"subscription_count": 2}
            await two.close()
            assert (await one.expect(event, "public")).data == {"subscription_count": 1}
            await one.subscribe("presence-room", {"user_id": "1"})
            await one.expect_nothing()


async def test_connections_must_be_authorized_in_time() -> None:
    # Time enough to get authorized, on a busy machine too. The one that does not is the last whose time ends.
    with Emulator(apps=[AppConfig(authorization_timeout=3.0, subscription_counts=False)]) as server:
        async with open_client(server) as private, open_client(server) as signed_in, open_client(server) as idle:
            await private.subscribe("private-a")
            await signed_in.sign_in({"id": "1"})
            await idle.subscribe("public")
            assert await idle.expect_close() == (4009, "Connection not authorized within timeout")
            await private.expect_nothing()
            await signed_in.expect_nothing()


async def test_a_message_that_is_too_long_ends_only_its_connection(server: Emulator, http: Http) -> None:
    async with open_client(server) as one, open_client(server) as two:
        await two.subscribe("public")
        # Its length is enough to refuse it. The rest would be sent to a closed connection: that is an error which may
        # come before the code is read.
        one.begin_text(2_000_000)
        assert (await one.expect_close())[0] == 1009
        http.trigger("public")
        await two.expect("my-event", "public")


class DeafClient:
    """A client that sends and reads nothing after its socket id, so that what is sent to it piles up."""

    def __init__(self, server: Emulator) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.connect((server.host, server.port))
        handshake = (
            f"GET /app/{KEY}?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(handshake.encode())
        received = b""
        while (found := re.search(rb'socket_id\\":\\"([0-9.]+)', received)) is None:
            received += self._socket.recv(4096)
        self.socket_id = found[1].decode()

    def send(self, event: str, data: dict[str, str]) -> None:
        text = json.dumps({"event": event, "data": data}).encode()
        length = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
        self._socket.sendall(b"\x81" + length + bytes(4) + text)

    def close(self) -> None:
        self._socket.close()


async def flood(http: Http, reader: Client) -> None:
    """Publish 100 kB that the reader receives."""
    batch = {"batch": [{"name": "e", "channel": "flood", "data": "x" * 10_000}] * 10}
    assert http.post("/batch_events", batch).status_code == 200
    for _ in range(10):
        await reader.expect("e", "flood")


async def test_a_client_that_does_not_read_keeps_nobody_waiting() -> None:
    with Emulator(apps=[AppConfig(max_queued_frames=50, subscription_counts=False)]) as server:
        http = Http(server)
        async with open_client(server) as reader:
            await reader.subscribe("flood")
            deaf = DeafClient(server)
            deaf.send("pusher:subscribe", {"channel": "flood"})
            counts: list[int] = []
            while counts[-1:] != [1] or 2 not in counts:
                await flood(http, reader)
                counts.append(http.get("/channels/flood/stats").json()["connection_count"])
            deaf.close()
        http.close()


async def test_a_closed_connection_cannot_come_back_into_a_channel(server: Emulator, http: Http) -> None:
    async with open_client(server) as reader:
        await reader.subscribe("flood")
        deaf = DeafClient(server)
        user_data = '{"id":"1"}'
        auth = sign(server.apps[0], f"{deaf.socket_id}::user::{user_data}")
        deaf.send("pusher:signin", {"user_data": user_data, "auth": auth})
        deaf.send("pusher:subscribe", {"channel": "flood"})
        for _ in range(80):  # more than the system buffers, so that the close cannot be sent
            await flood(http, reader)
        assert http.get("/channels/flood/stats").json()["connection_count"] == 2
        http.post("/users/1/terminate_connections", {})
        assert http.get("/channels/flood/stats").json()["connection_count"] == 1
        deaf.send("pusher:subscribe", {"channel": "late"})
        for _ in range(20):
            await reader.expect_nothing()
            assert http.get("/channels").json() == {"channels": {"flood": {}}}
        deaf.close()


async def test_clients_that_vanish_are_forgotten(server: Emulator, http: Http) -> None:
    async with open_client(server) as watcher:
        await watcher.subscribe("presence-room", {"user_id": "stays"})
        async with open_socket(server, f"/app/{KEY}?protocol=7") as websocket:
            client = Client(websocket, server.apps[0])
            client.socket_id = (await client.next()).data["socket_id"]
            await client.subscribe("presence-room", {"user_id": "goes"})
            await watcher.expect("pusher_internal:member_added", "presence-room")
            websocket.transport.abort()
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
        await watcher.expect("pusher_internal:member_removed", "presence-room")
        assert http.get("/channels/presence-room/users").json() == {"users": [{"id": "stays"}]}


async def test_a_thousand_subscribers(server: Emulator, http: Http) -> None:
    async with asyncio.timeout(120):
        contexts = [open_client(server) for _ in range(1000)]
        clients: list[Client] = []
        for start in range(0, 1000, 50):
            clients += await asyncio.gather(*(context.__aenter__() for context in contexts[start : start + 50]))
        await asyncio.gather(*(client.subscribe("public") for client in clients))
        http.trigger("public", data="to all")
        frames = await asyncio.gather(*(client.expect("my-event", "public") for client in clients))
        assert {frame.raw_data for frame in frames} == {"to all"}
        await asyncio.gather(*(client.close() for client in clients))
        for context in contexts:
            await context.__aexit__(None, None, None)
