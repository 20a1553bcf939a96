"""Is this body a sitemap or a feed, and what does it name? Bytes in, entries out; pure, streamed, memory bounded.

What it is is told by what is in it, never by its name: gzip by its magic, XML by the root element, and plain text (one
URL a line, https://www.sitemaps.org/protocol.html#otherformats) by its first line, where its type says no better.
Whatever the bytes, nothing is raised, and what could be read counts.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from scraper.model import Entry, Kind, Listing
from scraper.parse.charset import codec
from scraper.parse.listing import MOST_ENTRIES, Found, canonical_or_none
from scraper.parse.listing_xml import ListingXml
from scraper.parse.markup import tokens
from scraper.parse.unpacked import Unpacked

MOST_PARTS = 2_000_000  # tags or lines, which take some 3 s; an honest 50 MiB has half of that
LONGEST_LINE = 16 * 1024  # characters; no URL is as long
HEAD = 1024  # bytes in which an encoding is declared

# Types that a list of URLs may have; one in gzip may have any, for no page is in gzip.
_TEXT = frozenset({"", "text/plain", "application/octet-stream", "binary/octet-stream"})
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?\bencoding\s*=\s*["']([^"'>]{1,40})["']""")


def read_listing(body: bytes, url: str, content_type: str = "", *, limit: int = MOST_ENTRIES) -> Listing | None:
    """Return what a sitemap or a feed fetched from `url` names, at most `limit` entries; None if it is neither.

    `content_type` is the HTTP header's value, or the media type alone. What is not read for its size or a fault is told
    in the listing's `note`.
    """
    source = Unpacked(body)
    texts = _decoded(source.pieces())
    first = next((text for piece in texts if (text := piece.lstrip())), "")
    found = Found(url, limit)
    if first.startswith("<"):
        reader, parts = ListingXml(found), tokens(chain([first], texts))
        missing = reader.read(islice(parts, MOST_PARTS))
        return None if reader.kind is None else found.listing(reader.kind, source.note or _left_out(parts) or missing)
    if source.is_gzip or content_type.partition(";")[0].strip().lower() in _TEXT:
        lines = _lines(chain([first], texts), source)
        if _read_lines(islice(lines, MOST_PARTS), found):
            return found.listing(Kind.SITEMAP, source.note or _left_out(lines))
    return None


def plain(listing: Listing | None) -> tuple[Any, ...]:
    """Return a listing as few plain values, which cross a process boundary in little time; nothing for none."""
    if listing is None:
        return ()
    urls, moments, kinds = zip(*listing.entries, strict=True) if listing.entries else ((), (), ())
    others = {place: str(kind) for place, kind in enumerate(kinds) if kind is not Kind.PAGE}
    return str(listing.kind), "\n".join(urls), moments, others, listing.bad, listing.beyond, listing.note


def as_listing(values: tuple[Any, ...]) -> Listing | None:
    """Return the Listing of what `plain` returned."""
    if not values:
        return None
    kind, urls, moments, others, bad, beyond, note = values
    entries = list(map(Entry, urls.split("\n"), moments))
    for place, name in others.items():
        entries[place] = entries[place]._replace(kind=Kind(name))
    return Listing(Kind(kind), tuple(entries), bad, beyond, note)


def _left_out(parts: Iterator[object]) -> str | None:
    return None if next(parts, None) is None else f"read up to {MOST_PARTS} tags or lines, the rest is left out"


def _decoded(pieces: Iterator[bytes]) -> Iterator[str]:
    """Yield text; bytes that its encoding lacks are U+FFFD."""
    head = b""
    while len(head) < HEAD and (piece := next(pieces, None)) is not None:
        head += piece
    mark, name = _encoding(head)
    decoder = codecs.getincrementaldecoder(name)("replace")
    for piece in chain([head[len(mark) :]], pieces):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _encoding(head: bytes) -> tuple[bytes, str]:
    """Return a body's byte order mark, and the codec it is in: UTF-8 if none is told (XML 1.0, section 4.3.3)."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return mark, name
    if head[:2] in {b"<\0", b"\0<"}:
        return b"", "utf-16-le" if head.startswith(b"<") else "utf-16-be"
    declared = _DECLARED.match(head[:HEAD])
    name = (codec(declared[1].decode("ascii", "replace")) if declared else None) or "utf-8"
    return b"", "utf-8" if name.startswith("utf-16") else name  # that could not have been read up to here


def _lines(texts: Iterable[str], source: Unpacked) -> Iterator[str]:
    """Yield the lines of a text, of a long one only its beginning; not the last one if it may be half a line."""
    rest = ""
    for text in texts:
        first, *others = text.replace("\r", "\n").split("\n")
        rest = (rest + first)[:LONGEST_LINE]
        for line in others:
            yield rest
            rest = line[:LONGEST_LINE]
    if source.note is None:
        yield rest


def _read_lines(lines: Iterator[str], found: Found) -> bool:
    """Read a list of URLs, in which `#` begins a comment; False if it is none, which its first line shows."""
    written = (line for line in map(str.strip, lines) if line and not line.startswith("#"))
    first = next(written, "")
    if not _is_url(first) or len(first.split()) > 1:
        return False
    for line in chain([first], written):
        if _is_web(line):
            found.add(line)
        else:
            found.bad += 1
    return True


def _is_url(line: str) -> bool:
    return _is_web(line) and canonical_or_none(line, line) is not None


def _is_web(line: str) -> bool:
    return line[:8].lower().startswith(("http://", "https://"))
