"""End-to-end encryption of ``private-encrypted-`` channels, and the guard against plaintext on them.

https://pusher.com/docs/channels/using_channels/encrypted-channels/
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import cast
from urllib.parse import unquote

from pusher_channels._json import is_list, is_object
from pusher_channels._secret import Secret
from pusher_channels.errors import ConfigurationError, EncryptionError

ENCRYPTED_PREFIX = "private-encrypted-"
_MASTER_KEY_BYTES = 32
_NONCE_BYTES = 24
_TAG_BYTES = 16
_OPTION = "encryption_master_key_base64"


def is_encrypted(channel_name: str) -> bool:
    """Tell whether the channel is end-to-end encrypted: its exact prefix decides, as in every client library."""
    return channel_name.startswith(ENCRYPTED_PREFIX)


class KeyRing:
    """The master keys: the first one encrypts, all of them decrypt."""

    __slots__ = ("_keys",)

    def __init__(self, keys: str | Sequence[str] | None) -> None:
        self._keys: tuple[Secret, ...] = ()
        checked = _checked(keys)
        del keys  # error trackers show the locals of the frames that an error passes
        if isinstance(checked, ConfigurationError):
            raise checked
        self._keys = checked

    def __repr__(self) -> str:
        return f"KeyRing({len(self._keys)} keys)"

    def shared_secret(self, channel_name: str) -> str:
        """Return the channel's key as its subscribers get it: padded base64."""
        return base64.b64encode(_channel_key(self._first(), channel_name)).decode()

    def encrypt(self, channel_name: str, plaintext: str) -> str:
        """Return the event data that only subscribers of the channel can read."""
        from nacl.secret import SecretBox

        box = SecretBox(_channel_key(self._first(), channel_name)).encrypt(plaintext.encode())
        nonce, ciphertext = base64.b64encode(box.nonce).decode(), base64.b64encode(box.ciphertext).decode()
        return f'{{"nonce":"{nonce}","ciphertext":"{ciphertext}"}}'

    def decrypt(self, channel_name: str, data: str) -> str:
        """Return the plaintext of event data, by whichever key made it.

        Raises:
            EncryptionError: The data is not encrypted data, or none of the keys opens it.
        """
        from nacl.exceptions import CryptoError
        from nacl.secret import SecretBox

        sealed = _parse_encrypted(data)
        if sealed is None:
            raise EncryptionError("the data is not an object of nonce and ciphertext")
        if not self._keys:
            raise EncryptionError(f"no master key: set {_OPTION} to read encrypted data")
        nonce, ciphertext = sealed
        for key in self._keys:
            try:
                return SecretBox(_channel_key(key, channel_name)).decrypt(ciphertext, nonce).decode()
            except CryptoError:
                continue
            except UnicodeDecodeError:
                raise EncryptionError("the decrypted data is not UTF-8 text") from None
        raise EncryptionError("none of the master keys opens the data")

    def _first(self) -> Secret:
        if not self._keys:
            raise ConfigurationError(_OPTION, "is needed for a private-encrypted- channel")
        return self._keys[0]


def _checked(keys: object) -> tuple[Secret, ...] | ConfigurationError:
    """Return the keys, or what is wrong with them: it raises nothing, so that no traceback has a key in it."""
    if keys is None:
        return ()
    if isinstance(keys, str):
        rule = _rule_broken_by(keys)
        return (Secret(keys),) if rule is None else ConfigurationError(_OPTION, rule)
    if not isinstance(keys, (list, tuple)):
        return ConfigurationError(_OPTION, "must be a str or a list of str")
    checked: list[Secret] = []
    for index, key in enumerate(cast("Sequence[object]", keys)):
        rule = _rule_broken_by(key)
        if rule is not None:
            return ConfigurationError(f"{_OPTION}[{index}]", rule)
        checked.append(Secret(str(key)))
    return tuple(checked)


