"""Is what a SQLite file declares ours, and nothing else that could run? A store from elsewhere is hostile.

A trigger, a view, a generated column, a DEFAULT, a CHECK or an index of a stranger is code that runs when we write or
read. So what a file declares is compared, word for word, with what the migrations of its version declare. A plain table
of a stranger is let be: nothing of ours ever touches it.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache

from scraper.errors import ForeignSchema, SchemaTooNew
from scraper.store.migrate import migrate, newest, store_version

_DECLARED = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL"
_DEFENSIVE = 1010  # SQLITE_DBCONFIG_DEFENSIVE
_VIRTUAL = re.compile(r"\s*create\s+virtual\b", re.IGNORECASE)


def guard_schema(connection: sqlite3.Connection) -> None:
    """Have SQLite distrust what the file declares, and look at cells before it believes them.

    (https://sqlite.org/security.html, section 1.)
    """
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    if (setconfig := getattr(connection, "setconfig", None)) is not None:  # Python 3.12
        setconfig(_DEFENSIVE)


def known_version(connection: sqlite3.Connection, path: str, known: int | None = None) -> int:
    """Return the version of a store, 0 of an empty database; `known` is the newest to take, by default this program's.

    Raises NotAStore for another program's, SchemaTooNew, StoreDamaged.
    """
    version = store_version(connection, path)
    most = newest("sqlite") if known is None else known
    if version > most:
        raise SchemaTooNew(
            f"{path} was written by a newer scraper (schema {version}, this one knows {most}): upgrade scraper, "
            "or name another file with --db"
        )
    return version


def refuse_strangers(connection: sqlite3.Connection, path: str, version: int) -> None:
    """Raise ForeignSchema if a store declares what is not ours."""
    if found := strange(connection, version):
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise ForeignSchema(
            f"{path} declares what is not ours: {found[0]}{more}; it is not used, for that would run what a stranger "
            "wrote: take it out, or take the rows into a sound store with `scraper db salvage`"
        )


def strange(connection: sqlite3.Connection, version: int) -> list[str]:
    """Return what the file declares otherwise than the migrations up to `version` do, a phrase each."""
    ours, found = declared(version), []
    theirs = {name: (kind, table, _words(sql)) for kind, name, table, sql in connection.execute(_DECLARED)}
    for name, (kind, table, sql) in theirs.items():
        if name in ours:
            if ours[name] != (kind, table, sql):
                found.append(f"{kind} {name} is not as this program makes it")
        elif kind != "table":
            found.append(f"{kind} {name} on {table}" if kind in {"trigger", "index"} else f"{kind} {name}")
        elif _VIRTUAL.match(sql):
            found.append(f"virtual table {name}")
    found += [f"{kind} {name} is missing" for name, (kind, _, _) in ours.items() if name not in theirs]
    return found


@cache
def declared(version: int) -> dict[str, tuple[str, str, str]]:
    """Return kind, table and words of each name that the migrations up to `version` declare. Takes 10 ms once."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as empty:
        migrate(empty, ":memory:", 0.0, upto=version)
        return {name: (kind, table, _words(sql)) for kind, name, table, sql in empty.execute(_DECLARED)}


def _words(sql: str) -> str:
    # How SQLite joins a column that was added to what was there may differ between its versions.
    return " ".join(str(sql).split())
