"""Whether a model holds what its annotations say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import attrs


def assert_typed(value: object) -> None:
    """Check a model, and all that stands in it."""
    model: Any = type(value)
    for name, hint in _hints(model).items():
        assert _fits(getattr(value, name), hint), f"{model.__name__}.{name}"


@cache
def _hints(model: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(model)


def _fits(value: object, hint: Any) -> bool:
    if hint is object:
        return True
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, part) for part in parts)
    if kind is Literal:
        return value in parts
    if kind is Mapping:
        return isinstance(value, Mapping) and all(
            type(name) is str and _fits(item, parts[1]) for name, item in cast("Mapping[object, object]", value).items()
        )
    if kind in (tuple, Sequence):
        return isinstance(value, tuple) and all(_fits(item, parts[0]) for item in cast("tuple[object, ...]", value))
    if hint in (str, int, bool, float):
        return type(value) is hint
    if not isinstance(value, hint):
        return False
    if attrs.has(hint):
        assert_typed(value)
    return True
