"""The smallest program that publishes: start ``pusher-channels emulator``, then

PUSHER_URL=http://emulator-key:emulator-secret@127.0.0.1:8080/apps/1 python examples/publish.py
"""

from __future__ import annotations

import sys

from pusher_channels import APIError, Pusher


def main() -> int:
    with Pusher.from_env() as pusher:
        try:
            pusher.trigger("news", "headline", {"title": "Hello from Python"})
        except APIError as error:
            print(f"not published: {error}", file=sys.stderr)
            return 1
    print("published")
    return 0


if __name__ == "__main__":
    sys.exit(main())
