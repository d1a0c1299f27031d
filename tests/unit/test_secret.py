"""The type that a secret travels in."""

from __future__ import annotations

import hmac
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


# A key is taken as it is up to 64 bytes; of a longer one, its hash is.
@pytest.mark.parametrize("key", ["k", "k" * 20, "k" * 63, "k" * 64, "k" * 65, "k" * 500, "s\N{SNOWMAN}cret"])
def test_it_signs_as_the_standard_library_does(key: str) -> None:
    secret = Secret(key)
    for message in (b"", b"a", b"a", bytes(range(256)) * 5):
        assert secret.sign(message) == hmac.new(key.encode(), message, "sha256").hexdigest()
