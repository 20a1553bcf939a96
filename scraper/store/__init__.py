"""Where crawls live: the operations every store offers, and the stores."""

import importlib
from typing import TYPE_CHECKING

from scraper.store.lease import is_held
from scraper.store.migrate import APPLICATION_ID, newest
from scraper.store.schema import guard_schema, known_version, refuse_strangers, strange

if TYPE_CHECKING:
    from scraper.store.base import (
        HEARTBEAT,
        LONGEST_WAIT,
        Claimed,
        Extraction,
        IsDue,
        NewCrawl,
        Remade,
        RuleTally,
        Store,
        StoredPage,
    )
    from scraper.store.batches import Writer
    from scraper.store.finishing import ended, finish
    from scraper.store.sqlite import SqliteStore, open_sqlite
    from scraper.store.sqlite_salvage import Salvaged, is_ours, salvage

__all__ = [
    "APPLICATION_ID",
    "HEARTBEAT",
    "LONGEST_WAIT",
    "Claimed",
    "Extraction",
    "IsDue",
    "NewCrawl",
    "Remade",
    "RuleTally",
    "Salvaged",
    "SqliteStore",
    "Store",
    "StoredPage",
    "Writer",
    "ended",
    "finish",
    "guard_schema",
    "is_held",
    "is_ours",
    "known_version",
    "newest",
    "open_sqlite",
    "refuse_strangers",
    "salvage",
    "strange",
]

_PLACES = {
    **dict.fromkeys(("HEARTBEAT", "LONGEST_WAIT", "Claimed", "Extraction", "NewCrawl", "Remade"), "scraper.store.base"),
    **dict.fromkeys(("IsDue", "RuleTally", "Store", "StoredPage"), "scraper.store.base"),
    "Writer": "scraper.store.batches",
    **dict.fromkeys(("ended", "finish"), "scraper.store.finishing"),
    **dict.fromkeys(("Salvaged", "is_ours", "salvage"), "scraper.store.sqlite_salvage"),
    **dict.fromkeys(("SqliteStore", "open_sqlite"), "scraper.store.sqlite"),
}


def __getattr__(name: str) -> object:
    """Import asyncio and the driver, which take 0.1 s, when somebody crawls; a query needs neither."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
