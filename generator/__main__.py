"""The command: `python -m generator [--spec PATH] [--out PATH] [--docs PATH] [--no-core] [--check]`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .config import PACKAGE
from .document import load
from .errors import GenerationError, Problem
from .grammar import check_keywords
from .join import join
from .output import MANIFEST, differences, format_files, manifest, replace, replace_file
from .parser import parse
from .render import Renderer

SPEC = Path("spec/openapi.yaml")
OUT = Path("generated_client") / PACKAGE
DOCS = Path("docs/api.md")


def generate(spec: Path, *, core: bool, with_docs: bool) -> tuple[dict[str, str], str | None]:
    """Return the text of every file of the package, and that of the documentation."""
    root = load(spec)
    check_keywords(root)
    parsed = parse(root)
    renderer = Renderer(parsed, join(root, parsed, core=core))
    files = format_files(renderer.files())
    docs = renderer.docs() if with_docs else None
    files[MANIFEST] = manifest(spec.read_bytes(), files, docs)
    return files, docs


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate, or check that generating would change nothing. Return the exit status."""
    options = _parser().parse_args(arguments)
    out: Path = options.out
    docs_path: Path | None = options.docs or (DOCS if out.resolve() == OUT.resolve() else None)
    try:
        files, docs = generate(options.spec, core=options.core, with_docs=docs_path is not None)
        if options.check:
            problems = differences(out, files, docs_path, docs)
            if problems:
                raise GenerationError([*problems, Problem("", "run make generate, and commit what it changes")])
        else:
            replace(out, files)
            if docs_path is not None and docs is not None:
                replace_file(docs_path, docs)
    except GenerationError as error:
        for problem in error.problems:
            sys.stderr.write(f"generator: {problem}\n")
        return 1
    sys.stdout.write(f"{len(files)} files in {out} {'are up to date' if options.check else 'generated'}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m generator", description="Generate the typed client from the spec.")
    parser.add_argument("--spec", type=Path, default=SPEC, help=f"the OpenAPI document (default: {SPEC})")
    parser.add_argument("--out", type=Path, default=OUT, help=f"the folder of the package (default: {OUT})")
    parser.add_argument("--docs", type=Path, help=f"the index of methods (default: {DOCS}, with the default folder)")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if generating would change anything")
    parser.add_argument(
        "--no-core",
        dest="core",
        action="store_false",
        help="accept a spec without the operations and schemas that the SDK needs",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
