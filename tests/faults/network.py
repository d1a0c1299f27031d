"""Host names and ports that fail, all on this machine."""

from __future__ import annotations

import socket
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import Any
from unittest import mock


@contextmanager
def names() -> Generator[None]:
    """Make the names of the tests resolve, or fail to, without any name server."""
    real, over = socket.getaddrinfo, Event()

    def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host == "unknown.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == "slow.test":
            over.wait(10)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        if host in ("first-refuses.test", "first-silent.test"):
            return real("127.0.0.2", port, *args, **options) + real("127.0.0.1", port, *args, **options)
        return real(host, port, *args, **options)

    with mock.patch("socket.getaddrinfo", getaddrinfo):
        try:
            yield
        finally:
            over.set()


@contextmanager
def closed_port() -> Generator[int]:
    """Hold a port on which nobody listens: connections to it are refused."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextmanager
def silent_port(host: str = "127.0.0.1", port: int = 0) -> Generator[int]:
    """Listen with a full queue: the kernel drops further attempts to connect."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        for patience in range(4, -1, -1):
            try:
                full.bind((host, port))
            except OSError:  # a connection that is just being made may hold the port on all addresses
                if not patience:
                    raise
                time.sleep(0.05)
            else:
                break
        full.listen(0)
        is_full = False
        while not is_full:  # the kernel may need a moment to count those whom it lets in
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0.1)
            try:
                filler.connect(full.getsockname())
            except TimeoutError:
                is_full = True
        yield full.getsockname()[1]
