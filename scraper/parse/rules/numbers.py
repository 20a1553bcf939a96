"""The first number in a text, as people write it: `1.234,56 €` and `$1,234.56` alike.

Where the marks between the digits leave a choice, it is made like this:

- two kinds of marks: the last is the decimal mark, the others stand between groups of three (`1 234,5`, `1'234.50`;
  Indian groups by commas too: `1,23,456.78`)
- one mark more than once: groups (`12.000.000`); where they are not of three digits it is no number (`1.2.3`)
- one comma: groups if three digits follow (`1,234`), else decimals (`3,5`, `0,123`, `1234,567`)
- one dot: decimals (`1.234` is 1.234, as programs and English write), unless a currency stands beside it in whose
  countries the dot groups (`1.234 €`), or a whole number is asked for and three digits follow
- `decimal`, the mark itself, decides all of these where it is known

A `-` counts where it stands right before the number or its currency, and not after a letter or a digit; brackets,
units and percent signs are no part of the number.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite

from scraper.parse.plain import LARGEST
from scraper.parse.rules.digits import ascii_digits

_CURRENCY = r"(?:[A-Z]{0,3}[$€£¥₹₺₽₩₫₴₪฿]|[A-Z]{3}|kr\.?|Rp\.?)"
_SPACE = r"[ \u00a0\u2007\u2009\u202f]"
_NUMBER = re.compile(
    rf"(?:(?<![\w)\]])(?P<sign>[-−–])(?:{_CURRENCY}{_SPACE}?)?|{_CURRENCY}{_SPACE}?(?P<inner>[-−–]))?"
    rf"(?P<number>(?:(?:\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)|\d+)(?:[.,٫٬]\d+|['’]\d{{3}}(?!\d))*"
    r"|(?<![\w.,])[.,]\d+)"
    r"(?:[eE][+-]?\d{1,3}(?!\w))?)"
)
_DOT_GROUPS = re.compile(r"€|R\$|₺|₫|\b(?:EUR|DKK|NOK|SEK|BRL|TRY|TL|VND|IDR|RON|lei|kr|Kč|Ft|Rp)\b")
_NEAR = 6  # characters before and after a number in which its currency stands
_MARKS = re.compile(r"[^\d]")
_SPACES = re.compile(_SPACE)


def number(text: str, decimal: str | None = None) -> float | None:
    """Return the first number in the text, None if there is none or it is beyond a float."""
    found = _first(text, decimal, whole=False)
    value = None if found is None else float(found)
    return value if value is not None and isfinite(value) else None


def whole_number(text: str, decimal: str | None = None) -> int | None:
    """Return the first number in the text if it is whole and fits 64 bits, else None."""
    found = _first(text, decimal, whole=True)
    if found is None:
        return None
    value = Decimal(found)
    if value.adjusted() > 19 or value != value.to_integral_value():
        return None
    return int(value) if -LARGEST <= value < LARGEST else None


def _first(text: str, decimal: str | None, *, whole: bool) -> str | None:
    """The first number in a form that float takes."""
    text = ascii_digits(text)
    match = _NUMBER.search(text)
    if match is None:
        return None
    digits, mark, power = match["number"].lower().partition("e")
    start, end = match.span("number")
    near = text[max(0, start - _NEAR) : start] + " " + text[end : end + _NEAR]
    dot_groups = whole or _DOT_GROUPS.search(near) is not None
    plain = _ungrouped(_SPACES.sub(" ", digits).replace("’", "'"), decimal, dot_groups=dot_groups)
    sign = "-" if match["sign"] or match["inner"] else ""
    return None if plain is None else f"{sign}{plain}{mark}{power}"


def _ungrouped(digits: str, decimal: str | None, *, dot_groups: bool) -> str | None:
    """The digits without marks between groups, and with a dot for decimals; None if they make no number."""
    if digits[0] in ".,":
        return f"0.{digits[1:]}" if digits[1:].isdecimal() and decimal in {None, digits[0]} else None
    marks = _MARKS.findall(digits)
    if not marks:
        return digits
    last = marks[-1]
    if _is_decimal(digits, marks, decimal, dot_groups=dot_groups):
        whole, _, rest = digits.rpartition(last)
    else:
        whole, rest = digits, ""
    groups = _MARKS.split(whole)
    marks = _MARKS.findall(whole)
    if len(set(marks)) > 1 or decimal in marks or not _are_groups(groups, whole):
        return None
    return f"{''.join(groups)}.{rest or '0'}"


def _is_decimal(digits: str, marks: list[str], decimal: str | None, *, dot_groups: bool) -> bool:
    """Is the last mark the decimal one?"""
    last = marks[-1]
    if last == "٫" or decimal is not None:
        return last in {decimal, "٫"}
    if last not in ".,":
        return False
    if len(marks) > 1:
        return marks.count(last) == 1
    whole, _, rest = digits.partition(last)
    could_group = len(rest) == 3 and len(whole) <= 3 and whole[0] != "0"
    return not (could_group and (last == "," or dot_groups))


def _are_groups(groups: list[str], whole: str) -> bool:
    if len(groups) == 1:
        return True
    if not 1 <= len(groups[0]) <= 3 or len(groups[-1]) != 3:
        return False
    middle = {len(group) for group in groups[1:-1]}
    return middle <= {3} or ("," in whole and middle == {2} and len(groups[0]) <= 2)
