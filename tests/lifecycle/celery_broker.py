"""Celery with a folder for a broker, for the worker and for the test that sends it tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import celery  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]


def make_celery(folder: Path) -> Any:
    """Return an app whose messages are files in this folder."""
    app: Any = celery.Celery("tests.lifecycle.celery_app", broker="filesystem://")
    app.conf.update(
        broker_transport_options={
            "data_folder_in": str(folder),
            "data_folder_out": str(folder),
            "control_folder": str(folder / "control"),
            "polling_interval": 0.05,
        },
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_proc_alive_timeout=60,  # a process that takes longer to start is killed
    )
    return app
