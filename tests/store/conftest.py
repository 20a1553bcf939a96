"""What the store's tests use: every kind of database, values made with little said, real other processes."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import AbstractAsyncContextManager, closing

import pytest

from scraper import urls
from scraper.config import StoreConfig
from scraper.model import CrawlUrl, Link, ParsedPage, Reason, Record, Response, UrlState, Verdict, Visit
from scraper.store import NewCrawl, Store, open_sqlite

_LOCKER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("ready", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
db.close()
"""

_CHILD = """
import asyncio, signal, sys, time
from scraper.model import *
from scraper.store import *

async def main():
{body}

asyncio.run(main())
"""


class Sqlite:
    """A SQLite file of its own, opened as often as wanted; `opening` opens it in another process."""

    def __init__(self, place):
        self.place = str(place / "scraper.db")
        self.opening = f"open_sqlite({self.place!r})"

    def open(self, **settings) -> AbstractAsyncContextManager[Store]:
        """Open a store on it."""
        return open_sqlite(self.place, StoreConfig(**settings))


IMPLEMENTATIONS = {"sqlite": Sqlite}


class Make:
    """Makes what a crawl puts into a store; a URL is said by its path or as a whole."""

    HOST = "http://shop.example"

    def link(self, url, reason=None, detail=None):
        """A link; with a reason, one that is not to be asked."""
        url = url if "://" in url else self.HOST + url
        return Link(url, urls.host(url), urls.key(url), verdict=reason and Verdict(Reason(reason), detail))

    def new(self, *seeds, name="shop", config="{}", digest="d"):
        """What a crawl is begun with."""
        return NewCrawl(name, config, tuple(self.link(seed).url for seed in seeds), len(seeds), digest)

    async def crawl(self, store, *seeds, name="shop", roots=None, now=1000.0):
        """Begin a crawl of these seeds."""

        async def links():
            yield [self.link(seed) for seed in seeds]

        async def some():
            for root in roots or ():
                yield root

        return await store.begin_crawl(self.new(*seeds, name=name), links(), some() if roots else None, now=now)

    def visit(self, url: CrawlUrl, state=None, *, found=(), reason=None, **more):
        """What became of a URL, by its state or by its reason."""
        state = UrlState(state) if state else Reason(reason).state
        links = tuple(self.link(link) if isinstance(link, str) else link for link in found)
        return Visit(url, state, reason and Reason(reason), found=links, **{"attempts": 1, "tried_at": 1000.0, **more})

    def fetched(self, url: CrawlUrl, *found, records=(), matched=(), response=None, **more):
        """A page with these links and records."""
        links = tuple(self.link(link) if isinstance(link, str) else link for link in found)
        page = ParsedPage(
            "utf-8",
            hashlib.blake2b(url.url.encode(), digest_size=16).hexdigest(),
            title=f"Title of {url.url}",
            text="text",
            links=links,
            records=tuple(Record("rule", n, data) for n, data in enumerate(records)),
            body=b"zstd",
            size=7,
            matched=matched,
        )
        response = response or Response(url.url, 200, (("content-type", "text/html"),), fetched_at=1000.0)
        return self.visit(url, "fetched", found=links, page=page, response=response, **more)


@pytest.fixture
def make():
    """Makes the values of the line."""
    return Make()


@pytest.fixture(params=IMPLEMENTATIONS)
def implementation(request):
    """Each kind of database there is."""
    return IMPLEMENTATIONS[request.param]


@pytest.fixture(autouse=True)
def leaving(monkeypatch):
    """Shortens the time that a run which is being left is given, in seconds; a test that needs it sets its own."""
    monkeypatch.setattr("scraper.store.sqlite.LEAVING", 0.05)


@pytest.fixture
def database(implementation, tmp_path):
    """An empty one."""
    return implementation(tmp_path)


@pytest.fixture
async def store(database):
    """A store on it."""
    async with database.open() as opened:
        yield opened


@pytest.fixture
def queued():
    """All that may be asked of a crawl, by host number."""

    async def queued(store, crawl, *, now=1000.0, held=None, count=1000):
        hosts = await store.due_hosts(crawl, now=now, limit=1000, apart=())
        claimed = await store.claim({host.id: count for host in hosts}, held or {}, now=now)
        return [url for host in hosts for url in claimed[host.id].urls]

    return queued


@pytest.fixture
def started():
    """Starts a program in another process and returns that once it has said `ready`; it ends with the test."""
    processes = []

    def started(code, *arguments):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        if process.stdout.readline() != "ready\n":
            pytest.fail(process.communicate(timeout=10)[1])
        return process

    yield started
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def child(started):
    """Runs lines as the body of a coroutine in another process."""
    return lambda body: started(_CHILD.format(body="\n".join(f"    {line}" for line in body.splitlines())))


@pytest.fixture
def locked(started, path):
    """Has another process lock the SQLite file until it gets a line."""
    return lambda: started(_LOCKER, str(path))


@pytest.fixture
def look(path):
    """Asks the file as any other program would: at once, or not at all."""

    def look(sql):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)) as db:
            return db.execute(sql).fetchall()

    return look
