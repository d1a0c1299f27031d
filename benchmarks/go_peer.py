"""Row 3: pusher-http-go, where a Go toolchain and its source are at hand. Nothing of it is kept here."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from benchmarks.samples import APP_ID, CHANNEL, DATA, EVENT, KEY, SECRET

SOURCE = "PUSHER_HTTP_GO"
_DEBIAN = Path("/usr/share/gocode")
_EVENT = {"App": APP_ID, "Key": KEY, "Secret": SECRET, "Channel": CHANNEL, "Event": EVENT, "Data": DATA}


def missing() -> str | None:
    """Say what keeps the Go library from being measured, or None."""
    if shutil.which("go") is None:
        return "no Go toolchain: apt-get install golang-go golang-golang-x-crypto-dev"
    source = os.environ.get(SOURCE)
    if not source:
        return f"{SOURCE} does not name a folder with the source of pusher-http-go v5"
    if not (Path(source) / "client.go").is_file():
        return f"there is no client.go in the folder that {SOURCE} names"
    if not (_DEBIAN / "src/golang.org/x/crypto/nacl/secretbox").is_dir():
        return "golang.org/x/crypto is missing: apt-get install golang-golang-x-crypto-dev"
    return None


def version() -> str:
    """Return the version that the source says it is, with that of the toolchain."""
    text = (Path(os.environ[SOURCE]) / "client.go").read_text()
    found = re.search(r'libraryVersion\s*=\s*"([^"]+)"', text)
    go = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{found[1] if found else 'unknown'} ({go})"


def build(folder: Path) -> Path:
    """Compile the program, offline: the library and what it needs are found as in the time before Go had modules."""
    library = folder / "src/github.com/pusher/pusher-http-go/v5"
    shutil.copytree(os.environ[SOURCE], library, ignore=shutil.ignore_patterns("*_test.go", ".git"))
    target = folder / "bench"
    settings = {
        "GO111MODULE": "off",
        "GOPATH": f"{folder}{os.pathsep}{_DEBIAN}",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    program = Path(__file__).parent / "go/main.go"
    command = ["go", "build", "-o", str(target), str(program)]
    subprocess.run(command, cwd=folder, env={**os.environ, **settings}, check=True)
    return target


def arguments(port: int, at_once: int, seconds: float) -> list[str]:
    """Return what the program is to be called with."""
    return [json.dumps(_EVENT), f"127.0.0.1:{port}", str(at_once), str(seconds)]
