"""A database that others lock, read for long, or crawl into: nothing is dropped, nobody is mixed up (A5, A6, A8)."""

import asyncio
import logging
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import scraper
from scraper.errors import StoreBusy
from scraper.reports import open_reader, run, status
from scraper.store import sqlite_file

FAST = {"depth": 9, "delay": 0.0, "per_host": 8, "parse_workers": 0, "retry_base": 0.0, "store_batch_seconds": 0.05}
CONCURRENCY = 8
_LOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("ready", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
print("gone", flush=True)
"""
_CRAWLER = """
import asyncio, sys, scraper
async def main():
    async for _ in scraper.crawl([sys.argv[2]], store=sys.argv[1], name=sys.argv[3], depth=9, delay=0.0,
                                 parse_workers=0):
        pass
asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path):
    """Where the store lies."""
    return tmp_path / "scraper.db"


@pytest.fixture
def pages(site):
    """A site of a hundred pages."""
    for number in range(100):
        site.page(f"/p{number}", [f"/p{(number * 5 + more) % 100}" for more in range(1, 6)])
    return site


@pytest.fixture
def few(site):
    """One of ten."""
    for number in range(10):
        site.page(f"/p{number}", [f"/p{number + more}" for more in range(1, 6) if number + more < 10])
    return site


@pytest.fixture
async def processes():
    """Starts programs in processes of their own; they end with the test."""
    started = []

    async def start(code, *arguments):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *map(str, arguments),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
def locked(processes, path):
    """Has another process lock the store; call the result to let go."""

    async def lock():
        process = await processes(_LOCKER, path)
        assert await process.stdout.readline() == b"ready\n"

        async def let_go():
            process.stdin.write(b"\n")
            assert await process.stdout.readline() == b"gone\n"

        return let_go

    return lock


@pytest.fixture
def told(monkeypatch):
    """What the store warns of, as it comes."""
    queue = asyncio.Queue()

    class Told(logging.Handler):
        def emit(self, record):
            queue.put_nowait(record.getMessage())

    handler, logger = Told(), logging.getLogger("scraper.store")
    logger.addHandler(handler)
    yield queue
    logger.removeHandler(handler)


async def crawl_through_a_lock(pages, path, locked, told, tries, *, said):
    """Lock a crawl's store in the midst of it; `said` messages later let go; tell how it went."""
    visits, begun = 0, asyncio.Event()

    async def crawl():
        nonlocal visits
        async for _ in scraper.crawl([pages.url("/p0")], store=path, concurrency=CONCURRENCY, **FAST):
            visits += 1
            begun.set()

    crawling = asyncio.create_task(crawl())
    await begun.wait()
    let_go = await locked()
    for _ in range(said):
        message = await told.get()
        tries.check(f"{path} is locked by another process; waiting since" in message, message)
    asked, saved = len(pages.requests), visits
    message = await told.get()  # once more, so that all that could go on has come to a halt
    tries.check(len(pages.requests) == asked, f"{len(pages.requests) - asked} requests more behind the lock")
    # What was out, and two batches: one being written, one waiting.
    tries.check(asked <= saved + 1 + 3 * CONCURRENCY, f"{asked} requests for {saved} pages that were saved")
    tries.check(not crawling.done(), "the crawl ended")
    await let_go()
    freed = time.monotonic()
    while visits == saved:  # noqa: ASYNC110 - under the test's own deadline
        await asyncio.sleep(0.01)
    tries.check(time.monotonic() - freed <= 1.0, f"going again only after {time.monotonic() - freed:.1f} s")
    await crawling
    tries.check(visits == 100, f"{visits} of 100 pages")
    tries.check(sorted(pages.paths()) == sorted(["/robots.txt", *(f"/p{n}" for n in range(100))]), "asked twice")


async def test_a_lock_pauses_the_fetch(goal, pages, path, locked, told, monkeypatch):
    """While the store is locked the fetch comes to a halt within its bound, and goes on within 1 s after (A5)."""
    monkeypatch.setattr(sqlite_file, "LOCK_PATIENCE", 0.3)
    with goal("G5", "a lock in the midst of a crawl") as tries:
        await crawl_through_a_lock(pages, path, locked, told, tries, said=1)


