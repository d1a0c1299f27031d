"""When a failed attempt may be made again, and after which wait. No I/O, no state.

A retry library was considered: its loop costs more than the rest of our call, and these rules, which are what matters,
would be written all the same.
"""

from __future__ import annotations

import math
import re
import time

from pusher_channels._http.answers import RawResponse
from pusher_channels._http.messages import Failure, Origin
from pusher_channels_rest.lazy import forks_wait

_FIRST_WAIT = 0.25
_LONGEST_WAIT = 8.0
_MAX_RETRY_AFTER = 24 * 60 * 60.0
_MAX_SKEW = 24 * 60 * 60

_LONGEST_MESSAGE = 4096
_EXPIRED = re.compile(r"Timestamp expired: Given timestamp \([^)]*\) not within \d+s of server time \(([^)]*)\)")


def may_repeat(outcome: RawResponse | Failure, *, repeatable: bool) -> bool:
    """Tell whether a request may be sent again after this answer, or after this failure to get one.

    ``repeatable`` says that a second delivery does no harm. Everything else is repeated only if it certainly was not
    taken; after a reset, even of a connection that had been idle, that is not certain.
    """
    if isinstance(outcome, RawResponse):
        if outcome.status_code == 429 or (outcome.status_code == 503 and "retry-after" in outcome.headers):
            return True  # the server says itself that it did not take the request
        return repeatable and outcome.status_code >= 500
    return not outcome.lasting and (repeatable or not outcome.taken)


def certainly_not_taken(outcome: RawResponse | Failure) -> bool:
    """Tell whether an attempt that ended like this left nothing at the server.

    The server says so itself with any refusal (3xx, 4xx) and with 503 and Retry-After; or the request never left. After
    another 5xx, a timeout or a broken connection nobody knows.
    """
    if isinstance(outcome, RawResponse):
        status = outcome.status_code
        return 300 <= status <= 499 or (status == 503 and "retry-after" in outcome.headers)
    return not outcome.taken


def wait_before(retry: int, answer: RawResponse | None) -> float:
    """Return the seconds to wait before a retry (the first is 0): what the server asks for, or a random share.

    Infinity means that it is not worth waiting: the server asks for more than a day.
    """
    asked = None if answer is None else _retry_after(answer)
    if asked is not None:
        return asked if asked <= _MAX_RETRY_AFTER else math.inf
    with forks_wait():
        import random

    # Full jitter: clients that failed together do not come back together.
    # A float ends at 2 to the 1024; the longest wait is reached long before.
    return random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(retry, 60)))  # noqa: S311  no secret depends on it


def _retry_after(answer: RawResponse) -> float | None:
    value = answer.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    with forks_wait():
        from datetime import UTC
        from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - time.time())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def server_offset(origin: Origin, answer: RawResponse) -> float | None:
    """Return how far the server's clock is ahead, if the server refused the request for its timestamp.

    Only an answer that nobody on the way can forge counts, over TLS or from this machine, and at most a day: a
    signature for another day would be worth something to an eavesdropper.
    """
    if answer.status_code != 401 or not (origin.needs_tls or origin.is_loopback):
        return None
    found = _EXPIRED.search(answer.content[:_LONGEST_MESSAGE].decode(errors="replace"))
    if found is None:
        return None
    with forks_wait():  # `strptime` loads a module, too
        from datetime import UTC, datetime

        try:
            server = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except ValueError:
            return None
    offset = server.timestamp() - time.time()
    return offset if abs(offset) <= _MAX_SKEW else None
