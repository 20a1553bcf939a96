"""A crawl's course: begun, carried out, ended in the store, whatever happens in between."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import Protocol

from scraper.app.line import Extractor, Line, opened_line
from scraper.config import Config, Loaded, PolitenessConfig
from scraper.errors import ScraperError, StoreError
from scraper.frontier import Frontier
from scraper.model import Crawl, CrawlState, Tally, UrlState, Visit
from scraper.store import RuleTally, Store, ended, open_sqlite

log = logging.getLogger(__name__)


class Start(Protocol):
    """How a crawl comes to be run."""

    async def prepare(self, loaded: Loaded) -> None:
        """Find what cannot be meant before there is a store. Raises ConfigError or StoppedEarly."""

    async def begin(self, store: Store, loaded: Loaded) -> tuple[Crawl, Config]:
        """Return the crawl, its lease taken, and its settings."""

    def give_up(self) -> None:
        """End `prepare` or `begin` if one runs."""


class Course:
    """Carries a crawl out in a task of its own, so that it ends in order however its visits are left.

    The generator of its visits holds this task, and nothing in the task holds the generator: dropped, it is closed. And
    a loop that ends cancels tasks, which end from the inside out; generators it would close all at once.
    """

    def __init__(
        self,
        start: Start,
        store: Store | str | Path,
        loaded: Loaded,
        extractors: tuple[Extractor, ...],
    ) -> None:
        self._start = start
        self._store = store
        self._loaded = loaded
        self._extractors = extractors
        self._line: Line | None = None
        self._stopped = False
        self.crawl: Crawl | None = None
        self.config = loaded.config
        self.tally = Tally()
        self.rules: tuple[RuleTally, ...] = ()
        self.state = CrawlState.RUNNING

    @property
    def frontier(self) -> Frontier | None:
        """The frontier while the crawl runs."""
        return self._line.frontier if self._line is not None else None

    async def visits(self) -> AsyncGenerator[Visit]:
        """Yield each visit once it is committed; raise what carrying it out raises."""
        safe: asyncio.Queue[Visit | None] = asyncio.Queue()
        task = asyncio.create_task(self._carry_out(safe), name="crawl")
        task.add_done_callback(lambda _: safe.put_nowait(None))
        try:
            while (visit := await safe.get()) is not None:
                safe.task_done()
                yield visit
        finally:
            task.cancel()
            await ended(task)
        if task.cancelled():
            raise StoreError("the store was closed under the crawl; what had ended is saved, and it can be resumed")
        task.result()

    def stop(self) -> None:
        """Start nothing more, let what runs end for `crawl.grace` seconds."""
        self._stopped = True
        self._start.give_up()
        if self._line is not None:
            self._line.crawler.stop(self.config.crawl.grace)

    async def _carry_out(self, safe: asyncio.Queue[Visit | None]) -> None:
        await self._start.prepare(self._loaded)
        async with opened(self._store, self._loaded.config) as store:
            self.crawl, self.config = await self._start.begin(store, self._loaded)
            _tell_manners(self.config.politeness)
            try:
                self.tally = await store.tally(self.crawl)
                state = await self._run_line(store, self.crawl, safe)
            except BaseException as error:
                self.state = CrawlState.INTERRUPTED
                await _give_back(store, self.crawl, because=error)
                raise
            finally:
                self._line = None
            if state is CrawlState.INTERRUPTED:
                await _give_back(store, self.crawl)
            else:
                await store.end_crawl(self.crawl, state, now=time.time())
            self.state = state

    async def _run_line(self, store: Store, crawl: Crawl, safe: asyncio.Queue[Visit | None]) -> CrawlState:
        async with AsyncExitStack() as opened:
            line = opened_line(store, crawl, self.config, self.tally, self._extractors, add=self._add)
            try:
                self._line = await opened.enter_async_context(line)
            except ScraperError:
                if self._stopped:
                    return CrawlState.INTERRUPTED  # what stopped us reached the workers while they started
                raise
            if self._stopped:
                self.stop()
            visits = await opened.enter_async_context(aclosing(self._line.visits()))
            async for visit in visits:
                if visit.state is not UrlState.QUEUED:
                    safe.put_nowait(visit)
                    await safe.join()  # until it is taken: who consumes slowly holds up the line
            frontier, names = self._line.frontier, self._line.rules
        self.rules = await tallied(store, crawl, names)
        return await self._outcome(store, crawl, frontier)

    def _add(self, more: Tally) -> None:
        names = [field.name for field in dataclasses.fields(Tally)]
        self.tally = Tally(*(getattr(self.tally, name) + getattr(more, name) for name in names))

    async def _outcome(self, store: Store, crawl: Crawl, frontier: Frontier) -> CrawlState:
        if self._stopped:
            return CrawlState.INTERRUPTED
        self.tally = await store.audit(crawl)
        if not self.tally.holds:
            log.error("crawl %s: the accounting does not add up: %s", crawl.name, self.tally)
        if self.tally.queued == 0:
            return CrawlState.FINISHED
        return CrawlState.LIMITED if frontier.is_spent else CrawlState.INTERRUPTED


def _tell_manners(config: PolitenessConfig) -> None:
    """Say loudly what of a site's wishes is not obeyed."""
    wishes = {"robots.txt": config.robots, "nofollow": config.nofollow, "noindex": config.noindex}
    if ignored := [wish for wish, obeyed in wishes.items() if not obeyed]:
        log.warning("%s: not obeyed in this crawl, as its settings say", ", ".join(ignored))


async def tallied(store: Store, crawl: Crawl, names: tuple[str, ...]) -> tuple[RuleTally, ...]:
    """Return what these rules and extractors came to; of one that took no page, nothing."""
    counted = {its.rule: its for its in await store.rule_tallies(crawl)}
    return tuple(counted.get(name) or RuleTally(name) for name in names)


def opened(store: Store | str | Path, config: Config) -> AbstractAsyncContextManager[Store]:
    """Open the store at a path, or use the one that somebody has opened."""
    return open_sqlite(store, config.store) if isinstance(store, str | Path) else _using(store)


@asynccontextmanager
async def _using(store: Store) -> AsyncIterator[Store]:
    async with store.in_use():
        yield store


async def _give_back(store: Store, crawl: Crawl, because: BaseException | None = None) -> None:
    """Close an interrupted crawl. If that fails, it can be resumed all the same: told, unless it is told already."""
    try:
        await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=time.time())
    except ScraperError as error:
        if str(error) != str(because):
            log.error("crawl %s could not be closed in the store: %s", crawl.name, error)  # noqa: TRY400 - told, not traced
