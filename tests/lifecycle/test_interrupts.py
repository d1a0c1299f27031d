"""A signal handler that raises in the middle of a call, as Ctrl-C and Celery's time limits do."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.lifecycle.server import Server
from tests.lifecycle.support import SOAK, TLS

INTERRUPTS = 2_000 if SOAK else 150  # more than there may be connections


@TLS
def test_the_client_is_as_good_as_before(server: Server, tls: bool) -> None:
    url = server.tls_url if tls else server.url
    command = [sys.executable, "-m", "tests.lifecycle.interrupted", url, str(server.authority), str(server.port)]
    run = subprocess.run([*command, str(INTERRUPTS)], capture_output=True, text=True, timeout=600 if SOAK else 180)
    assert (run.returncode, run.stderr) == (0, "")
    result = json.loads(run.stdout)
    assert result["failures"] == []  # of the other threads
    assert result["at_once"] == 100  # no place for a connection is lost
    assert (result["left"], result["threads"]) == (0, 1)
    arrived = [data for record in server.records() for data in record.data if data != "warm"]
    assert len(arrived) == len(set(arrived))
    assert set(result["published"]) <= set(arrived)
    assert len(result["published"]) == len(set(result["published"]))
