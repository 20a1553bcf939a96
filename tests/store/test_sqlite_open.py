"""How a SQLite file is opened and left: who may read it, what is no store, what a program that ends leaves behind."""

import asyncio
import os
import re
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from scraper.errors import NotAStore, SchemaTooNew, StoreBusy, StoreError
from scraper.store import open_sqlite, sqlite_file


@pytest.fixture
def path(tmp_path):
    """Where the store lies."""
    return tmp_path / "scraper.db"


@contextmanager
def as_anybody():
    """Not as root, who may write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def anybodys():
    """A directory that anybody may use."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        place.chmod(0o777)
        yield place
        place.chmod(0o777)


async def test_the_file_is_its_owners_alone(path, make):
    """The database and all that SQLite lays beside it can be read by their owner only, whatever the umask."""
    before = os.umask(0)
    try:
        async with open_sqlite(path) as store:
            await make.crawl(store, "/")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"scraper.db": 0o600, "scraper.db-wal": 0o600, "scraper.db-shm": 0o600}


async def test_closed_it_is_one_file(path, make, look):
    """A store that is closed has left everything in its one file."""
    async with open_sqlite(path) as store:
        await make.crawl(store, "/")
    assert [file.name for file in path.parent.iterdir()] == ["scraper.db"]
    assert look("PRAGMA journal_mode") == [("wal",)]
    assert look("PRAGMA integrity_check") == [("ok",)]


async def test_an_empty_file_becomes_a_store(path):
    """An empty file that was made beforehand is taken."""
    path.touch()
    async with open_sqlite(path) as store:
        assert repr(store) == f"SqliteStore({str(path)!r})"


def a_directory(path):
    """A directory lies there."""
    path.mkdir()


def in_no_directory(path):
    """Its directory is not there."""
    path.parent.rmdir()


def not_a_database(path):
    """Something else lies there."""
    path.write_bytes(b"<!doctype html>" * 100)


def a_strangers(path):
    """Another program's database lies there."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE crawl (id); CREATE TABLE migration (version); INSERT INTO migration VALUES (1)")


def newer(path):
    """A newer program wrote it."""
    asyncio.run(_made(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO migration VALUES (999, '0999_later', 0)")


def damaged(path):
    """All but the first page is overwritten."""
    asyncio.run(_made(path))
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xab" * (path.stat().st_size - 4096))


async def _made(path):
    async with open_sqlite(path):
        pass


@pytest.mark.parametrize(
    ("spoil", "error", "told"),
    [
        (a_directory, NotAStore, ["is a directory", "--db", "scraper.db/scraper.db"]),
        (in_no_directory, NotAStore, ["there is no directory"]),
        (not_a_database, NotAStore, ["is not a SQLite database", "--db"]),
        (a_strangers, NotAStore, ["database of another program", "--db"]),
        (newer, SchemaTooNew, ["newer scraper", "schema 999", "upgrade scraper", "--db"]),
        (damaged, StoreError, ["damaged"]),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_store_is_told_and_left_alone(path, spoil, error, told):
    """What cannot be opened is an error that names the path and the way out, and not a byte of it is changed."""
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(error) as raised:
        asyncio.run(_made(path))
    assert str(path) in str(raised.value)
    assert [part for part in told if part not in str(raised.value)] == []
    assert (path.read_bytes() if path.is_file() else None) == before
    assert threads() == 0


@pytest.mark.parametrize(
    ("file", "folder", "told"),
    [
        pytest.param(0o444, 0o777, "is read-only: make it writable", id="file"),
        pytest.param(0o666, 0o555, "make it and its directory writable", id="directory"),
        pytest.param(None, 0o555, "cannot be made: Permission denied", id="new-in-directory"),
    ],
)
async def test_what_may_not_be_written_is_told(anybodys, file, folder, told):
    """What may not be written is an error with its name and the way out, before a crawl begins."""
    path = anybodys / "scraper.db"
    with as_anybody():
        if file is not None:
            await _made(path)
            path.chmod(file)
    anybodys.chmod(folder)
    with pytest.raises(StoreError, match=re.escape(told)) as error, as_anybody():
        await _made(path)
    assert str(path) in str(error.value)


async def test_opened_by_many_at_once(path, make):
    """Many who open the same new file at the same moment all get the same store."""

    async def one(number):
        async with open_sqlite(path) as store:
            return await make.crawl(store, "/", name=str(number))

    async with asyncio.timeout(20):
        crawls = await asyncio.gather(*(one(number) for number in range(8)))
    assert sorted(crawl.id for crawl in crawls) == list(range(1, 9))


async def test_a_file_locked_before_it_is_a_store_is_told(path, locked, monkeypatch):
    """A file that another process locks while it is to become a store is an error that says so."""
    monkeypatch.setattr(sqlite_file, "LOCK_PATIENCE", 0.01)
    path.touch()
    await asyncio.to_thread(locked)
    with pytest.raises(StoreBusy, match="locked by another process: try again"):
        await _made(path)


def threads():
    """How many connections live."""
    return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())


async def test_an_opening_cancelled_at_any_step_leaves_no_thread(path):
    """Wherever a cancellation falls while a store is opened or closed, no connection is left to hold up the exit."""
    for steps in (*range(20), *range(20, 1000, 50)):
        opening = asyncio.create_task(_made(path))
        for _ in range(steps):
            await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    async with asyncio.timeout(5):
        while threads():  # noqa: ASYNC110 - a thread's end is no event
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        pytest.param("sys.exit(7)", 7, id="exit"),
        pytest.param("raise KeyboardInterrupt", -2, id="interrupt"),
        pytest.param("return", 0, id="return"),
        pytest.param(
            "opening = open_sqlite(PATH); await opening.__aenter__(); sys.opening = opening", 0, id="left-open"
        ),
    ],
)
def test_the_interpreter_exits_with_an_open_store(path, leave, code):
    """A program that ends with a store still open ends at once, and with its own exit code."""
    lines = [
        "import asyncio, sys",
        "from scraper.store import open_sqlite",
        f"PATH = {str(path)!r}",
        "async def main():",
        "    async with open_sqlite(PATH):",
        f"        {leave}",
        "asyncio.run(main())",
    ]
    ended = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], timeout=10, capture_output=True, text=True, check=False
    )
    assert ended.returncode == code, ended.stderr
