"""Counts the instructions of the local operations: `python -m benchmarks.instructions [--update] [--only NAME]`.

Unlike time, the count comes out the same on a busy machine, so that a loss of a few percent shows. Each operation runs
under valgrind so many times and then twice as many times: the difference is free of what starting up takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.runner import ROOT

FILE = ROOT / "benchmarks/instructions.json"
ALLOWED = 1.03
"""How many times the recorded count an operation may take."""

OPERATIONS = {
    "authorize a private channel": "benchmarks.local:private_ours",
    "authorize a presence channel": "benchmarks.local:presence_ours",
    "authenticate a user": "benchmarks.local:user_ours",
    "encrypt an event": "benchmarks.local:encrypt_ours",
    "validate a webhook, type its 5 events": "benchmarks.local:webhook_ours",
    "sign a request": "benchmarks.local:sign_ours",
    "build a signed request, read its answer": "benchmarks.local:request_ours",
}
_COUNT = 200
# Without the garbage collector: how often it sets in depends on what was there before.
_PROGRAM = """
import gc
from benchmarks.worker import find
with find({target!r})(None) as run:
    run(20)
    gc.collect()
    gc.disable()
    run({count})
"""


def main() -> int:
    """Count, print, and compare or record. Return the exit status."""
    options = _parser().parse_args()
    if shutil.which("valgrind") is None:
        sys.stderr.write("valgrind is missing: apt-get install valgrind\n")
        return 1
    recorded: Any = json.loads(FILE.read_text()) if FILE.exists() else {"versions": None, "instructions": {}}
    here = versions()
    if not options.update and recorded["versions"] != here:
        sys.stderr.write(difference(recorded["versions"] or {}, here))
        return 1
    names = options.only or list(OPERATIONS)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = dict(zip(names, pool.map(count_instructions, names), strict=True))
    before: dict[str, int] = recorded["instructions"]
    for name, count in counts.items():
        print(f"{name:45} {count:>9,}  {change(count, before.get(name))}")
    if options.update:
        kept = before if recorded["versions"] == here else {}
        FILE.write_text(json.dumps({"versions": here, "instructions": {**kept, **counts}}, indent=2) + "\n")
        return 0
    if slower := [name for name, count in counts.items() if not allowed(count, before.get(name))]:
        sys.stderr.write(f"more instructions than recorded: {', '.join(slower)}\n")
        return 1
    return 0


def count_instructions(name: str) -> int:
    """Return how many instructions one operation takes."""
    _run(_command(OPERATIONS[name], 1))  # once for nothing, so that the compiled files are there
    once, twice = (_run_under_valgrind(OPERATIONS[name], count) for count in (_COUNT, 2 * _COUNT))
    return round((twice - once) / _COUNT)


def _run_under_valgrind(target: str, count: int) -> int:
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *_command(target, count)]
    found = re.search(r"Collected : (\d+)", _run(command))
    if found is None:
        raise SystemExit(f"valgrind counted nothing: {target}")
    return int(found[1])


def _command(target: str, count: int) -> list[str]:
    return [sys.executable, "-c", _PROGRAM.format(target=target, count=count)]


def _run(command: list[str]) -> str:
    environment = {"PYTHONHASHSEED": "0", "PATH": os.environ["PATH"]}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(f"{run.stderr}\nfailed: {' '.join(command)}")
    return run.stderr


def change(count: int, before: int | None) -> str:
    """Say how a count stands to the recorded one."""
    return "not recorded" if before is None else f"{count / before - 1:+.2%}"


def allowed(count: int, before: int | None) -> bool:
    """Tell whether a count is at most a little above the recorded one, if there is one."""
    return before is None or count <= before * ALLOWED


def versions() -> dict[str, str]:
    """Return what the counts depend on besides the code."""
    flags = Path("/proc/cpuinfo").read_text()
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}, {platform.python_compiler()}",
        "machine": platform.machine() + (" with AVX2" if re.search(r"\bavx2\b", flags) else ""),
        "libc": " ".join(platform.libc_ver()),
        "openssl": ssl.OPENSSL_VERSION,
        "valgrind": valgrind,
        **{name: metadata.version(name) for name in ("attrs", "httpx", "pynacl", "cffi")},
    }


def difference(recorded: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Say in which versions the record is another one."""
    lines = [
        f"  {name}: {recorded.get(name, 'nothing')} recorded, {here.get(name, 'nothing')} here\n"
        for name in {**recorded, **here}
        if recorded.get(name) != here.get(name)
    ]
    return (
        f"the recorded counts cannot be compared with what runs here:\n{''.join(lines)}record them anew with --update\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description=__doc__)
    parser.add_argument("--update", action="store_true", help="record the counts instead of comparing them")
    parser.add_argument("--only", nargs="+", choices=OPERATIONS, metavar="NAME", help="count these operations only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
