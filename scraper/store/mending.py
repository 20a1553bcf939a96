"""What is left of a store made whole: rows have their places again, what is lost is asked again, the sums are right."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from scraper import config as settings
from scraper import urls
from scraper.config import Config
from scraper.errors import ConfigError
from scraper.model import CrawlState, Kind, UrlState
from scraper.scope import Scope
from scraper.store.bodies import content_hash
from scraper.store.lost import find_lost
from scraper.store.shapes import SEEN
from scraper.store.sqlite_btree import Gap
from scraper.store.sqlite_write import RANK

_ASK_AGAIN = (
    "UPDATE url SET state = 'queued', reason = NULL, detail = NULL, attempts = 0, due_at = 0, tried_at = NULL"
    " WHERE id = ? AND state IN ('fetched', 'redirected', 'failed')"
)
_WHOLE_AGAIN = "UPDATE page SET etag = NULL, last_modified = NULL WHERE url_id = ?"
# Its records, its body and its links are made anew, and what is left of it becomes a version.
_ANEW = "UPDATE page SET etag = NULL, last_modified = NULL, content_hash = '' WHERE url_id = ?"
_OF_URLS = ("page", "body", "record", "version")  # whose rows mean nothing without their URL


class Mended(NamedTuple):
    """What was lost, and how many URLs are asked again for it.

    `urls` are those whose text is lost, `seeds` those of them that no page leads to and that were too many to be
    remembered. `orphans` are pages whose URL is lost. `crawls` had to be made up: their settings are lost.
    """

    urls: int
    seeds: int
    pages: int
    bodies: int
    orphans: int
    crawls: tuple[int, ...]
    asked_again: int


def mend(db: sqlite3.Connection, gaps: dict[str, list[Gap]], now: float) -> Mended:
    """Bring a store whose rows were put together from a damaged one in order, within the transaction of the caller."""
    crawls = _crawls_made_up(db, now)
    _hosts_found(db)
    configs = {number: _config(text) for number, text in db.execute("SELECT id, config FROM crawl")}
    lost = find_lost(db, configs, complete=not (gaps["url"] and gaps[SEEN]))
    again = set(lost.parents)
    if lost.urls:
        db.execute("UPDATE host SET robots_expires_at = 0")  # it may name sitemaps that are lost
    orphans = _orphans(db)
    pages = {number for (number,) in db.execute(
        "SELECT id FROM url LEFT JOIN page ON page.url_id = id WHERE state = 'fetched' AND kind = 'page'"
        " AND page.url_id IS NULL"
    )}  # fmt: skip
    bodies = _broken_bodies(db)
    anew = bodies | _in_gaps(db, gaps, configs)
    db.executemany("DELETE FROM body WHERE url_id = ?", [(number,) for number in sorted(bodies)])
    db.executemany(_WHOLE_AGAIN, [(number,) for number in sorted(again)])
    db.executemany(_ANEW, [(number,) for number in sorted(anew)])
    again |= pages | anew
    db.executemany(_ASK_AGAIN, [(number,) for number in sorted(again)])
    _roots(db, configs)
    _count(db)
    seeds = _lost_seeds(db) if lost.urls or lost.parents else 0
    return Mended(
        lost.urls,
        seeds,
        len(pages),
        len(bodies),
        orphans,
        crawls,
        len(again),
    )


def _lost_seeds(db: sqlite3.Connection) -> int:
    rows = db.execute(
        "SELECT max(0, seed_count - (SELECT count(*) FROM url JOIN host ON host.id = host_id"
        " WHERE host.crawl_id = crawl.id AND seed = 1)) FROM crawl"
    )
    return sum(count for (count,) in rows)


def _config(text: str) -> Config:
    try:
        return settings.from_json(text)
    except ConfigError:
        return Config()


def _crawls_made_up(db: sqlite3.Connection, now: float) -> tuple[int, ...]:
    """Make crawls up whose row is lost, so that their pages are still somebody's; return their numbers."""
    rows = db.execute(
        "SELECT crawl_id FROM host UNION SELECT crawl_id FROM page EXCEPT SELECT id FROM crawl ORDER BY 1"
    ).fetchall()
    db.executemany(
        "INSERT INTO crawl (id, name, state, seeds, config, started_at) VALUES (?, ?, ?, '[]', ?, ?)",
        [(number, f"salvaged-{number}", CrawlState.INTERRUPTED, settings.to_json(Config()), now) for (number,) in rows],
    )
    return tuple(number for (number,) in rows)


def _hosts_found(db: sqlite3.Connection) -> None:
    """Give URLs whose host is lost one again: of the crawl that their pages are of, or else of the URLs before them."""
    rows = db.execute(
        "SELECT url.id, url.host_id, url.url, coalesce(page.crawl_id, (SELECT crawl_id FROM url AS near"
        " JOIN host ON host.id = near.host_id WHERE near.id < url.id ORDER BY near.id DESC LIMIT 1),"
        " (SELECT max(id) FROM crawl)) FROM url LEFT JOIN page ON page.url_id = url.id"
        " WHERE host_id NOT IN (SELECT id FROM host) ORDER BY page.crawl_id IS NULL, url.id"
    ).fetchall()
    for number, host_id, url, crawl_id in rows:
        if crawl_id is None:
            continue  # nothing but URLs is left
        name = urls.host(url)
        db.execute("INSERT OR IGNORE INTO host (id, crawl_id, host) VALUES (?, ?, ?)", (host_id, crawl_id, name))
        db.execute(
            "UPDATE OR IGNORE url SET host_id = (SELECT id FROM host WHERE crawl_id = ? AND host = ?) WHERE id = ?",
            (crawl_id, name, number),
        )
    db.execute("DELETE FROM url WHERE host_id NOT IN (SELECT id FROM host)")