@pytest.mark.heavy
@pytest.mark.timeout(180)
async def test_a_lock_of_a_minute(goal, pages, path, locked, told):
    """Locked for 60 s a crawl says so every 10 s, loses nothing, and goes on within 1 s after (A5)."""
    with goal("G5", "a lock of a minute in the midst of a crawl") as tries:
        await crawl_through_a_lock(pages, path, locked, told, tries, said=5)


@pytest.mark.parametrize("moment", ["beginning", "resuming", "extracting", "ending"])
async def test_a_lock_at_any_moment_is_waited_for(few, path, locked, told, moment, monkeypatch, tmp_path):
    """Whoever begins, resumes, ends or extracts while the store is locked waits, says so, and then does it (A5)."""
    monkeypatch.setattr(sqlite_file, "LOCK_PATIENCE", 0.2)
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "r"\nmatch = "*"\n[rule.fields]\nt = "h1"\n')
    async for _ in scraper.crawl([few.url("/p0")], store=path, **FAST | {"max_pages": 3}):
        pass

    async def exhausted(work):
        async for _ in work:
            pass

    if moment == "ending":
        crawl = scraper.resume(store=path, max_pages=5)
        await anext(aiter(crawl))
        let_go = await locked()
        working = asyncio.create_task(crawl.aclose())
    else:
        let_go = await locked()
        work = {
            "beginning": lambda: scraper.crawl([few.url("/p1")], store=path, name="more", **FAST | {"max_pages": 3}),
            "resuming": lambda: scraper.resume(store=path, max_pages=5),
            "extracting": lambda: scraper.extract(store=path, rules=[tmp_path / "rules.toml"]),
        }[moment]()
        working = asyncio.create_task(exhausted(work))
    assert "is locked by another process; waiting" in await told.get()
    with open_reader(path) as db:  # readers do not care
        assert list(run(db, "SELECT count(*) >= 3 FROM pages").rows) == [(1,)]
    await let_go()
    async with asyncio.timeout(20):
        await working
    with open_reader(path) as db:
        assert not status(db, 1, now=time.time()).running


async def test_a_second_run_of_a_crawl_is_refused_at_once(goal, few, path, processes):
    """The same crawl in another process, begun or resumed, is refused within 1 s with the number of the first (A6)."""
    few.hang("/p1")
    first = await processes(_CRAWLER, path, few.url("/p0"), "one")
    async with asyncio.timeout(30):
        while "/p1" not in few.paths():  # noqa: ASYNC110 - it is another process's doing
            await asyncio.sleep(0.01)
    with goal("G5", "second runs of a crawl, refused within 1 s") as tries:
        for second in (
            scraper.resume(store=path),
            scraper.resume("one", store=path),
            scraper.crawl([few.url("/p0")], store=path, name="one", **FAST),
            scraper.crawl([few.url("/p0")], store=path, name="one", new=True, **FAST),
        ):
            begun = time.monotonic()
            with pytest.raises(StoreBusy, match=f"being run by process {first.pid}"):
                await anext(aiter(second))
            tries.check(time.monotonic() - begun <= 1.0, f"refused only after {time.monotonic() - begun:.1f} s")


async def test_many_crawls_in_one_file(few, path, processes):
    """Several processes crawl into one new file at once, each its own crawl, and all of them come out whole (A6)."""
    running = [await processes(_CRAWLER, path, few.url("/p0"), f"crawl {number}") for number in range(2)]
    said = [await process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*), count(DISTINCT crawl_id), count(DISTINCT url) FROM pages").fetchall() == [
            (20, 2, 10)
        ]
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_long_reader_does_no_harm(goal, pages, path):
    """Beside a reader of a whole crawl the log grows, as `status` tells, and shrinks when the reader leaves (A8)."""
    async for _ in scraper.crawl([pages.url("/p0")], store=path, **FAST | {"max_pages": 1}):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM pages").fetchall() == [(1,)]
        async for _ in scraper.resume(store=path, max_pages=99):
            pass
        with open_reader(path) as db:
            grown = status(db, 1, now=time.time())
        assert grown.log_bytes == path.with_name("scraper.db-wal").stat().st_size > 100_000
        assert grown.as_dict()["log_bytes"] == grown.log_bytes
        assert reader.execute("SELECT count(*) FROM pages").fetchall() == [(1,)]
        reader.execute("COMMIT")
    async for _ in scraper.resume(store=path, max_pages=999):
        pass
    with open_reader(path) as db:
        assert status(db, 1, now=time.time()).log_bytes == 0
