"""What the SQLite store writes inside a transaction: few statements, many rows each, in the order of the indexes."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scraper import urls
from scraper.config import StoreConfig
from scraper.model import Crawl, CrawlState, HostState, Kind, Link, Tally, UrlState, Visit
from scraper.store.base import NewCrawl
from scraper.store.sqlite_hosts import HostIds
from scraper.store.sqlite_pages import store_pages

_INSERT_URL = (
    "INSERT INTO url (id, host_id, key, url, kind, depth, seed, state, reason, detail, found_on, via, discovered_at,"
    " generation, lastmod, priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (host_id, key) DO NOTHING"
)
# Redirect targets first, for their turn has come; then by priority, depth and discovery.
RANK = "CASE WHEN url.via IS NULL THEN url.depth - 1000000 * url.priority ELSE -1000000000 END"
# A link that one page marks nofollow and another does not is followed, and one that has come into the scope since.
_FOLLOW_AFTER_ALL = (
    "UPDATE url SET state = 'queued', reason = NULL, detail = NULL, depth = ?, found_on = ?"
    " WHERE host_id = ? AND key = ? AND state = 'skipped' AND reason IN ('nofollow', 'scope')"
    f" RETURNING host_id, {RANK}, id"
)
# What a rule follows may have been found before, by a way that counts.
_COME_NEARER = "UPDATE url SET depth = ?1 WHERE host_id = ?2 AND key = ?3 AND depth > ?1 AND state = 'queued'"
_LASTMOD = "UPDATE url SET lastmod = ?1 WHERE host_id = ?2 AND key = ?3 AND lastmod IS NOT ?1"
_SPEND = "INSERT INTO spent VALUES (?, ?, ?) ON CONFLICT (host_id, name) DO UPDATE SET count = count + excluded.count"
_QUEUE_NEW = f"INSERT INTO queue SELECT host_id, 0, {RANK}, id FROM url WHERE id > ? AND state = 'queued'"
# Grouping tempts SQLite to read the whole index in its order.
_COUNT_NEW = "SELECT host_id, state, count(*) FROM url NOT INDEXED WHERE id > ? GROUP BY 1, 2"


def insert_crawl(db: sqlite3.Connection, new: NewCrawl, *, owner: str, lease_until: float, now: float) -> int:
    """Insert a running crawl and return its number."""
    ((crawl_id,),) = db.execute(
        "INSERT INTO crawl"
        " (name, state, seeds, seed_count, digest, config, makers, started_at, epoch, owner, lease_until)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?) RETURNING id",
        (
            new.name,
            CrawlState.RUNNING,
            json.dumps(new.seeds),
            new.seed_count,
            new.digest,
            new.config,
            new.makers,
            now,
            owner,
            lease_until,
        ),
    )
    return int(crawl_id)


def holders(db: sqlite3.Connection, name: str) -> list[tuple[str | None, float]]:
    """Return who runs crawls of this name, as far as they say, and until when."""
    rows = db.execute("SELECT owner, lease_until FROM crawl WHERE name = ? AND owner IS NOT NULL", (name,))
    return [(owner, until) for owner, until in rows]


def take(
    db: sqlite3.Connection,
    crawl_id: int,
    config: str,
    makers: str,
    *,
    owner: str,
    lease_until: float,
    latest: float,
) -> None:
    """Make this process the one that runs the crawl; nothing of it waits beyond `latest`."""
    db.execute(
        "UPDATE crawl SET state = ?, config = ?, makers = ?, owner = ?, lease_until = ?, epoch = epoch + 1,"
        " finished_at = NULL WHERE id = ?",
        (CrawlState.RUNNING, config, makers, owner, lease_until, crawl_id),
    )
    # Pages that come now may have numbers below those that rules have been run over.
    db.execute("DELETE FROM extraction WHERE crawl_id = ?", (crawl_id,))
    # A clock that was set back since would have hosts and URLs wait for as long.
    db.execute(
        "UPDATE host SET next_at = ? WHERE crawl_id = ? AND queued > 0 AND next_at > ?", (latest, crawl_id, latest)
    )
    db.execute(
        "UPDATE queue SET due_at = ?1 WHERE due_at > ?1"
        " AND host_id IN (SELECT id FROM host WHERE crawl_id = ?2 AND queued > 0)",
        (latest, crawl_id),
    )


def add_seeds(
    db: sqlite3.Connection, crawl_id: int, seeds: Sequence[Link], host_ids: HostIds, now: float
) -> Counter[str]:
    """Queue seeds in the order they were given; what is there already stays as it is. Return the counts by state."""
    ids = host_ids.resolve(db, crawl_id, (link.host for link in seeds))
    rows = [
        _url_row(ids[link.host], link, link.url, depth=0, seed=True, found_on=None, via=(), now=now) for link in seeds
    ]
    return _insert_urls(db, crawl_id, rows)


def add_roots(db: sqlite3.Connection, crawl_id: int, roots: Iterable[str]) -> None:
    """Widen the scope."""
    db.executemany("INSERT OR IGNORE INTO root VALUES (?, ?)", [(crawl_id, root) for root in roots])


def complete(
    db: sqlite3.Connection,
    crawl: Crawl,
    visits: Sequence[Visit],
    hosts: Sequence[HostState],
    *,
    host_ids: HostIds,
    config: StoreConfig,
    now: float,
) -> Tally:
    """Write visits whole and return what they add to the tally."""
    _end_urls(db, visits)
    changes = store_pages(db, crawl, visits, config, now=now)
    add_roots(db, crawl.id, {visit.root for visit in visits if visit.root is not None})
    found = _add_found(db, crawl.id, visits, host_ids, now)
    _remember_hosts(db, hosts)
    sitemaps = [Link(url, urls.host(url), urls.key(url), kind=Kind.SITEMAP) for host in hosts for url in host.sitemaps]
    found.update(add_seeds(db, crawl.id, sitemaps, host_ids, now))
    beyond = sum(visit.beyond_depth for visit in visits)
    listings = sum(visit.state is UrlState.FETCHED and visit.is_listing for visit in visits)
    more = {**changes._asdict(), "beyond_depth": beyond, "listings": listings}
    sets = ", ".join(f"{name} = {name} + ?" for name in more)
    db.execute(f"UPDATE crawl SET {sets} WHERE id = ?", (*more.values(), crawl.id))
    ended: Counter[str] = Counter(visit.state for visit in visits if visit.state is not UrlState.QUEUED)
    ended[UrlState.QUEUED] = -ended.total()
    added = {state.value: ended[state] + found[state] for state in UrlState}
    return Tally(found.total(), **added, **more)


def _end_urls(db: sqlite3.Connection, visits: Sequence[Visit]) -> None:
    db.executemany(
        "UPDATE url SET state = ?, reason = ?, detail = ?, attempts = ?, due_at = ?, tried_at = ?, redirect_to = ?,"
        " kind = coalesce(?, kind) WHERE id = ?",
        [
            (v.state, v.reason, v.detail, v.attempts, v.due_at, v.tried_at, v.redirect_to, v.kind, v.url.id)
            for v in sorted(visits, key=lambda visit: visit.url.id)
        ],
    )
    db.executemany(
        "DELETE FROM queue WHERE host_id = ? AND due_at = ? AND rank = ? AND url_id = ?",
        [(v.url.host_id, v.url.due_at, v.url.rank, v.url.id) for v in visits],
    )
    db.executemany(
        "INSERT INTO queue VALUES (?, ?, ?, ?)",
        [(v.url.host_id, v.due_at, v.url.rank, v.url.id) for v in visits if v.state is UrlState.QUEUED],
    )
    changes: dict[int, Counter[str]] = defaultdict(Counter)
    for visit in visits:
        if visit.state is not UrlState.QUEUED:
            changes[visit.url.host_id][visit.state] += 1
            changes[visit.url.host_id][UrlState.QUEUED] -= 1
    _count(db, changes)
    spent = Counter((visit.url.host_id, name) for visit in visits for name in visit.spent)
    db.executemany(_SPEND, [(*which, count) for which, count in sorted(spent.items())])


def _add_found(
    db: sqlite3.Connection, crawl_id: int, visits: Sequence[Visit], host_ids: HostIds, now: float
) -> Counter[str]:
    ids = host_ids.resolve(db, crawl_id, {link.host for visit in visits for link in visit.found})
    rows = [row for visit in visits for row in _found_rows(visit, ids, now)]
    inserted = _insert_urls(db, crawl_id, rows)
    followed = [(visit.url.depth, ids[link.host], link.key) for visit in visits for link in visit.found if link.follow]
    db.executemany(_COME_NEARER, followed)
    dated = [(link.lastmod, ids[link.host], link.key) for v in visits for link in v.found if link.lastmod is not None]
    db.executemany(_LASTMOD, dated)
    return inserted


def _found_rows(visit: Visit, ids: dict[str, int], now: float) -> Iterator[tuple[Any, ...]]:
    hop = visit.state is UrlState.REDIRECTED
    via = (*visit.url.via, visit.url.url) if hop else ()
    level = hop or visit.is_listing
    for link in visit.found:
        seed = hop and visit.url.seed  # what a listing names widens no scope, wherever it redirects
        depth = visit.url.depth + (0 if level or link.follow else 1)
        yield _url_row(ids[link.host], link, link.url, depth=depth, seed=seed, found_on=visit.url.id, via=via, now=now)


def _url_row(
    host_id: int,
    link: Link,
    url: str,
    *,
    depth: int,
    seed: bool,
    found_on: int | None,
    via: tuple[str, ...],
    now: float,
) -> tuple[Any, ...]:
    state, reason, detail = UrlState.QUEUED, None, None
    if link.verdict is not None:
        reason, detail = link.verdict
        state = reason.state
    chain = json.dumps(via) if via else None
    return (
        host_id, link.key, url, link.kind, depth, seed, state, reason, detail, found_on, chain, now, link.generation,
        link.lastmod, link.priority,
    )  # fmt: skip


def _insert_urls(db: sqlite3.Connection, crawl_id: int, rows: list[tuple[Any, ...]]) -> Counter[str]:
    """Insert what was not seen before, queue what is to be asked, count both. Return the counts by state."""
    if not rows:
        return Counter()
    ((last,),) = db.execute("SELECT coalesce(max(id), 0) FROM url")
    # Numbered as they were discovered, inserted in the order of the index, which keeps its pages warm.
    numbered: list[tuple[Any, ...]] = [(number, *row) for number, row in enumerate(rows, last + 1)]
    numbered.sort(key=lambda row: row[1:3])
    db.executemany(_INSERT_URL, numbered)
    db.execute(_QUEUE_NEW, (last,))
    changes: dict[int, Counter[str]] = defaultdict(Counter)
    inserted: Counter[str] = Counter()
    counts = db.execute(_COUNT_NEW, (last,))
    for host_id, state, count in counts:
        changes[host_id][state] += count
        inserted[state] += count
    followed = _follow_after_all(db, rows)
    for host_id, _, _ in followed:
        changes[host_id].update({UrlState.QUEUED: 1, UrlState.SKIPPED: -1})
    _count(db, changes)
    total = inserted.total()
    db.execute("UPDATE crawl SET discovered = discovered + ? WHERE id = ?", (total, crawl_id))
    inserted.update({UrlState.QUEUED: len(followed), UrlState.SKIPPED: -len(followed)})
    return inserted


def _follow_after_all(db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, int, int]]:
    """Queue what was skipped before and need not be; return host, depth and number of each."""
    offered = [(row[4], row[9], row[0], row[1]) for row in rows if row[6] is UrlState.QUEUED]
    followed = [row for one in offered for row in db.execute(_FOLLOW_AFTER_ALL, one).fetchall()]
    db.executemany("INSERT INTO queue VALUES (?, 0, ?, ?)", followed)
    return followed


def _count(db: sqlite3.Connection, changes: dict[int, Counter[str]]) -> None:
    sets = ", ".join(f"{state} = {state} + ?" for state in UrlState)
    db.executemany(
        f"UPDATE host SET {sets} WHERE id = ?",
        [(*(counts[state] for state in UrlState), host_id) for host_id, counts in sorted(changes.items())],
    )


def _remember_hosts(db: sqlite3.Connection, hosts: Sequence[HostState]) -> None:
    db.executemany(
        "UPDATE host SET next_at = ?, crawl_delay = ?, breaker = ?, failures = ?, openings = ?, robots_status = ?,"
        " robots_text = ?, robots_expires_at = ?, slowdown = ?, requests = ?, retries = ? WHERE id = ?",
        [
            (h.next_at, h.crawl_delay, h.breaker, h.failures, h.openings, h.robots_status, h.robots_text,
             h.robots_expires_at, h.slowdown, h.requests, h.retries, h.id)
            for h in hosts
        ],
    )  # fmt: skip
