"""Every documented limit and pattern is a rule of its schema: the last value inside passes, the first outside fails."""

from typing import Any

import pytest

from .document import errors

BODY = {"name": "foo", "channels": ["project-3"], "data": "{}"}
EVENT = {"name": "foo", "channel": "project-3", "data": "{}"}
PUSH: dict[str, Any] = {"interests": ["donuts"], "apns": {}}
AUTH = "key:" + "0" * 64
SHARED_SECRET = "Uedy6frF2/3cz/oMziDQ0pGdahMvE50/N0xZ8eKYEIg="

ACCEPTED: list[tuple[str, Any]] = [
    ("AppId", "3"),
    ("AppId", "my-app_1.0~"),
    ("ChannelName", "x"),
    ("ChannelName", "x" * 200),
    ("ChannelName", "-abc_ABC@012.xpto,987;654="),
    ("UserChannelName", "#server-to-user-" + "u" * 200),
    ("PublishChannelName", "project-3"),
    ("PublishChannelName", "#server-to-user-12345"),
    ("UserId", "u" * 200),
    ("PresenceUserId", "u" * 128),
    ("PresenceUserId", "Zoë Ö."),
    ("PresenceUserId", 2**53 - 1),
    ("PresenceUserId", 1 - 2**53),
    ("SocketId", "44610.7511910"),
    ("EventName", "x" * 200),
    ("EventName", "client-a:b c"),
    ("EventData", ""),
    ("EventData", "x" * 10240),
    ("EventData", "ö" * 5120),
    ("Interest", "i" * 164),
    ("TriggerRequest", BODY),
    ("TriggerRequest", EVENT),
    ("TriggerRequest", BODY | {"channels": ["c"] * 100}),
    ("TriggerRequest", BODY | {"socket_id": "1.1", "info": "subscription_count,user_count"}),
    ("BatchEvent", EVENT | {"socket_id": "1.1", "info": "user_count"}),
    ("TriggerBatchRequest", {"batch": [EVENT] * 10}),
    ("TerminateConnectionsRequest", {}),
    ("NotifyRequest", PUSH),
    ("NotifyRequest", {"interests": ["i"] * 10, "fcm": {"a": 1}, "gcm": {}, "webhook_url": "http://example.org/"}),
    ("PresenceUser", {"user_id": 10, "user_info": {"a": [1]}, "more": True}),
    ("SigninUser", {"id": "u", "watchlist": ["v"] * 100}),
    ("ChannelAuthorization", {"auth": AUTH}),
    ("ChannelAuthorization", {"auth": AUTH, "shared_secret": SHARED_SECRET}),
    ("EncryptedData", {"nonce": "A" * 32, "ciphertext": "A" * 22 + "=="}),
    ("TriggerResult", {"channels": {"c": {}}, "event_ids": {"c": "1"}, "ok": True}),
    ("Channel", {"occupied": False, "cache": None}),
    ("ChannelUser", {"id": 1}),
    ("WebhookBody", {"time_ms": 1}),
    ("MemberAdded", {"name": "member_added", "channel": "presence-a", "user_id": 1}),
]

REFUSED: list[tuple[str, Any]] = [
    ("AppId", ""),
    ("AppId", "a/b"),
    ("ChannelName", ""),
    ("ChannelName", "x" * 201),
    ("ChannelName", "a:b"),
    ("ChannelName", "a/b"),
    ("ChannelName", "ö"),
    ("ChannelName", "#server-to-user-12345"),
    ("UserChannelName", "#server-to-user-"),
    ("UserChannelName", "#server-to-user-" + "u" * 201),
    ("UserChannelName", "#server-to-users"),
    ("PublishChannelName", "#other"),
    ("UserId", ""),
    ("UserId", "u" * 201),
    ("UserId", "abc%&*"),
    ("UserId", 1),
    ("PresenceUserId", ""),
    ("PresenceUserId", "u" * 129),
    ("PresenceUserId", 2**53),
    ("PresenceUserId", -(2**53)),
    ("PresenceUserId", 1.5),
    ("PresenceUserId", None),
    ("SocketId", "1"),
    ("SocketId", "1a1"),
    ("SocketId", "1.1:"),
    ("SocketId", "١.١"),
    ("SocketId", ""),
    ("EventName", ""),
    ("EventName", "x" * 201),
    ("EventData", "x" * 10241),
    ("EventData", "ö" * 5121),
    ("EventData", {"some": "data"}),
    ("ChannelData", '{"user_id":"' + "u" * 10 + '","user_info":{"a":"' + "x" * 1024 + '"}}'),
    ("ChannelData", '{"user_info":{}}'),
    ("Interest", "i" * 165),
    ("Interest", "a b"),
    ("TriggerRequest", BODY | {"channel": "project-3"}),
    ("TriggerRequest", {"name": "foo", "data": "{}"}),
    ("TriggerRequest", BODY | {"channels": []}),
    ("TriggerRequest", BODY | {"channels": ["c"] * 101}),
    ("TriggerRequest", BODY | {"channels": ["a b"]}),
    ("TriggerRequest", BODY | {"info": "cache"}),
    ("TriggerRequest", BODY | {"info": ["user_count"]}),
    ("TriggerRequest", BODY | {"tags": {}}),
    ("TriggerRequest", {"name": "foo", "channels": ["c"]}),
    ("BatchEvent", {"name": "foo", "channels": ["project-3"], "data": "{}"}),
    ("TriggerBatchRequest", {"batch": []}),
    ("TriggerBatchRequest", {"batch": [EVENT] * 11}),
    ("TerminateConnectionsRequest", {"reason": "x"}),
    ("NotifyRequest", {"interests": ["donuts"]}),
    ("NotifyRequest", {"interests": ["donuts"], "webhook_url": "https://example.org/"}),
    ("NotifyRequest", PUSH | {"interests": []}),
    ("NotifyRequest", PUSH | {"interests": ["i"] * 11}),
    ("NotifyRequest", PUSH | {"webhook_url": "testURL"}),
    ("NotifyRequest", PUSH | {"webhook_level": "INFO"}),
    ("SigninUser", {"id": 123}),
    ("SigninUser", {"id": "u", "watchlist": ["v"] * 101}),
    ("ChannelAuthorization", {"auth": "key"}),
    ("ChannelAuthorization", {"auth": AUTH, "shared_secret": SHARED_SECRET.rstrip("=")}),
    ("UserAuthentication", {"auth": AUTH}),
    ("EncryptedData", {"nonce": "A" * 31, "ciphertext": "A" * 24}),
    ("EncryptedData", {"nonce": "A" * 32, "ciphertext": "A" * 20}),
    ("EncryptedData", {"nonce": "A" * 32, "ciphertext": "A" * 24, "data": "plain"}),
    ("Channel", {}),
    ("ClientEvent", {"name": "client_event", "channel": "private-a", "event": "client-b"}),
    ("WebhookBody", {"events": []}),
    ("WebhookBody", {"time_ms": "1"}),
]


def label(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 40 else f"{text[:40]}~{len(text)}"


@pytest.mark.parametrize(("name", "instance"), ACCEPTED, ids=label)
def test_accepted(name: str, instance: Any) -> None:
    assert errors({"$ref": f"#/components/schemas/{name}"}, instance) == []


@pytest.mark.parametrize(("name", "instance"), REFUSED, ids=label)
def test_refused(name: str, instance: Any) -> None:
    assert errors({"$ref": f"#/components/schemas/{name}"}, instance) != []
