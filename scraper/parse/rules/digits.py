"""Digits of any script, as ASCII."""

from __future__ import annotations

import re
import unicodedata

_FOREIGN = re.compile(r"[^\D0-9]")
_WIDE = str.maketrans("．，：／－", ".,:/-")


def ascii_digits(text: str) -> str:
    """Return the text with decimal digits as 0 to 9, and full-width marks that stand between digits as ASCII."""
    if text.isascii():
        return text
    return _FOREIGN.sub(lambda digit: str(unicodedata.decimal(digit[0])), text.translate(_WIDE))
