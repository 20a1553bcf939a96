"""The store on SQLite: one writer, never cancelled; readers on a connection of their own."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from scraper.config import StoreConfig
from scraper.errors import CrawlNotFound, StoreDamaged
from scraper.model import Crawl, CrawlState, HostState, Link, Tally, Visit
from scraper.store import lease, sqlite_extract, sqlite_read, sqlite_round, sqlite_write
from scraper.store.base import (
    LONGEST_WAIT,
    Claimed,
    Extraction,
    IsDue,
    NewCrawl,
    Remade,
    RuleTally,
    StoredPage,
)
from scraper.store.finishing import finish
from scraper.store.lease import LEASE
from scraper.store.sqlite_file import connect, in_thread, translated
from scraper.store.sqlite_lease import beyond_doubt, keep_lease, refuse_if_held, take_lease
from scraper.store.sqlite_log import Log
from scraper.store.sqlite_prepare import prepare
from scraper.store.sqlite_writer import SqliteWriter

log = logging.getLogger(__name__)
T = TypeVar("T")

LEAVING = 5.0  # seconds that a run which is being left may take to end


@asynccontextmanager
async def open_sqlite(path: str | Path, config: StoreConfig = StoreConfig()) -> AsyncIterator[SqliteStore]:  # noqa: B008 - frozen
    """Open the store at `path`, making or migrating it first. Raises StoreError with what to do about it."""
    place = str(path)
    await asyncio.to_thread(Log(place).sync)  # what a killed process left; else who takes it over may fail in silence
    await asyncio.to_thread(prepare, place)
    with translated(place):
        writer = await connect(place, config)
        try:
            reader = await connect(place, config, to_read=True)
        except BaseException:
            await writer.close()
            raise
    store = SqliteStore(place, writer, reader, config)
    try:
        yield store
    finally:
        await finish(asyncio.create_task(store.close(), name="close store"))


class SqliteStore:
    """A `Store` in one SQLite file; made by `open_sqlite`."""

    def __init__(
        self, path: str, writer: aiosqlite.Connection, reader: aiosqlite.Connection, config: StoreConfig
    ) -> None:
        self.path = path
        self._writer = SqliteWriter(path, writer)
        self._reader = reader
        self._config = config
        self._users: set[asyncio.Task[Any]] = set()
        self._safety = asyncio.create_task(self._writer.keep_safe(config.checkpoint_seconds, reader), name="safety")

    def __repr__(self) -> str:
        return f"SqliteStore({self.path!r})"

    async def close(self) -> None:
        """End what still uses the store, then close it."""
        for task in self._users:
            task.cancel()
        if self._users:
            await asyncio.wait(set(self._users), timeout=LEAVING)
        self._safety.cancel()
        await asyncio.gather(self._safety, return_exceptions=True)
        await self._writer.close(self._reader)

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """See `Store.in_use`."""
        task = asyncio.current_task()
        assert task is not None
        self._users.add(task)
        try:
            yield
        finally:
            self._users.discard(task)

    async def begin_crawl(
        self, new: NewCrawl, seeds: AsyncIterator[Sequence[Link]], roots: AsyncIterator[str] | None, *, now: float
    ) -> Crawl:
        """See `Store.begin_crawl`."""
        owner = lease.to_json(lease.myself())

        def insert(db: sqlite3.Connection, silent: float | None) -> int:
            # Here, where nobody else writes: whoever looked before may have looked too early.
            for holder, until in sqlite_write.holders(db, new.name):
                refuse_if_held(self.path, new.name, lease.from_json(holder), until, now, silent=silent)
            return sqlite_write.insert_crawl(db, new, owner=owner, lease_until=now + LEASE, now=now)

        async def begin(silent: float | None) -> int:
            # Cancelled, it leaves nothing: nobody waits for the rest of a million seeds.
            async with self._writer.transaction():
                crawl_id = await in_thread(self._writer.connection, insert, silent)
                await self._add_seeds(crawl_id, seeds, roots, now)
            return crawl_id

        return await self.find_crawl(await beyond_doubt(begin))

    async def begin_round(
        self,
        crawl: Crawl,
        new: NewCrawl,
        seeds: AsyncIterator[Sequence[Link]],
        roots: AsyncIterator[str] | None,
        is_due: IsDue,
        *,
        now: float,
    ) -> Crawl:
        """See `Store.begin_round`."""

        def begin(db: sqlite3.Connection) -> None:
            keep_lease(db, self.path, crawl, now)
            sqlite_round.begin_round(db, crawl.id, new, is_due, now=now)

        async with self._writer.transaction():
            await in_thread(self._writer.connection, begin)
            await self._add_seeds(crawl.id, seeds, roots, now)
        return await self.find_crawl(crawl.id)

    async def _add_seeds(
        self, crawl_id: int, seeds: AsyncIterator[Sequence[Link]], roots: AsyncIterator[str] | None, now: float
    ) -> None:
        async for batch in seeds:
            await in_thread(
                self._writer.connection, sqlite_write.add_seeds, crawl_id, batch, self._writer.host_ids, now
            )
        if roots is not None:
            async for root in roots:
                await in_thread(self._writer.connection, sqlite_write.add_roots, crawl_id, [root])

    async def take_crawl(
        self, crawl: Crawl, config: str, makers: str = "", *, now: float, longest_wait: float = LONGEST_WAIT
    ) -> Crawl:
        """See `Store.take_crawl`."""
        owner, deadline = lease.to_json(lease.myself()), time.monotonic() + LEAVING

        def work(db: sqlite3.Connection, silent: float | None) -> bool:
            ((holder, until),) = db.execute("SELECT owner, lease_until FROM crawl WHERE id = ?", (crawl.id,))
            if holder == owner and until > now and time.monotonic() < deadline:
                return False
            refuse_if_held(self.path, crawl.name, lease.from_json(holder), until, now, silent=silent)
            latest = now + longest_wait
            sqlite_write.take(db, crawl.id, config, makers, owner=owner, lease_until=now + LEASE, latest=latest)
            return True

        while not await beyond_doubt(lambda silent: self._writer.write(lambda db: work(db, silent))):  # noqa: ASYNC110 - the other run may have opened the file by itself
            await asyncio.sleep(LEAVING / 100)
        return await self.find_crawl(crawl.id)

    async def find_crawl(self, crawl: str | int | None, *, unfinished: bool = False) -> Crawl:
        """See `Store.find_crawl`; an int is the number and no name."""
        with translated(self.path):
            found = await sqlite_read.find_crawl(self._reader, crawl, unfinished=unfinished)
            if found is None:
                raise CrawlNotFound(await sqlite_read.not_found(self._reader, self.path, crawl, unfinished=unfinished))
            return found

    async def roots(self, crawl: Crawl) -> list[str]:
        """See `Store.roots`."""
        rows = await self._read("SELECT root FROM root WHERE crawl_id = ?", (crawl.id,))
        return [root for (root,) in rows]

    async def host_names(self, crawl: Crawl) -> list[str]:
        """See `Store.host_names`."""
        rows = await self._read("SELECT host FROM host WHERE crawl_id = ? ORDER BY id", (crawl.id,))
        return [host for (host,) in rows]

    async def host_due_at(self, crawl: Crawl, host: str) -> float:
        """See `Store.host_due_at`."""
        rows = await self._read("SELECT next_at FROM host WHERE crawl_id = ? AND host = ?", (crawl.id, host))
        return next((float(next_at) for (next_at,) in rows), 0.0)

    async def due_hosts(self, crawl: Crawl, *, now: float, limit: int, apart: Collection[int]) -> list[HostState]:
        """See `Store.due_hosts`."""
        with translated(self.path):
            return await sqlite_read.due_hosts(self._reader, crawl.id, now=now, limit=limit, apart=apart)

    async def next_due_at(self, crawl: Crawl, *, now: float, apart: Collection[int]) -> float | None:
        """See `Store.next_due_at`."""
        rows = await self._read(
            "SELECT id, next_at FROM host WHERE crawl_id = ? AND queued > 0 AND next_at > ? ORDER BY next_at LIMIT ?",
            (crawl.id, now, len(apart) + 1),
        )
        return next((next_at for host_id, next_at in rows if host_id not in apart), None)

    async def claim(
        self, wanted: Mapping[int, int], held: Mapping[int, Collection[int]], *, now: float
    ) -> dict[int, Claimed]:
        """See `Store.claim`."""
        with translated(self.path):
            claimed = await sqlite_read.claim(self._reader, wanted, held, now=now)
            dry = [host for host, its in claimed.items() if not (its.urls or its.next_due_at or held.get(host))]
            if dry and await sqlite_read.counted_only(self._reader, dry):
                raise StoreDamaged(self.path, "URLs are counted as queued and are not in the queue")
            return claimed

    async def complete(self, crawl: Crawl, visits: Sequence[Visit], hosts: Sequence[HostState], *, now: float) -> Tally:
        """See `Store.complete`."""

        def work(db: sqlite3.Connection) -> Tally:
            keep_lease(db, self.path, crawl, now)
            return sqlite_write.complete(
                db, crawl, visits, hosts, host_ids=self._writer.host_ids, config=self._config, now=now
            )

        return await self._writer.write(work)

    async def renew(self, crawl: Crawl, *, now: float) -> None:
        """See `Store.renew`."""
        await self._writer.write(lambda db: keep_lease(db, self.path, crawl, now))

    async def tally(self, crawl: Crawl) -> Tally:
        """See `Store.tally`."""
        with translated(self.path):
            return await sqlite_read.tally(self._reader, crawl.id)

    async def audit(self, crawl: Crawl) -> Tally:
        """See `Store.audit`."""
        with translated(self.path):
            return await sqlite_read.audit(self._reader, crawl.id)

    async def end_crawl(self, crawl: Crawl, state: CrawlState, *, now: float) -> None:
        """See `Store.end_crawl`."""

        def work(db: sqlite3.Connection) -> None:
            keep_lease(db, self.path, crawl, now)
            finished_at = now if state in {CrawlState.FINISHED, CrawlState.LIMITED} else None
            db.execute(
                "UPDATE crawl SET state = ?, finished_at = ?, owner = NULL, lease_until = 0 WHERE id = ?",
                (state, finished_at, crawl.id),
            )

        await self._writer.write(work)

    async def rule_tallies(self, crawl: Crawl) -> list[RuleTally]:
        """See `Store.rule_tallies`."""
        with translated(self.path):
            return await sqlite_extract.rule_tallies(self._reader, crawl.id)

    async def begin_extraction(self, crawl: Crawl, rules: tuple[str, ...], digest: str, *, now: float) -> Extraction:
        """See `Store.begin_extraction`."""

        def work(db: sqlite3.Connection, silent: float | None) -> Extraction:
            epoch = take_lease(db, self.path, crawl, now, silent=silent)
            return sqlite_extract.begin(db, dataclasses.replace(crawl, epoch=epoch), rules, digest)

        return await beyond_doubt(lambda silent: self._writer.write(lambda db: work(db, silent)))

    async def stored_pages(self, crawl: Crawl, *, after: int, limit: int) -> list[StoredPage]:
        """See `Store.stored_pages`."""
        with translated(self.path):
            return await sqlite_extract.stored_pages(self._reader, crawl.id, after=after, limit=limit)

    async def replace_records(self, extraction: Extraction, pages: Sequence[Remade], *, now: float) -> None:
        """See `Store.replace_records`."""

        def work(db: sqlite3.Connection) -> None:
            keep_lease(db, self.path, extraction.crawl, now)
            sqlite_extract.replace(db, extraction, pages)

        await self._writer.write(work)

    async def end_extraction(self, extraction: Extraction, *, done: bool) -> None:
        """See `Store.end_extraction`."""

        def work(db: sqlite3.Connection) -> None:
            keep_lease(db, self.path, extraction.crawl, 0.0)
            sqlite_extract.end(db, extraction.crawl.id, done=done)

        await self._writer.write(work)

    async def _read(self, sql: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
        with translated(self.path):
            return list(await self._reader.execute_fetchall(sql, parameters))
