"""The SQLite file: opened, worked on in a thread of its own; and what its errors mean to a user."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import aiosqlite

from scraper.config import StoreConfig
from scraper.errors import NotAStore, StoreBusy, StoreDamaged, StoreError, StoreForbidden

T = TypeVar("T")

LOCK_PATIENCE = 10.0  # seconds between two words about a database that another process keeps locked


async def connect(path: str, config: StoreConfig) -> aiosqlite.Connection:
    """Open a connection on a thread of its own, switched to what the settings say."""
    db = await aiosqlite.connect(path, isolation_level=None, timeout=LOCK_PATIENCE, cached_statements=256)
    try:
        await db.executescript(
            f"PRAGMA synchronous = {config.synchronous}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; "
            "PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST; "
            "PRAGMA cell_size_check = ON"
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
    except UnicodeEncodeError:  # of what is to be written: ours
        raise
    except ValueError as error:
        if "connection" in str(error).lower():
            raise StoreError(f"{path}: the store is closed") from error
        # What is read is turned into values on the way: a state, a list of seeds.
        raise StoreDamaged(path, f"it holds what no version wrote: {error}") from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_NOTADB:
            raise NotAStore(
                f"{path} is not a SQLite database: name another file with --db; if it was a store, "
                "`scraper db salvage` gets out what is whole"
            ) from error
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
            raise StoreDamaged(path, str(error)) from error
        raise StoreError(f"{path}: {error}") from error
