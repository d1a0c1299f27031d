"""Our clients against soketi, a server nobody here wrote, with pusher-js and pysher listening."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any
from uuid import uuid4

import pytest

from pusher_channels import (
    AsyncPusher,
    AuthenticationError,
    BadRequestError,
    CacheMiss,
    ChannelOccupied,
    ChannelVacated,
    ClientEvent,
    Event,
    InvalidSignatureError,
    MemberAdded,
    MemberRemoved,
    NotFoundError,
    PayloadTooLargeError,
    Pusher,
    Webhook,
)
from tests.peers.conftest import Connect
from tests.peers.harness import PATIENCE, Backend, Received
from tests.peers.support import APP_ID, KEY, SECRET, Sdk, options, pypi

DATA = {"id": 7, "text": "grüße, 世界 🎉", "nested": {"list": [1, None, True]}}


def fresh(prefix: str = "") -> str:
    """A channel name of one test's own, with every kind of character."""
    return f"{prefix}peers-{uuid4().hex}_=@,.;Z"


# Events


@pytest.mark.parametrize("prefix", ["", "private-", "presence-", "private-encrypted-"])
def test_an_event_reaches_its_subscribers(sdk: Sdk, connect: Connect, prefix: str) -> None:
    channel, browser = fresh(prefix), connect({"user_id": "ann"})
    browser.subscribe(channel)
    sdk.trigger(channel, "price", DATA)
    sdk.trigger(channel, "text", "just text: ß")
    assert browser.event(channel, "price")["data"] == DATA
    # pusher-js hands a str that is no JSON on as it is.
    assert browser.event(channel, "text")["data"] == "just text: ß"


def test_one_trigger_reaches_many_channels(sdk: Sdk, connect: Connect) -> None:
    channels, browser = [fresh(), fresh("private-"), fresh("presence-")], connect({"user_id": "ann"})
    for channel in channels:
        browser.subscribe(channel)
    sdk.trigger(channels, "news", DATA)
    assert [browser.event(channel, "news")["data"] for channel in channels] == [DATA] * 3


def test_a_batch_reaches_every_kind_of_channel(sdk: Sdk, connect: Connect) -> None:
    channels = [fresh(), fresh("private-"), fresh("private-encrypted-"), fresh("private-encrypted-")]
    browser = connect()
    for channel in channels:
        browser.subscribe(channel)
    sdk.trigger_batch([Event(channel, "n", {"number": number}) for number, channel in enumerate(channels)])
    assert [browser.event(channel, "n")["data"] for channel in channels] == [{"number": number} for number in range(4)]


def test_the_server_sees_no_plaintext_of_an_encrypted_event(sdk: Sdk, connect: Connect) -> None:
    channel, browser = fresh("private-encrypted-"), connect()
    browser.subscribe(channel)
    sdk.trigger(channel, "secret", {"pin": 4711})
    assert browser.event(channel, "secret")["data"] == {"pin": 4711}
    raw = browser.event("any", "secret")["data"]  # what came over the wire, before pusher-js decrypts
    assert set(raw) == {"nonce", "ciphertext"}


async def test_fifty_at_once_all_arrive(soketi: int, connect: Connect) -> None:
    channel, browser = fresh(), connect()
    browser.subscribe(channel)
    async with AsyncPusher(APP_ID, KEY, SECRET, **options(soketi)) as pusher:
        await asyncio.gather(*(pusher.trigger(channel, f"event-{number}", {"number": number}) for number in range(50)))
    for number in range(50):
        assert browser.event(channel, f"event-{number}")["data"] == {"number": number}
        assert len(browser.events(channel, f"event-{number}")) == 1


@pytest.mark.parametrize("batch", [False, True])
def test_the_connection_that_caused_an_event_can_be_left_out(sdk: Sdk, connect: Connect, batch: bool) -> None:
    channel, author, other = fresh(), connect(), connect()
    author.subscribe(channel)
    other.subscribe(channel)
    if batch:
        sdk.trigger_batch([Event(channel, "typed", "x", socket_id=author.socket_id)])
    else:
        sdk.trigger(channel, "typed", "x", socket_id=author.socket_id)
    sdk.trigger(channel, "after", "y")
    other.event(channel, "typed")
    author.event(channel, "after")
    assert author.events(channel, "typed") == []


