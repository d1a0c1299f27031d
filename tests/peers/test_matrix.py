"""Forty-one checks by which servers of the protocol can be compared, with npm's `pusher` and `pusher-js` alone.

soketi passes 33 of them, Laravel Reverb 28. What must not happen is shown by a later event that does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

from tests.peers.conftest import Npm
from tests.peers.emulated import Stage, fresh, open_stage
from tests.peers.harness import JsonProcess, Message, node
from tests.peers.soketi import Browser
from tests.peers.support import APP_ID, KEY, MASTER_KEY, SECRET

DATA = {"id": 7, "text": "grüße, 世界 🎉", "nested": {"list": [1, None, True]}}
ANN, BOB = {"user_id": "ann", "user_info": {"name": "Änn"}}, {"user_id": "bob", "user_info": {"name": "Bob"}}


@attrs.frozen
class NpmAuthorizer:
    """npm's library behind the auth endpoints."""

    npm: Npm

    def channel(self, socket_id: str, channel: str, user: Message | None) -> Message:
        values = [socket_id, channel] if user is None else [socket_id, channel, user]
        answer: Message = self.npm.method("authorizeChannel", *values)
        return answer

    def user(self, socket_id: str, user: Message) -> Message:
        answer: Message = self.npm.method("authenticateUser", socket_id, user)
        return answer


@attrs.frozen
class Peers:
    """npm's library and pusher-js, both connected to the emulator."""

    npm: Npm
    stage: Stage

    @property
    def connect(self) -> Callable[..., Browser]:
        return self.stage.connect

    def subscribed(self, channel: str, user: Message | None = None) -> Browser:
        browser = self.connect(user)
        browser.subscribe(channel)
        return browser

    def call(self, method: str, *values: Any) -> Any:
        """What the server answers a method that sends a request."""
        return json.loads(self.npm.method(method, *values))

    def trigger(self, *values: Any) -> Any:
        return self.call("trigger", *values)

    def batch(self, *events: Message) -> Any:
        return self.call("triggerBatch", list(events))

    def settle(self, channel: str, browser: Browser) -> None:
        """Wait for an event of now, behind which nothing older can come."""
        self.trigger(channel, "after", "x")
        browser.event(channel, "after")

    def get(self, path: str, **params: str) -> Any:
        return self.call("get", {"path": path, "params": params})


Check = Callable[[Peers], None]
ROWS: dict[str, Check] = {}


def row(text: str) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        assert ROWS.setdefault(text, check) is check
        return check

    return add


@pytest.fixture(scope="module")
def stage(pusher_js: JsonProcess) -> Iterator[Stage]:
    with open_stage(pusher_js) as stage:
        yield stage


@pytest.fixture(scope="module")
def publisher(stage: Stage) -> Iterator[Npm]:
    node()
    options = {"appId": APP_ID, "key": KEY, "secret": SECRET, "encryptionMasterKeyBase64": MASTER_KEY}
    with JsonProcess("npm_pusher.js") as process:
        yield Npm(process, {**options, "host": "127.0.0.1", "port": stage.server.port, "useTLS": False})


@pytest.fixture
def peers(stage: Stage, publisher: Npm) -> Iterator[Peers]:
    stage.authorize_with(NpmAuthorizer(publisher))
    yield Peers(publisher, stage)
    stage.disconnect_all()


# Public channels


@row("ws connect, two clients")
def connect_two(peers: Peers) -> None:
    one, two = peers.connect(), peers.connect()
    assert one.socket_id != two.socket_id


def reaches(peers: Peers, data: object, expected: object, *, event: str = "price", channel: str | None = None) -> None:
    channel = channel or fresh()
    browser = peers.subscribed(channel)
    assert peers.trigger(channel, event, data) == {}
    got = browser.event(channel, event)["data"]
    assert got == expected
    assert type(got) is type(expected)


@row("public: trigger -> event (object data)")
def object_data(peers: Peers) -> None:
    reaches(peers, DATA, DATA)


@row("public: string data")
def string_data(peers: Peers) -> None:
    reaches(peers, "just text: ß 🎉", "just text: ß 🎉")


@row("public: empty-string data")
def empty_data(peers: Peers) -> None:
    reaches(peers, "", "")


@row("public: number / null data")
def number_and_null(peers: Peers) -> None:
    reaches(peers, 42, 42)
    reaches(peers, None, None)


@row("public: weird event name")
def weird_event_name(peers: Peers) -> None:
    reaches(peers, DATA, DATA, event='my "event" / #1: <é 🎉> \\ \t')


