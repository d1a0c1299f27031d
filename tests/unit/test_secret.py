"""The type that a secret travels in."""

from __future__ import annotations

import pickle

import pytest

from pusher_channels._secret import Secret


def test_it_shows_nothing_but_that_it_is_one() -> None:
    secret = Secret("hidden-value")
    assert repr(secret) == str(secret) == f"{secret}" == "Secret('***')"


def test_it_compares_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_it_is_not_to_be_pickled() -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(Secret("hidden-value"))
    assert str(caught.value) == "a secret is not to be pickled"
