"""The public names, and that they cost nothing before they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pusher_channels


def test_every_public_name_imports() -> None:
    for name in pusher_channels.__all__:
        assert getattr(pusher_channels, name) is not None
    assert set(pusher_channels.__all__) <= set(dir(pusher_channels))
    assert pusher_channels.__all__ == sorted(pusher_channels.__all__, key=lambda name: (name.startswith("__"), name))


def test_the_imports_for_type_checkers_are_those_at_run_time() -> None:
    """The names under TYPE_CHECKING, the table of sources and ``__all__`` must agree."""
    assert pusher_channels.__file__ is not None
    tree = ast.parse(Path(pusher_channels.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        (node.module, alias.name) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    sources = {(module, name) for module, names in pusher_channels._SOURCES.items() for name in names}  # pyright: ignore[reportPrivateUsage]
    assert typed == sources
    assert {name for _, name in sources} | {"__version__"} == set(pusher_channels.__all__)


def test_unknown_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = pusher_channels.no_such_name  # pyright: ignore


def modules_after(code: str) -> set[str]:
    listing = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    output = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True).stdout
    return set(output.split())


LOCAL = """
from pusher_channels import Pusher, AsyncPusher
for kind in (Pusher, AsyncPusher):
    pusher = kind("3", "key", "secret", encryption_master_key_base64="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    pusher.authorize_channel("1.1", "private-encrypted-x")
    pusher.authorize_channel("1.1", "presence-x", {"user_id": "1"})
    pusher.authenticate_user("1.1", {"id": "1"})
"""

WEBHOOK = """
import hmac
body = b'{"time_ms":1,"events":[{"name":"channel_occupied","channel":"a"}]}'
headers = {"X-Pusher-Key": "key", "X-Pusher-Signature": hmac.digest(b"secret", body, "sha256").hex()}
pusher.webhook(headers, body, max_age=None)
"""


@pytest.mark.parametrize("code", ["import pusher_channels", LOCAL, LOCAL + WEBHOOK])
def test_local_operations_load_neither_httpx_nor_nacl(code: str) -> None:
    loaded = modules_after(code)
    for name in ("httpx", "nacl", "httptools", "asyncio", "ssl", "starlette"):
        assert name not in loaded


def test_one_model_does_not_load_all() -> None:
    loaded = modules_after("from pusher_channels import Channel")
    assert "pusher_channels_rest.models.channel" in loaded
    assert "pusher_channels_rest.models.trigger_request" not in loaded
