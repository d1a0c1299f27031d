"""The text of WebSocket frames: JSON whose ``data`` is itself JSON text, as protocol 7 sends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast


def to_json(value: object) -> str:
    """Encode compactly, as all that the emulator sends is. Lone surrogates, which have no UTF-8, become ``?``."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def parse_object(text: str | bytes) -> dict[str, object] | None:
    """Decode a JSON object. None if it is anything else: NaN is no JSON either."""
    try:
        value: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _refuse(constant: str) -> object:
    raise ValueError(constant)


def channel_frame(event: str, channel: str, data: str | None = None, *, user_id: str | None = None) -> str:
    """Make a frame of a channel. ``data`` goes as the text it is."""
    frame = {"event": event, "channel": channel}
    if data is not None:
        frame["data"] = data
    if user_id is not None:
        frame["user_id"] = user_id
    return to_json(frame)


def connection_frame(event: str, data: Mapping[str, object]) -> str:
    """Make a frame of the connection itself, with double-encoded data."""
    return to_json({"event": event, "data": to_json(data)})


def error_frame(message: str, code: int | None) -> str:
    """Make a ``pusher:error``. Its data is an object, not text, and errors of one command have no code."""
    return to_json({"event": "pusher:error", "data": {"code": code, "message": message}})


PING = to_json({"event": "pusher:ping", "data": {}})
PONG = to_json({"event": "pusher:pong", "data": {}})


def watchlist_frame(*, online: list[str], offline: list[str]) -> str:
    """Make the frame that says who of a watchlist came or went. Its data is an object."""
    changes = (("online", online), ("offline", offline))
    events = [{"name": name, "user_ids": user_ids} for name, user_ids in changes if user_ids]
    return to_json({"event": "pusher_internal:watchlist_events", "data": {"events": events}})
