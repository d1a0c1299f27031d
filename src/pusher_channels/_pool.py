"""The connections that all views of one client share."""

from __future__ import annotations

from threading import Lock
from typing import Generic, TypeVar

from pusher_channels.errors import PusherError

ClientT = TypeVar("ClientT")


class Pool(Generic[ClientT]):
    """Holds the HTTP client: made when first used, and closed only if it was made here."""

    def __init__(self, given: ClientT | None) -> None:
        self.client = given
        self.owned = given is None
        self.closed = False
        self.lock = Lock()

    def check_open(self) -> None:
        """Refuse to go on after the client was closed."""
        if self.closed:
            raise PusherError("the client is closed")
