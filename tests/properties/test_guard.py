"""The guard before signing: no request carries plaintext to an encrypted channel, however it is written."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import example
from hypothesis import given as for_all

from pusher_channels import EncryptionError
from pusher_channels._encryption import refuse_plaintext
from tests.properties.making import PURE, RAW, Choices, is_list, is_object, made

CHANNEL = "private-encrypted-a"
SEALED = '{"nonce":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX","ciphertext":"i7JXKfgEFt5uxlDAGLvFkdwDZJRFJ6xmFCyZqOkpgw=="}'
FIELDS: dict[str, str] = json.loads(SEALED)
PATHS = ["/apps/3/events", "/apps/3/batch_events", f"/apps/3/channels/{CHANNEL}/events", "/server_api/v1/x"]

Parts = tuple[str, list[tuple[str, str]], bytes | None]


def make_anything(choices: Choices) -> Parts:
    """Make the parts of a request, which often name the channel."""
    text = choices.text()
    names, values = ["data", "channel", "info", text], [CHANNEL, text]
    query = [(choices.pick(names), choices.pick(values)) for _ in range(choices.number(3))]
    data = choices.pick([SEALED, FIELDS, choices.near(SEALED), choices.json()])
    event: dict[str, Any] = {"name": "e", "channel": CHANNEL, "data": data}
    listed: dict[str, Any] = {"name": "e", "channels": [CHANNEL, text][: 1 + choices.number(2)], "data": data}
    value = choices.near(choices.pick([event, listed, {"batch": [event, listed]}, [event], CHANNEL, choices.json()]))
    content = choices.pick([choices.json_bytes(value), choices.bytes(), b"", None, CHANNEL.encode() + choices.bytes()])
    return choices.pick([*PATHS, text]), query, content


@PURE
@example(parts=("/apps/3/events", [], b"[" * 900 + b'"private-encrypted-a"' + b"]" * 900))
@for_all(parts=made(make_anything, 60))
def test_requests_of_any_kind(parts: Parts) -> None:
    path, query, body = parts
    try:
        refuse_plaintext(path, query, body)
    except EncryptionError as error:
        assert error.args[0].startswith("plaintext for a private-encrypted- channel was refused")
        return
    if path.startswith("/server_api/") or not body:
        return
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        assert CHANNEL.encode() not in body
        return
    for event in objects(value):
        named = event.get("channels", [])
        if CHANNEL in [event.get("channel"), *(named if is_list(named) else [named])]:
            assert is_sealed(event["data"])


def objects(value: object) -> Iterator[dict[str, object]]:
    """Return all objects of a JSON value. Those that are nested too deeply for that are of no event."""
    stack = [value]
    while stack:
        value = stack.pop()
        if is_object(value):
            yield value
            stack += value.values()
        elif is_list(value):
            stack += value


def is_sealed(data: object) -> bool:
    assert isinstance(data, str)
    sealed = json.loads(data)
    return (
        list(sealed) in (["nonce", "ciphertext"], ["ciphertext", "nonce"])
        and len(base64.b64decode(sealed["nonce"], validate=True)) == 24
        and len(base64.b64decode(sealed["ciphertext"], validate=True)) >= 16
    )


# Smuggling

TO_CHANNEL: list[dict[str, Any]] = [{"channels": [CHANNEL]}, {"channel": CHANNEL}]


def make_smuggled(choices: Choices) -> Parts:
    """Make a request that is right but for the plaintext that stands in it, and write it in some way."""
    plain = f"plain text{choices.text()}"  # the space: what is base64 throughout could be a ciphertext
    path, query = "/apps/3/events", list[tuple[str, str]]()
    event: dict[str, Any] = {**choices.pick(TO_CHANNEL), "name": "e", "data": SEALED}
    match choices.number(11):
        case 0:
            event["data"] = plain
        case 1:
            event["data"] = json.dumps(FIELDS | {choices.pick(["nonce", "ciphertext", "more", "name"]): plain})
        case 2:
            event["data"] = choices.pick([FIELDS, [plain], {"a": plain}, [SEALED], 7, None, True])
        case 3:
            name = choices.pick(["body", "Data", "data ", "text", f"{choices.text()}x"])
            event[name] = choices.pick([plain, [plain], {"data": plain}])
        case 4:
            event["channels"] = [CHANNEL, choices.pick(["a", CHANNEL, "private-encrypted-b"])]
        case 5:
            event |= {"channel": CHANNEL, "channels": [choices.pick(["a", CHANNEL])]}
        case 6:
            query = [(choices.pick(["data", "DATA", "Data"]), plain)]
            del event["data"]
        case 7:
            del event["data"]
        case 8:
            path = path_of_channel(choices)
            event = {"name": "e", "data": plain}
        case 9:
            query = [(choices.pick(["channel", "channels", "channels[]", "name[]"]), CHANNEL)]
            event = {"name": "e", "data": plain}
        case _:
            event["data"] = f'{SEALED[:-1]},"a":{json.dumps(plain)}}}'
    other = {"name": "e", "channel": "a", "data": "d"}
    value = choices.pick([event, {"batch": [event]}, {"batch": [other, event]}, [event]])
    return path, query, written(choices, value if path == "/apps/3/events" and not query else event)


def path_of_channel(choices: Choices) -> str:
    """Escape some characters of the channel's name, once or more often."""
    name = "".join(f"%{ord(character):02x}" if choices.once_in(6) else character for character in CHANNEL)
    for _ in range(choices.number(3)):
        name = name.replace("%", "%25")
    return f"/apps/3/channels/{name}/events"


