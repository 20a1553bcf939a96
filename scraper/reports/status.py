"""Where crawls stand: which there are, what became of their URLs, how their hosts do; from counters where there are."""

from __future__ import annotations

import difflib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from scraper.errors import CrawlNotFound
from scraper.model import Crawl, CrawlState, Reason, Tally, UrlState
from scraper.store import is_held

_CRAWL = "id, name, state, seeds, config, started_at, finished_at, seed_count, digest, epoch"
_STATES = tuple(state.value for state in UrlState)


class CrawlLine(NamedTuple):
    """A crawl in a list: `seeds`, `urls`, `pages` and the rest are counts, moments are ISO 8601."""

    id: int
    name: str
    state: CrawlState
    seeds: int
    urls: int
    pages: int
    queued: int
    failed: int
    started_at: str
    finished_at: str | None


class HostStatus(NamedTuple):
    """How a host does; `next_at` is ISO 8601, None for at once; `robots` what its robots.txt was answered with."""

    host: str
    queued: int
    fetched: int
    redirected: int
    skipped: int
    failed: int
    next_at: str | None
    breaker: str
    robots: str | None


class ReasonCount(NamedTuple):
    """How many URLs are in a state for a reason."""

    state: UrlState
    reason: Reason | None
    urls: int


@dataclass(frozen=True, slots=True)
class Status:
    """Where a crawl stands. `running`: a process that lives says so; `hosts` are those with most to do.

    `log_bytes` is the size of the write-ahead log, which grows while somebody reads for long.
    """

    crawl: Crawl
    tally: Tally
    hosts: tuple[HostStatus, ...]
    more_hosts: int
    running: bool
    log_bytes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON: plain values, moments as ISO 8601."""
        return {
            "id": self.crawl.id,
            "name": self.crawl.name,
            "state": self.crawl.state.value,
            "running": self.running,
            "started_at": _iso(self.crawl.started_at),
            "finished_at": _iso(self.crawl.finished_at),
            **asdict(self.tally),
            "hosts": [host._asdict() for host in self.hosts],
            "more_hosts": self.more_hosts,
            "log_bytes": self.log_bytes,
        }


def crawls(connection: sqlite3.Connection, *, now: float) -> list[CrawlLine]:
    """All crawls, the newest first; one that says it runs, and whose process is gone, is interrupted."""
    rows = connection.execute(
        "SELECT crawl.id, crawl.name, crawl.state, crawl.seed_count, crawl.discovered, coalesce(sum(host.fetched), 0),"
        " coalesce(sum(host.queued), 0), coalesce(sum(host.failed), 0), crawl.started_at, crawl.finished_at,"
        " crawl.owner, crawl.lease_until"
        " FROM crawl LEFT JOIN host ON host.crawl_id = crawl.id GROUP BY crawl.id ORDER BY crawl.id DESC"
    )
    return [
        CrawlLine._make((number, name, _lived(state, owner, until, now), *counts, _iso(started), _iso(finished)))
        for number, name, state, *counts, started, finished, owner, until in rows
    ]


def _lived(state: str, owner: str | None, until: float, now: float) -> CrawlState:
    gone = state == CrawlState.RUNNING and not is_held(owner, until, now)
    return CrawlState.INTERRUPTED if gone else CrawlState(state)


def find_crawl(connection: sqlite3.Connection, crawl: str | int | None = None) -> Crawl:
    """Return the newest crawl of that name or number; None means the newest of all.

    Raises CrawlNotFound, which names those there are.
    """
    wanted = None if crawl is None else str(crawl)
    number = int(wanted) if wanted and wanted.isascii() and wanted.isdecimal() and len(wanted) < 18 else None
    row = connection.execute(
        f"SELECT {_CRAWL} FROM crawl WHERE ?1 IS NULL OR name = ?1 OR id = ?2 ORDER BY id DESC LIMIT 1",  # noqa: S608 - ours
        (wanted, number),
    ).fetchone()
    if row is None:
        raise CrawlNotFound(_not_found(connection, wanted))
    return _crawl(row)


def status(connection: sqlite3.Connection, crawl_id: int, *, now: float, hosts: int = 10) -> Status:
    """Return where a crawl stands, with up to `hosts` hosts: most queued first, then most failed."""
    with _one_moment(connection):
        row = connection.execute(
            f"SELECT owner, lease_until, {_CRAWL} FROM crawl WHERE id = ?",  # noqa: S608 - ours
            (crawl_id,),
        ).fetchone()
        if row is None:
            raise CrawlNotFound(_not_found(connection, str(crawl_id)))
        tally = _tally(connection, crawl_id)
        (host_count,) = connection.execute("SELECT count(*) FROM host WHERE crawl_id = ?", (crawl_id,)).fetchone()
        busiest = connection.execute(
            "SELECT host, queued, fetched, redirected, skipped, failed, nullif(next_at, 0), breaker, robots_status"
            " FROM host WHERE crawl_id = ? ORDER BY queued DESC, failed DESC, id LIMIT ?",
            (crawl_id, hosts),
        ).fetchall()
    told = tuple(
        HostStatus._make((*counts, _iso(next_at), breaker, robots)) for *counts, next_at, breaker, robots in busiest
    )
    running = is_held(row[0], row[1], now)
    return Status(_crawl(row[2:]), tally, told, host_count - len(told), running, _log_bytes(connection))


def _log_bytes(connection: sqlite3.Connection) -> int:
    files = [file for _, name, file in connection.execute("PRAGMA database_list") if name == "main"]
    try:
        return Path(f"{files[0]}-wal").stat().st_size
    except OSError:
        return 0


def reasons(connection: sqlite3.Connection, crawl_id: int) -> list[ReasonCount]:
    """Return how URLs ended, most frequent first. Reads every URL of the crawl."""
    counted = connection.execute(
        "SELECT state, reason, count(*) FROM url WHERE host_id IN (SELECT id FROM host WHERE crawl_id = ?)"
        " GROUP BY state, reason ORDER BY count(*) DESC, state, reason",
        (crawl_id,),
    )
    return [ReasonCount(UrlState(state), Reason(why) if why else None, count) for state, why, count in counted]


def _tally(connection: sqlite3.Connection, crawl_id: int) -> Tally:
    sums = ", ".join(f"coalesce(sum({state}), 0)" for state in _STATES)
    counts = connection.execute(f"SELECT {sums} FROM host WHERE crawl_id = ?", (crawl_id,)).fetchone()  # noqa: S608 - ours
    kept = connection.execute(
        "SELECT discovered, records, beyond_depth FROM crawl WHERE id = ?", (crawl_id,)
    ).fetchone()
    if kept is None:
        raise CrawlNotFound(_not_found(connection, str(crawl_id)))
    discovered, records, beyond = kept
    return Tally(discovered, **dict(zip(_STATES, counts, strict=True)), records=records, beyond_depth=beyond)


def _crawl(row: tuple[object, ...]) -> Crawl:
    number, name, state, seeds, *rest = row
    return Crawl(number, name, CrawlState(state), tuple(json.loads(seeds)), *rest)  # type: ignore[arg-type]  # STRICT columns


def _iso(moment: float | None) -> str | None:
    """As the public views show moments: UTC, milliseconds, `Z`."""
    if moment is None:
        return None
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _not_found(connection: sqlite3.Connection, wanted: str | None) -> str:
    rows = connection.execute("SELECT name FROM crawl GROUP BY name ORDER BY max(id) DESC LIMIT 1000")
    names = [name for (name,) in rows]
    if not names:
        return "the store holds no crawl yet: start one with `scraper crawl`"
    near = difflib.get_close_matches(wanted or "", names, n=3, cutoff=0.4) or names[:3]
    return f"no crawl {wanted!r}: the store has {', '.join(near)} (`scraper crawls` lists all)"


@contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    # One read transaction, or a commit between two statements would make their sums disagree.
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
