"""A SQLite file before it is used: made for its owner alone, or looked at read-only; then brought to this version."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

from scraper.errors import NotAStore, StoreDamaged, StoreForbidden
from scraper.store import sqlite_file
from scraper.store.filesystem import kind_of, warning
from scraper.store.lease import is_held
from scraper.store.migrate import migrate
from scraper.store.schema import guard_schema, known_version, refuse_strangers
from scraper.store.sqlite_file import disk_failed, in_our_words, translated

log = logging.getLogger(__name__)

# bytes; up to that size a file that was left by a crash is looked through as it is opened (0.2 s at most)
QUICKLY_CHECKED = 64 << 20


def prepare(path: str) -> None:
    """Create the file for its owner's eyes only, or refuse it if it is not ours; switch it to WAL, migrate it.

    What was not ours before has not a byte changed. Raises StoreError with what to do about it.
    """
    place = Path(path)
    _check_place(path, place)
    if (risk := warning(path, kind_of(str(place.parent)))) is not None:
        log.warning(risk)
    with translated(path):
        _create(place)
        if place.stat().st_size:
            _look(path, place)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=sqlite_file.LOCK_PATIENCE)) as connection:
            guard_schema(connection)
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # it would keep its errors to itself,
            migrate(connection, path, time.time())
            _write_ahead(connection, path)
            connection.execute("PRAGMA wal_checkpoint").fetchall()  # and so would the one of closing


def _check_place(path: str, place: Path) -> None:
    if path == ":memory:":
        raise NotAStore("a store is a file that others can open too: name one with --db")
    if path.startswith(("postgresql://", "postgres://")):
        raise NotAStore("PostgreSQL is not supported yet: name a file with --db")
    try:
        kind = place.stat().st_mode
    except FileNotFoundError:
        if place.is_symlink():
            raise NotAStore(f"{path} is a link to nothing: remove it, or name another file with --db") from None
        if not place.parent.is_dir():
            raise NotAStore(f"{path} cannot be made: there is no directory {place.parent}") from None
        return
    except (OSError, ValueError) as error:  # a NUL in the name, a loop of links, no way there
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreForbidden(f"{path} cannot be opened ({why}): name another file with --db") from error
    if stat.S_ISDIR(kind):
        raise NotAStore(f"{path} is a directory: name a file with --db, for example {place / 'scraper.db'}")
    if not stat.S_ISREG(kind):
        raise NotAStore(f"{path} is no regular file: name another file with --db")


def _create(place: Path) -> None:
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not os.access(place, os.R_OK | os.W_OK):
            raise StoreForbidden(f"{place} is read-only: make it writable, or name another file with --db") from None
    except OSError as error:
        if error.errno in {errno.EIO, errno.ENOSPC, errno.EDQUOT}:
            raise in_our_words(str(place), error) from error
        raise StoreForbidden(f"{place} cannot be made: {error.strerror}") from error


def _look(path: str, place: Path) -> None:
    """Refuse what is not ours, or damaged, on a connection that cannot write.

    One that can would roll back a stranger's journal, or take over a stranger's log.
    """
    was_left = _has_log(place)  # opening it read-only makes one too
    uri = f"{place.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=sqlite_file.LOCK_PATIENCE)) as connection:
        guard_schema(connection)
        version = known_version(connection, path)
        if not version:
            return
        refuse_strangers(connection, path, version)
        if was_left and place.stat().st_size <= QUICKLY_CHECKED and not _is_in_use(connection):
            ((found,),) = connection.execute("PRAGMA quick_check(1)")
            if found != "ok":
                raise StoreDamaged(path, _one_line(found))


def _has_log(place: Path) -> bool:
    """Has the file a log beside it, because whoever wrote has not closed it, or not yet?"""
    try:
        return place.with_name(f"{place.name}-wal").stat().st_size > 0
    except OSError:
        return False


def _is_in_use(connection: sqlite3.Connection) -> bool:
    now = time.time()
    return any(
        is_held(owner, until, now) for owner, until in connection.execute("SELECT owner, lease_until FROM crawl")
    )


def _one_line(found: str) -> str:
    # `*** in database main ***` goes before what was found.
    return next((line for line in found.splitlines() if not line.startswith("***")), found)


def _write_ahead(connection: sqlite3.Connection, path: str) -> None:
    """Switch to WAL; others that do so at the same moment are waited for, which SQLite does not do by itself here."""
    deadline = time.monotonic() + sqlite_file.LOCK_PATIENCE
    while True:
        try:
            ((mode,),) = connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            # A switch that fails is no error to SQLite: it stays as it was, where a reader holds up every commit.
            if mode != "wal":
                raise disk_failed(path, "no write-ahead log can be kept beside it")
            return
