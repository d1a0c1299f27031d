"""The fields that an object does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Never

__all__ = ["NO_FIELDS"]


class _NoFields(Mapping[str, Never]):
    """An empty mapping that nobody can fill, so that all objects can share it."""

    __slots__ = ()

    def __getitem__(self, name: str) -> Never:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "{}"

    def __reduce__(self) -> str:
        return "NO_FIELDS"


NO_FIELDS: Final[Mapping[str, Never]] = _NoFields()
"""What an object keeps as its unknown fields when there are none. It equals `{}`."""
