"""A local Pusher Channels server, for development and tests: no account, no network, nothing kept.

    with Emulator() as server:
        pusher = Pusher.from_url(server.url)

It needs the extra: ``pip install 'pusher-channels-sdk[emulator]'``. From a shell: ``pusher-channels emulator``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pusher_channels.emulator.app import PublishedEvent, PublishedNotification
    from pusher_channels.emulator.config import AppConfig, WebhookEndpoint
    from pusher_channels.emulator.controls import Fault
    from pusher_channels.emulator.server import Emulator
    from pusher_channels_rest.limits import Limits

__all__ = ["AppConfig", "Emulator", "Fault", "Limits", "PublishedEvent", "PublishedNotification", "WebhookEndpoint"]

# Loaded when first used: the command's help needs none of the servers behind it.
_MODULES = {
    "AppConfig": "pusher_channels.emulator.config",
    "Emulator": "pusher_channels.emulator.server",
    "Fault": "pusher_channels.emulator.controls",
    "Limits": "pusher_channels_rest.limits",
    "PublishedEvent": "pusher_channels.emulator.app",
    "PublishedNotification": "pusher_channels.emulator.app",
    "WebhookEndpoint": "pusher_channels.emulator.config",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_MODULES[name]), name)
    except ModuleNotFoundError as error:
        raise ImportError(f"{error}. The emulator needs: pip install 'pusher-channels-sdk[emulator]'") from error


def __dir__() -> list[str]:
    return sorted(__all__)
