"""Publishing at volume: events from many threads or tasks, coalesced into batches, each with an outcome of its own.

Made by `Pusher.publisher` and `AsyncPusher.publisher`; docs/publisher.md tells what they promise.
"""

from __future__ import annotations

from pusher_channels.publisher._async import AsyncPublisher
from pusher_channels.publisher._core import PublisherStatistics
from pusher_channels.publisher._sync import Publisher

__all__ = ["AsyncPublisher", "Publisher", "PublisherStatistics"]
