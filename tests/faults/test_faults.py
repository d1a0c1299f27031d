"""Every fault has one outcome, the same for both clients, and docs/faults.md tells it."""

from __future__ import annotations

import pickle
from collections.abc import Mapping

import pytest

import pusher_channels
from pusher_channels import APIConnectionError, APIStatusError
from tests.faults.drive import CASES, Case, Seen
from tests.faults.faults import FAULTS
from tests.faults.table import PAGE, render


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fault(case: Case, seen: Mapping[Case, Seen]) -> None:
    result = seen[case]
    assert result.outcome == case.expected, repr(result.error)
    if result.error is not None:
        kind = getattr(pusher_channels, result.outcome.result)
        assert type(result.error) is kind
        assert result.error.request.url
        assert "\n" not in str(result.error) or isinstance(result.error, APIStatusError)
        if isinstance(result.error, APIConnectionError):
            assert result.error.__cause__ is not None
        assert str(pickle.loads(pickle.dumps(result.error))) == str(result.error)


def test_the_twins_agree(seen: Mapping[Case, Seen]) -> None:
    for case, result in seen.items():
        twin = Case(case.group, case.fault, "async", case.call)
        assert result.outcome == seen[twin].outcome, case


def test_nothing_is_published_twice_unless_it_was_refused() -> None:
    for group, faults in FAULTS.items():
        for fault in faults:
            if fault.post.seen > 1:
                assert group == "Statuses", fault.what
                assert fault.what.startswith(("429", "503 once, with Retry-After", "401")), fault.what


def test_the_page_is_what_was_seen(seen: Mapping[Case, Seen]) -> None:
    assert sum(len(faults) for faults in FAULTS.values()) >= 24
    assert PAGE.read_text(encoding="utf-8") == render(seen), "docs/faults.md is stale: run `make faults`"
