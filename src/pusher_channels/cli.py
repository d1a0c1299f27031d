"""The ``pusher-channels`` command."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from pusher_channels._publish_command import add_publish_command
from pusher_channels._version import __version__
from pusher_channels.emulator import config

if TYPE_CHECKING:
    from types import FrameType

    from pusher_channels.emulator import Emulator

DEFAULT_PORT = 8080

_DESCRIPTION = """\
Run a local Pusher Channels server for development and tests: the HTTP API with its signature checks, and WebSocket
protocol 7 for clients. No account is needed, nothing leaves this machine, and nothing is kept when it ends.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = _parser().parse_args(argv)
    status: int = arguments.run(arguments)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pusher-channels", description="Tools for developing with Pusher Channels.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    emulator = commands.add_parser("emulator", help="run a local Pusher Channels server", description=_DESCRIPTION)
    add = emulator.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=_port, default=DEFAULT_PORT, help="port, or 0 for a free one (default: %(default)s)")
    add("--app-id", default=config.APP_ID, help="id of the app (default: %(default)s)")
    add("--key", default=config.KEY, help="key of the app (default: %(default)s)")
    add(
        "--secret",
        default=config.SECRET,
        help="secret of the key (default: %(default)s); it is printed, so never give that of a real app",
    )
    add("--webhook-url", metavar="URL", help="where to send webhooks (default: nowhere)")
    add("--quiet", action="store_true", help="print no line for each request and event")
    emulator.set_defaults(run=_run_emulator)
    add_publish_command(commands.add_parser("publish", help="publish a file of events"))
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a port from 0 to 65535")
    return int(text)


def _run_emulator(arguments: argparse.Namespace) -> int:
    try:
        from pusher_channels.emulator import Emulator
    except ImportError as error:
        _complain(str(error))
        return 1
    server = Emulator(
        arguments.app_id,
        arguments.key,
        arguments.secret,
        host=arguments.host,
        port=arguments.port,
        webhook_url=arguments.webhook_url,
        log=None if arguments.quiet else _log,
    )
    # A service manager's polite stop is the same as Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with server:
            _say(_welcome(server))
            while True:
                # In steps, because Ctrl-C cannot end one long wait on Windows.
                threading.Event().wait(1)
    except OSError as error:
        _complain(f"cannot listen on {arguments.host} port {arguments.port}: {error.strerror}")
        return 1
    except KeyboardInterrupt:
        _say("stopped")
    return 0


def _welcome(server: Emulator) -> str:
    app = server.apps[0]
    webhooks = ", ".join(endpoint.url for endpoint in app.webhooks) or "off (--webhook-url)"
    return f"""\
Pusher Channels emulator {__version__}, listening on {server.host}:{server.port}

  app id      {app.app_id}
  key         {app.key}
  secret      {app.secret}
  PUSHER_URL  {server.url}
  webhooks    {webhooks}
  console     {server.console_url}

  Python      Pusher.from_url("{server.url}")
  browser     new Pusher("{app.key}", {{wsHost: "{server.host}", wsPort: {server.port}, forceTLS: false,
                         enabledTransports: ["ws"], cluster: ""}})

Ctrl-C stops it. One line for each request and event:
"""


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _log(line: str) -> None:
    # Names and texts come from clients: what is in them must not move the cursor of the terminal.
    printable = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
    _say(f"{datetime.now():%H:%M:%S} {printable}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    sys.stderr.write(f"pusher-channels: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
