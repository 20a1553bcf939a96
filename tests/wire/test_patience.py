"""How often and when a host in trouble is asked, as its own log tells (G16), whoever was killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
import time
from contextlib import closing, suppress
from email.utils import formatdate
from itertools import pairwise
from random import Random

import pytest
from aiohttp import web

import scraper
from scraper.model import CrawlState

FAST = {"delay": 0.0, "parse_workers": 0, "adaptive": False, "retry_base": 0.001}
DEADLINE = 20.0  # seconds
PATIENCE = 1800  # seconds
SETTINGS = """
[politeness]
delay = 0.0
[parse]
workers = 0
[store]
batch_seconds = 60.0
"""


@pytest.fixture
def crawl(tmp_path):
    """Crawl these URLs to the end, and return how many ended in which state."""

    async def crawl(*seeds, **options):
        run = scraper.crawl(list(seeds), store=tmp_path / "crawl.db", **FAST | options)
        async for _ in run:
            pass
        assert run.tally.holds
        return run.tally

    return crawl


@pytest.mark.parametrize("status", [502, 429])
async def test_no_storm(site, crawl, goal, status):
    """Of a host that fails half of all requests, at most a tenth is asked again, but what it asks to be (B12, G16)."""
    random = Random(16)
    number = 300

    async def flap(request):
        return web.Response(status=status if random.random() < 0.5 else 200, text="<p>here", content_type="text/html")

    site.below("/p", flap)
    tally = await crawl(*(site.url(f"/p{n}") for n in range(number)), breaker_failures=1000, per_host=8)
    again = len(site.requests) - 1 - number
    with goal("G16", "half of all requests fail: retries within a tenth") as tries:
        tries.check(again <= number / 10 or status == 429, f"{again} of {number}")
        tries.check(tally.fetched >= number / 2.2, tally)
    assert again > 0


async def test_an_open_breaker_lets_one_out(site, crawl, goal):
    """Once a breaker has opened nothing is sent; half open it sends exactly one; at last the host is given up (B12)."""
    site.raw("/robots.txt", lambda _: _answer(404))
    site.below("/p", lambda _: _answer(503))
    urls = (site.url(f"/p{n}") for n in range(60))
    tally = await crawl(*urls, breaker_failures=3, breaker_cooldown=0.3, breaker_openings=2, per_host=4)
    moments = [at for path, at in site.requests if path != "/robots.txt"]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    first = next(n for n, gap in enumerate(gaps) if gap > 0.25) + 1
    with goal("G16", "an open breaker sends nothing, a half open one exactly one") as tries:
        tries.check(first <= 3 + 3, f"{first} before it opened")  # three may be out when the third fails
        tries.check(len(moments) == first + 2, f"{len(moments) - first} probes")
        for gap, least in zip(gaps[first - 1 :], (0.3, 0.6), strict=True):
            tries.check(gap >= least - 0.02, f"{gap:.2f} s, not {least}")
    assert tally.failed == 60


async def _answer(status, **headers):
    return web.Response(status=status, headers=headers)


@pytest.mark.parametrize(("path", "form"), [("/robots.txt", "seconds"), ("/p", "seconds"), ("/p", "date")])
async def test_retry_after_outlasts_a_kill(site, tmp_path, goal, path, form):
    """A Retry-After is stored at once, that of robots.txt too: killed and resumed, nobody asks before (B11, G16)."""
    named = str(PATIENCE) if form == "seconds" else formatdate(time.time() + PATIENCE, usegmt=True)
    site.raw(path, lambda _: _answer(503, **{"Retry-After": named}))
    db = tmp_path / "crawl.db"
    (tmp_path / "settings.toml").write_text(SETTINGS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scraper", "crawl", site.url("/p"), "--db", str(db), "--config", "settings.toml",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True, cwd=tmp_path,
    )  # fmt: skip
    try:
        async with asyncio.timeout(DEADLINE):
            while _parked_until(db) < time.time() + PATIENCE - 100:  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.01)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    asked = site.paths()
    assert asked[-1] == path
    run = scraper.resume(store=db)

    async def watch():
        async with asyncio.timeout(DEADLINE):
            while run.frontier is None or not run.frontier._window.due_in_store:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        run.stop()

    watching = asyncio.create_task(watch())
    async for _ in run:
        pass
    await watching
    assert run.state is CrawlState.INTERRUPTED
    with goal("G16", "a Retry-After outlasts a kill") as tries:
        tries.check(site.paths() == asked, site.paths())
    assert abs(_parked_until(db) - time.time() - PATIENCE) < 100


def _parked_until(db):
    """When the host may be asked again, as far as the store knows."""
    with suppress(sqlite3.OperationalError), closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT max(next_at) FROM host").fetchone()[0] or 0.0
    return 0.0
