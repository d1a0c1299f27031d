"""The official PyPI library and pysher on our emulator: publishing, queries, auth, webhooks, subscribing."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from tests.peers.emulated import Stage, fresh, open_stage
from tests.peers.harness import PATIENCE, Backend, JsonProcess, Log, Message
from tests.peers.support import APP_ID, KEY, MASTER_KEY, SECRET, pypi

DATA = {"id": 7, "text": "grüße, 世界 🎉", "nested": {"list": [1, None, True]}}
ANN = {"user_id": "ann", "user_info": {"name": "Änn"}}


@attrs.frozen
class PypiAuthorizer:
    """PyPI's library behind the auth endpoints."""

    pusher: Any

    def channel(self, socket_id: str, channel: str, user: Message | None) -> Message:
        answer: Message = self.pusher.authenticate(channel, socket_id, user)
        if "shared_secret" in answer:
            # Wrong there: it is bytes, which are no JSON. Its users have to do this.
            answer["shared_secret"] = answer["shared_secret"].decode()
        return answer

    def user(self, socket_id: str, user: Message) -> Message:
        answer: Message = self.pusher.authenticate_user(socket_id, user)
        return answer


@pytest.fixture(scope="module")
def whole_stage(pusher_js: JsonProcess) -> Iterator[Stage]:
    with open_stage(pusher_js) as stage:
        yield stage


@pytest.fixture
def pusher(whole_stage: Stage) -> Any:
    options = {"host": "127.0.0.1", "port": whole_stage.server.port, "ssl": False}
    return pypi("pusher").Pusher(APP_ID, KEY, SECRET, encryption_master_key_base64=MASTER_KEY, **options)


@pytest.fixture
def stage(whole_stage: Stage, pusher: Any) -> Iterator[Stage]:
    whole_stage.authorize_with(PypiAuthorizer(pusher))
    yield whole_stage
    whole_stage.disconnect_all()


@pytest.mark.parametrize("prefix", ["", "private-", "presence-", "private-encrypted-", "private-encrypted-cache-"])
def test_trigger_and_authorize(stage: Stage, pusher: Any, prefix: str) -> None:
    channel, browser = fresh(prefix), stage.connect(ANN)
    browser.subscribe(channel)
    assert pusher.trigger(channel, "price", DATA) == {}
    assert browser.event(channel, "price")["data"] == DATA


def test_trigger_a_batch(stage: Stage, pusher: Any) -> None:
    channels, browser = [fresh(), fresh("private-"), fresh("private-encrypted-")], stage.connect()
    for channel in channels:
        browser.subscribe(channel)
    assert pusher.trigger_batch([{"channel": channel, "name": "price", "data": DATA} for channel in channels]) == {}
    assert [browser.event(channel, "price")["data"] for channel in channels] == [DATA] * 3


def test_queries(stage: Stage, pusher: Any) -> None:
    public, presence = fresh(), fresh("presence-")
    browser = stage.connect(ANN)
    for channel in (public, presence):
        browser.subscribe(channel)
    assert pusher.channels_info()["channels"][public] == {}
    assert pusher.channels_info("presence-", ["user_count"])["channels"][presence] == {"user_count": 1}
    assert pusher.channel_info(presence, ["user_count", "subscription_count"]) == {
        "occupied": True,
        "user_count": 1,
        "subscription_count": 1,
    }
    assert pusher.channel_info(fresh()) == {"occupied": False}
    assert pusher.users_info(presence) == {"users": [{"id": "ann"}]}


def test_sign_in_and_user_events(stage: Stage, pusher: Any) -> None:
    browser = stage.connect({"id": "ann"})
    browser.sign_in()
    assert pusher.send_to_user("ann", "greeting", DATA) == {}
    assert browser.event("user", "greeting")["data"] == DATA


