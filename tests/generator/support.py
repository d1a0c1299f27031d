"""Changed copies of the small spec, and clients generated from them."""

from __future__ import annotations

import copy
import importlib
import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from generator.__main__ import generate, main
from generator.document import load
from generator.errors import GenerationError

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MINI = HERE / "mini.yaml"
GOLDEN = HERE / "golden"
SPEC = ROOT / "spec" / "openapi.yaml"
REAL = ROOT / "generated_client" / "pusher_channels_rest"

# A spec is JSON of any shape; the tests change it in place.
Spec = dict[str, Any]
Change = Callable[[Spec], object]

_mini = cast("Spec", load(MINI).mapping())


def changed(change: Change, folder: Path) -> Path:
    """Write a copy of the small spec with a change, and return its path. JSON is YAML too."""
    spec = copy.deepcopy(_mini)
    change(spec)
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return path


def problem(change: Change, folder: Path) -> str:
    """Return what the generator has against a change."""
    with pytest.raises(GenerationError) as caught:
        generate(changed(change, folder), core=False, with_docs=False)
    return str(caught.value)


def files(change: Change, folder: Path) -> dict[str, str]:
    """Return the files that are generated for a change."""
    return generate(changed(change, folder), core=False, with_docs=False)[0]


@contextmanager
def client(change: Change, folder: Path, name: str) -> Generator[ModuleType]:
    """Generate a client for a change, and import it under a name of its own for a while."""
    status = main(["--spec", str(changed(change, folder)), "--out", str(folder / name), "--no-core"])
    assert status == 0
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]


def operation(spec: Spec, operation_id: str) -> Spec:
    """Return an operation of a spec."""
    for item in spec["paths"].values():
        for candidate in item.values():
            if isinstance(candidate, dict) and cast("Spec", candidate).get("operationId") == operation_id:
                return cast("Spec", candidate)
    raise AssertionError(operation_id)


def schema(spec: Spec, name: str) -> Spec:
    """Return a component schema of a spec."""
    return cast("Spec", spec["components"]["schemas"][name])
