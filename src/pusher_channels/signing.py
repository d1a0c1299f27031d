"""Request signing (``auth_version`` 1.0) as pure functions.

https://pusher.com/docs/channels/library_auth_reference/rest-api/#authentication
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from operator import itemgetter

from pusher_channels._json import utf8_text
from pusher_channels._secret import Secret
from pusher_channels_rest.errors import InvalidArgumentError

__all__ = ["RESERVED_QUERY_KEYS", "sign_request", "string_to_sign"]

RESERVED_QUERY_KEYS = frozenset({"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"})
"""The query keys that only signing itself may set."""


def sign_request(
    method: str,
    path: str,
    query: Mapping[str, str] | None,
    body: bytes | str | None,
    *,
    key: str,
    secret: str,
    timestamp: int,
) -> dict[str, str]:
    """Return all query parameters of the signed request: those given and the ``auth_*`` ones.

    Args:
        method: The HTTP method.
        path: The path exactly as it is sent, from its first ``/`` to the ``?``.
        query: The request's own query parameters, raw: escape them only when they are sent.
        body: The exact bytes that are sent (a str stands for its UTF-8). Without any, ``body_md5`` is left out.
        key: The app's key.
        secret: The app's secret.
        timestamp: Unix time in whole seconds. The server accepts it within 600 seconds of its own clock.

    Raises:
        InvalidArgumentError: The query holds a reserved key or anything but str, or another argument breaks its rule.
    """
    # Users without a type checker pass anything.
    if query is not None and not isinstance(query, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError("query", "must be a mapping of str to str")
    pairs = [] if query is None else [(_text(name, "query"), _text(value, "query")) for name, value in query.items()]
    if isinstance(body, str):
        body = utf8_text(body, "body")
    elif not isinstance(body, (bytes, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidArgumentError("body", "must be bytes, str or None")
    # As text, a number of thousands of digits is refused by Python itself.
    if not isinstance(timestamp, int) or isinstance(timestamp, bool) or abs(timestamp) >= 2**63:  # pyright: ignore
        raise InvalidArgumentError("timestamp", "must be an int: Unix time in seconds")
    return dict(
        signed_pairs(
            _text(method, "method"),
            _text(path, "path"),
            pairs,
            body,
            key=_text(key, "key"),
            secret=Secret(_text(secret, "secret")),
            timestamp=timestamp,
        )
    )


def _text(value: object, argument: str) -> str:
    if not isinstance(value, str):
        raise InvalidArgumentError(argument, "must be text throughout" if argument == "query" else "must be a str")
    if not value and argument in ("key", "secret"):
        raise InvalidArgumentError(argument, "must not be empty")
    return utf8_text(value, argument)


def signed_pairs(
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    body: bytes | str | None,
    *,
    key: str,
    secret: Secret,
    timestamp: int,
) -> list[tuple[str, str]]:
    """Do the work of `sign_request` for a query that may repeat a key, as ``channels[]=a&channels[]=b`` does."""
    pairs = list(query)
    for name, _ in pairs:
        if name.lower() in RESERVED_QUERY_KEYS:
            raise InvalidArgumentError(f"query[{name!r}]", "is set by the request signature and cannot be given")
    if not path.startswith("/") or "?" in path or "#" in path:
        raise InvalidArgumentError("path", "must start with a slash and have neither query nor fragment")
    pairs += (("auth_key", key), ("auth_timestamp", str(timestamp)), ("auth_version", "1.0"))
    if body:
        content = body.encode() if isinstance(body, str) else body
        pairs.append(("body_md5", hashlib.md5(content, usedforsecurity=False).hexdigest()))
    message = string_to_sign(method, path, pairs)
    pairs.append(("auth_signature", secret.sign(message.encode())))
    return pairs


def string_to_sign(method: str, path: str, query: Iterable[tuple[str, str]]) -> str:
    """Return the text whose HMAC is the signature: keys in lower case and sorted, nothing escaped."""
    pairs = sorted([(name.lower(), value) for name, value in query], key=itemgetter(0))
    return f"{method.upper()}\n{path}\n" + "&".join([f"{name}={value}" for name, value in pairs])
