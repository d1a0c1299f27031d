"""Sending through an httpx client: the caller's own, or one for a proxy that only httpx can speak to."""

from __future__ import annotations

import asyncio

import httpx

from pusher_channels._auth import SIGNATURE, SignatureAuth
from pusher_channels._http.answers import BadAnswerError, Body, RawResponse
from pusher_channels._http.messages import Failure, Outgoing, TimeLimit, is_certificate_error
from pusher_channels._signer import RequestSigner
from pusher_channels.errors import PusherError

# Raised before any byte of the request was on its way, so the server cannot have taken it.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
# The same would happen again.
_LASTING = (
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
    httpx.DecodingError,
    httpx.InvalidURL,
    BadAnswerError,
    ValueError,
)
# What an attempt may fail with. ValueError: a host name that cannot be one, a redirect's URL that is none.
_FAILURES = (httpx.HTTPError, httpx.InvalidURL, BadAnswerError, OSError, ValueError)


class HttpxSender:
    """Sends with an `httpx.Client`. Of the client's own defaults, nothing gets into the request."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, request: Outgoing, signer: RequestSigner, limit: TimeLimit) -> RawResponse | Failure:
        """Make one attempt. The parts of the limit hold, not the whole: httpx has no such limit."""
        client = self._client
        try:
            response = client.send(_prepare(request, limit), auth=_auth(signer), follow_redirects=False, stream=True)
            try:
                body = _begin(response)
                if response.is_stream_consumed:
                    body.add(response.content)
                else:
                    for part in response.iter_raw():
                        is_good = body.add(part)
                        del part  # error trackers show the locals of the frames that an error passes
                        if not is_good:
                            break
                return body.answer()
            finally:
                response.close()
        except _FAILURES as error:
            return _failure(error)
        except RuntimeError as error:
            raise _closed_error(client, error) from error

    def close(self) -> None:
        """Close the client."""
        self._client.close()


class AsyncHttpxSender:
    """The same with an `httpx.AsyncClient`."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def send(self, request: Outgoing, signer: RequestSigner, limit: TimeLimit) -> RawResponse | Failure:
        """Make one attempt."""
        client = self._client
        try:
            async with asyncio.timeout(limit.total):
                response = await client.send(
                    _prepare(request, limit), auth=_auth(signer), follow_redirects=False, stream=True
                )
                try:
                    body = _begin(response)
                    if response.is_stream_consumed:
                        body.add(response.content)
                    else:
                        async for part in response.aiter_raw():
                            is_good = body.add(part)
                            del part  # error trackers show the locals of the frames that an error passes
                            if not is_good:
                                break
                    return body.answer()
                finally:
                    await response.aclose()
        except _FAILURES as error:
            return _failure(error)
        except RuntimeError as error:
            raise _closed_error(client, error) from error

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()


def _prepare(request: Outgoing, limit: TimeLimit) -> httpx.Request:
    url = httpx.URL(str(request.origin)).copy_with(raw_path=request.path.encode("ascii"))
    if request.query:
        url = url.copy_with(params=request.query)
    parts = dict.fromkeys(("pool", "connect", "read", "write"), limit.total) if limit.parts is None else limit.parts
    parts = {name: limit.total if value is None else min(value, limit.total or value) for name, value in parts.items()}
    extensions = {"timeout": parts}
    return httpx.Request(request.method, url, headers=request.headers, content=request.body, extensions=extensions)


def _auth(signer: RequestSigner) -> SignatureAuth:
    return SignatureAuth(signer.key, signer.secret, clock=signer.clock)


def _begin(response: httpx.Response) -> Body:
    signature: bytes = response.extensions.get(SIGNATURE, b"")
    version: bytes | None = response.extensions.get("http_version")  # its property guesses where nothing is known
    return Body(
        response.status_code,
        response.headers.raw,
        signature,
        version=None if version is None else version.decode("ascii", "replace"),
        # A transport of the caller's own may have read it, which decompresses it.
        inflate=not response.is_stream_consumed,
    )


def _failure(error: Exception) -> Failure:
    return Failure(
        cause=error,
        timed_out=isinstance(error, (httpx.TimeoutException, TimeoutError)),
        taken=not isinstance(error, _NOT_SENT),
        lasting=isinstance(error, _LASTING) or is_certificate_error(error),
    )


def _closed_error(client: httpx.Client | httpx.AsyncClient, error: RuntimeError) -> Exception:
    return PusherError("the client is closed") if client.is_closed else error
