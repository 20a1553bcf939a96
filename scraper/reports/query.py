"""Run one statement of SQL that somebody typed: guarded, under a deadline, its rows streamed, its errors explained."""

from __future__ import annotations

import difflib
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from scraper.errors import QueryError
from scraper.reports.guard import LONGEST_VALUE, ONLY_READING, Guard, guarded
from scraper.reports.result import Result

STEPS = 50  # SQLite's instructions between two looks at the clock; one may take milliseconds over a large value
EXAMPLE = 'try "SELECT url, title FROM pages LIMIT 10"'

# What SQLite and its driver say, and what that means to whoever typed the SQL.
_MEANINGS = {
    "one statement": "one statement at a time: leave out what follows the first semicolon",
    "cannot modify": ONLY_READING,
    "readonly": ONLY_READING,
    "too big": f"a value is over {LONGEST_VALUE:,} bytes, the most a query can handle",
}
# Warning is what Python 3.11 raises for a second statement; ValueError is a NUL or a lone surrogate in the SQL.
_FAULTS = (sqlite3.Error, sqlite3.Warning, MemoryError, ValueError)
# Not the query's fault: these are left to `open_reader`.
_STORE_FAULTS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_IOERR}


def run(
    connection: sqlite3.Connection,
    sql: str,
    *,
    deadline: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
    max_bytes: int | None = None,
) -> Result:
    """Begin a query and return its rows as they come.

    `deadline` is seconds of work, the time the caller takes between rows is free; more than `max_bytes` of values is an
    error. Raises QueryError, while rows are read too. A connection has one query at a time: read its rows to the end,
    or close them, before the next.
    """
    guard = guarded(connection)
    watch = _Watch(deadline, clock, lambda error: _explanation(error, guard, sql))
    connection.set_progress_handler(watch.is_over, STEPS)
    try:
        with watch:
            cursor = connection.execute(sql)
    except BaseException:
        guard.functions.close()
        raise
    if cursor.description is None:
        raise QueryError(f"the SQL is empty: {EXAMPLE}")
    rows = _rows(cursor, watch, max_bytes, guard.functions.close)
    return Result(tuple(column[0] for column in cursor.description), rows)


def _rows(
    cursor: sqlite3.Cursor, watch: _Watch, max_bytes: int | None, close: Callable[[], None]
) -> Iterator[tuple[Any, ...]]:
    size = 0
    try:
        while True:
            with watch:
                row = next(cursor, None)
            if row is None:
                return
            if max_bytes is not None:
                size += sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
                if size > max_bytes:
                    raise QueryError(f"the result is over {max_bytes:,} bytes: select fewer columns, or add a LIMIT")
            yield row
    finally:
        with suppress(sqlite3.ProgrammingError):  # whoever read has left, and closed the connection first
            cursor.close()
            close()


class _Watch:
    """Stands around every stretch of work inside SQLite: counts its seconds, stops it, tells its errors as ours."""

    def __init__(self, deadline: float, clock: Callable[[], float], explain: Callable[[BaseException], str]) -> None:
        self._deadline = deadline
        self._clock = clock
        self._explain = explain
        self._spent = 0.0
        self._since = 0.0
        self._over = False
        self._stop: KeyboardInterrupt | None = None

    def __enter__(self) -> None:
        self._since = self._clock()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._spent += self._clock() - self._since
        if self._stop is not None:
            raise self._stop
        if not isinstance(error, _FAULTS) or getattr(error, "sqlite_errorcode", 0) & 0xFF in _STORE_FAULTS:
            return
        if self._over:
            raise QueryError(f"over {self._deadline:g} s: narrow it by a WHERE, or give it more time") from error
        raise QueryError(self._explain(error)) from error

    def is_over(self) -> bool:
        """Must the query stop? SQLite asks, and it would swallow a Ctrl-C that comes here."""
        try:
            self._over = self._spent + self._clock() - self._since > self._deadline
        except KeyboardInterrupt as error:
            self._stop = error
        return self._over or self._stop is not None


def _explanation(error: BaseException, guard: Guard, sql: str) -> str:
    if guard.refused:
        return guard.refused[0]
    if isinstance(error, MemoryError):
        return "the query needs too much memory: narrow it by a WHERE, or aggregate less"
    if isinstance(error, ValueError):
        return "the SQL holds a character that cannot stand in it (NUL, or half of a surrogate pair)"
    text = str(error)
    if match := re.fullmatch(r"no such table: (.+)", text, re.DOTALL):
        return _unknown("table", match[1], tuple(guard.public))
    if match := re.fullmatch(r"no such column: (.+)", text, re.DOTALL):
        return _unknown("column", match[1], _columns(guard, sql))
    return next((meaning for sign, meaning in _MEANINGS.items() if sign in text), text)


def _columns(guard: Guard, sql: str) -> tuple[str, ...]:
    """The columns of the views that the SQL names."""
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    named = [column for view, columns in guard.public.items() if view in words for column in columns]
    return tuple(dict.fromkeys(named))


def _unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name.rpartition(".")[2].lower(), known, n=1)
    parts = [f"no such {what}: {name}"]
    if near:
        parts.append(f"did you mean {near[0]}?")
    if known:
        parts.append(f"known: {', '.join(known)}")
    return "; ".join(parts)
