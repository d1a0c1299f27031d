"""Row 7: large bodies, read into typed objects, beside `json.loads` of the same bytes."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.contestant import Run, one_by_one
from benchmarks.samples import APP_ID, KEY, SECRET, channel_list, webhook_body, webhook_headers
from benchmarks.sink import Sink
from pusher_channels import Pusher
from pusher_channels_rest.models import WebhookBody
from pusher_channels_rest.operations.channels import LIST
from pusher_channels_rest.reading import parse_json


@contextmanager
def list_typed(sink: Sink, *, channels: int, counts: int) -> Generator[Run]:
    """What `channels.list` does with the body of its answer."""
    body = channel_list(channels, counts)
    yield one_by_one(lambda: LIST.decode(body))


@contextmanager
def list_parsed(sink: Sink, *, channels: int, counts: int) -> Generator[Run]:
    """`json.loads` of that body."""
    body = channel_list(channels, counts)
    yield one_by_one(lambda: json.loads(body))


@contextmanager
def webhook_typed(sink: Sink, *, events: int) -> Generator[Run]:
    """What `Pusher.webhook` does with the body: parse it, and make an object of its own class of each event."""
    body = webhook_body(events)
    yield one_by_one(lambda: WebhookBody.from_parsed(parse_json(body)))


@contextmanager
def webhook_whole(sink: Sink, *, events: int) -> Generator[Run]:
    """`Pusher.webhook`: the same, and the signature, the age, and the data of client events."""
    body = webhook_body(events)
    headers = webhook_headers(body)
    with Pusher(APP_ID, KEY, SECRET) as pusher:
        yield one_by_one(lambda: pusher.webhook(headers, body))


@contextmanager
def webhook_parsed(sink: Sink, *, events: int) -> Generator[Run]:
    """`json.loads` of that body."""
    body = webhook_body(events)
    yield one_by_one(lambda: json.loads(body))
