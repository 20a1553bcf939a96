"""A process that was frozen while another took its crawl over, and clocks that were set meanwhile (A6, A10)."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import pytest

import scraper
from scraper.errors import StoreBusy
from scraper.store import lease

FAST = {"depth": 9, "delay": 0.0, "per_host": 8, "parse_workers": 0, "retry_base": 0.0, "store_batch_seconds": 0.05}


@pytest.fixture
def path(tmp_path):
    """Where the store lies."""
    return tmp_path / "scraper.db"


@pytest.fixture
async def crawling(site, path):
    """A crawl in a process of its own that hangs at its second page; it ends with the test."""
    site.page("/", ["/slow", *(f"/p{number}" for number in range(20))])
    site.hang("/slow")
    for number in range(20):
        site.page(f"/p{number}")
    # Its signs of life come often, so that nobody has to wait for them.
    code = "import scraper.app.lease; scraper.app.lease.HEARTBEAT = 0.2; import scraper.cli; scraper.cli.main()"
    options = ("--depth", "9", "--delay", "0", "--per-host", "8", "--parse-workers", "0", "--concurrency", "2")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "crawl", site.url("/"), *options, "--db", str(path), "--name", "frozen",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(30):
        while "/p19" not in site.paths():  # noqa: ASYNC110 - it is another process's doing
            await asyncio.sleep(0.01)
    yield process
    if process.returncode is None:
        process.kill()
        await process.communicate()


@pytest.fixture
def silence(monkeypatch):
    """Shortens the time in which a process that lives is heard, in seconds."""
    return lambda seconds: monkeypatch.setattr("scraper.store.sqlite_lease.SILENCE", seconds)


async def exhausted(run):
    """Run it to its end."""
    async for _ in run:
        pass


async def test_a_frozen_process_writes_nothing_late(goal, site, path, crawling, silence, monkeypatch):
    """Frozen past its lease, a run loses its crawl; awake again, its writes are refused, in a line, with 1 (A6)."""
    silence(0.1)
    site.page("/slow")
    with goal("G5", "late writes after a lease has passed to another") as tries:
        crawling.send_signal(signal.SIGSTOP)
        with pytest.raises(StoreBusy):
            await exhausted(scraper.resume(store=path))
        monkeypatch.setattr("scraper.app.begin.time.time", lambda now=time.time: now() + lease.LEASE)
        await exhausted(scraper.resume(store=path))
        monkeypatch.undo()
        before = await looked_at(path)
        crawling.send_signal(signal.SIGCONT)
        _, told = await asyncio.wait_for(crawling.communicate(), 30)
        tries.check(crawling.returncode == 1, crawling.returncode)
        tries.check(b"was taken over by another process; nothing more is written" in told, told)
        tries.check(b"Traceback" not in told, told)
        tries.check(await looked_at(path) == before, "it wrote")


async def looked_at(path):
    """All that a crawl came to."""
    async with scraper.open(path) as store:
        crawl = await store.find_crawl("frozen")
        return crawl, await store.audit(crawl)


HOUR, YEARS = 3600.0, 10 * 365 * 86400.0


async def test_a_clock_that_jumps_frees_no_crawl(goal, path, crawling, silence):
    """A crawl whose process lives is not taken over, however the clock is set; killed, it is free at once (A10)."""
    silence(1.0)
    async with scraper.open(path) as store:
        crawl = await store.find_crawl("frozen")
        with goal("G5", "takeovers from a process that lives, after a jump of the clock") as tries:
            for jump in (HOUR, -HOUR, YEARS, -YEARS):
                with pytest.raises(StoreBusy, match=f"process {crawling.pid}"):
                    await store.take_crawl(crawl, crawl.config, now=time.time() + jump)
                tries.check(await store.find_crawl("frozen") == crawl, jump)
        crawling.kill()
        await crawling.communicate()
        silence(60.0)
        for number, jump in enumerate((HOUR, -HOUR, YEARS, -YEARS), 1):
            taken = await store.take_crawl(crawl, crawl.config, now=time.time() + jump)
            assert taken.epoch == crawl.epoch + number
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("UPDATE crawl SET owner = ?, lease_until = ?", (_dead(), time.time() + lease.LEASE))


def _dead():
    return lease.to_json(lease.Owner(os.getpid(), lease.myself().place, "1"))


@pytest.mark.parametrize("jump", [HOUR, YEARS])
async def test_a_lease_of_a_clock_that_was_set_back_holds_nobody_up(path, silence, jump, make_left):
    """A lease that another machine or boot wrote by a clock far ahead is soon taken (A10)."""
    silence(0.05)
    crawl = await make_left(lease.Owner(7, "another boot", "1"), until=time.time() + jump)
    async with scraper.open(path) as store:
        assert (await store.take_crawl(crawl, crawl.config, now=time.time())).epoch == crawl.epoch + 1


@pytest.fixture
def make_left(site, path):
    """Makes a crawl that somebody holds."""

    async def make(owner, *, until):
        site.page("/", ["/next"])
        await exhausted(scraper.crawl([site.url("/")], store=path, **FAST, max_pages=1))
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE crawl SET owner = ?, lease_until = ?", (lease.to_json(owner), until))
        async with scraper.open(path) as store:
            return await store.find_crawl(None)

    return make


def test_ended_leases_and_clocks():
    """Who holds a crawl, by who he is, when his lease ends, and what the clock says now (A6, A10)."""
    me, dead = lease.myself(), lease.Owner(os.getpid(), lease.myself().place, "1")
    other, parent = lease.Owner(1, "elsewhere", "1"), lease.Owner(os.getppid(), me.place, _started(os.getppid()))
    yes, no, doubtful = lease.Held.YES, lease.Held.NO, lease.Held.DOUBTFUL
    table = [  # owner, lease until, what that is at 1000
        (None, 1010, no), (dead, 1010, no), (dead, 1000 + YEARS, no), (dead, 900, no),
        (parent, 1010, yes), (parent, 1015, yes), (parent, 1000 + HOUR, yes), (parent, 1000 + YEARS, yes),
        (parent, 1000, doubtful), (parent, 1000 - HOUR, doubtful), (parent, 1000 - YEARS, doubtful),
        (me, 1010, yes), (me, 1000, no), (me, 1000 - YEARS, no),
        (other, 1010, yes), (other, 1015, yes), (other, 1000, no), (other, 1000 - YEARS, no),
        (other, 1016, doubtful), (other, 1000 + HOUR, doubtful), (other, 1000 + YEARS, doubtful),
    ]  # fmt: skip
    for owner, until, expected in table:
        assert lease.held(owner, until, 1000.0) is expected, (owner, until)


def _started(pid):
    return lease._started(pid)
