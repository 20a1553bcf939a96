"""The lease of a crawl, in SQLite: who may write to it, and until when."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar

from scraper.errors import LeaseLost, StoreBusy
from scraper.model import Crawl
from scraper.store import lease
from scraper.store.base import HEARTBEAT
from scraper.store.lease import LEASE, Held

log = logging.getLogger(__name__)
T = TypeVar("T")

SILENCE = HEARTBEAT + 1.0  # seconds after which a run that lives has given a sign of life


class Doubtful(Exception):  # noqa: N818 - it is no error: who waits for a sign of life knows
    """Whether somebody runs the crawl shows when his lease is other than `until` a heartbeat later."""

    def __init__(self, until: float) -> None:
        super().__init__(until)
        self.until = until


def take_lease(db: sqlite3.Connection, path: str, crawl: Crawl, now: float, *, silent: float | None = None) -> int:
    """Make this process the one that writes to a crawl; return the epoch. Raises StoreBusy, or Doubtful."""
    ((holder, until),) = db.execute("SELECT owner, lease_until FROM crawl WHERE id = ?", (crawl.id,))
    refuse_if_held(path, crawl.name, lease.from_json(holder), until, now, silent=silent)
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


def refuse_if_held(
    path: str, name: str, holder: lease.Owner | None, until: float, now: float, *, silent: float | None = None
) -> None:
    """Raise StoreBusy if a process holds the crawl, Doubtful if that has to be seen.

    `silent` is a lease that was looked at a heartbeat ago: one that is still the same is nobody's.
    """
    is_held = lease.held(holder, until, now)
    if holder is None or is_held is Held.NO or (is_held is Held.DOUBTFUL and until == silent):
        return
    if is_held is Held.DOUBTFUL and silent is None:
        raise Doubtful(until)
    raise StoreBusy(
        f"crawl {name!r} in {path} is being run by process {holder.pid}: wait for it, stop it, "
        "or start another crawl with --name"
    )


async def beyond_doubt(take: Callable[[float | None], Awaitable[T]]) -> T:
    """Take a lease; if it is in doubt whether somebody lives to hold it, wait for a sign of life first."""
    try:
        return await take(None)
    except Doubtful as doubt:
        silent = doubt.until
    log.warning("it is not clear whether this crawl is being run: looking for a sign of life for %.0f s", SILENCE)
    await asyncio.sleep(SILENCE)
    return await take(silent)
