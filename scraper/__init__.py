"""An async web scraper: crawls politely and fast, streams pages into SQLite, loses nothing when killed.

async with scraper.open("shop.db") as store:
    async for visit in scraper.crawl(["https://example.com/"], store=store, depth=2):
        print(visit.url.url, visit.state)
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # that of `typing` takes 8 ms, in which a Ctrl-C would be a traceback
if TYPE_CHECKING:
    from scraper.app import Extracting, Run, crawl, extract, resume, try_url
    from scraper.errors import ConfigError, QueryError, ScraperError, StoreError, UrlError
    from scraper.model import Reason, Record, UrlState, Visit
    from scraper.parse import Page, extractor, make_soup
    from scraper.store import open_sqlite as open  # noqa: A004 - the public name is scraper.open

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "Extracting",
    "Page",
    "QueryError",
    "Reason",
    "Record",
    "Run",
    "ScraperError",
    "StoreError",
    "UrlError",
    "UrlState",
    "Visit",
    "crawl",
    "extract",
    "extractor",
    "make_soup",
    "open",
    "resume",
    "try_url",
]

_PLACES = {
    **dict.fromkeys(("Extracting", "Run", "crawl", "extract", "resume", "try_url"), "scraper.app"),
    **dict.fromkeys(("ConfigError", "QueryError", "ScraperError", "StoreError", "UrlError"), "scraper.errors"),
    **dict.fromkeys(("Reason", "Record", "UrlState", "Visit"), "scraper.model"),
    **dict.fromkeys(("Page", "extractor", "make_soup"), "scraper.parse"),
}


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: the command line starts fast."""
    if name == "open":
        return importlib.import_module("scraper.store").open_sqlite
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
