"""The values that travel the line: what is asked for, what came back, what became of it. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class UrlState(StrEnum):
    """Where a discovered URL stands; `queued` is the only one that is not final."""

    QUEUED = "queued"
    FETCHED = "fetched"
    REDIRECTED = "redirected"
    SKIPPED = "skipped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a URL was skipped or failed: the closed list; the exact status or message stands beside it in `detail`."""

    ROBOTS = "robots"
    SCOPE = "scope"
    BUDGET = "budget"
    TRAP = "trap"
    SCHEME = "scheme"
    PRIVATE_ADDRESS = "private-address"
    CONTENT_TYPE = "content-type"
    NOFOLLOW = "nofollow"
    DUPLICATE = "duplicate"
    HTTP_4XX = "http-4xx"
    HTTP_5XX = "http-5xx"
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    BAD_ENCODING = "bad-encoding"
    PROTOCOL = "protocol"
    REDIRECT_LOOP = "redirect-loop"
    HOST_DOWN = "host-down"
    PARSE = "parse"

    @property
    def state(self) -> UrlState:
        """The state a URL with this reason ends in."""
        return UrlState.SKIPPED if self in _SKIPPING else UrlState.FAILED


_SKIPPING = frozenset({
    Reason.ROBOTS,
    Reason.SCOPE,
    Reason.BUDGET,
    Reason.TRAP,
    Reason.SCHEME,
    Reason.PRIVATE_ADDRESS,
    Reason.CONTENT_TYPE,
    Reason.NOFOLLOW,
    Reason.DUPLICATE,
})


class Kind(StrEnum):
    """What a URL is asked for; `robots` is the frontier's own request and never a row."""

    PAGE = "page"
    SITEMAP = "sitemap"
    FEED = "feed"
    ROBOTS = "robots"


class Verdict(NamedTuple):
    """Why a URL is not crawled."""

    reason: Reason
    detail: str | None = None


class Link(NamedTuple):
    """A link found on a page: canonical URL, host and key computed, and the verdict on it if it is not to be crawled.

    `follow` marks those that a rule follows from page to page of a list, without counting depth.
    A plain tuple on purpose: a page has a hundred of them, and they cross a process boundary.
    """

    url: str
    host: str
    key: bytes
    text: str = ""
    rel: str = ""
    verdict: Verdict | None = None
    follow: bool = False


@dataclass(frozen=True, slots=True)
class CrawlUrl:
    """A URL claimed from the frontier.

    `url` is canonical and the one fetched; `host` its politeness key (an origin); `id` its row in the store.
    `attempts` counts the attempts charged so far, `tried_at` is the moment of the first (UTC seconds). `via` holds the
    redirecting URLs that led here, oldest first. `seed` marks depth 0 and the redirect targets of seeds.
    `due_at` and `rank` are its place in its host's queue.
    """

    id: int
    url: str
    host: str
    kind: Kind = Kind.PAGE
    depth: int = 0
    seed: bool = False
    via: tuple[str, ...] = ()
    attempts: int = 0
    tried_at: float | None = None
    due_at: float = 0.0
    rank: int = 0
    host_id: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """What came over the wire for one request; `body` is decoded (content codings removed) and whole.

    `headers` keep the server's order, names lower-cased. `attempts` counts the requests it took. `elapsed_ms` is from
    the start of the request to the end of the body. `note` tells an oddity, such as a body without a length.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    elapsed_ms: float = 0.0
    fetched_at: float = 0.0
    attempts: int = 1
    note: str | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, by lower-case name."""
        return next((value for key, value in self.headers if key == name), None)

    def header_values(self, name: str) -> list[str]:
        """Every value of a header that may stand more than once."""
        return [value for key, value in self.headers if key == name]

    @property
    def content_type(self) -> str:
        """The media type, lower-cased and without parameters; empty if the server named none."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Record:
    """One thing extracted from a page; exists once per (crawl, URL, rule, position). `data` is a JSON object."""

    rule: str
    position: int
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """What the parse made of a response.

    `links` are distinct by URL, in document order. `bad_links` counts hrefs that are no URL. `body` is the body as
    stored (zstd), None if bodies are not kept. `content_hash` is the hex blake2b-16 of the decoded body. `noindex`
    tells that the page asks not to be kept (meta robots, X-Robots-Tag). `headings` are level, 1 to 6, and text.
    `matched` are the rules and extractors that took the page, and how many records each made; `failure` is what went
    wrong in one of them.
    """

    charset: str
    content_hash: str
    title: str | None = None
    description: str | None = None
    lang: str | None = None
    text: str = ""
    replacements: int = 0
    links: tuple[Link, ...] = ()
    bad_links: int = 0
    records: tuple[Record, ...] = ()
    body: bytes | None = None
    size: int = 0
    noindex: bool = False
    headings: tuple[tuple[int, str], ...] = ()
    matched: tuple[tuple[str, int], ...] = ()
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """The outcome of one URL. `state` queued means: given back, to be asked again at `due_at`.

    `found` are the links to add to the crawl, already judged, without those that this run has added before;
    `beyond_depth` counts those not added for their depth.
    `root` is a scope root that this visit adds (a seed redirected to another host).
    """

    url: CrawlUrl
    state: UrlState
    reason: Reason | None = None
    detail: str | None = None
    attempts: int = 0
    due_at: float = 0.0
    tried_at: float | None = None
    response: Response | None = None
    page: ParsedPage | None = None
    redirect_to: str | None = None
    found: tuple[Link, ...] = ()
    beyond_depth: int = 0
    root: str | None = None

    @property
    def records(self) -> tuple[Record, ...]:
        """What rules and extractors made of the page."""
        return self.page.records if self.page is not None else ()


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
    one is refused.
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
    continued: bool = False


@dataclass(frozen=True, slots=True)
class HostState:
    """What is remembered of a host between runs: its clock, its breaker, its robots.txt.

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


@dataclass(frozen=True, slots=True)
class Tally:
    """The accounting of a crawl. `discovered` is counted on its own, so that `holds` is a check and not a tautology."""

    discovered: int = 0
    queued: int = 0
    fetched: int = 0
    redirected: int = 0
    skipped: int = 0
    failed: int = 0
    records: int = 0
    beyond_depth: int = 0

    @property
    def holds(self) -> bool:
        """Is every discovered URL in exactly one state?"""
        return self.discovered == self.queued + self.fetched + self.redirected + self.skipped + self.failed
