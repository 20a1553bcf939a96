"""Get out of a damaged store what is whole, into a new one that is sound and can be gone on with.

The file is read page by page, never through SQLite: neither damage nor what a stranger declared in it has any effect.
Every row is judged by itself (types, JSON, a URL by its key). The new file appears under its name once it is complete.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from scraper.errors import NotAStore, StoreBusy, StoreForbidden
from scraper.store.lease import is_held
from scraper.store.mending import Mended, mend
from scraper.store.migrate import migrate
from scraper.store.shapes import SEEN, Shape, shapes
from scraper.store.sqlite_btree import EVERYWHERE, INDEX, TABLE, Damaged, Gap, Kind, Row, Trees, taken_apart
from scraper.store.sqlite_file import translated
from scraper.store.sqlite_image import HEADER, Image, open_image

MAGIC = b"SQLite format 3\0"
_AT_ONCE = 1000  # rows of one insertion


class Salvaged(NamedTuple):
    """What came of it: rows by table; what is lost, and what is done about it."""

    rows: dict[str, int]
    mended: Mended
    damaged: tuple[str, ...]  # the tables of which something could not be read


def salvage(source: Path, target: Path, *, now: float | None = None) -> Salvaged:
    """Write what is whole of `source`, and of its log, to `target`, which must not be there yet.

    Raises NotAStore if there is nothing of a store in it, StoreBusy while a crawl is run in it, StoreForbidden.
    """
    moment = time.time() if now is None else now
    if os.path.lexists(target):
        raise StoreForbidden(f"{target} is there already: name another file with -o")
    half = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        with open_image(source) as image:
            _create(half)
            with translated(str(half)), closing(sqlite3.connect(half, isolation_level=None)) as db:
                salvaged = _salvage(image, db, str(source), moment)
        _publish(half, target)
    except OSError as error:
        raise StoreForbidden(f"{error.filename or target}: {error.strerror}") from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            half.with_name(half.name + suffix).unlink(missing_ok=True)
    return salvaged


def is_ours(path: Path) -> bool:
    """Has a file that SQLite does not read once been a store? Not for a process that has it open."""
    with open_image(path) as image:
        return any(b"CREATE TABLE crawl (" in page for number in range(1, 20) if (page := image.page(number)))


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _publish(half: Path, target: Path) -> None:
    descriptor = os.open(half, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        target.hardlink_to(half)  # unlike renaming, it never replaces what is there
    except FileExistsError:
        raise StoreForbidden(f"{target} is there already: name another file with -o") from None


def _salvage(image: Image, db: sqlite3.Connection, path: str, now: float) -> Salvaged:
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -65536")
    migrate(db, path, now)
    db.execute("BEGIN")
    db.execute("CREATE TEMP TABLE url_seen_found (host_id INTEGER, key BLOB, id INTEGER PRIMARY KEY)")
    gaps = _copied(image, db)
    rows = {shape.name: _count(db, shape.name) for shape in shapes() if shape.name != SEEN}
    if not any(rows.values()):
        raise NotAStore(f"{path} holds nothing of a store of this program: name another file")
    _refuse_running(db, path, now)
    mended = mend(db, gaps, now)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    rows = {name: _count(db, name) for name in rows}
    return Salvaged(rows, mended, tuple(name for name in (*rows, SEEN) if gaps[name]))


def _count(db: sqlite3.Connection, table: str) -> int:
    ((count,),) = db.execute(f"SELECT count(*) FROM {table}")
    return int(count)


def _refuse_running(db: sqlite3.Connection, path: str, now: float) -> None:
    for name, owner, until in db.execute("SELECT name, owner, lease_until FROM crawl"):
        if is_held(owner, until, now):
            raise StoreBusy(f"crawl {name!r} in {path} is being run: stop it first, what it writes is read as it lies")


def _copied(image: Image, db: sqlite3.Connection) -> dict[str, list[Gap]]:
    """Copy the rows of all trees, then those of leaves that no tree reached; return where rows may be missing."""
    trees, gaps = Trees(image), dict[str, list[Gap]]()
    roots = _roots(trees)
    for shape in shapes():
        gaps[shape.name] = its = [] if shape.name in roots else [Gap(*EVERYWHERE)]
        if shape.name in roots:
            kind = Kind(shape.kinds, lambda row, shape=shape: shape.values(row) is not None)  # type: ignore[misc]
            found = (_or_gap(shape, row, its) for row in trees.walk(roots[shape.name], kind, its))
            _insert(db, shape, (values for values in found if values is not None))
    if any(gaps.values()):
        _mark_free(trees)
        for shape, values in _strays(trees, gaps):
            _insert(db, shape, [values])
    return gaps


def _or_gap(shape: Shape, row: Row, gaps: list[Gap]) -> tuple[object, ...] | None:
    """The columns of a row; one that cannot be of this table leaves a gap."""
    values = shape.values(row)
    if values is None:
        gaps.append(Gap(row.key, row.key))
    return values


def _insert(db: sqlite3.Connection, shape: Shape, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert rows, of which older ones have fewer columns; one that is there already stays."""
    table = f"{SEEN}_found" if shape.name == SEEN else shape.name
    for count, some in _by_width(rows):
        names, marks = ", ".join(shape.columns[:count]), ", ".join("?" * count)
        db.executemany(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", some)


def _by_width(rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[int, list[tuple[object, ...]]]]:
    some: list[tuple[object, ...]] = []
    for row in rows:
        if some and (len(some) == _AT_ONCE or len(row) != len(some[0])):
            yield len(some[0]), some
            some = []
        some.append(row)
    if some:
        yield len(some[0]), some


def _roots(trees: Trees) -> dict[str, int]:
    """The roots of our tables, as far as the schema can be read, wherever its pages are."""
    wanted = {shape.name for shape in shapes()}
    rows = list(trees.walk(1, Kind(TABLE), []))
    if len({row.values[1] for row in rows} & wanted) < len(wanted):
        for number, page in list(trees.unseen()):
            rows += _rows_of(trees.image, number, page)
    found: dict[str, int] = {}
    for row in rows:
        match row.values:
            case ("table" | "index", str(name), str(), int(root), str()) if name in wanted and root > 1:
                found.setdefault(name, root)
    doubled = {root for root, times in Counter(found.values()).items() if times > 1}
    return {name: root for name, root in found.items() if root not in doubled}


def _strays(trees: Trees, gaps: dict[str, list[Gap]]) -> Iterator[tuple[Shape, tuple[object, ...]]]:
    """Rows on pages that no walk has reached, if they fill a gap of a table whose rows look like them."""
    wanted = [shape for shape in shapes() if gaps[shape.name]]
    for number, page in trees.unseen():
        for row in _rows_of(trees.image, number, page):
            for shape in wanted:
                values = shape.values(row)
                if values is not None and any(low <= row.key <= high for low, high in gaps[shape.name]):
                    yield shape, values
                    break


def _rows_of(image: Image, number: int, page: bytes) -> list[Row]:
    """The rows of a page that may be one of a tree, with what is left of it if it is damaged."""
    kind = page[HEADER if number == 1 else 0]
    for kinds in (TABLE, INDEX):
        if kind in kinds:
            try:
                return taken_apart(image, page, number, kinds).rows
            except Damaged:
                return []
    return []


def _mark_free(trees: Trees) -> None:
    """Leave out the pages of the list of free ones: what they hold was deleted."""
    first = trees.image.page(1)
    trunk = int.from_bytes(first[32:36], "big") if first is not None and first.startswith(MAGIC) else 0
    while 0 < trunk <= trees.image.count and not trees.seen[trunk] and (page := trees.image.page(trunk)) is not None:
        count = int.from_bytes(page[4:8], "big")
        if count > len(page) // 4 - 2:
            return  # it is no such list
        trees.seen[trunk] = 1
        for place in range(8, 8 + 4 * count, 4):
            leaf = int.from_bytes(page[place : place + 4], "big")
            if 0 < leaf <= trees.image.count and not trees.seen[leaf]:
                trees.seen[leaf] = 1
        trunk = int.from_bytes(page[:4], "big")
