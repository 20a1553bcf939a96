"""New rules over stored pages: `scraper.extract` on crawls of a real site, and the command, killed and gone on with."""

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import aclosing, closing

import pytest

import scraper
from scraper.errors import ConfigError, CrawlNotFound, StoreBusy

FAST = {"delay": 0.0, "per_host": 8, "parse_workers": 0}
DEADLINE = 20.0  # seconds
TITLE = '[[rule]]\nname = "title"\n[rule.fields]\ntitle = "h1"\n'
WORDS = '[[rule]]\nname = "title"\neach = "p"\n[rule.fields]\nword = "."\n'


@pytest.fixture
def db(tmp_path):
    """Where the store is."""
    return tmp_path / "crawl.db"


@pytest.fixture
def rules(tmp_path):
    """Write a file of rules and return its path."""

    def rules(text):
        path = tmp_path / "rules.toml"
        path.write_text(text)
        return path

    return rules


@pytest.fixture
def records(db):
    """All records in the store: path, rule, position, data."""

    def records():
        with closing(sqlite3.connect(db)) as connection:
            rows = connection.execute("SELECT url, rule, position, data FROM records ORDER BY 1, 2, 3").fetchall()
        return [("/" + url.split("/", 3)[3], *rest) for url, *rest in rows]

    return records


async def crawled(site, db, count, **options):
    """Crawl so many pages, each of three words."""
    site.page("/", [f"/{number}" for number in range(1, count)], title="T0", body="<h1>T0</h1><p>a<p>b<p>c")
    for number in range(1, count):
        site.page(f"/{number}", title=f"T{number}", body=f"<h1>T{number}</h1><p>a<p>b<p>c{number}")
    async with aclosing(scraper.crawl(site.url("/"), store=db, depth=1, **FAST | options)) as run:
        async for _ in run:
            pass


async def extracted(*arguments, **options):
    """Extract to the end."""
    extracting = scraper.extract(*arguments, **options)
    async with asyncio.timeout(DEADLINE):
        pages = [page async for page in extracting]
    assert extracting.done
    return extracting, pages


async def test_records_are_those_of_a_crawl(site, db, rules, records, tmp_path):
    """Rules run afterwards make the records that a crawl with them makes, in any encoding, without a request."""
    site.page("/", ["/latin", "/json"], body="<h1>größe</h1>")
    latin = "<h1>größe</h1>".encode("latin-1")
    site.page("/latin", body=latin, headers={"Content-Type": "text/html; charset=iso-8859-1"})
    site.page("/json", body=b'{"h1": "x"}', headers={"Content-Type": "application/json"})
    path = rules(TITLE)
    async for _ in scraper.crawl(site.url("/"), store=db, depth=1, rules=[str(path)], **FAST):
        pass
    made, asked = records(), len(site.requests)
    other = tmp_path / "other.db"
    async for _ in scraper.crawl(site.url("/"), store=other, depth=1, **FAST):
        pass
    asked = len(site.requests)
    await extracted(store=other, rules=[path], loaded=scraper_settings())
    assert len(site.requests) == asked
    with closing(sqlite3.connect(other)) as connection:
        rows = connection.execute("SELECT url, rule, position, data FROM records ORDER BY 1, 2, 3").fetchall()
    assert [("/" + url.split("/", 3)[3], *rest) for url, *rest in rows] == made
    assert [data for *_, data in made] == ['{"title":"größe"}', '{"title":"x"}', '{"title":"größe"}']


def scraper_settings(**options):
    """Settings that parse in this process."""
    from scraper import config

    return config.load(options={"parse_workers": 0} | options)


