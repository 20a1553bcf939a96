"""The types of a field: what a page says becomes a value of one, or a reason why not.

text      the text, without NUL and lone surrogates; of a JSON number or truth its JSON form
html      the element with its own tag
number    a float, see `numbers.py`
integer   a whole number of at most 64 bits
url       an absolute URL, its fragment kept
date      ISO 8601, see `dates.py`
bool      from a closed list, see `_TRUE` and `_FALSE`
json      what a text of JSON means (see `jsontext.py`), such as a script's; in a JSON document whatever stands there
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any, TypeAlias

from scraper import urls
from scraper.errors import UrlError
from scraper.parse.jsontext import tolerant
from scraper.parse.plain import LARGEST, clean
from scraper.parse.rules.dates import read_date
from scraper.parse.rules.numbers import number, whole_number
from scraper.parse.rules.rule import Field

LONGEST = 1_048_576  # characters of a text; what is beyond is cut
DEEPEST = 100  # levels of a JSON value
_SHOWN = 60  # characters of a page's text in a reason

# A value and None, or None and the reason why there is none.
Converted: TypeAlias = tuple[Any, str | None]

_TRUE = frozenset({"true", "yes", "y", "1", "on", "in stock", "instock", "available"})
_FALSE = frozenset({"false", "no", "n", "0", "off", "not available", "unavailable", "outofstock", "soldout"})
_STOCK = re.compile(r"(?:(?P<no>out of stock|not in stock|sold out)|in stock)(?:\s*[^\w\s].*)?", re.DOTALL)


def convert(kind: str, raw: object, field: Field, base: Callable[[], str]) -> Converted:
    """Return what was found as a value of that kind; `base` is asked for the URL that relative ones are joined to."""
    return _CONVERTERS[kind](raw, field, base)


def text_of(raw: object) -> str | None:
    """A text, or the JSON form of a number or truth; None for an object and a list."""
    if isinstance(raw, str):
        return str.__str__(raw)
    return None if isinstance(raw, (dict, list)) else json.dumps(raw)


def shown(raw: object) -> str:
    """What a page says, short enough for a sentence."""
    if isinstance(raw, (dict, list)):
        return "an object" if isinstance(raw, dict) else "a list"
    text = repr(str.__str__(raw)) if isinstance(raw, str) else json.dumps(raw)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def json_value(value: object, depth: int = DEEPEST) -> Any:  # noqa: ANN401 (JSON has no type)
    """Return a value read from JSON as every database takes it: texts clean, numbers within bounds, NaN as None.

    A whole number beyond 64 bits becomes a float, as in a browser. Raises ValueError for more than `depth` levels.
    """
    if isinstance(value, str):
        return clean(value)[:LONGEST]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _bounded(value)
    if not depth:
        raise ValueError(f"is nested more than {DEEPEST} levels deep")
    if isinstance(value, dict):
        return {clean(str(name)): json_value(part, depth - 1) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_value(part, depth - 1) for part in value]
    raise ValueError(f"is {type(value).__name__}, which JSON does not know")


def _bounded(value: float) -> float | None:
    if isinstance(value, int) and -LARGEST <= value < LARGEST:
        return value
    try:
        value = float(value)
    except OverflowError:
        return None
    return value if isfinite(value) else None


def _text(raw: object, _field: Field, _base: Callable[[], str]) -> Converted:
    text = text_of(raw)
    return (None, f"{shown(raw)} is no text; use type json") if text is None else (clean(text[:LONGEST]), None)


def _any(raw: object, _field: Field, _base: Callable[[], str]) -> Converted:
    try:
        return json_value(raw), None
    except ValueError as error:
        return None, f"what is there {error}"


def _json(raw: object, field: Field, base: Callable[[], str]) -> Converted:
    if not isinstance(raw, str):
        return _any(raw, field, base)
    try:
        values = tolerant(raw)
    except ValueError:
        return None, f"{shown(raw)} is no JSON"
    return _any(values[0] if len(values) == 1 else values, field, base)


def _number(raw: object, field: Field, _base: Callable[[], str]) -> Converted:
    if isinstance(raw, str):
        found = number(raw, field.decimal)
    else:
        value = None if isinstance(raw, bool) or not isinstance(raw, (int, float)) else _bounded(raw)
        found = None if value is None else float(value)
    return (None, f"{shown(raw)} is no number") if found is None else (found, None)


def _integer(raw: object, field: Field, _base: Callable[[], str]) -> Converted:
    if isinstance(raw, str):
        found = whole_number(raw, field.decimal)
    elif isinstance(raw, float):
        found = int(raw) if raw.is_integer() else None
    else:
        found = raw if isinstance(raw, int) and not isinstance(raw, bool) else None
    if found is None or not -LARGEST <= found < LARGEST:
        return None, f"{shown(raw)} is no whole number of 64 bits"
    return found, None


def _url(raw: object, _field: Field, base: Callable[[], str]) -> Converted:
    if not isinstance(raw, str):
        return None, f"{shown(raw)} is no URL"
    head, hash_mark, fragment = raw.strip().partition("#")
    try:
        url = urls.canonical(head, base())
        # What is canonical has no fragment; a record is more than a way to a page, so that it is put back.
        return clean(url + hash_mark + _encoded(fragment)), None
    except UrlError as error:
        return None, f"{shown(raw)} {error.why}"


def _encoded(fragment: str) -> str:
    from urllib.parse import quote

    return quote(fragment, safe="!#$%&'()*+,/:;=?@[]_.~-\\^{|}", errors="replace")


def _date(raw: object, field: Field, _base: Callable[[], str]) -> Converted:
    found = read_date(raw, field.formats) if isinstance(raw, str) else None
    if found is not None:
        return found, None
    asked = f"is no date of the format {' or '.join(field.formats)}" if field.formats else "is no date of one meaning"
    return None, f"{shown(raw)} {asked}"


def _bool(raw: object, _field: Field, _base: Callable[[], str]) -> Converted:
    if isinstance(raw, bool):
        return raw, None
    text = (text_of(raw) or "").strip().casefold().rpartition("schema.org/")[2]
    stock = _STOCK.fullmatch(text)
    if text in _TRUE or (stock and not stock["no"]):
        return True, None
    if text in _FALSE or stock:
        return False, None
    return None, f"{shown(raw)} is neither true nor false"


_CONVERTERS: dict[str, Callable[[object, Field, Callable[[], str]], Converted]] = {
    "any": _any,
    "text": _text,
    "html": _text,
    "number": _number,
    "integer": _integer,
    "url": _url,
    "date": _date,
    "bool": _bool,
    "json": _json,
}
KINDS = tuple(kind for kind in _CONVERTERS if kind != "any")
