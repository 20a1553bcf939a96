"""The line put together: session, workers, frontier, crawler, writer, each with its own section of the settings."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from scraper import urls
from scraper.app.fetching import Clock, opened_fetcher, polite, robots_asking
from scraper.app.lease import kept_alive
from scraper.config import Config, CrawlConfig
from scraper.crawler import Crawler
from scraper.fetch import Guard, Room
from scraper.frontier import Frontier
from scraper.model import Crawl, Tally, Visit
from scraper.parse import Workers
from scraper.politeness import product_token
from scraper.scope import Patterns, Scope
from scraper.store import Store, Writer
from scraper.traps import Hosts

log = logging.getLogger(__name__)

LEVELS = 32  # links from a seed; a limit beyond that many cuts off nothing but traps, and needs no exact depths
LARGE_BODIES = 4  # of the largest that may be; so many have room at once
Extractor = Callable[..., Any]


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
    room = Room(LARGE_BODIES * config.fetch.max_body)
    async with (
        opened_fetcher(config.fetch, guard, concurrency=config.crawl.concurrency, clock=clock, room=room) as fetcher,
        _workers(config, patterns, extractors) as workers,
    ):
        crawler = Crawler(
            frontier,
            fetch=polite(fetcher, frontier, config, clock),
            ask_robots=robots_asking(fetcher, frontier, config, clock),
            parse=workers.parse,
            list_urls=workers.listing,
            patterns=patterns,
            scope=await _scope(store, crawl, config.crawl),
            config=config.crawl,
            obey_noindex=config.politeness.noindex,
            clock=clock,
            leave=room.leave,
        )
        writer = _writer(store, crawl, config, crawler, frontier=frontier, add=add)
        frontier.starving, frontier.remember = writer.flush, writer.remember
        async with kept_alive(store, crawl, lambda: crawler.stop(0)):
            yield Line(crawler, frontier, writer, workers.makers.names)


def patterns_of(config: CrawlConfig) -> Patterns:
    """What the settings say of URLs."""
    strip = urls.Stripping(config.strip_parameters) if config.strip_parameters else None
    return Patterns(config.include, config.exclude, config.prefer, strip, traps=config.traps)


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
        pages_left=None if pages is None else max(0, pages - taken(crawl, tally)),
        clock=clock,
        by_levels=config.crawl.depth <= LEVELS,
        limits=config.crawl,
    )


def taken(crawl: Crawl, tally: Tally) -> int:
    """The pages that count for --max-pages: in a recrawl those that it has asked for itself."""
    return tally.pages if crawl.round == 1 else tally.asked


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


async def _scope(store: Store, crawl: Crawl, config: CrawlConfig) -> Scope:
    bounded = config.traps and config.scope in {"domain", "any"}
    known = await store.host_names(crawl) if bounded and crawl.continued else []
    return Scope(config.scope, await store.roots(crawl), Hosts(known=known) if bounded else None)


def _workers(config: Config, patterns: Patterns, extractors: tuple[Extractor, ...]) -> Workers:
    return Workers(
        config.parse,
        patterns,
        bodies=config.store.bodies,
        nofollow=config.politeness.nofollow,
        feeds=config.crawl.sitemaps,
        strip=patterns.strip,
        agent=product_token(config.fetch.user_agent),
        rules=config.crawl.rules,
        extractors=(*config.crawl.extractors, *extractors),
    )
