"""The same application as tasks of Celery. The broker is a folder: ``BROKER``."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from celery import signals  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]

from tests.lifecycle.app import apusher, named, publisher_of, pusher, use_before_the_fork
from tests.lifecycle.celery_broker import make_celery
from tests.lifecycle.support import acall, call

app = make_celery(Path(os.environ["BROKER"]))


def use_in_the_master(**_: object) -> None:
    """Use the clients before the workers are forked."""
    use_before_the_fork()


def close_the_publisher(**_: object) -> None:
    """Send what is left: a pool's processes do not run what is registered for the interpreter's exit."""
    publisher_of(os.getpid()).close()


def work(name: str) -> None:
    """Publish in every way."""
    for kind in range(5):
        call(pusher, named(f"{name}-{kind}"), kind)
    asyncio.run(acall(apusher, named(f"{name}-async"), 0))
    publisher_of(os.getpid()).publish("c", "e", named(f"{name}-published"))


_signals: Any = signals
_signals.worker_init.connect(use_in_the_master)
_signals.worker_process_shutdown.connect(close_the_publisher)
app.task(work)
