"""The error tree: what becomes which error, and that no error shows a secret."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import socket
import traceback
from collections.abc import Callable

import httpx
import pytest

import pusher_channels
from pusher_channels import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncPusher,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidArgumentError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    Pusher,
    PusherError,
    RateLimitError,
    RequestInfo,
    ResponseDecodeError,
    ServerError,
)
from tests.unit.support import APP_ID, KEY, SECRET, Recorder


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (413, PayloadTooLargeError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (520, ServerError),
        (302, APIStatusError),
        (418, APIStatusError),
        (499, APIStatusError),
    ],
)
async def test_statuses(recorder: Recorder, status: int, kind: type[APIStatusError]) -> None:
    recorder.status, recorder.content, recorder.headers = status, "Nö.\n".encode(), {"X-A": "b"}
    with pytest.raises(APIStatusError) as caught:
        recorder.sync().trigger("c", "e", "d")
    with pytest.raises(APIStatusError) as twin:
        await recorder.asynchronous().trigger("c", "e", "d")
    for error in (caught.value, twin.value):
        assert type(error) is kind
        assert (error.status_code, error.body, error.headers["x-a"]) == (status, "Nö.\n", "b")
        assert str(error) == f"{status}: Nö."
        assert error.request == RequestInfo(method="POST", url="https://api-mt1.pusher.com/apps/3/events")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind
        assert (again.status_code, again.body, again.request) == (status, "Nö.\n", error.request)
        assert str(copy.copy(error)) == str(error)


def test_the_servers_echo_of_the_signature_is_redacted(recorder: Recorder) -> None:
    signature = "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
    recorder.status, recorder.content = 401, f'Invalid signature: ... but you sent "{signature}"'.encode()
    with pytest.raises(AuthenticationError, match="Invalid signature") as caught:
        recorder.sync().trigger("c", "e", "d")
    assert signature not in f"{caught.value} {caught.value!r} {caught.value.body}"


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize(
    "content",
    [
        b"",  # no channels
        b"OK",
        b"<html>",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b'{"channels": 7}',
        b'{"channels":{"a":7}}',
        b"[" * 100_000,
    ],
)
async def test_a_success_that_is_none(recorder: Recorder, status: int, content: bytes) -> None:
    recorder.status, recorder.content = status, content
    with pytest.raises(ResponseDecodeError) as caught:
        recorder.sync().channels.list()
    with pytest.raises(ResponseDecodeError):
        await recorder.asynchronous().channels.list()
    assert isinstance(caught.value, APIError)
    assert caught.value.request == RequestInfo(method="GET", url="https://api-mt1.pusher.com/apps/3/channels")
    (note,) = caught.value.__notes__
    start = f"GET https://api-mt1.pusher.com/apps/3/channels was answered with {status}, and this: "
    assert note.startswith(start)
    assert len(note) <= len(start) + 2010


def test_an_unreadable_answer_is_shown_in_the_traceback(recorder: Recorder) -> None:
    recorder.content = b"<html>Please log in to the network</html>"
    with pytest.raises(ResponseDecodeError) as caught:
        recorder.sync().channels.get("orders")
    assert "Please log in to the network" in "".join(traceback.format_exception(caught.value))


def with_request(kind: type[httpx.TransportError]) -> Callable[[httpx.Request], Exception]:
    return lambda request: kind("it broke", request=request)


def plain(error: OSError) -> Callable[[httpx.Request], Exception]:
    return lambda request: error


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (with_request(httpx.ConnectTimeout), APITimeoutError),
        (with_request(httpx.ReadTimeout), APITimeoutError),
        (with_request(httpx.WriteTimeout), APITimeoutError),
        (with_request(httpx.PoolTimeout), APITimeoutError),
        (plain(TimeoutError("it broke")), APITimeoutError),
        (with_request(httpx.ConnectError), APIConnectionError),
        (with_request(httpx.ReadError), APIConnectionError),
        (with_request(httpx.RemoteProtocolError), APIConnectionError),
        (with_request(httpx.ProxyError), APIConnectionError),
        (with_request(httpx.UnsupportedProtocol), APIConnectionError),
        (plain(ConnectionResetError("it broke")), APIConnectionError),
    ],
)
async def test_connection_errors(
    recorder: Recorder, make: Callable[[httpx.Request], Exception], kind: type[APIConnectionError]
) -> None:
    recorder.error = make
    with pytest.raises(APIConnectionError) as caught:
        recorder.sync().channels.list(filter_by_prefix="presence-")
    with pytest.raises(APIConnectionError) as twin:
        await recorder.asynchronous().channels.list(filter_by_prefix="presence-")
    for error in (caught.value, twin.value):
        assert type(error) is kind
        assert str(error) == "GET https://api-mt1.pusher.com/apps/3/channels: it broke"
        assert error.request.url == "https://api-mt1.pusher.com/apps/3/channels?filter_by_prefix=presence-"
        cause = error.__cause__
        assert cause is not None
        if isinstance(cause, httpx.TransportError):
            assert "auth_signature" not in str(cause.request.url)
        assert type(pickle.loads(pickle.dumps(error))) is kind


async def test_a_refused_connection() -> None:
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        pusher = Pusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=port, ssl=False)
        with pusher, pytest.raises(APIConnectionError) as caught:
            pusher.trigger("c", "e", "d")
        async with AsyncPusher(APP_ID, KEY, SECRET, host="127.0.0.1", port=port, ssl=False) as asynchronous:
            with pytest.raises(APIConnectionError) as twin:
                await asynchronous.trigger("c", "e", "d")
    for error in (caught.value, twin.value):
        assert type(error) is APIConnectionError
        assert "auth_signature" not in f"{error} {error.__cause__!r}"


def test_httpx_logs_no_signature(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    recorder.content = b'{"channels": {}}'
    recorder.sync().channels.list(filter_by_prefix="presence-")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "httpx"]
    assert "GET https://api-mt1.pusher.com/apps/3/channels" in line
    assert not re.search("[0-9a-f]{64}", caplog.text)
    with httpx.Client(transport=httpx.MockTransport(recorder)) as client:
        client.get("https://other.example/?token=visible")
    assert "https://other.example/?token=visible" in caplog.text  # other requests are none of our business


def test_the_tree() -> None:
    for name in pusher_channels.__all__:
        value = getattr(pusher_channels, name)
        if name.endswith("Error"):
            assert issubclass(value, PusherError), name
            assert value.__doc__, name
    assert issubclass(ConfigurationError, ValueError)
    assert issubclass(InvalidArgumentError, ValueError)
    assert issubclass(APITimeoutError, APIConnectionError)
    assert issubclass(ResponseDecodeError, APIError)


def test_invalid_argument_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(InvalidArgumentError("channels[1]", "must be")))
    assert (error.argument, error.rule, str(error)) == ("channels[1]", "must be", "channels[1]: must be")
