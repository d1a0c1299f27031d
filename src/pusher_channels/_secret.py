"""A value that must not be shown."""

from __future__ import annotations

from typing import Final


class Secret:
    """Holds a secret below the public functions: neither its repr nor its str shows it.

    A plain ``str`` would appear in the repr of whatever holds it and in the locals that error trackers record.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value: Final = value

    def reveal(self) -> str:
        """Return the secret itself: only at the place that computes with it."""
        return self._value

    def __reduce__(self) -> str:
        raise TypeError("a secret is not to be pickled")

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)
