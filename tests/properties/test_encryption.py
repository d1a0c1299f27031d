"""End-to-end encryption: no plaintext goes out, what was encrypted is read back, and nothing else is."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given as for_all
from nacl.secret import SecretBox

from pusher_channels import EncryptionError, Event, InvalidArgumentError
from pusher_channels._builder import RequestBuilder
from pusher_channels._encryption import KeyRing
from pusher_channels_rest.limits import DEFAULT_LIMITS
from tests.properties.making import PURE, Choices, made
from tests.unit.support import APP_ID, MASTER_KEY, OTHER_MASTER_KEY

BUILDER = RequestBuilder(APP_ID, DEFAULT_LIMITS, KeyRing([MASTER_KEY, OTHER_MASTER_KEY]), None)
MARKER = "plain-é"
KEYS = [MASTER_KEY, OTHER_MASTER_KEY, base64.b64encode(b"z" * 32).decode()]
CHARACTERS = "abzAZ09-_=@,.;"


def channel_name(choices: Choices) -> str:
    return "private-encrypted-" + "".join(choices.pick(CHARACTERS) for _ in range(choices.number(6)))


def decrypt(channel: str, data: str, master_key: str) -> str:
    """Decrypt as a subscriber does."""
    sealed = json.loads(data)
    assert sealed.keys() == {"nonce", "ciphertext"}
    key = sha256(channel.encode() + base64.b64decode(master_key)).digest()
    return SecretBox(key).decrypt(base64.b64decode(sealed["ciphertext"]), base64.b64decode(sealed["nonce"])).decode()


def make_events(choices: Choices) -> list[tuple[str, Any]]:
    """Make channels with their data: somewhere in it stands the marker."""
    events: list[tuple[str, Any]] = []
    for _ in range(1 + choices.number(3)):
        text = choices.text()
        text = f"{text}{MARKER}{text}"
        data: Any = choices.pick(
            [text, text.encode("utf-8", "replace"), {"a": text}, [choices.json(1), text], {text: 1}]
        )
        events.append((channel_name(choices), data))
    return events


@PURE
@for_all(events=made(make_events))
def test_no_plaintext_goes_out(events: list[tuple[str, Any]]) -> None:
    channel, data = events[0]
    try:
        if len(events) == 1:
            sent = [json.loads(BUILDER.trigger(channel, "e", data).body or b"")]
        else:
            sent = json.loads(BUILDER.trigger_batch([Event(name, "e", each) for name, each in events]).body or b"")[
                "batch"
            ]
    except InvalidArgumentError as error:  # lone surrogates, or more than 10,240 bytes
        assert error.argument.endswith("data")
        return
    for (channel, data), event in zip(events, sent, strict=True):
        assert event.get("channels", [event.get("channel")]) == [channel]
        assert MARKER not in str(event)
        plaintext = decrypt(channel, event["data"], MASTER_KEY)
        if isinstance(data, (str, bytes)):
            assert plaintext == (data.decode() if isinstance(data, bytes) else data)
        else:
            assert json.loads(plaintext) == data
            assert MARKER in plaintext


def make_sealing(choices: Choices) -> tuple[str, list[str], list[str], Any]:
    """Make a text, the keys that encrypt and those that decrypt, and a way to tamper with the data."""

    def tamper(data: str) -> str:
        way = choices.number(5)
        if way == 1:
            return json.dumps(choices.near(json.loads(data)))
        if way == 2:
            at = choices.number(len(data))
            return data[:at] + choices.pick([choices.text(), "A", ""]) + data[at + choices.number(3) :]
        if way == 3:
            return f'{{"{choices.pick(["nonce", "ciphertext"])}":{json.dumps(choices.json())},{data[1:]}'
        return choices.json_bytes(choices.json()).decode("utf-8", "replace") if way == 4 else data

    text = choices.text().encode("utf-8", "replace").decode()
    rings = [[choices.pick(KEYS) for _ in range(1 + choices.number(3))] for _ in range(2)]
    return text, rings[0], rings[1], tamper


@PURE
@for_all(sealing=made(make_sealing))
def test_what_one_key_encrypts_no_other_reads(sealing: tuple[str, list[str], list[str], Any]) -> None:
    text, encrypting, decrypting, tamper = sealing
    channel = "private-encrypted-a"
    data = KeyRing(encrypting).encrypt(channel, text)
    tampered = tamper(data)
    untouched = _content(tampered) == _content(data)
    try:
        found = KeyRing(decrypting).decrypt(channel, tampered)
    except EncryptionError:
        assert not untouched or encrypting[0] not in decrypting
    else:
        assert found == text
        assert untouched
        assert encrypting[0] in decrypting
    for ring, name in ((KeyRing(decrypting), "private-encrypted-b"), (KeyRing(None), channel)):
        with pytest.raises(EncryptionError):
            ring.decrypt(name, data)


def _content(data: str) -> object:
    """What the data says as JSON: white space and escapes are not of it. A key that stands twice is not forgotten."""
    try:
        pairs: object = json.loads(data, object_pairs_hook=sorted)
    except (ValueError, RecursionError, TypeError):
        return None
    return pairs
