"""The arguments of ``request``: a signed call that no method stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote

from pusher_channels._json import encode_data, plain_text
from pusher_channels.errors import InvalidArgumentError
from pusher_channels.signing import RESERVED_QUERY_KEYS

# Others, such as CONNECT, HTTP clients treat in ways of their own: the signature would not be sent.
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_MAX_LENGTH = 8_000
_WHOLE = ("/apps/", "/server_api/")
# RFC 3986: the characters that stand in a path as they are, and percent-escapes.
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)+")


def raw_method(method: object) -> str:
    """Return the method in upper case."""
    if not isinstance(method, str) or method.upper() not in _METHODS:
        raise InvalidArgumentError("method", f"must be one of {', '.join(_METHODS)}")
    return method.upper()


def raw_path(path: object, app_id: str) -> str:
    """Return the path as it is sent: all but a whole one is one of the app's."""
    if not isinstance(path, str) or not _PATH.fullmatch(path) or path.startswith("//"):
        raise InvalidArgumentError("path", "must begin with a slash and be escaped, without query or fragment")
    if len(path) > _MAX_LENGTH:
        raise InvalidArgumentError("path", f"must be at most {_MAX_LENGTH} characters long")
    if any(segment.split(";")[0] in (".", "..") for segment in re.split(r"[/\\]", unquote(path))):
        # HTTP clients and proxies collapse these: the call would be signed for one endpoint and reach another.
        raise InvalidArgumentError("path", "must not have . or .. as a segment")
    path = plain_text(path)
    return path if path.startswith(_WHOLE) else f"/apps/{app_id}{path}"


def raw_query(query: object) -> tuple[tuple[str, str], ...]:
    """Return the query as pairs of raw values."""
    if query is None:
        return ()
    if not isinstance(query, Mapping):
        raise InvalidArgumentError("query", "must be a mapping of str to str")
    pairs: list[tuple[str, str]] = []
    for name, value in cast("Mapping[object, object]", query).items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidArgumentError("query", "must be a mapping of str to str")
        if name.lower() in RESERVED_QUERY_KEYS:
            raise InvalidArgumentError(f"query[{name!r}]", "is set by the request signature and cannot be given")
        pairs.append((encode_data(name, "query"), encode_data(value, "query")))
    if sum(len(name) + len(value) for name, value in pairs) > _MAX_LENGTH:
        raise InvalidArgumentError("query", f"must be at most {_MAX_LENGTH} characters long")
    return tuple(pairs)


def raw_body(method: str, body: object) -> bytes | None:
    """Return the body's bytes: text as it is, anything else as JSON. A POST without payload sends ``{}``."""
    if body is None:
        return b"{}" if method == "POST" else None
    return encode_data(body, "body").encode()
