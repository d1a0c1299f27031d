"""The app, the events and the answers that all contestants are given."""

from __future__ import annotations

import hmac
import json
import time

APP_ID = "3"  # the PyPI client takes digits only
KEY = "278d425bdf160c739803"
SECRET = "7ad3773142a6692b25b8"
MASTER_KEY = "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="
SOCKET_ID = "1234.5678"

CHANNEL = "private-orders"
ENCRYPTED_CHANNEL = "private-encrypted-orders"
PRESENCE_CHANNEL = "presence-lobby"
EVENT = "price"
DATA = {"id": 4711, "total": "9.90", "currency": "EUR", "paid": True, "note": "two of the blue ones, please " * 4}
MEMBER = {"user_id": "user-7", "user_info": {"name": "Ada Lovelace", "role": "admin"}}
USER = {"id": "user-7", "user_info": {"name": "Ada Lovelace", "role": "admin"}, "watchlist": ["user-8", "user-9"]}
CHANNELS = tuple(f"private-orders-{number}" for number in range(100))

COUNTS = ("user_count", "subscription_count")


def channel_list(channels: int, counts: int) -> bytes:
    """Return the answer that lists so many channels, each with so many counts."""
    names = (f"presence-room-{number:05}" for number in range(channels))
    attributes = {name: dict.fromkeys(COUNTS[:counts], 3) for name in names}
    return json.dumps({"channels": attributes}, separators=(",", ":")).encode()


def webhook_body(events: int) -> bytes:
    """Return a webhook of now with so many events, of all kinds in turn."""
    kinds: list[dict[str, object]] = [
        {"name": "channel_occupied", "channel": CHANNEL},
        {"name": "member_added", "channel": PRESENCE_CHANNEL, "user_id": "user-7"},
        {
            "name": "client_event",
            "channel": PRESENCE_CHANNEL,
            "event": "client-typing",
            "data": '{"typing":true}',
            "socket_id": SOCKET_ID,
            "user_id": "user-7",
        },
        {"name": "member_removed", "channel": PRESENCE_CHANNEL, "user_id": "user-7"},
        {"name": "channel_vacated", "channel": CHANNEL},
        {"name": "subscription_count", "channel": CHANNEL, "subscription_count": 17},
        {"name": "cache_miss", "channel": "cache-news"},
    ]
    body = {"time_ms": int(time.time() * 1000), "events": [kinds[number % len(kinds)] for number in range(events)]}
    return json.dumps(body, separators=(",", ":")).encode()


def webhook_headers(body: bytes) -> dict[str, str]:
    """Return the headers that a web framework has for a webhook, among others."""
    return {
        "host": "example.com",
        "user-agent": "pusher-webhooks",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-pusher-key": KEY,
        "x-pusher-signature": hmac.digest(SECRET.encode(), body, "sha256").hex(),
    }
