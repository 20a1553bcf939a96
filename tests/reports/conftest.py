from __future__ import annotations

import hashlib
import shutil
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import pytest

from scraper.reports import open_reader

MIGRATION = Path(__file__).parents[2] / "migrations" / "sqlite" / "0001_initial.sql"
NOW = 1_800_000_000.0


class Scene:
    """A store file made by the migration and filled by SQL: two crawls, the second with pages, records and links."""

    now = NOW

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """The file as the store makes it."""
        with self.writing() as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(MIGRATION.read_text(encoding="utf-8"))
            db.execute("PRAGMA application_id = 0x53435250")
            db.execute(
                "CREATE TABLE migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at REAL NOT NULL)"
            )
            db.execute("INSERT INTO migration VALUES (1, '0001_initial', 0)")

    @contextmanager
    def writing(self):
        """A connection that may write, as another process has one."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        try:
            yield connection
        finally:
            connection.close()

    def reading(self, newest: int = 1):
        """What is tested."""
        return open_reader(self.path, newest=newest)

    def execute(self, sql: str, *parameters: object) -> None:
        """Write one thing."""
        with self.writing() as db:
            db.execute(sql, parameters)

    def fingerprint(self) -> dict[str, str]:
        """Every file in the store's directory but the index of the log, which readers mark, and its hash."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.path.parent.iterdir()
            if not path.name.endswith("-shm")
        }

    def fill(self) -> None:
        """Two crawls: `old` is finished and tiny, `shop` (number 2) was interrupted."""
        with self.writing() as db:
            db.execute(
                "INSERT INTO crawl (id, name, state, seeds, seed_count, config, started_at, finished_at, discovered)"
                " VALUES (1, 'old', 'finished', '[\"http://old.example/\"]', 1, '{}', 100, 200.5, 1)"
            )
            db.execute(
                "INSERT INTO crawl (id, name, state, seeds, seed_count, config, started_at, discovered, records,"
                " beyond_depth, epoch) VALUES (2, 'shop', 'interrupted', '[\"http://a.example/\"]', 1, '{}', 300, 6, 3,"
                " 7, 4)"
            )
            db.execute("INSERT INTO host (id, crawl_id, host, fetched) VALUES (1, 1, 'http://old.example', 1)")
            db.execute(
                "INSERT INTO host (id, crawl_id, host, queued, fetched, redirected, skipped, next_at)"
                " VALUES (2, 2, 'http://a.example', 1, 2, 1, 1, ?)",
                (NOW,),
            )
            db.execute(
                "INSERT INTO host (id, crawl_id, host, failed, breaker, robots_status)"
                " VALUES (3, 2, 'http://b.example', 1, 'open', '404')"
            )
            urls = [  # id, host, url, state, reason, detail, found_on
                (1, 1, "http://old.example/", "fetched", None, None, None),
                (2, 2, "http://a.example/", "fetched", None, None, None),
                (3, 2, "http://a.example/1", "fetched", None, None, 2),
                (4, 2, "http://a.example/2", "queued", None, None, 2),
                (5, 2, "http://a.example/go", "redirected", None, "302", 2),
                (6, 2, "http://a.example/basket", "skipped", "robots", "Disallow: /basket", 2),
                (7, 3, "http://b.example/", "failed", "http-4xx", "404", 3),
            ]
            db.executemany(
                "INSERT INTO url (id, host_id, url, state, reason, detail, found_on, key, depth, discovered_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, randomblob(16), 0, 300.25)",
                urls,
            )
            db.executemany(
                "INSERT INTO page (url_id, crawl_id, status, title, text, bytes, content_hash, elapsed_ms,"
                " fetched_at) VALUES (?, ?, 200, ?, ?, 10, 'ff', 1.5, 301)",
                [(1, 1, "Old", "old"), (3, 2, "One", "one"), (2, 2, "Home", "home")],
            )
            db.executemany(
                "INSERT INTO record VALUES (?, ?, ?, ?)",
                [
                    (3, "item", 1, '{"name":"b","price":2.5}'),
                    (3, "item", 0, '{"name":"a","price":1}'),
                    (2, "shop", 0, '{"name":"=cmd()"}'),
                    (1, "item", 0, '{"name":"old"}'),
                ],
            )
            db.executemany("INSERT INTO link VALUES (?, ?, ?, ?, ?)",
                           [(2, 1, "http://a.example/2", "two", ""), (2, 0, "http://a.example/1", "one", "next"),
                            (1, 0, "http://x.example/", "x", "")])  # fmt: skip


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """Both stores, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("templates")
    for name in ("empty", "filled"):
        made = Scene(folder / name)
        made.make()
        if name == "filled":
            made.fill()
    return folder


@pytest.fixture
def empty(tmp_path, templates):
    """A store without a crawl."""
    (folder := tmp_path / "store").mkdir()
    return Scene(shutil.copy(templates / "empty", folder / "scraper.db"))


@pytest.fixture
def scene(tmp_path, templates):
    """A store with two crawls."""
    (folder := tmp_path / "store").mkdir()
    return Scene(shutil.copy(templates / "filled", folder / "scraper.db"))


@pytest.fixture
def reader(scene):
    """A connection as `open_reader` gives it."""
    with scene.reading() as connection:
        yield connection
