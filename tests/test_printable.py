import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.printable import printable

BIDI = {chr(code) for code in range(sys.maxunicode + 1) if unicodedata.bidirectional(chr(code)) in
        {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}} | {"\u061c", "\u200e", "\u200f"}  # fmt: skip
CONTROL = {
    chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in {"Cc", "Zl", "Zp", "Cs"}
}
HARMFUL = st.text(st.sampled_from(sorted(BIDI | CONTROL)) | st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("Grüße, 世界 👩‍👩‍👧", "Grüße, 世界 👩‍👩‍👧"),
        ("\x1b[2J\x1b]0;owned\x07", "␛[2J␛]0;owned␇"),
        ("\x1b]8;;https://x.example\x1b\\here", "␛]8;;https://x.example␛\\here"),
        ("\x9b31m red", "\\x9b31m red"),
        ("a\x00b\x7f", "a␀b\\x7f"),
        ("exe.\u202egnp", "exe.\\u202egnp"),
        ("\u2066hidden\u2069", "\\u2066hidden\\u2069"),
        ("line\u2028line", "line\\u2028line"),
        ("ok\r\nERROR forged", "ok␍␊ERROR forged"),
        ("half \ud800", "half \\ud800"),
    ],
    ids=[
        "plain",
        "empty",
        "letters",
        "csi-osc",
        "osc8",
        "c1",
        "nul-del",
        "override",
        "isolate",
        "u2028",
        "crlf",
        "lone",
    ],
)
def test_what_could_do_harm_is_replaced_and_still_seen(text, shown):
    """Escapes, control and bidi characters are shown as pictures or escapes; every other character is left alone."""
    assert printable(text) == shown


def test_lines_and_tabs_are_kept_where_they_may_stand():
    """Text of several lines keeps LF and TAB, and nothing else of what could do harm."""
    assert printable("a\tb\nc\rd\x1b", one_line=False) == "a\tb\nc␍d␛"


@given(HARMFUL, st.booleans())
def test_nothing_harmful_comes_through(text, one_line):
    """Whatever goes in: no control, bidi or separator character and no surrogate comes out, and once is enough."""
    shown = printable(text, one_line=one_line)
    assert not set(shown) & (BIDI | CONTROL) - (set() if one_line else {"\n", "\t"})
    assert printable(shown, one_line=one_line) == shown
    shown.encode("utf-8")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])).filter(lambda text: not set(text) & BIDI))
def test_harmless_text_is_unchanged(text):
    """Text without such characters comes out as it went in."""
    assert printable(text) == text
