"""What the operations answer, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from pusher_channels.emulator import AppConfig, Emulator
from pusher_channels_rest.limits import Limits
from tests.emulator.client import open_client
from tests.emulator.signed_http import Http, refusal

EVENT = {"name": "my-event", "channel": "my-channel", "data": "hello"}
TOO_LARGE = (
    "The data content of this event exceeds the allowed maximum (10240 bytes). "
    "See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info"
)
RESERVED = "The 'pusher' namespace is reserved for internal usage"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"name": None}, (400, "Expected name parameter to be a string")),
        ({"name": 1}, (400, "Expected name parameter to be a string")),
        ({"name": "pusher:foo"}, (400, RESERVED)),
        ({"name": "pusher-foo"}, (400, RESERVED)),
        ({"data": None}, (400, "Missing required parameter: data")),
        ({"data": {"an": "object"}}, (400, "Expected data parameter to be a string")),
        ({"data": "x" * 10_241}, (413, TOO_LARGE)),
        ({"data": "é" * 5_121}, (413, TOO_LARGE)),
    ],
)
def test_events_that_are_refused_alone_and_in_a_batch(
    http: Http, changes: dict[str, object], expected: tuple[int, str]
) -> None:
    assert refusal(http.post("/events", {**EVENT, **changes})) == expected
    assert refusal(http.post("/batch_events", {"batch": [EVENT, {**EVENT, **changes}]})) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "x" * 201},
        {"channel": "no spaces"},
        {"channel": "x" * 201},
        {"channel": ""},
        {"channel": 1},
        {"channel": "#other"},
        {"socket_id": "1234"},
        {"socket_id": 12.34},
        {"info": "bogus"},
        {"info": ["user_count"]},
    ],
)
def test_the_rules_of_the_spec_hold(http: Http, changes: dict[str, object]) -> None:
    assert refusal(http.post("/events", {**EVENT, **changes}))[0] == 400
    assert refusal(http.post("/batch_events", {"batch": [{**EVENT, **changes}]}))[0] == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "any name at all: é"},
        {"name": "x" * 200},
        {"name": "client-foo"},
        {"data": ""},
        {"data": "x" * 10_240},
        {"data": "é" * 5_120},
        {"channel": "x" * 200},
        {"channel": "-_=@,.;Az09"},
        {"channel": "#server-to-user-12345"},
        {"socket_id": "1.1"},
    ],
)
def test_what_is_within_the_rules(http: Http, changes: dict[str, object]) -> None:
    for path, body in (("/events", {**EVENT, **changes}), ("/batch_events", {"batch": [{**EVENT, **changes}]})):
        response = http.post(path, body)
        assert (response.status_code, response.json()) == (200, {}), response.text


def test_channels_of_a_trigger(http: Http) -> None:
    def trigger(**fields: object) -> int:
        return http.post("/events", {"name": "my-event", "data": "", **fields}).status_code

    assert trigger(channels=["a"]) == 200
    assert trigger(channels=[f"channel-{number}" for number in range(100)]) == 200
    assert trigger(channels=[f"channel-{number}" for number in range(101)]) == 400
    assert trigger(channels=[]) == 400
    assert trigger(channels="a") == 400
    assert trigger() == 400
    assert trigger(channels=["a"], channel="a") == 400
    assert trigger(channels=["private-encrypted-a"]) == 200
    assert trigger(channels=["private-encrypted-a", "b"]) == 400


def test_invalid_channel_names_are_named(http: Http) -> None:
    status, text = refusal(http.post("/events", {"name": "e", "data": "", "channels": ["good", "not good"]}))
    assert status == 400
    assert text.startswith("Invalid channel name")
    assert "channels[1]" in text


@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff", b"null", b"[" * 100_000])
def test_bodies_that_are_no_object(http: Http, content: bytes) -> None:
    assert refusal(http.call("POST", "/events", content=content))[0] == 400


def test_an_empty_body_has_no_name(http: Http) -> None:
    assert refusal(http.call("POST", "/events")) == (400, "Expected name parameter to be a string")


def test_batches(http: Http) -> None:
    assert http.post("/batch_events", {"batch": [EVENT] * 10}).json() == {}
    assert refusal(http.post("/batch_events", {"batch": [EVENT] * 11})) == (400, "Batch too large (11 > 10)")
    without_channel = {"name": "e", "data": "", "channels": ["a"]}
    assert refusal(http.post("/batch_events", {"batch": [without_channel]})) == (
        400,
        "Missing required parameter: channel",
    )
    wrong: list[object] = [[], {}, "text", None, [1]]
    for batch in wrong:
        assert refusal(http.post("/batch_events", {"batch": batch}))[0] == 400


def test_a_refused_batch_publishes_nothing(server: Emulator, http: Http) -> None:
    assert http.post("/batch_events", {"batch": [EVENT, {**EVENT, "name": 1}]}).status_code == 400
    assert server.published == ()


def test_limits_can_be_raised_for_an_app() -> None:
    app = AppConfig(limits=Limits(max_data_bytes=20_000, max_batch_events=20))
    with Emulator(apps=[app]) as server:
        http = Http(server)
        assert http.post("/events", {**EVENT, "data": "x" * 20_000}).status_code == 200
        assert http.post("/events", {**EVENT, "data": "x" * 20_001}).status_code == 413
        assert http.post("/batch_events", {"batch": [EVENT] * 20}).status_code == 200
        assert refusal(http.post("/batch_events", {"batch": [EVENT] * 21})) == (400, "Batch too large (21 > 20)")
        http.close()


async def test_info_on_publishing() -> None:
    with Emulator() as server:
        http = Http(server)
        async with open_client(server) as one, open_client(server) as two:
            await one.subscribe("presence-room", {"user_id": "1"})
            await two.subscribe("presence-room", {"user_id": "1"})
            await one.subscribe("public")
            info = "user_count,subscription_count"
            answer = http.post(
                "/events",
                {
                    "name": "e",
                    "data": "",
                    "channels": ["presence-room", "public", "empty", "public", "#server-to-user-1"],
                    "info": info,
                },
            ).json()
            assert answer == {
                "channels": {
                    "presence-room": {"user_count": 1, "subscription_count": 2},
                    "public": {"subscription_count": 1},
                    "empty": {"subscription_count": 0},
                    "#server-to-user-1": {},
                }
            }
            batch: list[dict[str, Any]] = [
                {"name": "e", "data": "", "channel": "presence-room", "info": "user_count"},
                {"name": "e", "data": "", "channel": "public"},
                {"name": "e", "data": "", "channel": "public", "info": info},
            ]
            assert http.post("/batch_events", {"batch": batch}).json() == {
                "batch": [{"user_count": 1}, {}, {"subscription_count": 1}]
            }
        http.close()


async def test_listing_channels(server: Emulator, http: Http) -> None:
    assert http.get("/channels").json() == {"channels": {}}
    async with open_client(server) as one, open_client(server) as two:
        await one.subscribe("public")
        await one.subscribe("presence-room", {"user_id": "1"})
        await two.subscribe("presence-room", {"user_id": "2"})
        assert http.get("/channels").json() == {"channels": {"public": {}, "presence-room": {}}}
        assert http.get("/channels", filter_by_prefix="pub").json() == {"channels": {"public": {}}}
        assert http.get("/channels", filter_by_prefix="presence-", info="user_count").json() == {
            "channels": {"presence-room": {"user_count": 2}}
        }


def test_list_refuses(http: Http) -> None:
    text = (
        "user_count may only be requested for presence channels - "
        "please supply filter_by_prefix begining with presence-"
    )
    assert refusal(http.get("/channels", info="user_count")) == (400, text)
    assert refusal(http.get("/channels", info="user_count", filter_by_prefix="private-")) == (400, text)
    for info in ("bogus", "user_count,", "user_count,bogus"):
        status, text = refusal(http.get("/channels", info=info, filter_by_prefix="presence-"))
        assert status == 400
        assert "info should be a comma separated list of attributes" in text
    assert refusal(http.get("/channels", filter_by_prefix="x" * 201))[0] == 400


async def test_getting_a_channel() -> None:
    with Emulator() as server:
        http = Http(server)
        assert http.get("/channels/public").json() == {"occupied": False}
        assert http.get("/channels/public", info="subscription_count").json() == {
            "occupied": False,
            "subscription_count": 0,
        }
        async with open_client(server) as one, open_client(server) as two:
            for client in (one, two):
                await client.subscribe("presence-room", {"user_id": 1})
            await one.subscribe("public")
            assert http.get("/channels/public").json() == {"occupied": True}
            assert http.get("/channels/public", info="subscription_count").json() == {
                "occupied": True,
                "subscription_count": 1,
            }
            assert http.get("/channels/presence-room", info="user_count,subscription_count").json() == {
                "occupied": True,
                "user_count": 1,
                "subscription_count": 2,
            }
        http.close()


def test_getting_a_cached_event(http: Http) -> None:
    assert http.get("/channels/cache-a", info="cache").json() == {"occupied": False, "cache": None}
    http.trigger("cache-a", data="first")
    http.trigger("cache-a", data="second")
    cache = http.get("/channels/cache-a", info="cache").json()["cache"]
    assert cache["data"] == "second"
    assert 1790 <= cache["ttl"] <= 1800


def test_get_refuses(http: Http, server: Emulator) -> None:
    assert refusal(http.get("/channels/public", info="user_count")) == (
        400,
        "Cannot retrieve the user count unless the channel is a presence channel",
    )
    assert refusal(http.get("/channels/public", info="cache"))[0] == 400
    assert not server.apps[0].subscription_counts
    assert refusal(http.get("/channels/public", info="subscription_count"))[0] == 400
    status, text = refusal(http.get("/channels/public", info="bogus"))
    assert status == 400
    assert "info should be a comma separated list of attributes" in text
    assert refusal(http.get("/channels/not%20good"))[1].startswith("Invalid channel name")
    assert refusal(http.get("/channels/" + "x" * 201))[0] == 400


async def test_listing_users(server: Emulator, http: Http) -> None:
    assert http.get("/channels/presence-room/users").json() == {"users": []}
    async with open_client(server) as one, open_client(server) as two, open_client(server) as three:
        await one.subscribe("presence-room", {"user_id": "a"})
        await two.subscribe("presence-room", {"user_id": 2})
        await three.subscribe("presence-room", {"user_id": "2"})
        assert http.get("/channels/presence-room/users").json() == {"users": [{"id": "a"}, {"id": "2"}]}
    assert refusal(http.get("/channels/private-room/users")) == (
        400,
        "Users can only be retrieved for presence channels",
    )
    assert refusal(http.get("/channels/presence-room/users", info="user_count", page="2")) == (
        400,
        "The following query string parameters are extraneous: info, page",
    )


async def test_the_deprecated_operations(server: Emulator, http: Http) -> None:
    async with open_client(server) as client:
        await client.subscribe("presence-room", {"user_id": "1"})
        assert http.get("/channels/presence-room/stats").json() == {
            "occupied": True,
            "user_count": 1,
            "connection_count": 1,
        }
        response = http.call("POST", "/channels/presence-room/events", content=b'{"a":1}', query={"name": "my-event"})
        assert (response.status_code, response.content) == (202, b"")
        assert (await client.expect("my-event", "presence-room")).raw_data == '{"a":1}'
        query = {"name": "my-event", "socket_id": client.socket_id}
        assert http.call("POST", "/channels/presence-room/events", content=b"", query=query).status_code == 202
        await client.expect_nothing()
    assert http.get("/channels/presence-room/stats").json() == {"occupied": False}
    path = "/channels/public/events"
    assert refusal(http.call("POST", path, content=b"x")) == (400, "Expected name parameter to be a string")
    assert refusal(http.call("POST", path, content=b"\xff", query={"name": "e"}))[0] == 400
    assert refusal(http.call("POST", path, content=b"x" * 10_241, query={"name": "e"})) == (413, TOO_LARGE)
    assert refusal(http.call("POST", path, content=b"x", query={"name": "e", "socket_id": "1"}))[0] == 400


async def test_terminating_connections(server: Emulator, http: Http) -> None:
    path = "/users/12345/terminate_connections"
    assert http.post(path, {}).json() == {}
    async with open_client(server) as one, open_client(server) as two, open_client(server) as other:
        await one.sign_in({"id": "12345"})
        await two.sign_in({"id": "12345"})
        await other.subscribe("presence-room", {"user_id": "12345"})
        assert http.call("POST", path).json() == {}
        for client in (one, two):
            assert await client.expect_close() == (4009, "You got disconnected by the app.")
        await other.expect_nothing()
    assert refusal(http.post("/users/not%20good/terminate_connections", {}))[0] == 400


def test_push_notifications_are_taken_and_recorded(server: Emulator, http: Http) -> None:
    path = "//server_api/v1/apps/1/notifications"
    response = http.post(path, {"interests": ["donuts"], "apns": {"aps": {}}})
    assert (response.status_code, response.json()) == (202, {"number_of_subscribers": 0})
    (taken,) = server.notifications
    assert (taken.app_id, taken.interests) == ("1", ("donuts",))
    assert taken.body == {"interests": ["donuts"], "apns": {"aps": {}}}
    assert refusal(http.post(path, {"interests": ["donuts"]}))[0] == 400
    assert refusal(http.post(path, {"interests": [], "apns": {}}))[0] == 400


def test_the_record_of_what_was_published(server: Emulator, http: Http) -> None:
    http.trigger("first", data="1", socket_id="1.1")
    http.post("/batch_events", {"batch": [{**EVENT, "channel": "second"}, {**EVENT, "channel": "third"}]})
    http.post("/events", {"name": "e", "data": "", "channels": ["a", "b", "a"]})
    assert [(event.channel, event.name, event.data, event.socket_id) for event in server.published] == [
        ("first", "my-event", "1", "1.1"),
        ("second", "my-event", "hello", None),
        ("third", "my-event", "hello", None),
        ("a", "e", "", None),
        ("b", "e", "", None),
    ]
    assert [event.name for event in server.events(channel="second")] == ["my-event"]
    assert [event.channel for event in server.events(name="e")] == ["a", "b"]
    assert server.events(channel="second", name="e") == ()
    assert len(server.events()) == 5
    assert server.events(channel="first")[0].json() == 1
    server.clear()
    assert (server.published, server.notifications) == ((), ())


async def test_an_app_over_its_message_quota() -> None:
    # Two for the event and its delivery, two for the event and its info: the next is one too many.
    with Emulator(apps=[AppConfig(max_messages=4, subscription_counts=False)]) as server:
        http = Http(server)
        async with open_client(server) as client:
            await client.subscribe("public")
            http.trigger("public")
            http.trigger("empty", info="subscription_count")
            over = (403, "API call failed since (daily) message quota exceeded")
            assert refusal(http.post("/events", {"not": "looked at"})) == over
            assert refusal(http.post("/batch_events", {"batch": [EVENT]})) == over
            assert refusal(http.call("POST", "/channels/a/events", content=b"x", query={"name": "e"})) == over
            assert refusal(http.call("POST", "/events", EVENT, signing={"auth_signature": "0"}))[0] == 401
            assert http.get("/channels").status_code == 200
        http.close()


def test_a_body_that_is_far_too_large(http: Http) -> None:
    assert refusal(http.call("POST", "/events", content=b" " * (10 * 1024 * 1024 + 1)))[0] == 413
