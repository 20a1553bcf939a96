"""Entries of a listing in XML: sitemap, sitemap index, RSS 0.9 to 2.0 and Atom, whatever their namespaces.

Sitemaps: https://www.sitemaps.org/protocol.html. RSS: https://www.rssboard.org/rss-specification. Atom: RFC 4287.
Feeds in pages: RFC 5005. Elements are known by their local names, and those of an entry by standing in it directly:
the `loc` of an image is no page.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from scraper.model import Kind
from scraper.parse.listing import Found, canonical_or_none
from scraper.parse.markup import Token, attributes
from scraper.parse.moments import moment

DEEPEST = 64  # open elements of an entry; of what is deeper nothing is wanted
LONGEST_TEXT = 16 * 1024  # characters of an element; no URL is as long
MOST_LINKS = 1000  # of one entry of a sitemap; each language of a page is one

# The elements that hold what a listing names, by its root.
_ENTRIES = {
    "urlset": frozenset({"url", "sitemap"}),
    "sitemapindex": frozenset({"url", "sitemap"}),
    "rss": frozenset({"item"}),
    "rdf": frozenset({"item"}),
    "feed": frozenset({"entry"}),
}
_SITEMAPS = frozenset({"urlset", "sitemapindex"})
_CHANNELS = frozenset({"feed", "channel"})
# Elements of an entry that hold text alone; the dates from the one that is believed first.
_DATES = ("lastmod", "updated", "modified", "pubdate", "date", "published", "issued", "created")
_FIELDS = frozenset({"loc", "link", "guid", *_DATES})
# What a link of a feed's entry may be, besides a page about that entry.
_NO_PAGE = frozenset({
    *("self", "edit", "edit-media", "enclosure", "hub", "license", "replies", "next", "prev", "previous", "first"),
    *("last", "up", "collection", "search", "service", "payment", "icon", "stylesheet", "preview"),
})  # fmt: skip
_HTML = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(slots=True)
class _Entry:
    """An entry that is being read."""

    name: str
    prefix: str
    base: str
    locations: list[str] = field(default_factory=list)
    alternates: list[str] = field(default_factory=list)
    links: dict[int, str] = field(default_factory=dict)  # the first of each rank; the lowest is the page
    dates: dict[str, str] = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)  # names of the open elements
    straight: str = ""  # text in no element of it
    text: list[str] = field(default_factory=list)  # of the open field
    attributes: dict[str, str] = field(default_factory=dict)  # of the open field
    field: str = ""
    size: int = 0
    dropped: int = 0


class ListingXml:
    """Reads tags into what was found; `root` is the document's first element, once there is one."""

    def __init__(self, found: Found) -> None:
        self.root = ""
        self._found = found
        self._base = found.url
        self._outside: list[str] = []  # names of the open elements that no entry holds
        self._entry: _Entry | None = None
        self._names: frozenset[str] = frozenset()  # of its entries
        self._has_channel = False

    @property
    def kind(self) -> Kind | None:
        """What was read; None if it was none: other things than RSS 1.0 are written in RDF too."""
        if not self._names or (self.root == "rdf" and not self._has_channel):
            return None
        return Kind.SITEMAP if self.root in _SITEMAPS else Kind.FEED

    def read(self, tokens: Iterable[Token]) -> str | None:
        """Read all of a listing, or up to its root if it is none; return what is missing at its end."""
        for tag, written, text in tokens:
            if tag[:1] == "/":
                self._end(_split(tag)[1])
            elif tag:
                prefix, name = _split(tag)
                if not self.root:
                    self.root, self._names = name, _ENTRIES.get(name, frozenset())
                    self._base = self._joined(attributes(written), self._base)
                    if not self._names:
                        return None
                self._start(prefix, name, written)
                if written.endswith("/"):
                    self._end(name)
            if text and (entry := self._entry) is not None and (entry.field or not entry.inside):
                _take_text(entry, text)
        return self._finish()

    def _start(self, prefix: str, name: str, written: str) -> None:
        if name in self._names:
            self._close_entry()
            base = self._joined(attributes(written), self._base) if "base" in written else self._base
            self._entry = _Entry(name, prefix, base)
        elif self._entry is not None:
            self._start_inside(self._entry, prefix, name, written)
        else:
            self._has_channel |= name == "channel"
            if name == "link" and self._outside and self._outside[-1] in _CHANNELS:
                self._next_feed(attributes(written))
            if len(self._outside) < DEEPEST:
                self._outside.append(name)

    def _start_inside(self, entry: _Entry, prefix: str, name: str, written: str) -> None:
        if entry.field:  # which holds text alone: its end tag is missing
            self._end_field(entry)
        if not entry.inside and name in _FIELDS:
            told = attributes(written) if name in {"link", "guid"} else {}
            if name == "link" and "href" in told:
                self._link(entry, told)
            elif name != "loc" or prefix == entry.prefix:
                entry.field, entry.attributes, entry.text, entry.size = name, told, [], 0
        if len(entry.inside) < DEEPEST:
            entry.inside.append(name)

    def _link(self, entry: _Entry, told: dict[str, str]) -> None:
        """Take an Atom link, or an XHTML one of a sitemap: those tell where the page stands in other languages."""
        rel = told.get("rel", "alternate").lower().split()
        if self.root in _SITEMAPS:
            if "alternate" in rel:
                _keep(entry, entry.alternates, told["href"])
            return
        if "alternate" in rel:
            rank = 1 if told.get("type", "").partition(";")[0].strip().lower() in _HTML else 2
        else:
            rank = 3
        if rank < 3 or _NO_PAGE.isdisjoint(rel):
            href = told["href"].strip()
            base = self._joined(told, entry.base)
            entry.links.setdefault(rank, href if base == entry.base else canonical_or_none(href, base) or href)

    def _next_feed(self, told: dict[str, str]) -> None:
        if "next" in told.get("rel", "").lower().split() and "href" in told:
            self._found.add(told["href"], kind=Kind.FEED, base=self._joined(told, self._base))

    def _end(self, name: str) -> None:
        entry = self._entry
        if entry is not None:
            if name in entry.inside:  # with those in it that were not ended
                if entry.field:
                    self._end_field(entry)
                _pop(entry.inside, name)
                return
            if name != entry.name and name not in self._outside:
                return
            self._close_entry()
        _pop(self._outside, name)

    def _end_field(self, entry: _Entry) -> None:
        text = "".join(entry.text).strip()
        if entry.field == "loc":
            _keep(entry, entry.locations, text)
        elif entry.field == "link":
            if text and self.root not in _SITEMAPS:
                entry.links.setdefault(0, text)
        elif entry.field == "guid":
            self._guid(entry, text)
        elif text:
            entry.dates.setdefault(entry.field, text)
        entry.inside.pop()
        entry.field, entry.text, entry.size = "", [], 0

    def _guid(self, entry: _Entry, text: str) -> None:
        """Take a guid: a URL unless it says that it is not. One that says so, but is spelled as one, comes last."""
        if text.lower().startswith(("http://", "https://")):
            entry.links.setdefault(4, text)
        elif text and entry.attributes.get("ispermalink", "true").strip().lower() != "false":
            entry.links.setdefault(5, "")  # not joined to anything: it would be a URL of our own making

    def _close_entry(self) -> None:
        entry, self._entry = self._entry, None
        if entry is None:
            return
        if entry.field:
            self._end_field(entry)
        lastmod = next((at for name in _DATES if (at := moment(entry.dates.get(name, ""))) is not None), None)
        if self.root not in _SITEMAPS:
            if entry.links:
                self._found.add(entry.links[min(entry.links)], lastmod, base=entry.base)
            return
        if not entry.locations and not entry.alternates:
            entry.locations.append(entry.straight)
        kind = Kind.SITEMAP if entry.name == "sitemap" else Kind.PAGE
        for url in entry.locations:
            self._found.add(url, lastmod, kind, entry.base)
        for url in entry.alternates:
            self._found.add(url, base=entry.base)
        self._found.beyond += entry.dropped

    def _finish(self) -> str | None:
        """End what is open: a field may be half of what it was to be, so it is none."""
        if self._entry is not None:
            self._found.bad += self._entry.field in {"loc", "link"}
            self._entry.field = ""
            if self._entry.locations or self._entry.links or self._entry.alternates:
                self._close_entry()
        elif self.root not in self._outside:
            return None
        return f"ends before its <{self.root}> does"

    def _joined(self, told: dict[str, str], base: str) -> str:
        """The base that an element's `xml:base` makes of another (https://www.w3.org/TR/xmlbase/)."""
        return canonical_or_none(told.get("xml:base", ""), base) or base


@lru_cache(maxsize=256)
def _split(tag: str) -> tuple[str, str]:
    """Return prefix and local name."""
    prefix, _, name = tag.removeprefix("/").rpartition(":")
    return prefix, name.lower()


def _keep(entry: _Entry, urls: list[str], text: str) -> None:
    if len(urls) < MOST_LINKS:
        urls.append(text)
    else:
        entry.dropped += 1


def _pop(names: list[str], name: str) -> None:
    """End the innermost element of this name, with those in it that were not ended."""
    if name in names:
        del names[len(names) - 1 - names[::-1].index(name) :]


def _take_text(entry: _Entry, text: str) -> None:
    """Take the text of a field, or what stands straight in the entry: in a sitemap index, that is the URL for some."""
    if not entry.field:
        if entry.name == "sitemap" and len(entry.straight) <= LONGEST_TEXT:
            entry.straight = (entry.straight + text[:LONGEST_TEXT]).strip()
        return
    if not entry.text:
        text = text.lstrip()
    if text and entry.size <= LONGEST_TEXT:
        entry.text.append(text[:LONGEST_TEXT])
        entry.size += len(text)
