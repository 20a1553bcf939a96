"""The semaphore-bounded pool: takes URLs from the frontier, fetches and parses them, streams visits as they end."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence

from scraper import outcome
from scraper.config import CrawlConfig
from scraper.errors import BreakerOpen, FetchError, ParseError, ParseInterrupted, RetryLater
from scraper.frontier import Frontier, Handout, Seen
from scraper.model import CrawlUrl, Kind, Link, Listing, ParsedPage, Reason, Response, UrlState, Visit
from scraper.parse import looks_like_html, may_list, wanted
from scraper.politeness import Fetch, Robots
from scraper.printable import printable
from scraper.scope import Patterns, Scope
from scraper.secrets import redacted

log = logging.getLogger(__name__)
unreachable = logging.getLogger(f"{__name__}.unreachable")


AT_A_TIME = 500  # entries of a sitemap, 5 ms


class Crawler:
    """Visits what the frontier hands out, at most `config.concurrency` at once.

    `fetch` is the wrapped fetch of pages, `ask_robots` gives a host's rules, `parse` makes a page of a response,
    `list_urls` a listing, if it is a sitemap or a feed. `leave` is told each URL of which nothing is held any more.
    """

    def __init__(
        self,
        frontier: Frontier,
        *,
        fetch: Fetch,
        ask_robots: Callable[[CrawlUrl], Awaitable[Robots]],
        parse: Callable[[Response], Awaitable[ParsedPage]],
        list_urls: Callable[[Response], Awaitable[Listing | None]],
        patterns: Patterns,
        scope: Scope,
        config: CrawlConfig,
        obey_noindex: bool,
        clock: Callable[[], float],
        leave: Callable[[str], None],
    ) -> None:
        self._frontier = frontier
        self._fetch = fetch
        self._ask_robots = ask_robots
        self._parse = parse
        self._list_urls = list_urls
        self._patterns = patterns
        self._scope = scope
        self._config = config
        self._obey_noindex = obey_noindex
        self._clock = clock
        self._leave = leave
        self._seen = Seen()
        self._slots = asyncio.Semaphore(config.concurrency)
        self._ended: asyncio.Queue[Visit | None] = asyncio.Queue()
        self._pool: asyncio.Task[None] | None = None
        self._stopping = False

    async def visits(self) -> AsyncGenerator[Visit]:
        """Yield every visit as it ends, until the frontier is exhausted or the crawler is stopped."""
        self._pool = pool = asyncio.create_task(self._run_pool(), name="crawler pool")
        pool.add_done_callback(lambda _: self._ended.put_nowait(None))
        try:
            while (visit := await self._ended.get()) is not None:
                yield visit
            if not (pool.cancelled() and self._stopping):
                await pool  # raises what the pool raised
        finally:
            pool.cancel()
            await asyncio.gather(pool, return_exceptions=True)

    def saved(self, visits: Sequence[Visit]) -> None:
        """A commit is done: the slots of these visits are free.

        One semaphore bounds sockets, memory and backlog at once: what a kill can cost is what holds a slot, so no more
        than `concurrency` URLs are fetched again.
        """
        self._frontier.saved(visits)
        for visit in visits:
            self._leave(visit.url.url)
            self._slots.release()

    def stop(self, grace: float) -> None:
        """Start nothing more, let what runs end for `grace` seconds, then cancel it: its URLs stay queued."""
        self._stopping = True
        self._frontier.stop()
        if self._pool is not None:
            asyncio.get_running_loop().call_later(grace, self._pool.cancel)

    async def _run_pool(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._slots.acquire()
                async for handout in self._frontier:
                    tasks.create_task(self._visit(handout), name=handout.url.url)
                    await self._slots.acquire()
        except ExceptionGroup as group:
            raise group.exceptions[0] from None  # the others only followed

    async def _visit(self, handout: Handout) -> None:
        """Fetch, parse, put the visit in line."""
        url, visit = handout.url, None
        try:
            if handout.verdict is not None:
                visit = outcome.refused(url, handout.verdict)
            elif url.kind is Kind.ROBOTS:
                await self._learn_robots(url)
            else:
                visit = await self._visited(url)
        finally:
            spent = self._frontier.ended(handout, visit)
        if visit is None:
            self._leave(url.url)
            self._slots.release()
        else:
            visit = dataclasses.replace(visit, spent=spent) if spent else visit
            _log(visit)
            self._ended.put_nowait(visit)

    async def _visited(self, url: CrawlUrl) -> Visit:
        try:
            response = await self._fetch(url)
        except (RetryLater, BreakerOpen) as later:
            return outcome.given_back(url, later, self._clock())
        except FetchError as error:
            return outcome.failed(url, error, self._clock())
        if response.status in outcome.REDIRECTS:
            visit = outcome.redirected(url, response, self._patterns, self._scope)
            if visit.root is not None:
                self._scope.add(visit.root)
            return visit
        if response.status == outcome.NOT_MODIFIED:
            return outcome.unchanged(url, response)
        return await self._answered(url, response)

    async def _answered(self, url: CrawlUrl, response: Response) -> Visit:
        """The outcome of an answer that is neither a redirect nor "not modified"."""
        if not 200 <= response.status < 300:
            reason = Reason.HTTP_4XX if response.status >= 400 else Reason.PROTOCOL
            return outcome.answered(url, response, reason, response.note or str(response.status))
        if url.kind is not Kind.PAGE or (url.seed and may_list(response.content_type)):
            listed = await self._listed(url, response)
            if listed is not None:
                return listed
        if not wanted(response.content_type) or not (response.content_type or looks_like_html(response.body)):
            return outcome.answered(url, response, Reason.CONTENT_TYPE, response.content_type or "none, and no HTML")
        return await self._parsed(url, response)

    async def _listed(self, url: CrawlUrl, response: Response) -> Visit | None:
        """The outcome of a sitemap or a feed; None if it is a page after all."""
        try:
            listing = await self._list_urls(response)
        except ParseInterrupted:
            return outcome.given_back(url, None, self._clock())
        except ParseError as error:
            return outcome.unparsed(url, response, error)
        if listing is not None:
            found = []
            for number, entry in enumerate(listing.entries, 1):
                found.append(outcome.entered(entry, url, self._patterns, self._scope))
                if number % AT_A_TIME == 0:
                    await asyncio.sleep(0)  # a sitemap has up to 50,000, which take half a second
            return outcome.listed(url, dataclasses.replace(response, body=b""), listing, found)
        if url.kind is not Kind.PAGE:
            return outcome.answered(url, response, Reason.CONTENT_TYPE, f"no {url.kind}: {response.content_type}")
        return None

    async def _parsed(self, url: CrawlUrl, response: Response) -> Visit:
        try:
            page = await self._parse(response)
        except ParseInterrupted:
            return outcome.given_back(url, None, self._clock())
        except ParseError as error:
            return outcome.unparsed(url, response, error)
        # The worker made of the body what is kept of it.
        light = dataclasses.replace(response, body=b"")

        copy = self._frontier.is_copy(url, page)
        varies = bool(page.fingerprint)
        judge = outcome.Judge(url, self._patterns, self._scope, varies=varies, is_copy=copy)

        def news(links: Iterable[Link]) -> tuple[Link, ...]:
            # What an earlier visit has put in line it commits no later than this one.
            return self._seen.news(links, judge, url.depth)

        return outcome.fetched(url, light, page, news, depth=self._config.depth, obey_noindex=self._obey_noindex)

    async def _learn_robots(self, url: CrawlUrl) -> None:
        host = self._frontier.host(url.host)
        try:
            robots = await self._ask_robots(url)
            host.learned(robots)
            if self._config.sitemaps:
                self._frontier.name_sitemaps(url.host_id, robots.sitemaps)
        except BreakerOpen:
            pass
        except FetchError as error:
            host.unlearned(error, self._clock())
            # Told by default, once a host: who mistyped a port would wait for minutes and not know why.
            told = unreachable.warning if host.robots_tries == 1 else log.warning
            told("%s: robots.txt: %s: %s", url.host, error.reason, printable(error.detail))


def _log(visit: Visit) -> None:
    level = logging.INFO if visit.state is not UrlState.FAILED else logging.WARNING
    if log.isEnabledFor(level):
        log.log(
            level,
            "%s %s %s %s",
            visit.state,
            printable(redacted(visit.url.url)),
            visit.reason or "",
            printable(redacted(visit.detail or "")),
        )