@pytest.mark.parametrize("prefix", ["cache-", "private-cache-", "presence-cache-", "private-encrypted-cache-"])
def test_a_cache_channel_replays_its_last_event(sdk: Sdk, connect: Connect, prefix: str) -> None:
    channel, early, late = fresh(prefix), connect({"user_id": "ann"}), connect({"user_id": "bob"})
    early.subscribe(channel)
    early.event(channel, "pusher:cache_miss")
    sdk.trigger(channel, "state", DATA)
    early.event(channel, "state")
    late.subscribe(channel)
    assert late.event(channel, "state")["data"] == DATA


# Authorization


def test_members_of_a_presence_channel_know_each_other(sdk: Sdk, connect: Connect) -> None:
    channel = fresh("presence-")
    ann = connect({"user_id": "ann", "user_info": {"name": "Änn 🎉"}})
    bob = connect({"user_id": "bob", "user_info": {}})
    assert ann.subscribe(channel)["members"] == {"ann": {"name": "Änn 🎉"}}
    assert bob.subscribe(channel)["members"] == {"ann": {"name": "Änn 🎉"}, "bob": {}}
    assert ann.event(channel, "pusher:member_added")["data"]["id"] == "bob"
    assert {user.id for user in sdk.users(channel).users} == {"ann", "bob"}
    bob.do("unsubscribe", channel=channel)
    assert ann.event(channel, "pusher:member_removed")["data"]["id"] == "bob"


@pytest.mark.parametrize("prefix", ["private-", "presence-"])
def test_a_wrong_authorization_is_refused(sdk: Sdk, connect: Connect, backend: Backend, prefix: str) -> None:
    channel, browser = fresh(prefix), connect({"user_id": "ann"})
    other = fresh(prefix)
    user = {"user_id": "ann"} if prefix == "presence-" else None
    backend.answers["/auth"] = lambda _: (200, sdk.local.authorize_channel(browser.socket_id, other, user).to_dict())
    browser.do("subscribe", channel=channel)
    assert browser.event(channel, "pusher:subscription_error")["data"]["status"] == 401


def test_users_sign_in_and_get_their_events(sdk: Sdk, connect: Connect) -> None:
    user_id = f"user@{uuid4().hex}"
    phone, laptop, stranger = connect({"id": user_id}), connect({"id": user_id}), connect({"id": "somebody-else"})
    for browser in (phone, laptop, stranger):
        browser.sign_in()
    sdk.send_to_user(user_id, "greeting", DATA)
    assert phone.event("user", "greeting")["data"] == DATA
    assert laptop.event("user", "greeting")["data"] == DATA
    sdk.send_to_user("somebody-else", "other", "x")
    stranger.event("user", "other")
    assert stranger.events("user", "greeting") == []


def test_terminating_closes_the_connections_of_a_user(sdk: Sdk, connect: Connect) -> None:
    user_id = f"user@{uuid4().hex}"
    doomed, stranger = connect({"id": user_id}), connect({"id": "somebody-else"})
    doomed.sign_in()
    stranger.sign_in()
    sdk.terminate_connections(user_id)
    assert doomed.event("any", "pusher:error")["data"]["code"] == 4009
    doomed.event("state", "disconnected")
    sdk.send_to_user("somebody-else", "alive", "x")
    stranger.event("user", "alive")


# Queries


def test_channels_can_be_queried(sdk: Sdk, connect: Connect) -> None:
    public, presence = fresh(), fresh("presence-")
    ann, bob = connect({"user_id": "ann"}), connect({"user_id": "bob"})
    for browser in (ann, bob):
        browser.subscribe(public)
        browser.subscribe(presence)

    everything = sdk.list_channels().channels
    assert {public, presence} <= set(everything)
    # soketi ignores `info`: it answers the subscription count unasked, and the user count never.
    prefixed = sdk.list_channels(filter_by_prefix=presence, info=["user_count"]).channels
    assert list(prefixed) == [presence]
    assert prefixed[presence].subscription_count == 2
    assert prefixed[presence].user_count is None

    channel = sdk.get_channel(presence, info="user_count,subscription_count")
    assert (channel.occupied, channel.user_count, channel.subscription_count) == (True, 2, 2)
    empty = sdk.get_channel(fresh())
    assert (empty.occupied, empty.user_count, empty.cache) == (False, None, None)
    assert [user.id for user in sdk.users(presence).users] == ["ann", "bob"]


# Errors


