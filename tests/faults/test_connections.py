"""Edges of connections that no server can be asked for."""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Iterator
from unittest import mock

import pytest

from pusher_channels._http import async_connections
from pusher_channels._http.connections import Connections
from pusher_channels._http.environment import ssl_contexts
from pusher_channels._http.messages import Origin, TimeLimit

NO_FAMILY = 9999


@pytest.fixture
def listening() -> Iterator[Origin]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield Origin("http", "127.0.0.1", server.getsockname()[1])


async def open_async(origin: Origin) -> socket.socket:
    return await async_connections._open(origin, TimeLimit(60.0))  # pyright: ignore[reportPrivateUsage]


async def test_nothing_waits_for_the_acknowledgement_of_what_went_before(listening: Origin) -> None:
    with await open_async(listening) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_address_of_a_family_that_the_system_lacks_is_passed_over(
    listening: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def look_up(loop: object, origin: Origin) -> list[tuple[int, tuple[object, ...]]]:
        address = (origin.host, origin.port)
        return [(NO_FAMILY, address), (socket.AF_INET, address)]

    with pytest.raises(OSError, match="not supported"):
        socket.socket(NO_FAMILY)
    monkeypatch.setattr(async_connections, "_look_up", look_up)
    with await open_async(listening) as sock:
        assert sock.getpeername() == (listening.host, listening.port)


class TakenAtOnce(deque[object]):
    """The idle connections, as they are when another thread takes each one in the moment it is given back."""

    def append(self, item: object, /) -> None:
        self.taken = item


def test_another_thread_may_take_the_connection_that_was_just_given_back(listening: Origin) -> None:
    class Connection:
        reusable = True
        idle_since = 0.0

    connections = Connections(ssl_contexts(True), lambda origin: None)
    idle = TakenAtOnce()
    connections._idle[listening] = idle  # type: ignore[assignment]  # pyright: ignore
    connection = Connection()
    connections._give_back(listening, connection)  # type: ignore[arg-type]  # pyright: ignore
    assert idle.taken is connection
    assert connection.idle_since > 0


def test_a_context_that_others_use_too_speaks_our_protocol_at_each_connection(listening: Origin) -> None:
    class Context(ssl.SSLContext):
        protocols: list[str]

        def set_alpn_protocols(self, alpn_protocols: list[str]) -> None:  # type: ignore[override]
            self.protocols = alpn_protocols

        def wrap_socket(self, sock: socket.socket, *args: object, **options: object) -> ssl.SSLSocket:
            raise ConnectionError(f"would offer {self.protocols}")

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    connections = Connections(ssl_contexts(context), lambda origin: None)
    for _ in range(2):
        context.protocols = ["h2"]  # as another client does that connects with it
        with pytest.raises(ConnectionError, match=r"would offer \['http/1.1'\]"):
            connections._connect(Origin("https", listening.host, listening.port), None, TimeLimit(60.0))  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("verify", [True, False])
def test_a_context_of_our_own_is_made_once_and_then_left_alone(verify: bool) -> None:
    """OpenSSL would read its protocols for one thread's connection while another thread sets them anew."""
    context_for_tls = ssl_contexts(verify)
    context = context_for_tls()
    with mock.patch.object(ssl.SSLContext, "set_alpn_protocols", side_effect=AssertionError):
        assert context_for_tls() is context
