"""The master keys of the vectors: some have a length that no library should have accepted."""

from __future__ import annotations

import base64

from pusher_channels import ConfigurationError

from .differences import Difference
from .support import Case, Session, base64_text, refused

OPTION = "encryption_master_key_base64"


def usable_key(case: Case, prefix: str = "") -> str | None:
    """Return the vector's master key in base64, if it has one.

    A key that has not 32 bytes is refused here, as a test of its own. Then the check is switched off, because what the
    vector's library computed with it holds for any length.
    """
    raw = case.inputs.optional_text(f"{prefix}master_key_raw")
    key = case.inputs.optional_text(f"{prefix}master_key_base64")
    if raw is not None:
        key = base64_text(raw.encode())
    if key is None:
        return None
    length = len(base64.b64decode(key, validate=True))
    for name in ("master_key_len", "derived_key_len"):
        assert case.inputs.get(name, length) == length
    if length != 32:
        case.differs(Difference.MASTER_KEY_LENGTH)
        with refused(ConfigurationError, OPTION, key, raw):
            Session(case.twin, encryption_master_key_base64=key)
        case.monkeypatch.setattr("pusher_channels._encryption._MASTER_KEY_BYTES", length)
    return key
