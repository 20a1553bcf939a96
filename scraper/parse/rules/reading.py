"""A rules file becomes rules, all of it checked: every mistake is told, with its line, before anything is fetched."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from scraper.parse.rules.fields import read_fields
from scraper.parse.rules.language import Languages
from scraper.parse.rules.match import pattern
from scraper.parse.rules.mistakes import Mistakes, syntax_error
from scraper.parse.rules.places import Path, find_places
from scraper.parse.rules.rule import Rule, Selector

_KEYS = ("name", "match", "each", "document", "fields", "follow", "max_age")
_AGE = re.compile(r"(\d{1,6}(?:\.\d+)?)\s*([smhdw])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}  # seconds
_FOLLOW_KEYS = ("select",)


def read_rules(text: str, source: str) -> tuple[Rule, ...]:
    """Return the rules of a TOML text; `source` is the name by which messages call it.

    Raises ConfigError for whatever is wrong, one line each: `shop.toml:12: rule "book", field "price": …`.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        table = tomllib.loads(text)
        places = find_places(text)
    except tomllib.TOMLDecodeError as error:
        raise syntax_error(source, text, error) from None
    except RecursionError:
        raise syntax_error(source, text, ValueError("nested too deep")) from None
    tables = table.get("rule", [])
    if isinstance(tables, dict):  # `[rule]` can only mean the one
        tables = [tables]
        places = {("rule", 0, *path[1:]) if path[0] == "rule" else path: line for path, line in places.items()}
    is_list = isinstance(tables, list) and all(isinstance(one, dict) for one in tables)
    names = [_name_of(one) for one in tables] if is_list else []
    mistakes = Mistakes(source, places, names)
    for key in table:
        if key != "rule":
            mistakes.unknown((), key, ("rule",), "a rule begins with [[rule]]")
    if not is_list:
        mistakes.add(("rule",), "a rule is a table, which begins with [[rule]]")
        mistakes.raise_any()
    elif not tables and len(table) == len(table.keys() & {"rule"}):
        mistakes.add((), "there is no rule; a rule begins with [[rule]]")
    rules = [_rule(one, ("rule", index), mistakes) for index, one in enumerate(tables)]
    _check_names(names, mistakes)
    mistakes.raise_any()
    return tuple(rules)


def _name_of(table: dict[str, Any]) -> str | None:
    name = table.get("name")
    return name if isinstance(name, str) and name.strip() else None


def _check_names(names: list[str | None], mistakes: Mistakes) -> None:
    for index, name in enumerate(names):
        first = names.index(name)
        if name is not None and first < index:
            line = mistakes.line(("rule", first, "name"))
            mistakes.add(("rule", index, "name"), f"another rule has this name, in line {line}; each needs its own")


def _rule(table: dict[str, Any], path: Path, mistakes: Mistakes) -> Rule:
    for key in table:
        if key not in _KEYS:
            mistakes.unknown(path, key, _KEYS)
    _check_name(table, path, mistakes)
    languages = Languages(mistakes, _document(table, path, mistakes))
    each = _each(table, path, languages)
    fields = read_fields(table["fields"], (*path, "fields"), languages) if "fields" in table else ()
    follow = _follow(table, path, languages)
    max_age = _max_age(table, path, mistakes)
    if "fields" not in table and "follow" not in table and max_age is None:
        mistakes.add(path, "it has no fields; write them below [rule.fields]")
    html, json = languages.decide()
    return Rule(table.get("name", ""), _match(table, path, mistakes), each, fields, follow, html, json, max_age)


def _max_age(table: dict[str, Any], path: Path, mistakes: Mistakes) -> float | None:
    given = table.get("max_age")
    if given is None:
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool) and given >= 0:
        return float(given)
    match = _AGE.fullmatch(given) if isinstance(given, str) else None
    if match is None:
        mistakes.add((*path, "max_age"), f'max_age must be seconds or a text such as "12h" or "7d", not {given!r}')
        return None
    return float(match[1]) * _UNITS[match[2]]


def _check_name(table: dict[str, Any], path: Path, mistakes: Mistakes) -> None:
    if "name" not in table:
        mistakes.add(path, 'it needs a name, as in name = "book"')
    elif _name_of(table) is None:
        mistakes.add((*path, "name"), f"name must be a text that is not empty, not {table['name']!r}")


def _document(table: dict[str, Any], path: Path, mistakes: Mistakes) -> str | None:
    document = table.get("document")
    if document is None or (isinstance(document, str) and document in {"html", "json"}):
        return document
    mistakes.add((*path, "document"), f'document must be "html" or "json", not {document!r}')
    return None


def _match(table: dict[str, Any], path: Path, mistakes: Mistakes) -> tuple[re.Pattern[str], ...]:
    given = table.get("match", [])
    many = given if isinstance(given, list) else [given]
    if "match" in table and not many:
        mistakes.add((*path, "match"), "match is an empty list, which no page matches; leave it out for every page")
    patterns = []
    for position, one in enumerate(many):
        place = (*path, "match", position) if isinstance(given, list) else (*path, "match")
        if not isinstance(one, str):
            mistakes.add(place, f"match must be a text, or a list of texts, not {one!r}")
            continue
        try:
            patterns.append(pattern(one))
        except ValueError as error:
            mistakes.add(place, f"match {error}")
    return tuple(patterns)


def _each(table: dict[str, Any], path: Path, languages: Languages) -> Selector | None:
    each = table.get("each")
    if each is None:
        return None
    if not isinstance(each, str):
        languages.mistakes.add((*path, "each"), f"each must be a text, not {each!r}")
        return None
    return languages.elements(each, (*path, "each"), "each")[0]


def _follow(table: dict[str, Any], path: Path, languages: Languages) -> tuple[Selector, ...]:
    follow = table.get("follow")
    place = (*path, "follow")
    if isinstance(follow, dict):
        for key in follow:
            if key not in _FOLLOW_KEYS:
                languages.mistakes.unknown(place, key, _FOLLOW_KEYS)
        if "select" not in follow and all(key in _FOLLOW_KEYS for key in follow):
            languages.mistakes.add(place, 'follow needs a selector, as in select = "li.next a"')
        if "select" not in follow:
            return ()
        follow, place = follow["select"], (*place, "select")
    return () if follow is None else languages.selectors(follow, place, "follow", text=False)
