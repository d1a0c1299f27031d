"""The error tree. Every error that this SDK raises on purpose is a `PusherError`.

    PusherError
      ConfigurationError, InvalidArgumentError     both also ValueError
      EncryptionError, QueueFullError, DeliveryUnknownError
      WebhookError > InvalidSignatureError, UnknownKeyError, StaleWebhookError, InvalidWebhookBodyError
      APIError > APIConnectionError > APITimeoutError
               > APIStatusError > BadRequestError, AuthenticationError, PermissionDeniedError, NotFoundError,
                                  PayloadTooLargeError, RateLimitError, ServerError
               > ResponseDecodeError

The base of the tree lives in the generated package, which raises some of these itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from pusher_channels_rest.errors import (
    APIError,
    InvalidArgumentError,
    PusherError,
    RequestInfo,
    ResponseDecodeError,
)

__all__ = [
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
]


class ConfigurationError(PusherError, ValueError):
    """The client was made with an option that cannot work, or lacks an option that the call needs.

    ``option`` is the option's name. The message says the rule and never shows the value.
    """

    def __init__(self, option: str, rule: str) -> None:
        super().__init__(option, rule)
        self.option = option
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.option}: {self.rule}"


class EncryptionError(PusherError):
    """End-to-end encryption was refused or failed: plaintext on its way, or data that does not decrypt."""


class QueueFullError(PusherError):
    """A publisher holds as many events as it may, and was told to refuse more. Nothing was queued."""


class DeliveryUnknownError(PusherError):
    """An event of a publisher may have been taken by the server or not. ``__cause__`` is what happened.

    Sending it again may deliver it twice, not sending it again may lose it: that is for the caller to decide.
    """


class WebhookError(PusherError):
    """The webhook is not to be trusted or cannot be read. Answer it with a status outside 2xx."""


class InvalidSignatureError(WebhookError):
    """The signature header is missing, or is not the signature of the body."""


class UnknownKeyError(WebhookError):
    """The key header is missing, or names neither the client's key nor one of the extra tokens."""


class StaleWebhookError(WebhookError):
    """The webhook's own time is outside the accepted window, as that of a replayed one is."""


class InvalidWebhookBodyError(WebhookError):
    """The body carries a good signature and is still not a webhook body."""


class APIConnectionError(APIError):
    """No complete answer came: the server could not be reached, or the connection broke."""


class APITimeoutError(APIConnectionError):
    """No complete answer came within the timeout. The server may have taken the request all the same."""


class APIStatusError(APIError):
    """The server answered with a status outside 2xx."""

    def __init__(self, status_code: int, body: str, headers: Mapping[str, str], *, request: RequestInfo) -> None:
        text = body.strip()
        super().__init__(f"{status_code}: {text[:500]}" if text else str(status_code), request=request)
        self.status_code = status_code
        self.body = body
        self.headers = headers

    def __reduce__(self) -> tuple[object, ...]:
        # The default rebuilds an exception from its message alone; Celery and multiprocessing pickle errors.
        return _rebuild_status_error, (type(self), self.status_code, self.body, dict(self.headers), self.request)


def _rebuild_status_error(
    kind: type[APIStatusError], status_code: int, body: str, headers: dict[str, str], request: RequestInfo
) -> APIStatusError:
    return kind(status_code, body, headers, request=request)


class BadRequestError(APIStatusError):
    """400: a parameter is refused. Also what a key or app id of another cluster gets (``Unknown auth_key``)."""


class AuthenticationError(APIStatusError):
    """401: the signature is refused: a wrong secret, or a clock that is 600 seconds or more off."""


class PermissionDeniedError(APIStatusError):
    """403: the app is disabled or over its message quota."""


class NotFoundError(APIStatusError):
    """404: no such path or app."""


class PayloadTooLargeError(APIStatusError):
    """413: an event's data is larger than the server takes."""


class RateLimitError(APIStatusError):
    """429: too many requests. Not documented for the hosted service; other servers answer it."""


class ServerError(APIStatusError):
    """5xx: the server failed."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    413: PayloadTooLargeError,
    429: RateLimitError,
}


def status_error(status_code: int, body: str, headers: Mapping[str, str], *, request: RequestInfo) -> APIStatusError:
    """Make the error that stands for ``status_code``."""
    kind = _BY_STATUS.get(status_code, ServerError if status_code >= 500 else APIStatusError)
    return kind(status_code, body, headers, request=request)
