"""What gunicorn is to tell of its workers: when they have started."""

from __future__ import annotations

from typing import Any


def post_worker_init(worker: Any) -> None:
    """Log it."""
    worker.log.info("worker %s has started", worker.pid)
