"""Looks for planted secrets in whatever an error or a log could show."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import cast
from unittest import mock

import httpx

import pusher_channels
import pusher_channels_rest
from pusher_channels import AsyncPusher, Pusher
from pusher_channels._signer import RequestSigner, SignedQuery
from pusher_channels.signing import sign_request

_OURS = tuple(str(Path(str(package.__file__)).parent) for package in (pusher_channels, pusher_channels_rest))
# What a caller passes to a public function stands in that function's frame: the caller's own frame shows it too.
_PUBLIC = {sign_request.__code__} | {
    function.__code__
    for kind in (Pusher, AsyncPusher)
    for name in dir(kind)
    if (not name.startswith("_") or name == "__init__")
    for function in [getattr(getattr(kind, name), "__func__", getattr(kind, name))]
    if hasattr(function, "__code__")
}


def leaks(error: BaseException, secrets: Iterable[str]) -> list[str]:
    """Tell where a secret can be seen in the error, those that led to it, and the frames they passed."""
    found: list[str] = []
    for link in _chain(error):
        name = type(link).__name__
        for where, text in _texts_of(link):
            found += [f"{name}: {where}" for secret in secrets if secret in text]
        for frame in _frames(link.__traceback__):
            for local, value in _visible_locals(frame):
                texts = [repr(value), *(text for _, text in _texts_of(value) if isinstance(value, BaseException))]
                place = f"{name}: {local} in {frame.f_code.co_qualname}"
                found += [place for secret in secrets for text in texts if secret in text]
    return found


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            yield link
            waiting += [link.__cause__, link.__context__]


def _texts_of(value: object) -> Iterator[tuple[str, str]]:
    yield "str", str(value)
    yield "repr", repr(value)
    if isinstance(value, BaseException):
        yield "args", repr(value.args)
    attributes = cast("Mapping[str, object]", getattr(value, "__dict__", {}))
    for name, attribute in attributes.items():
        yield name, f"{attribute} {attribute!r}"
        if isinstance(attribute, httpx.Request):
            yield f"{name}.url", str(attribute.url)
            yield f"{name}.headers", repr(attribute.headers.raw)
        if isinstance(attribute, Mapping):
            yield name, repr(dict(cast("Mapping[object, object]", attribute)))


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.startswith(_OURS):
            yield traceback.tb_frame
        traceback = traceback.tb_next


def _visible_locals(frame: FrameType) -> Iterator[tuple[str, object]]:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    arguments = code.co_varnames[:count] if code in _PUBLIC else ()
    return ((name, value) for name, value in frame.f_locals.items() if name not in arguments)


class Lines(logging.Handler):
    """Keeps every line that is logged, by whomever."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def everything_logged() -> Generator[list[str]]:
    """Log all of it, at DEBUG, and hand over the lines."""
    root, handler = logging.getLogger(), Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


@contextmanager
def signatures() -> Generator[set[str]]:
    """Collect the signatures that are made."""
    made: set[str] = set()
    real = RequestSigner.sign

    def sign(
        signer: RequestSigner, method: str, path: str, query: Iterable[tuple[str, str]], body: bytes | None
    ) -> SignedQuery:
        signed = real(signer, method, path, query, body)
        made.add(signed.signature)
        return signed

    with mock.patch.object(RequestSigner, "sign", sign):
        yield made
