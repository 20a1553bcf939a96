"""Make a store of salvaged rows: each URL has a host and a crawl, the sums are right, what is lost is queued."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from scraper import urls
from scraper.config import Config, to_json
from scraper.errors import UrlError
from scraper.store.sqlite_write import RANK

LOST = "lost:"  # the host and the scheme of what has lost its own
STATES = ("queued", "fetched", "redirected", "skipped", "failed")


class Mended(NamedTuple):
    """What was lost and what was done about it, in rows."""

    urls_lost: int  # that the crawls had counted, and of which no row is left
    records_lost: int
    asked_again: int  # URLs whose pages are lost
    nameless: int  # pages that have lost their URL: they are kept as `lost:NUMBER`
    left_out: int  # records, bodies and versions without a page
    crawls_made: int  # of which only URLs are left: their settings are lost


def mend(db: sqlite3.Connection) -> Mended:
    """Mend what was inserted, in the transaction of the caller."""
    db.executemany("DELETE FROM url WHERE id = ?", _falsified(db))
    made = _hosts_and_crawls(db)
    nameless = _name(db)
    left_out = sum(
        db.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT id FROM url)").rowcount
        for table, column in (
            ("body", "url_id"), ("record", "url_id"), ("version", "url_id"), ("link", "source_id"),
        )
    )  # fmt: skip
    again = db.execute(
        "UPDATE url SET state = 'queued', reason = NULL, detail = NULL, attempts = 0, due_at = 0, tried_at = NULL"
        " WHERE state NOT IN ('queued', 'redirected', 'skipped', 'failed')"
        " AND (state <> 'fetched' OR (kind = 'page' AND id NOT IN (SELECT url_id FROM page)))"
    ).rowcount
    for table in ("body", "record", "link"):
        column = "source_id" if table == "link" else "url_id"
        left_out += db.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT url_id FROM page)").rowcount
    urls_lost, records_lost = _count(db)
    return Mended(urls_lost, records_lost, again, nameless, left_out, made)


def _falsified(db: sqlite3.Connection) -> list[tuple[int]]:
    """URLs that are no longer what they were: their key is another one's."""
    return [(number,) for number, url, key in db.execute("SELECT id, url, key FROM url") if urls.key(url) != key]


def _hosts_and_crawls(db: sqlite3.Connection) -> int:
    """Give each URL its host again, by its own words, and each host a crawl."""
    crawls = [number for (number,) in db.execute("SELECT id FROM crawl ORDER BY id")]
    orphans = db.execute(
        "SELECT u.host_id, min(u.url), max(p.crawl_id) FROM url AS u LEFT JOIN page AS p ON p.url_id = u.id"
        " WHERE u.host_id NOT IN (SELECT id FROM host) GROUP BY u.host_id"
    ).fetchall()
    for host_id, url, crawl_id in orphans:
        try:
            name = urls.host(urls.canonical(url))
        except UrlError:
            name = LOST
        owner = crawl_id if crawl_id is not None else crawls[-1] if crawls else 1
        db.execute("INSERT OR IGNORE INTO host (id, crawl_id, host) VALUES (?, ?, ?)", (host_id, owner, name))
        # The host is there under another number: its URLs go with it, but for those it has already.
        db.execute(
            "UPDATE OR IGNORE url SET host_id = (SELECT id FROM host WHERE crawl_id = ? AND host = ?)"
            " WHERE host_id = ? AND host_id NOT IN (SELECT id FROM host)",
            (owner, name, host_id),
        )
    db.execute("DELETE FROM url WHERE host_id NOT IN (SELECT id FROM host)")
    return db.execute(
        "INSERT INTO crawl (id, name, state, seeds, config, started_at, finished_at)"
        " SELECT DISTINCT crawl_id, 'salvaged-' || crawl_id, 'finished', '[]', ?1, 0, 0 FROM host"
        " WHERE crawl_id NOT IN (SELECT id FROM crawl)"
        " UNION SELECT DISTINCT crawl_id, 'salvaged-' || crawl_id, 'finished', '[]', ?1, 0, 0 FROM page"
        " WHERE crawl_id NOT IN (SELECT id FROM crawl)",
        (to_json(Config()),),
    ).rowcount


def _name(db: sqlite3.Connection) -> int:
    """Give pages without a URL one that says so, on a host of that name: what was made of them is worth keeping."""
    pages = db.execute("SELECT url_id, crawl_id, fetched_at FROM page WHERE url_id NOT IN (SELECT id FROM url)")
    rows = [(number, crawl_id, f"{LOST}{number}", fetched_at) for number, crawl_id, fetched_at in pages]
    db.executemany(
        "INSERT OR IGNORE INTO host (crawl_id, host) VALUES (?, ?)", {(crawl_id, LOST) for _, crawl_id, _, _ in rows}
    )
    db.executemany(
        "INSERT INTO url (id, host_id, key, url, depth, state, discovered_at)"
        " VALUES (?, (SELECT id FROM host WHERE crawl_id = ? AND host = ?), ?, ?, 0, 'fetched', ?)",
        [(number, crawl_id, LOST, urls.key(name), name, at) for number, crawl_id, name, at in rows],
    )
    return len(rows)


def _count(db: sqlite3.Connection) -> tuple[int, int]:
    """Queue what is queued, count what there is; return how many URLs and records are less than there were."""
    db.execute("DELETE FROM queue")
    db.execute(f"INSERT INTO queue SELECT host_id, due_at, {RANK}, id FROM url WHERE state = 'queued'")
    for state in STATES:
        db.execute(
            f"UPDATE host SET {state} = (SELECT count(*) FROM url WHERE host_id = host.id AND state = '{state}')"
        )
    before = db.execute("SELECT coalesce(sum(discovered), 0), coalesce(sum(records), 0) FROM crawl").fetchone()
    db.execute(
        "UPDATE crawl SET owner = NULL, lease_until = 0, epoch = epoch + 1,"
        " discovered = (SELECT count(*) FROM url JOIN host ON host.id = host_id WHERE crawl_id = crawl.id),"
        " records = (SELECT count(*) FROM record JOIN page USING (url_id) WHERE crawl_id = crawl.id),"
        " listings = (SELECT count(*) FROM url JOIN host ON host.id = host_id WHERE crawl_id = crawl.id"
        "             AND state = 'fetched' AND kind <> 'page')"
    )
    db.execute(
        "UPDATE crawl SET finished_at = NULL, state = 'interrupted' WHERE state <> 'limited'"
        " AND EXISTS (SELECT 1 FROM host WHERE crawl_id = crawl.id AND queued > 0)"
    )
    after = db.execute("SELECT coalesce(sum(discovered), 0), coalesce(sum(records), 0) FROM crawl").fetchone()
    return max(0, before[0] - after[0]), max(0, before[1] - after[1])
