"""The write-ahead log: synced in time, taken over in time and by size; and a disk that fails is left alone."""

import asyncio
import errno
import os
import re
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from scraper.config import StoreConfig
from scraper.errors import DiskFailed, NotAStore, StoreBusy, StoreDamaged, StoreError, StoreForbidden
from scraper.model import Tally
from scraper.store import open_sqlite, sqlite_file, sqlite_log, sqlite_prepare
from scraper.store.sqlite_log import Log

SOON = StoreConfig(checkpoint_seconds=0.01)
NEVER = StoreConfig(checkpoint_seconds=1e6)


@pytest.fixture
def path(tmp_path):
    """Where the store lies."""
    return tmp_path / "scraper.db"


@pytest.fixture
def log(path):
    """Its log."""
    return path.with_name("scraper.db-wal")


@contextmanager
def reading(path):
    """Somebody who reads what there is now, for as long as the block runs."""
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM url").fetchall()
        yield


@pytest.fixture
def synced(monkeypatch):
    """The names of the files that are synced, as they are; `fails` makes one of them fail."""
    names, real = asyncio.Queue(), os.fsync

    def fsync(descriptor):
        names.put_nowait(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        if names.fails:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    names.fails = False
    monkeypatch.setattr(sqlite_log.os, "fsync", fsync)
    return names


async def until(holds):
    """Wait for what another task does."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - it is a file that changes
            await asyncio.sleep(0.005)


async def test_what_was_committed_is_synced_in_time(path, make, queued, synced):
    """`checkpoint_seconds` after a commit the log is synced, with nothing more committed (A2)."""
    async with open_sqlite(path, SOON) as store, asyncio.timeout(20):
        crawl = await make.crawl(store, "/")
        assert await synced.get() == "scraper.db-wal"
        while not synced.empty():
            synced.get_nowait()
        (url,) = await queued(store, crawl)
        await store.complete(crawl, [make.fetched(url)], [], now=1000.0)
        assert await synced.get() == "scraper.db-wal"


async def test_what_was_committed_is_taken_over_in_time(path, log, make):
    """`checkpoint_seconds` after a commit it is in the database, and the log is empty (A8)."""
    async with open_sqlite(path, SOON) as store:
        await make.crawl(store, "/")
        await until(lambda: log.stat().st_size == 0)
        await make.crawl(store, "/", name="other")
        await until(lambda: log.stat().st_size == 0)


async def test_nothing_waits_for_a_sync(path, make, synced):
    """A transaction that takes long does not hold up the sync of what was committed before it (A2)."""
    async with open_sqlite(path, NEVER) as store, asyncio.timeout(20):
        await make.crawl(store, "/")
        async with store._writer.transaction():
            keeping = asyncio.create_task(store._writer.keep_safe(0.0, store._reader))
            assert await synced.get() == "scraper.db-wal"
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)


async def test_a_reader_holds_up_no_sync(path, log, make, synced):
    """A commit is synced while somebody reads an older state, and when he leaves the log is cut (A2, A8)."""
    async with open_sqlite(path, SOON) as store, asyncio.timeout(20):
        await make.crawl(store, "/")
        with reading(path):
            while not synced.empty():
                synced.get_nowait()
            await make.crawl(store, "/", name="other")
            assert await synced.get() == "scraper.db-wal"
            assert log.stat().st_size > 0
        await make.crawl(store, "/", name="third")
        await until(lambda: log.stat().st_size == 0)


async def test_a_long_log_is_taken_over(path, log, make, monkeypatch):
    """A log over its size is taken over at once; one that a reader holds, when it has grown as much again (A8)."""
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_BYTES", 200_000)
    taken, real = [], Log.take_over
    monkeypatch.setattr(Log, "take_over", lambda self, db: taken.append(self._size()) or real(self, db))

    async def grow(store, until_size):
        for number in range(1000):
            await make.crawl(store, f"/{len(taken)}/{number}", name=f"{len(taken)} {number}")
            if not log.stat().st_size or log.stat().st_size > until_size:
                return

    async with open_sqlite(path, NEVER) as store, asyncio.timeout(60):
        await grow(store, 1_000_000)
        assert [200_000 <= size < 300_000 for size in taken] == [True]
        assert log.stat().st_size == 0
        await make.crawl(store, "/", name="before")
        with reading(path):
            await grow(store, 700_000)
        assert len(taken) == 1 + log.stat().st_size // 200_000
        await grow(store, 2_000_000)
        assert log.stat().st_size == 0


async def test_who_waits_for_a_reader_holds_up_nobody(path, log, make, monkeypatch):
    """A log that a reader holds is not waited for (A8)."""
    monkeypatch.setattr(sqlite_log, "CHECKPOINT_BYTES", 1)
    async with open_sqlite(path, NEVER) as store:
        await make.crawl(store, "/")
        with reading(path):
            async with asyncio.timeout(sqlite_file.LOCK_PATIENCE / 2):
                await make.crawl(store, "/", name="other")
            patience = await store._writer.connection.execute_fetchall("PRAGMA busy_timeout")
    assert list(patience) == [(sqlite_file.LOCK_PATIENCE * 1000,)]


async def test_after_a_failed_sync_nothing_is_written(path, log, make, queued, synced):
    """After a sync that failed every write is refused, and closing leaves database and log as they are (A4)."""
    async with open_sqlite(path, SOON) as store:
        crawl = await make.crawl(store, "/", now=1000.0)
        (url,) = await queued(store, crawl)
        await until(lambda: log.stat().st_size == 0)
        synced.fails = True
        await store.renew(crawl, now=1001.0)
        await until(lambda: store._writer._failed is not None)
        synced.fails = False
        before = path.read_bytes(), log.read_bytes()
        for _ in range(2):
            with pytest.raises(DiskFailed, match=r"Input/output error; [\d,]+ bytes free\): see to its disk") as error:
                await store.complete(crawl, [make.fetched(url)], [], now=1000.0)
            assert str(path) in str(error.value)
        assert await store.tally(crawl) == Tally(1, queued=1)
    assert (path.read_bytes(), log.read_bytes()) == before
    assert before[1]
    async with open_sqlite(path) as store:
        await store.complete(crawl, [make.fetched(url)], [], now=1000.0)
        assert await store.audit(crawl) == Tally(1, fetched=1)


async def test_what_cannot_be_synced_at_the_end_is_told(path, log, make, synced):
    """A store that cannot be synced when it is closed raises that, and the log stays to be looked at (A4)."""
    opening = open_sqlite(path, NEVER)
    store = await opening.__aenter__()
    await make.crawl(store, "/")
    synced.fails = True
    with pytest.raises(DiskFailed):
        await opening.__aexit__(None, None, None)
    assert log.stat().st_size > 0


async def test_what_a_killed_process_left_is_synced_first(path, log, make, synced):
    """A log that is found is synced before it is taken over; if it cannot be, nothing is opened (A4)."""
    async with open_sqlite(path, NEVER) as store:
        await make.crawl(store, "/")
        left = path.read_bytes(), log.read_bytes()
    path.write_bytes(left[0])
    log.write_bytes(left[1])
    synced.fails = True
    with pytest.raises(DiskFailed):
        async with open_sqlite(path):
            pytest.fail("it was opened")
    assert (path.read_bytes(), log.read_bytes()) == left


async def test_a_failed_write_is_the_last(path, make, monkeypatch):
    """After an I/O error of the database itself the connection is not used again, but for reading (A4)."""
    async with open_sqlite(path, NEVER) as store:
        crawl = await make.crawl(store, "/")

        def fail(db):
            raise _io_error()

        with pytest.raises(DiskFailed, match="disk I/O error, SQLITE_IOERR_FSYNC"):
            await store._writer.write(fail)
        said = []
        await store._writer.connection.set_trace_callback(said.append)
        with pytest.raises(DiskFailed):
            await store.renew(crawl, now=1000.0)
        assert said == []
        assert await store.tally(crawl) == Tally(1, queued=1)


def _io_error(code=sqlite3.SQLITE_IOERR_FSYNC, name="SQLITE_IOERR_FSYNC", text="disk I/O error"):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode, error.sqlite_errorname = code, name
    return error


ROOM = r"[\d,]+ bytes free"
WORDS = [
    (_io_error(), DiskFailed, rf"cannot be written \(disk I/O error, SQLITE_IOERR_FSYNC; {ROOM}\): see to its disk"),
    (_io_error(sqlite3.SQLITE_FULL), StoreError, rf"the disk is full: make room and run `scraper resume`.* \({ROOM}\)"),
    (_io_error(sqlite3.SQLITE_CANTOPEN, "SQLITE_CANTOPEN", "no"), DiskFailed, rf"\(no, SQLITE_CANTOPEN; {ROOM}\)"),
    (_io_error(sqlite3.SQLITE_READONLY_DBMOVED, "MOVED", "no"), DiskFailed, rf"\(no, MOVED; {ROOM}\)"),
    (_io_error(sqlite3.SQLITE_NOTADB), NotAStore, "is not a SQLite database"),
    (_io_error(sqlite3.SQLITE_BUSY), StoreBusy, "is locked by another process"),
    (_io_error(sqlite3.SQLITE_CORRUPT, text="malformed"), StoreDamaged, r"malformed"),
    (_io_error(sqlite3.SQLITE_ERROR, text="no {such} table"), StoreError, "no {such} table"),
    (OSError(errno.ENOSPC, "No space left on device"), DiskFailed, rf"\(No space left on device; {ROOM}\)"),
]


@pytest.mark.parametrize(("error", "kind", "text"), WORDS, ids=[str(number) for number in range(len(WORDS))])
def test_what_went_wrong_in_our_words(path, error, kind, text):
    """An error of the disk names the path, what failed, the room that is left and the way out (A4)."""
    path.touch()
    told = sqlite_file.in_our_words(str(path), error)
    assert type(told) is kind
    assert re.search(text, str(told))
    assert str(told).startswith(str(path))


def test_where_we_may_not_write_is_not_the_disks_fault(path):
    """What cannot be opened for want of permission, or is gone, is told as that (A4)."""
    for error in (_io_error(sqlite3.SQLITE_CANTOPEN), PermissionError(errno.EACCES, "Permission denied")):
        assert type(sqlite_file.in_our_words(str(path), error)) is StoreForbidden


def test_no_log_no_store(path):
    """Where SQLite keeps no write-ahead log, and says so without an error, there is no store (A4)."""
    with closing(sqlite3.connect(":memory:")) as db, pytest.raises(DiskFailed, match="no write-ahead log can be kept"):
        sqlite_prepare._write_ahead(db, str(path))


async def test_sqlite_takes_over_nothing_by_itself(path):
    """SQLite, which keeps to itself what fails then, takes no log over after a commit (A4)."""
    async with open_sqlite(path) as store:
        for connection in (store._writer.connection, store._reader):
            assert list(await connection.execute_fetchall("PRAGMA wal_autocheckpoint")) == [(0,)]


async def test_the_reader_cannot_write(path, make):
    """What reads for a crawl cannot write, not even when it is closed last."""
    async with open_sqlite(path) as store:
        await make.crawl(store, "/")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await store._reader.execute_fetchall("UPDATE crawl SET name = 'x'")
