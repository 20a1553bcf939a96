"""A clock moved by hand, and by whoever sleeps on it; and a crawl of one host in a time of its own."""

import asyncio
import heapq
import selectors
from dataclasses import replace
from random import Random

import pytest

from scraper.config import PolitenessConfig
from scraper.errors import BreakerOpen, FetchError, RetryLater
from scraper.model import CrawlUrl, HostState
from scraper.politeness import Host, breaking, pacing, retrying

HOST = "http://h"
TICK = 1e-6  # seconds; less is lost in the sums


class Clock:
    def __init__(self):
        self.now = 1000.0
        self.slept = []
        self.on_sleep = lambda: None

    def __call__(self):
        """The moment it is."""
        return self.now

    async def sleep(self, seconds):
        """Let the time pass at once."""
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds
        self.on_sleep()


@pytest.fixture
def clock():
    """A clock that stands at 1000."""
    return Clock()


class _Travel(selectors.DefaultSelector):
    """A selector that never waits: the time passes at once, when there is nothing else to do."""

    now = 1000.0

    def select(self, timeout=None):
        """Move on to the next timer."""
        assert timeout is not None, "everybody waits for ever"
        self.now += max(timeout, 0.0)
        return super().select(0)


class Crawl:
    """The URLs of one host, fetched through all wrappers as a frontier hands them out, in virtual time.

    `server` is what becomes of a request: an async function of the URL and this crawl. `asked` are the moments of
    requests, `ended` what came of each URL, by number; what is not in it was given up with its host.
    """

    def __init__(self, server, *, urls, state=None, seed=1, **config):
        self.config = PolitenessConfig(**{"robots": False, "delay": 0.0, **config})
        self.host = Host(state or HostState(HOST, 1), self.config, agent="scraper")
        self.server = server
        self.queue = [(0.0, n, CrawlUrl(n, f"{HOST}/{n}", HOST)) for n in range(urls)]
        self.random = Random(seed)
        self.asked, self.ended = [], {}
        self.running = self.most = 0
        self.now = lambda: 1000.0

    def run(self):
        """Crawl until every URL has ended."""
        travel = _Travel()
        loop = asyncio.SelectorEventLoop(travel)
        self.now = loop.time = lambda: travel.now
        try:
            loop.run_until_complete(self._take_all())
        finally:
            loop.close()
        return self

    async def _take_all(self):
        fetch = breaking(
            pacing(self._request, lambda _: self.host.clock, clock=self.now),
            lambda _: self.host.breaker,
            clock=self.now,
        )
        self.fetch = retrying(
            fetch,
            self.config.retry,
            lambda _: self.host,
            longest_retry_after=self.config.longest_retry_after,
            clock=self.now,
            sleep=lambda seconds: asyncio.sleep(max(seconds, TICK)),
            random=self.random.random,
        )
        self.changed = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            while (self.queue and not self.host.is_down) or self.host.clock.running:
                self.changed.clear()
                now, due_at = self.now(), self.host.due_at(self.now())
                due_at = max(due_at, self.queue[0][0]) if due_at is not None and self.queue else None
                if due_at is not None and due_at <= now and not self.host.is_down:
                    self.host.clock.start(now)
                    tasks.create_task(self._visit(heapq.heappop(self.queue)[2]))
                else:
                    await self._wait(None if due_at is None else max(due_at - now, TICK))

    async def _wait(self, seconds):
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass

    async def _visit(self, url):
        began = self.now()
        try:
            self.ended[url.id] = await self.fetch(url)
        except RetryLater as later:
            tried_at = began if url.tried_at is None else url.tried_at
            self._defer(replace(url, attempts=later.attempts, tried_at=tried_at), later.until)
        except BreakerOpen as refusal:
            self._defer(url, refusal.until)
        except FetchError as error:
            self.ended[url.id] = error
        finally:
            self.host.clock.end()
            self.changed.set()

    def _defer(self, url, until):
        heapq.heappush(self.queue, (until, url.id, url))

    async def _request(self, url):
        self.asked.append(self.now())
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            return await self.server(url, self)
        finally:
            self.running -= 1

    @property
    def failed(self):
        """What came of the URLs that failed."""
        return [outcome for outcome in self.ended.values() if isinstance(outcome, FetchError)]


@pytest.fixture
def crawl():
    """Crawl a host: `crawl(server, urls=…, **politeness)`."""
    return lambda server, **options: Crawl(server, **options).run()