@row("channel name with =@,.; chars")
def odd_channel_name(peers: Peers) -> None:
    reaches(peers, DATA, DATA, channel=fresh("odd_=@,.;Z9"))


@row("multi-channel trigger")
def many_channels(peers: Peers) -> None:
    channels = [fresh(), fresh("private-"), fresh("presence-")]
    browser = peers.connect(ANN)
    for channel in channels:
        browser.subscribe(channel)
    peers.trigger(channels, "news", DATA)
    assert [browser.event(channel, "news")["data"] for channel in channels] == [DATA] * 3


@row("socket_id exclusion")
def exclusion(peers: Peers) -> None:
    channel = fresh()
    author, other = peers.subscribed(channel), peers.subscribed(channel)
    peers.trigger(channel, "typed", "x", {"socket_id": author.socket_id})
    peers.trigger(channel, "after", "y")
    other.event(channel, "typed")
    author.event(channel, "after")
    assert author.events(channel, "typed") == []


@row("trigger info=subscription_count,user_count")
def trigger_info(peers: Peers) -> None:
    public, presence, empty = fresh(), fresh("presence-"), fresh()
    for _ in range(2):
        peers.subscribed(public)
        peers.subscribed(presence, ANN)
    info = {"info": "subscription_count,user_count"}
    assert peers.trigger([public, presence, empty], "news", "x", info) == {
        "channels": {
            public: {"subscription_count": 2},
            presence: {"subscription_count": 2, "user_count": 1},
            empty: {"subscription_count": 0},
        }
    }


@row("batch trigger")
def batch(peers: Peers) -> None:
    channels = [fresh(), fresh("private-")]
    browser = peers.connect()
    for channel in channels:
        browser.subscribe(channel)
    events = [
        {"channel": channels[number % 2], "name": f"event-{number}", "data": {"n": number}} for number in range(10)
    ]
    assert peers.batch(*events) == {}
    for number in range(10):
        assert browser.event(channels[number % 2], f"event-{number}")["data"] == {"n": number}


@row("batch socket_id exclusion")
def batch_exclusion(peers: Peers) -> None:
    channel = fresh()
    author, other = peers.subscribed(channel), peers.subscribed(channel)
    typed = {"channel": channel, "name": "typed", "data": "x", "socket_id": author.socket_id}
    peers.batch(typed, {"channel": channel, "name": "after", "data": "y"})
    other.event(channel, "typed")
    author.event(channel, "after")
    assert author.events(channel, "typed") == []


@row("batch info")
def batch_info(peers: Peers) -> None:
    public, presence = fresh(), fresh("presence-")
    peers.subscribed(public)
    peers.subscribed(presence, ANN)
    assert peers.batch(
        {"channel": public, "name": "e", "data": "x", "info": "subscription_count"},
        {"channel": public, "name": "e", "data": "x"},
        {"channel": presence, "name": "e", "data": "x", "info": "user_count"},
    ) == {"batch": [{"subscription_count": 1}, {}, {"user_count": 1}]}


# Private, presence and encrypted channels


@row("private: subscribe + event")
def private(peers: Peers) -> None:
    reaches(peers, DATA, DATA, channel=fresh("private-"))


@row("private: bad auth rejected")
def bad_auth(peers: Peers) -> None:
    channel, browser = fresh("private-"), peers.connect()
    # Good for another channel: a mere look at the key or the form would let it pass.
    other = peers.npm.method("authorizeChannel", browser.socket_id, fresh("private-"))
    peers.stage.backend.answers["/auth"] = lambda _: (200, other)
    browser.do("subscribe", channel=channel)
    assert "Invalid signature" in str(browser.event("state", "error")["data"])
    peers.trigger(channel, "secret", "x")
    browser.subscribe(public := fresh())
    peers.trigger(public, "after", "x")
    browser.event(public, "after")
    assert browser.events(channel, "pusher:subscription_succeeded") == browser.events(channel, "secret") == []
    assert peers.get(f"/channels/{channel}") == {"occupied": False}