def _rule_broken_by(key: object) -> str | None:
    if not isinstance(key, str):
        return "must be a str"
    decoded = _decode_base64(key)
    if decoded is None:
        return "must be valid base64, with padding"
    return None if len(decoded) == _MASTER_KEY_BYTES else f"must decode to {_MASTER_KEY_BYTES} bytes"


def _decode_base64(text: str) -> bytes | None:
    try:
        decoded = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
    # A second spelling of the same bytes (stray bits, missing padding) is refused as a typing mistake.
    return decoded if base64.b64encode(decoded).decode() == text else None


@lru_cache(maxsize=1024)
def _channel_key(key: Secret, channel_name: str) -> bytes:
    return sha256(channel_name.encode() + base64.b64decode(key.reveal())).digest()


def _parse_encrypted(data: object) -> tuple[bytes, bytes] | None:
    if not isinstance(data, str):
        return None
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return _sealed(value)


def _sealed(value: object) -> tuple[bytes, bytes] | None:
    """Return nonce and ciphertext of encrypted data; None for anything that could be plaintext."""
    if not is_object(value) or value.keys() != {"nonce", "ciphertext"}:
        return None
    nonce, ciphertext = value["nonce"], value["ciphertext"]
    if not isinstance(nonce, str) or not isinstance(ciphertext, str):
        return None
    decoded = _decode_base64(nonce), _decode_base64(ciphertext)
    if decoded[0] is None or len(decoded[0]) != _NONCE_BYTES or decoded[1] is None or len(decoded[1]) < _TAG_BYTES:
        return None
    return decoded[0], decoded[1]


_REFUSED = (
    "plaintext for a private-encrypted- channel was refused: its data must be an object of nonce and ciphertext, and "
    "the channel must stand alone (trigger and trigger_batch encrypt by themselves)"
)


def refuse_plaintext(path: str, query: Sequence[tuple[str, str]], body: bytes | None) -> None:
    """Raise unless everything that the request sends to an encrypted channel is encrypted.

    Every request passes here before it is signed. A body or query names a channel in a key that starts with
    ``channel``; a path names it behind ``/channels/``. Repeated keys count: servers differ in which one they take.

    Raises:
        EncryptionError: It is not, or the body cannot be read to tell.
    """
    named_in_path = [("channel", segment) for segment in _channel_segments(path)]
    suspicious = any(is_encrypted(name) for _, name in named_in_path) or any(
        ENCRYPTED_PREFIX in value for _, value in query
    )
    if not body:
        # Without a body there is no data but what the query may carry.
        if suspicious and any(name == "data" for name, _ in query):
            _check_object([*named_in_path, *query])
        return
    if not suspicious and not _may_name_encrypted(body):
        return
    try:
        value: object = json.loads(body, object_pairs_hook=_check_object)
    except EncryptionError:
        raise
    except (ValueError, RecursionError):
        raise EncryptionError(f"{_REFUSED}; the body is not JSON that could show it") from None
    if suspicious:
        if _sealed(value) is not None or value == {}:
            return  # what the path names gets encrypted data, or nothing at all
        top = list(value.items()) if is_object(value) else [("data", value)]
        _check_object([*named_in_path, *query, *top])


def _channel_segments(path: str) -> list[str]:
    segments = [unquote(segment) for segment in path.split("/")]
    return [name for before, name in pairwise(segments) if before == "channels"]


def _may_name_encrypted(body: bytes) -> bool:
    """Be quick for the usual body: only an escape or another encoding could hide the prefix from this look."""
    return ENCRYPTED_PREFIX.encode() in body or b"\\u" in body or b"\0" in body


def _check_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names: list[str] = []
    for key, value in pairs:
        if key.lower().startswith("channel"):
            if isinstance(value, str):
                names.append(value)
            elif is_list(value):
                names += [name for name in value if isinstance(name, str)]
    if any(is_encrypted(name) for name in names):
        data = [value for key, value in pairs if key == "data"]
        alone = len(set(names)) == 1
        if not (alone and len(data) == 1 and _parse_encrypted(data[0]) is not None):
            raise EncryptionError(_REFUSED)
    return dict(pairs)
