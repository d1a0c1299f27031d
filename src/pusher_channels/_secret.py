"""A value that must not be shown."""

from __future__ import annotations

import hmac
from typing import Final


class Secret:
    """Holds a secret below the public functions: neither its repr nor its str shows it.

    A plain ``str`` would appear in the repr of whatever holds it and in the locals that error trackers record.
    """

    __slots__ = ("_hmac", "_value")

    def __init__(self, value: str) -> None:
        self._value: Final = value
        self._hmac: hmac.HMAC | None = None

    def reveal(self) -> str:
        """Return the secret itself: only at the place that computes with it."""
        return self._value

    def sign(self, message: bytes) -> str:
        """Return the HMAC-SHA256 of a message by this key, in lower-case hexadecimal digits."""
        if self._hmac is None:
            self._hmac = hmac.new(self._value.encode(), digestmod="sha256")
        keyed = self._hmac.copy()  # taking up the key anew would cost half as much again
        keyed.update(message)
        return keyed.hexdigest()

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
