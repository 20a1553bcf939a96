"""What travels the line: a URL claimed, its response, what the parse made of it, the outcome. Frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scraper.model.states import Kind, Reason, UrlState, Verdict


class Link(NamedTuple):
    """A link found on a page: canonical URL, host and key computed, and the verdict on it if it is not to be crawled.

    `follow` marks those that a rule follows from page to page of a list, without counting depth. `lastmod` is what a
    sitemap says of it (UTC seconds). `generation` counts the pages in a row, each found on the one before, whose URLs
    have the shape of this one. Of greater `priority` it goes before the others of its host.
    A plain tuple on purpose: a page has a hundred of them, and they cross a process boundary.
    """

    url: str
    host: str
    key: bytes
    text: str = ""
    rel: str = ""
    verdict: Verdict | None = None
    follow: bool = False
    kind: str = "page"
    lastmod: float | None = None
    generation: int = 0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class CrawlUrl:
    """A URL claimed from the frontier.

    `url` is canonical and the one fetched; `host` its politeness key (an origin); `id` its row in the store.
    `attempts` counts the attempts charged so far, `tried_at` is the moment of the first (UTC seconds). `via` holds the
    redirecting URLs that led here, oldest first. `seed` marks depth 0 and the redirect targets of seeds.
    `due_at` and `rank` are its place in its host's queue. `etag`, `last_modified` and `content_hash` are those of the
    page that is stored of it, to tell whether it has changed; the hash is empty if it is to be made anew in any case.
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
    generation: int = 0
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What came over the wire for one request; `body` is decoded (content codings removed) and whole.

    `headers` keep the server's order, names lower-cased. `attempts` counts the requests it took. `elapsed_ms` is from
    the start of the request to the end of the body. `note` tells an oddity, such as a body without a length.
    """

    url: str
    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # cookies may be among them
    body: bytes = field(default=b"", repr=False)
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
    wrong in one of them. `canonical` is the URL that the page calls its own. `fingerprint` is that of
    the text, for pages whose URL has a shape that others may have (see `traps`).
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
    canonical: str | None = None
    fingerprint: bytes = b""


@dataclass(frozen=True, slots=True)
class Visit:
    """The outcome of one URL. `state` queued means: given back, to be asked again at `due_at`.

    `found` are the links to add to the crawl, already judged, without those that this run has added before;
    `beyond_depth` counts those not added for their depth.
    `root` is a scope root that this visit adds (a seed redirected to another host). `kind` is what the URL turned out
    to be, None if that is as before. `spent` names what it uses up of its host's budgets.
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
    kind: Kind | None = None
    spent: tuple[str, ...] = ()

    @property
    def is_listing(self) -> bool:
        """Did the URL turn out to be a sitemap or a feed?"""
        return self.kind is not None and self.kind is not Kind.PAGE

    @property
    def is_unchanged(self) -> bool:
        """Is the page as it is stored already? Then nothing of it is stored anew."""
        return self.page is not None and self.page.content_hash == self.url.content_hash

    @property
    def records(self) -> tuple[Record, ...]:
        """What rules and extractors made of the page."""
        return self.page.records if self.page is not None else ()
