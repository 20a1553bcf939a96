"""What became of a URL: answers, failures and redirects turned into visits. Pure; expected outcomes are values."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scraper import urls
from scraper.errors import BreakerOpen, FetchError, ParseError, RetryLater, UrlError
from scraper.model import CrawlUrl, Entry, Kind, Link, Listing, ParsedPage, Reason, Response, UrlState, Verdict, Visit
from scraper.scope import Patterns, Scope
from scraper.traps import next_generation, shape

News = Callable[[Iterable[Link]], tuple[Link, ...]]  # judges links, leaves out those that are in line already
MANY_LINKS = 10_000  # taken of one page; more are a trap or a mistake
LONGEST_CHAIN = 10  # redirects from the first URL to the last
# Listings in a row: an index may name sitemaps, and these are to be no indexes again; a feed's archive has pages.
DEEPEST = {Kind.PAGE: 0, Kind.SITEMAP: 2, Kind.FEED: 100, Kind.ROBOTS: 0}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
NOT_MODIFIED = 304


def refused(url: CrawlUrl, verdict: Verdict) -> Visit:
    """The URL is not asked at all."""
    return Visit(
        url, verdict.reason.state, verdict.reason, verdict.detail, attempts=url.attempts, tried_at=url.tried_at
    )


def given_back(url: CrawlUrl, why: RetryLater | BreakerOpen | None, now: float) -> Visit:
    """The URL is asked again later: after a failure, behind an open breaker, or because the workers were stopped."""
    if isinstance(why, RetryLater):
        cause = f"{why.cause.reason}: {why.cause.detail}"
        tried_at = url.tried_at if url.tried_at is not None else now
        return Visit(
            url, UrlState.QUEUED, None, cause, attempts=why.attempts, due_at=max(why.until, now), tried_at=tried_at
        )
    due_at = why.until if why is not None else now
    return Visit(url, UrlState.QUEUED, attempts=url.attempts, due_at=max(due_at, now), tried_at=url.tried_at)


def failed(url: CrawlUrl, error: FetchError, now: float) -> Visit:
    """No usable answer, and asking again is of no use."""
    tried_at = url.tried_at if url.tried_at is not None else now
    return Visit(url, error.reason.state, error.reason, error.detail, attempts=error.attempts, tried_at=tried_at)


def answered(url: CrawlUrl, response: Response, reason: Reason, detail: str) -> Visit:
    """An answer that is no page."""
    return Visit(url, reason.state, reason, detail, attempts=response.attempts, response=response)


def unparsed(url: CrawlUrl, response: Response, error: ParseError) -> Visit:
    """The page, a rule or an extractor failed."""
    return answered(url, response, Reason.PARSE, error.detail)


def unchanged(url: CrawlUrl, response: Response) -> Visit:
    """The page is still as it is stored."""
    return Visit(url, UrlState.FETCHED, None, "304 Not Modified", attempts=response.attempts, response=response)


def redirected(url: CrawlUrl, response: Response, patterns: Patterns, scope: Scope) -> Visit:
    """The URL ends here; its target enters the frontier like a link, and a seed's target counts as a seed."""
    location = response.header("location") or ""
    try:
        found = urls.canonical(location, url.url) if location else ""
    except UrlError as error:
        return answered(url, response, Reason.PROTOCOL, f"{response.status} to what {error.why}")
    if not found:
        return answered(url, response, Reason.PROTOCOL, f"{response.status} without a Location")
    chain = (*url.via, url.url)
    target = patterns.stripped(found)
    if target in chain:
        target = found  # the server insists on what we take for ballast
    if target in chain or len(chain) > LONGEST_CHAIN:
        why = f"leads back to {target}" if target in chain else f"more than {LONGEST_CHAIN} redirects"
        return Visit(
            url,
            UrlState.FAILED,
            Reason.REDIRECT_LOOP,
            why,
            attempts=response.attempts,
            response=response,
            redirect_to=target,
        )
    host = urls.host(target)
    verdict = patterns.judge(target)
    is_page = url.kind is Kind.PAGE
    root = scope.root_of(target) if url.seed and is_page and verdict is None else None
    if verdict is None and root is None and is_page:
        verdict = scope.judge(target, host)
    link = Link(target, host, urls.key(target), verdict=verdict, kind=url.kind, generation=url.generation)
    return Visit(
        url, UrlState.REDIRECTED, None, str(response.status), attempts=response.attempts, response=response,
        redirect_to=target, found=(link,), root=root,
    )  # fmt: skip


