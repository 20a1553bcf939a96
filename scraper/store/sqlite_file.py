"""The SQLite file: opened, worked on in a thread of its own; and what its errors mean to a user."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from scraper.config import StoreConfig
from scraper.errors import DiskFailed, NotAStore, StoreBusy, StoreDamaged, StoreError, StoreForbidden

T = TypeVar("T")

LOCK_PATIENCE = 10.0  # seconds between two words about a database that another process keeps locked


async def connect(path: str, config: StoreConfig, *, to_read: bool = False) -> aiosqlite.Connection:
    """Open a connection on a thread of its own, switched to what the settings say.

    It leaves the log alone: when that is synced and taken over, and what if that fails, is the writer's business. One
    `to_read` cannot write at all, not even when it is closed.
    """
    db = await aiosqlite.connect(
        _uri(path, "ro" if to_read else "rw"),
        uri=True,
        isolation_level=None,
        timeout=LOCK_PATIENCE,
        cached_statements=256,
    )
    try:
        await db.executescript(
            f"PRAGMA synchronous = {config.synchronous}; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; "
            "PRAGMA wal_autocheckpoint = 0; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = FAST; "
            "PRAGMA cell_size_check = ON; "
            "SELECT 1 FROM sqlite_schema"  # only now the file is really opened
        )
    except BaseException:
        await db.close()
        raise
    return db


def _uri(path: str, mode: str) -> str:
    return (
        f"{Path(path).absolute().as_uri()}?mode={mode}"  # as_uri quotes what means something in a URI: ? # % and blanks
    )


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
        raise in_our_words(path, error) from error


def in_our_words(path: str, error: sqlite3.DatabaseError | OSError) -> StoreError:
    """Say what the driver or the system said about the file so that it names the way out."""
    usual = sqlite3.SQLITE_IOERR if isinstance(error, OSError) else 0
    code = getattr(error, "sqlite_errorcode", usual) & 0xFF
    if isinstance(error, PermissionError):
        code = sqlite3.SQLITE_CANTOPEN
    if code == sqlite3.SQLITE_IOERR or (code in _CLOSED and _may_be_written(path)):
        return disk_failed(path, _fault(error))
    if code == sqlite3.SQLITE_FULL:
        return StoreError(
            f"{path}: the disk is full: make room and {_AGAIN}; nothing committed is lost ({_room(path)})"
        )
    if code == sqlite3.SQLITE_CORRUPT:
        return StoreDamaged(path, str(error))
    kind, text = _WORDS.get(code, (StoreError, ": {}"))
    return kind(f"{path}{text.format(error)}")


_AGAIN = "run `scraper resume` or the same command again"
_CLOSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_WORDS: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_NOTADB: (
        NotAStore,
        " is not a SQLite database: name another file with --db; if it was a store, try `scraper db salvage`",
    ),
    **dict.fromkeys(
        (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED),
        (StoreBusy, " is locked by another process: try again when it has ended"),
    ),
    **dict.fromkeys(
        _CLOSED,
        (StoreForbidden, " cannot be written: make it and its directory writable, or name another file with --db"),
    ),
}


def _may_be_written(path: str) -> bool:
    """May we write there, so that it is not for want of permission if we cannot?"""
    really = os.access in os.supports_effective_ids
    return all(os.access(place, os.W_OK, effective_ids=really) for place in (path, Path(path).absolute().parent))


def disk_failed(path: str, fault: str) -> DiskFailed:
    """Make the error of a disk that does not do what it is told."""
    return DiskFailed(f"{path} cannot be written ({fault}; {_room(path)}): see to its disk, then {_AGAIN}")


def _fault(error: sqlite3.DatabaseError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{error}, {getattr(error, 'sqlite_errorname', 'unknown')}"


def _room(path: str) -> str:
    try:
        disk = os.statvfs(Path(path).absolute().parent)
    except OSError:
        return "free room unknown"
    return f"{disk.f_bavail * disk.f_frsize:,} bytes free"
