"""What is SQLite's own: the file and who may read it, errors that say what to do, locks, readers, views, plans."""

import asyncio
import logging
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

from scraper.config import StoreConfig
from scraper.errors import NotAStore, SchemaTooNew, StoreBusy, StoreError
from scraper.model import CrawlState, Tally
from scraper.store import open_sqlite, sqlite

HOLDS = """
import sqlite3
db = sqlite3.connect({path!r}, isolation_level=None)
db.execute("BEGIN EXCLUSIVE")
print("ready", flush=True)
sys.stdin.readline()
db.execute("ROLLBACK")
db.close()
"""

COLUMNS = {  # the public contract
    "crawls": "id name state seeds config started_at finished_at",
    "urls": "crawl_id url host kind depth state reason detail attempts due_at found_on redirect_to discovered_at",
    "pages": "crawl_id url status content_type charset title description lang text bytes content_hash etag last_modified"
    " elapsed_ms depth fetched_at",
    "records": "crawl_id url rule position data",
    "links": "crawl_id source target text rel",
    "hosts": "crawl_id host crawl_delay next_at breaker failures robots_status",
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "scraper.db"


@pytest.fixture
async def store(path):
    async with open_sqlite(path) as opened:
        yield opened


@pytest.fixture
def look(path):
    """Asks the file as any other program would: at once, or not at all."""

    def look(sql):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)) as db:
            return db.execute(sql).fetchall()

    return look


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


@pytest.mark.parametrize(("setting", "pragma"), [("normal", 1), ("full", 2)])
async def test_synchronous_is_set(path, setting, pragma):
    """The setting `synchronous` reaches the writer."""
    async with open_sqlite(path, StoreConfig(synchronous=setting)) as store:
        assert list(await store._writer.execute_fetchall("PRAGMA synchronous")) == [(pragma,)]


async def test_an_empty_file_becomes_a_store(path):
    """An empty file that was made beforehand is taken."""
    path.touch()
    async with open_sqlite(path) as store:
        assert repr(store) == f"SqliteStore({str(path)!r})"


def a_directory(path):
    path.mkdir()


def in_no_directory(path):
    path.parent.rmdir()


def not_a_database(path):
    path.write_bytes(b"<!doctype html>" * 100)


def a_strangers(path):
    with closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE crawl (id); CREATE TABLE migration (version); INSERT INTO migration VALUES (1)")


