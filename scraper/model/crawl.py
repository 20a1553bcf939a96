"""What is kept of a crawl and of its hosts, and the accounting. Frozen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class CrawlState(StrEnum):
    """Where a crawl stands."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    LIMITED = "limited"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Crawl:
    """The persisted unit of work.

    `makers` stands for the rules and extractors of its last run. `epoch` names this run of it; a commit under an older
    one is refused. `round` is 1, and one more with every recrawl.
    """

    id: int
    name: str
    state: CrawlState
    seeds: tuple[str, ...]
    config: str
    started_at: float
    finished_at: float | None = None
    seed_count: int = 0
    digest: str = ""
    makers: str = ""
    epoch: int = 0
    round: int = 1
    continued: bool = False


@dataclass(frozen=True, slots=True)
class HostState:
    """What is remembered of a host between runs: its clock, its breaker, its robots.txt.

    `slowdown` is seconds on top of its delay; `requests` and `retries` count what it was asked. `spent` is what its
    budgets and the bounds on traps have used up, by name. `sitemaps` are those its robots.txt names and nobody stored.
    `breaker` is `closed`, `open` or `down`. `robots_status` is the HTTP status or the reason as text, None if never
    asked; `robots_text` the file if there was one.
    """

    host: str
    id: int = 0
    next_at: float = 0.0
    crawl_delay: float | None = None
    breaker: str = "closed"
    failures: int = 0
    openings: int = 0
    robots_status: str | None = None
    robots_text: str | None = None
    robots_expires_at: float = 0.0
    queued: int = 0
    slowdown: float = 0.0
    requests: int = 0
    retries: int = 0
    spent: tuple[tuple[str, int], ...] = ()
    sitemaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """The accounting of a crawl. `discovered` is counted on its own, so that `holds` is a check and not a tautology.

    `listings` are the sitemaps and feeds among the fetched. The last four are what a recrawl found of pages: new ones
    and, of those it knew, how they are now.
    """

    discovered: int = 0
    queued: int = 0
    fetched: int = 0
    redirected: int = 0
    skipped: int = 0
    failed: int = 0
    records: int = 0
    beyond_depth: int = 0
    listings: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    vanished: int = 0

    @property
    def holds(self) -> bool:
        """Is every discovered URL in exactly one state?"""
        return self.discovered == self.queued + self.fetched + self.redirected + self.skipped + self.failed

    @property
    def asked(self) -> int:
        """The pages that a recrawl has asked for so far and got."""
        return self.new + self.changed + self.unchanged

    @property
    def pages(self) -> int:
        """The pages among the fetched."""
        return self.fetched - self.listings
