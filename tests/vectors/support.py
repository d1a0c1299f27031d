"""What the runners share: the vectors as data, and clients whose requests are kept instead of sent."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import TypeGuard, cast

import httpx
import pytest
from attrs import define, field, frozen

from pusher_channels import AsyncPusher, ConfigurationError, InvalidArgumentError, Pusher, PusherError

from .differences import Difference

APP_ID = "3"
KEY = "278d425bdf160c739803"
SECRET = "7ad3773142a6692b25b8"
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
SOCKET_ID = "1234.1234"

_MEANINGFUL_LENGTH = 6
"""A shorter value may stand in a message by accident. So may the word that some vectors have as their secret."""


# The vectors


def is_object(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def as_object(value: object) -> dict[str, object]:
    assert is_object(value), value
    return value


def as_list(value: object) -> list[object]:
    assert is_list(value), value
    return value


def as_text(value: object) -> str:
    assert isinstance(value, str), value
    return value


def as_int(value: object) -> int:
    assert isinstance(value, int), value
    return value


def texts(value: object) -> list[str]:
    return [as_text(item) for item in as_list(value)]


def parsed(text: str | bytes) -> object:
    value: object = json.loads(text)
    return value


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Fields(Mapping[str, object]):
    """The inputs or the expectations of a vector. It knows what was looked at: a test that ignores a field fails."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = dict(fields)
        self.unread = set(self._fields)

    def __getitem__(self, name: str) -> object:
        self.unread.discard(name)
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def text(self, name: str, default: str | None = None) -> str:
        return as_text(self[name] if default is None else self.get(name, default))

    def optional_text(self, name: str) -> str | None:
        value = self.get(name)
        return None if value is None else as_text(value)


@frozen
class Vector:
    """One known answer, or one known behaviour of an official library."""

    id: str
    name: str
    source: str
    kind: str
    inputs: dict[str, object]
    expected: dict[str, object]

    def __str__(self) -> str:
        return f"{self.id}-{self.name}"


def _load() -> tuple[Vector, ...]:
    rows = as_list(parsed((Path(__file__).parent / "vectors.json").read_bytes()))
    return tuple(
        Vector(
            id=as_text(row["id"]),
            name=as_text(row["name"]),
            source=as_text(row["source"]),
            kind=as_text(row["kind"]),
            inputs=as_object(row["inputs"]),
            expected=as_object(row["expected"]),
        )
        for row in map(as_object, rows)
    )


VECTORS = _load()
BY_ID = {vector.id: vector for vector in VECTORS}


# The clients


class Twin(Enum):
    """Which client: every vector runs on both."""

    SYNC = "sync"
    ASYNC = "async"


@frozen
class Answer:
    """What the server answers, or how the connection fails."""

    status: int = 200
    body: str = "{}"
    error: type[httpx.TransportError] | None = None


@frozen
class Setup:
    """How to make a session: by which class method if any, with what answer, over which network."""

    twin: Twin
    answer: Answer = Answer()
    maker: str | None = None
    network: bool = False


@frozen
class Sent:
    """A request as it would have gone out."""

    method: str
    url: httpx.URL
    headers: httpx.Headers
    content: bytes
    timeout: object

    @property
    def base_url(self) -> str:
        return f"{self.url.scheme}://{self.url.netloc.decode()}"

    @property
    def path(self) -> str:
        return self.url.raw_path.decode().partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        return dict(self.url.params.multi_items())

    @property
    def own_query(self) -> dict[str, str]:
        """The query without the signature's part."""
        return {
            name: value for name, value in self.query.items() if name != "body_md5" and not name.startswith("auth_")
        }

    @property
    def json(self) -> dict[str, object]:
        return as_object(parsed(self.content))

    def check_signature(self, key: str, secret: str) -> None:
        """Verify the request as the server does, with nothing of the SDK."""
        query = self.query
        signature = query.pop("auth_signature")
        assert query["auth_key"] == key
        assert query["auth_version"] == "1.0"
        assert abs(int(query["auth_timestamp"]) - time.time()) < 60
        assert query.get("body_md5") == (md5(self.content) if self.content else None)
        pairs = "&".join(f"{name}={value}" for name, value in sorted(query.items()))
        assert signature == sha256_hmac(secret, f"{self.method}\n{self.path}\n{pairs}")


