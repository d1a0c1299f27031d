"""Signing as the last step before a request is sent, behind the guard that no plaintext passes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

import attrs

from pusher_channels._encryption import refuse_plaintext
from pusher_channels._secret import Secret
from pusher_channels.signing import signed_pairs
from pusher_channels_rest.lazy import forks_wait

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")


@attrs.define
class SignedQuery:
    """The whole query of a signed request, escaped, and the signature in it."""

    query: str = attrs.field(repr=False)
    signature: str = attrs.field(repr=False)


@attrs.frozen
class RequestSigner:
    """Signs requests for one app: nothing is sent that did not pass here."""

    key: str
    secret: Secret
    clock: Callable[[], float]

    def sign(self, method: str, path: str, query: Iterable[tuple[str, str]], body: bytes | None) -> SignedQuery:
        """Sign the path and the body exactly as they are sent, and the query's raw values.

        Raises:
            EncryptionError: It would send plaintext to an encrypted channel.
        """
        pairs = list(query)
        refuse_plaintext(path, pairs, body)
        signed = signed_pairs(method, path, pairs, body, key=self.key, secret=self.secret, timestamp=int(self.clock()))
        # What follows the key are digits, letters and dots.
        escaped = [encode_query([*pairs, ("auth_key", self.key)]), *[f"{n}={v}" for n, v in signed[len(pairs) + 1 :]]]
        return SignedQuery("&".join(escaped), signed[-1][1])


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Escape everything but the unreserved characters: servers split what others leave raw."""
    return "&".join([f"{_escape(name)}={_escape(value)}" for name, value in pairs])


def _escape(text: str) -> str:
    if _UNRESERVED.fullmatch(text):
        return text
    with forks_wait():
        from urllib.parse import quote

    return quote(text, safe="")
