"""One way to drive either publisher, so that a test is written once for both."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

from pusher_channels import (
    AsyncPublisher,
    AsyncPusher,
    ChannelAttributes,
    Event,
    Publisher,
    PublisherStatistics,
    Pusher,
)
from pusher_channels.publisher._options import Options, WhenFull

Outcome = asyncio.Future[ChannelAttributes]
_TRUST_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
KINDS = pytest.mark.parametrize("kind", ["sync", "async"])


class Twin:
    """A publisher of either kind. What blocks runs on a thread, so that a test can do something meanwhile."""

    def __init__(self, publisher: Publisher | AsyncPublisher, client: Pusher | AsyncPusher) -> None:
        self.publisher = publisher
        self._client = client

    @property
    def statistics(self) -> PublisherStatistics:
        return self.publisher.statistics

    async def publish(
        self, channel: str, name: str, data: object, *, socket_id: str | None = None, info: Sequence[str] | str = ()
    ) -> Outcome:
        if isinstance(self.publisher, AsyncPublisher):
            return await self.publisher.publish(channel, name, data, socket_id=socket_id, info=info)
        publish = self.publisher.publish
        return asyncio.wrap_future(
            await asyncio.to_thread(publish, channel, name, data, socket_id=socket_id, info=info)
        )

    async def publish_event(self, event: Event) -> Outcome:
        if isinstance(self.publisher, AsyncPublisher):
            return await self.publisher.publish_event(event)
        return asyncio.wrap_future(await asyncio.to_thread(self.publisher.publish_event, event))

    async def flush(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        await self._run(self.publisher.flush, timeout)

    async def close(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        if isinstance(self.publisher, AsyncPublisher):
            await self.publisher.aclose(timeout)
        else:
            await asyncio.to_thread(self.publisher.close, timeout)

    async def close_client(self) -> None:
        if isinstance(self._client, AsyncPusher):
            await self._client.aclose()
        else:
            self._client.close()

    async def outcomes(self, *futures: Outcome) -> list[ChannelAttributes | BaseException]:
        return await asyncio.gather(*futures, return_exceptions=True)

    async def _run(self, method: Callable[[float | None], Awaitable[None] | None], timeout: float | None) -> None:  # noqa: ASYNC109
        if isinstance(self.publisher, AsyncPublisher):
            result = method(timeout)
            assert result is not None
            await result
        else:
            await asyncio.to_thread(method, timeout)


@asynccontextmanager
async def open_twin(
    kind: str,
    url: str,
    *,
    client: dict[str, Any] | None = None,
    max_queue: int = 10_000,
    when_full: WhenFull = "wait",
    max_age: float = 0.05,
    concurrency: int = 4,
    split_refused: bool = True,
) -> AsyncGenerator[Twin]:
    """Make a client and a publisher of this kind; close both in the end, unless the test has."""
    options = Options(
        max_queue=max_queue,
        when_full=when_full,
        max_age=max_age,
        concurrency=concurrency,
        split_refused=split_refused,
    )
    given: dict[str, Any] = attrs.asdict(options)
    client = {"verify": _TRUST_NOBODY, **(client or {})}  # which is quicker to make than httpx's default
    if kind == "sync":
        with Pusher.from_url(url, **client) as pusher:
            twin = Twin(pusher.publisher(**given), pusher)
            yield twin
            await twin.close()
    else:
        async with AsyncPusher.from_url(url, **client) as async_pusher:
            twin = Twin(async_pusher.publisher(**given), async_pusher)
            yield twin
            await twin.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that a thread or the server does."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0.005)
