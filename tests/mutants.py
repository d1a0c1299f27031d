"""Mutation testing of what must not be wrong: `python -m tests.mutants` runs mutmut and writes docs/mutants.md.

mutmut (see `[tool.mutmut]` in pyproject.toml) makes one small change after the other in those modules, and runs the
tests that stand beside them. A change that no test notices must be explained here, or it fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "mutants.md"
FLOOR = 0.95

AREAS: Mapping[str, tuple[str, ...]] = {
    "signing": ("signing", "_signer", "_secret"),
    "authorization": ("_authorization",),
    "encryption": ("_encryption",),
    "webhooks": ("_webhooks",),
}

# What makes no difference, by what the changed line has in it.
EXPLAINED: Mapping[str, str] = {
    r'cast\((None|"XX|"[A-Z]{2}|"mapping)': "`cast` does nothing when the program runs: its first argument is for type "
    "checkers",
    r"self\.found = None|ensure_ascii=None|usedforsecurity=None": "None is as false as False",
    r'_APP_PATH\.sub\("XXXX"': "it stands for the part of the path that names the app, which is not looked at",
    r"self\.outermost: .* = None": "it is read only where it was set again before",
    r'quote\(text, safe="XXXX"\)': "an X is never escaped",
    r'event\.get\("data", "XXXX"\)': "of a default only the type is asked",
    r"type\(None\) is JSON_OBJECT": "only slower: the careful way comes to the same",
    r"return hash\(None\)": "only slower: equal secrets still have equal hashes",
}

_INTRODUCTION = """\
# Which mistakes the tests would notice

Made by `make mutants`, which CI runs: [mutmut](https://github.com/boxed/mutmut) makes one small mistake after the other
in the modules that must not be wrong, and runs their unit tests and the known answers of the official libraries. It
fails if less than {floor:.0%} of them are noticed in any area, or if one that is not noticed has no reason here.

| area | modules | mistakes | noticed | share |
|---|---|---|---|---|
"""
_SURVIVORS = """
mutmut leaves decorated functions alone. Here those are `_channel_key`, which makes the keys of encrypted channels (the
known answers hold it), and `_secret_box`, which loads the class that encrypts.

## Survivors

Each makes no difference that anybody could notice.

| module | the line with the mistake | why it makes none |
|---|---|---|
"""


@attrs.frozen
class Mutant:
    """One small change.

    Attributes:
        name: What mutmut calls it.
        status: What came of it.
    """

    name: str
    status: str

    @property
    def module(self) -> str:
        return self.name.removeprefix("pusher_channels.").partition(".")[0]

    @property
    def noticed(self) -> bool:
        return self.status in ("killed", "timeout", "segfault")

    def changed_line(self) -> str:
        """Return what the line became."""
        lines = _mutmut("show", self.name).splitlines()
        return " ".join(line[1:].strip() for line in lines if line.startswith("+") and not line.startswith("+++"))


def read_mutants(text: str) -> list[Mutant]:
    """Read what `mutmut results --all true` prints."""
    pairs = (line.strip().rsplit(": ", 1) for line in text.splitlines() if ": " in line)
    return [Mutant(name, status) for name, status in pairs]


def reason_for(line: str) -> str | None:
    """Return why a changed line makes no difference, if that is known."""
    return next((reason for pattern, reason in EXPLAINED.items() if re.search(pattern, line)), None)


def render(mutants: Iterable[Mutant], survivors: Mapping[Mutant, str]) -> str:
    """Return the page."""
    every = list(mutants)
    page = _INTRODUCTION.format(floor=FLOOR)
    for area, modules in AREAS.items():
        mine = [mutant for mutant in every if mutant.module in modules]
        noticed = sum(mutant.noticed for mutant in mine)
        names = ", ".join(f"`{module}`" for module in modules)
        page += f"| {area} | {names} | {len(mine)} | {noticed} | {noticed / len(mine):.1%} |\n"
    page += _SURVIVORS
    for mutant, line in survivors.items():
        shown = line.replace("|", "\\|")
        page += f"| `{mutant.module}` | `{shown}` | {reason_for(line) or '**not explained**'} |\n"
    return page


def shortcomings(mutants: Iterable[Mutant], survivors: Mapping[Mutant, str]) -> list[str]:
    """Return what is not as it must be."""
    every = list(mutants)
    found = [f"not explained: {mutant.name}: {line}" for mutant, line in survivors.items() if reason_for(line) is None]
    for area, modules in AREAS.items():
        mine = [mutant for mutant in every if mutant.module in modules]
        if not mine or sum(mutant.noticed for mutant in mine) < FLOOR * len(mine):
            found.append(f"fewer than {FLOOR:.0%} noticed, or none made: {area}")
    lines = list(survivors.values())
    found += [f"explains nothing: {known}" for known in EXPLAINED if not any(re.search(known, line) for line in lines)]
    return found


def main() -> None:
    """Run mutmut, write the page, and fail if something is not as it must be."""
    shutil.rmtree(ROOT / "mutants", ignore_errors=True)
    _mutmut("run")
    mutants = read_mutants(_mutmut("results", "--all", "true"))
    survivors = {mutant: mutant.changed_line() for mutant in mutants if not mutant.noticed}
    PAGE.write_text(render(mutants, survivors), encoding="utf-8")
    found = shortcomings(mutants, survivors)
    if found:
        raise SystemExit("\n".join(found))


def _mutmut(*arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if run.returncode:
        # Not all of it: it writes a line of progress for each mutant.
        raise SystemExit("\n".join([*run.stdout.splitlines()[-100:], run.stderr]))
    return run.stdout


if __name__ == "__main__":
    main()
