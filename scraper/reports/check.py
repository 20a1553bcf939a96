"""Is a store sound: its pages, what it declares, whose rows belong together, and do the sums come out?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from scraper.model import UrlState
from scraper.reports.connection import open_reader
from scraper.store import known_version, strange

MOST = 20  # findings of one kind that are told
WHOLLY_CHECKED = 256 << 20  # bytes; of a larger file indexes are compared with their tables only if asked for
_MENDING = "get out what is whole with `scraper db salvage`"

# Rows that belong to others, which have to be there.
_BELONGS = {
    "hosts without their crawl": "SELECT count(*) FROM host WHERE crawl_id NOT IN (SELECT id FROM crawl)",
    "URLs without their host": "SELECT count(*) FROM url WHERE host_id NOT IN (SELECT id FROM host)",
    "pages without their URL": "SELECT count(*) FROM page WHERE url_id NOT IN (SELECT id FROM url)",
    "bodies without their URL": "SELECT count(*) FROM body WHERE url_id NOT IN (SELECT id FROM url)",
    "records without their URL": "SELECT count(*) FROM record WHERE url_id NOT IN (SELECT id FROM url)",
    "links without their URL": "SELECT count(*) FROM link WHERE source_id NOT IN (SELECT id FROM url)",
    "fetched URLs without their page": (
        "SELECT count(*) FROM url WHERE state = 'fetched' AND kind = 'page' AND id NOT IN (SELECT url_id FROM page)"
    ),
    "queued URLs that are not in the queue": (
        "SELECT count(*) FROM url WHERE state = 'queued' AND id NOT IN (SELECT url_id FROM queue)"
    ),
    "URLs in the queue that are not queued": (
        "SELECT count(*) FROM queue WHERE url_id NOT IN (SELECT id FROM url WHERE state = 'queued')"
    ),
    "URLs in a state that there is not": (
        "SELECT count(*) FROM url WHERE state NOT IN ('queued', 'fetched', 'redirected', 'skipped', 'failed')"
    ),
}
_STATES = tuple(state.value for state in UrlState)


class Checked(NamedTuple):
    """What was found wrong, a line each with what to do about it, and whether everything was looked at."""

    problems: tuple[str, ...]
    whole: bool


def check_store(path: Path, *, full: bool = False) -> Checked:
    """Look a store through, as it is at one moment. Raises StoreError for what cannot be opened or read at all.

    It takes 2 ms of CPU a MB, 10 with indexes compared to their tables; what strangers declared is not run.
    """
    with open_reader(path, strangers=True) as connection:
        return _check(connection, known_version(connection, str(path)), path.stat().st_size, full=full)


def _check(connection: sqlite3.Connection, version: int, size: int, *, full: bool) -> Checked:
    declared = strange(connection, version)
    problems = [f"{what}: take it out, or the rows into a sound store with `scraper db salvage`" for what in declared]
    if declared:
        return Checked(tuple(problems), whole=False)  # to go on would run it
    whole = full or size <= WHOLLY_CHECKED
    connection.execute("BEGIN")
    try:
        problems += _pages(connection, whole=whole)
        if not problems:
            problems += _belonging(connection)
            problems += _sums(connection)
    finally:
        connection.execute("ROLLBACK")
    return Checked(tuple(problems), whole)


def _pages(connection: sqlite3.Connection, *, whole: bool) -> list[str]:
    pragma = "integrity_check" if whole else "quick_check"
    rows = connection.execute(f"PRAGMA {pragma}({MOST})").fetchall()
    found = [line for (text,) in rows for line in str(text).splitlines() if not line.startswith("***")]
    return [] if found == ["ok"] else [f"damaged: {line}: {_MENDING}" for line in found[:MOST]]


def _belonging(connection: sqlite3.Connection) -> Iterator[str]:
    for what, sql in _BELONGS.items():
        ((count,),) = connection.execute(sql)
        if count:
            yield f"{count} {what}: {_MENDING}"


def _sums(connection: sqlite3.Connection) -> Iterator[str]:
    """The accounting of each crawl, by its counters and by its rows."""
    for number, name, discovered, records in connection.execute(
        "SELECT id, name, discovered, records FROM crawl ORDER BY id"
    ).fetchall():
        sums = ", ".join(f"coalesce(sum({state}), 0)" for state in _STATES)
        (counted,) = connection.execute(f"SELECT {sums} FROM host WHERE crawl_id = ?", (number,))  # noqa: S608 - ours
        rows = dict(
            connection.execute(
                "SELECT state, count(*) FROM url WHERE host_id IN (SELECT id FROM host WHERE crawl_id = ?) GROUP BY 1",
                (number,),
            )
        )
        kept = dict(zip(_STATES, counted, strict=True))
        for state in _STATES:
            if kept[state] != rows.get(state, 0):
                yield f"crawl {name!r}: {kept[state]} URLs counted as {state}, {rows.get(state, 0)} are: {_MENDING}"
        if discovered != sum(rows.values()):
            yield f"crawl {name!r}: {discovered} URLs counted as discovered, {sum(rows.values())} are: {_MENDING}"
        ((made,),) = connection.execute(
            "SELECT count(*) FROM record WHERE url_id IN (SELECT url_id FROM page WHERE crawl_id = ?)", (number,)
        )
        if made != records:
            yield f"crawl {name!r}: {records} records counted, {made} are there: {_MENDING}"