def _orphans(db: sqlite3.Connection) -> int:
    """Take out what belongs to no URL any more, and return of how many pages that was."""
    db.execute(
        "UPDATE page SET crawl_id = host.crawl_id FROM url JOIN host ON host.id = url.host_id"
        " WHERE url.id = page.url_id AND page.crawl_id <> host.crawl_id"
    )
    orphans = 0
    for table in _OF_URLS:
        gone = db.execute(f"DELETE FROM {table} WHERE url_id NOT IN (SELECT id FROM url)").rowcount  # noqa: S608 - ours
        orphans += gone if table == "page" else 0
    db.execute("DELETE FROM link WHERE source_id NOT IN (SELECT id FROM url)")
    db.execute("DELETE FROM spent WHERE host_id NOT IN (SELECT id FROM host)")
    for table in ("root", "rule"):
        db.execute(f"DELETE FROM {table} WHERE crawl_id NOT IN (SELECT id FROM crawl)")  # noqa: S608 - ours
    db.execute("UPDATE url SET found_on = NULL WHERE found_on NOT IN (SELECT id FROM url)")
    return orphans


def _broken_bodies(db: sqlite3.Connection) -> set[int]:
    """The pages whose body does not decode to what its hash says."""
    rows = db.execute("SELECT body.url_id, zstd, content_hash FROM body JOIN page ON page.url_id = body.url_id")
    return {number for number, packed, digest in rows if digest and content_hash(packed) != digest}


def _in_gaps(db: sqlite3.Connection, gaps: dict[str, list[Gap]], configs: dict[int, Config]) -> set[int]:
    """The pages of which a body, records or links may be lost."""
    keeping = {
        "body": {number for number, config in configs.items() if config.store.bodies},
        "record": {number for (number,) in db.execute("SELECT id FROM crawl WHERE makers <> ''")},
        "link": {number for number, config in configs.items() if config.store.links},
    }
    found: set[int] = set()
    for table, crawls in keeping.items():
        for low, high in gaps[table]:
            there = " AND NOT EXISTS (SELECT 1 FROM body WHERE body.url_id = page.url_id)" if table == "body" else ""
            rows = db.execute(f"SELECT url_id, crawl_id FROM page WHERE url_id BETWEEN ? AND ?{there}", (low, high))  # noqa: S608 - ours
            found.update(number for number, crawl_id in rows if crawl_id in crawls)
    return found


def _roots(db: sqlite3.Connection, configs: dict[int, Config]) -> None:
    """Add what the seeds that are left put into the scope; it was there, unless nobody asked for it."""
    for crawl_id, config in configs.items():
        ((known,),) = db.execute("SELECT count(*) FROM root WHERE crawl_id = ?", (crawl_id,))
        if not known:
            scope = Scope(config.crawl.scope)
            seeds = db.execute(
                "SELECT url FROM url WHERE seed = 1 AND kind = ?"
                " AND host_id IN (SELECT id FROM host WHERE crawl_id = ?)",
                (Kind.PAGE, crawl_id),
            ).fetchall()
            roots = {(crawl_id, scope.root_of(url)) for (url,) in seeds if urls.is_web(url)}
            db.executemany("INSERT OR IGNORE INTO root VALUES (?, ?)", sorted(roots))


def _count(db: sqlite3.Connection) -> None:
    """Make queue and counters of the rows, and say how each crawl stands."""
    db.execute("DELETE FROM queue")
    db.execute(f"INSERT INTO queue SELECT host_id, due_at, {RANK}, id FROM url WHERE state = 'queued'")  # noqa: S608 - ours
    sums = ", ".join(f"{state} = 0" for state in UrlState)
    db.execute(f"UPDATE host SET {sums}")  # noqa: S608 - ours
    for state in UrlState:
        db.execute(
            f"UPDATE host SET {state} = counted.urls FROM (SELECT host_id, count(*) AS urls FROM url WHERE state = ?"  # noqa: S608 - ours
            " GROUP BY host_id) AS counted WHERE counted.host_id = host.id",
            (state,),
        )
    db.execute(
        "UPDATE crawl SET owner = NULL, lease_until = 0,"
        " discovered = (SELECT count(*) FROM url JOIN host ON host.id = host_id WHERE host.crawl_id = crawl.id),"
        " listings = (SELECT count(*) FROM url JOIN host ON host.id = host_id WHERE host.crawl_id = crawl.id"
        "  AND url.state = 'fetched' AND url.kind <> 'page'),"
        " records = (SELECT count(*) FROM record JOIN page USING (url_id) WHERE page.crawl_id = crawl.id)"
    )
    db.execute(
        "UPDATE crawl SET state = ?, finished_at = NULL WHERE state = ? OR (state = ? AND EXISTS"
        " (SELECT 1 FROM host WHERE host.crawl_id = crawl.id AND queued > 0))",
        (CrawlState.INTERRUPTED, CrawlState.RUNNING, CrawlState.FINISHED),
    )
