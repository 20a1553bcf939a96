"""A crawl being run: opened, iterated, ended in the store, whatever happens in between."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from pathlib import Path

from scraper.app.line import Extractor, Line, opened_line
from scraper.config import Config, Loaded
from scraper.errors import ScraperError
from scraper.frontier import Frontier
from scraper.model import Crawl, CrawlState, Tally, UrlState, Visit
from scraper.store import Store, open_sqlite

log = logging.getLogger(__name__)

Begin = Callable[[Store, Loaded], Awaitable[tuple[Crawl, Config]]]


class Run:
    """One crawl being run: an async iterable of its visits, each yielded once it is committed.

    Break out of it at any time; what has ended is committed and the crawl can be resumed. `crawl` and `config` are
    known from the first visit on, `tally` is the accounting so far, audited at the end, `state` how it ended.
    """

    def __init__(
        self, begin: Begin, store: Store | str | Path, loaded: Loaded, extractors: Iterable[Extractor]
    ) -> None:
        self._begin = begin
        self._store = store
        self._loaded = loaded
        self._extractors = tuple(extractors)
        self._line: Line | None = None
        self._stopped = False
        self._visits = self._run()
        self.crawl: Crawl | None = None
        self.config = loaded.config
        self.tally = Tally()
        self.state = CrawlState.RUNNING

    def __aiter__(self) -> AsyncGenerator[Visit]:
        return self._visits

    async def aclose(self) -> None:
        """Stop at once; cancel what runs, commit what has ended."""
        await self._visits.aclose()

    def stop(self) -> None:
        """Stop in order: start nothing more, let what runs end for `crawl.grace` seconds, commit."""
        self._stopped = True
        if self._line is not None:
            self._line.crawler.stop(self.config.crawl.grace)

    @property
    def frontier(self) -> Frontier | None:
        """The frontier while the crawl runs: which hosts are in memory and how they do."""
        return self._line.frontier if self._line is not None else None

    async def _run(self) -> AsyncGenerator[Visit]:
        async with _opened(self._store, self._loaded.config) as store:
            self.crawl, self.config = await self._begin(store, self._loaded)
            state = CrawlState.INTERRUPTED
            try:
                self.tally = await store.tally(self.crawl)
                async with opened_line(
                    store, self.crawl, self.config, self.tally, self._extractors, add=self._add
                ) as self._line:
                    if self._stopped:
                        self.stop()
                    async with aclosing(self._line.visits()) as visits:
                        async for visit in visits:
                            if visit.state is not UrlState.QUEUED:
                                yield visit  # noqa: ASYNC119 - closed late or by the loop, it still ends in order
                state = await self._outcome(store, self.crawl, self._line.frontier)
            finally:
                self._line = None
                await _end(store, self.crawl, state)
                self.state = state

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


def _opened(store: Store | str | Path, config: Config) -> AbstractAsyncContextManager[Store]:
    return open_sqlite(store, config.store) if isinstance(store, str | Path) else nullcontext(store)


async def _end(store: Store, crawl: Crawl, state: CrawlState) -> None:
    try:
        await store.end_crawl(crawl, state, now=time.time())
    except ScraperError as error:
        log.error("crawl %s could not be closed in the store: %s", crawl.name, error)  # noqa: TRY400 - told, not traced
