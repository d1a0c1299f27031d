"""What is written: the same every time, all of it or nothing, and nothing that is not the generator's."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import generator.output
import generator.parser
from generator.__main__ import main
from generator.errors import GenerationError

from .support import GOLDEN, MINI, REAL, ROOT, SPEC, Spec, changed, client, schema

PACKAGES = ("tests.generator.golden.mini_client", "pusher_channels_rest")
MINI_OPTIONS = ["--spec", str(MINI), "--no-core"]


def unchanged(_: Spec) -> None:
    """Change nothing."""


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "client"
    shutil.copytree(GOLDEN / "mini_client", folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_output_for_the_small_spec_is_the_golden_one() -> None:
    arguments = [*MINI_OPTIONS, "--out", str(GOLDEN / "mini_client"), "--docs", str(GOLDEN / "api.md"), "--check"]
    assert main(arguments) == 0


def test_the_committed_client_is_the_one_of_the_spec() -> None:
    arguments = ["--spec", str(SPEC), "--out", str(REAL), "--docs", str(ROOT / "docs" / "api.md"), "--check"]
    assert main(arguments) == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_imports(package: str) -> None:
    root = importlib.import_module(package)
    names = [module.name for module in pkgutil.walk_packages(root.__path__, f"{package}.")]
    assert len(names) > 20
    for name in names:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", ()):
            assert getattr(module, public) is not None, (name, public)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_lazy_name_that_is_not_there_is_an_attribute_error(package: str) -> None:
    module = importlib.import_module(package)
    models = importlib.import_module(f"{package}.models")
    for missing in (module, models):
        with pytest.raises(AttributeError, match="no attribute 'nope'"):
            missing.nope  # noqa: B018
    assert "Limits" in dir(module)
    assert set(models.__all__) <= set(dir(models))


def test_one_model_does_not_import_the_others() -> None:
    code = (
        "import sys, pusher_channels_rest\n"
        "assert 'pusher_channels_rest.errors' not in sys.modules\n"
        "from pusher_channels_rest.models import TriggerResult\n"
        "names = sorted(n.split('.')[2] for n in sys.modules if n.startswith('pusher_channels_rest.models.'))\n"
        "assert names == ['channel_attributes', 'trigger_result'], names\n"
        "assert not {'httpx', 'nacl', 'asyncio', 'pusher_channels'} & set(sys.modules)\n"
        "import pusher_channels_rest.resources\n"
        "assert not any(n.startswith('pusher_channels_rest.operations.') for n in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(REAL.parent)})


@pytest.mark.parametrize("folder", [GOLDEN / "mini_client", REAL])
def test_every_file_says_that_it_is_generated_and_is_in_the_manifest(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    written = tree(folder)
    assert set(manifest["files"]) | {"manifest.json"} == set(written)
    for name, content in written.items():
        head = content.decode().splitlines()[:2]
        assert "@generated" in "".join(head), name
        assert "make generate" in "".join(head), name
    assert manifest["openapi-python-client"] == "0.29.1"


def test_the_same_spec_gives_the_same_bytes_for_every_hash_seed(tmp_path: Path) -> None:
    trees: list[dict[str, bytes]] = []
    for seed in ("0", "1", "4242"):
        folder = tmp_path / seed / "client"
        command = [sys.executable, "-m", "generator", *MINI_OPTIONS, "--out", str(folder)]
        subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True)
        trees.append(tree(folder))
    assert trees[0] == trees[1] == trees[2]


def test_the_real_spec_needs_no_network(tmp_path: Path) -> None:
    code = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from generator.__main__ import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    command = [sys.executable, "-c", code, "--out", str(tmp_path / "client")]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


def test_generating_again_changes_nothing_and_removes_orphans(out: Path) -> None:
    before = tree(out)
    (out / "models" / "old.py").write_text("")
    assert main([*MINI_OPTIONS, "--out", str(out), "--docs", str(out.parent / "api.md")]) == 0
    assert tree(out) == before
    assert (out.parent / "api.md").read_bytes() == (GOLDEN / "api.md").read_bytes()
    assert sorted(path.name for path in out.parent.iterdir()) == ["api.md", "client"]


def test_check_names_what_is_edited_missing_stale_or_an_orphan(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (out / "limits.py").write_text("edited")
    (out / "models" / "item.py").unlink()
    (out / "extra.py").write_text("")
    spec = changed(lambda spec: schema(spec, "ItemName").update(maxLength=21), tmp_path)
    before = tree(out)
    docs = tmp_path / "api.md"
    assert main(["--spec", str(spec), "--no-core", "--out", str(out), "--docs", str(docs), "--check"]) == 1
    errors = capsys.readouterr().err
    assert "limits.py: was edited by hand" in errors
    assert "models/item.py: is missing" in errors
    assert "extra.py: is an orphan" in errors
    assert "scalars.py: is stale" in errors
    assert f"{docs}: is stale" in errors
    assert "make generate" in errors
    assert tree(out) == before


def test_check_of_a_folder_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*MINI_OPTIONS, "--out", str(tmp_path / "none"), "--check"]) == 1
    assert "is missing" in capsys.readouterr().err


def test_a_failure_leaves_the_old_output(out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(out)
    spec = changed(lambda spec: schema(spec, "Item").update(typo=1), tmp_path)
    assert main(["--spec", str(spec), "--no-core", "--out", str(out)]) == 1
    assert capsys.readouterr().err == (
        "generator: #/components/schemas/Item: the keyword typo is unknown to the generator (schema)\n"
    )
    assert tree(out) == before


def test_a_failing_swap_puts_the_old_output_back(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(out)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="disk full"):
        generator.output.replace(out, {"a.py": ""})
    assert tree(out) == before


def test_a_folder_of_someone_else_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    assert main([*MINI_OPTIONS, "--out", str(tmp_path / "mine")]) == 1
    assert "it is not the generator's" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"
    (tmp_path / "file").write_text("")
    assert main([*MINI_OPTIONS, "--out", str(tmp_path / "file")]) == 1
    assert "is no folder" in capsys.readouterr().err


def test_other_versions_of_the_tools_are_refused(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tree(out)
    with monkeypatch.context() as patch:
        patch.setattr(generator.parser, "GENERATOR_PIN", "0.29.2")
        assert main([*MINI_OPTIONS, "--out", str(out)]) == 1
    assert "openapi-python-client: version 0.29.1 is installed" in capsys.readouterr().err
    monkeypatch.setattr(generator.output, "RUFF_PIN", "0.0.1")
    assert main([*MINI_OPTIONS, "--out", str(out)]) == 1
    assert "ruff: version" in capsys.readouterr().err
    assert tree(out) == before


def test_output_that_ruff_cannot_read_is_refused() -> None:
    with pytest.raises(GenerationError, match="ruff"):
        generator.output.format_files({"a.py": "def (:\n"})


def test_a_spec_without_what_the_sdk_needs_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--spec", str(MINI), "--out", str(tmp_path / "client")]) == 1
    errors = capsys.readouterr().err
    assert "the operation channels/list is missing" in errors
    assert "the schema AppId" not in errors  # only what the handwritten layer imports
    assert "the schema BatchEvent is missing" in errors
    assert "the limit max_data_bytes (x-limit) is missing" in errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML or JSON"),
        ("a: 1\na: 2\n", "is not YAML or JSON"),
        ("[1]", "#: must be an object"),
        ("1: 2", "the key 1 must be a string"),
        ("a: 2024-01-01", "is no JSON value"),
        ("a: &x [*x]", "nested too deeply, or holds itself"),
        ("a: {b: 1}", "the keyword a is unknown"),
    ],
)
def test_a_broken_document(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(text)
    assert main(["--spec", str(spec), "--out", str(tmp_path / "client"), "--no-core"]) == 1
    assert message in capsys.readouterr().err


def test_a_spec_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--spec", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "client")]) == 1
    assert "none.yaml: cannot be read" in capsys.readouterr().err


def test_a_client_of_another_spec_can_be_imported(tmp_path: Path) -> None:
    with client(unchanged, tmp_path, "other_client") as other:
        assert other.Limits().max_tags == 3
