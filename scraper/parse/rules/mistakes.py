"""What is wrong with a rules file: each mistake with its file, line, rule and field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from scraper.errors import ConfigError
from scraper.parse.rules.places import Path

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_RULE = re.compile(r"\s*\[\[?\s*rule\s*\]\]?")
_NAME = re.compile(r"\s*name\s*=\s*([\"'])(.+?)\1")
_TABLE = re.compile(r"\s*\[[^\[\]]*\.fields(?:\.([^\[\]]+))?\]")
_OTHER_TABLE = re.compile(r"\s*\[")
_KEY = re.compile(r"\s*([\w-]+|\"[^\"\n]*\"|'[^'\n]*')\s*[=.]")


class Mistakes:
    """Collects mistakes by the path at which they stand, in lines as `shop.toml:12: rule "book", field "price": …`."""

    def __init__(self, source: str, places: Mapping[Path, int], names: Iterable[str | None]) -> None:
        self._source = source
        self._places = places
        self._names = tuple(names)  # of the rules, in order
        self._found: list[tuple[int, str]] = []

    def add(self, path: Path, text: str) -> None:
        """Take down what is wrong with what stands at a path."""
        line = self.line(path)
        self._found.append((line, f"{self._source}:{line}: {self._whose(path)}{text}"))

    def line(self, path: Path) -> int:
        """The line of a path, or of the table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._places:
                return self._places[path[:length]]
        return 1

    def unknown(self, path: Path, key: str, known: Iterable[str], hint: str | None = None) -> None:
        """Take down a key that is none, with the one that was probably meant."""
        known = tuple(known)
        likely = nearest(key, known)
        meant = hint or (f'did you mean "{likely}"?' if likely else f"known here: {', '.join(known)}")
        self.add((*path, key), f'unknown key "{key}"; {meant}')

    def raise_any(self) -> None:
        """Raise ConfigError if there are mistakes: all of them, in the order of their lines."""
        if self._found:
            self._found.sort(key=lambda one: one[0])
            raise ConfigError("\n".join(dict.fromkeys(text for _, text in self._found)))

    def _whose(self, path: Path) -> str:
        if len(path) < 2 or path[0] != "rule":
            return ""
        index = path[1]
        assert isinstance(index, int)
        whose = label(index, self._names[index])
        name = field_name(path[2:])
        return f'{whose}, field "{name}": ' if name else f"{whose}: "


def label(index: int, name: str | None) -> str:
    """How a rule is called in a message: by its name, or its number in the file if it has none."""
    return f'rule "{name}"' if name else f"rule {index + 1}"


def field_name(path: Path) -> str:
    """The field that a path below a rule leads to, `author.name` for one within another; empty if none."""
    names = []
    while len(path) > 1 and path[0] == "fields":
        names.append(str(path[1]))
        path = path[2:]
    return ".".join(names)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name.lower().replace("-", "_"), known, n=1)), None)


def syntax_error(source: str, text: str, error: Exception) -> ConfigError:
    """What tomllib says of a text that is no TOML, with the rule and the field that its line belongs to."""
    message = str(error)
    place: Any = _PLACE.search(message)
    lines = text.split("\n")
    line = int(place[1]) if place and place[1] else text.rstrip("\n").count("\n") + 1
    column = f", column {place[2]}" if place and place[2] else ""
    whose = _surroundings(lines[:line])
    return ConfigError(f"{source}:{line}: {whose}not TOML: {_PLACE.sub('', message)}{column}")


def _surroundings(lines: list[str]) -> str:
    """The rule and the field in which the last of these lines stands, as well as a broken text lets it be seen."""
    index, name, fields = -1, None, None
    for line in lines:
        if _RULE.match(line):
            index, name, fields = index + 1, None, None
        elif table := _TABLE.match(line):
            fields = table[1] or ""
        elif _OTHER_TABLE.match(line):
            fields = None
        elif fields is None and (named := _NAME.match(line)):
            name = named[2]
    if index < 0:
        return ""
    key = _KEY.match(lines[-1])
    field = fields or (key[1].strip("\"'") if key and fields is not None else None)
    return f'{label(index, name)}, field "{field}": ' if field else f"{label(index, name)}: "
