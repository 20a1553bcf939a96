"""Is a store sound? The file by SQLite's own check, the schema by the migrations, the sums by the rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from scraper import store

STATES = ("queued", "fetched", "redirected", "skipped", "failed")
MOST_FAULTS = 20  # of one kind, told one by one

# What must hold between rows: what is told, and a count of what breaks it.
_LAWS = (
    ("URLs whose host is lost", "SELECT count(*) FROM url WHERE host_id NOT IN (SELECT id FROM host)"),
    ("hosts whose crawl is lost", "SELECT count(*) FROM host WHERE crawl_id NOT IN (SELECT id FROM crawl)"),
    ("pages whose URL is lost", "SELECT count(*) FROM page WHERE url_id NOT IN (SELECT id FROM url)"),
    ("records whose page is lost", "SELECT count(*) FROM record WHERE url_id NOT IN (SELECT url_id FROM page)"),
    ("bodies whose page is lost", "SELECT count(*) FROM body WHERE url_id NOT IN (SELECT url_id FROM page)"),
    (
        "fetched URLs whose page is lost",
        "SELECT count(*) FROM url WHERE state = 'fetched' AND kind = 'page' AND id NOT IN (SELECT url_id FROM page)",
    ),
    (
        "queued URLs that nobody would ask for",
        "SELECT count(*) FROM url WHERE state = 'queued' AND id NOT IN (SELECT url_id FROM queue)",
    ),
    (
        "places in the queue of URLs that are not queued",
        "SELECT count(*) FROM queue WHERE url_id NOT IN (SELECT id FROM url WHERE state = 'queued')",
    ),
)


def faults(connection: sqlite3.Connection, *, full: bool = False) -> list[str]:
    """Return what is wrong with a store, in words; nothing if it is sound.

    `full` compares every index with its table too (`integrity_check`), which takes about three times as long.
    """
    connection.execute("BEGIN")  # a crawl may run meanwhile: all is asked of one moment
    damage = _damage(connection, full=full)
    if damage:
        return damage  # what rows say of each other means nothing then
    found = [*_foreign(connection)]
    if not found:
        found += [f"{count} {what}" for what, sql in _LAWS if (count := connection.execute(sql).fetchone()[0])]
        found += _sums(connection)
    return found


def _damage(connection: sqlite3.Connection, *, full: bool) -> list[str]:
    connection.execute("PRAGMA cell_size_check = ON")
    check = "integrity_check" if full else "quick_check"
    try:
        rows = connection.execute(f"PRAGMA {check}({MOST_FAULTS})").fetchall()
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise
        return [f"the file is damaged: {error}"]
    lines = [line for (text,) in rows for line in text.splitlines()]
    return [] if lines == ["ok"] else [f"the file is damaged: {line}" for line in lines[:MOST_FAULTS]]


def _foreign(connection: sqlite3.Connection) -> Iterator[str]:
    """What the schema has that the migrations do not make, or otherwise, or has not."""
    (version,) = connection.execute("SELECT coalesce(max(version), 0) FROM migration").fetchone()
    ours, theirs = store.schema(version), _schema(connection)
    for kind, name in sorted(ours.keys() | theirs.keys()):
        if (kind, name) not in theirs:
            yield f"{kind} {name} is missing"
        elif (kind, name) not in ours:
            yield f"{kind} {name} is not of this program"
        elif ours[kind, name] != theirs[kind, name]:
            yield f"{kind} {name} is not as this program makes it"


def _schema(connection: sqlite3.Connection) -> dict[tuple[str, str], str | None]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")
    return {(kind, name): sql for kind, name, sql in rows}


def _sums(connection: sqlite3.Connection) -> Iterator[str]:
    """The accounting identity of each crawl, and each host's counters, by the rows."""
    counted = ", ".join(f"sum({state})" for state in STATES)
    for number, name, discovered in connection.execute("SELECT id, name, discovered FROM crawl").fetchall():
        by_host = connection.execute(f"SELECT {counted} FROM host WHERE crawl_id = ?", (number,)).fetchone()  # noqa: S608
        by_row = dict(
            connection.execute(
                "SELECT url.state, count(*) FROM url JOIN host ON host.id = host_id WHERE crawl_id = ? GROUP BY 1",
                (number,),
            ).fetchall()
        )
        rows = sum(by_row.values())
        if rows != discovered:
            yield f"crawl {name} has counted {discovered} URLs and holds {rows}"
        for state, told in zip(STATES, by_host, strict=True):
            if (told or 0) != by_row.get(state, 0):
                yield f"crawl {name} has counted {told or 0} URLs as {state} and holds {by_row.get(state, 0)}"
