"""The fields of a rule as they are written, each checked.

A field is a selector, a list of them, or a table with these keys:

select    a selector, or a list of which the first that gives something counts
type      text (in HTML, if nothing is said), html, number, integer, url, date, bool, json: see `kinds.py`
all       true: a list of every match, else the first match, null if there is none
default   what it is when nothing is found or what is found is no value of its type; of that type itself
required  true: a record in which it is empty is dropped
regex     searched in the text before it becomes a value: its first group, else the whole match
format    of a date: how it is written, as for strptime; or a list of such
decimal   of a number: its decimal mark, "." or ","
fields    fields of a record within the record: `select` is optional then; only `all` and `required` may stand beside
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from scraper.parse.rules.dates import bad_format, read_date
from scraper.parse.rules.kinds import KINDS, json_value
from scraper.parse.rules.language import Languages
from scraper.parse.rules.match import expression_of
from scraper.parse.rules.mistakes import Mistakes, nearest
from scraper.parse.rules.places import Path
from scraper.parse.rules.rule import Field, Selector

DEEPEST = 8  # levels of records within records
_NESTED_KEYS = ("select", "all", "required", "fields")
_KEYS = ("select", "type", "all", "default", "required", "regex", "format", "decimal", "fields")
_HINTS = {
    "attr": 'write it in the selector: select = "css::attr(name)"',
    "each": "write select, with all = true",
    "css": "write select",
    "path": "write select",
}


def read_fields(table: object, path: Path, languages: Languages, depth: int = 1) -> tuple[Field, ...]:
    """Read the fields of a rule, or of a record within its records; what is wrong is added to the mistakes."""
    mistakes = languages.mistakes
    if not isinstance(table, dict):
        mistakes.add(path, f"fields must be a table, as below [rule.fields], not {table!r}")
        return ()
    if not table:
        mistakes.add(path, 'there are no fields; write one, as in title = "h1"')
    if depth > DEEPEST:
        mistakes.add(path, f"records within records go {DEEPEST} levels deep at most")
        return ()
    return tuple(_field(name, value, (*path, name), languages, depth) for name, value in table.items())


def _field(name: str, value: object, path: Path, languages: Languages, depth: int) -> Field:
    mistakes = languages.mistakes
    if not isinstance(value, dict):
        if not isinstance(value, (str, list)):
            mistakes.add(path, f"a field is a selector or a table with select, not {value!r}")
            return Field(name, ())
        return Field(name, languages.selectors(value, path, "select"))
    known = _NESTED_KEYS if "fields" in value else _KEYS
    for key in value:
        if key not in _KEYS:
            mistakes.unknown(path, key, known, _HINTS.get(key))
        elif key not in known:
            mistakes.add((*path, key), f"{key} and fields exclude each other: a record within a record has no {key}")
    if "fields" in value:
        return _nested(name, value, path, languages, depth)
    return _leaf(name, value, path, languages)


def _nested(name: str, table: dict[str, Any], path: Path, languages: Languages, depth: int) -> Field:
    mistakes = languages.mistakes
    many = _flag(table, "all", path, mistakes)
    selectors: tuple[Selector, ...] = ()
    if "select" in table:
        selectors = languages.elements(table["select"], (*path, "select"), "select")
    elif many:
        mistakes.add((*path, "all"), "all needs select: a record for each match of what?")
    fields = read_fields(table["fields"], (*path, "fields"), languages, depth + 1)
    return Field(name, selectors, all=many, required=_flag(table, "required", path, mistakes), fields=fields)


def _leaf(name: str, table: dict[str, Any], path: Path, languages: Languages) -> Field:
    mistakes = languages.mistakes
    selectors: tuple[Selector, ...] = ()
    kind = _kind(table, path, mistakes)
    if "select" in table:
        selectors = languages.selectors(table["select"], (*path, "select"), "select", text=kind != "html")
    elif all(key in _KEYS for key in table):  # else it is there, under another name
        mistakes.add(path, 'it needs a selector, as in select = "h1"')
    many, required = _flag(table, "all", path, mistakes), _flag(table, "required", path, mistakes)
    if required and "default" in table:
        mistakes.add((*path, "default"), "default and required exclude each other: with a default it is never empty")
    formats = _formats(table, kind, path, mistakes)
    return Field(
        name,
        selectors,
        kind,
        many,
        _default(table, kind, (*path, "default"), mistakes, many=many) if "default" in table else None,
        required,
        _regex(table, path, mistakes),
        formats,
        _decimal(table, kind, path, mistakes),
    )


def _kind(table: dict[str, Any], path: Path, mistakes: Mistakes) -> str | None:
    kind = table.get("type")
    if kind is None or kind in KINDS:
        return kind
    if isinstance(kind, str):
        likely = nearest(kind, KINDS)
        meant = f'did you mean "{likely}"?' if likely else f"known are {', '.join(KINDS)}"
        mistakes.add((*path, "type"), f'"{kind}" is no type; {meant}')
    else:
        mistakes.add((*path, "type"), f'type must be a text, as in type = "number", not {kind!r}')
    return None


def _flag(table: dict[str, Any], key: str, path: Path, mistakes: Mistakes) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        mistakes.add((*path, key), f"{key} must be true or false, not {value!r}")
    return value is True


def _regex(table: dict[str, Any], path: Path, mistakes: Mistakes) -> re.Pattern[str] | None:
    given = table.get("regex")
    if given is None:
        return None
    if not isinstance(given, str):
        mistakes.add((*path, "regex"), f"regex must be a text, not {given!r}")
        return None
    try:
        return expression_of(given)
    except ValueError as error:
        mistakes.add((*path, "regex"), f"regex {error}")
        return None


def _formats(table: dict[str, Any], kind: str | None, path: Path, mistakes: Mistakes) -> tuple[str, ...]:
    given = table.get("format", [])
    many = given if isinstance(given, list) else [given]
    if "format" in table and kind != "date":
        mistakes.add((*path, "format"), 'format is for dates; write type = "date" too')
        return ()
    if "format" in table and not many:
        mistakes.add((*path, "format"), "format is an empty list")
    for position, one in enumerate(many):
        place = (*path, "format", position) if isinstance(given, list) else (*path, "format")
        wrong = bad_format(one) if isinstance(one, str) else f'must be a text, as in "%d/%m/%Y", not {one!r}'
        if wrong:
            mistakes.add(place, f"format {wrong}")
    return tuple(one for one in many if isinstance(one, str))


def _decimal(table: dict[str, Any], kind: str | None, path: Path, mistakes: Mistakes) -> str | None:
    given = table.get("decimal")
    if given is None:
        return None
    if not isinstance(given, str) or given not in {".", ","}:
        mistakes.add((*path, "decimal"), f'decimal is the decimal mark, "." or ",", not {given!r}')
        return None
    if kind not in {"number", "integer"}:
        mistakes.add((*path, "decimal"), 'decimal is for numbers; write type = "number" too')
    return given


def _default(table: dict[str, Any], kind: str | None, path: Path, mistakes: Mistakes, *, many: bool) -> Any:  # noqa: ANN401
    """A default as the value it stands for."""
    given = table["default"]
    if many and not isinstance(given, list):
        mistakes.add(path, f"default must be a list, since all = true, not {given!r}")
        return None
    values = [_plain_default(one, kind) for one in given] if many else _plain_default(given, kind)
    wrong = [one for one, value in zip(given, values, strict=True) if value is None] if many else [given]
    if wrong and (many or values is None):
        mistakes.add(path, f"default must be {_expected(kind)}, not {wrong[0]!r}")
        return None
    return values


def _plain_default(given: object, kind: str | None) -> Any:  # noqa: ANN401
    """The default as a record's value; None if it is of another type."""
    if kind is None or kind == "json":
        return _json_default(given, kind)
    if kind == "date":
        moment = given.isoformat() if isinstance(given, dt.date) else given
        return read_date(moment) if isinstance(moment, str) else None
    if kind == "number":
        return json_value(float(given)) if isinstance(given, (int, float)) and not isinstance(given, bool) else None
    types = {"integer": int, "bool": bool}
    if type(given) is not types.get(kind, str):
        return None
    return json_value(given)


def _json_default(given: object, kind: str | None) -> Any:  # noqa: ANN401
    try:
        return json_value(given) if kind == "json" or isinstance(given, (str, int, float)) else None
    except ValueError:
        return None


def _expected(kind: str | None) -> str:
    known = {
        "number": "a number",
        "integer": "a whole number of 64 bits",
        "bool": "true or false",
        "date": 'a date, as in "2024-03-12"',
        "json": "a value that JSON knows",
        None: "a text, a number, true or false",
    }
    return known.get(kind, "a text")