def test_errors_are_told_apart(sdk: Sdk, soketi: int) -> None:
    with Pusher(APP_ID, KEY, "not the secret", **options(soketi)) as wrong, pytest.raises(AuthenticationError):
        wrong.trigger("a", "b", "c")
    with pytest.raises(BadRequestError) as caught:
        sdk.users(fresh())  # no presence channel
    assert caught.value.status_code == 400
    with Pusher("4", KEY, SECRET, **options(soketi)) as unknown, pytest.raises(NotFoundError):
        unknown.channels.list()
    with Pusher(APP_ID, KEY, SECRET, **options(soketi), max_data_bytes=20_000) as generous:
        generous.trigger(fresh(), "e", "x" * 10_240)
        with pytest.raises(PayloadTooLargeError):
            generous.trigger(fresh(), "e", "x" * 10_241)


# Webhooks


def test_webhooks_are_valid_and_typed(sdk: Sdk, connect: Connect, backend: Backend) -> None:
    private, presence, cache = fresh("private-"), fresh("presence-"), fresh("cache-")
    ann, bob = connect({"user_id": "ann"}), connect({"user_id": "bob"})
    for channel in (private, presence, cache):
        ann.subscribe(channel)
    bob.subscribe(presence)
    ann.do("trigger", channel=private, event="client-moved", data={"x": 1})
    ann.do("trigger", channel=presence, event="client-said", data="ß")
    bob.event(presence, "client-said")
    bob.do("unsubscribe", channel=presence)
    ann.event(presence, "pusher:member_removed")
    ann.do("unsubscribe", channel=private)

    expected: list[Any] = [
        ChannelOccupied(name="channel_occupied", channel=private),
        ChannelVacated(name="channel_vacated", channel=private),
        ChannelOccupied(name="channel_occupied", channel=presence),
        MemberAdded(name="member_added", channel=presence, user_id="ann"),
        MemberAdded(name="member_added", channel=presence, user_id="bob"),
        MemberRemoved(name="member_removed", channel=presence, user_id="bob"),
        CacheMiss(name="cache_miss", channel=cache),
    ]
    for event in expected:
        received = backend.log.wait(lambda received: event in events_of(sdk, received), f"webhook {event}")  # noqa: B023
        assert sdk.local.webhook(received.headers, received.body).time.tzinfo is not None
    for channel, name, user_id in ((private, "client-moved", None), (presence, "client-said", "ann")):
        client_event = client_events(sdk, backend, channel)
        assert (client_event.event, client_event.socket_id, client_event.user_id) == (name, ann.socket_id, user_id)


def test_a_webhook_with_another_body_is_refused(sdk: Sdk, connect: Connect, backend: Backend) -> None:
    channel, browser = fresh(), connect()
    browser.subscribe(channel)
    received = backend.log.wait(lambda received: channel.encode() in received.body, "webhook")
    assert webhook(sdk, received).events
    with pytest.raises(InvalidSignatureError):
        sdk.local.webhook(received.headers, received.body.replace(b"occupied", b"vacated"))


def webhook(sdk: Sdk, received: Received) -> Webhook:
    return sdk.local.webhook(received.headers, received.body)


def events_of(sdk: Sdk, received: Received) -> list[Any]:
    return list(webhook(sdk, received).events) if received.path == "/webhooks" else []


def client_events(sdk: Sdk, backend: Backend, channel: str) -> ClientEvent:
    def on_channel(received: Received) -> list[ClientEvent]:
        return [
            event for event in events_of(sdk, received) if isinstance(event, ClientEvent) and event.channel == channel
        ]

    return on_channel(backend.log.wait(lambda received: bool(on_channel(received)), "client event webhook"))[0]


# pysher, the PyPI subscriber


def test_pysher_joins_a_private_channel(sdk: Sdk, soketi: int, backend: Backend, connect: Connect) -> None:
    channel, got, arrived = fresh("private-"), list[str](), threading.Event()
    listener = pypi("pysher").Pusher(
        KEY, auth_endpoint=f"{backend.url}/auth", custom_host="127.0.0.1", port=soketi, secure=False
    )

    def joined(_: str) -> None:
        arrived.set()

    def connected(_: str) -> None:
        joining = listener.subscribe(channel)
        joining.bind("pusher_internal:subscription_succeeded", joined)
        joining.bind("price", got.append)
        joining.bind("price", joined)

    listener.connection.bind("pusher:connection_established", connected)
    listener.connect()
    try:
        assert arrived.wait(PATIENCE)
        arrived.clear()
        sdk.trigger(channel, "price", DATA)
        assert arrived.wait(PATIENCE)
        assert json.loads(got[0]) == DATA
    finally:
        listener.disconnect(5)
