"""The fields that an object does not have, and a quick way to set those that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Never, cast

__all__ = ["NO_FIELDS", "slot_setter"]


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


def slot_setter(model: type[object], name: str) -> Callable[[object, object], None]:
    """Return the function that fills a slot of a frozen object while it is made."""
    return cast("Callable[[object, object], None]", model.__dict__[name].__set__)
