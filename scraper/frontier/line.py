"""One host's line: its URLs in memory, those that wait for their turn and those that are out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from scraper.frontier.budget import Budget
from scraper.model import CrawlUrl, HostState, Kind, UrlState, Verdict, Visit
from scraper.politeness import Host
from scraper.store import Claimed

LONGEST_REST = 60.0  # seconds; a host that is not to be asked for longer gives its place to one that waits


class Handout(NamedTuple):
    """A URL whose turn it is; with a verdict it is not asked but ends by it."""

    url: CrawlUrl
    verdict: Verdict | None = None


@dataclass(slots=True, eq=False)
class HostLine:
    """A host and its URLs in memory: `waiting` to be handed out, `held` are all that were claimed and not yet saved.

    `next_due_at` is when the first deferred URL in the store comes due, None if there is none or that is not known.

    With `by_levels` a URL waits until all of lesser depth are saved. Else a page that answers late, or must be asked
    again, would have another lead to its links by a longer way, and what lies behind them would be cut off as too deep.
    """

    host: Host
    budget: Budget
    waiting: deque[CrawlUrl] = field(default_factory=deque)
    by_levels: bool = False
    held: dict[int, int] = field(default_factory=dict)  # number and depth
    deferred: dict[int, tuple[int, float]] = field(default_factory=dict)  # number, depth and when it comes due
    next_due_at: float | None = None
    sitemaps: tuple[str, ...] = ()  # named by robots.txt, to be stored with the next commit

    @property
    def is_idle(self) -> bool:
        """Is nothing of it in memory, out, or unsaved?"""
        return not self.held and not self.host.clock.running

    def may_leave(self, now: float) -> bool:
        """May others have its place? Nothing is out or unsaved, and nothing can be asked soon; what waits is queued."""
        if self.host.clock.running or len(self.held) > len(self.waiting):
            return False
        due_at = self.host.due_at(now)
        return not self.waiting or (due_at is not None and due_at > now + LONGEST_REST)

    def due_at(self, now: float) -> float | None:
        """When is its turn? None while that depends on something that is out, or on a claim."""
        due_at = self.host.due_at(now)
        if due_at is None or self.waiting:
            return due_at if self._bring_forward() else None
        return None if self.next_due_at is None else max(due_at, self.next_due_at)

    def _bring_forward(self) -> bool:
        """Put first what no budget holds; False if all that waits is held by what is out.

        A host in trouble is judged by a URL that was not tried yet, if there is one: others may fail by themselves.
        """
        free = (place for place, url in enumerate(self.waiting) if not self.budget.holds(url))
        first = next(free, None)
        if first is None:
            return not self.waiting
        if not self.host.is_well and self.waiting[first].attempts:
            first = next((place for place in free if not self.waiting[place].attempts), first)
        if first:
            url = self.waiting[first]
            del self.waiting[first]
            self.waiting.appendleft(url)
        return True

    def add(self, claimed: Claimed) -> None:
        """Take in what was claimed, but for what has to wait for a lesser depth: that stays in the store."""
        self.next_due_at = claimed.next_due_at
        depths = [*self.held.values(), *(depth for depth, _ in self.deferred.values())]
        level = min([*depths, *(url.depth for url in claimed.urls)], default=0)
        for url in claimed.urls:
            if url.id in self.deferred or not self.by_levels or url.depth <= level or url.rank < 0:
                self.waiting.append(url)
                self.held[url.id] = url.depth
                self.deferred.pop(url.id, None)
        if claimed.urls and not self.held and self.deferred:
            self.next_due_at = min(due_at for _, due_at in self.deferred.values())

    def save(self, visit: Visit) -> None:
        """End a claim; what was deferred is remembered, for the others wait for it."""
        self.held.pop(visit.url.id, None)
        if self.by_levels and visit.state is UrlState.QUEUED:
            self.deferred[visit.url.id] = (visit.url.depth, visit.due_at)
        self.next_due_at = None  # there may be an earlier one now

    def snapshot(self) -> HostState:
        """What must be remembered of the host; sitemaps that its robots.txt named go with it once."""
        state = self.host.snapshot()
        if self.sitemaps:
            state, self.sitemaps = replace(state, sitemaps=self.sitemaps), ()
        return state

    def hand_out(self, now: float) -> Handout:
        """Start a request: robots.txt if that must be asked first, else the URL that has waited longest."""
        self.host.clock.start(now)
        if not self.host.wants_robots(now):
            url = self.waiting.popleft()
            self.budget.begin(url)
            return Handout(url)
        name = self.host.name
        return Handout(CrawlUrl(0, f"{name}/robots.txt", name, Kind.ROBOTS, host_id=self.host.id))

    def cut(self) -> Handout | None:
        """Take out the URL whose turn it is, if the host's budgets are used up for it or it leads into a trap."""
        verdict = self.budget.verdict(self.waiting[0])
        return None if verdict is None else Handout(self.waiting.popleft(), verdict)

    def refuse(self, now: float) -> list[Handout]:
        """Take out of those that wait what needs no request, whatever the hour."""
        if self.host.wants_robots(now) and not self.host.is_down:
            return []
        judged = [Handout(url, self.host.judge(url.url)) for url in self.waiting]
        self.waiting = deque(url for url, verdict in judged if verdict is None)
        return [handout for handout in judged if handout.verdict is not None]
