"""The SQLite file: made for its owner alone, brought to this version, opened; and what its errors mean to a user."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from scraper.config import StoreConfig
from scraper.errors import NotAStore, StoreBusy, StoreError, StoreForbidden
from scraper.store.migrate import migrate

T = TypeVar("T")

LOCK_PATIENCE = 10.0  # seconds between two words about a database that another process keeps locked


def prepare(path: str) -> None:
    """Create the file for its owner's eyes only, switch it to WAL, migrate it."""
    place = Path(path)
    if path == ":memory:":
        raise NotAStore("a store is a file that others can open too: name one with --db")
    if path.startswith(("postgresql://", "postgres://")):
        raise NotAStore("PostgreSQL is not supported yet: name a file with --db")
    if place.is_dir():
        raise NotAStore(f"{path} is a directory: name a file with --db, for example {place / 'scraper.db'}")
    if not place.parent.is_dir():
        raise NotAStore(f"{path} cannot be made: there is no directory {place.parent}")
    with translated(path):
        _create(place)
        connection = sqlite3.connect(path, isolation_level=None, timeout=LOCK_PATIENCE)
        try:
            # What is not ours is refused before anything is written to it.
            connection.execute("PRAGMA schema_version")
            migrate(connection, path, time.time())
            _write_ahead(connection)
        finally:
            connection.close()


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to WAL; others that do so at the same moment are waited for, which SQLite does not do by itself here."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _create(place: Path) -> None:
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if not os.access(place, os.R_OK | os.W_OK):
            raise StoreForbidden(f"{place} is read-only: make it writable, or name another file with --db") from None
    except OSError as error:
        raise StoreForbidden(f"{place} cannot be made: {error.strerror}") from error


async def connect(path: str, config: StoreConfig) -> aiosqlite.Connection:
    """Open a connection on a thread of its own, switched to what the settings say."""
    db = await aiosqlite.connect(path, isolation_level=None, timeout=LOCK_PATIENCE, cached_statements=256)
    try:
        await db.executescript(
            f"PRAGMA synchronous = {config.synchronous}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; "
            "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST"
        )
    except BaseException:
        await db.close()
        raise
    return db


async def in_thread(db: aiosqlite.Connection, work: Callable[..., T], *more: Any) -> T:  # noqa: ANN401 (what work takes)
    """Run work on the thread of a connection, with the connection itself.

    Every statement that goes there by itself takes two switches of threads and 0.1 ms; a commit has two dozen.
    """
    execute: Callable[..., Awaitable[T]] = db._execute  # noqa: SLF001 - aiosqlite has no public way; it is pinned
    return await execute(lambda: work(db._conn, *more))  # noqa: SLF001


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn the driver's errors into ours, in this one place."""
    try:
        yield
    except ValueError as error:
        if "connection" not in str(error).lower():
            raise
        raise StoreError(f"{path}: the store is closed") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise NotAStore(f"{path} is not a SQLite database: name another file with --db") from error
        if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StoreBusy(f"{path} is locked by another process: try again when it has ended") from error
        if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
            raise StoreForbidden(
                f"{path} cannot be written: make it and its directory writable, or name another file with --db"
            ) from error
        if code == sqlite3.SQLITE_FULL:
            raise StoreError(
                f"{path}: the disk is full: make room and run `scraper resume`; nothing committed is lost"
            ) from error
        if code == sqlite3.SQLITE_CORRUPT:
            raise StoreError(f"{path} is damaged: {error}") from error
        raise StoreError(f"{path}: {error}") from error
