"""What a row of each table looks like, so that it is known wherever it is found, and what was never written is not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import cache
from typing import NamedTuple

from scraper import urls
from scraper.model import CrawlState, Kind, Reason, UrlState
from scraper.store.migrate import migrate, newest
from scraper.store.sqlite_btree import INDEX, TABLE, Row, Value

# What can be made anew of the other tables is not looked for: the queue, and how far an extraction has come.
SALVAGED = ("crawl", "root", "host", "url", "page", "body", "record", "link", "rule", "spent", "version")
SEEN = "url_seen"  # the index that knows which URLs there were
_TYPES: dict[str, tuple[type, ...]] = {"INTEGER": (int,), "REAL": (int, float), "TEXT": (str,), "BLOB": (bytes,)}
_KEY_BYTES = 16


class Shape(NamedTuple):
    """The columns of a table: their types, those that are never NULL; how many rows of any version may have.

    `number` is the column that is the row's number and stored as NULL, None if there is none.
    """

    name: str
    columns: tuple[str, ...]
    types: tuple[tuple[type, ...], ...]
    filled: tuple[bool, ...]
    counts: frozenset[int]
    number: int | None

    @property
    def kinds(self) -> frozenset[int]:
        """The kinds of pages that hold such rows."""
        return INDEX if self.number is None else TABLE

    def values(self, row: Row) -> tuple[Value, ...] | None:
        """Return the columns of a row, as many as it was stored with; None if it is no row of this table."""
        found: Sequence[Value] = row.values
        if len(found) not in self.counts:
            return None
        if self.number is not None:
            if found[self.number] is not None:
                return None
            found = (*found[: self.number], row.key, *found[self.number + 1 :])
        for value, types, filled in zip(found, self.types, self.filled, strict=False):
            if not (isinstance(value, types) or (value is None and not filled)):
                return None
        says = _SAYS.get(self.name)
        if says is not None and not says(dict(zip(self.columns, found, strict=False))):
            return None
        return tuple(found)


@cache
def shapes() -> tuple[Shape, ...]:
    """Return what rows look like, as this program's migrations declare them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
        counts: dict[str, set[int]] = {name: set() for name in SALVAGED}
        for version in range(1, newest("sqlite") + 1):
            migrate(empty, ":memory:", 0.0, upto=version)
            for name in SALVAGED:
                counts[name] |= {count for count in [len(_columns(empty, name))] if count}
        made = [_shape(empty, name, frozenset(counts[name])) for name in SALVAGED]
    seen = ("host_id", "key", "id"), ((int,), (bytes,), (int,)), (True,) * 3
    return (*made, Shape(SEEN, *seen, frozenset({3}), None))


def _columns(db: sqlite3.Connection, table: str) -> list[tuple[str, str, bool, bool]]:
    """Name, type, whether it is filled, whether it is of the primary key."""
    rows = db.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (table,))
    return [(name, kind, bool(filled or key), bool(key)) for name, kind, filled, key in rows]


def _shape(db: sqlite3.Connection, name: str, counts: frozenset[int]) -> Shape:
    columns = _columns(db, name)
    ((bare,),) = db.execute("SELECT wr FROM pragma_table_list(?)", (name,))
    number = None if bare else next(place for place, column in enumerate(columns) if column[3])
    return Shape(
        name,
        tuple(column[0] for column in columns),
        tuple(_TYPES[column[1]] for column in columns),
        tuple(column[2] for column in columns),
        counts,
        number,
    )


Columns = dict[str, Value]


def _says_url(row: Columns) -> bool:
    url = row["url"]
    return (
        isinstance(url, str)
        and urls.key(url) == row["key"]
        and row["state"] in _STATES
        and row["kind"] in _KINDS
        and (row["reason"] is None or row["reason"] in _REASONS)
        and _is_json(row["via"] or "[]", list)
    )


def _is_json(text: object, kind: type) -> bool:
    try:
        return isinstance(json.loads(str(text)), kind)
    except (ValueError, RecursionError):
        return False


_STATES, _KINDS, _REASONS = frozenset(UrlState), frozenset(Kind) - {Kind.ROBOTS}, frozenset(Reason)
_SAYS: dict[str, Callable[[Columns], bool]] = {
    "crawl": lambda row: (
        row["state"] in frozenset(CrawlState) and _is_json(row["seeds"], list) and _is_json(row["config"], dict)
    ),
    "host": lambda row: "://" in str(row["host"]),
    "url": _says_url,
    "page": lambda row: _is_json(row.get("headings", "[]"), list) and _is_json(row.get("headers") or "[]", list),
    "record": lambda row: _is_json(row["data"], object),
    "version": lambda row: _is_json(row["records"], list),
    "spent": lambda row: row["name"] == "" or str(row["name"]).startswith(("/", "like ")),
    SEEN: lambda row: isinstance(row["key"], bytes) and len(row["key"]) == _KEY_BYTES,
}
