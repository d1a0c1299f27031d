"""A value that must not be shown."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class _HmacSha256:
    """Computes HMAC-SHA256 (RFC 2104) by one key.

    Out of two hashes that have taken up the key: `hmac` costs nearly twice as much for each message, or even more if it
    takes up the key each time.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: Secret) -> None:
        self._inner = sha256(_block(secret).translate(_INNER))
        self._outer = sha256(_block(secret).translate(_OUTER))

    def hexdigest(self, message: bytes) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.hexdigest()


class Secret:
    """Holds a secret below the public functions: neither its repr nor its str shows it.

    A plain ``str`` would appear in the repr of whatever holds it and in the locals that error trackers record.
    """

    __slots__ = ("_hmac", "_value")

    def __init__(self, value: str) -> None:
        self._value: Final = value
        self._hmac: _HmacSha256 | None = None

    def reveal(self) -> str:
        """Return the secret itself: only at the place that computes with it."""
        return self._value

    def sign(self, message: bytes) -> str:
        """Return the HMAC-SHA256 of a message by this key, in lower-case hexadecimal digits."""
        if self._hmac is None:
            self._hmac = _HmacSha256(self)
        return self._hmac.hexdigest(message)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def _block(secret: Secret) -> bytes:
    # No local variable: error trackers show those of the frames that an error passes, and a signal may come anywhere.
    return (
        sha256(secret.reveal().encode()).digest()
        if len(secret.reveal().encode()) > _BLOCK_BYTES
        else secret.reveal().encode()
    ).ljust(_BLOCK_BYTES, b"\0")
