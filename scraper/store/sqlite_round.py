"""A recrawl begins: what is to be asked again is queued again, and its host gets another chance."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict

from scraper.model import Kind, Reason, UrlState
from scraper.store.base import IsDue, NewCrawl
from scraper.store.sqlite_write import RANK

AT_ONCE = 10_000  # URLs looked at in one go

# What was left out for good stays out: a scope, a trap. What a site or a budget forbade may be allowed now.
_ASKED_BEFORE = f"""
SELECT url.id, url.host_id, url.url, url.kind, url.state, coalesce(page.checked_at, page.fetched_at, 0),
       {RANK}, url.reason
FROM url JOIN host ON host.id = url.host_id LEFT JOIN page ON page.url_id = url.id
WHERE host.crawl_id = ? AND url.id > ? AND (
    url.state IN ('fetched', 'redirected', 'failed')
    OR url.state = 'skipped' AND url.reason IN ('robots', 'budget', 'content-type', 'private-address')
)
ORDER BY url.id LIMIT ?
"""
_QUEUE_AGAIN = (
    "UPDATE url SET state = 'queued', reason = NULL, detail = NULL, attempts = 0, due_at = 0, tried_at = NULL"
    " WHERE id = ?"
)
# A page on which a rule or an extractor failed is asked for whole, and its records are made anew if it is the same.
_MAKE_ANEW = "UPDATE page SET etag = NULL, last_modified = NULL, content_hash = '' WHERE url_id = ?"


def begin_round(db: sqlite3.Connection, crawl_id: int, new: NewCrawl, is_due: IsDue, *, now: float) -> None:
    """Queue again what is due; counters follow."""
    changes: dict[int, Counter[str]] = defaultdict(Counter)
    listings = last = 0
    failed: list[int] = []
    while rows := db.execute(_ASKED_BEFORE, (crawl_id, last, AT_ONCE)).fetchall():
        last = rows[-1][0]
        due = [row for row in rows if row[4] != UrlState.FETCHED or row[3] != Kind.PAGE or is_due(row[2], row[5])]
        db.executemany(_QUEUE_AGAIN, [(row[0],) for row in due])
        db.executemany("INSERT INTO queue VALUES (?, 0, ?, ?)", [(row[1], row[6], row[0]) for row in due])
        failed += [row[0] for row in due if row[7] == Reason.PARSE]
        for row in due:
            changes[row[1]].update({UrlState.QUEUED: 1, row[4]: -1})
            listings += row[4] == UrlState.FETCHED and row[3] != Kind.PAGE
    sets = ", ".join(f"{state} = {state} + ?" for state in UrlState)
    db.executemany(
        f"UPDATE host SET {sets} WHERE id = ?",
        [(*(counts[state] for state in UrlState), host_id) for host_id, counts in sorted(changes.items())],
    )
    _forget(db, crawl_id)
    db.executemany(_MAKE_ANEW, [(url,) for url in failed])
    db.execute(
        "UPDATE crawl SET round = round + 1, round_at = ?, seeds = ?, seed_count = ?, digest = ?,"
        " listings = listings - ?, new = 0, changed = 0, unchanged = 0, vanished = 0 WHERE id = ?",
        (now, json.dumps(new.seeds), new.seed_count, new.digest, listings, crawl_id),
    )


def _forget(db: sqlite3.Connection, crawl_id: int) -> None:
    """What a round used up, and how a host did in it, says nothing about the next."""
    db.execute(
        "UPDATE host SET breaker = 'closed', failures = 0, openings = 0, slowdown = 0, requests = 0, retries = 0"
        " WHERE crawl_id = ?",
        (crawl_id,),
    )
    db.execute("DELETE FROM spent WHERE host_id IN (SELECT id FROM host WHERE crawl_id = ?)", (crawl_id,))
    db.execute("DELETE FROM rule WHERE crawl_id = ?", (crawl_id,))