def newer(path):
    asyncio.run(_made(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("INSERT INTO migration VALUES (999, '0999_later', 0)")


def damaged(path):
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
    """A file or directory that may not be written is an error with its name and the way out, before the crawl begins."""
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


async def test_a_locked_database_is_waited_for(path, make, queued, child, monkeypatch, caplog):
    """While another process locks the database a commit waits and says so; readers go on; nothing is dropped."""
    monkeypatch.setattr(sqlite, "LOCK_PATIENCE", 0.01)
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    logging.getLogger(sqlite.__name__).addFilter(tell := lambda record: loop.call_soon_threadsafe(told.set) or True)
    async with open_sqlite(path) as store, asyncio.timeout(20):
        crawl = await make.crawl(store, "/")
        (url,) = await queued(store, crawl)
        holder = await asyncio.to_thread(child, HOLDS.format(path=str(path)))
        commits = [asyncio.create_task(store.complete(crawl, [make.fetched(url)], [], now=1000.0))]
        commits.append(asyncio.create_task(store.renew(crawl, now=1000.0)))
        await told.wait()
        assert await store.tally(crawl) == await store.audit(crawl) == Tally(1, queued=1)
        async with open_sqlite(path) as other:
            assert await queued(other, crawl) == [url]
        assert not any(commit.done() for commit in commits)
        holder.communicate("\n")
        await asyncio.gather(*commits)
        assert await store.audit(crawl) == Tally(1, fetched=1)
    logging.getLogger(sqlite.__name__).removeFilter(tell)
    assert f"{path} is locked by another process; waiting" in caplog.text


async def test_a_begin_cancelled_behind_a_lock_leaves_nothing(path, make, child, monkeypatch):
    """A begin that is cancelled while it waits for a lock does not hold the database when the lock goes."""
    monkeypatch.setattr(sqlite, "LOCK_PATIENCE", 0.2)
    async with open_sqlite(path) as store, asyncio.timeout(20):
        holder = await asyncio.to_thread(child, HOLDS.format(path=str(path)))
        beginning = asyncio.create_task(make.crawl(store, "/"))
        for _ in range(5):
            await asyncio.sleep(0)
        holder.communicate("\n")
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        async with open_sqlite(path) as other:
            await make.crawl(other, "/")
        await make.crawl(store, "/")


async def test_a_file_locked_before_it_is_a_store_is_told(path, child, monkeypatch):
    """A file that another process locks while it is to become a store is an error that says so."""
    monkeypatch.setattr(sqlite, "LOCK_PATIENCE", 0.01)
    path.touch()
    await asyncio.to_thread(child, HOLDS.format(path=str(path)))
    with pytest.raises(StoreBusy, match="locked by another process: try again"):
        await _made(path)


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
        page = make.fetched(urls["/"], "/found", make.link("http://b.example/", "scope", "b.example"), records=[{"ü": 1.5}])
        (host, _) = await store.due_hosts(crawl, now=1e9, limit=1, apart=()), None
        later = make.visit(urls["r"], "queued", due_at=1060.5, attempts=2)
        await store.complete(crawl, [page, later], [], now=1001.25)
        await store.end_crawl(crawl, CrawlState.FINISHED, now=86400.0)
    assert look("SELECT id, name, state, started_at, finished_at FROM crawls") == [
        (1, "shop", "finished", "1970-01-01T00:16:40.000Z", "1970-01-02T00:00:00.000Z")
    ]
    site = "http://shop.example"
    assert look("SELECT url, host, kind, depth, state, reason, detail, attempts, due_at, found_on, discovered_at FROM urls ORDER BY url") == [
        ("http://b.example/", "http://b.example", "page", 1, "skipped", "scope", "b.example", 0, None, f"{site}/", "1970-01-01T00:16:41.250Z"),
        (f"{site}/", site, "page", 0, "fetched", None, None, 1, None, None, "1970-01-01T00:16:40.000Z"),
        (f"{site}/found", site, "page", 1, "queued", None, None, 0, None, f"{site}/", "1970-01-01T00:16:41.250Z"),
        (f"{site}/later", site, "page", 0, "queued", None, None, 2, "1970-01-01T00:17:40.500Z", None, "1970-01-01T00:16:40.000Z"),
    ]  # fmt: skip
    assert look("SELECT crawl_id, url, status, content_type, title, bytes, depth, fetched_at FROM pages") == [
        (1, f"{site}/", 200, "text/html", f"Title of {site}/", 7, 0, "1970-01-01T00:16:40.000Z")
    ]
    assert look("SELECT * FROM records") == [(1, f"{site}/", "rule", 0, '{"ü":1.5}')]
    assert look("SELECT source, target FROM links") == [(f"{site}/", f"{site}/found"), (f"{site}/", "http://b.example/")]
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
    """No statement of a claim, a commit, a takeover or of the question who is due reads through a table or sorts one."""
    crawl = await make.crawl(store, "/", "http://other.example/")
    urls = await queued(store, crawl)
    hosts = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    said = {store._reader: [], store._writer: []}
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
    await store.complete(crawl, [make.fetched(urls[1], "http://shop.example/no", "http://new.example/")], [], now=1000.0)
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
    ((pages,),) = await store._writer.execute_fetchall("PRAGMA page_count")
    await store._writer.execute_fetchall(f"PRAGMA max_page_count = {pages}")
    visit = make.fetched(url, *(f"/{n}" for n in range(2000)))
    with pytest.raises(StoreError, match="the disk is full: make room and run `scraper resume`") as error:
        await store.complete(crawl, [visit], [], now=1000.0)
    assert isinstance(error.value.__cause__, sqlite3.Error)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(1, queued=1)
    await store._writer.execute_fetchall("PRAGMA max_page_count = 1000000")
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


def threads():
    """How many connections live."""
    return sum("_connection_worker_thread" in thread.name for thread in threading.enumerate())


async def test_an_opening_cancelled_at_any_step_leaves_no_thread(path):
    """Wherever a cancellation falls while a store is opened or closed, no connection is left to hold up the exit."""
    for steps in range(80):
        opening = asyncio.create_task(_made(path))
        for _ in range(steps):
            await asyncio.sleep(0.0001 if steps % 2 else 0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    async with asyncio.timeout(5):
        while threads():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    ("leave", "code"),
    [
        pytest.param("sys.exit(7)", 7, id="exit"),
        pytest.param("raise KeyboardInterrupt", -2, id="interrupt"),
        pytest.param("return", 0, id="return"),
        pytest.param("opening = open_sqlite(PATH); await opening.__aenter__(); sys.opening = opening", 0, id="left-open"),
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
    ended = subprocess.run([sys.executable, "-c", "\n".join(lines)], timeout=10, capture_output=True, text=True)
    assert ended.returncode == code, ended.stderr
