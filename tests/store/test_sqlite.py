"""What is SQLite's own once it is open: locks, readers, views, plans, and its errors in our words."""

import asyncio
import re
import sqlite3
from contextlib import closing

import pytest

from scraper.config import StoreConfig
from scraper.errors import StoreError
from scraper.model import CrawlState, Tally
from scraper.store import open_sqlite, sqlite_file, sqlite_writer

COLUMNS = {  # the public contract
    "crawls": "id name state seeds config started_at finished_at",
    "urls": "crawl_id url host kind depth state reason detail attempts due_at found_on redirect_to discovered_at"
    " lastmod",
    "pages": "crawl_id url status content_type charset title description lang text bytes content_hash etag"
    " last_modified elapsed_ms depth fetched_at headings canonical replacements first_at checked_at vanished_at",
    "versions": "crawl_id url status content_type charset title description lang text bytes content_hash etag"
    " last_modified fetched_at replaced_at records",
    "records": "crawl_id url rule position data",
    "links": "crawl_id source target text rel",
    "rules": "crawl_id rule pages empty records",
    "hosts": "crawl_id host crawl_delay next_at breaker failures robots_status slowdown requests retries",
}


@pytest.fixture
def path(tmp_path):
    """Where the store lies."""
    return tmp_path / "scraper.db"


@pytest.fixture
async def store(path):
    """It, opened."""
    async with open_sqlite(path) as opened:
        yield opened


@pytest.mark.parametrize(("setting", "pragma"), [("normal", 1), ("full", 2)])
async def test_synchronous_is_set(path, setting, pragma):
    """The setting `synchronous` reaches the writer."""
    async with open_sqlite(path, StoreConfig(synchronous=setting)) as store:
        assert list(await store._writer.connection.execute_fetchall("PRAGMA synchronous")) == [(pragma,)]


async def test_a_locked_database_is_waited_for(path, make, queued, locked, monkeypatch):
    """While another process locks the database a commit waits and says so; readers go on; nothing is dropped."""
    monkeypatch.setattr(sqlite_file, "LOCK_PATIENCE", 0.01)
    told = asyncio.Queue()
    monkeypatch.setattr(sqlite_writer.log, "warning", lambda text, *values: told.put_nowait(text % values))
    async with open_sqlite(path) as store, asyncio.timeout(20):
        crawl = await make.crawl(store, "/")
        (url,) = await queued(store, crawl)
        holder = await asyncio.to_thread(locked)
        commits = [asyncio.create_task(store.complete(crawl, [make.fetched(url)], [], now=1000.0))]
        commits.append(asyncio.create_task(store.renew(crawl, now=1000.0)))
        assert f"{path} is locked by another process; waiting" in await told.get()
        assert await store.tally(crawl) == await store.audit(crawl) == Tally(1, queued=1)
        async with open_sqlite(path) as other:
            assert await queued(other, crawl) == [url]
        assert not any(commit.done() for commit in commits)
        holder.communicate("\n")
        await asyncio.gather(*commits)
        assert await store.audit(crawl) == Tally(1, fetched=1)


async def test_a_begin_cancelled_behind_a_lock_leaves_nothing(path, make, locked, monkeypatch):
    """A begin that is cancelled while it waits for a lock does not hold the database when the lock goes."""
    monkeypatch.setattr(sqlite_file, "LOCK_PATIENCE", 0.2)
    async with open_sqlite(path) as store, asyncio.timeout(20):
        holder = await asyncio.to_thread(locked)
        beginning = asyncio.create_task(make.crawl(store, "/"))
        for _ in range(5):
            await asyncio.sleep(0)
        holder.communicate("\n")
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        async with open_sqlite(path) as other:
            await make.crawl(other, "/", name="other")
        await make.crawl(store, "/")


async def test_a_reader_is_never_in_the_way(store, make, queued, path):
    """A reader in the middle of a long read sees one state, and holds up no commit."""
    crawl = await make.crawl(store, "/")
    (url,) = await queued(store, crawl)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT state FROM urls").fetchall() == [("queued",)]
        async with asyncio.timeout(5):
            await store.complete(crawl, [make.fetched(url, "/found")], [], now=1000.0)
        assert reader.execute("SELECT state FROM urls").fetchall() == [("queued",)]
        reader.execute("COMMIT")
        assert reader.execute("SELECT state FROM urls ORDER BY url").fetchall() == [("fetched",), ("queued",)]


