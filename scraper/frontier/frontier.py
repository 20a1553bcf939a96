"""Which URL is next? Claims due URLs in batches, takes hosts in turn, says when the crawl is exhausted.

A URL whose host is not due is never handed out, so no slot sleeps for a host. In memory there is a window: so many
hosts, so many URLs of each; the rest stays in the store.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from scraper.config import CrawlConfig, PolitenessConfig
from scraper.frontier.admission import Admission
from scraper.frontier.line import Handout, HostLine
from scraper.frontier.turns import Turns
from scraper.frontier.window import Window
from scraper.model import Crawl, CrawlUrl, HostState, Kind, ParsedPage, UrlState, Visit
from scraper.politeness import Host
from scraper.store import Store

HOSTS_AT_ONCE = 1000  # hosts held in memory
LONGEST_UNSAVED = 1.5  # seconds; who is to be left alone for longer is remembered at once
LONGEST_SLEEP = 5.0  # seconds; then the clock is read again, it may have jumped


async def _waited(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


class Frontier:
    """An async iterator of handouts, until the crawl is exhausted, its page budget is spent, or `stop` is called.

    `pages_left` is exact: what is handed out and may become a page counts until it has ended otherwise. `starving` is
    called when nothing can be handed out before ended visits are saved, `remember` when a host has news that must be
    saved and comes with no visit. `wait` returns when the event is set or the seconds have passed.
    """

    def __init__(
        self,
        store: Store,
        crawl: Crawl,
        config: PolitenessConfig,
        *,
        agent: str,
        pages_left: int | None,
        clock: Callable[[], float],
        wait: Callable[[asyncio.Event, float], Awaitable[object]] = _waited,
        hosts_at_once: int = HOSTS_AT_ONCE,
        by_levels: bool = False,
        limits: CrawlConfig = CrawlConfig(),  # noqa: B008 - frozen
    ) -> None:
        went_on_at = clock() if crawl.continued else None
        admission = Admission(config, limits, agent=agent, went_on_at=went_on_at, by_levels=by_levels)
        self._pages_left = pages_left
        self._most_of_one = max(2, limits.concurrency // 2)
        self._clock = clock
        self._wait = wait
        self.starving: Callable[[], None] = lambda: None
        self.remember: Callable[[], None] = lambda: None
        self._turns = Turns()
        self._window = Window(store, crawl, admission, self._turns, size=hosts_at_once)
        self._refused: deque[Handout] = deque()
        self._running = 0
        self._open_pages = 0
        self._ended_unsaved = 0
        self._stopped = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"Frontier({self._window!r}, {self._running} running, {self._ended_unsaved} unsaved)"

    @property
    def is_spent(self) -> bool:
        """Has the page budget been used up?"""
        return self._pages_left == 0

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts in memory."""
        return [line.host for line in self._window.lines.values()]

    def host(self, name: str) -> Host:
        """The host of a URL that was handed out."""
        return self._window.by_name[name].host

    def known(self, name: str) -> Host | None:
        """A host, if it is in memory."""
        line = self._window.by_name.get(name)
        return line.host if line is not None else None

    async def due_at(self, name: str) -> float:
        """When a host may be asked out of its turn."""
        return await self._window.due_at(name)

    def visited(self, name: str, now: float) -> None:
        """A host is asked out of its turn."""
        self._window.visited(name, now)

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True
        self._changed.set()

    def __aiter__(self) -> Frontier:
        return self

    async def __anext__(self) -> Handout:
        while not self._stopped:
            self._changed.clear()  # before the claim: what is saved while it runs may add links that it does not see
            await self._fill(self._clock())
            now = self._clock()
            if (handout := self._take(now)) is not None:
                return handout
            if self._window.is_done or (self.is_spent and not self._running):
                break
            if self._ended_unsaved and not self._window.has_waiting:
                self.starving()
            await self._wait(self._changed, self._seconds_to_wait())
        raise StopAsyncIteration

    @property
    def _may_open_page(self) -> bool:
        return self._pages_left is None or self._open_pages < self._pages_left

    def is_copy(self, url: CrawlUrl, page: ParsedPage) -> bool:
        """A page came: is it a copy of another whose URL has the same shape?"""
        return self._window.lines[url.host_id].budget.fetched(url, page)

    def name_sitemaps(self, host_id: int, sitemaps: tuple[str, ...]) -> None:
        """robots.txt names these: if the host has seeds in line, they are stored as seeds with the next commit."""
        line = self._window.lines[host_id]
        if any(url.seed for url in line.waiting):
            line.sitemaps = sitemaps

    def ended(self, handout: Handout, visit: Visit | None) -> tuple[str, ...]:
        """The handout has its outcome; None if it has none and is not to be saved (robots.txt, or it was cancelled).

        Return what of the host's budgets it has used up.
        """
        url = handout.url
        line = self._window.lines[url.host_id]
        spent: tuple[str, ...] = ()
        self._running -= 1
        if handout.verdict is None:
            line.host.clock.end()
            self._window.ended(line)
            if url.kind is not Kind.ROBOTS:
                self._open_pages -= 1
                spent = line.budget.end(url, visit)
        if line.host.clock.next_at > self._clock() + LONGEST_UNSAVED:
            # The host asked to be left alone, and a kill must not make us forget it. A visit has yet to come in line.
            (self.remember if visit is None else self.starving)()
        if visit is not None:
            self._ended_unsaved += 1
            if visit.state is UrlState.FETCHED and self._pages_left is not None and not visit.is_listing:
                self._pages_left -= 1
        if url.kind is Kind.ROBOTS or line.host.is_down:
            self._refuse(line)
        self._window.offer(line)
        self._schedule(line)
        self._changed.set()
        return spent

    def news(self) -> list[HostState]:
        """The hosts that must be remembered with the next commit."""
        return self._window.news()

    def saved(self, visits: Sequence[Visit]) -> None:
        """A commit is done: these claims have ended, and what they found can be claimed."""
        self._ended_unsaved -= len(visits)
        self._window.saved(visits)
        self._changed.set()

    async def _fill(self, now: float) -> None:
        if self._refused:
            return  # these go first, or a host with a million of them would have them all in memory
        for line in await self._window.fill(now):
            self._refuse(line)
            self._schedule(line)
        if self._window.must_look:
            self._changed.set()

    def _refuse(self, line: HostLine) -> None:
        """Set aside what needs no request: it does not wait for its host."""
        if refused := line.refuse(self._clock()):
            self._refused.extend(refused)
            self._window.feed(line)

    def _take(self, now: float) -> Handout | None:
        if self._refused and not self.is_spent:
            self._running += 1
            return self._refused.popleft()
        while self._may_open_page and (line := self._turns.take(now)) is not None:
            handout = self._next_of(line, now)
            self._schedule(line)
            if self._refused:
                return self._take(now)
            if handout is not None:
                self._running += 1
                return handout
        return None

    def _next_of(self, line: HostLine, now: float) -> Handout | None:
        due_at = line.due_at(now)
        if due_at is None or due_at > now or self._has_its_share(line):
            return None
        if not line.waiting:
            line.next_due_at = None  # a deferred URL has come due
            self._window.feed(line)
            self._changed.set()
            return None
        if (cut := line.cut()) is not None:
            self._refused.append(cut)
            return None
        handout = line.hand_out(now)
        if handout.url.kind is not Kind.ROBOTS:
            self._open_pages += 1
            self._window.feed(line)
        return handout

    def _schedule(self, line: HostLine) -> None:
        """Give a line its turn, if that can be told; `ended` or a claim gives it another."""
        if not self._has_its_share(line) and (due_at := line.due_at(self._clock())) is not None:
            self._turns.put(line, due_at)

    def _has_its_share(self, line: HostLine) -> bool:
        """Are half of all requests this host's, while there are others? One that hangs must not take every slot."""
        return line.host.clock.running >= self._most_of_one and len(self._window.lines) > 1

    def _seconds_to_wait(self) -> float:
        """How long may it take until something can be handed out, if nothing happens before?"""
        moments = (self._window.due_in_store, self._turns.first_at) if self._may_open_page else ()
        moment = min((moment for moment in moments if moment is not None), default=math.inf)
        return min(LONGEST_SLEEP, max(0.0, moment - self._clock()))
