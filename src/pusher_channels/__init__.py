"""Server SDK for Pusher Channels: publish events, query channels, authorize clients, receive webhooks.

Everything public is imported from here. Names are loaded when they are first used, so that an auth endpoint, which
only signs, pays for neither the HTTP client nor the encryption library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pusher_channels._version import __version__
from pusher_channels_rest.lazy import forks_wait

if TYPE_CHECKING:
    from httpx import Timeout

    from pusher_channels._attempts import Attempt
    from pusher_channels._auth import SignatureAuth
    from pusher_channels._builder import Event
    from pusher_channels._http.answers import RawResponse
    from pusher_channels._webhooks import Webhook
    from pusher_channels.client import AsyncPusher, Pusher
    from pusher_channels.errors import (
        APIConnectionError,
        APIError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConfigurationError,
        DeliveryUnknownError,
        EncryptionError,
        InvalidArgumentError,
        InvalidSignatureError,
        InvalidWebhookBodyError,
        NotFoundError,
        PayloadTooLargeError,
        PermissionDeniedError,
        PusherError,
        QueueFullError,
        RateLimitError,
        RequestInfo,
        ResponseDecodeError,
        ServerError,
        StaleWebhookError,
        UnknownKeyError,
        WebhookError,
    )
    from pusher_channels.publisher import AsyncPublisher, Publisher, PublisherStatistics
    from pusher_channels_rest.models import (
        BatchEvent,
        CachedEvent,
        CacheMiss,
        Channel,
        ChannelAttributes,
        ChannelAuthorization,
        ChannelList,
        ChannelOccupied,
        ChannelStats,
        ChannelUser,
        ChannelUsers,
        ChannelVacated,
        ClientEvent,
        MemberAdded,
        MemberRemoved,
        NotifyResult,
        PresenceUser,
        SigninUser,
        SubscriptionCount,
        TerminateConnectionsResult,
        TriggerBatchResult,
        TriggerResult,
        UserAuthentication,
    )
    from pusher_channels_rest.webhooks import UnknownEvent, WebhookEvent

# Where each name comes from; tests/unit/test_exports.py holds it against the imports above.
_SOURCES = {
    "httpx": ("Timeout",),
    "pusher_channels._attempts": ("Attempt",),
    "pusher_channels._auth": ("SignatureAuth",),
    "pusher_channels._builder": ("Event",),
    "pusher_channels._http.answers": ("RawResponse",),
    "pusher_channels._webhooks": ("Webhook",),
    "pusher_channels.client": ("AsyncPusher", "Pusher"),
    "pusher_channels.errors": (
        "APIConnectionError",
        "APIError",
        "APIStatusError",
        "APITimeoutError",
        "AuthenticationError",
        "BadRequestError",
        "ConfigurationError",
        "DeliveryUnknownError",
        "EncryptionError",
        "InvalidArgumentError",
        "InvalidSignatureError",
        "InvalidWebhookBodyError",
        "NotFoundError",
        "PayloadTooLargeError",
        "PermissionDeniedError",
        "PusherError",
        "QueueFullError",
        "RateLimitError",
        "RequestInfo",
        "ResponseDecodeError",
        "ServerError",
        "StaleWebhookError",
        "UnknownKeyError",
        "WebhookError",
    ),
    "pusher_channels.publisher": ("AsyncPublisher", "Publisher", "PublisherStatistics"),
    "pusher_channels_rest.models": (
        "BatchEvent",
        "CacheMiss",
        "CachedEvent",
        "Channel",
        "ChannelAttributes",
        "ChannelAuthorization",
        "ChannelList",
        "ChannelOccupied",
        "ChannelStats",
        "ChannelUser",
        "ChannelUsers",
        "ChannelVacated",
        "ClientEvent",
        "MemberAdded",
        "MemberRemoved",
        "NotifyResult",
        "PresenceUser",
        "SigninUser",
        "SubscriptionCount",
        "TerminateConnectionsResult",
        "TriggerBatchResult",
        "TriggerResult",
        "UserAuthentication",
    ),
    "pusher_channels_rest.webhooks": ("UnknownEvent", "WebhookEvent"),
}
_SOURCE_OF = {name: module for module, names in _SOURCES.items() for name in names}

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncPublisher",
    "AsyncPusher",
    "Attempt",
    "AuthenticationError",
    "BadRequestError",
    "BatchEvent",
    "CacheMiss",
    "CachedEvent",
    "Channel",
    "ChannelAttributes",
    "ChannelAuthorization",
    "ChannelList",
    "ChannelOccupied",
    "ChannelStats",
    "ChannelUser",
    "ChannelUsers",
    "ChannelVacated",
    "ClientEvent",
    "ConfigurationError",
    "DeliveryUnknownError",
    "EncryptionError",
    "Event",
    "InvalidArgumentError",
    "InvalidSignatureError",
    "InvalidWebhookBodyError",
    "MemberAdded",
    "MemberRemoved",
    "NotFoundError",
    "NotifyResult",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "PresenceUser",
    "Publisher",
    "PublisherStatistics",
    "Pusher",
    "PusherError",
    "QueueFullError",
    "RateLimitError",
    "RawResponse",
    "RequestInfo",
    "ResponseDecodeError",
    "ServerError",
    "SignatureAuth",
    "SigninUser",
    "StaleWebhookError",
    "SubscriptionCount",
    "TerminateConnectionsResult",
    "Timeout",
    "TriggerBatchResult",
    "TriggerResult",
    "UnknownEvent",
    "UnknownKeyError",
    "UserAuthentication",
    "Webhook",
    "WebhookError",
    "WebhookEvent",
    "__version__",
]


def __getattr__(name: str) -> object:
    module = _SOURCE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with forks_wait():
        value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
