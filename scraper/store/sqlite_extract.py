"""Records made anew of stored pages, in SQLite: how far that has come, and each batch in one transaction."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

import aiosqlite

from scraper.model import Crawl
from scraper.store.base import Extraction, Remade, RuleTally, StoredPage
from scraper.store.sqlite_pages import count_rules, insert_records

_PAGES = """
SELECT page.url_id, url.url, page.status, page.content_type, page.charset, page.etag, page.last_modified, page.headers,
       body.zstd
FROM page JOIN url ON url.id = page.url_id LEFT JOIN body ON body.url_id = page.url_id
WHERE page.crawl_id = ? AND page.url_id > ? ORDER BY page.url_id LIMIT ?
"""


def begin(db: sqlite3.Connection, crawl: Crawl, rules: tuple[str, ...], digest: str) -> Extraction:
    """Return how far rules of this digest have come; others begin, and what was counted of them is forgotten."""
    known = db.execute("SELECT digest, done_to, pages, failed FROM extraction WHERE crawl_id = ?", (crawl.id,))
    was, done_to, done, failed = known.fetchone() or ("", 0, 0, 0)
    if was != digest:
        done_to = done = failed = 0
        db.execute("INSERT OR REPLACE INTO extraction (crawl_id, digest) VALUES (?, ?)", (crawl.id, digest))
        db.executemany("DELETE FROM rule WHERE crawl_id = ? AND rule = ?", [(crawl.id, rule) for rule in rules])
    ((pages,),) = db.execute("SELECT count(*) FROM page WHERE crawl_id = ?", (crawl.id,))
    return Extraction(crawl, rules, done_to, done, failed, pages)


async def stored_pages(db: aiosqlite.Connection, crawl_id: int, *, after: int, limit: int) -> list[StoredPage]:
    """Return pages after a number, in order, with the headers that are kept."""
    rows = await db.execute_fetchall(_PAGES, (crawl_id, after, limit))
    return [
        StoredPage(number, url, status, _headers(headers, content_type, charset, etag, last_modified), body)
        for number, url, status, content_type, charset, etag, last_modified, headers, body in rows
    ]


def replace(db: sqlite3.Connection, extraction: Extraction, pages: Sequence[Remade]) -> None:
    """Put new records in the place of what these rules had made of the pages."""
    if not pages:
        return
    crawl_id, made = extraction.crawl.id, [one for one in pages if one.failure is None]
    doomed = [(one.page.id, rule) for one in made for rule in extraction.rules]
    deleted = db.executemany("DELETE FROM record WHERE url_id = ? AND rule = ?", doomed).rowcount if doomed else 0
    insert_records(db, [(one.page.id, one.records) for one in made])
    count_rules(db, crawl_id, [match for one in made for match in one.matched])
    inserted = sum(len(one.records) for one in made)
    db.execute("UPDATE crawl SET records = records + ? WHERE id = ?", (inserted - deleted, crawl_id))
    db.execute(
        "UPDATE extraction SET done_to = ?, pages = pages + ?, failed = failed + ? WHERE crawl_id = ?",
        (pages[-1].page.id, len(pages), len(pages) - len(made), crawl_id),
    )


def end(db: sqlite3.Connection, crawl_id: int, *, done: bool) -> None:
    """Give the lease back; if all is done, there is nothing to go on with."""
    db.execute("UPDATE crawl SET owner = NULL, lease_until = 0 WHERE id = ?", (crawl_id,))
    if done:
        db.execute("DELETE FROM extraction WHERE crawl_id = ?", (crawl_id,))


async def rule_tallies(db: aiosqlite.Connection, crawl_id: int) -> list[RuleTally]:
    """Return what each rule came to."""
    rows = await db.execute_fetchall(
        "SELECT rule, pages, empty, records FROM rule WHERE crawl_id = ? ORDER BY rule", (crawl_id,)
    )
    return [RuleTally(*row) for row in rows]


def _headers(
    headers: str | None, content_type: str | None, charset: str | None, etag: str | None, last_modified: str | None
) -> tuple[tuple[str, str], ...]:
    """The headers; of a page that an older version stored those few that it kept, with the charset it was read in."""
    if headers is not None:
        return tuple([(name, value) for name, value in json.loads(headers)])
    kind = f"{content_type or 'text/html'}; charset={charset}" if charset else content_type
    named = (("content-type", kind), ("etag", etag), ("last-modified", last_modified))
    return tuple((name, value) for name, value in named if value is not None)
