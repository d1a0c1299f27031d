"""Calls that every library has, as each of them spells them: they must send the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pusher_channels import Event
from tests.peers.support import Sdk

ODD = "presence-odd_=@,.;Z9"
"""Every kind of character that a channel may have."""

DATA = {"id": 7, "text": "grüße, 世界 🎉", "nested": {"list": [1, None, True]}}


@attrs.frozen
class Call:
    """One call: a function of our client, the method and values for npm, a function of PyPI's client."""

    name: str
    ours: Callable[[Sdk], object]
    npm: tuple[str, list[Any]]
    pypi: Callable[[Any], object] | None
    """None where PyPI's client cannot do it."""


CALLS = [
    Call(
        "trigger a str",
        lambda sdk: sdk.trigger("a", "price", "grüße, 世界 🎉"),
        ("trigger", ["a", "price", "grüße, 世界 🎉"]),
        lambda pusher: pusher.trigger("a", "price", "grüße, 世界 🎉"),
    ),
    Call(
        "trigger an object",
        lambda sdk: sdk.trigger("a", "price", DATA),
        ("trigger", ["a", "price", DATA]),
        lambda pusher: pusher.trigger("a", "price", DATA),
    ),
    Call(
        "trigger on many channels",
        lambda sdk: sdk.trigger(["a", "private-b", ODD], "price", [1, "two"], socket_id="12.34"),
        ("trigger", [["a", "private-b", ODD], "price", [1, "two"], {"socket_id": "12.34"}]),
        lambda pusher: pusher.trigger(["a", "private-b", ODD], "price", [1, "two"], "12.34"),
    ),
    Call(
        "trigger with info",
        lambda sdk: sdk.trigger("presence-a", "price", "x", info=["user_count", "subscription_count"]),
        ("trigger", ["presence-a", "price", "x", {"info": "user_count,subscription_count"}]),
        None,
    ),
    Call(
        "trigger a batch",
        lambda sdk: sdk.trigger_batch([Event("a", "price", DATA), Event(ODD, "n", "text")]),
        (
            "triggerBatch",
            [[{"channel": "a", "name": "price", "data": DATA}, {"channel": ODD, "name": "n", "data": "text"}]],
        ),
        lambda pusher: pusher.trigger_batch(
            [{"channel": "a", "name": "price", "data": DATA}, {"channel": ODD, "name": "n", "data": "text"}]
        ),
    ),
    Call(
        "trigger a batch with socket_id and info",
        lambda sdk: sdk.trigger_batch([Event("a", "n", "x", socket_id="1.2", info="subscription_count")]),
        (
            "triggerBatch",
            [[{"channel": "a", "name": "n", "data": "x", "socket_id": "1.2", "info": "subscription_count"}]],
        ),
        lambda pusher: pusher.trigger_batch(
            [{"channel": "a", "name": "n", "data": "x", "socket_id": "1.2", "info": "subscription_count"}]
        ),
    ),
    Call(
        "send to a user",
        lambda sdk: sdk.send_to_user("user@1;x", "greeting", DATA),
        ("sendToUser", ["user@1;x", "greeting", DATA]),
        lambda pusher: pusher.send_to_user("user@1;x", "greeting", DATA),
    ),
    Call(
        "terminate connections",
        lambda sdk: sdk.terminate_connections("user@1,=.;x"),
        ("terminateUserConnections", ["user@1,=.;x"]),
        None,  # it has the method, with a wrong path: see test_pypi_pusher.py
    ),
    Call(
        "list channels",
        lambda sdk: sdk.list_channels(filter_by_prefix="presence-", info=["user_count"]),
        ("get", [{"path": "/channels", "params": {"filter_by_prefix": "presence-", "info": "user_count"}}]),
        lambda pusher: pusher.channels_info("presence-", ["user_count"]),
    ),
    Call(
        "get a channel",
        lambda sdk: sdk.get_channel(ODD, info="user_count,subscription_count"),
        ("get", [{"path": f"/channels/{ODD}", "params": {"info": "user_count,subscription_count"}}]),
        lambda pusher: pusher.channel_info(ODD, ["user_count", "subscription_count"]),
    ),
    Call(
        "get the users",
        lambda sdk: sdk.users(ODD),
        ("get", [{"path": f"/channels/{ODD}/users"}]),
        lambda pusher: pusher.users_info(ODD),
    ),
]
