"""The publishers' options, checked once when a publisher is made."""

from __future__ import annotations

import math
from typing import Literal

import attrs

from pusher_channels.errors import ConfigurationError

WhenFull = Literal["wait", "refuse"]


@attrs.frozen(kw_only=True)
class Options:
    """The options of one publisher: see `Pusher.publisher`."""

    max_queue: int
    when_full: WhenFull
    max_age: float
    concurrency: int
    split_refused: bool

    def __attrs_post_init__(self) -> None:
        for option in ("max_queue", "concurrency"):
            count: object = getattr(self, option)
            if not isinstance(count, int) or isinstance(count, bool) or count < 1:
                raise ConfigurationError(option, "must be an int of at least 1")
        if self.when_full not in ("wait", "refuse"):
            raise ConfigurationError("when_full", 'must be "wait" or "refuse"')
        age: object = getattr(self, "max_age")  # noqa: B009  users without a type checker
        if isinstance(age, bool) or not isinstance(age, (int, float)) or not 0 <= age < math.inf:
            raise ConfigurationError("max_age", "must be a number of seconds, 0 or above")
        if not isinstance(self.split_refused, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("split_refused", "must be True or False")