async def test_a_writer_is_never_in_the_way(store, make, look):
    """Half a transaction is seen by nobody, and nobody waits for it."""
    half, whole = asyncio.Event(), asyncio.Event()

    async def seeds():
        yield [make.link("/a")]
        half.set()
        await whole.wait()

    beginning = asyncio.create_task(store.begin_crawl(make.new("/a"), seeds(), None, now=1000.0))
    await half.wait()
    assert look("SELECT (SELECT count(*) FROM crawls), (SELECT count(*) FROM urls)") == [(0, 0)]
    whole.set()
    await beginning
    assert look("SELECT (SELECT count(*) FROM crawls), (SELECT count(*) FROM urls)") == [(1, 1)]


async def test_the_views_are_those_of_the_contract(store, look):
    """The public views have exactly their columns, in their order."""
    found = {name: [row[1] for row in look(f"PRAGMA table_info({name})")] for name in COLUMNS}
    assert found == {name: columns.split() for name, columns in COLUMNS.items()}


async def test_the_views_show_what_was_committed(path, make, queued, look):
    """Each view tells what happened, with moments as ISO 8601 in UTC."""
    async with open_sqlite(path, StoreConfig(links=True)) as store:
        crawl = await make.crawl(store, "/", "/later", now=1000.0)
        urls = {url.url[-1]: url for url in await queued(store, crawl)}
        page = make.fetched(
            urls["/"], "/found", make.link("http://b.example/", "scope", "b.example"), records=[{"ü": 1.5}]
        )
        later = make.visit(urls["r"], "queued", due_at=1060.5, attempts=2)
        await store.complete(crawl, [page, later], [], now=1001.25)
        await store.end_crawl(crawl, CrawlState.FINISHED, now=86400.0)
    assert look("SELECT id, name, state, started_at, finished_at FROM crawls") == [
        (1, "shop", "finished", "1970-01-01T00:16:40.000Z", "1970-01-02T00:00:00.000Z")
    ]
    site = "http://shop.example"
    begun, saved = "1970-01-01T00:16:40.000Z", "1970-01-01T00:16:41.250Z"
    assert look("SELECT url, host, depth, state, reason, detail, found_on, discovered_at FROM urls ORDER BY url") == [
        ("http://b.example/", "http://b.example", 1, "skipped", "scope", "b.example", f"{site}/", saved),
        (f"{site}/", site, 0, "fetched", None, None, None, begun),
        (f"{site}/found", site, 1, "queued", None, None, f"{site}/", saved),
        (f"{site}/later", site, 0, "queued", None, None, None, begun),
    ]
    assert look("SELECT kind, attempts, due_at FROM urls WHERE crawl_id = 1 ORDER BY url") == [
        ("page", 0, None),
        ("page", 1, None),
        ("page", 0, None),
        ("page", 2, "1970-01-01T00:17:40.500Z"),
    ]
    assert look("SELECT crawl_id, url, status, content_type, title, bytes, depth, fetched_at FROM pages") == [
        (1, f"{site}/", 200, "text/html", f"Title of {site}/", 7, 0, "1970-01-01T00:16:40.000Z")
    ]
    assert look("SELECT * FROM records") == [(1, f"{site}/", "rule", 0, '{"ü":1.5}')]
    assert look("SELECT source, target FROM links") == [
        (f"{site}/", f"{site}/found"),
        (f"{site}/", "http://b.example/"),
    ]
    assert look("SELECT crawl_id, host, next_at, breaker FROM hosts ORDER BY host") == [
        (1, "http://b.example", None, "closed"),
        (1, site, None, "closed"),
    ]


async def test_links_are_kept_only_if_asked_for(store, make, queued, look):
    """By default a page's links are not kept beside the URLs they led to."""
    crawl = await make.crawl(store, "/")
    (url,) = await queued(store, crawl)
    await store.complete(crawl, [make.fetched(url, "/found")], [], now=1000.0)
    assert look("SELECT count(*) FROM links") == [(0,)]
    assert look("SELECT zstd FROM body") == [(b"zstd",)]


