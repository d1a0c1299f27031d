"""Signing: what is signed is what a server reads, whatever stands in the query, the path and the body."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Mapping
from hashlib import md5
from typing import Any, cast
from urllib.parse import parse_qsl, quote, unquote_to_bytes

import httpx
from hypothesis import given as for_all

from pusher_channels import EncryptionError, InvalidArgumentError
from pusher_channels._auth import SignatureAuth
from pusher_channels.signing import RESERVED_QUERY_KEYS, sign_request
from tests.properties.making import PURE, Choices, made
from tests.properties.things import thing
from tests.unit.support import KEY, SECRET

NAMES = [
    *("info", "filter_by_prefix", "a", "A", "B", "é", "É", "İ", "", "a b", "a&b", "a=b", "body_md5", "Auth_Key"),
    "auth_signature",
]


def expected_signature(method: str, path: str, query: Iterable[tuple[str, str]], secret: str = SECRET) -> str:
    """Sign by the documentation alone what a server gets: keys in lower case and sorted, values raw."""
    pairs = [(name.lower(), value) for name, value in query if name != "auth_signature"]
    lines = "&".join(f"{name}={value}" for name, value in sorted(pairs, key=lambda pair: pair[0]))
    return hmac.new(secret.encode(), f"{method.upper()}\n{path}\n{lines}".encode(), "sha256").hexdigest()


def expected_md5(body: bytes) -> str | None:
    return md5(body, usedforsecurity=False).hexdigest() if body else None


# sign_request


def make_arguments(choices: Choices) -> dict[str, Any]:
    names: dict[str, Any] = {choices.pick([*NAMES, choices.text()]): choices.text() for _ in range(choices.number(4))}
    arguments: dict[str, Any] = {
        "method": choices.pick(["GET", "POST", "post", "é"]),
        "path": choices.pick(["/apps/3/events", "/", "/apps/3/channels/a@=,;", "/é", "", "a", "/a?b", "/a#b"]),
        "query": choices.pick([names, names, names, None]),
        "body": choices.pick([None, b"", b"{}", "{}", "é", b"\xff", "\ud800", choices.bytes()]),
        "key": KEY,
        "secret": choices.pick([SECRET, "é", "%"]),
        "timestamp": choices.pick([0, 1353088179, -1, 10**20]),
    }
    if choices.once_in(3):
        arguments[choices.pick(list(arguments))] = choices.pick([thing(choices), {choices.text(): thing(choices)}])
    return arguments


def is_text(value: object) -> bool:
    return isinstance(value, str) and value == value.encode("utf-8", "replace").decode()


def is_query(value: object) -> bool:
    if not isinstance(value, Mapping):
        return value is None
    query = cast("Mapping[object, object]", value)
    return all(is_text(name) and is_text(item) for name, item in query.items()) and not any(
        str(name).lower() in RESERVED_QUERY_KEYS for name in query
    )


IS_GOOD: dict[str, Callable[[Any], bool]] = {
    "method": is_text,
    "path": lambda value: is_text(value) and value.startswith("/") and not {"?", "#"} & {*value},
    "query": is_query,
    "body": lambda value: value is None or isinstance(value, bytes) or is_text(value),
    "key": lambda value: is_text(value) and value != "",
    "secret": lambda value: is_text(value) and value != "",
    "timestamp": lambda value: isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63,
}


@PURE
@for_all(arguments=made(make_arguments, 60))
def test_sign_request(arguments: dict[str, Any]) -> None:
    positional = [arguments[name] for name in ("method", "path", "query", "body")]
    named = {name: arguments[name] for name in ("key", "secret", "timestamp")}
    try:
        signed = sign_request(*positional, **named)
    except InvalidArgumentError as error:
        name = error.argument.partition("[")[0]
        assert not IS_GOOD[name](arguments[name])
        return
    assert all(IS_GOOD[name](value) for name, value in arguments.items())
    method, path, query, body = positional
    own = dict(query or {})
    assert {name: value for name, value in signed.items() if name not in RESERVED_QUERY_KEYS} == own
    assert not RESERVED_QUERY_KEYS & {name.lower() for name in own}
    assert (signed["auth_key"], signed["auth_version"]) == (named["key"], "1.0")
    assert signed["auth_timestamp"] == str(named["timestamp"])
    assert signed.get("body_md5") == expected_md5(body.encode() if isinstance(body, str) else body or b"")
    assert signed["auth_signature"] == expected_signature(method, path, signed.items(), named["secret"])


# SignatureAuth


def make_request(choices: Choices) -> tuple[str, str, bytes]:
    """Make a method, a URL and a body: the query as somebody may write it."""
    parts = [choices.pick([*NAMES, "%61", "%ff", "+", "%2B", "auth_key"]) for _ in range(choices.number(4))]
    query = "&".join(name + choices.pick(["=", "=", "", "=="]) + choices.text() for name in parts)
    if choices.once_in(2):
        query = "&".join(
            f"{quote(choices.text().encode('utf-8', 'replace'))}={quote(choices.text().encode('utf-8', 'replace'))}"
            for _ in parts
        )
    path = "/apps/3/" + choices.pick(
        ["events", "channels/a@=,;:", "channels/é", "a%2Fb", "%ff", choices.text().replace("#", "")]
    )
    url = f"http://127.0.0.1:1{path.replace('?', '')}?{query.replace('#', '')}"
    return (
        choices.pick(["GET", "POST"]),
        url.encode("utf-8", "replace").decode(),
        choices.pick([b"", b"{}", choices.bytes()]),
    )


@PURE
@for_all(asked=made(make_request))
def test_signature_auth(asked: tuple[str, str, bytes]) -> None:
    method, url, body = asked
    try:
        request = httpx.Request(method, url, content=body)
    except httpx.InvalidURL:
        return
    unsigned = request.url
    flow = SignatureAuth(KEY, SECRET, clock=lambda: 1353088179.9).auth_flow(request)
    try:
        target = next(flow).url.raw_path.decode("ascii")
    except EncryptionError:
        assert b"private-encrypted-" in unquote_to_bytes(url) + body
        return
    except InvalidArgumentError as error:
        assert error.argument.lower().startswith(("query['auth_", "query['body_md5"))
        return
    flow.close()
    assert request.url == unsigned
    path, _, query = target.partition("?")
    assert path == unsigned.raw_path.decode("ascii").partition("?")[0]
    # As a server reads it, which splits by & and = and takes the escapes off then.
    pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    assert [pair for pair in pairs if pair[0] not in RESERVED_QUERY_KEYS] == [
        pair for pair in unsigned.params.multi_items() if pair[0] not in RESERVED_QUERY_KEYS
    ]
    sent = dict(pairs)
    assert sent.get("body_md5") == expected_md5(body)
    assert sent["auth_signature"] == expected_signature(method, path, pairs)
    own = [(name, value) for name, value in pairs if name in ("auth_key", "auth_timestamp", "auth_version")]
    assert own == [("auth_key", KEY), ("auth_timestamp", "1353088179"), ("auth_version", "1.0")]
