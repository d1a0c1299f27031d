"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.internal.constants_ast import Constants


class SameEveryTime(HypothesisProvider):
    """Makes examples without the constants of the modules that happen to be loaded.

    Which are loaded depends on the tests that ran before, and so on chance: ``derandomize`` alone would make other
    examples in every run.
    """

    _local_constants = Constants()  # pyright: ignore[reportAssignmentType, reportIncompatibleVariableOverride]


if not os.environ.get("SOAK"):
    AVAILABLE_PROVIDERS["hypothesis"] = SameEveryTime
