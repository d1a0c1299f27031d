"""Marks for deprecated methods: one for type checkers, one for the run."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

__all__ = ["deprecated", "warn_deprecated"]

if TYPE_CHECKING:
    from typing_extensions import deprecated as deprecated
else:

    def deprecated(message):
        """Do nothing: at run time the real one imports asyncio, which costs more than the rest of the package."""
        return lambda function: function


def warn_deprecated(method: str) -> None:
    """Warn the caller of a deprecated method."""
    warnings.warn(f"{method} is deprecated: see its documentation", DeprecationWarning, stacklevel=3)
