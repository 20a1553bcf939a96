"""The one writer of a SQLite file: one transaction at a time, each to its end, however long others lock the file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar

import aiosqlite

from scraper.errors import DiskFailed, StoreError
from scraper.store.finishing import ended, finish
from scraper.store.sqlite_file import in_thread, translated
from scraper.store.sqlite_hosts import HostIds
from scraper.store.sqlite_log import Log

log = logging.getLogger(__name__)
T = TypeVar("T")


class SqliteWriter:
    """Runs transactions on a connection; `host_ids` are the numbers of hosts that they made or met.

    Once the disk has failed under it, it does nothing more: a kernel that could not write a page may forget that it
    ever had to, so the next sync succeeds and says nothing of what is missing. Only who opens the file anew sees what
    the disk holds.
    """

    def __init__(self, path: str, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.host_ids = HostIds()
        self._path = path
        self._log = Log(path)
        self._one_at_a_time = asyncio.Lock()
        self._committed = asyncio.Event()  # and not yet synced
        self._failed: DiskFailed | None = None

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run one transaction, in one go and to its end, also if the caller is cancelled meanwhile."""

        async def write() -> T:
            async with self.transaction():
                return await in_thread(self.connection, work)

        return await finish(asyncio.create_task(write(), name="transaction"))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A transaction that is taken back if the block raises, or is cancelled. Raises DiskFailed, now and ever after.

        What is raised by the commit may be in the database all the same, when it is opened anew.
        """
        async with self._one_at_a_time:
            with self._watched():
                try:
                    await self._begin()
                    yield
                    await in_thread(self.connection, self._commit)
                    self._committed.set()
                except BaseException:
                    # Takes its place behind what still runs in the writer's thread, and does nothing if none began.
                    await ended(asyncio.ensure_future(self.connection.rollback()))
                    self.host_ids.clear()  # it may name hosts that never came to be
                    raise

    async def keep_safe(self, seconds: float, through: aiosqlite.Connection) -> None:
        """Let no commit be at the mercy of the power for longer than so many seconds; to be cancelled.

        Synced in the thread of another connection, no commit waits for it, nor does it wait for a lock. What fails the
        next transaction raises.
        """
        while self._failed is None:
            await self._committed.wait()
            await asyncio.sleep(seconds)
            self._committed.clear()
            with suppress(StoreError):
                with self._watched():
                    await in_thread(through, lambda _: self._log.sync())
                async with self._one_at_a_time:
                    with self._watched():
                        await in_thread(self.connection, self._log.take_over)

    async def close(self, reader: aiosqlite.Connection) -> None:
        """Close both connections. Raises StoreError if it is not certain that the disk has all that was committed.

        The last to close takes over the log, and deletes it. If the disk failed, that is the reader: it may not write.
        """
        try:
            if self._failed is None:
                with self._watched():
                    await in_thread(self.connection, lambda _: self._log.sync())
        finally:
            order = (reader, self.connection) if self._failed is None else (self.connection, reader)
            for connection in order:
                await connection.close()

    def _commit(self, db: sqlite3.Connection) -> None:
        db.execute("COMMIT")
        if self._log.is_full():
            self._log.take_over(db)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._failed is not None:
            raise DiskFailed(str(self._failed)) from self._failed
        try:
            with translated(self._path):
                yield
        except DiskFailed as error:
            self._failed = error
            raise

    async def _begin(self) -> None:
        started = time.monotonic()
        while True:
            try:
                await self.connection.execute_fetchall("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                    raise
                waited = time.monotonic() - started
                log.warning("%s is locked by another process; waiting since %.0f s", self._path, waited)
            else:
                return
