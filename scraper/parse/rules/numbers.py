"""The first number in a text, as people write it: `1.234,56 €` and `$1,234.56` alike.

Where the marks between the digits leave a choice, it is made like this:

- two kinds of marks: the last is the decimal mark, the others stand between groups of three (`1 234,5`, `1'234.50`;
  Indian groups by commas too: `1,23,456.78`)
- one mark more than once: groups (`12.000.000`); where they are not of three digits it is no number (`1.2.3`)
- one comma: groups if three digits follow (`1,234`), else decimals (`3,5`, `0,123`, `1234,567`)
- one dot: decimals (`1.234` is 1.234, as programs and English write), also beside `$`, `£`, `CHF` and others of
  countries with a decimal dot, and beside dinars and rials of three decimals (`KWD 1.250`). It groups three digits
  beside a currency of a country with a decimal comma (`1.234 €`, `12.990 Ft`, `150.000đ`, `$ 9.990 CLP`), before a
  dash in place of decimals (`1.299,–`, `1.299:-`), and where a whole number is asked for
- a space that does not break: groups. A plain space may as well stand between two numbers (`iPhone 12 128 GB`): it
  groups beside a currency, where a 0 follows (`10 000`: no number of its own), and in a number that stands alone, but
  for one word behind it and a bracket or a label with a colon before it (`1 234 km`, `Distance: 1 234 km`)
- `decimal`, the mark itself, decides dots and commas where it is known

A currency counts before or behind the number, as sign, code or word, its codes and words in any case; but `ft` is a
foot and `Ft` a forint, and `all`, `mad` and `try` are words, in capitals currencies. A `$` alone is taken for one of
a decimal dot, though Chile groups by it.

A `-` counts where it stands right before the number or its currency, at the start or after white space or an opening
bracket, or between the two (`$-12`, `EUR-12`); `SKU-12` is 12. Brackets, units and percent signs are no part of the
number.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite

from scraper.parse.plain import LARGEST
from scraper.parse.rules.digits import ascii_digits

_SPACE = r"[ \u00a0\u2007\u2009\u202f]"
_DASH = "[-−–]"
_NUMBER = re.compile(
    rf"(?:(?:\d{{1,3}}(?:{_SPACE}\d{{3}})+(?!\d)|\d+)(?:[.,٫٬]\d+|['’]\d{{3}}(?!\d))*|(?<![\w.,])[.,]\d+)"
    r"(?:[eE][+-]?\d{1,3}(?!\w))?"
)
# Currencies of countries with a decimal comma: their prices have two decimals or none, so three digits are a group.
_COMMA_SIGNS = r"[€₺₫₲₡₽₴₸₼₾₭៛]|(?:AR|CLP?|COL?P?|R|UYU?)\$|\$U|U\$S"
_COMMA_CODES = (
    "EUR|DKK|NOK|SEK|ISK|HUF|CZK|PLN|RON|BGN|RSD|MKD|HRK|BAM|RUB|UAH|BYN|MDL|KZT|GEL|AZN|VND|IDR|BRL|ARS|CLP|COP|UYU|PYG"
    "|CRC|BOB|VES|DZD|XAF|XOF|AOA|MZN"
)
_COMMA_CAPITALS = "TRY|ALL|MAD"
_COMMA_WORDS = (
    "euros?|евро|kr|kroner|kronor|krónur|forint|kč|korun|zł|złotych|lei|leu|лв|лева|lv|din|dinara|дин|ден|kn|kuna|lek"
    "|руб|рублей|р|грн|tl|vnđ|vnð|đ|đồng|rp|gs|bs|fcfa|cfa"
)
_COMMA = rf"(?i:{_COMMA_CODES}|{_COMMA_WORDS})|{_COMMA_CAPITALS}|Ft"
_DOT_CODES = (
    "USD|GBP|JPY|CNY|CHF|CAD|AUD|NZD|INR|MXN|KRW|ILS|THB|SGD|HKD|TWD|MYR|ZAR|PEN|EGP|AED|SAR|PKR"
    "|KWD|BHD|OMR|TND|JOD|IQD|LYD"  # three decimals
)
_SIGN = rf"{_COMMA_SIGNS}|[A-Z]{{0,3}}[$£¥₹₩₪฿₱₦]"
_ANY = rf"(?:{_SIGN}|(?<![^\W\d_])(?:{_COMMA}|(?i:{_DOT_CODES}|rs|fr))\.?)"
_MINUS = re.compile(
    rf"(?:(?<![^\s(\[{{]){_DASH}(?:{_ANY}{_SPACE}?)?"
    rf"|(?:{_SIGN}|(?<![^\W\d_])(?:{_COMMA_CODES}|{_COMMA_CAPITALS}|{_DOT_CODES})){_DASH})\Z"
)
_WHOLE_PRICE = rf"{_SPACE}?[.,:][-−–—]{{1,2}}(?![\w()])"  # a dash in place of decimals, as in `1.299,–`
_NO_DECIMALS = re.compile(_WHOLE_PRICE)
_COMMA_BEFORE = re.compile(rf"(?:{_COMMA_SIGNS}|(?<![^\W\d_])(?:{_COMMA})\.?)[\s:($]{{0,3}}{_DASH}?\Z")
_COMMA_BEHIND = re.compile(rf"(?:{_WHOLE_PRICE})?{_SPACE}?\$?{_SPACE}?(?:{_COMMA_SIGNS}|(?:{_COMMA})(?![^\W\d_]))")
_ANY_BEFORE = re.compile(rf"{_ANY}[\s:($]{{0,3}}{_DASH}?\Z")
_ANY_BEHIND = re.compile(rf"(?:{_WHOLE_PRICE})?{_SPACE}?{_ANY}(?![^\W\d_])|{_WHOLE_PRICE}")
_NEAR = 14  # characters before a number in which its currency begins
_LABEL_BEFORE = re.compile(rf"(?:\A|[:(\[])\s{{0,3}}(?:{_DASH}|[~≈+])?\Z")
_WORD_BEHIND = re.compile(r"\s{0,3}[^\s()\[\]]*\s{0,3}(?:\Z|[)\]])")
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
    start, end = match.span()
    if " " in match[0] and not _is_one_number(text, start, end):
        end = text.index(" ", start)
    digits, mark, power = text[start:end].lower().partition("e")
    dot_groups = (
        whole
        or _NO_DECIMALS.match(text, end) is not None
        or _COMMA_BEHIND.match(text, end) is not None
        or _before(_COMMA_BEFORE, text, start)
    )
    plain = _ungrouped(_SPACES.sub(" ", digits).replace("’", "'"), decimal, dot_groups=dot_groups)
    sign = "-" if _before(_MINUS, text, start) else ""
    return None if plain is None else f"{sign}{plain}{mark}{power}"


def _before(pattern: re.Pattern[str], text: str, start: int) -> bool:
    """Does what the pattern describes end where the number starts?"""
    return pattern.search(text, max(0, start - _NEAR), start) is not None


def _is_one_number(text: str, start: int, end: int) -> bool:
    """Are the digits from start to end one number, though there are plain spaces between them?"""
    if len(set(_SPACES.findall(text, start, end))) > 1:
        return False  # the other kind is what groups
    if " 0" in text[start:end] or _ANY_BEHIND.match(text, end) or _before(_ANY_BEFORE, text, start):
        return True
    return _before(_LABEL_BEFORE, text, start) and _WORD_BEHIND.match(text, end) is not None


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
