"""Which URL is next? Claims due URLs in batches, takes hosts in turn, says when the crawl is exhausted.

A URL whose host is not due is never handed out, so no slot sleeps for a host. In memory there is a window: so many
hosts, so many URLs of each; the rest stays in the store.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from scraper.config import CrawlConfig, PolitenessConfig
from scraper.frontier.admission import Admission
from scraper.frontier.line import Handout, HostLine
from scraper.frontier.turns import Turns
from scraper.model import Crawl, HostState, Kind, UrlState, Visit
from scraper.politeness import Host
from scraper.store import Store

HOSTS_AT_ONCE = 1000  # hosts held in memory
URLS_AT_ONCE = 64  # URLs claimed of one host
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
    called when nothing can be handed out before ended visits are saved. `wait` returns when the event is set or the
    seconds have passed.
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
        self._store = store
        self._crawl = crawl
        went_on_at = clock() if crawl.continued else None
        self._admission = Admission(config, limits, agent=agent, went_on_at=went_on_at, by_levels=by_levels)
        self._pages_left = pages_left
        self._clock = clock
        self._wait = wait
        self._hosts_at_once = hosts_at_once
        self.starving: Callable[[], None] = lambda: None
        self._lines: dict[int, HostLine] = {}
        self._by_name: dict[str, HostLine] = {}
        self._turns = Turns()
        self._refused: deque[Handout] = deque()
        self._hungry: dict[HostLine, None] = {}  # lines to claim for, or to let go; in order of arrival
        self._leaving: dict[HostLine, None] = {}
        self._news, self._committing = set[int](), set[int]()
        self._running = 0
        self._open_pages = 0
        self._ended_unsaved = 0
        self._look_for_hosts = True
        self._others_wait = False
        self._sitemaps_named = False
        self._due_in_store: float | None = None
        self._stopped = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        waiting = sum(len(line.waiting) for line in self._lines.values())
        counts = f"{waiting} waiting, {self._running} running, {self._ended_unsaved} unsaved"
        return f"Frontier({len(self._lines)} hosts, {counts})"

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

    def known(self, name: str) -> Host | None:
        """A host, if it is in memory."""
        line = self._by_name.get(name)
        return line.host if line is not None else None

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
            if self._is_exhausted or (self.is_spent and not self._running):
                break
            if self._ended_unsaved and not any(line.waiting for line in self._lines.values()):
                self.starving()
            await self._wait(self._changed, self._seconds_to_wait())
        raise StopAsyncIteration

    @property
    def _is_exhausted(self) -> bool:
        """Is no host in memory, to be looked for, or due in the store? A line stays while anything of it is unsaved."""
        return not (self._lines or self._look_for_hosts or self._due_in_store is not None)

    @property
    def _may_open_page(self) -> bool:
        return self._pages_left is None or self._open_pages < self._pages_left

    def name_sitemaps(self, host_id: int, sitemaps: tuple[str, ...]) -> None:
        """robots.txt names these: if the host has seeds in line, they are stored as seeds with the next commit."""
        line = self._lines[host_id]
        if any(url.seed for url in line.waiting):
            line.sitemaps = sitemaps

    def ended(self, handout: Handout, visit: Visit | None) -> tuple[str, ...]:
        """The handout has its outcome; None if it has none and is not to be saved (robots.txt, or it was cancelled).

        Return what of the host's budgets it has used up.
        """
        url = handout.url
        line = self._lines[url.host_id]
        spent: tuple[str, ...] = ()
        self._running -= 1
        if handout.verdict is None:
            line.host.clock.end()
            self._news.add(line.host.id)
            if url.kind is not Kind.ROBOTS:
                self._open_pages -= 1
                spent = line.budget.end(url, visit)
        if visit is not None:
            self._ended_unsaved += 1
            if visit.state is UrlState.FETCHED and self._pages_left is not None and not visit.is_listing:
                self._pages_left -= 1
        if url.kind is Kind.ROBOTS or line.host.is_down:
            self._refuse(line)
        if self._others_wait:
            self._feed(line)
        self._schedule(line)
        self._changed.set()
        return spent

    def news(self) -> list[HostState]:
        """The hosts that must be remembered with the next commit."""
        self._committing, self._news = self._news, set()
        states = [self._lines[host].snapshot() for host in sorted(self._committing)]
        self._sitemaps_named = any(state.sitemaps for state in states)
        return states

    def saved(self, visits: Iterable[Visit]) -> None:
        """A commit is done: these claims have ended, and what they found can be claimed."""
        for visit in visits:
            self._ended_unsaved -= 1
            line = self._lines[visit.url.host_id]
            line.save(visit)
            self._feed(line)
            for host in {link.host for link in visit.found if link.verdict is None}:
                if (found := self._by_name.get(host)) is None:
                    self._look_for_hosts = True
                else:
                    found.next_due_at = None
                    self._feed(found)
        if self._sitemaps_named:
            self._look_for_hosts = True
            self._hungry |= dict.fromkeys(line for line in self._lines.values() if not line.waiting)
        self._committing = set()
        self._hungry |= self._leaving
        self._leaving = {}
        self._changed.set()

    async def _fill(self, now: float) -> None:
        """Take up due hosts, and claim for those in memory that ran out."""
        if self._refused:
            return  # these go first, or a host with a million of them would have them all in memory
        if self._look_for_hosts or (self._due_in_store is not None and self._due_in_store <= now):
            await self._look(now)
        if self._hungry:
            await self._claim(now)

    async def _look(self, now: float) -> None:
        self._look_for_hosts = False  # before the store is asked: what is saved meanwhile may add hosts it did not see
        room = self._hosts_at_once - len(self._lines)
        states = await self._store.due_hosts(self._crawl, now=now, limit=max(1, room), apart=self._lines)
        self._others_wait = room <= 0 and bool(states)
        if self._others_wait:
            self._hungry |= dict.fromkeys(self._lines.values())
        elif states:
            for line in await asyncio.to_thread(self._admission.lines, states):
                self._take_up(line)
            self._look_for_hosts |= len(states) == room
        self._due_in_store = await self._store.next_due_at(self._crawl, now=now, apart=self._lines)

    def _take_up(self, line: HostLine) -> None:
        self._lines[line.host.id] = self._by_name[line.host.name] = line
        self._hungry[line] = None

    async def _claim(self, now: float) -> None:
        hungry, self._hungry = [line for line in self._hungry if self._lines.get(line.host.id) is line], {}
        if self._others_wait:
            # Their turn is over, others wait for their places: they go as soon as what they hold is saved.
            for line in hungry:
                if line.may_leave(now):
                    self._let_go(line)
            return
        hungry = [line for line in hungry if not line.waiting]
        wanted = {line.host.id: URLS_AT_ONCE for line in hungry}
        # Copies: what is saved while the claim runs was queued when it began, and must not be handed out again.
        held = {line.host.id: frozenset(line.held) for line in hungry}
        claimed = await self._store.claim(wanted, held, now=now)
        for line in hungry:
            line.add(claimed[line.host.id])
            self._refuse(line)
            if line.is_idle and line.next_due_at is None:
                self._let_go(line)
            else:
                self._schedule(line)

    def _let_go(self, line: HostLine) -> None:
        if not line.waiting and line.next_due_at is not None and line.host.clock.next_at < line.next_due_at:
            line.host.clock.park(line.next_due_at)
            self._news.add(line.host.id)
        if line.host.id in self._news or line.host.id in self._committing:
            self._leaving[line] = None  # not before it is remembered
            return
        del self._lines[line.host.id], self._by_name[line.host.name]
        self._turns.drop(line)
        self._look_for_hosts = True
        self._changed.set()

    def _refuse(self, line: HostLine) -> None:
        """Set aside what needs no request: it does not wait for its host."""
        if refused := line.refuse(self._clock()):
            self._refused.extend(refused)
            self._feed(line)

    def _feed(self, line: HostLine) -> None:
        """Claim for a line that ran out; while others wait, look whether it can go."""
        if not line.waiting or self._others_wait:
            self._hungry[line] = None

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
        if due_at is None or due_at > now:
            return None
        if not line.waiting:
            line.next_due_at = None  # a deferred URL has come due
            self._feed(line)
            self._changed.set()
            return None
        if (cut := line.cut()) is not None:
            self._refused.append(cut)
            return None
        handout = line.hand_out(now)
        if handout.url.kind is not Kind.ROBOTS:
            self._open_pages += 1
            self._feed(line)
        return handout

    def _schedule(self, line: HostLine) -> None:
        """Give a line its turn, if that can be told; `ended` or a claim gives it another."""
        if (due_at := line.due_at(self._clock())) is not None:
            self._turns.put(line, due_at)

    def _seconds_to_wait(self) -> float:
        """How long may it take until something can be handed out, if nothing happens before?"""
        moments = (self._due_in_store, self._turns.first_at) if self._may_open_page else ()
        moment = min((moment for moment in moments if moment is not None), default=math.inf)
        return min(LONGEST_SLEEP, max(0.0, moment - self._clock()))
