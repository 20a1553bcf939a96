"""Where a page leads without an anchor: by the headers Link and Refresh, by `<link>`, by a refresh in a `<meta>`.

Headers are relative to the page's own URL (RFC 8288, section 3.2), what stands in the page to its `<base href>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from scraper.model import Kind
from scraper.parse.links import base_of
from scraper.parse.outline import Outline, Pointer, Relation
from scraper.parse.plain import clean
from scraper.parse.refresh import refresh_target
from scraper.parse.relations import from_header

MOST = 1_000  # of a header, of the page's `<link>`s, of its refreshes; those beyond are not looked at
SYNDICATED = frozenset({"application/rss+xml", "application/atom+xml", "application/rdf+xml"})  # feeds in XML

_LEADING = frozenset({"next", "prev", "canonical"})
_OTHERWISE = frozenset({"stylesheet", "icon", "manifest", "amphtml"})  # beside `alternate`: no version of the page
_PAGES = frozenset({"", "text/html", "application/xhtml+xml"})


def pointers(outline: Outline, headers: Mapping[str, str], url: str, *, feeds: bool) -> Iterator[Pointer]:
    """Yield where the page at `url` points, headers first; `headers` by lower-case name, joined by commas.

    Versions of the page in another language or for another medium are pages; its feeds are left out without `feeds`.
    A refresh is `refresh` for its rel.
    """
    if link := headers.get("link"):
        yield from _related(from_header(link, url), url, feeds=feeds)
    if refresh := headers.get("refresh"):
        yield from _refreshed([clean(refresh)], url)
    if outline.relations or outline.refreshes:
        base = base_of(outline, url)
        yield from _related(outline.relations, base, feeds=feeds)
        yield from _refreshed(outline.refreshes, base)


def _related(relations: Iterable[Relation], base: str, *, feeds: bool) -> Iterator[Pointer]:
    for one in islice(relations, MOST):
        kind = _kind(one)
        if kind is Kind.PAGE or (kind is Kind.FEED and feeds):
            yield Pointer(one.href, base, " ".join(sorted(one.rel)), kind.value)


def _refreshed(contents: Iterable[str], base: str) -> Iterator[Pointer]:
    """A browser obeys the first that it can; what the others name may well be a page that no anchor leads to."""
    for content in islice(contents, MOST):
        if target := refresh_target(content):
            yield Pointer(target, base, "refresh")


def _kind(one: Relation) -> Kind | None:
    """Tell what the target of a relation is asked for; None if it is not followed."""
    if not _LEADING.isdisjoint(one.rel):
        return Kind.PAGE
    if "alternate" not in one.rel or not _OTHERWISE.isdisjoint(one.rel):
        return None
    if one.type in _PAGES:
        return Kind.PAGE
    return Kind.FEED if one.type in SYNDICATED else None
