"""Records made anew of stored pages, on every kind of store."""

import json
import sqlite3
from contextlib import closing

import pytest

from scraper.errors import CrawlNotFound, LeaseLost, StoreBusy
from scraper.model import CrawlState, Record, Response, Tally
from scraper.store import Remade, RuleTally

OLD = [{"n": 1}, {"n": 2}]


@pytest.fixture
async def crawl(store, make, queued):
    """A finished crawl of three pages, each with two records of the rule "rule"."""
    crawl = await make.crawl(store, "/a", "/b", "/c")
    pages = [make.fetched(url, records=OLD, matched=(("rule", 2),)) for url in await queued(store, crawl)]
    await store.complete(crawl, pages, [], now=1000.0)
    await store.end_crawl(crawl, CrawlState.FINISHED, now=1001.0)
    return crawl


@pytest.fixture
def records(database):
    """All records there are: path, rule, data."""

    def records():
        with closing(sqlite3.connect(database.place)) as db:
            rows = db.execute("SELECT url, rule, data FROM records ORDER BY url, rule, position").fetchall()
        return [(url[-2:], rule, json.loads(data)) for url, rule, data in rows]

    return records


def made(page, *data, rule="rule"):
    """What a rule made of a page."""
    return Remade(page, tuple(Record(rule, n, one) for n, one in enumerate(data)), ((rule, len(data)),))


async def test_rules_are_counted(store, crawl):
    """A crawl counts the pages that each rule took, those of them without a record, and its records."""
    assert await store.rule_tallies(crawl) == [RuleTally("rule", 3, 0, 6)]


async def test_pages_come_in_order_with_their_bodies(store, crawl):
    """Stored pages come by number, a few at a time, with their headers and bodies."""
    first = await store.stored_pages(crawl, after=0, limit=2)
    (last,) = await store.stored_pages(crawl, after=first[-1].id, limit=2)
    assert [page.url[-2:] for page in (*first, last)] == ["/a", "/b", "/c"]
    assert (last.status, last.headers, last.body) == (200, (("content-type", "text/html"),), b"zstd")
    assert await store.stored_pages(crawl, after=last.id, limit=2) == []


async def test_records_are_replaced(store, crawl, records):
    """A rule's old records go and the new ones stand; other rules' records stay, and the tally knows."""
    extraction = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    pages = await store.stored_pages(crawl, after=extraction.done_to, limit=9)
    await store.replace_records(extraction, [made(pages[0], {"x": 1}), made(pages[1])], now=2000.0)
    await store.replace_records(extraction, [made(pages[2], {"x": 3}, rule="other")], now=2000.0)
    await store.end_extraction(extraction, done=True)
    assert records() == [("/a", "rule", {"x": 1}), ("/c", "other", {"x": 3})]
    assert await store.rule_tallies(crawl) == [RuleTally("other", 1, 0, 1), RuleTally("rule", 2, 1, 1)]
    assert (await store.audit(crawl)).records == (await store.tally(crawl)).records == 2


async def test_a_failed_page_keeps_its_records(store, crawl, records):
    """What rules cannot be run on keeps what it had, and is counted."""
    extraction = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    pages = await store.stored_pages(crawl, after=0, limit=9)
    await store.replace_records(
        extraction, [Remade(pages[0], failure="broken"), *(made(page) for page in pages[1:])], now=2000.0
    )
    assert records() == [("/a", "rule", data) for data in OLD]
    await store.end_extraction(extraction, done=False)
    again = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    assert (again.done, again.failed, again.pages) == (3, 1, 3)


async def test_the_same_rules_go_on(store, crawl):
    """An extraction that was interrupted goes on after its last commit; with other rules it begins anew."""
    extraction = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    pages = await store.stored_pages(crawl, after=0, limit=9)
    await store.replace_records(extraction, [made(pages[0])], now=2000.0)
    await store.end_extraction(extraction, done=False)
    again = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    assert (again.done_to, again.done) == (pages[0].id, 1)
    await store.end_extraction(again, done=False)
    assert await store.rule_tallies(crawl) == [RuleTally("rule", 1, 1, 0)]
    other = await store.begin_extraction(crawl, ("rule",), "d2", now=2000.0)
    assert (other.done_to, other.done) == (0, 0)
    assert await store.rule_tallies(crawl) == []
    await store.end_extraction(other, done=True)
    done = await store.begin_extraction(crawl, ("rule",), "d2", now=2000.0)
    assert (done.done_to, done.done) == (0, 0)


async def test_one_at_a_time(database, store, crawl, make):
    """While an extraction runs, another one and a resume of the crawl are refused, here as in another process."""
    extraction = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    async with database.open() as other:
        for busy in (store, other):
            with pytest.raises(StoreBusy, match="is being run by process"):
                await busy.begin_extraction(crawl, ("rule",), "d1", now=2001.0)
    await store.end_extraction(extraction, done=False)
    await store.begin_extraction(crawl, ("rule",), "d1", now=2001.0)
    with pytest.raises(LeaseLost):
        await store.replace_records(extraction, [], now=2002.0)


async def test_of_a_crawl_that_runs(store, make):
    """A crawl that somebody runs is not touched."""
    running = await make.crawl(store, "/a")
    with pytest.raises(StoreBusy):
        await store.begin_extraction(running, ("rule",), "d1", now=1001.0)
    assert await store.audit(running) == Tally(discovered=1, queued=1)
    with pytest.raises(CrawlNotFound):
        await store.find_crawl("other")


async def test_a_crawl_that_goes_on(store, make, queued):
    """Pages fetched after an interrupted extraction are not passed over: with more pages it begins anew."""
    crawl = await make.crawl(store, "/a", "/b")
    late, early = await queued(store, crawl)
    await store.complete(crawl, [make.fetched(early)], [], now=1000.0)
    await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=1001.0)
    extraction = await store.begin_extraction(crawl, ("rule",), "d1", now=2000.0)
    pages = await store.stored_pages(crawl, after=0, limit=9)
    await store.replace_records(extraction, [made(page) for page in pages], now=2000.0)
    await store.end_extraction(extraction, done=False)
    again = await store.take_crawl(crawl, crawl.config, now=3000.0)
    await store.complete(again, [make.fetched(late)], [], now=3000.0)
    await store.end_crawl(again, CrawlState.FINISHED, now=3001.0)
    anew = await store.begin_extraction(crawl, ("rule",), "d1", now=4000.0)
    assert (anew.done_to, anew.pages) == (0, 2)


async def test_cookies_are_not_kept(store, make, queued):
    """The headers of a page are kept, but for its cookies."""
    crawl = await make.crawl(store, "/a")
    (url,) = await queued(store, crawl)
    headers = (("content-type", "text/html"), ("set-cookie", "s=secret"), ("x-a", "1"), ("x-a", "2"))
    await store.complete(crawl, [make.fetched(url, response=Response(url.url, 200, headers))], [], now=1000.0)
    (page,) = await store.stored_pages(crawl, after=0, limit=1)
    assert page.headers == (("content-type", "text/html"), ("x-a", "1"), ("x-a", "2"))


async def test_a_page_of_an_older_version(store, make, queued, database):
    """Of a page that was stored without its headers the media type and the charset it was read in are known."""
    crawl = await make.crawl(store, "/a")
    await store.complete(crawl, [make.fetched(url) for url in await queued(store, crawl)], [], now=1000.0)
    with closing(sqlite3.connect(database.place)) as db, db:
        db.execute("UPDATE page SET headers = NULL")
    (page,) = await store.stored_pages(crawl, after=0, limit=1)
    assert page.headers == (("content-type", "text/html; charset=utf-8"),)