@row("presence: members, member_added/removed, same user twice")
def presence(peers: Peers) -> None:
    channel = fresh("presence-")
    ann, bob, bob_again = peers.connect(ANN), peers.connect(BOB), peers.connect(BOB)
    both = {"ann": {"name": "Änn"}, "bob": {"name": "Bob"}}
    joined = ann.subscribe(channel)
    assert (joined["members"], joined["count"], joined["myID"]) == ({"ann": {"name": "Änn"}}, 1, "ann")
    joined = bob.subscribe(channel)
    assert (joined["members"], joined["count"], joined["myID"]) == (both, 2, "bob")
    assert ann.event(channel, "pusher:member_added")["data"] == {"id": "bob", "info": {"name": "Bob"}}
    assert bob_again.subscribe(channel)["members"] == both
    bob.do("unsubscribe", channel=channel)
    peers.settle(channel, ann)
    assert len(ann.events(channel, "pusher:member_added")) == 1
    assert ann.events(channel, "pusher:member_removed") == []
    bob_again.do("disconnect")
    assert ann.event(channel, "pusher:member_removed")["data"] == {"id": "bob", "info": {"name": "Bob"}}


@row("presence: GET users")
def users(peers: Peers) -> None:
    channel = fresh("presence-")
    assert peers.get(f"/channels/{channel}/users") == {"users": []}
    for user in (ANN, BOB, BOB):
        peers.subscribed(channel, user)
    assert peers.get(f"/channels/{channel}/users") == {"users": [{"id": "ann"}, {"id": "bob"}]}


@row("presence: numeric user_id")
def numeric_user(peers: Peers) -> None:
    channel, number = fresh("presence-"), {"user_id": 42, "user_info": {"name": "Forty-two"}}
    ann = peers.subscribed(channel, ANN)
    browser = peers.connect(number)
    assert set(browser.subscribe(channel)["members"]) == {"ann", "42"}
    assert ann.event(channel, "pusher:member_added")["data"]["info"] == {"name": "Forty-two"}
    assert peers.get(f"/channels/{channel}/users") == {"users": [{"id": "ann"}, {"id": "42"}]}


@row("encrypted: subscribe + decrypt")
def encrypted(peers: Peers) -> None:
    channel = fresh("private-encrypted-")
    browser = peers.subscribed(channel)
    peers.trigger(channel, "secret", DATA)
    assert browser.event(channel, "secret")["data"] == DATA
    # What came over the wire, before pusher-js decrypts.
    assert set(browser.event("any", "secret")["data"]) == {"nonce", "ciphertext"}


@row("encrypted: batch")
def encrypted_batch(peers: Peers) -> None:
    channels = [fresh("private-encrypted-"), fresh("private-encrypted-"), fresh()]
    browser = peers.connect()
    for channel in channels:
        browser.subscribe(channel)
    peers.batch(*({"channel": channel, "name": "secret", "data": DATA} for channel in channels))
    assert [browser.event(channel, "secret")["data"] for channel in channels] == [DATA] * 3


# Cache channels


def cache(peers: Peers, prefix: str) -> None:
    channel, early, late = fresh(prefix), peers.connect(ANN), peers.connect(BOB)
    early.subscribe(channel)
    early.event(channel, "pusher:cache_miss")
    peers.trigger(channel, "state", {"n": 1})
    peers.trigger(channel, "state", DATA)
    early.event(channel, "state")
    late.subscribe(channel)
    assert late.event(channel, "state")["data"] == DATA
    assert late.events(channel, "pusher:cache_miss") == []
    for browser in (early, late):
        browser.do("unsubscribe", channel=channel)
    # The cache outlives its last subscriber.
    third = peers.connect(ANN)
    third.subscribe(channel)
    assert third.event(channel, "state")["data"] == DATA


@row("cache (cache-*): miss then hit")
def public_cache(peers: Peers) -> None:
    cache(peers, "cache-")


@row("cache (private-cache-*): miss then hit")
def private_cache(peers: Peers) -> None:
    cache(peers, "private-cache-")


@row("cache (presence-cache-*): miss then hit")
def presence_cache(peers: Peers) -> None:
    cache(peers, "presence-cache-")


@row("cache (private-encrypted-cache-*): miss then hit")
def encrypted_cache(peers: Peers) -> None:
    cache(peers, "private-encrypted-cache-")


@row("cache info: GET channel info=cache")
def cache_info(peers: Peers) -> None:
    channel = fresh("cache-")
    peers.subscribed(channel)
    assert peers.get(f"/channels/{channel}", info="cache") == {"occupied": True, "cache": None}
    peers.trigger(channel, "state", "cached ß")
    answer = peers.get(f"/channels/{channel}", info="cache")
    ttl = answer["cache"].pop("ttl")
    assert answer == {"occupied": True, "cache": {"data": "cached ß"}}
    assert 1700 < ttl <= 1800


# Client events


