"""Rows 5 and 6: programs that start, do one thing and end, as a script or a serverless function does."""

from __future__ import annotations

from benchmarks.samples import APP_ID, CHANNEL, DATA, EVENT, KEY, SECRET, SOCKET_ID
from benchmarks.sink import Sink

# Not ru_maxrss: it counts what the parent process held before it started this one.
_PEAK = "print(next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1])"
_OURS = "from pusher_channels import Pusher\n"
_OFFICIAL = "import pusher\n"


def nothing(sink: Sink) -> str:
    """A program that does nothing: what the interpreter costs."""
    return _PEAK


def authorize_ours(sink: Sink) -> str:
    """Import, construct, authorize one channel."""
    return f"{_OURS}Pusher({_APP}, cluster='eu').authorize_channel({SOCKET_ID!r}, {CHANNEL!r})\n{_PEAK}"


def authorize_official(sink: Sink) -> str:
    """The same of the PyPI library."""
    return f"{_OFFICIAL}pusher.Pusher({_APP}, cluster='eu').authenticate({CHANNEL!r}, {SOCKET_ID!r})\n{_PEAK}"


def trigger_ours(sink: Sink) -> str:
    """Import, construct, trigger one event over TLS, close."""
    server = f"host='127.0.0.1', port={sink.https_port}"
    return f"{_OURS}with Pusher({_APP}, {server}) as p:\n    p.trigger({_EVENT})\n{_PEAK}"


def trigger_official(sink: Sink) -> str:
    """The same of the PyPI library, which cannot be closed."""
    trust = f"import pusher.requests\npusher.requests.CERT_PATH = {sink.pusher_trusted!r}\n"
    server = f"host='127.0.0.1', port={sink.https_port}, ssl=True"
    return f"{_OFFICIAL}{trust}pusher.Pusher({_APP}, {server}).trigger({_EVENT})\n{_PEAK}"


_APP = f"{APP_ID!r}, {KEY!r}, {SECRET!r}"
_EVENT = f"{CHANNEL!r}, {EVENT!r}, {DATA!r}"
