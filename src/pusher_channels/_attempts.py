"""What hooks and logs are told of each attempt."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from pusher_channels.errors import APIError, RequestInfo


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt of a call, as ``on_request`` sees it before, and ``on_response`` after it.

    Attributes:
        request: Method and URL, without the signature.
        number: 1 for the first attempt of a call, then 2, and so on.
        started: When it began, in Unix time.
        seconds: How long it took; None before it is over.
        status_code: The answer's status, if one came.
        error: What the call raises if this attempt was its last; None for a success.
    """

    request: RequestInfo
    number: int
    started: float
    seconds: float | None = None
    status_code: int | None = None
    error: APIError | None = None

    def __str__(self) -> str:
        outcome = self.status_code if self.status_code is not None else type(self.error).__name__
        took = f"in {self.seconds or 0:.3f} s (attempt {self.number})"
        return f"{self.request.method} {self.request.url} -> {outcome} {took}"


def tell(hook: Callable[[Attempt], None] | None, attempt: Attempt) -> None:
    """Call a hook. Its own error is logged: it must not end a call, nor make the caller repeat one that succeeded."""
    if hook is not None:
        try:
            hook(attempt)
        except Exception:
            logging.getLogger("pusher_channels").exception("a hook failed")
