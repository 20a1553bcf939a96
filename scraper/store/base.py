"""What a store must do: a short list of operations, one implementation per database, one suite of tests for all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from scraper.model import Crawl, CrawlState, CrawlUrl, HostState, Link, Record, Tally, Visit

LONGEST_WAIT = 3600.0  # seconds that a host or a URL may wait when a crawl goes on
HEARTBEAT = 4.0  # seconds between signs of life
IsDue = Callable[[str, float], bool]  # of a page's URL and the moment (UTC seconds) at which it was last asked


@dataclass(frozen=True, slots=True)
class NewCrawl:
    """What a crawl is begun with; `seeds` are the first hundred, `digest` stands for all `seed_count` of them.

    `makers` stands for the rules and extractors that it is run with.
    """

    name: str
    config: str
    seeds: tuple[str, ...]
    seed_count: int
    digest: str
    makers: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a host's queue gave: URLs to ask now, whether there are more, and when the next deferred one is due."""

    urls: tuple[CrawlUrl, ...]
    more: bool
    next_due_at: float | None


class RuleTally(NamedTuple):
    """What a rule or an extractor came to: the pages it took, those of them without a record, the records."""

    rule: str
    pages: int = 0
    empty: int = 0
    records: int = 0


class StoredPage(NamedTuple):
    """A page as it is kept; `headers` without cookies, `body` is zstd, None if it was not kept."""

    id: int
    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class Remade(NamedTuple):
    """What rules made of a stored page anew, and which took it; `failure` tells why they could not."""

    page: StoredPage
    records: tuple[Record, ...] = ()
    matched: tuple[tuple[str, int], ...] = ()
    failure: str | None = None


class Extraction(NamedTuple):
    """How far rules have been run over a crawl's stored pages: up to the page `done_to`, `done` of all `pages`."""

    crawl: Crawl
    rules: tuple[str, ...]
    done_to: int
    done: int
    failed: int
    pages: int


class Store(Protocol):
    """Where crawls live. Moments are UTC seconds and come in as `now`.

    A claim is held in the memory of the one process that holds the crawl's lease: a process that dies has returned its
    claims by dying, and a resume costs nothing. What is claimed, and not yet completed, the caller names as `held`.
    """

    async def begin_crawl(
        self, new: NewCrawl, seeds: AsyncIterator[Sequence[Link]], roots: AsyncIterator[str] | None, *, now: float
    ) -> Crawl:
        """Create a crawl with all its seeds, or nothing at all, and take its lease."""

    async def begin_round(
        self,
        crawl: Crawl,
        new: NewCrawl,
        seeds: AsyncIterator[Sequence[Link]],
        roots: AsyncIterator[str] | None,
        is_due: IsDue,
        *,
        now: float,
    ) -> Crawl:
        """Begin a recrawl of a crawl whose lease is held: all that was asked before, of pages those that are due.

        Seeds that are new are added. Pages and records stay as they are until they are found changed. All of it or
        nothing at all. Raises LeaseLost.
        """

    async def take_crawl(
        self, crawl: Crawl, config: str, makers: str = "", *, now: float, longest_wait: float = LONGEST_WAIT
    ) -> Crawl:
        """Take the lease of an unfinished crawl, to go on with it. Raises StoreBusy while somebody else has it.

        A run of it in this process that is just being left is waited for. No host and no URL waits for longer than
        `longest_wait` seconds from now: the clock may have been set back.
        """

    async def find_crawl(self, crawl: str | None, *, unfinished: bool = False) -> Crawl:
        """Return the newest crawl of that name or number; None means the newest of all. Raises CrawlNotFound."""

    async def roots(self, crawl: Crawl) -> list[str]:
        """Return the crawl's scope roots."""

    async def host_names(self, crawl: Crawl) -> list[str]:
        """Return the hosts (`urls.host`) of all that was discovered, in the order in which they turned up."""

    async def host_due_at(self, crawl: Crawl, host: str) -> float:
        """Return when a host (`urls.host`) may be asked, as far as the store knows; 0 for one it has never heard of."""

    async def due_hosts(self, crawl: Crawl, *, now: float, limit: int, apart: Collection[int]) -> list[HostState]:
        """Return up to `limit` hosts with queued URLs that may be asked now, longest waiting first, without `apart`."""

    async def next_due_at(self, crawl: Crawl, *, now: float, apart: Collection[int]) -> float | None:
        """Return when the next host with queued URLs, not `apart`, may be asked; None if there is no such host."""

    async def claim(
        self, wanted: Mapping[int, int], held: Mapping[int, Collection[int]], *, now: float
    ) -> dict[int, Claimed]:
        """Return up to `wanted[host_id]` due URLs of each host that are not held: deferred ones first, then by rank."""

    async def complete(self, crawl: Crawl, visits: Sequence[Visit], hosts: Sequence[HostState], *, now: float) -> Tally:
        """Commit visits whole: pages, records, links, URL states, hosts' clocks. Return what was added to the tally.

        It runs to its end even if the caller is cancelled. Raises LeaseLost if another process took the crawl over.
        """

    async def renew(self, crawl: Crawl, *, now: float) -> None:
        """Give a sign of life. Raises LeaseLost."""

    async def tally(self, crawl: Crawl) -> Tally:
        """Return the accounting as kept in counters; costs the same for any number of URLs."""

    async def audit(self, crawl: Crawl) -> Tally:
        """Return the accounting as counted from the rows themselves; reads every one of them."""

    def in_use(self) -> AbstractAsyncContextManager[None]:
        """Use the store in this task: who closes it meanwhile cancels the task first and waits for its end."""

    async def end_crawl(self, crawl: Crawl, state: CrawlState, *, now: float) -> None:
        """Write how the crawl stands and give the lease back."""

    async def rule_tallies(self, crawl: Crawl) -> list[RuleTally]:
        """Return what each rule and extractor came to, by name."""

    async def begin_extraction(self, crawl: Crawl, rules: tuple[str, ...], digest: str, *, now: float) -> Extraction:
        """Take the crawl's lease to run rules over its pages; those of the same digest go on where they were.

        Raises StoreBusy while somebody runs the crawl or another extraction of it.
        """

    async def stored_pages(self, crawl: Crawl, *, after: int, limit: int) -> list[StoredPage]:
        """Return up to `limit` pages whose number is above `after`, in order."""

    async def replace_records(self, extraction: Extraction, pages: Sequence[Remade], *, now: float) -> None:
        """Commit what was made of pages, in the place of what these rules had made of them; a failed one keeps its own.

        Raises LeaseLost if another process took the crawl over.
        """

    async def end_extraction(self, extraction: Extraction, *, done: bool) -> None:
        """Give the lease back; what is not done can be gone on with."""
