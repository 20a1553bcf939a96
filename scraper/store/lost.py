"""URLs whose rows are lost: which there were the index still knows, by their keys; their texts stand elsewhere.

The text of a URL is what its key is the hash of: it is looked for among the seeds, the targets of redirects, the links
and the bodies that are left. A URL whose page is there is put back. For one that had none, what leads to it is asked
again, so that it is judged and found as any link is. If something cannot be found, all pages of its crawl are.
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Iterator
from typing import NamedTuple

from scraper import urls
from scraper.config import Config
from scraper.errors import UrlError
from scraper.store.bodies import text

_HREF = re.compile(r"""\b(?:href|src)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""", re.IGNORECASE)
_PUT_BACK = (
    "INSERT OR IGNORE INTO url (id, host_id, key, url, depth, seed, state, attempts, tried_at, found_on, discovered_at)"
    " SELECT ?, ?, ?, ?, ?, ?, 'fetched', 1, fetched_at, ?, fetched_at FROM page WHERE url_id = ?"
)
_QUEUE_SEED = (
    "INSERT OR IGNORE INTO url (id, host_id, key, url, depth, seed, state, discovered_at)"
    " SELECT ?, ?, ?, ?, 0, 1, 'queued', started_at FROM crawl WHERE id = ?"
)


class Lost(NamedTuple):
    """How many URLs were lost and not put back; the URLs that are asked again to find them."""

    urls: int
    parents: frozenset[int]


class _Clue(NamedTuple):
    """A text that may be a lost URL, and where it stands: a URL's number (0 for a seed), and how deep that would be."""

    crawl_id: int
    url: str
    parent: int
    depth: int


def find_lost(db: sqlite3.Connection, configs: dict[int, Config], *, complete: bool) -> Lost:
    """Put back what URLs can be, and say what is to be asked again for the others.

    Not `complete`: there may be more than the index tells.
    """
    rows = db.execute(
        "SELECT host.crawl_id, found.key, found.id, found.host_id FROM url_seen_found AS found"
        " JOIN host ON host.id = found.host_id WHERE found.id NOT IN (SELECT id FROM url)"
    )
    missing = {(crawl_id, key): (number, host_id) for crawl_id, key, number, host_id in rows}
    lost, parents = 0, set[int]()
    for clue in _clues(db) if missing else ():
        for url in _readings(clue.url, configs[clue.crawl_id]):
            if (found := missing.pop((clue.crawl_id, urls.key(url)), None)) is not None:
                put_back = _put_back(db, clue, url, *found)
                lost += not put_back
                parents |= set() if put_back or not clue.parent else {clue.parent}
        if not missing:
            break
    crawls = set(configs) if not complete else {crawl_id for crawl_id, _ in missing}
    if not complete:
        _queue_seeds(db)
    for crawl_id in crawls:
        asked = db.execute(
            "SELECT id FROM url WHERE state IN ('fetched', 'redirected')"
            " AND host_id IN (SELECT id FROM host WHERE crawl_id = ?)",
            (crawl_id,),
        )
        parents.update(number for (number,) in asked)
    return Lost(lost + len(missing), frozenset(parents))


def _put_back(db: sqlite3.Connection, clue: _Clue, url: str, number: int, host_id: int) -> bool:
    """Give a page its URL again, and queue a seed."""
    seed = clue.parent == 0
    values = (number, host_id, urls.key(url), url)
    done = db.execute(_PUT_BACK, (*values, clue.depth, seed, clue.parent or None, number)).rowcount
    if not done and seed:
        done = db.execute(_QUEUE_SEED, (*values, clue.crawl_id)).rowcount
    return bool(done)


def _queue_seeds(db: sqlite3.Connection) -> None:
    """Queue the seeds that a crawl remembers and that are not there."""
    for crawl_id, seeds, started_at in db.execute("SELECT id, seeds, started_at FROM crawl").fetchall():
        for url in filter(_is_url, json.loads(seeds)):
            db.execute("INSERT OR IGNORE INTO host (crawl_id, host) VALUES (?, ?)", (crawl_id, urls.host(url)))
            db.execute(
                "INSERT OR IGNORE INTO url (host_id, key, url, depth, seed, state, discovered_at)"
                " SELECT id, ?, ?, 0, 1, 'queued', ? FROM host WHERE crawl_id = ? AND host = ?",
                (urls.key(url), url, started_at, crawl_id, urls.host(url)),
            )


def _is_url(text: object) -> bool:
    try:
        return isinstance(text, str) and urls.canonical(text) == text and urls.is_web(text)
    except UrlError:
        return False


def _readings(url: str, config: Config) -> list[str]:
    """The texts that a URL may be kept as: with and without the parameters that are taken out."""
    strip = config.crawl.strip_parameters
    return list(dict.fromkeys((url, urls.Stripping(strip)(url)))) if strip else [url]


def _clues(db: sqlite3.Connection) -> Iterator[_Clue]:
    """Every text that may be a URL of a crawl, the cheap ones first. Fetched whole: rows are written meanwhile."""
    for crawl_id, seeds in db.execute("SELECT id, seeds FROM crawl").fetchall():
        yield from (_Clue(crawl_id, seed, 0, 0) for seed in filter(_is_url, json.loads(seeds)))
    of_url = "FROM url JOIN host ON host.id = url.host_id"
    redirects = db.execute(f"SELECT crawl_id, redirect_to, url.id, depth {of_url} WHERE redirect_to IS NOT NULL")
    yield from (_Clue(*row) for row in redirects.fetchall())
    links = db.execute(f"SELECT crawl_id, target, url.id, depth + 1 {of_url} JOIN link ON source_id = url.id")
    yield from (_Clue(*row) for row in links.fetchall())
    numbers = db.execute("SELECT page.url_id FROM page JOIN body USING (url_id) JOIN url ON url.id = page.url_id")
    for (number,) in numbers.fetchall():
        yield from _of_body(db, number)


def _of_body(db: sqlite3.Connection, number: int) -> Iterator[_Clue]:
    ((crawl_id, base, depth, charset, packed),) = db.execute(
        "SELECT page.crawl_id, url.url, url.depth, page.charset, zstd FROM url JOIN page ON page.url_id = url.id"
        " JOIN body ON body.url_id = url.id WHERE url.id = ?",
        (number,),
    )
    for href in dict.fromkeys(_HREF.findall(text(packed, charset))):
        try:
            yield _Clue(crawl_id, urls.canonical(html.unescape(href.strip("\"'").strip()), base), number, depth + 1)
        except UrlError:
            continue
