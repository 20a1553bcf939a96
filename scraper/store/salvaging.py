"""Get out of a damaged store what can be got out, into a new one that is sound and can be gone on with.

The file is read as bytes, page by page: first each table's tree from its root, then the pages that no tree leads to any
more, whose rows tell by their columns where they belong. Nothing of the file is executed, no SQL of it, no trigger.
"""

from __future__ import annotations

import math
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from scraper.errors import NotAStore, StoreForbidden
from scraper.store.btree import INDEX_INNER, INDEX_LEAF, TABLE_LEAF, Page, Row, Value
from scraper.store.mending import Mended, mend
from scraper.store.pagefile import PageFile, open_pages
from scraper.store.sqlite_file import prepare, translated

SCHEMA_PAGE = 1
_TYPES: Mapping[str, type | tuple[type, ...]] = {"INTEGER": int, "REAL": (int, float), "TEXT": str, "BLOB": bytes}


@dataclass
class Salvaged:
    """What was got out: rows by table, pages of the file that could not be read whole, and what was mended."""

    rows: Counter[str] = field(default_factory=Counter)
    damaged: int = 0
    mended: Mended | None = None


class _Column(NamedTuple):
    name: str
    type: type | tuple[type, ...]
    may_lack: bool


class _Table(NamedTuple):
    """A table of ours as this version makes it; `by_rowid` if its first column is the row's number."""

    name: str
    columns: list[_Column]
    by_rowid: bool

    def values(self, row: Row) -> list[Value] | None:
        """What to insert for a row; None if it is none of this table."""
        if (row.rowid is not None) != self.by_rowid or len(row.values) > len(self.columns):
            return None
        values = [row.rowid, *row.values[1:]] if self.by_rowid else row.values
        if self.by_rowid and row.values[:1] != [None]:
            return None
        for column, value in zip(self.columns, values, strict=False):
            if not (column.may_lack if value is None else isinstance(value, column.type)):
                return None
            if isinstance(value, float) and not math.isfinite(value):
                return None
        return values if all(column.may_lack for column in self.columns[len(values) :]) else None


def salvage(source: Path, target: Path) -> Salvaged:
    """Write to `target`, which must not exist, what can be read of `source`, which nobody may be writing.

    Raises StoreForbidden or NotAStore, and leaves no file then.
    """
    if target.exists() or target.is_symlink():
        raise StoreForbidden(f"{target} exists: name another file with -o")
    try:
        with open_pages(source) as file:
            return _salvaged(file, source, target)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreForbidden(f"{source} cannot be read: {why}") from error


def _salvaged(file: PageFile, source: Path, target: Path) -> Salvaged:
    prepare(str(target))
    found = Salvaged()
    try:
        with translated(str(target)):
            db = sqlite3.connect(target, isolation_level=None)
            try:
                db.execute("PRAGMA synchronous = OFF")  # it is not there before it is whole
                db.execute("BEGIN IMMEDIATE")
                _copy(file, db, found)
                found.mended = mend(db)
                db.execute("COMMIT")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                db.close()
        _refuse_nothing(found, source)
    except BaseException:
        for name in (target.name, f"{target.name}-wal", f"{target.name}-shm"):
            target.with_name(name).unlink(missing_ok=True)
        raise
    return found


def _refuse_nothing(found: Salvaged, source: Path) -> None:
    if not found.rows["url"] and not found.rows["page"]:
        raise NotAStore(f"{source} holds no pages and no URLs of a store: nothing could be got out")


def _copy(file: PageFile, db: sqlite3.Connection, found: Salvaged) -> None:
    tables = {table.name: table for table in _tables(db)}
    seen = {SCHEMA_PAGE} | file.free()
    roots = _roots(file, seen)
    for name, root in roots.items():
        if name in tables:
            for page in _tree(file, root, seen, found):
                _insert(db, [tables[name]], page, seen, found)
    # What belongs to indexes is no row of ours, unless its tree is broken: then it is told apart by its columns.
    for name, root in roots.items():
        if name not in tables:
            for _ in _tree(file, root, seen, found):
                pass
    for number in range(2, file.count + 1):
        if number not in seen:
            page = Page(file, number)
            if page.kind in {TABLE_LEAF, INDEX_LEAF, INDEX_INNER}:
                _insert(db, tables.values(), page, seen, found)


def _tables(db: sqlite3.Connection) -> Iterator[_Table]:
    """The tables to be filled, but those that are made anew: the queue, and what tells of migrations."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    for name in names:
        if name in {"migration", "queue"}:
            continue
        columns = []
        for _, column, kind, not_null, default, key in db.execute(f"PRAGMA table_info({name})"):
            may_lack = not not_null and not key
            columns.append(_Column(column, _TYPES[kind], may_lack or (default is not None and not key)))
        (is_keyed,) = db.execute("SELECT wr FROM pragma_table_list WHERE name = ?", (name,)).fetchone()
        yield _Table(name, columns, not is_keyed)


def _roots(file: PageFile, seen: set[int]) -> dict[str, int]:
    """Where the tree of each table and index begins, as far as the schema can be read."""
    roots = {}
    pending, read = [SCHEMA_PAGE], set()
    while pending:
        number = pending.pop()
        if number in read:
            continue
        read.add(number)
        page = Page(file, number)
        pending += page.children()
        for row in page.rows():
            match row.values:
                case [str(), str(name), str(), int(root), *_] if 1 < root <= file.count:
                    roots[name] = root
    seen |= read
    return roots


def _tree(file: PageFile, root: int, seen: set[int], found: Salvaged) -> Iterator[Page]:
    pending = [root]
    while pending:
        number = pending.pop()
        if number in seen:
            continue
        page = Page(file, number)
        if not page.kind:
            found.damaged += 1
            continue
        seen.add(number)
        pending += reversed(page.children())
        yield page
        found.damaged += not page.whole


def _insert(db: sqlite3.Connection, tables: Iterable[_Table], page: Page, seen: set[int], found: Salvaged) -> None:
    """Insert the rows of a page, each into the first of these tables that it fits."""
    by_table: dict[tuple[str, int], list[list[Value]]] = {}
    for row in page.rows():
        for table in tables:
            if (values := table.values(row)) is not None:
                by_table.setdefault((table.name, len(values)), []).append(values)
                break
    seen.update(page.overflow)
    for (name, count), rows in by_table.items():
        columns = [column for (_, column, *_) in db.execute(f"PRAGMA table_info({name})")][:count]
        holders = ", ".join("?" * count)
        done = db.executemany(f"INSERT OR IGNORE INTO {name} ({', '.join(columns)}) VALUES ({holders})", rows)
        found.rows[name] += done.rowcount
