"""Calls of asyncio's tasks: the twin of `Transport`. A module of its own, so that threads need not load asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

from pusher_channels._http.answers import RawResponse
from pusher_channels._http.async_connections import AsyncConnections
from pusher_channels._http.environment import ssl_contexts
from pusher_channels._http.messages import Failure
from pusher_channels._transport import BaseTransport, Exchange, Outcome, Send, unusable_proxy
from pusher_channels_rest.codec import DEFAULT_SERVER, Request

if TYPE_CHECKING:
    import httpx  # noqa: F401  named in the string below

    from pusher_channels._http.through_httpx import AsyncHttpxSender

    AsyncHttpSender = AsyncConnections | AsyncHttpxSender

T = TypeVar("T")


class AsyncTransport(BaseTransport["httpx.AsyncClient"]):
    """Carries out calls of asyncio's tasks. It is the `AsyncCaller` of the generated resources."""

    async def call(self, request: Request[T]) -> T:
        """Send an operation's request and return its result."""
        prepared = self._prepare_operation(request)
        answer = await self._carry_out(self._exchange_operation(request, prepared))
        return self._decode(request, prepared, answer)

    async def request(
        self, method: str, path: str, query: tuple[tuple[str, str], ...], body: bytes | None
    ) -> RawResponse:
        """Send any other request, signed."""
        prepared = self._prepare(DEFAULT_SERVER, method, path, query, body)
        return await self._carry_out(self._exchange(prepared, idempotent=method in ("GET", "HEAD"), template=None))

    async def aclose(self) -> None:
        """Close the connections, unless the httpx client was given by the caller."""
        sender = cast("AsyncHttpSender | None", self._pool.close())
        if sender is not None:
            await sender.aclose()

    async def _carry_out(self, exchange: Exchange) -> RawResponse:
        # One for the whole call: who closes the client meanwhile does not end it.
        sender = self._sender()
        outcome: Outcome = None
        while True:
            try:
                step = exchange.send(outcome)
            except StopIteration as stop:
                answer: RawResponse = stop.value
                return answer
            if not isinstance(step, Send):
                await asyncio.sleep(step)
                outcome = None
                continue
            try:
                outcome = await self._attempt(sender, step)
            except BaseException as interruption:
                exchange.throw(interruption)  # as in `Transport`
                raise

    async def _attempt(self, sender: AsyncHttpSender, step: Send) -> RawResponse | Failure:
        return await sender.send(step.request, step.signer, step.limit)

    def _sender(self) -> AsyncHttpSender:
        return self._pool.sender(self._make_sender)

    def _make_sender(self) -> AsyncHttpSender:
        given, settings = self._pool.given, self._settings
        if given is None and not self._needs_httpx():
            return AsyncConnections(ssl_contexts(settings.verify), self._proxy_for())
        import httpx

        from pusher_channels._http.through_httpx import AsyncHttpxSender

        try:
            return AsyncHttpxSender(given or httpx.AsyncClient(proxy=settings.proxy, verify=settings.verify))
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise unusable_proxy() from error
