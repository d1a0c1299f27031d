"""What an emulated app is: its credentials, its settings and its limits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import get_args

import attrs

from pusher_channels_rest import webhooks
from pusher_channels_rest.limits import DEFAULT_LIMITS, Limits

APP_ID = "1"
KEY = "emulator-key"
SECRET = "emulator-secret"  # noqa: S105  a fixed development default, good for nothing else
_KINDS = [kind for kind in get_args(webhooks.WebhookEvent) if kind is not webhooks.UnknownEvent]
_WEBHOOK_EVENTS = frozenset(str(attrs.fields_dict(kind)["name"].default) for kind in _KINDS)


def _names_of_events(names: Collection[str] | None) -> frozenset[str] | None:
    if names is None:
        return None
    if isinstance(names, str) or not all(name in _WEBHOOK_EVENTS for name in names):
        raise ValueError(f"events: must be some of {', '.join(sorted(_WEBHOOK_EVENTS))}")
    return frozenset(names)


@attrs.frozen
class WebhookEndpoint:
    """Where an app's webhooks go. ``events`` names those wanted; None is all of them."""

    url: str = attrs.field(validator=attrs.validators.matches_re(r"https?://.+"))
    events: frozenset[str] | None = attrs.field(default=None, converter=_names_of_events)

    def wants(self, event: str) -> bool:
        """Whether this endpoint gets webhook events of the name."""
        return self.events is None or event in self.events


def _endpoints(endpoints: Iterable[WebhookEndpoint]) -> tuple[WebhookEndpoint, ...]:
    listed = tuple(endpoints)
    if not all(isinstance(endpoint, WebhookEndpoint) for endpoint in listed):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError("webhooks: must be WebhookEndpoints")
    return listed


@attrs.frozen(kw_only=True)
class AppConfig:
    """An app of the emulator, with what the hosted service keeps in its dashboard. Times are in seconds.

    Attributes:
        app_id: The app's id in the paths of the HTTP API.
        key: The app's key.
        secret: The secret of the key: a development one.
        webhooks: Where webhooks are sent.
        enabled: A disabled app answers 403 and closes its connections with 4003.
        tls_only: Whether connections without TLS are closed with 4000: that is all that the emulator itself takes.
        client_events: Whether clients may trigger ``client-`` events.
        subscription_counts: Whether subscription counts are sent, to subscribers and as webhooks.
        user_authentication: Whether clients may sign in.
        watchlist_events: Whether clients get to know who of their watchlist is online.
        authorization_timeout: How long a connection may stay without signing in or an authorized subscription.
        max_queued_frames: How far a client may fall behind before it is dropped: nobody is kept waiting for it.
        max_connections: How many connections the app may have before new ones are closed with 4004.
        max_messages: How many messages the app may send before publishing is refused with 403. What counts as one
            is published to a channel, delivered to a connection, or asked for with ``info``.
        max_client_events_per_second: The client events a connection may send in a second.
        max_presence_members: The users a presence channel may have.
        max_watchlist: The users of a watchlist that are watched; those after them are not.
        activity_timeout: After how much silence a client is told to send a ping, and the emulator sends its own.
        pong_timeout: How long the client may take to answer that before it is closed with 4201.
        inactivity_timeout: After how much silence clients of old protocols, without a ping, are closed with 4202.
        cache_ttl: How long a cache channel remembers its last event.
        webhook_delay: How long ``channel_vacated`` and ``member_removed`` wait for the client to come back.
        webhook_batch_events: How many events a webhook may hold; 1 switches batching off.
        webhook_batch_delay: How long an event waits for others to share its webhook.
        webhook_timeout: How long the receiver of a webhook may take.
        webhook_retry_delay: The wait before a webhook is sent again, doubled after each attempt.
        webhook_retry_for: How long a webhook is tried.
        limits: The limits that the spec lets an app have otherwise.
    """

    app_id: str = APP_ID
    key: str = KEY
    secret: str = attrs.field(default=SECRET, repr=False)
    webhooks: tuple[WebhookEndpoint, ...] = attrs.field(default=(), converter=_endpoints)
    enabled: bool = True
    tls_only: bool = False
    client_events: bool = True
    subscription_counts: bool = True
    user_authentication: bool = True
    watchlist_events: bool = True
    authorization_timeout: float | None = None
    max_queued_frames: int = 5_000
    max_connections: int | None = None
    max_messages: int | None = None
    max_client_events_per_second: int = 10
    max_presence_members: int = 100
    max_watchlist: int = 100
    activity_timeout: float = 120.0
    pong_timeout: float = 30.0
    inactivity_timeout: float = 86_400.0
    cache_ttl: float = 1800.0
    webhook_delay: float = 3.0
    webhook_batch_events: int = 20
    webhook_batch_delay: float = 0.25
    webhook_timeout: float = 4.0
    webhook_retry_delay: float = 1.0
    webhook_retry_for: float = 300.0
    limits: Limits = DEFAULT_LIMITS
