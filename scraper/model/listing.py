"""What a sitemap or a feed lists. Frozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scraper.model.states import Kind


class Entry(NamedTuple):
    """A URL in a listing: canonical; when it was last changed, as far as the listing says (UTC seconds)."""

    url: str
    lastmod: float | None = None
    kind: Kind = Kind.PAGE


@dataclass(frozen=True, slots=True)
class Listing:
    """The URLs of a sitemap or a feed, distinct and in its order.

    `bad` counts entries that are no web URL, `beyond` those over what a listing may have; `note` tells what was wrong
    with the file.
    """

    kind: Kind
    entries: tuple[Entry, ...] = ()
    bad: int = 0
    beyond: int = 0
    note: str | None = None
