"""Who may call the HTTP API: the checks of a signed request, in the order of the hosted service.

Key, version, timestamp, signature, body, app. The texts are those of the service and of Pusher's published verifier.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import attrs

from pusher_channels.emulator.app import App
from pusher_channels.emulator.frames import to_json
from pusher_channels.signing import string_to_sign

MAX_CLOCK_SKEW = 600
SIGNING_KEYS = frozenset({"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"})


class ApiError(Exception):
    """The request is refused with this status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


@attrs.frozen
class SignedRequest:
    """A request as it came, before anything in it is believed."""

    method: str
    path: str
    """The path as it was sent, percent-escapes and all: that is what is signed."""
    query: Sequence[tuple[str, str]]

    @property
    def signing_values(self) -> dict[str, str]:
        """The parameters of the signature. Their names are in lower case whatever the client wrote."""
        pairs = ((name.lower(), value) for name, value in self.query)
        return {name: value for name, value in pairs if name in SIGNING_KEYS}

    @property
    def own_values(self) -> dict[str, str]:
        """The parameters of the operation."""
        return {name: value for name, value in self.query if name.lower() not in SIGNING_KEYS}


def authenticate(apps: Mapping[str, App], request: SignedRequest, now: float) -> App:
    """Return the app that signed the request. ``apps`` are by key, ``now`` is Unix time.

    Raises:
        ApiError: The request is not signed by an app, or not recently, or not like this.
    """
    values = request.signing_values
    key = values.get("auth_key")
    if not key:
        raise ApiError(400, "auth_key should be a valid app key")
    app = apps.get(key)
    if app is None:
        raise ApiError(400, "Unknown auth_key")
    _check_version(values.get("auth_version"))
    _check_timestamp(values.get("auth_timestamp"), now)
    signed = string_to_sign(
        request.method, request.path, [pair for pair in request.query if pair[0].lower() != "auth_signature"]
    )
    expected = hmac.digest(app.config.secret.encode(), signed.encode("utf-8", "surrogatepass"), "sha256").hex()
    signature = values.get("auth_signature")
    if signature is None or not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        given = "nil" if signature is None else to_json(signature)
        raise ApiError(
            401,
            f"Invalid signature: you should have sent HmacSHA256Hex({to_json(signed)}, your_secret_key), "
            f"but you sent {given}",
        )
    return app


def check_body(request: SignedRequest, body: bytes) -> None:
    """Check that the signature covers the body.

    Raises:
        ApiError: ``body_md5`` is missing, or is not that of the body.
    """
    given = request.signing_values.get("body_md5")
    if request.method == "GET" or (given is None and not body):
        return  # a GET may carry the MD5 of nothing: it is one more signed parameter
    if given is None:
        raise ApiError(401, "Missing parameter: body_md5")
    actual = hashlib.md5(body, usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(actual.encode(), given.encode("utf-8", "surrogatepass")):
        raise ApiError(401, f"Invalid body_md5: the MD5 of the body is {actual}, but you sent {to_json(given)}")


def _check_version(version: str | None) -> None:
    if not version:
        raise ApiError(401, "Version required")
    if version != "1.0":
        raise ApiError(401, "Version not supported")


def _check_timestamp(timestamp: str | None, now: float) -> None:
    if not timestamp:
        raise ApiError(401, "Timestamp required")
    # What does not begin with a number counts as 0, as in the language that the service's verifier is written in.
    match = re.match(r"[+-]?[0-9]{1,18}", timestamp)
    given = int(match.group()) if match else 0
    if abs(given - int(now)) >= MAX_CLOCK_SKEW:
        raise ApiError(
            401,
            f"Timestamp expired: Given timestamp ({_iso(given)}) not within {MAX_CLOCK_SKEW}s "
            f"of server time ({_iso(int(now))})",
        )


def _iso(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(timestamp)
