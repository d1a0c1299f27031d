"""What hooks, logs and an observer are told of each attempt."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from pusher_channels.errors import APIError, RequestInfo

_log = logging.getLogger("pusher_channels")


@attrs.frozen(kw_only=True)
class Attempt:
    """One attempt of a call, as ``on_request`` sees it before, and ``on_response`` after it.

    Attributes:
        request: Method and URL, without the signature.
        path_template: The path with its parameters in braces, such as ``/apps/{app_id}/events``; None for `request`.
        number: 1 for the first attempt of a call, then 2, and so on.
        started: When it began, in Unix time.
        seconds: How long it took; None before it is over.
        status_code: The answer's status, if one came.
        http_version: The answer's version of HTTP, such as ``HTTP/1.1``, if one came and it is known.
        error: What the call raises if this attempt was its last; None for a success.
    """

    request: RequestInfo
    path_template: str | None = None
    number: int
    started: float
    seconds: float | None = None
    status_code: int | None = None
    http_version: str | None = None
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
            _log.exception("a hook failed")


Ending = Callable[[Attempt | BaseException], None]
"""Called as an attempt ends: with what came of it, or with what ended it otherwise, such as a cancellation."""

Observer = Callable[[Attempt, dict[str, str]], Ending]
"""Called as an attempt begins, with a dict for the headers that it wants to add to the request.

Both calls are made in the thread or task, and in the context, of the one who waits for the attempt.
"""

_observer: Observer | None = None


def observe(observer: Observer | None) -> None:
    """Let an observer follow all attempts of all clients, in place of the one before; None for nobody."""
    global _observer
    _observer = observer


def is_observed() -> bool:
    """Tell whether there is an observer."""
    return _observer is not None


def begin(attempt: Attempt, headers: dict[str, str]) -> Ending:
    """Tell the observer that an attempt begins. Whatever fails in it is logged, as in hooks."""
    observer = _observer
    if observer is None:
        return _nothing
    try:
        ending = observer(attempt, headers)
    except Exception:
        _log.exception("the observer failed")
        return _nothing

    def end(outcome: Attempt | BaseException) -> None:
        try:
            ending(outcome)
        except Exception:
            _log.exception("the observer failed")

    return end


def _nothing(outcome: Attempt | BaseException) -> None:
    pass
