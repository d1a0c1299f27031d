"""Patterns mean in Python what they mean in ECMA-262."""

from __future__ import annotations

import re
import warnings

import pytest

from generator.patterns import PatternError, to_python


def matches(pattern: str, text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # such as "Possible nested set"
        return re.compile(to_python(pattern), re.ASCII).fullmatch(text) is not None


@pytest.mark.parametrize(
    ("pattern", "accepted", "refused"),
    [
        ("^[-a-z_=@,.;]+$", ["a-b", "=@,.;"], ["", "a\n", "A", "a b", "ü"]),
        (r"^\d+\.\d+$", ["1.2"], ["1x2", "1.2\n", "١.٢", "1."]),
        (r"^\w$", ["a", "_"], ["é", "-"]),
        (r"^\D\W$", ["é!"], ["1!", "éa"]),
        ("^a.c$", ["abc", "a.c", "aéc"], ["a\nc", "a\rc", "a\u2028c", "ac"]),
        ("^a|b$", ["a", "axx", "b", "xxb"], ["xa", "bx"]),
        ("^a$|^b$", ["a", "b"], ["ab", "a\n"]),
        ("^(a|b)?c{2,3}?$", ["cc", "accc"], ["c", "abcc"]),
        ("abc", ["abc", "xabcx", "\nabc\n"], ["ab"]),
        ("^presence-", ["presence-", "presence-x\ny"], ["xpresence-"]),
        ("", ["", "x"], []),
        ("^[-[&&~~||]+$", ["[", "&", "~", "|", "-"], ["a"]),
        (r"^[\]\\^$]+$", ["]", "\\", "^", "$"], ["a"]),
        (r"^[^a-c\d]$", ["d"], ["a", "1"]),
        (r"^[\b]$", ["\b"], ["b"]),
        (r"^[a\-z]+$", ["a-z"], ["b"]),
        (r"^[a-]+$", ["a-"], ["b"]),
        (r"^\x41\u00e9\t\0$", ["Aé\t\0"], ["A"]),
        (r"^\/\.\*\{\}$", ["/.*{}"], ["/"]),
        ("^(?:ab)+(?=c)c(?!d)$", ["ababc"], ["abd"]),
        ("^#a b$", ["#a b"], ["a"]),
    ],
)
def test_the_meaning_is_kept(pattern: str, accepted: list[str], refused: list[str]) -> None:
    assert [text for text in accepted if not matches(pattern, text)] == []
    assert [text for text in refused if matches(pattern, text)] == []


@pytest.mark.parametrize(
    "pattern",
    [
        "^a$b", "^(a$)$", "a^b", "a**", "a{,2}", "a{2", "(?<n>a)", "(?i:a)", "(a", "a)", "[a", "[]", "[b-a]", r"[\d-z]",
        r"\s", r"\b", r"\1", r"\p{L}", r"\k<n>", r"\x4", r"\uD8", r"\u{61}", r"\01", "\\", "+", "a++", "]", "}",
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        to_python(pattern)