def fetched(
    url: CrawlUrl, response: Response, page: ParsedPage, news: News, *, depth: int, obey_noindex: bool
) -> Visit:
    """A page, and the links to follow from it; at the depth limit only those that do not count.

    One on which a rule or an extractor failed is kept, with its links and what the others made, and counts as failed.
    """
    links = page.links if url.depth < depth else [link for link in page.links if link.follow]
    found, beyond = news(links), len(page.links) - len(links)
    if page.noindex and obey_noindex:
        return Visit(
            url, UrlState.SKIPPED, Reason.ROBOTS, "noindex", attempts=response.attempts, response=response,
            found=found, beyond_depth=beyond,
        )  # fmt: skip
    if page.failure is not None:
        return Visit(
            url, UrlState.FAILED, Reason.PARSE, page.failure, attempts=response.attempts, response=response,
            page=page, found=found, beyond_depth=beyond,
        )  # fmt: skip
    return Visit(
        url, UrlState.FETCHED, None, _oddities(response, page), attempts=response.attempts, response=response,
        page=page, found=found, beyond_depth=beyond,
    )  # fmt: skip


def listed(url: CrawlUrl, response: Response, listing: Listing, found: Iterable[Link]) -> Visit:
    """A sitemap or a feed; what it names enters the frontier beside it."""
    return Visit(
        url, UrlState.FETCHED, None, _listing_notes(listing), attempts=response.attempts, response=response,
        found=tuple(found), kind=listing.kind,
    )  # fmt: skip


def entered(entry: Entry, listing: CrawlUrl, patterns: Patterns, scope: Scope) -> Link:
    """An entry of a listing, judged like any link; listings in listings are followed only so deep.

    A sitemap that an index names on its own host need not be in scope: robots.txt may point to another host for it
    (https://www.sitemaps.org/protocol.html#sitemaps_cross_submits).
    """
    target = patterns.stripped(entry.url)
    own = urls.host(target)
    verdict = patterns.judge(target)
    if verdict is None and (entry.kind is Kind.PAGE or own != listing.host):
        verdict = scope.judge(target, own)
    nested = 0 if entry.kind is Kind.PAGE else listing.generation + 1
    if verdict is None and nested > DEEPEST[entry.kind]:
        verdict = Verdict(Reason.TRAP, f"{nested} of kind {entry.kind}, each named by the one before")
    return Link(
        target, own, urls.key(target), verdict=verdict, kind=entry.kind, lastmod=entry.lastmod,
        priority=patterns.priority(target), generation=nested,
    )  # fmt: skip


class Judge:
    """Judges the links of one page that have no verdict: by the scope, and where they stand among others.

    `is_copy` says that the page is like another whose URL has the same shape. `varies` says that there may be others of
    its shape: else every link has a shape of its own.
    """

    def __init__(self, page: CrawlUrl, patterns: Patterns, scope: Scope, *, varies: bool, is_copy: bool) -> None:
        self._patterns = patterns
        self._scope = scope
        self._generation = page.generation
        self._is_copy = is_copy
        self._may_grow = varies or is_copy
        self._shape = shape(page.url) if self._may_grow else ""

    def __call__(self, link: Link) -> Link:
        """Return the link with its verdict, or with its generation and priority."""
        verdict = self._scope.judge(link.url, link.host)
        if verdict is not None:
            return link._replace(verdict=verdict)
        if self._patterns.prefer and (priority := self._patterns.priority(link.url)):
            link = link._replace(priority=priority)
        if self._may_grow and not link.follow:
            form = shape(link.url)
            generation = next_generation(form, self._shape, self._generation, copy=self._is_copy)
            return link._replace(generation=generation) if generation else link
        return link


def _listing_notes(listing: Listing) -> str:
    notes = [f"{len(listing.entries)} URLs"]
    if listing.bad:
        notes.append(f"{listing.bad} entries that are no URL")
    if listing.beyond:
        notes.append(f"{listing.beyond} more than a {listing.kind} may have")
    if listing.note:
        notes.append(listing.note)
    return "; ".join(notes)


def _oddities(response: Response, page: ParsedPage) -> str | None:
    notes = [response.note] if response.note else []
    if page.replacements:
        notes.append(f"{page.replacements} characters could not be decoded as {page.charset}")
    if len(page.links) >= MANY_LINKS and page.bad_links:
        notes.append(f"{page.bad_links} links more than the {len(page.links)} that were taken")
    return "; ".join(notes) or None