@row("client events private A->B")
def client_events(peers: Peers) -> None:
    channel = fresh("private-")
    one, two = peers.subscribed(channel), peers.subscribed(channel)
    one.do("trigger", channel=channel, event="client-moved", data=DATA)
    assert two.event(channel, "client-moved")["data"] == DATA
    peers.settle(channel, one)
    assert one.events(channel, "client-moved") == []


@row("client events presence carry user_id")
def client_events_of_users(peers: Peers) -> None:
    channel = fresh("presence-")
    ann, bob = peers.subscribed(channel, ANN), peers.subscribed(channel, BOB)
    bob.do("listen", channel=channel, event="client-said")
    ann.do("trigger", channel=channel, event="client-said", data={"text": "hi"})
    assert bob.event(channel, "client-said")["data"] == {"text": "hi"}
    assert bob.event("author", "client-said")["data"] == "ann"


# Queries


@row("GET /channels")
def get_channels(peers: Peers) -> None:
    public, presence = fresh(), fresh("presence-")
    peers.subscribed(public)
    peers.subscribed(presence, ANN)
    channels = peers.get("/channels")["channels"]
    assert (channels[public], channels[presence]) == ({}, {})
    assert fresh() not in channels


@row("GET /channels filter_by_prefix=presence- info=user_count")
def get_presence_channels(peers: Peers) -> None:
    public, presence = fresh(), fresh("presence-")
    peers.subscribed(public)
    for user in (ANN, BOB, BOB):
        peers.subscribed(presence, user)
    channels = peers.get("/channels", filter_by_prefix="presence-", info="user_count")["channels"]
    assert channels[presence] == {"user_count": 2}
    assert all(name.startswith("presence-") for name in channels)


@row("GET /channels info=user_count without prefix -> 400")
def get_user_counts_of_all(peers: Peers) -> None:
    answer = peers.npm.answer("method", name="get", values=[{"path": "/channels", "params": {"info": "user_count"}}])
    assert answer["status"] == 400
    assert "filter_by_prefix" in answer["body"]


@row("GET /channels info=subscription_count")
def get_subscription_counts(peers: Peers) -> None:
    public, presence = fresh(), fresh("presence-")
    for _ in range(2):
        peers.subscribed(public)
    peers.subscribed(presence, ANN)
    channels = peers.get("/channels", info="subscription_count")["channels"]
    assert (channels[public], channels[presence]) == ({"subscription_count": 2}, {"subscription_count": 1})


@row("GET channel info")
def get_channel(peers: Peers) -> None:
    channel = fresh()
    for _ in range(2):
        peers.subscribed(channel)
    assert peers.get(f"/channels/{channel}", info="subscription_count") == {"occupied": True, "subscription_count": 2}


@row("GET presence channel info=user_count")
def get_presence_channel(peers: Peers) -> None:
    channel = fresh("presence-")
    for user in (ANN, BOB, BOB):
        peers.subscribed(channel, user)
    assert peers.get(f"/channels/{channel}", info="user_count") == {"occupied": True, "user_count": 2}


@row("GET unoccupied channel")
def get_unoccupied_channel(peers: Peers) -> None:
    assert peers.get(f"/channels/{fresh()}") == {"occupied": False}


# Users


@row("user signin")
def signin(peers: Peers) -> None:
    browser = peers.connect({"id": "signed-in", "user_info": {"name": "Änn"}})
    browser.sign_in()
    answer = browser.event("any", "pusher:signin_success")["data"]
    assert '"signed-in"' in answer["user_data"]


@row("sendToUser")
def send_to_user(peers: Peers) -> None:
    phone, laptop = (peers.connect({"id": "both-devices"}) for _ in range(2))
    stranger = peers.connect({"id": "somebody-else"})
    for browser in (phone, laptop, stranger):
        browser.sign_in()
    assert peers.call("sendToUser", "both-devices", "greeting", DATA) == {}
    assert phone.event("user", "greeting")["data"] == laptop.event("user", "greeting")["data"] == DATA
    peers.call("sendToUser", "somebody-else", "after", "x")
    stranger.event("user", "after")
    assert stranger.events("user", "greeting") == []


@row("signin bad signature rejected")
def bad_signin(peers: Peers) -> None:
    browser = peers.connect({"id": "mallory"})
    # Good for another user: only the signature tells.
    other = peers.npm.method("authenticateUser", browser.socket_id, {"id": "malory"})
    answer = {**other, "user_data": other["user_data"].replace("malory", "mallory")}
    peers.stage.backend.answers["/user-auth"] = lambda _: (200, answer)
    browser.do("signin")
    assert "Invalid signature" in str(browser.event("state", "error")["data"])
    peers.call("sendToUser", "mallory", "secret", "x")
    browser.event("state", "disconnected")
    assert browser.events("any", "pusher:signin_success") == browser.events("any", "secret") == []


