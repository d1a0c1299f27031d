"""What a test may do to a running server: make the next requests fail, and set its clock wrong."""

from __future__ import annotations

import asyncio
import enum
import math
import threading
import time

import attrs
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response


class Fault(enum.Enum):
    """What can happen to a request of the HTTP API, before anything in it is looked at."""

    SERVER_ERROR = "server error"
    """It is answered with 500."""
    RATE_LIMITED = "rate limited"
    """It is answered with 429, which proxies and other servers do. The hosted service does not."""
    UNAVAILABLE = "unavailable"
    """It is answered with 503 and Retry-After, which says that it was not taken: clients send it again."""
    OVER_QUOTA = "over quota"
    """It is answered with 403, as for an app that is over its message quota."""
    RESET = "reset"
    """Its connection is reset, without an answer."""
    HANG = "hang"
    """It is never answered."""
    SLOW = "slow"
    """It is answered as ever, but late."""


OVER_QUOTA_TEXT = "API call failed since (daily) message quota exceeded"

_ANSWERS = {
    Fault.SERVER_ERROR: (500, "Internal server error"),
    Fault.RATE_LIMITED: (429, "Too many requests"),
    Fault.UNAVAILABLE: (503, "Service unavailable"),
    Fault.OVER_QUOTA: (403, OVER_QUOTA_TEXT),
}


@attrs.define
class PlannedFault:
    """A fault, and the requests that it waits for."""

    fault: Fault
    times: int
    path: str | None
    delay: float


class FaultPlan:
    """The faults to come, in their order. Filled by a test's thread, emptied by the server's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._planned: list[PlannedFault] = []

    def add(self, planned: PlannedFault) -> None:
        """Let the next requests of its path fail."""
        with self._lock:
            self._planned.append(planned)

    def take(self, path: str) -> PlannedFault | None:
        """Return what is to happen to the request of the path."""
        with self._lock:
            for planned in self._planned:
                if planned.path is None or path.endswith(planned.path):
                    planned.times -= 1
                    if planned.times <= 0:
                        self._planned.remove(planned)
                    return planned
        return None

    def clear(self) -> None:
        """Let nothing fail any more."""
        with self._lock:
            self._planned.clear()


@attrs.define
class Controls:
    """What all apps of a server share."""

    capacity: int | None = None
    clock_offset: float = 0.0
    faults: FaultPlan = attrs.field(factory=FaultPlan)

    def time(self) -> float:
        """Return the Unix time that the server believes it is."""
        return time.time() + self.clock_offset


async def suffer(planned: PlannedFault, request: Request) -> Response | None:
    """Let the fault happen to the request. None if it is to be answered after all."""
    if planned.fault in _ANSWERS:
        status, text = _ANSWERS[planned.fault]
        headers = {"Retry-After": str(math.ceil(planned.delay))} if planned.fault is Fault.UNAVAILABLE else None
        return PlainTextResponse(text + "\n", status, headers)
    try:
        if planned.fault is Fault.SLOW:
            await asyncio.sleep(planned.delay)
            return None
        if planned.fault is Fault.RESET:
            request.scope["state"]["reset"]()
        while (await request.receive())["type"] != "http.disconnect":
            pass
    except asyncio.CancelledError:
        pass  # the server stops: not an error that uvicorn should log
    return Response(status_code=503)  # to nobody: the client is gone
