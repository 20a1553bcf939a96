"""How requests are made: by a fetcher with its access and its cookies, and wrapped in politeness."""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from scraper import urls
from scraper.config import Config, FetchConfig
from scraper.errors import ConfigError, ScraperError, TransientFetchError
from scraper.fetch import Access, CookieJar, Fetcher, Guard, Room, read_access
from scraper.frontier import Frontier
from scraper.model import CrawlUrl, Kind, Reason, Response
from scraper.parse import LONGEST_LISTING, may_list, wanted
from scraper.politeness import Fetch, Robots, asking, breaking, pacing, product_token, retrying
from scraper.store import finish

log = logging.getLogger(__name__)

ROBOTS_BYTES = 500 * 1024  # RFC 9309, section 2.5: at least that much is read
LONGEST_WAIT_ON_THE_WAY = 60.0  # seconds that a redirected robots.txt may wait for the other host's turn
Clock = Callable[[], float]


def access_of(config: FetchConfig) -> Access | None:
    """Read the file that says who we are to whom; None without one. Raises ConfigError for whatever is wrong."""
    if config.cookie_file and not config.cookies:
        raise ConfigError("cookie_file is set and cookies is not: write cookies = true")
    return read_access(Path(config.access).expanduser(), os.environ) if config.access else None


@asynccontextmanager
async def opened_fetcher(
    config: FetchConfig, guard: Guard, *, concurrency: int, clock: Clock, room: Room | None = None
) -> AsyncIterator[Fetcher]:
    """Open the sessions; cookies are read before, and written in the end, if a file is named for them."""
    jar = CookieJar(clock) if config.cookies else None
    if jar is not None:
        await asyncio.to_thread(urls.registrable_domain, "www.example.com")  # loads what cookies are judged by
        await asyncio.to_thread(_read_cookies, jar, config.cookie_file)
    access = await asyncio.to_thread(access_of, config)
    async with Fetcher(
        config, guard, concurrency=concurrency, clock=clock, access=access, jar=jar, room=room
    ) as fetcher:
        try:
            yield fetcher
        finally:
            if jar is not None and config.cookie_file:
                await finish(asyncio.create_task(asyncio.to_thread(_write_cookies, jar, config.cookie_file)))


def _read_cookies(jar: CookieJar, file: str) -> None:
    path = Path(file).expanduser()
    if file and path.exists() and (bad := jar.read(path)):
        log.warning("%s: %d lines are no cookies and were left out", file, bad)


def _write_cookies(jar: CookieJar, file: str) -> None:
    try:
        jar.write(Path(file).expanduser())
    except ScraperError as error:
        log.error("the cookies are lost: %s", error)  # noqa: TRY400 - told, not traced


def polite(fetcher: Fetcher, frontier: Frontier, config: Config, clock: Clock) -> Fetch:
    """Return the fetch of the line: breaker inside, retries outside, the host's pace learned of each attempt."""

    async def fetch(url: CrawlUrl) -> Response:
        sending = _sending(frontier, url.host, clock)
        if url.kind is not Kind.PAGE:
            return await fetcher.fetch(url.url, limit=LONGEST_LISTING, sending=sending)
        takes = _page_or_listing if url.seed else wanted
        return await fetcher.fetch(url.url, wanted=takes, headers=_conditions(url), sending=sending)

    return retrying(
        _learning(fetch, frontier, clock),
        config.politeness.retry,
        frontier.host,
        longest_retry_after=config.politeness.longest_retry_after,
        clock=clock,
        sleep=asyncio.sleep,
        random=random.random,  # noqa: S311 - jitter
    )


def robots_asking(
    fetcher: Fetcher, frontier: Frontier, config: Config, clock: Clock
) -> Callable[[CrawlUrl], Awaitable[Robots]]:
    """Return the question for a host's rules; it may lead to other hosts, each of which keeps its distance."""

    async def fetch(url: CrawlUrl) -> Response:
        return await fetcher.fetch(url.url, limit=ROBOTS_BYTES, sending=_sending(frontier, urls.host(url.url), clock))

    async def wait(url: CrawlUrl) -> None:
        while (left := await frontier.due_at(url.host) - clock()) > 0:
            if left > LONGEST_WAIT_ON_THE_WAY:
                raise TransientFetchError(url.url, Reason.TIMEOUT, "redirected to a host that is left alone now")
            await asyncio.sleep(left)
        frontier.visited(url.host, clock())

    return asking(
        _learning(fetch, frontier, clock),
        agent=product_token(config.fetch.user_agent),
        expiry=config.politeness.robots_expiry,
        clock=clock,
        wait=wait,
    )


def _learning(fetch: Fetch, frontier: Frontier, clock: Clock) -> Fetch:
    paced = pacing(fetch, lambda host: frontier.host(host).clock, clock=clock)
    return breaking(paced, lambda host: frontier.host(host).breaker, clock=clock)


def _sending(frontier: Frontier, name: str, clock: Clock) -> Callable[[], None] | None:
    """Return what books the moment at which a request is really sent to a host."""
    host = frontier.known(name)
    return (lambda: host.clock.sent(clock())) if host is not None else None


def _page_or_listing(content_type: str) -> bool:
    return wanted(content_type) or may_list(content_type)


def _conditions(url: CrawlUrl) -> tuple[tuple[str, str], ...]:
    """What makes a request conditional on the page's having changed (RFC 9110, section 13.1)."""
    named = (("If-None-Match", url.etag), ("If-Modified-Since", url.last_modified))
    return tuple((name, value) for name, value in named if value)
