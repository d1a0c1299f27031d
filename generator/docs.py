"""Docstrings from the spec's texts."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

from openapi_python_client.strings import safe_for_docstring

WIDTH = 120


def paragraphs(text: str, width: int) -> list[str]:
    """Fill each paragraph of a text; items of a list begin new lines."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if lines:
            lines.append("")
        for part in re.split(r"\n(?=\s*(?:[-*]|[0-9]+\.)\s)", paragraph):
            lines += textwrap.wrap(" ".join(part.split()), width, break_long_words=False, break_on_hyphens=False)
    return lines


def section(title: str, entries: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Lay out a section such as `Args:`: a name and a text for each entry."""
    lines: list[str] = []
    for name, text in entries:
        filled = paragraphs(f"{name}: {text or 'The API description says nothing about it.'}", width - 8)
        lines += [f"    {filled[0]}", *(f"        {line}" if line else "" for line in filled[1:])]
    return ["", f"{title}:", *lines] if lines else []


def docstring(lines: Iterable[str], indent: int) -> str:
    """Return a docstring literal. Its lines are escaped, so that no text of the spec can end it."""
    escaped = [str(safe_for_docstring(line)).rstrip() for line in lines]
    while escaped and not escaped[-1]:
        escaped.pop()
    if len(escaped) == 1 and not escaped[0].endswith('"') and indent + len(escaped[0]) <= WIDTH - 6:
        return f'"""{escaped[0]}"""'
    margin = " " * indent
    body = "\n".join(f"{margin}{line}" if line else "" for line in escaped)
    return f'"""{body.lstrip()}\n{margin}"""'


def sentence(text: str) -> str:
    """Put a full stop behind a text that has none."""
    text = text.rstrip()
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."


def ruled(description: str, rule: str) -> str:
    """Join a description with the rules that the checks enforce, unless it says them itself."""
    text = sentence(" ".join(description.split()))
    if rule and rule.lower() not in text.lower():
        text = f"{text} {sentence(rule[0].upper() + rule[1:])}"
    return text.lstrip()


def see(url: str) -> list[str]:
    """Return the last lines of a docstring: where the provider documents it."""
    return ["", f"See {url}"] if url else []