def test_errors(stage: Stage, pusher: Any) -> None:
    errors = pypi("pusher.errors")
    with pytest.raises(errors.PusherBadRequest, match="'pusher' namespace"):
        pusher.trigger("a", "pusher:mine", "x")
    options = {"host": "127.0.0.1", "port": stage.server.port, "ssl": False}
    with pytest.raises(errors.PusherBadAuth, match="Invalid signature"):
        pypi("pusher").Pusher(APP_ID, KEY, "not the secret", **options).trigger("a", "e", "x")
    # Its path for this lacks /apps/<id>, so that it works nowhere.
    with pytest.raises(errors.PusherBadStatus, match="404"):
        pusher.terminate_user_connections("ann")


def test_webhooks(stage: Stage, pusher: Any) -> None:
    channel, browser = fresh("presence-"), stage.connect(ANN)
    browser.subscribe(channel)
    expected = {"name": "member_added", "channel": channel, "user_id": "ann"}
    received = stage.webhook(lambda event: event == expected, "member_added")
    body, signature = received.body.decode(), received.headers["x-pusher-signature"]
    assert expected in pusher.validate_webhook(received.headers["x-pusher-key"], signature, body)["events"]
    assert pusher.validate_webhook(KEY, signature, body.replace("ann", "bob")) is None


# pysher


class Listener:
    """A pysher connection, and what its channels got."""

    def __init__(self, stage: Stage, **options: Any) -> None:
        self._pysher = pypi("pysher").Pusher(
            KEY, custom_host="127.0.0.1", port=stage.server.port, secure=False, **options
        )
        self.log = Log[tuple[str, Any]]("pysher")
        # Not by binding to a channel: pysher asks for the channel first and knows it then, so a quick answer gets lost.
        handle = self._pysher.connection.event_handler

        def heard(event: str, data: str, channel: str) -> None:
            self.log.add((event, json.loads(data)))
            handle(event, data, channel)

        self._pysher.connection.event_handler = heard
        self._connected = threading.Event()
        self._pysher.connection.bind("pusher:connection_established", self._established)
        self._pysher.connect()
        assert self._connected.wait(PATIENCE)

    def _established(self, _: str) -> None:
        self._connected.set()

    def subscribe(self, channel: str) -> Any:
        """Subscribe and wait for the answer, which is returned."""
        self._pysher.subscribe(channel)
        return self.event("pusher_internal:subscription_succeeded")

    def event(self, name: str) -> Any:
        return self.log.wait(lambda entry: entry[0] == name, name)[1]

    def disconnect(self) -> None:
        self._pysher.disconnect(5)


def options_of(signer: str, backend: Backend) -> dict[str, Any]:
    return {"secret": SECRET} if signer == "itself" else {"auth_endpoint": f"{backend.url}/auth"}


@pytest.mark.parametrize(("prefix", "signer"), [("", "itself"), ("private-", "itself"), ("private-", "endpoint")])
def test_pysher(stage: Stage, pusher: Any, prefix: str, signer: str) -> None:
    channel, listener = fresh(prefix), Listener(stage, **options_of(signer, stage.backend))
    try:
        listener.subscribe(channel)
        pusher.trigger(channel, "price", DATA)
        assert listener.event("price") == DATA
    finally:
        listener.disconnect()


def test_pysher_on_a_presence_channel(stage: Stage, pusher: Any) -> None:
    channel, listener = fresh("presence-"), Listener(stage, secret=SECRET, user_data=ANN)
    try:
        joined = listener.subscribe(channel)
        assert joined == {"presence": {"ids": ["ann"], "hash": {"ann": {"name": "Änn"}}, "count": 1}}
        bob = stage.connect({"user_id": "bob", "user_info": {}})
        assert set(bob.subscribe(channel)["members"]) == {"ann", "bob"}
        assert listener.event("pusher_internal:member_added") == {"user_id": "bob", "user_info": {}}
        pusher.trigger(channel, "price", DATA)
        assert listener.event("price") == DATA
    finally:
        listener.disconnect()
