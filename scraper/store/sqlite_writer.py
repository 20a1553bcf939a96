"""The one writer of a SQLite file: one transaction at a time, each to its end, however long others lock the file."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import aiosqlite

from scraper.store.finishing import ended, finish
from scraper.store.sqlite_file import in_thread, translated
from scraper.store.sqlite_hosts import HostIds

log = logging.getLogger(__name__)
T = TypeVar("T")


class SqliteWriter:
    """Runs transactions on a connection; `host_ids` are the numbers of hosts that they made or met."""

    def __init__(self, path: str, connection: aiosqlite.Connection) -> None:
        self.connection = connection
        self.host_ids = HostIds()
        self._path = path
        self._one_at_a_time = asyncio.Lock()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run one transaction, in one go and to its end, also if the caller is cancelled meanwhile."""

        async def write() -> T:
            async with self.transaction():
                return await in_thread(self.connection, work)

        return await finish(asyncio.create_task(write(), name="transaction"))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """A transaction that is taken back if the block raises, or is cancelled."""
        async with self._one_at_a_time:
            with translated(self._path):
                try:
                    await self._begin()
                    yield
                    await self.connection.execute_fetchall("COMMIT")
                except BaseException:
                    # Takes its place behind what still runs in the writer's thread, and does nothing if none began.
                    await ended(asyncio.ensure_future(self.connection.rollback()))
                    self.host_ids.clear()  # it may name hosts that never came to be
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
