"""What the SQLite store reads: claims, due hosts, crawls, the accounting; inside the line always by index."""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import aiosqlite

from scraper.model import Crawl, CrawlState, CrawlUrl, HostState, Kind, Tally, UrlState
from scraper.store.base import Claimed

UNFINISHED = f"state <> '{CrawlState.FINISHED}'"
HOSTS_IN_ONE_CLAIM = 20  # two terms a host of a compound SELECT, and not so many rows that the loop stands still
CRAWL = "id, name, state, seeds, config, started_at, finished_at, seed_count, digest, makers, epoch, round"
STATES = tuple(state.value for state in UrlState)

COUNTERS = "crawl.listings, crawl.new, crawl.changed, crawl.unchanged, crawl.vanished"

_DEFERRED = (
    "SELECT * FROM (SELECT * FROM queue WHERE host_id = ? AND due_at > 0 AND due_at <= ? ORDER BY due_at LIMIT ?)"
)
_SPENT = "SELECT host_id, name, count FROM spent WHERE host_id IN (SELECT value FROM json_each(?))"
_FRESH = "SELECT * FROM (SELECT * FROM queue WHERE host_id = ? AND due_at = 0 ORDER BY rank, url_id LIMIT ?)"


async def find_crawl(db: aiosqlite.Connection, crawl: str | int | None, *, unfinished: bool) -> Crawl | None:
    """Return the newest crawl of that name or number, or the newest of all; an int is the number and no name."""
    where, parameters = ["1"], list[Any]()
    if isinstance(crawl, int):
        where.append("id = ?")
        parameters.append(crawl)
    elif crawl is not None:
        where.append("(name = ? OR id = ?)")
        parameters += [crawl, int(crawl) if crawl.isdecimal() and len(crawl) < 18 else -1]
    if unfinished:
        where.append(UNFINISHED)
    sql = f"SELECT {CRAWL} FROM crawl WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT 1"
    rows = list(await db.execute_fetchall(sql, parameters))
    if not rows:
        return None
    number, name, state, seeds, *rest = rows[0]
    return Crawl(number, name, CrawlState(state), tuple(json.loads(seeds)), *rest)


async def not_found(db: aiosqlite.Connection, path: str, crawl: str | int | None, *, unfinished: bool) -> str:
    """Say what there is instead of the crawl that was asked for, and what to do."""
    which = f"WHERE {UNFINISHED}" if unfinished else ""
    rows = await db.execute_fetchall(f"SELECT DISTINCT name FROM crawl {which} ORDER BY id DESC LIMIT 1000")
    names = [name for (name,) in rows]
    kind = "unfinished crawl" if unfinished else "crawl"
    if not names:
        return f"{path} holds no {kind}: start one with `scraper crawl`"
    near = difflib.get_close_matches(str(crawl or ""), names, n=3, cutoff=0.4) or names[:3]
    return f"{path} holds no {kind} {crawl!r}; it has {', '.join(near)} (`scraper crawls` lists all)"


async def due_hosts(
    db: aiosqlite.Connection, crawl_id: int, *, now: float, limit: int, apart: Collection[int]
) -> list[HostState]:
    """Return hosts with queued URLs whose clock has run, the longest waiting first."""
    rows = await db.execute_fetchall(
        "SELECT host, id, next_at, crawl_delay, breaker, failures, openings, robots_status, robots_text,"
        " robots_expires_at, queued, slowdown, requests, retries FROM host"
        " WHERE crawl_id = ? AND queued > 0 AND next_at <= ?"
        " AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY next_at, id LIMIT ?",
        (crawl_id, now, json.dumps(list(apart)), limit),
    )
    numbers = json.dumps([row[1] for row in rows])
    spent: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for host, name, count in await db.execute_fetchall(_SPENT, (numbers,)):
        spent[host].append((name, count))
    return [dataclasses.replace(HostState(*row), spent=tuple(spent.get(row[1], ()))) for row in rows]


async def claim(
    db: aiosqlite.Connection, wanted: Mapping[int, int], held: Mapping[int, Collection[int]], *, now: float
) -> dict[int, Claimed]:
    """Return due URLs of each wanted host, without those held."""
    claimed: dict[int, Claimed] = {}
    hosts = list(wanted)
    for start in range(0, len(hosts), HOSTS_IN_ONE_CLAIM):
        some = {host: wanted[host] for host in hosts[start : start + HOSTS_IN_ONE_CLAIM]}
        claimed |= await _claim(db, some, held, now)
    return claimed


