"""Every vector of the official libraries, on both clients, by its kind and inputs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping

import pytest

from .differences import DIFFERENT, NOT_APPLICABLE, Difference
from .run_answers import http_error, notify, response_parse
from .run_auth import channel_auth, user_auth
from .run_configuration import config_default, url_parse
from .run_encryption import encrypt_decrypt, is_encrypted_channel, master_key
from .run_requests import request_body
from .run_signing import body_md5, hmac, sign_request_vector
from .run_validation import validation
from .run_webhooks import webhook
from .support import VECTORS, Case, Twin, Vector
from .test_peer_defects import TESTED_DEFECTS

RUNNERS: Mapping[str, Callable[[Case], None]] = {
    "sign_request": sign_request_vector,
    "body_md5": body_md5,
    "hmac": hmac,
    "channel_auth": channel_auth,
    "presence_auth": channel_auth,
    "user_auth": user_auth,
    "webhook": webhook,
    "encrypt_decrypt": encrypt_decrypt,
    "master_key": master_key,
    "is_encrypted_channel": is_encrypted_channel,
    "url_parse": url_parse,
    "config_default": config_default,
    "request_body": request_body,
    "response_parse": response_parse,
    "http_error": http_error,
    "notify": notify,
    "validation": validation,
}
RUN = tuple(vector for vector in VECTORS if vector.kind in RUNNERS and vector.id not in NOT_APPLICABLE)


@pytest.mark.parametrize("twin", Twin, ids=lambda twin: twin.value)
@pytest.mark.parametrize("vector", RUN, ids=str)
def test_vector(vector: Vector, twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    case = Case(vector, twin, monkeypatch)
    RUNNERS[vector.kind](case)
    case.check_read()


def test_every_difference_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, set[Difference]] = {}
    for vector in RUN:
        with monkeypatch.context() as patches:
            case = Case(vector, Twin.SYNC, patches)
            RUNNERS[vector.kind](case)
        if case.differences:
            found[vector.id] = case.differences
    assert found == {name: set(differences) for name, differences in DIFFERENT.items()}


def test_every_vector_is_run_or_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    ids = [vector.id for vector in VECTORS]
    assert len(ids) == len(set(ids))
    run = {vector.id for vector in RUN}
    places = Counter([*run, *NOT_APPLICABLE, *TESTED_DEFECTS])
    assert set(places) == set(ids)
    assert set(places.values()) == {1}
    assert run >= set(DIFFERENT)
    assert set(TESTED_DEFECTS) == {vector.id for vector in VECTORS if vector.kind == "peer_defect"}
    with capsys.disabled():
        sys.stdout.write(
            f"\n{len(ids)} vectors: {len(run)} run, of which our design decides {len(DIFFERENT)} otherwise; "
            f"{len(TESTED_DEFECTS)} peer defects tested; {len(NOT_APPLICABLE)} not applicable\n"
        )
