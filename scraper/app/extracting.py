"""New rules over the stored pages of a crawl, without a request: killed or stopped, it goes on where it was."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from scraper import config as settings
from scraper.app.course import opened, tallied
from scraper.app.lease import kept_alive
from scraper.config import Loaded
from scraper.errors import ConfigError, ParseError, ParseInterrupted
from scraper.model import Crawl
from scraper.parse import Workers
from scraper.printable import printable
from scraper.scope import Patterns
from scraper.secrets import redacted
from scraper.store import Extraction, Remade, RuleTally, Store, StoredPage, finish

log = logging.getLogger(__name__)

AHEAD = 48  # pages read before their turn, so that no worker waits for the database
BATCH = 200  # pages of one transaction,
AGE = 0.5  # or as many as are done in so many seconds


def extract(
    crawl: str | None = None,
    *,
    store: Store | str | Path = "scraper.db",
    rules: Iterable[str | Path] = (),
    extractors: Iterable[str | Callable[..., Any]] = (),
    loaded: Loaded | None = None,
) -> Extracting:
    """Run rules and extractors over a crawl's stored pages (by default the newest crawl's), and return that to iterate.

    What these rules had made before is replaced, page by page; records of other rules stay. Raises ConfigError for what
    is wrong with them, StoreBusy while the crawl is run.
    """
    effective = loaded or settings.load()
    named = (*effective.config.crawl.rules, *map(str, rules))
    return Extracting(crawl, store, effective, named, (*effective.config.crawl.extractors, *extractors))


class Extracting:
    """Rules being run over stored pages: an async iterable of what is made of each, yielded once it is committed."""

    def __init__(
        self,
        crawl: str | None,
        store: Store | str | Path,
        loaded: Loaded,
        rules: tuple[str, ...],
        extractors: tuple[str | Callable[..., Any], ...],
    ) -> None:
        self._name = crawl
        self._store = store
        self._config = loaded.config
        self._rules = rules
        self._extractors = extractors
        self._stopped = False
        self._wake = asyncio.Event()
        self._pages = self._committed()
        self.crawl: Crawl | None = None
        self.extraction: Extraction | None = None
        self.pages = 0  # done in this run
        self.failed = 0
        self.records = 0
        self.done = False
        self.rules: tuple[RuleTally, ...] = ()

    def __aiter__(self) -> AsyncGenerator[Remade]:
        return self._pages

    async def aclose(self) -> None:
        """Stop at once; what is not committed is done again next time."""
        await self._pages.aclose()

    def stop(self) -> None:
        """Stop in order: commit what is made."""
        self._stopped = True
        self._wake.set()

    async def _committed(self) -> AsyncGenerator[Remade]:
        workers = Workers(self._config.parse, Patterns(), bodies=False, rules=self._rules, extractors=self._extractors)
        names = workers.makers.names
        if not names:
            raise ConfigError("extract: there is nothing to run: name a file of rules with --rules")
        async with opened(self._store, self._config) as store:
            self.crawl = await store.find_crawl(self._name)
            extraction = await store.begin_extraction(self.crawl, names, workers.makers.digest, now=time.time())
            self.extraction = extraction
            try:
                async with (
                    workers,
                    kept_alive(store, extraction.crawl, self.stop),
                    aclosing(self._batches(store, extraction, workers)) as batches,
                ):
                    async for batch in batches:
                        await store.replace_records(extraction, batch, now=time.time())
                        for one in batch:
                            self._count(one)
                            yield one  # noqa: ASYNC119 - who leaves early is told to `aclose`; a lease ends by itself
                self.rules = await tallied(store, self.crawl, names)
            finally:
                await finish(
                    asyncio.create_task(store.end_extraction(extraction, done=self.done), name="end extraction")
                )

    def _count(self, one: Remade) -> None:
        self.pages += 1
        self.records += len(one.records)
        if one.failure is not None:
            self.failed += 1
            log.warning("%s: %s", printable(redacted(one.page.url)), printable(redacted(one.failure)))

    async def _batches(self, store: Store, extraction: Extraction, workers: Workers) -> AsyncGenerator[list[Remade]]:
        """Yield what is made of the pages, in their order: how far that has come is one number."""
        running: deque[asyncio.Task[Remade]] = deque()
        batch: list[Remade] = []
        after, begun_at = extraction.done_to, time.monotonic()
        try:
            while not self._stopped:
                if len(running) < AHEAD / 2:
                    pages = await store.stored_pages(extraction.crawl, after=after, limit=AHEAD)
                    running.extend(asyncio.create_task(_remade(workers, page)) for page in pages)
                    after = pages[-1].id if pages else after
                if not running:
                    self.done = True
                    break
                if not await self._ended(running[0]):
                    break
                try:
                    batch.append(running.popleft().result())
                except ParseInterrupted:
                    log.warning("the parse workers were stopped")
                    break
                if len(batch) >= BATCH or time.monotonic() - begun_at > AGE:
                    yield batch
                    batch, begun_at = [], time.monotonic()
            if batch:
                yield batch
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _ended(self, task: asyncio.Task[Remade]) -> bool:
        """Tell whether the task has ended; if told to stop meanwhile, it need not have."""
        if task.done():
            return True
        waking = asyncio.create_task(self._wake.wait())
        try:
            await asyncio.wait({task, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waking.cancel()
        return task.done()


async def _remade(workers: Workers, page: StoredPage) -> Remade:
    if page.body is None:
        return Remade(page, failure="its body is not stored; crawl with [store] bodies = true")
    try:
        return Remade(page, *await workers.remake(page.url, page.status, page.headers, page.body))
    except ParseError as error:
        return Remade(page, failure=error.detail)
