"""What a sitemap or a feed lists. Frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scraper.model.states import Kind


class Entry(NamedTuple):
    """A URL that a listing names, what it is to be asked for, and when it changed last (UTC seconds) if that is told.

    A plain tuple on purpose: a sitemap has up to 50,000 of them.
    """

    url: str
    lastmod: float | None = None
    kind: Kind = Kind.PAGE


@dataclass(frozen=True, slots=True)
class Listing:
    """A sitemap or a feed, read; its entries are distinct and in its order.

    `kind` tells which of the two. `bad` counts what should be a URL, but is none, or neither http nor https. `beyond`
    counts those over a limit, which are not looked at; one that is written like an entry is none of them. `note`
    tells why the listing was not read to its end.
    """

    kind: Kind
    entries: tuple[Entry, ...] = ()
    bad: int = 0
    beyond: int = 0
    note: str | None = None