async def test_records_are_replaced(site, db, rules, records):
    """A changed rule's records replace its old ones; the numbers of records and of rules follow."""
    await crawled(site, db, 3, rules=[str(rules(TITLE))])
    assert len(records()) == 3
    extracting, pages = await extracted(store=db, rules=[rules(WORDS)], loaded=scraper_settings())
    assert (len(pages), extracting.pages, extracting.records) == (3, 3, 11)
    assert [(path, position) for path, _, position, _ in records()] == [
        ("/", 0),
        ("/", 1),
        ("/", 2),
        ("/", 3),
        ("/", 4),
        ("/1", 0),
        ("/1", 1),
        ("/1", 2),
        ("/2", 0),
        ("/2", 1),
        ("/2", 2),
    ]
    assert extracting.rules == (("title", 3, 0, 11),)
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT records FROM crawl").fetchall() == [(11,)]


async def test_extractors_too(site, db, records):
    """Extractors run over stored pages as rules do; one that fails on a page leaves it as it was, and is told."""
    await crawled(site, db, 3)

    @scraper.extractor(name="title")
    def title(page):
        assert not page.url.endswith("/1")
        yield {"title": page.title}

    extracting, pages = await extracted(store=db, extractors=[title], loaded=scraper_settings())
    assert [data for *_, data in records()] == ['{"title":"T0"}', '{"title":"T2"}']
    assert extracting.failed == 1
    (failed,) = [page for page in pages if page.failure is not None]
    assert failed.page.url == site.url("/1")
    assert "AssertionError" in failed.failure


async def test_left_and_gone_on_with(site, db, rules, records, monkeypatch):
    """Left in the middle, what was yielded is committed, the lease is free, and the same rules go on after it."""
    monkeypatch.setattr("scraper.app.extracting.BATCH", 2)
    await crawled(site, db, 6)
    path = rules(TITLE)
    extracting = scraper.extract(store=db, rules=[path], loaded=scraper_settings())
    async with aclosing(extracting):
        async for _ in extracting:
            extracting.stop()
    first = len(records())
    again, pages = await extracted(store=db, rules=[path], loaded=scraper_settings())
    assert again.extraction.done == first == 2
    assert len(pages) == 6 - first
    assert len(records()) == 6


async def test_without_bodies(site, db, rules):
    """Of a crawl that kept no bodies each page says so."""
    await crawled(site, db, 2, store_bodies=False)
    extracting, pages = await extracted(store=db, rules=[rules(TITLE)], loaded=scraper_settings())
    assert extracting.failed == 2
    assert "bodies" in pages[0].failure


async def test_refused(site, db, rules):
    """Without rules, without such a crawl, or beside another run of it there is nothing to do, and that is said."""
    await crawled(site, db, 2)
    with pytest.raises(ConfigError, match="--rules"):
        await extracted(store=db, loaded=scraper_settings())
    with pytest.raises(CrawlNotFound):
        await extracted("other", store=db, rules=[rules(TITLE)], loaded=scraper_settings())
    extracting = scraper.extract(store=db, rules=[rules(TITLE)], loaded=scraper_settings())
    async with aclosing(extracting):
        await anext(aiter(extracting))
        with pytest.raises(StoreBusy):
            await extracted(store=db, rules=[rules(TITLE)], loaded=scraper_settings())


async def _command(db, *options, cwd):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scraper", "extract", *options, "--parse-workers", "1", "--db", str(db),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True, cwd=cwd,
    )  # fmt: skip


SLOW = """
import time
import scraper

@scraper.extractor()
def slow(page):
    time.sleep(0.05)
    yield {"url": page.url}
"""


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_interrupted(site, db, records, tmp_path, number):
    """A signal to all its processes ends the command in time with its exit code; what was made is there."""
    await crawled(site, db, 100)
    (tmp_path / "slow.py").write_text(SLOW)
    process = await _command(db, "--extractor", "slow.py", cwd=tmp_path)
    async with asyncio.timeout(DEADLINE):
        while not records():  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.002)
    os.killpg(process.pid, number)
    output, _ = await asyncio.wait_for(process.communicate(), 5)
    assert process.returncode == 128 + number, output
    assert b"the same command goes on" in output
    assert b"Traceback" not in output
    assert b"UserWarning" not in output
    assert 0 < len(records()) < 100