@row("watchlist events")
def watchlist(peers: Peers) -> None:
    watcher = peers.connect({"id": "watcher", "watchlist": ["friend", "never-there"]})
    watcher.sign_in()
    assert watcher.event("watchlist", "offline")["data"]["user_ids"] == ["friend", "never-there"]
    friend, friend_again = peers.connect({"id": "friend"}), peers.connect({"id": "friend"})
    friend.sign_in()
    assert watcher.event("watchlist", "online")["data"]["user_ids"] == ["friend"]
    friend_again.sign_in()
    friend.do("disconnect")
    peers.call("sendToUser", "watcher", "after", "x")
    watcher.event("user", "after")
    assert len(watcher.events("watchlist", "online")) == len(watcher.events("watchlist", "offline")) == 1
    friend_again.do("disconnect")
    assert watcher.event("watchlist", "offline", 2)["data"]["user_ids"] == ["friend"]


@row("terminateUserConnections")
def terminate(peers: Peers) -> None:
    doomed, doomed_too = (peers.connect({"id": "doomed"}) for _ in range(2))
    stranger = peers.connect({"id": "survivor"})
    for browser in (doomed, doomed_too, stranger):
        browser.sign_in()
    assert peers.call("terminateUserConnections", "doomed") == {}
    for browser in (doomed, doomed_too):
        assert "4009" in str(browser.event("state", "error")["data"])
        browser.event("state", "disconnected")
    peers.call("sendToUser", "survivor", "alive", "x")
    stranger.event("user", "alive")


@row("subscription_count event")
def subscription_count(peers: Peers) -> None:
    channel = fresh()
    first = peers.subscribed(channel)
    assert first.event(channel, "pusher:subscription_count")["data"] == {"subscription_count": 1}
    second = peers.subscribed(channel)
    assert first.event(channel, "pusher:subscription_count", 2)["data"] == {"subscription_count": 2}
    second.do("disconnect")
    assert first.event(channel, "pusher:subscription_count", 3)["data"] == {"subscription_count": 1}


# Webhooks


@row("webhooks: all valid & kinds")
def webhooks(peers: Peers) -> None:
    presence, cache = fresh("presence-"), fresh("private-cache-")
    ann, bob = peers.subscribed(presence, ANN), peers.subscribed(presence, BOB)
    ann.subscribe(cache)
    ann.do("trigger", channel=presence, event="client-said", data={"text": "ß"})
    bob.event(presence, "client-said")
    bob.do("disconnect")
    ann.event(presence, "pusher:member_removed")
    ann.do("disconnect")
    said = {"event": "client-said", "data": '{"text":"ß"}', "socket_id": ann.socket_id, "user_id": "ann"}
    expected: list[dict[str, object]] = [
        {"name": "channel_occupied", "channel": presence},
        {"name": "member_added", "channel": presence, "user_id": "ann"},
        {"name": "member_added", "channel": presence, "user_id": "bob"},
        {"name": "client_event", "channel": presence, **said},
        {"name": "member_removed", "channel": presence, "user_id": "bob"},
        {"name": "channel_occupied", "channel": cache},
        {"name": "subscription_count", "channel": cache, "subscription_count": 1},
        {"name": "cache_miss", "channel": cache},
        {"name": "member_removed", "channel": presence, "user_id": "ann"},
        {"name": "channel_vacated", "channel": presence},
        {"name": "channel_vacated", "channel": cache},
    ]
    for event in expected:
        peers.stage.webhook(lambda sent: sent == event, str(event))  # noqa: B023
    received = peers.stage.backend.log.all(lambda received: received.path == "/webhooks")
    for webhook in received:
        judged = peers.npm(
            "webhook", headers=webhook.headers, body=webhook.body.decode(), tokens=[{"key": KEY, "secret": SECRET}]
        )
        assert judged == {"valid": True, "events": webhook.json["events"]}
    forged = received[0].body.decode().replace("occupied", "vacated")
    assert not peers.npm("webhook", headers=received[0].headers, body=forged, tokens=[])["valid"]


@pytest.mark.parametrize("check", ROWS.values(), ids=ROWS)
def test_row(peers: Peers, check: Check) -> None:
    check(peers)


def test_there_are_forty_one_rows() -> None:
    assert len(ROWS) == 41
