"""The line put together: session, workers, frontier, crawler, writer, each with its own section of the settings."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from scraper import urls
from scraper.app.lease import kept_alive
from scraper.config import Config, CrawlConfig
from scraper.crawler import Crawler
from scraper.fetch import Fetcher, Guard, conditions
from scraper.frontier import Frontier
from scraper.model import Crawl, CrawlUrl, Kind, Response, Tally, Visit
from scraper.parse import LONGEST_LISTING, Workers, may_list, wanted
from scraper.politeness import Fetch, Robots, asking, breaking, product_token, retrying
from scraper.scope import Patterns, Scope
from scraper.store import Store, Writer

log = logging.getLogger(__name__)

LEVELS = 32  # links from a seed; a limit beyond that many cuts off nothing but traps, and needs no exact depths
Extractor = Callable[..., Any]
Clock = Callable[[], float]
ROBOTS_BYTES = 500 * 1024  # RFC 9309, section 2.5: at least that much is read


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """The parts of a crawl that runs, opened."""

    crawler: Crawler
    frontier: Frontier
    writer: Writer
    rules: tuple[str, ...]  # the names of all that make records

    def visits(self) -> AsyncGenerator[Visit]:
        """The committed visits."""
        return self.writer.committed(self.crawler.visits())


@asynccontextmanager
async def opened_line(
    store: Store,
    crawl: Crawl,
    config: Config,
    tally: Tally,
    extractors: tuple[Extractor, ...],
    *,
    add: Callable[[Tally], None],
) -> AsyncIterator[Line]:
    """Open session, workers and lease keeper, and put the line together; close all in reverse, whatever happens."""
    patterns = patterns_of(config.crawl)
    clock = _steady()
    frontier = _frontier(store, crawl, config, tally, clock)

    guard = Guard(config.fetch.allow_private, origins=config.fetch.allow_origins)
    async with (
        Fetcher(config.fetch, guard, concurrency=config.crawl.concurrency) as fetcher,
        _workers(config, patterns, extractors) as workers,
    ):
        crawler = Crawler(
            frontier,
            fetch=_polite(fetcher, frontier, config, clock),
            ask_robots=_asking(fetcher, frontier, config, clock),
            parse=workers.parse,
            list_urls=workers.listing,
            patterns=patterns,
            scope=Scope(config.crawl.scope, await store.roots(crawl)),
            config=config.crawl,
            obey_noindex=config.politeness.noindex,
            clock=clock,
        )
        writer = _writer(store, crawl, config, crawler, frontier=frontier, add=add)
        frontier.starving = writer.flush
        async with kept_alive(store, crawl, lambda: crawler.stop(0)):
            yield Line(crawler, frontier, writer, workers.makers.names)


def patterns_of(config: CrawlConfig) -> Patterns:
    """What the settings say of URLs."""
    strip = urls.Stripping(config.strip_parameters) if config.strip_parameters else None
    return Patterns(config.include, config.exclude, config.prefer, strip)


def _steady() -> Clock:
    """A clock of UTC seconds that does not jump when the system's is set: what is waited for comes."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset


def _frontier(store: Store, crawl: Crawl, config: Config, tally: Tally, clock: Clock) -> Frontier:
    pages = config.crawl.max_pages
    return Frontier(
        store,
        crawl,
        config.politeness,
        agent=product_token(config.fetch.user_agent),
        pages_left=None if pages is None else max(0, pages - tally.pages),
        clock=clock,
        by_levels=config.crawl.depth <= LEVELS,
        limits=config.crawl,
    )


def _writer(
    store: Store, crawl: Crawl, config: Config, crawler: Crawler, *, frontier: Frontier, add: Callable[[Tally], None]
) -> Writer:
    async def commit(visits: list[Visit]) -> None:
        hosts = frontier.news()
        if visits or hosts:
            add(await store.complete(crawl, visits, hosts, now=time.time()))
        crawler.saved(visits)

    # A visit holds its slot until it is saved: a commit begins when a quarter of the slots wait for it.
    size = min(config.store.batch_pages, max(1, config.crawl.concurrency // 4))
    return Writer(commit, size=size, age=config.store.batch_seconds)


def _workers(config: Config, patterns: Patterns, extractors: tuple[Extractor, ...]) -> Workers:
    return Workers(
        config.parse,
        patterns,
        bodies=config.store.bodies,
        nofollow=config.politeness.nofollow,
        rules=config.crawl.rules,
        extractors=(*config.crawl.extractors, *extractors),
    )


def _polite(fetcher: Fetcher, frontier: Frontier, config: Config, clock: Clock) -> Fetch:
    async def fetch(url: CrawlUrl) -> Response:
        if url.kind is not Kind.PAGE:
            return await fetcher.fetch(url.url, limit=LONGEST_LISTING)
        if url.seed:
            return await fetcher.fetch(url.url, wanted=_page_or_listing, headers=conditions(url))
        return await fetcher.fetch(url.url, wanted=wanted, headers=conditions(url))

    return retrying(
        breaking(fetch, lambda host: frontier.host(host).breaker, clock=clock),
        config.politeness.retry,
        lambda host: frontier.host(host).clock,
        longest_retry_after=config.politeness.longest_retry_after,
        clock=clock,
        sleep=asyncio.sleep,
        random=random.random,  # noqa: S311 - jitter
    )


def _page_or_listing(content_type: str) -> bool:
    return wanted(content_type) or may_list(content_type)


def _asking(
    fetcher: Fetcher, frontier: Frontier, config: Config, clock: Clock
) -> Callable[[CrawlUrl], Awaitable[Robots]]:
    async def fetch(url: CrawlUrl) -> Response:
        return await fetcher.fetch(url.url, limit=ROBOTS_BYTES)

    return asking(
        breaking(fetch, lambda host: frontier.host(host).breaker, clock=clock),
        agent=product_token(config.fetch.user_agent),
        expiry=config.politeness.robots_expiry,
        clock=clock,
    )