HIDDEN = ["\\u0070rivate-", "priv\\u0061te-", "private\\u002D", "\\u0070\\u0072ivate-"]


def written(choices: Choices, value: Any) -> bytes:
    """Write the body as JSON, in one of the ways that readers understand, or nearly so: servers differ."""
    text = json.dumps(value, indent=choices.pick([None, 1]), ensure_ascii=choices.once_in(2))
    if choices.once_in(2):
        text = text.replace("private-", choices.pick(HIDDEN))
    end = len(text.rstrip("}] \n"))
    match choices.number(10):
        case 1:
            return text.encode(choices.pick(["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig"]), "replace")
        case 2:
            text = choices.pick([f"{text}x", text[:-1], f"/**/{text}", text.replace('"', "'")])
        case 3:
            text = quote(text.encode("utf-8", "replace"))
        case 4:
            fields = value if "data" in value else {"channel": CHANNEL, "data": "plaintext"}
            text = urlencode({name: str(field) for name, field in fields.items()}, errors="replace")
        case 5:  # Python's limits are not those of others
            text = f'{text[:end]},"more":{choices.pick([RAW["@huge"], RAW["@deep"], RAW["@nan"]])}{text[end:]}'
        case 6:  # nor is its strictness
            head, tail = (part.encode("utf-8", "surrogatepass") for part in (text[:end], text[end:]))
            return head + b',"more":"' + choices.pick([b"\xff", b"\n", b"\\x"]) + b'"' + tail
        case _:
            pass
    return text.encode("utf-8", "surrogatepass")


REORDERED = json.dumps(dict(reversed(FIELDS.items())), indent=1)
EXTRAS: list[dict[str, Any]] = [
    {},
    {"socket_id": "1.1"},
    {"info": "user_count"},
    {"ttl": 5},
    {"flag": True},
    {"a": None},
]


def make_honest(choices: Choices) -> Parts:
    """Make a request that is right."""
    named: dict[str, Any] = {"name": choices.pick(["e", "client-e", choices.text(), CHANNEL])}
    named["data"] = choices.pick([SEALED, REORDERED])
    event = choices.pick(TO_CHANNEL) | named | choices.pick(EXTRAS)
    public = named | {"data": choices.text() + CHANNEL, "channels": ["a", "private-encrypte", "b"]}
    path = path_of_channel(choices)
    content = choices.pick([named["data"].encode(), json.dumps(named).encode()])
    parts: list[Parts] = [
        ("/apps/3/events", [], json.dumps(event, ensure_ascii=choices.once_in(2)).encode("utf-8", "replace")),
        ("/apps/3/batch_events", [], json.dumps({"batch": [event, public, event]}).encode()),
        ("/apps/3/events", [], json.dumps(public).encode()),
        (path, [("name", named["name"])], content),
        (path.removesuffix("/events"), [("info", "user_count")], None),
        ("/apps/3/channels", [("filter_by_prefix", CHANNEL)], None),
        (f"/apps/3/users/{CHANNEL}/terminate_connections", [], b"{}"),
    ]
    return choices.pick(parts)


def make_both(choices: Choices) -> tuple[Parts, Parts]:
    return make_smuggled(choices), make_honest(choices)


@PURE
@for_all(both=made(make_both, 60))
def test_plaintext_is_found_wherever_it_stands(both: tuple[Parts, Parts]) -> None:
    smuggled, honest = both
    refuse_plaintext(*honest)
    with pytest.raises(EncryptionError):
        refuse_plaintext(*smuggled)