class Session:
    """A client whose requests end here: they are kept, and answered as told."""

    def __init__(self, how: Twin | Setup, /, *arguments: object, **options: object) -> None:
        how = Setup(how) if isinstance(how, Twin) else how
        self._answer = how.answer
        self._sent: list[Sent] = []
        kind, http = (Pusher, httpx.Client) if how.twin is Twin.SYNC else (AsyncPusher, httpx.AsyncClient)
        # Vectors give what the annotations forbid, too.
        make = cast("Callable[..., Pusher | AsyncPusher]", kind if how.maker is None else getattr(kind, how.maker))
        if not how.network:
            options["http_client"] = http(transport=httpx.MockTransport(self._handle))
        self.client = make(*(arguments or (APP_ID, KEY, SECRET)), **options)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        timeout: object = request.extensions["timeout"]
        self._sent.append(Sent(request.method, request.url, request.headers, request.content, timeout))
        if self._answer.error is not None:
            raise self._answer.error("the connection broke", request=request)
        return httpx.Response(self._answer.status, text=self._answer.body)

    def call(self, method: str, *arguments: object, **options: object) -> object:
        """Call a method of the client, or of one of its resources: ``channels.list``."""
        function: Callable[..., object] = attrgetter(method)(self.client)
        result = function(*arguments, **options)
        return asyncio.run(_finished(result)) if _is_awaitable(result) else result

    def call_and_close(self, method: str, *arguments: object, **options: object) -> object:
        """Call a method over the real network, and close the client while its event loop still runs."""

        async def run() -> object:
            function: Callable[..., object] = attrgetter(method)(self.client)
            if isinstance(self.client, Pusher):
                with self.client:
                    return function(*arguments, **options)
            async with self.client:
                return await _finished(function(*arguments, **options))

        return asyncio.run(run())

    def sent(self, key: str = KEY, secret: str = SECRET) -> Sent:
        """Return the one request that was sent, its signature verified."""
        assert len(self._sent) == 1, self._sent
        self._sent[0].check_signature(key, secret)
        return self._sent.pop()

    def check_silent(self) -> None:
        """Nothing was sent."""
        assert self._sent == []


def _is_awaitable(value: object) -> TypeGuard[Awaitable[object]]:
    return isinstance(value, Awaitable)


async def _finished(result: object) -> object:
    return await result if _is_awaitable(result) else result


@define
class Case:
    """One vector on one client: what a runner gets."""

    vector: Vector
    twin: Twin
    monkeypatch: pytest.MonkeyPatch
    inputs: Fields = field(init=False)
    expected: Fields = field(init=False)
    differences: set[Difference] = field(init=False, factory=set[Difference])

    def __attrs_post_init__(self) -> None:
        self.inputs = Fields(self.vector.inputs)
        self.expected = Fields(self.vector.expected)

    def differs(self, difference: Difference) -> None:
        """Our design decides otherwise than the vector's library. The runner asserts what is right for us."""
        self.differences.add(difference)

    def ignores(self, *names: str) -> None:
        """Expectations that hold for the vector's library only: its error texts, and what it does where we differ."""
        self.expected.unread.difference_update(names)

    def unknown(self) -> None:
        pytest.fail(f"no way to run {self.vector.kind} of {dict(self.inputs)} -> {dict(self.expected)}")

    def check_read(self) -> None:
        """Nothing of the vector was left out of its test."""
        assert not self.inputs.unread, self.inputs.unread
        assert not self.expected.unread, self.expected.unread


# The checks


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def sha256_hmac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), "sha256").hexdigest()


def channel_key(channel: str, master_key: bytes) -> bytes:
    """Derive the key of an encrypted channel, with nothing of the SDK."""
    return hashlib.sha256(channel.encode() + master_key).digest()


def base64_text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def is_sealed(data: object) -> bool:
    """Tell whether event data is what goes to an encrypted channel."""
    if not isinstance(data, str) or not data.startswith("{"):
        return False
    value = as_object(parsed(data))
    sizes = [len(base64.b64decode(as_text(value[name]), validate=True)) for name in value]
    return list(value) == ["nonce", "ciphertext"] and sizes[0] == 24 and sizes[1] >= 16


def webhook_headers(body: bytes, *, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    """Sign a webhook as the server does."""
    signature = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return {"X-Pusher-Key": key, "X-Pusher-Signature": signature}


@contextmanager
def refused(
    kind: type[PusherError], argument: str | None, *values: object
) -> Generator[pytest.ExceptionInfo[PusherError], None, None]:
    """Expect an error that names the argument or option, and shows neither a secret nor a value."""
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert type(error) is kind
    if isinstance(error, InvalidArgumentError):
        assert error.argument == argument
    elif isinstance(error, ConfigurationError):
        assert error.option == argument
    else:
        assert argument is None
    check_hides(error, SECRET, MASTER_KEY, *values)


def check_hides(error: BaseException, *values: object) -> None:
    """An error, and the errors that a traceback shows with it, must show none of these values."""
    shown: BaseException | None = error
    while shown is not None:
        for text in _leaves(values):
            if len(text) >= _MEANINGFUL_LENGTH and text != "secret":
                assert text not in str(shown), type(shown)
                assert text not in repr(shown), type(shown)
        shown = shown.__cause__ if shown.__suppress_context__ or shown.__cause__ else shown.__context__


def _is_tuple(value: object) -> TypeGuard[tuple[object, ...]]:
    return isinstance(value, tuple)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif is_object(value):
        yield from _leaves(list(value.values()))
    elif is_list(value) or _is_tuple(value):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield str(value)