async def test_the_line_goes_by_index(store, make, queued):
    """No statement of a claim, a commit, a takeover or of who is due reads through a table or sorts one."""
    crawl = await make.crawl(store, "/", "http://other.example/")
    urls = await queued(store, crawl)
    hosts = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    said = {store._reader: [], store._writer.connection: []}
    for connection, lines in said.items():
        await connection.set_trace_callback(lines.append)
    ids = [host.id for host in hosts]
    await store.due_hosts(crawl, now=1000.0, limit=9, apart=ids[:1])
    await store.next_due_at(crawl, now=0.0, apart=ids[:1])
    await store.claim(dict.fromkeys(ids, 64), {ids[0]: {1, 2}}, now=1000.0)
    await store.roots(crawl)
    await store.tally(crawl)
    nofollow = make.fetched(urls[0], make.link("/no", "nofollow"), "/yes", records=[{}])
    await store.complete(crawl, [nofollow], hosts, now=1000.0)
    await store.complete(
        crawl, [make.fetched(urls[1], "http://shop.example/no", "http://new.example/")], [], now=1000.0
    )
    await store.renew(crawl, now=1000.0)
    await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=1000.0)
    await store.take_crawl(crawl, "{}", now=1000.0)
    plans = []
    for connection, lines in said.items():
        await connection.set_trace_callback(None)
        for line in {line for line in lines if line.startswith(("SELECT", "INSERT", "UPDATE", "DELETE"))}:
            plan = [row[3] for row in await store._reader.execute_fetchall(f"EXPLAIN QUERY PLAN {line}")]
            plans += [(step, line) for step in plan]
    assert len(plans) > 30
    scans = re.compile(r"SCAN (?!json_each|CONSTANT|\(subquery|(\w+ )?.*url_nofollow)")
    assert [(step, line) for step, line in plans if scans.match(step)] == []
    sorting = [line for step, line in plans if "TEMP B-TREE" in step]
    assert [line for line in sorting if "WHERE id >" not in line] == []  # what one batch has just inserted


async def test_a_full_disk_is_told(store, make, queued):
    """A commit for which there is no room is an error that says so and what to do, and leaves nothing."""
    crawl = await make.crawl(store, "/")
    (url,) = await queued(store, crawl)
    ((pages,),) = await store._writer.connection.execute_fetchall("PRAGMA page_count")
    await store._writer.connection.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    visit = make.fetched(url, *(f"/{n}" for n in range(2000)))
    with pytest.raises(StoreError, match="the disk is full: make room and run `scraper resume`") as error:
        await store.complete(crawl, [visit], [], now=1000.0)
    assert isinstance(error.value.__cause__, sqlite3.Error)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(1, queued=1)
    await store._writer.connection.execute_fetchall("PRAGMA max_page_count = 1000000")
    await store.complete(crawl, [visit], [], now=1000.0)


@pytest.mark.parametrize("read", ["find_crawl", "tally", "audit", "roots", "claim", "due_hosts", "next_due_at"])
async def test_a_read_that_fails_is_an_error_of_ours(store, make, path, read):
    """What the database says against a read comes as StoreError with the path."""
    crawl = await make.crawl(store, "/")
    with closing(sqlite3.connect(path)) as db:
        views = [name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")]
        db.executescript("".join(f"DROP VIEW {view};" for view in views))
        db.executescript("DROP TABLE crawl; DROP TABLE host; DROP TABLE root; DROP TABLE queue")
    reads = {
        "find_crawl": lambda: store.find_crawl("shop"),
        "tally": lambda: store.tally(crawl),
        "audit": lambda: store.audit(crawl),
        "roots": lambda: store.roots(crawl),
        "claim": lambda: store.claim({1: 1}, {}, now=1000.0),
        "due_hosts": lambda: store.due_hosts(crawl, now=1000.0, limit=1, apart=()),
        "next_due_at": lambda: store.next_due_at(crawl, now=1000.0, apart=()),
    }
    with pytest.raises(StoreError, match="no such table") as error:
        await reads[read]()
    assert str(path) in str(error.value)
