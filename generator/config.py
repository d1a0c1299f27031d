"""What the generator is told besides the spec: pins, names that are taken, and what the handwritten layer needs."""

from __future__ import annotations

PACKAGE = "pusher_channels_rest"
"""The import name of the generated package."""

GENERATOR_PIN = "0.29.1"
"""The version of openapi-python-client that this generator was written for. Its parser is no public API."""

RUFF_PIN = "0.17.6"
"""The version of ruff that formats the output. Another one may format it in another way."""

APP_ID = "app_id"
"""The path parameter that comes from the client's credentials: no method takes it."""

CLIENT_NAMES = frozenset(
    {
        "aclose",
        "app_id",
        "authenticate_user",
        "authenticate_user_form",
        "authorize_channel",
        "authorize_channel_form",
        "call",
        "close",
        "cluster",
        "deadline",
        "encryption_master_key_base64",
        "from_env",
        "from_url",
        "host",
        "http_client",
        "json_encoder",
        "key",
        "limits",
        "max_batch_events",
        "max_data_bytes",
        "max_retries",
        "notify",
        "port",
        "proxy",
        "push_notification_host",
        "request",
        "retry_unsafe",
        "secret",
        "send_to_user",
        "ssl",
        "timeout",
        "trigger",
        "trigger_batch",
        "verify",
        "webhook",
        "with_options",
    }
)
"""Names that the handwritten clients use themselves. No resource may have one of them."""

WEBHOOK_TAG = "webhooks"
"""The tag of webhooks. No operation may have it."""

METHOD_NAMES = frozenset(
    {"bool", "bytes", "default_limits", "default_server", "float", "int", "object", "str", "tuple"}
)
"""Names of types that annotations use, and of constants: a method of that name would hide them."""

ARGUMENT_NAMES = frozenset({"app_id", "limits", "query_pairs", "request_body", "self"})
ARGUMENT_PREFIXES = ("check_", "decode_", "encode_")
"""Names that the generated functions use themselves. An argument of that name gets an underscore."""

FIELD_NAMES = frozenset(
    {
        "additional_properties",
        "decryption_error",
        "field",
        "from_dict",
        "limits",
        "raw_data",
        "self",
        "to_dict",
        "with_limits",
    }
)
"""Names that the generated models use themselves. A field of that name gets an underscore."""

CLASS_NAMES = frozenset(
    {
        "APIError",
        "AsyncCaller",
        "AsyncResources",
        "Caller",
        "InvalidArgumentError",
        "Limits",
        "Literal",
        "Mapping",
        "Operation",
        "PusherError",
        "Request",
        "RequestInfo",
        "Resources",
        "ResponseDecodeError",
        "Self",
        "Sequence",
        "Server",
    }
)
"""Names of classes that the generated modules use themselves. No component may have one of them."""

FORMATS = frozenset({"byte", "double", "email", "float", "hostname", "int32", "int64", "password", "uri", "uuid"})
"""Known values of `format`. `password` keeps a field out of reprs, the others are for readers."""

STATUS_ERRORS = {
    "400": "BadRequestError",
    "401": "AuthenticationError",
    "403": "PermissionDeniedError",
    "404": "NotFoundError",
    "413": "PayloadTooLargeError",
    "429": "RateLimitError",
    "5XX": "ServerError",
    "default": "APIStatusError",
}
"""What the handwritten layer raises for a status: for the docstrings."""

CORE_OPERATIONS = (
    "channels/get",
    "channels/list",
    "channels/stats",
    "channels/trigger_event",
    "channels/users",
    "events/trigger",
    "events/trigger_batch",
    "push_notifications/publish",
    "users/terminate_connections",
)
CORE_SCHEMAS = (
    "BatchEvent",
    "CacheMiss",
    "CachedEvent",
    "Channel",
    "ChannelAttributes",
    "ChannelAuthorization",
    "ChannelData",
    "ChannelList",
    "ChannelName",
    "ChannelOccupied",
    "ChannelStats",
    "ChannelUser",
    "ChannelUsers",
    "ChannelVacated",
    "ClientEvent",
    "EventData",
    "EventName",
    "MemberAdded",
    "MemberRemoved",
    "NotifyRequest",
    "NotifyResult",
    "PresenceUser",
    "SigninUser",
    "SocketId",
    "SubscriptionCount",
    "TerminateConnectionsResult",
    "TriggerBatchRequest",
    "TriggerBatchResult",
    "TriggerRequest",
    "TriggerResult",
    "UserAuthentication",
    "UserId",
    "WebhookBody",
    "WebhookEvent",
)
CORE_LIMITS = ("max_batch_events", "max_data_bytes")
"""What the handwritten layer imports. A spec without one of them is refused, unless `--no-core` says otherwise."""
