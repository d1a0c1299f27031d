"""gunicorn and Celery as they are used: the client is made, and was used, before they fork their workers."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lifecycle.celery_broker import make_celery
from tests.lifecycle.server import Server
from tests.lifecycle.support import until
from tests.lifecycle.test_forks import check, environment

REQUESTS = 30
WORKERS = 3
STARTING = 60
"""Seconds that a server may take to start, on a slow machine: it loads much, and calls before it forks."""


def data_of(server: Server) -> list[str]:
    return [data for record in server.records() for data in record.data]


@pytest.mark.parametrize(
    ("worker", "application"),
    [
        (("-k", "sync"), "wsgi"),
        (("-k", "gthread", "--threads", "4"), "wsgi"),
        (("-k", "uvicorn.workers.UvicornWorker"), "asgi"),
    ],
    ids=["sync", "gthread", "uvicorn"],
)
def test_gunicorn(server: Server, worker: tuple[str, ...], application: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener, (tmp_path / "stderr").open("w") as stderr:
        port = listener.getsockname()[1]
        command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", str(WORKERS), *worker]
        command += ["--config", "python:tests.lifecycle.gunicorn_config"]
        command += ["--bind", f"fd://{listener.fileno()}", f"tests.lifecycle.app:{application}"]
        gunicorn = subprocess.Popen(
            command,
            env={**environment(server, tls=True), "PRELOAD": "1"},
            stderr=stderr,
            pass_fds=[listener.fileno()],
        )
    try:
        # A worker that is told to end before it has started does not hear that, and is waited for in vain.
        until(lambda: (tmp_path / "stderr").read_text().count("has started") == WORKERS, STARTING)

        def ask(path: str) -> str:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            assert answer.status == 200
            return text

        with ThreadPoolExecutor(8) as executor:
            workers = set(executor.map(ask, [f"/call/request{number}" for number in range(REQUESTS)]))
            for more in range(100):  # which worker gets a connection is the system's choice
                if len(workers) > 1:
                    break
                workers |= set(executor.map(ask, [f"/call/more{more}-{number}" for number in range(8)]))
            if application == "wsgi":
                workers |= set(executor.map(ask, [f"/publish/now{number}" for number in range(10)]))
                workers |= set(executor.map(ask, [f"/publish-later/later{number}" for number in range(10)]))
                assert ask("/parent/x").startswith("this publisher is that of the parent process")
    finally:
        gunicorn.send_signal(signal.SIGTERM)
        assert gunicorn.wait(30) == 0
    errors = (tmp_path / "stderr").read_text()
    assert "Traceback" not in errors
    assert "Unclosed" not in errors
    assert len(workers) > 1
    # Each worker's connections, and those of the master from before the fork, are its own, and nothing came twice.
    assert workers < set(check(server))
    for number in range(REQUESTS):
        assert sum(data.startswith(f"request{number}-") for data in data_of(server)) == 1 + 3
    if application == "wsgi":
        # The last ones were sent as the workers exited.
        names = sorted(data.partition("-")[0] for data in data_of(server) if data.startswith(("now", "later")))
        assert names == sorted(f"{when}{number}" for when in ("now", "later") for number in range(10))


def test_celery(server: Server, tmp_path: Path) -> None:
    broker = tmp_path / "broker"
    (broker / "control").mkdir(parents=True)
    variables = {**environment(server, tls=True), "BROKER": str(broker)}
    command = [sys.executable, "-m", "celery", "-A", "tests.lifecycle.celery_app", "worker", "--pool", "prefork"]
    command += ["--concurrency", str(WORKERS), "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
    # All are there before the worker looks: the broker lets it take a message, or its list of queues, half written.
    with make_celery(broker) as sender:
        for number in range(REQUESTS):
            sender.send_task("tests.lifecycle.celery_app.work", [f"task{number}"])
    with (tmp_path / "output").open("w") as output:
        worker = subprocess.Popen(command, env=variables, stdout=output, stderr=output)
    try:
        until(lambda: sum("-published" in data for data in data_of(server)) == REQUESTS, STARTING)
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    text = (tmp_path / "output").read_text()
    assert "Traceback" not in text
    assert "Unclosed" not in text
    assert len(check(server)) > 2  # the master's and those of two workers or more
    for number in range(REQUESTS):
        (published,) = (data for data in data_of(server) if data.startswith(f"task{number}-published"))
        assert sum(data.startswith(f"task{number}-") for data in data_of(server)) == 1 + 3 + 1 + 1, published
