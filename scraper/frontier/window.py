"""The part of the queue that is in memory: so many hosts, so many URLs of each; the rest stays in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from scraper.frontier.admission import Admission
from scraper.frontier.line import HostLine
from scraper.frontier.turns import Turns
from scraper.model import Crawl, HostState, Visit
from scraper.store import Store

MOST_VISITED = 10_000  # hosts
URLS_AT_ONCE = 64  # URLs claimed of one host


class Window:
    """The lines of up to `size` hosts, by number and by name.

    A line stays while anything of it is out, unsaved, or not yet remembered. One that has nothing to ask for long gives
    its place to a host that waits.
    """

    def __init__(self, store: Store, crawl: Crawl, admission: Admission, turns: Turns, *, size: int) -> None:
        self._store = store
        self._crawl = crawl
        self._admission = admission
        self._turns = turns
        self._size = size
        self.lines: dict[int, HostLine] = {}
        self.by_name: dict[str, HostLine] = {}
        self._hungry: dict[HostLine, None] = {}  # lines to claim for, or to let go; in order of arrival
        self._leaving: dict[HostLine, None] = {}
        self._news, self._committing = set[int](), set[int]()
        self._look_for_hosts = True
        self._others_wait = False
        self._sitemaps_named = False
        self._visited: dict[str, float] = {}  # hosts not in memory that were asked for another's robots.txt
        self.due_in_store: float | None = None

    def __repr__(self) -> str:
        waiting = sum(len(line.waiting) for line in self.lines.values())
        return f"Window({len(self.lines)} of {self._size} hosts, {waiting} waiting)"

    @property
    def has_waiting(self) -> bool:
        """Does any URL in memory wait for its turn?"""
        return any(line.waiting for line in self.lines.values())

    @property
    def is_done(self) -> bool:
        """Is no host in memory, to be looked for, or due in the store?"""
        return not (self.lines or self._look_for_hosts or self.due_in_store is not None)

    @property
    def must_look(self) -> bool:
        """Are there hosts to be taken up, as far as is known?"""
        return self._look_for_hosts

    def news(self) -> list[HostState]:
        """The hosts that must be remembered with the next commit."""
        self._committing, self._news = self._news, set()
        states = [self.lines[host].snapshot() for host in sorted(self._committing)]
        self._sitemaps_named = any(state.sitemaps for state in states)
        return states

    async def due_at(self, name: str) -> float:
        """When may a host be asked out of its turn, whether it is in memory or not?"""
        line = self.by_name.get(name)
        return line.host.clock.next_at if line is not None else await self._store.host_due_at(self._crawl, name)

    def visited(self, name: str, now: float) -> None:
        """A host is asked out of its turn, for another's sake: its next request keeps its distance."""
        if (line := self.by_name.get(name)) is not None:
            line.host.clock.again(now)
        else:
            self._visited[name] = now
            if len(self._visited) > MOST_VISITED:
                del self._visited[next(iter(self._visited))]

    def ended(self, line: HostLine) -> None:
        """A request to a host has ended: how the host is now must be remembered."""
        self._news.add(line.host.id)

    def saved(self, visits: Iterable[Visit]) -> None:
        """A commit is done: these claims have ended, and what they found can be claimed."""
        for visit in visits:
            line = self.lines[visit.url.host_id]
            line.save(visit)
            self.feed(line)
            for host in {link.host for link in visit.found if link.verdict is None}:
                if (found := self.by_name.get(host)) is None:
                    self._look_for_hosts = True
                else:
                    found.next_due_at = None
                    self.feed(found)
        if self._sitemaps_named:
            self._look_for_hosts = True
            self._hungry |= dict.fromkeys(line for line in self.lines.values() if not line.waiting)
        self._committing = set()
        self._hungry |= self._leaving
        self._leaving = {}

    def feed(self, line: HostLine) -> None:
        """Claim for a line that ran out; while others wait, look whether it can go."""
        if not line.waiting or self._others_wait:
            self._hungry[line] = None

    def offer(self, line: HostLine) -> None:
        """Look whether a line can go, if others wait for its place."""
        if self._others_wait:
            self.feed(line)

    async def fill(self, now: float) -> list[HostLine]:
        """Take up due hosts, and claim for those in memory that ran out; return the lines that were claimed for."""
        if self._look_for_hosts or (self.due_in_store is not None and self.due_in_store <= now):
            await self._look(now)
        return await self._claim(now) if self._hungry else []

    async def _look(self, now: float) -> None:
        self._look_for_hosts = False  # before the store is asked: what is saved meanwhile may add hosts it did not see
        room = self._size - len(self.lines)
        states = await self._store.due_hosts(self._crawl, now=now, limit=max(1, room), apart=self.lines)
        self._others_wait = room <= 0 and bool(states)
        if self._others_wait:
            self._hungry |= dict.fromkeys(self.lines.values())
        elif states:
            for line in await asyncio.to_thread(self._admission.lines, states):
                self._take_up(line)
            self._look_for_hosts |= len(states) == room
        self.due_in_store = await self._store.next_due_at(self._crawl, now=now, apart=self.lines)

    def _take_up(self, line: HostLine) -> None:
        self.lines[line.host.id] = self.by_name[line.host.name] = line
        if (visited_at := self._visited.pop(line.host.name, None)) is not None:
            line.host.clock.park(visited_at + line.host.clock.delay)
        self._hungry[line] = None

    async def _claim(self, now: float) -> list[HostLine]:
        hungry, self._hungry = [line for line in self._hungry if self.lines.get(line.host.id) is line], {}
        if self._others_wait:
            # Their turn is over, others wait for their places: they go as soon as what they hold is saved.
            for line in hungry:
                if line.may_leave(now):
                    self._let_go(line)
            return []
        hungry = [line for line in hungry if not line.waiting]
        wanted = {line.host.id: URLS_AT_ONCE for line in hungry}
        # Copies: what is saved while the claim runs was queued when it began, and must not be handed out again.
        held = {line.host.id: frozenset(line.held) for line in hungry}
        claimed = await self._store.claim(wanted, held, now=now)
        for line in hungry:
            line.add(claimed[line.host.id])
            if line.is_idle and line.next_due_at is None:
                self._let_go(line)
        return [line for line in hungry if self.lines.get(line.host.id) is line]

    def _let_go(self, line: HostLine) -> None:
        if not line.waiting and line.next_due_at is not None and line.host.clock.next_at < line.next_due_at:
            line.host.clock.park(line.next_due_at)
            self._news.add(line.host.id)
        if line.host.id in self._news or line.host.id in self._committing:
            self._leaving[line] = None  # not before it is remembered
            return
        del self.lines[line.host.id], self.by_name[line.host.name]
        self._turns.drop(line)
        self._look_for_hosts = True
