"""Pages and records as SQLite keeps them; what a recrawl finds changed leaves its former self in `version`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from scraper.config import StoreConfig
from scraper.model import Crawl, ParsedPage, Record, Response, UrlState, Visit
from scraper.secrets import without_userinfo

GONE = frozenset({404, 410})  # statuses by which a page says that it is no more
NOT_MODIFIED = 304

_INSERT_PAGE = (
    "INSERT OR REPLACE INTO page (url_id, crawl_id, status, content_type, charset, title, description, lang, text,"
    " bytes, content_hash, etag, last_modified, elapsed_ms, fetched_at, headings, headers, canonical, replacements,"
    " first_at) VALUES (?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
    " (SELECT coalesce(first_at, fetched_at) FROM page WHERE url_id = ?1))"
)
_KEEP_VERSION = """
INSERT INTO version (url_id, crawl_id, status, content_type, charset, title, description, lang, text, bytes,
                     content_hash, etag, last_modified, fetched_at, replaced_at, zstd, records)
SELECT page.url_id, crawl_id, status, content_type, charset, title, description, lang, text, bytes, content_hash, etag,
       last_modified, fetched_at, ?, body.zstd,
       (SELECT json_group_array(json_object('rule', rule, 'position', position, 'data', json(data)))
        FROM record WHERE record.url_id = page.url_id)
FROM page LEFT JOIN body ON body.url_id = page.url_id WHERE page.url_id = ?
"""
_STILL_SO = (
    "UPDATE page SET checked_at = ?, vanished_at = NULL, etag = coalesce(?, etag),"
    " last_modified = coalesce(?, last_modified) WHERE url_id = ?"
)


class Changes(NamedTuple):
    """What a batch changed among pages: how many records more there are, and what a recrawl found."""

    records: int
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    vanished: int = 0


def store_pages(
    db: sqlite3.Connection, crawl: Crawl, visits: Sequence[Visit], config: StoreConfig, *, now: float
) -> Changes:
    """Store what is new or has changed, note what has not and what has gone."""
    pages = [(v, v.page, v.response) for v in visits if v.page is not None and v.response is not None]
    unchanged = vanished = 0
    if crawl.round > 1:
        answered = [(v, v.response) for v in visits if v.response is not None]
        unchanged = _note_same(db, [(v.url.id, r) for v, r in answered if v.is_unchanged or r.status == NOT_MODIFIED])
        vanished = _note_gone(db, visits, now)
    pages = [(v, p, r) for v, p, r in pages if not v.is_unchanged]
    known = [v.url.id for v, _, _ in pages if v.url.content_hash is not None]
    replaced = _keep_versions(db, known, now)
    # Of a page that was lost by damage what it had may still be there. A page that is stored already is left alone: to
    # store it a second time is an error, and stays one.
    left = [(v.url.id, v.url.id) for v, _, _ in pages if v.url.content_hash is None]
    for table, column in (("record", "url_id"), ("link", "source_id")):
        db.executemany(
            f"DELETE FROM {table} WHERE {column} = ? AND NOT EXISTS (SELECT 1 FROM page WHERE url_id = ?)", left
        )
    _insert_pages(db, crawl.id, pages)
    insert_records(db, [(v.url.id, p.records) for v, p, _ in pages])
    if config.links:
        _insert_links(db, pages)
    count_rules(db, crawl.id, [match for _, page, _ in pages for match in page.matched])
    records = sum(len(p.records) for _, p, _ in pages) - replaced
    if crawl.round == 1:
        return Changes(records)
    return Changes(records, len(pages) - len(known), len(known), unchanged, vanished)


def insert_records(db: sqlite3.Connection, made: Iterable[tuple[int, Iterable[Record]]]) -> None:
    """Insert the records of pages, given by their numbers."""
    db.executemany(
        "INSERT INTO record VALUES (?, ?, ?, ?)",
        [
            (page, record.rule, record.position, msgspec.json.encode(record.data).decode())
            for page, records in made
            for record in records
        ],
    )


def count_rules(db: sqlite3.Connection, crawl_id: int, matched: Iterable[tuple[str, int]]) -> None:
    """Count pages that rules took, and the records each made of one."""
    db.executemany(
        "INSERT INTO rule VALUES (?1, ?2, 1, ?3 = 0, ?3) ON CONFLICT (crawl_id, rule) DO UPDATE"
        " SET pages = pages + 1, empty = empty + excluded.empty, records = records + excluded.records",
        [(crawl_id, rule, records) for rule, records in matched],
    )


def _note_same(db: sqlite3.Connection, same: Iterable[tuple[int, Response]]) -> int:
    rows = [(r.fetched_at, r.header("etag"), r.header("last-modified"), url) for url, r in same]
    return db.executemany(_STILL_SO, rows).rowcount if rows else 0


def _note_gone(db: sqlite3.Connection, visits: Sequence[Visit], now: float) -> int:
    """A page that is not there any more, or leads elsewhere now, is kept as it was last seen."""
    gone = [
        (now, v.url.id)
        for v in visits
        if v.state is UrlState.REDIRECTED or (v.response is not None and v.response.status in GONE)
    ]
    sql = "UPDATE page SET vanished_at = ? WHERE url_id = ? AND vanished_at IS NULL"
    return db.executemany(sql, gone).rowcount if gone else 0


def _keep_versions(db: sqlite3.Connection, changed: Sequence[int], now: float) -> int:
    """Put pages that have changed into `version`, with their records, and return how many of these there were."""
    db.executemany(_KEEP_VERSION, [(now, url) for url in changed])
    removed = 0
    for url in changed:
        removed += db.execute("DELETE FROM record WHERE url_id = ?", (url,)).rowcount
        db.execute("DELETE FROM link WHERE source_id = ?", (url,))
        db.execute("DELETE FROM body WHERE url_id = ?", (url,))
    return removed


def _insert_pages(db: sqlite3.Connection, crawl_id: int, pages: Sequence[tuple[Visit, ParsedPage, Response]]) -> None:
    db.executemany(
        _INSERT_PAGE,
        [
            (
                v.url.id, crawl_id, r.status, r.content_type or None, p.charset, p.title, p.description, p.lang, p.text,
                p.size, p.content_hash, r.header("etag"), r.header("last-modified"), round(r.elapsed_ms, 3),
                r.fetched_at, msgspec.json.encode(p.headings).decode(), _kept_headers(r), p.canonical, p.replacements,
            )
            for v, p, r in pages
        ],
    )  # fmt: skip
    db.executemany(
        "INSERT OR REPLACE INTO body VALUES (?, ?)", [(v.url.id, p.body) for v, p, _ in pages if p.body is not None]
    )


def _insert_links(db: sqlite3.Connection, pages: Sequence[tuple[Visit, ParsedPage, Response]]) -> None:
    db.executemany(
        "INSERT INTO link VALUES (?, ?, ?, ?, ?)",
        [(v.url.id, n, link.url, link.text, link.rel) for v, p, _ in pages for n, link in enumerate(p.links)],
    )


def _kept_headers(response: Response) -> str:
    """The headers as JSON, without cookies, which are secrets, and without user and password of URLs."""
    kept = [(name, value) for name, value in response.headers if not name.startswith("set-cookie")]
    return msgspec.json.encode([(name, without_userinfo(v) if "//" in v else v) for name, v in kept]).decode()
