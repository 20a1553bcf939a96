r"""JSON as sites write it: the values of a text that means JSON, though a strict reader would refuse it.

Read besides JSON itself (RFC 8259) is what JavaScript reads in the same way, and what can only have been meant so:
byte order marks, white space of any kind, comments, `<!-- -->` and `<![CDATA[ ]]>` around it, an assignment in front,
several values in a row (with commas or semicolons between them or without), commas before a closing bracket, names
without quotes, single quotes, raw control characters in strings, escapes that JSON does not know (`\'`, `\x41`), NaN,
Infinity and undefined (null, as JavaScript writes them), and a text all of whose quotes are `&quot;`. Not read is what
would have to be guessed: quotes within strings, missing commas and brackets, names of variables. Nothing is executed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import unescape
from math import isfinite
from typing import Any

from scraper.parse.plain import LARGEST, clean

LONGEST = 5_000_000  # characters of a text
LONGEST_BROKEN = 500_000  # characters of one that has to be mended, which takes ten times as long
MOST_BROKEN = 1_000_000  # characters of those on one page
MOST_DEPTH = 100  # arrays and objects within each other

_ASSIGNED = re.compile(
    r"[\s\ufeff;]*+(?:(?:var|let|const)\s++)?[A-Za-z_$][\w$]*+(?:\.[\w$]++|\[['\"\w$-]++\])*+\s*+=\s*+(?=[\[{])"
)
_ENTITIES = re.compile(r"[\s\[{]*+&(?:quot|#34|#x22);", re.IGNORECASE)
_TOKEN = re.compile(
    r"""(?P<skip>(?:[\s\ufeff]++|(?://|/\*)?+\s*+(?:<!\[CDATA\[|\]\]>)(?:\s*+\*/)?+|//[^\n\r]*+|/\*.*?\*/|<!--|-->)++)
    |(?P<string>"(?:[^"\\]++|\\.)*+"|'(?:[^'\\]++|\\.)*+')
    |(?P<mark>[][{}:,;])
    |(?P<number>-?+(?:\d[\d.eE+-]*+|Infinity\b))
    |(?P<word>[^\W\d][\w$]*+|\$[\w$]*+)""",
    re.DOTALL | re.VERBOSE,
)
_NULLS = frozenset({"NaN", "Infinity", "-Infinity", "undefined"})
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|\r\n|.)|\"", re.DOTALL)


def tolerant(text: str) -> list[Any]:
    """Return the values that stand in a text, most often one; without NUL and lone surrogates, as `clean` says.

    Numbers are those of JavaScript: a whole one beyond 64 bits is a float, one beyond all bounds None. Raises
    ValueError for a text that cannot be read, is longer than LONGEST (LONGEST_BROKEN, if it is no strict JSON), or has
    more than MOST_DEPTH levels.
    """
    return _read(text, LONGEST_BROKEN)[0]


def _read(text: str, longest_broken: int) -> tuple[list[Any], bool]:
    """Return the values of a text, and whether it had to be mended."""
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    mended = False
    try:
        values = [_loads(text)]
    except RecursionError:
        raise ValueError(f"more than {MOST_DEPTH} levels") from None
    except ValueError:
        if len(text) > longest_broken:
            raise ValueError(f"no strict JSON, and longer than {longest_broken} characters") from None
        if _ENTITIES.match(text):
            text = unescape(text)
        values, mended = _loads(_mended(text)), True
    return [_cleaned(value, MOST_DEPTH) for value in values], mended


def objects(texts: Iterable[str]) -> tuple[list[dict[str, Any]], int]:
    """Return the objects in texts, those of an array each, and how many texts held anything else or could not be read.

    Texts beyond LONGEST characters in all are not read, those that are no strict JSON not beyond MOST_BROKEN.
    """
    found: list[dict[str, Any]] = []
    bad = 0
    left, mendable = LONGEST, MOST_BROKEN
    for text in texts:
        left -= len(text)
        mended = True
        values: list[Any] = [None]
        try:
            if left >= 0:
                values, mended = _read(text, min(mendable, LONGEST_BROKEN))
        except ValueError:
            pass  # counted below
        mendable -= len(text) if mended else 0
        parts = [part for value in values for part in (value if type(value) is list else [value])]
        found.extend(part for part in parts if type(part) is dict)
        bad += any(type(part) is not dict for part in parts)
    return found, bad


def _loads(text: str) -> Any:  # noqa: ANN401 (JSON has no type)
    return json.loads(text, strict=False, parse_int=_whole, parse_float=_fraction, parse_constant=_nothing)


def _mended(text: str) -> str:
    """Return the strict JSON of an array of the values that stand in a text."""
    found, depth = ["["], 0
    assigned = _ASSIGNED.match(text)
    at = assigned.end() if assigned else 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"no JSON at character {at}")
        kind, piece, at = token.lastgroup, token.group(), token.end()
        if kind == "skip" or (depth == 0 and piece in {",", ";"}):
            continue
        if piece in {"]", "}"}:
            depth -= 1
            if depth < 0:
                raise ValueError(f"a bracket closes nothing at character {at - 1}")
            if found[-1] == "," and found[-2] not in {"[", "{", ","}:
                found.pop()
        found.append(_strict(kind, piece, text, at))
        if piece in {"[", "{"}:
            depth += 1
            if depth > MOST_DEPTH:
                raise ValueError(f"more than {MOST_DEPTH} levels")
        if depth == 0:
            found.append(",")
    if depth:
        raise ValueError("a bracket is not closed")
    if len(found) == 1:
        raise ValueError("nothing in it")
    found[-1] = "]"
    return " ".join(found)


def _strict(kind: str | None, piece: str, text: str, at: int) -> str:
    """Return a token as JSON has it; `at` is where it ends in the text."""
    if kind == "string":
        return f'"{_ESCAPE.sub(_escape, piece[1:-1])}"' if piece[0] == "'" or "\\" in piece else piece
    if piece in _NULLS:
        return "null" if not _is_name(text, at) else f'"{piece}"'
    if kind == "word" and (piece not in {"true", "false", "null"} or _is_name(text, at)):
        if not _is_name(text, at):
            raise ValueError(f"{piece[:40]!r} is no value, at character {at - len(piece)}")
        return f'"{piece}"'
    return piece


def _is_name(text: str, at: int) -> bool:
    """Does a colon follow?"""
    skipped = _TOKEN.match(text, at)
    if skipped is not None and skipped.lastgroup == "skip":
        at = skipped.end()
    return text.startswith(":", at)


def _escape(found: re.Match[str]) -> str:
    """Return an escape of JavaScript as JSON has it."""
    meant = found[1]
    if meant is None:
        return '\\"'  # a bare quote, between single ones
    if meant in '"\\/bfnrtu':
        return found[0]
    if meant[0] == "x" and len(meant) == 3:
        return f"\\u00{meant[1:]}"
    if meant in {"v", "0"}:
        return {"v": "\\u000b", "0": "\\u0000"}[meant]
    return "" if meant in {"\n", "\r", "\r\n", "\u2028", "\u2029"} else meant


def _cleaned(value: Any, levels: int) -> Any:  # noqa: ANN401
    kind = type(value)
    if kind is str:
        return clean(value)
    if kind is dict or kind is list:
        if not levels:
            raise ValueError(f"more than {MOST_DEPTH} levels")
        if kind is list:
            return [_cleaned(part, levels - 1) for part in value]
        return {clean(name): _cleaned(part, levels - 1) for name, part in value.items()}
    return value


def _whole(digits: str) -> float | None:
    if len(digits) < 19 or (len(digits) < 21 and -LARGEST <= int(digits) < LARGEST):
        return int(digits)
    return _fraction(digits)


def _fraction(digits: str) -> float | None:
    number = float(digits)
    return number if isfinite(number) else None


def _nothing(_name: str) -> None:
    return None
