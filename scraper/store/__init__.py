"""Where crawls live: the operations every store offers, and the stores."""

from scraper.store.base import HEARTBEAT, Claimed, NewCrawl, Store
from scraper.store.batches import Writer
from scraper.store.finish import finish
from scraper.store.migrate import APPLICATION_ID, newest
from scraper.store.sqlite import SqliteStore, open_sqlite

__all__ = [
    "APPLICATION_ID",
    "HEARTBEAT",
    "Claimed",
    "NewCrawl",
    "SqliteStore",
    "Store",
    "Writer",
    "finish",
    "newest",
    "open_sqlite",
]
