"""Bring a database to this version: numbered SQL files, forward only, each applied whole together with its row."""

from __future__ import annotations

import re
import sqlite3
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from scraper.errors import MigrationError, NotAStore, SchemaTooNew, StoreDamaged

APPLICATION_ID = 0x53435250  # "SCRP" in the database's header: this file is ours
BOOKKEEPING = "CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at REAL NOT NULL)"


class Migration(NamedTuple):
    """One numbered file."""

    version: int
    name: str
    sql: str


def migrations(database: str) -> list[Migration]:
    """Return the migrations for a kind of database (`sqlite`), in order."""
    folder = _folder() / database
    found = [
        Migration(int(path.stem[:4]), path.stem, path.read_text(encoding="utf-8"))
        for path in folder.iterdir()
        if re.fullmatch(r"\d{4}_\w+\.sql", path.name)
    ]
    return sorted(found)


def newest(database: str) -> int:
    """The version this program writes."""
    return migrations(database)[-1].version


def migrate(connection: sqlite3.Connection, path: str, now: float, *, upto: int | None = None) -> None:
    """Apply what is missing, or of it what leads to version `upto`.

    Raises NotAStore, SchemaTooNew or MigrationError; then nothing has changed.
    """
    version = store_version(connection, path)
    known = migrations("sqlite")
    if version > known[-1].version:
        raise SchemaTooNew(
            f"{path} was written by a newer scraper (schema {version}, this one knows {known[-1].version}): "
            "upgrade scraper, or name another file with --db"
        )
    for migration in known[version:upto]:
        try:
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have been first.
            if store_version(connection, path) < migration.version:
                _apply(connection, migration, now)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in {
                sqlite3.SQLITE_IOERR,
                sqlite3.SQLITE_FULL,
                sqlite3.SQLITE_CANTOPEN,
            }:
                raise  # no fault of the migration; nothing was changed either
            raise MigrationError(f"{path}: migration {migration.name} failed, nothing was changed: {error}") from error


def _apply(connection: sqlite3.Connection, migration: Migration, now: float) -> None:
    if migration.version == 1:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(BOOKKEEPING)
    for statement in _statements(migration.sql):
        connection.execute(statement)
    connection.execute("INSERT INTO migration VALUES (?, ?, ?)", (migration.version, migration.name, now))


def _statements(sql: str) -> list[str]:
    # One by one, because executescript would commit first.
    statements, current = [], ""
    for line in sql.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return [*statements, current]  # what no semicolon ends must not be lost


def store_version(connection: sqlite3.Connection, path: str) -> int:
    """Return the schema version, 0 of an empty database. Raises NotAStore for another program's, StoreDamaged."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not tables:
        return 0
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID or "migration" not in tables:
        raise NotAStore(f"{path} is a database of another program: name another file with --db")
    (version,) = connection.execute("SELECT max(version) FROM migration").fetchone()
    if not isinstance(version, int) or version < 1:
        raise StoreDamaged(path, "it does not say its schema version")
    return version


def _folder() -> Path:
    # In a wheel the files lie inside the package, in a checkout and an editable install beside it.
    package = Path(str(files("scraper")))
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
