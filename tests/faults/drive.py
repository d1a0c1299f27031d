"""Drives every fault with both clients and both calls, many at a time."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import attrs

from pusher_channels import APIError, AsyncPusher, Attempt, Pusher
from tests.faults.certificates import Certificates, make_certificates
from tests.faults.faults import FAULTS, Fault, Outcome
from tests.faults.network import closed_port, names, silent_port
from tests.faults.server import FaultServer

CLIENTS = ("sync", "async")
CALLS = ("trigger", "channels.get")
_WAITING, _WORKING = 24, 8
SECRET = "a-marked-secret"


@attrs.frozen
class Case:
    """One call of one client into one fault."""

    group: str
    fault: Fault
    client: str
    call: str

    def __str__(self) -> str:
        return f"{self.fault.what}: {self.client} {self.call}"

    @property
    def expected(self) -> Outcome:
        return self.fault.post if self.call == "trigger" else self.fault.get


@attrs.frozen
class Seen:
    """What came of a case, and the error if it was one."""

    outcome: Outcome
    error: APIError | None


CASES = [
    Case(group, fault, client, call)
    for group, faults in FAULTS.items()
    for fault in faults
    for client in CLIENTS
    for call in CALLS
]


def drive_all() -> dict[Case, Seen]:
    """Run all cases. Most of them wait most of the time, so many run at once."""
    with (
        tempfile.TemporaryDirectory() as folder,
        names(),
        ThreadPoolExecutor(_WAITING) as waiting,
        ThreadPoolExecutor(_WORKING) as working,
    ):
        certificates = make_certificates(Path(folder))
        results = {case: (waiting if case.fault.slow else working).submit(drive, case, certificates) for case in CASES}
        return {case: result.result() for case, result in results.items()}


def drive(case: Case, certificates: Certificates) -> Seen:
    """Run one case on a server of its own."""
    for _ in range(5):
        with suppress(OSError):  # a port was free on one address and taken on another: it is another one next time
            return _drive(case, certificates)
    return _drive(case, certificates)


def _drive(case: Case, certificates: Certificates) -> Seen:
    fault = case.fault
    attempts: list[Attempt] = []
    with ExitStack() as stack:
        tls = None if fault.tls in (None, "no") else getattr(certificates, fault.tls)
        server = stack.enter_context(FaultServer(fault.serve, tls))
        port = server.port
        if fault.host == "first-silent.test":
            stack.enter_context(silent_port("127.0.0.2", port))
        elif fault.port != "open":
            port = stack.enter_context(closed_port() if fault.port == "closed" else silent_port())
        options: dict[str, Any] = {
            "host": f"{fault.host}:{port}",
            "ssl": fault.tls is not None,
            "verify": certificates.client,
            "timeout": _time_limit(fault),
            "deadline": 120.0,
            "on_request": attempts.append,
        }
        if fault.proxy is not None:
            options |= {"host": "api.test", "ssl": fault.proxy == "https", "proxy": f"http://127.0.0.1:{port}"}

        def begin() -> None:
            server.forget()
            attempts.clear()

        result, error = (drive_sync if case.client == "sync" else drive_async)(case, options, begin, server.settle)
        server.settle()
        return Seen(Outcome(result, len(attempts), len(server.requests)), error)


def _time_limit(fault: Fault) -> float:
    """Return the seconds that an attempt may take."""
    if not fault.slow:
        # Of which a silent first address gets half.
        return 10.0 if fault.host == "first-silent.test" else 30.0
    # The server has to read the request before they are over, however busy the machine is; or there is no server.
    return 3.0 if fault.post.seen else 0.6


Do = Callable[[], None]


def drive_sync(case: Case, options: dict[str, Any], begin: Do, settle: Do) -> tuple[str, APIError | None]:
    with Pusher("3", "key", SECRET, **options) as pusher:

        def call() -> object:
            return pusher.trigger("c", "e", "d") if case.call == "trigger" else pusher.channels.get("c")

        if case.fault.warm:
            call()
            if case.fault.warm == "closed":
                _let_the_end_arrive(settle)
        begin()
        try:
            call()
        except APIError as error:
            return type(error).__name__, error
    return "ok", None


def drive_async(case: Case, options: dict[str, Any], begin: Do, settle: Do) -> tuple[str, APIError | None]:
    async def run() -> tuple[str, APIError | None]:
        async with AsyncPusher("3", "key", SECRET, **options) as pusher:

            async def call() -> object:
                return await (pusher.trigger("c", "e", "d") if case.call == "trigger" else pusher.channels.get("c"))

            if case.fault.warm:
                await call()
                if case.fault.warm == "closed":
                    await asyncio.to_thread(_let_the_end_arrive, settle)
            begin()
            try:
                await call()
            except APIError as error:
                return type(error).__name__, error
        return "ok", None

    return asyncio.run(run())


def _let_the_end_arrive(settle: Do) -> None:
    """Wait until the server has closed its connection, and the end of it has reached this side."""
    settle()
    time.sleep(0.1)