async def counted_only(db: aiosqlite.Connection, hosts: Sequence[int]) -> bool:
    """Is any of these hosts said to have queued URLs that cannot be found? One statement sees one moment."""
    rows = await db.execute_fetchall(
        "SELECT 1 FROM host WHERE id IN (SELECT value FROM json_each(?)) AND queued > 0 AND NOT EXISTS"
        " (SELECT 1 FROM queue JOIN url ON url.id = queue.url_id WHERE queue.host_id = host.id) LIMIT 1",
        (json.dumps(hosts),),
    )
    return bool(rows)


async def _claim(
    db: aiosqlite.Connection, wanted: Mapping[int, int], held: Mapping[int, Collection[int]], now: float
) -> dict[int, Claimed]:
    parts, parameters = [], list[Any]()
    for host, count in wanted.items():
        enough = count + len(held.get(host, ()))
        parts += [_DEFERRED, _FRESH]
        parameters += [host, now, enough, host, enough]
    rows = await db.execute_fetchall(
        "SELECT q.host_id, u.id, u.url, host.host, u.kind, u.depth, u.seed, u.via, u.attempts, u.tried_at, q.due_at,"
        " q.rank, u.generation, page.etag, page.last_modified, page.content_hash"
        f" FROM ({' UNION ALL '.join(parts)}) AS q"
        " JOIN url AS u ON u.id = q.url_id JOIN host ON host.id = q.host_id LEFT JOIN page ON page.url_id = u.id",
        parameters,
    )
    found: dict[int, list[CrawlUrl]] = {host: [] for host in wanted}
    for host, number, url, name, kind, depth, seed, via, attempts, tried_at, due_at, rank, *more in rows:
        if number not in held.get(host, ()):
            hops = tuple(json.loads(via)) if via else ()
            claimed = CrawlUrl(
                number, url, name, Kind(kind), depth, bool(seed), hops, attempts, tried_at, due_at, rank, host, *more
            )
            found[host].append(claimed)
    due = await _next_due(db, [host for host, urls in found.items() if len(urls) < wanted[host]], now)
    return {
        host: Claimed(
            # The two ranges come in any order: deferred URLs have waited, so they go first.
            tuple(sorted(urls, key=lambda url: (url.due_at == 0, url.due_at, url.rank, url.id))[: wanted[host]]),
            more=len(urls) >= wanted[host],
            next_due_at=due.get(host),
        )
        for host, urls in found.items()
    }


async def _next_due(db: aiosqlite.Connection, hosts: Sequence[int], now: float) -> dict[int, float]:
    if not hosts:
        return {}
    rows = await db.execute_fetchall(
        "SELECT value, (SELECT due_at FROM queue WHERE host_id = value AND due_at > ? ORDER BY due_at LIMIT 1)"
        " FROM json_each(?)",
        (now, json.dumps(hosts)),
    )
    return {host: due for host, due in rows if due is not None}


async def tally(db: aiosqlite.Connection, crawl_id: int) -> Tally:
    """Return the accounting from its counters; one statement, so that no commit falls between its parts."""
    sums = ", ".join(f"coalesce(sum(host.{state}), 0)" for state in STATES)
    ((*counts,),) = await db.execute_fetchall(
        f"SELECT crawl.discovered, {sums}, crawl.records, crawl.beyond_depth, {COUNTERS}"
        " FROM crawl LEFT JOIN host ON host.crawl_id = crawl.id WHERE crawl.id = ?",
        (crawl_id,),
    )
    return Tally(*counts)


async def audit(db: aiosqlite.Connection, crawl_id: int) -> Tally:
    """Return the accounting from the rows; only `discovered` and `beyond_depth` are what was counted on the way."""
    sums = ", ".join(f"coalesce(sum(state = '{state}'), 0)" for state in STATES)
    ((*counts,),) = await db.execute_fetchall(
        "SELECT crawl.discovered, counted.*,"
        " (SELECT count(*) FROM record WHERE url_id IN (SELECT url_id FROM page WHERE crawl_id = crawl.id)),"
        f" crawl.beyond_depth, {COUNTERS}"
        f" FROM crawl, (SELECT {sums} FROM url WHERE host_id IN (SELECT id FROM host WHERE crawl_id = ?)) AS counted"
        " WHERE crawl.id = ?",
        (crawl_id, crawl_id),
    )
    return Tally(*counts)
