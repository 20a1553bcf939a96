"""Which URL is next? Claims due URLs in batches, takes hosts in turn, says when the crawl is exhausted.

A URL whose host is not due is never handed out, so no slot sleeps for a host. In memory there is a window: so many hosts,
so many URLs of each; the rest stays in the store.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

from scraper.config import PolitenessConfig
from scraper.model import Crawl, CrawlUrl, HostState, Kind, UrlState, Verdict, Visit
from scraper.politeness import Host
from scraper.store import Store

HOSTS_AT_ONCE = 1000  # hosts held in memory
URLS_AT_ONCE = 64  # URLs claimed of one host
LONGEST_SLEEP = 5.0  # seconds; then the clock is read again, it may have jumped


class Handout(NamedTuple):
    """A URL whose turn it is; with a verdict it is not asked but ends by it."""

    url: CrawlUrl
    verdict: Verdict | None = None


@dataclass(slots=True, eq=False)
class _Line:
    """A host and its URLs in memory: `waiting` to be handed out, `held` are all that were claimed and not yet saved."""

    host: Host
    waiting: deque[CrawlUrl] = field(default_factory=deque)
    held: set[int] = field(default_factory=set)
    next_due_at: float | None = None
    scheduled_at: float | None = None

    @property
    def is_idle(self) -> bool:
        return not self.held and not self.host.clock.running


class Frontier:
    """An async iterator of handouts, until the crawl is exhausted, its page budget is spent, or `stop` is called.

    `pages_left` is exact: what is handed out and may become a page counts until it has ended otherwise. `starving` is
    called when nothing can be handed out before ended visits are saved.
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
    ) -> None:
        self._store = store
        self._crawl = crawl
        self._config = config
        self._agent = agent
        self._pages_left = pages_left
        self._clock = clock
        self.starving: Callable[[], None] = lambda: None
        # Of a crawl that goes on it is not known what was asked just before its end: no host is asked at once.
        self._went_on_at = clock() if crawl.continued else None
        self._lines: dict[int, _Line] = {}
        self._by_name: dict[str, _Line] = {}
        self._due: list[tuple[float, int, _Line]] = []
        self._order = count()
        self._hungry: set[_Line] = set()
        self._news: set[int] = set()
        self._committing: set[int] = set()
        self._leaving: set[_Line] = set()
        self._refused: deque[Handout] = deque()
        self._running = 0
        self._open_pages = 0
        self._ended_unsaved = 0
        self._look_for_hosts = True
        self._others_wait = False
        self._due_in_store: float | None = None
        self._ask_store = True
        self._stopped = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        waiting = sum(len(line.waiting) for line in self._lines.values())
        return f"Frontier({len(self._lines)} hosts, {waiting} waiting, {self._running} running, {self._ended_unsaved} unsaved)"

    @property
    def is_spent(self) -> bool:
        """Has the page budget been used up?"""
        return self._pages_left == 0

    @property
    def hosts(self) -> Sequence[Host]:
        """The hosts in memory."""
        return [line.host for line in self._lines.values()]

    def host(self, name: str) -> Host:
        """The host of a URL that was handed out."""
        return self._by_name[name].host

    def stop(self) -> None:
        """Hand out nothing more."""
        self._stopped = True
        self._changed.set()

    def __aiter__(self) -> Frontier:
        return self

    async def __anext__(self) -> Handout:
        while not self._stopped:
            now = self._clock()
            # Both before the claim: a page saved while it runs may add links that it did not see.
            all_saved = not (self._running or self._ended_unsaved)
            self._changed.clear()
            await self._fill(now)
            if (handout := self._take(now)) is not None:
                return handout
            if self.is_spent and not self._running:
                break
            moment = await self._next_moment(now)
            if moment is None and all_saved and not self._leaving:
                break
            if self._ended_unsaved and not any(line.waiting for line in self._lines.values()):
                self.starving()
            await self._wait(moment)
        raise StopAsyncIteration

    def ended(self, handout: Handout, visit: Visit | None) -> None:
        """The handout has its outcome; None if it has none and is not to be saved (robots.txt, or it was cancelled)."""
        url = handout.url
        line = self._lines[url.host_id]
        self._running -= 1
        if handout.verdict is None:
            line.host.clock.end()
            self._news.add(line.host.id)
            if url.kind is not Kind.ROBOTS:
                self._open_pages -= 1
        if visit is not None:
            self._ended_unsaved += 1
            if visit.state is UrlState.FETCHED and self._pages_left is not None:
                self._pages_left -= 1
        if url.kind is Kind.ROBOTS or line.host.is_down:
            self._judge_waiting(line)
        self._schedule(line)
        self._changed.set()

    def news(self) -> list[HostState]:
        """The hosts that must be remembered with the next commit."""
        self._committing, self._news = self._news, set()
        return [self._lines[host].host.snapshot() for host in self._committing]

    def saved(self, visits: Iterable[Visit]) -> None:
        """A commit is done: these claims have ended, and what they found can be claimed."""
        for visit in visits:
            self._ended_unsaved -= 1
            line = self._lines[visit.url.host_id]
            line.held.discard(visit.url.id)
            if visit.state is UrlState.QUEUED:
                line.next_due_at = min(visit.due_at, line.next_due_at or visit.due_at)
            self._hunger(line)
            for host in {link.host for link in visit.found if link.verdict is None}:
                if (found := self._by_name.get(host)) is not None:
                    self._hunger(found)
                else:
                    self._look_for_hosts = True
        self._committing = set()
        self._hungry |= self._leaving
        self._leaving = set()
        self._ask_store = True
        self._changed.set()

    async def _fill(self, now: float) -> None:
        """Take up due hosts, and claim for those in memory that ran out."""
        room = HOSTS_AT_ONCE - len(self._lines)
        if self._look_for_hosts and room <= 0:
            others = await self._store.due_hosts(self._crawl, now=now, limit=1, apart=self._lines)
            self._others_wait = bool(others)
            self._look_for_hosts = False
        elif self._look_for_hosts:
            states = await self._store.due_hosts(self._crawl, now=now, limit=room, apart=self._lines)
            self._look_for_hosts = len(states) == room
            self._others_wait = False
            for state in states:
                self._take_up(state)
        if self._hungry:
            await self._claim(now)

    def _take_up(self, state: HostState) -> None:
        not_before = 0.0
        if self._went_on_at is not None and state.next_at:
            not_before = self._went_on_at + max(self._config.delay, state.crawl_delay or 0.0)
        line = _Line(Host(state, self._config, agent=self._agent, not_before=not_before))
        self._lines[state.id] = self._by_name[state.host] = line
        self._hungry.add(line)

    async def _claim(self, now: float) -> None:
        hungry, self._hungry = self._hungry, set()
        if self._others_wait:
            # Their turn is over, others wait for their places: they go as soon as what they hold is saved.
            for line in hungry:
                if line.is_idle:
                    self._let_go(line)
            return
        hungry = {line for line in hungry if line.host.id in self._lines}
        wanted = {line.host.id: URLS_AT_ONCE for line in hungry}
        claimed = await self._store.claim(wanted, {line.host.id: line.held for line in hungry}, now=now)
        for line in hungry:
            answer = claimed[line.host.id]
            line.waiting.extend(answer.urls)
            line.held.update(url.id for url in answer.urls)
            line.next_due_at = answer.next_due_at
            self._judge_waiting(line)
            if not answer.urls and line.is_idle and line.next_due_at is None:
                self._let_go(line)
            else:
                self._schedule(line)

    def _let_go(self, line: _Line) -> None:
        if line.next_due_at is not None and line.host.clock.next_at < line.next_due_at:
            line.host.clock.park(line.next_due_at)
            self._news.add(line.host.id)
        if line.host.id in self._news or line.host.id in self._committing:
            self._leaving.add(line)  # not before it is remembered
            return
        del self._lines[line.host.id], self._by_name[line.host.name]
        line.scheduled_at = None
        self._look_for_hosts = self._ask_store = True

    def _judge_waiting(self, line: _Line) -> None:
        """Set aside what needs no request: it does not wait for its host."""
        if line.host.wants_robots(self._clock()) and not line.host.is_down:
            return
        waiting, line.waiting = line.waiting, deque()
        for url in waiting:
            verdict = line.host.judge(url.url)
            if verdict is None:
                line.waiting.append(url)
            else:
                self._refused.append(Handout(url, verdict))
        self._hunger(line)

    def _hunger(self, line: _Line) -> None:
        if not line.waiting:
            self._hungry.add(line)

    def _take(self, now: float) -> Handout | None:
        if self._refused and not self.is_spent:
            self._running += 1
            return self._refused.popleft()
        if self._pages_left is not None and self._open_pages >= self._pages_left:
            return None
        while self._due and self._due[0][0] <= now:
            moment, _, line = heapq.heappop(self._due)
            if moment != line.scheduled_at:
                continue  # it was scheduled anew, for an earlier moment
            line.scheduled_at = None
            handout = self._next_of(line, now)
            self._schedule(line)
            if handout is not None:
                return handout
        return None

    def _next_of(self, line: _Line, now: float) -> Handout | None:
        due_at = line.host.due_at(now)
        if due_at is None or due_at > now:
            return None
        if not line.waiting:
            line.next_due_at = None  # a deferred URL has come due
            self._hungry.add(line)
            self._changed.set()
            return None
        if line.host.wants_robots(now):
            url = CrawlUrl(0, f"{line.host.name}/robots.txt", line.host.name, Kind.ROBOTS, host_id=line.host.id)
        else:
            url = line.waiting.popleft()
            self._open_pages += 1
            self._hunger(line)
        line.host.clock.start(now)
        self._running += 1
        return Handout(url)

    def _schedule(self, line: _Line) -> None:
        """Put a host in the order of turns, at the moment when it may be asked; equal moments by order of arrival."""
        if not line.waiting and line.next_due_at is None:
            return
        due_at = line.host.due_at(self._clock())
        if due_at is None:
            return  # `ended` schedules it again
        if not line.waiting and line.next_due_at is not None:
            due_at = max(due_at, line.next_due_at)
        if line.scheduled_at is not None and line.scheduled_at <= due_at:
            return
        line.scheduled_at = due_at
        heapq.heappush(self._due, (due_at, next(self._order), line))

    async def _next_moment(self, now: float) -> float | None:
        in_memory = self._due[0][0] if self._due else None
        if self._ask_store or (self._due_in_store is not None and self._due_in_store <= now):
            self._ask_store = False
            self._look_for_hosts |= self._due_in_store is not None and self._due_in_store <= now
            self._due_in_store = await self._store.next_due_at(self._crawl, now=now, apart=self._lines)
        return min((moment for moment in (in_memory, self._due_in_store) if moment is not None), default=None)

    async def _wait(self, moment: float | None) -> None:
        seconds = LONGEST_SLEEP if moment is None else min(LONGEST_SLEEP, max(0.0, moment - self._clock()))
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass
