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
from scraper.reports.alone import HUNGRY, Alone
from scraper.reports.guard import LONGEST_VALUE, ONLY_READING, Guard, guarded
from scraper.reports.result import Result
from scraper.reports.watch import Watch

STEPS = 50  # SQLite's instructions between two looks at the clock; one may take milliseconds over a large value
LONGEST_MESSAGE = 300  # characters
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
    alone: Alone | None = None,
) -> Result:
    """Begin a query and return its rows as they come.

    `deadline` is seconds of work, the time the caller takes between rows is free; more than `max_bytes` of values is an
    error. Raises QueryError, while rows are read too. A connection has one query at a time: read its rows to the end,
    or close them, before the next. SQL of a stranger is for a process that is `alone`, and under `limit_memory`:
    nothing else bounds what a plan takes, or a single function.
    """
    watch = alone.watching(deadline, clock) if alone is not None else Watch(deadline, clock)
    with watch:
        guard = guarded(connection)
    connection.set_progress_handler(watch.is_over, STEPS)
    try:
        with watch:
            cursor = connection.execute(sql)
    except _FAULTS as error:
        guard.functions.close()
        raise _explained(error, guard, sql) from error
    except BaseException:
        guard.functions.close()
        raise
    if cursor.description is None:
        raise QueryError(f"the SQL is empty: {EXAMPLE}")
    rows = _rows(cursor, watch, lambda error: _explained(error, guard, sql), max_bytes, guard.functions.close)
    columns = tuple(column[0] for column in cursor.description)
    return Result(columns, alone.giving_room(rows) if alone is not None else rows)


def _rows(
    cursor: sqlite3.Cursor,
    watch: Watch,
    explained: Callable[[BaseException], BaseException],
    max_bytes: int | None,
    close: Callable[[], None],
) -> Iterator[tuple[Any, ...]]:
    size = 0
    try:
        while True:
            try:
                with watch:
                    row = next(cursor, None)
            except _FAULTS as error:
                raise explained(error) from error
            if row is None:
                return
            if max_bytes is not None:
                size += sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
                if size > max_bytes:
                    raise QueryError(f"the result is over {max_bytes:,} bytes: select fewer columns, or add a LIMIT")
            yield row
            del row  # it may be large, and the next is made before this one would be forgotten
    finally:
        with suppress(sqlite3.ProgrammingError):  # whoever read has left, and closed the connection first
            cursor.close()
            close()


def _explained(error: BaseException, guard: Guard, sql: str) -> BaseException:
    """What to raise instead: the store's own faults stay what they are."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in _STORE_FAULTS:
        return error
    why = _explanation(error, guard, sql)
    return QueryError(why if len(why) <= LONGEST_MESSAGE else f"{why[:LONGEST_MESSAGE]}…")  # it quotes the SQL


def _explanation(error: BaseException, guard: Guard, sql: str) -> str:
    if isinstance(error, MemoryError):
        return HUNGRY
    if isinstance(error, ValueError):
        return "the SQL holds a character that cannot stand in it (NUL, or half of a surrogate pair)"
    if guard.refused:
        return _meaning(guard.refused[0])
    text = str(error)
    if match := re.fullmatch(r"no such table: (.+)", text, re.DOTALL):
        return _unknown("table", match[1], tuple(guard.public))
    if match := re.fullmatch(r"no such column: (.+)", text, re.DOTALL):
        return _unknown("column", match[1], _columns(guard, sql))
    return _meaning(text)


def _meaning(text: str) -> str:
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
