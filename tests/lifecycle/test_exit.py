"""The interpreter exits while a client is open: without a word, and without hanging.

Each program runs with ``-X dev -W error``, where whatever was left open would be named on stderr.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.lifecycle.server import Orders, Server
from tests.lifecycle.support import run_code, until

_BEGIN = """
import atexit

def last_words():  # registered before us, so it runs after us
    if "spoken" in globals():
        pusher.trigger("c", "e", spoken)
        pusher.close()

atexit.register(last_words)
import asyncio, logging, os, signal, ssl, sys, threading, time
logging.getLogger("asyncio").setLevel(logging.ERROR)  # no remarks about what took long
from pusher_channels import AsyncPusher, Pusher
url, authority, header = sys.argv[1:]
options = {"verify": ssl.create_default_context(cafile=authority), "timeout": 20}
"""
_PROGRAMS = {
    "an open client": """
pusher = Pusher.from_url(url, **options)
pusher.trigger("c", "e", "d")
""",
    "an open client in a reference cycle": """
pusher = Pusher.from_url(url, **options)
pusher.trigger("c", "e", "d")
cycle = [pusher]
cycle.append(cycle)
""",
    "a client that was never used": """
pusher = Pusher.from_url(url, **options)
apusher = AsyncPusher.from_url(url, **options)
""",
    "sys.exit in a with block": """
with Pusher.from_url(url, **options) as pusher:
    pusher.trigger("c", "e", "d")
    sys.exit()
""",
    "a daemon thread in the middle of a call": """
pusher = Pusher.from_url(url, **options)
pusher.trigger("c", "e", "d")
hanging = pusher.with_options(headers={"X-Do": header})
threading.Thread(target=hanging.channels.list, daemon=True).start()
time.sleep(0.2)
""",
    "a publisher that nobody closed": """
publisher = Pusher.from_url(url, **options).publisher()
publisher.publish("c", "e", "d")
""",
    "a call at exit": """
pusher = Pusher.from_url(url, **options)
pusher.channels.get("c")
spoken = "d"
""",
    "an open async client": """
pusher = AsyncPusher.from_url(url, **options)
for _ in range(2):
    asyncio.run(pusher.trigger("c", "e", "d"))
""",
    "an async client with a task in the middle of a call": """
pusher = AsyncPusher.from_url(url, **options)
async def main():
    await pusher.trigger("c", "e", "d")
    hanging = pusher.with_options(headers={"X-Do": header})
    task = asyncio.create_task(hanging.channels.list())
    await asyncio.sleep(0.1)
asyncio.run(main())
""",
    "sys.exit in an event loop": """
pusher = AsyncPusher.from_url(url, **options)
async def main():
    await pusher.trigger("c", "e", "d")
    sys.exit()
asyncio.run(main())
""",
    "an async client in a thread of its own": """
pusher = AsyncPusher.from_url(url, **options)
thread = threading.Thread(target=lambda: asyncio.run(pusher.trigger("c", "e", "d")))
thread.start()
thread.join()
""",
}


@pytest.mark.parametrize("what", _PROGRAMS)
def test_nothing_is_said(server: Server, what: str) -> None:
    header = Orders(hang=True).header()["X-Do"]
    code = _BEGIN + _PROGRAMS[what]
    run = run_code(code, server.tls_url, server.authority, header, options=("-X", "dev", "-W", "error"))
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    if "never used" not in what:
        assert ["d"] in [record.data for record in server.records()]
    until(lambda: server.open_connections() == 0)


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_ctrl_c_in_a_call(server: Server, kind: str) -> None:
    """The traceback of a KeyboardInterrupt, and nothing else."""
    make = "pusher = {}.from_url(url, **options).with_options(headers={{'X-Do': header}})\n"
    code = make.format("Pusher") + "pusher.channels.get('c')"
    if kind == "async":
        code = make.format("AsyncPusher") + "asyncio.run(pusher.channels.get('c'))"
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", _BEGIN + code]
    header = Orders(hang=True).header()["X-Do"]
    program = subprocess.Popen(
        [*command, server.tls_url, str(server.authority), header], stderr=subprocess.PIPE, text=True
    )
    until(lambda: len(server.records()) == 1, 60)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=30)
    assert program.returncode == -signal.SIGINT
    assert errors.strip().endswith("KeyboardInterrupt")
    assert "ResourceWarning" not in errors
    assert "Unclosed" not in errors
