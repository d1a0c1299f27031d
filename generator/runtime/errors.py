"""The base of the error tree. Every error that the SDK raises on purpose is a `PusherError`."""

from __future__ import annotations

from typing import Self

from attrs import frozen

__all__ = ["APIError", "InvalidArgumentError", "PusherError", "RequestInfo", "ResponseDecodeError"]


class PusherError(Exception):
    """The base of all errors of this SDK."""


class InvalidArgumentError(PusherError, ValueError):
    """An argument breaks a rule of the API. Nothing was sent.

    The message names the argument, with its index, and the rule. It never shows the value.

    Attributes:
        argument: Which argument, for example `channels[1]` or `batch[3].data`.
        rule: What it has to be, for example `must be 1 to 200 characters long`.
    """

    def __init__(self, argument: str, rule: str) -> None:
        super().__init__(argument, rule)
        self.argument = argument
        self.rule = rule

    def __str__(self) -> str:
        return f"{self.argument}: {self.rule}" if self.argument else self.rule

    def under(self, prefix: str) -> Self:
        """Return a copy of this error for the same argument seen from one level up.

        `data` under `batch[3]` is `batch[3].data`; `[1]` under `channels` is `channels[1]`.
        """
        if not prefix:
            return self
        separator = "." if self.argument and not self.argument.startswith("[") else ""
        return type(self)(f"{prefix}{separator}{self.argument}", self.rule)


@frozen
class RequestInfo:
    """The request that an error is about.

    Attributes:
        method: The HTTP method.
        url: The URL, without what is secret in it.
    """

    method: str
    url: str


_NO_REQUEST = RequestInfo("", "")


class APIError(PusherError):
    """A request was made and failed.

    Attributes:
        request: The request. Its fields are empty in the one case where there was none: a model was made of JSON
            that is not such an object.
    """

    def __init__(self, message: str, *, request: RequestInfo = _NO_REQUEST) -> None:
        super().__init__(message)
        self.request = request


class ResponseDecodeError(APIError):
    """The answer says success, and its body is not what the API description says."""
