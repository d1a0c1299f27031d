"""What the unit tests share: credentials of the documentation's worked examples, and a recording HTTP transport."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import cast

import attrs
import httpx

from pusher_channels import AsyncPusher, Pusher

APP_ID = "3"
KEY = "278d425bdf160c739803"
SECRET = "7ad3773142a6692b25b8"
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER_MASTER_KEY = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="


@attrs.define
class Recorder:
    """Answers every request, and keeps the bytes that would have gone out."""

    status: int = 200
    content: bytes = b"{}"
    headers: dict[str, str] = attrs.Factory(dict[str, str])
    requests: list[httpx.Request] = attrs.Factory(list[httpx.Request])
    urls: list[httpx.URL] = attrs.Factory(list[httpx.URL])
    error: Callable[[httpx.Request], Exception] | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.urls.append(request.url)  # the signed one: it leaves the request again afterwards
        if self.error is not None:
            raise self.error(request)
        return httpx.Response(self.status, content=self.content, headers=self.headers)

    @property
    def body(self) -> dict[str, object]:
        """The JSON body of the last request."""
        value: object = json.loads(self.requests[-1].content)
        assert isinstance(value, dict)
        return cast("dict[str, object]", value)

    def sync(self, **options: object) -> Pusher:
        client = httpx.Client(transport=httpx.MockTransport(self))
        return Pusher(APP_ID, KEY, SECRET, http_client=client, **options)  # type: ignore[arg-type]  # pyright: ignore

    def asynchronous(self, **options: object) -> AsyncPusher:
        async def handle(request: httpx.Request) -> httpx.Response:
            return self(request)

        client = httpx.AsyncClient(transport=httpx.MockTransport(handle))
        return AsyncPusher(APP_ID, KEY, SECRET, http_client=client, **options)  # type: ignore[arg-type]  # pyright: ignore
