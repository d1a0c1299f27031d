"""End-to-end encryption of ``private-encrypted-`` channels, and the guard against plaintext on them.

https://pusher.com/docs/channels/using_channels/encrypted-channels/
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, cast

from pusher_channels._json import is_list
from pusher_channels._secret import Secret
from pusher_channels.errors import ConfigurationError, EncryptionError
from pusher_channels_rest.lazy import forks_wait, once

if TYPE_CHECKING:
    from nacl.secret import SecretBox

ENCRYPTED_PREFIX = "private-encrypted-"
_ENCRYPTED_PREFIX = ENCRYPTED_PREFIX.encode()
_MASTER_KEY_BYTES = 32
_NONCE_BYTES = 24
_TAG_BYTES = 16
_OPTION = "encryption_master_key_base64"


def is_encrypted(channel_name: str) -> bool:
    """Tell whether the channel is end-to-end encrypted: its exact prefix decides, as in every client library."""
    return channel_name.startswith(ENCRYPTED_PREFIX)


class KeyRing:
    """The master keys: the first one encrypts, all of them decrypt."""

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
        box = self._secret_box(_channel_key(self._first(), channel_name)).encrypt(plaintext.encode())
        nonce, ciphertext = base64.b64encode(box.nonce).decode(), base64.b64encode(box.ciphertext).decode()
        return f'{{"nonce":"{nonce}","ciphertext":"{ciphertext}"}}'

    def decrypt(self, channel_name: str, data: str) -> str:
        """Return the plaintext of event data, by whichever key made it.

        Raises:
            EncryptionError: The data is not encrypted data, or none of the keys opens it.
        """
        with forks_wait():
            from nacl.exceptions import CryptoError

        sealed = _parse_encrypted(data)
        if sealed is None:
            raise EncryptionError("the data is not an object of nonce and ciphertext")
        if not self._keys:
            raise EncryptionError(f"no master key: set {_OPTION} to read encrypted data")
        nonce, ciphertext = sealed
        for key in self._keys:
            try:
                return self._secret_box(_channel_key(key, channel_name)).decrypt(ciphertext, nonce).decode()
            except CryptoError:
                continue
            except UnicodeError:
                raise EncryptionError("the channel name or the decrypted data is not UTF-8 text") from None
        raise EncryptionError("none of the master keys opens the data")

    @once
    def _secret_box(self) -> type[SecretBox]:
        # Here, since most programs encrypt nothing; and once, since an import statement is a tenth of an encryption.
        from nacl.secret import SecretBox

        return SecretBox

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
    """Return nonce and ciphertext of encrypted event data; None for anything that could hold plaintext."""
    if not isinstance(data, str):
        return None
    try:
        value: object = json.loads(data, object_pairs_hook=tuple)
    except (ValueError, RecursionError):
        return None
    pairs = cast("tuple[tuple[str, object], ...]", value) if isinstance(value, tuple) else ()
    # Exactly two pairs: a key that stands twice would carry text that a reader never looks at.
    if sorted(name for name, _ in pairs) != ["ciphertext", "nonce"]:
        return None
    fields = dict(pairs)
    nonce, ciphertext = fields["nonce"], fields["ciphertext"]
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
_APP_PATH = re.compile(r"^/apps/[A-Za-z0-9._~-]+(?=/|$)")
_USER_PATH = re.compile(r"/apps/[^/]+/users/[^/%]+/[^/]+")
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_EVENT_KEYS = frozenset({"name", "data", "channel", "channels", "socket_id", "info"})


def refuse_plaintext(path: str, query: Sequence[tuple[str, str]], body: bytes | None) -> None:
    """Raise unless everything that the request sends to an encrypted channel is encrypted.

    Every request passes here before it is signed. The rule is one of suspicion: wherever the prefix of an encrypted
    channel stands (in the path, the query or an object of the body, but for an event's name and data), the request must
    have exactly the form of an encrypted event. What a server might make of any other form is not for us to guess.

    Raises:
        EncryptionError: It has not, or the body cannot be read to tell.
    """
    if path.startswith("/server_api/"):
        return  # push notifications go to devices, and their payload may say anything
    keys = {name.lower() for name, _ in query}
    in_path = _mentions(_unescaped(path)) and _names_a_channel(path)
    in_query = any(_mentions(name) or _mentions(value) for name, value in query if name not in _HARMLESS_KEYS)
    if (in_path or in_query) and "data" in keys:
        raise EncryptionError(_REFUSED)
    if not body or not (in_path or in_query or _may_mention(body)):
        return
    reader = _BodyReader()
    try:
        value: object = json.loads(body, object_pairs_hook=reader.check_object)
    except (ValueError, RecursionError):
        # Python's limits, of digits and of depth, and its strictness are not those of every server.
        value = _unescaped(body.decode(errors="replace").replace("\0", ""))
    if in_query or _mentions(value):
        raise EncryptionError(_REFUSED)
    if reader.found and any(key == "data" or key.startswith("channel") for key in keys):
        raise EncryptionError(_REFUSED)
    is_event = value is reader and _is_encrypted_event(reader.outermost, channels_needed=0)
    if in_path and not (is_event or _is_text_encrypted(body)):
        raise EncryptionError(_REFUSED)


def _names_a_channel(path: str) -> bool:
    """Tell whether it is a channel whose name stands in a path, not an app's or a user's."""
    return _USER_PATH.fullmatch(path) is None and _mentions(_unescaped(_APP_PATH.sub("", path)))


_HARMLESS_KEYS = frozenset({"filter_by_prefix", "name", "data"})


class _BodyReader:
    """Looks at each object of a body while it is parsed, repeated keys included."""

    def __init__(self) -> None:
        self.found = False
        self.outermost: list[tuple[str, object]] = []

    def check_object(self, pairs: list[tuple[str, object]]) -> object:
        """Refuse an object that mentions an encrypted channel and is no encrypted event. It reads as this outside."""
        self.outermost = pairs
        if any(_mentions(key) or (key not in ("name", "data") and _mentions(value)) for key, value in pairs):
            self.found = True
            if not _is_encrypted_event(pairs, channels_needed=1):
                raise EncryptionError(_REFUSED)
        return self


def _is_encrypted_event(pairs: list[tuple[str, object]], *, channels_needed: int) -> bool:
    """Tell whether an object is an event whose data is encrypted, for exactly so many channels, and nothing else.

    Numbers and truth values under other keys pass, so that the API can grow; text there could be plaintext.
    """
    fields = dict(pairs)
    others = [value for key, value in pairs if key not in _EVENT_KEYS]
    if len(fields) != len(pairs) or not all(isinstance(value, (int, float, type(None))) for value in others):
        return False
    channels = fields.get("channels", [])
    names = [*(channels if is_list(channels) else [channels]), *([fields["channel"]] if "channel" in fields else [])]
    named = all(isinstance(name, str) and is_encrypted(name) for name in names)
    return len(names) == channels_needed and named and _parse_encrypted(fields.get("data")) is not None


def _is_text_encrypted(body: bytes) -> bool:
    return _parse_encrypted(body.decode(errors="replace")) is not None


def _mentions(value: object) -> bool:
    left = [value]
    while left:  # a recursion would end before `json` does
        value = left.pop()
        if isinstance(value, str) and ENCRYPTED_PREFIX in value:
            return True
        if is_list(value):
            left += value
    return False


def _unescaped(text: str) -> str:
    """Take percent-escapes and JSON's own off, as often as a chain of proxies might."""
    if "%" not in text and "\\u" not in text:
        return text
    with forks_wait():
        from urllib.parse import unquote

    for _ in range(8):
        if "%" not in text and "\\u" not in text:
            break
        text = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), unquote(text))
    return text


def _may_mention(body: bytes) -> bool:
    """Be quick for the usual body: only an escape or another encoding could hide the prefix from this look."""
    return _ENCRYPTED_PREFIX in body or b"\\u" in body or b"\0" in body or b"%" in body
