"""Where in a TOML text each key stands: its line, by its path.

tomllib tells lines for errors only. A path is the keys that lead to a value, and the positions in arrays:
`("rule", 0, "fields", "price", "type")`.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]

_BLANK = re.compile(r"(?:\s|#[^\n]*)*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'', re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n]+")  # a number, a date, true or false
_WORD = re.compile(r"[A-Za-z0-9_-]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")


def find_places(text: str) -> dict[Path, int]:
    """Return the line, from 1, of each key and array element in a text that tomllib has read without an error.

    Line ends are single line feeds. A table stands where it is first named.
    """
    return _Reader(text).places()


class _Reader:
    """One pass over the text; `at` is how far it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}  # of arrays of tables

    def places(self) -> dict[Path, int]:
        table: Path = ()
        self._take(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._statement(table)
            self._take(_BLANK)
        return self._found

    def _header(self) -> Path:
        is_array = self._text.startswith("[[", self._at)
        start = self._at
        self._at += 2 if is_array else 1
        *above, last = self._key()
        self._at = self._text.index("]", self._at) + (2 if is_array else 1)
        path: Path = ()
        for part in above:
            path = self._newest((*path, part))
        path = (*path, last)
        if is_array:
            self._mark(path, start)
            self._lengths[path] = self._lengths.get(path, 0) + 1
        path = self._newest(path)
        self._mark(path, start)
        return path

    def _newest(self, path: Path) -> Path:
        """Of an array of tables, the table that was begun last."""
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _statement(self, table: Path) -> None:
        start = self._at
        path = (*table, *self._key())
        self._mark(path, start)
        self._at = self._text.index("=", self._at) + 1
        self._value(path)

    def _value(self, path: Path) -> None:
        self._take(_BLANK)
        first = self._text[self._at]
        if first == "[":
            self._several(path, "]")
        elif first == "{":
            self._several(path, "}")
        else:
            self._take(_STRING if first in "\"'" else _BARE)

    def _several(self, path: Path, end: str) -> None:
        """Read the elements of an array, or the keys of an inline table."""
        self._at += 1
        position = 0
        while True:
            self._take(_BLANK)
            if self._text[self._at] == end:
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                position += 1
            elif end == "}":
                self._statement(path)
            else:
                self._mark((*path, position), self._at)
                self._value((*path, position))

    def _key(self) -> list[str]:
        parts: list[str] = []
        while not parts or self._take(_DOT):
            self._take(_BLANK)
            word = self._take(_WORD)
            if not word:
                word = next(iter(tomllib.loads(f"{self._take(_STRING)} = 0")))
            parts.append(word)
        return parts

    def _mark(self, path: Path, start: int) -> None:
        line = bisect_right(self._starts, start)
        for length in range(len(path), 0, -1):
            self._found.setdefault(path[:length], line)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]
