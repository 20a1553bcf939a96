"""Open a store for reading: beside a running crawl or on a read-only disk, and nothing that is not a store.

The file is never opened but by SQLite: closing any other handle on it would drop the locks this process may hold
(https://sqlite.org/howtocorrupt.html, section 2.2), so what can be known before comes from `stat`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scraper import store
from scraper.errors import NotAStore, StoreBusy, StoreDamaged, StoreError, StoreForbidden

LONGEST_WAIT = 5.0  # seconds for another process's lock
ANOTHER = "name another file with --db"


@contextmanager
def open_reader(
    path: str | Path, *, newest: int | None = None, strangers: bool = False
) -> Iterator[sqlite3.Connection]:
    """Open the store read-only; `newest` is the newest schema version to take, by default that of this program.

    One that declares what is not ours is opened for `strangers` only: for who looks at what it declares.
    Raises StoreError with the way out: NotAStore, SchemaTooNew, ForeignSchema, StoreBusy, StoreDamaged. What SQLite
    raises inside the `with` is translated too. The connection may be used in any thread, by one at a time.
    """
    path = Path(path)
    _check_file(path)
    with _translated(path):
        connection = _connect(path)
        try:
            _check_store(connection, path, newest, strangers=strangers)
            yield connection
        finally:
            connection.close()


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError:
        raise NotAStore(f"no store at {path}: run `scraper crawl`, or name it with --db") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise StoreForbidden(f"{path} cannot be opened ({why}): {ANOTHER}") from error
    if stat.S_ISDIR(status.st_mode):
        raise NotAStore(f"{path} is a directory: {ANOTHER}")
    if not stat.S_ISREG(status.st_mode):
        raise NotAStore(f"{path} is no regular file: {ANOTHER}")
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise StoreForbidden(f"{path} may not be read by this user: change its permissions, or {ANOTHER}")
    if status.st_size == 0:
        raise NotAStore(f"{path} is empty: run `scraper crawl`, or {ANOTHER}")


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return _open(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
            raise
        if os.access(path.absolute().parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise  # it is the disk that fails
        # The index of a write-ahead log cannot be made in a read-only directory. Without a log none is needed.
        wal = path.with_name(path.name + "-wal")
        if wal.exists() and wal.stat().st_size:
            raise StoreError(
                f"{path} was not closed cleanly, and its directory is read-only: copy it and {wal.name} to another one"
            ) from error
        return _open(path, "mode=ro&immutable=1")


def _open(path: Path, how: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{how}"  # as_uri quotes what means something in a URI: ? # % and blanks
    connection = sqlite3.connect(uri, uri=True, timeout=LONGEST_WAIT, isolation_level=None, check_same_thread=False)
    try:
        connection.text_factory = _text
        # A file from elsewhere: its views may not call what does harm, and its pages are checked as they are read.
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()  # only now the file is really opened
    except BaseException:
        connection.close()
        raise
    return connection


def _text(value: bytes) -> str:
    # A store from elsewhere, or a CAST in a query, may hold bytes that are not UTF-8.
    return value.decode("utf-8", "replace")


def _check_store(connection: sqlite3.Connection, path: Path, newest: int | None, *, strangers: bool) -> None:
    store.guard_schema(connection)
    version = store.known_version(connection, str(path), newest)
    if not version:
        raise NotAStore(f"{path} is an empty database: run `scraper crawl`, or {ANOTHER}")
    if not strangers:
        store.refuse_strangers(connection, str(path), version)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise NotAStore(
                f"{path} is not a database: {ANOTHER}; if it was a store, `scraper db salvage` gets out what is whole"
            ) from error
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StoreBusy(f"{path} is held by another process: try again in a moment") from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise StoreDamaged(str(path), str(error)) from error
        raise StoreError(f"{path} cannot be read: {error}") from error
    except UnicodeEncodeError:  # of what is asked for: ours
        raise
    except (ValueError, TypeError, OverflowError) as error:
        # What is read is made into values on the way: states, moments, lists.
        raise StoreDamaged(str(path), f"it holds what no version wrote: {error}") from error
