"""The lease of a crawl, in SQLite: who may write to it, and until when."""

from __future__ import annotations

import sqlite3

from scraper.errors import LeaseLost, StoreBusy
from scraper.model import Crawl
from scraper.store import lease
from scraper.store.base import LEASE


def take_lease(db: sqlite3.Connection, path: str, crawl: Crawl, now: float) -> int:
    """Make this process the one that writes to a crawl; return the epoch. Raises StoreBusy."""
    ((holder, until),) = db.execute("SELECT owner, lease_until FROM crawl WHERE id = ?", (crawl.id,))
    refuse_if_held(path, crawl.name, lease.from_json(holder), until, now)
    ((epoch,),) = db.execute(
        "UPDATE crawl SET owner = ?, lease_until = ?, epoch = epoch + 1 WHERE id = ? RETURNING epoch",
        (lease.to_json(lease.myself()), now + LEASE, crawl.id),
    )
    return int(epoch)


def keep_lease(db: sqlite3.Connection, path: str, crawl: Crawl, now: float) -> None:
    """Renew the lease. Raises LeaseLost if somebody else has taken it since."""
    held = db.execute(
        "UPDATE crawl SET lease_until = ? WHERE id = ? AND epoch = ? RETURNING id", (now + LEASE, crawl.id, crawl.epoch)
    ).fetchall()
    if not held:
        raise LeaseLost(
            f"crawl {crawl.name!r} in {path} was taken over by another process; nothing more is written here"
        )


def refuse_if_held(path: str, name: str, holder: lease.Owner | None, until: float, now: float) -> None:
    """Raise StoreBusy if a process that may be alive holds the crawl."""
    if holder is None or until <= now or lease.is_alive(holder) is False:
        return
    raise StoreBusy(
        f"crawl {name!r} in {path} is being run by process {holder.pid}: wait for it, stop it, "
        "or start another crawl with --name"
    )
