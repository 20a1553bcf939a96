"""What a sitemap or a feed names: pages and further sitemaps, distinct, canonical, in document order, and no more."""

from __future__ import annotations

from scraper.errors import UrlError
from scraper.model import Entry, Kind, Listing
from scraper.urls import canonical, is_web

MOST_ENTRIES = 50_000  # of one listing; the protocol's limit (https://www.sitemaps.org/protocol.html#index)
MOST_CHARACTERS = 16 * 1024 * 1024  # of them together: with a long `xml:base` each short text means a long URL
_MAY_LIST = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
MOST_LOOKED_AT = 4 * MOST_ENTRIES  # texts that are no URL or an odd spelling of a known one take their time too


class Found:
    """What has been found so far in a listing at `url`, at most `limit` entries."""

    def __init__(self, url: str, limit: int) -> None:
        self.url = url
        self.bad = 0
        self.beyond = 0
        self._limit = limit
        self._left = MOST_CHARACTERS
        self._looked_at = 0
        self._entries: dict[str, Entry] = {}

    def add(self, text: str, lastmod: float | None = None, kind: Kind = Kind.PAGE, base: str | None = None) -> None:
        """Take what should be a URL, joined to `base` if given, else to the listing's own."""
        url: str | None = text
        known = self._entries.get(text)  # most are written as they are kept
        if known is None:
            if len(self._entries) >= self._limit or self._looked_at >= MOST_LOOKED_AT or self._left < 0:
                self.beyond += 1
                return
            self._looked_at += 1
            url = canonical_or_none(text, base or self.url)
            known = None if url is None else self._entries.get(url)
        if url is None:
            self.bad += 1
        elif known is None:
            self._left -= len(url)
            self._entries[url] = Entry(url, lastmod, kind)
        elif known.lastmod is None and lastmod is not None:  # first named as another's alternate
            self._entries[url] = known._replace(lastmod=lastmod)

    def listing(self, kind: Kind, note: str | None) -> Listing:
        """Return all of it."""
        return Listing(kind, tuple(self._entries.values()), self.bad, self.beyond, note)


def may_list(content_type: str) -> bool:
    """May a body of this media type be a sitemap or a feed? Its content tells, for servers call them what they like."""
    return content_type in _MAY_LIST or content_type.endswith(("/xml", "+xml", "gzip"))


def canonical_or_none(text: str, base: str) -> str | None:
    """The canonical http or https URL of a text; None if it is none.

    No text is no URL, though a browser would take it as the base. U+FFFD stands for what could not be read: a URL
    around such a hole would be another one.
    """
    if not text or text.isspace() or "\ufffd" in text:
        return None
    try:
        url = canonical(text, base)
    except UrlError:
        return None
    return url if is_web(url) else None
