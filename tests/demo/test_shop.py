from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin

import aiohttp
import pytest

from scraper.demo import QUERIES, product, serve
from scraper.demo.catalogue import CATEGORIES, PRODUCTS
from scraper.demo.pages import pages
from scraper.demo.tour import FAILED, FETCHED, REDIRECTED, SKIPPED
from scraper.model import UrlState
from scraper.parse import Page
from scraper.reports import run

MIGRATION = Path(__file__).parents[2] / "migrations" / "sqlite" / "0001_initial.sql"
HREF = re.compile(r'<a [^>]*href="([^"]+)"')


@pytest.fixture
async def shop():
    """A shop that is not slow, and a session to visit it."""
    async with serve(slow=0.0) as url, aiohttp.ClientSession(url) as session:
        yield session


async def get(session, path):
    """Status, headers and text of a page."""
    async with session.get(path, allow_redirects=False) as response:
        return response.status, response.headers, await response.text()


async def walk(session):
    """How every URL ends that can be reached from the home page, as a polite crawl would see it."""
    ended, queue = {}, ["/"]
    while queue:
        path = queue.pop()
        if path in ended:
            continue
        if path.startswith(("/basket", "https://")):
            ended[path] = UrlState.SKIPPED
            continue
        status, headers, text = await get(session, path)
        if status == 503:
            status, headers, text = await get(session, path)
        if status == 302:
            ended[path] = UrlState.REDIRECTED
            queue.append(headers["Location"])
            continue
        ended[path] = UrlState.FETCHED if status == 200 else UrlState.FAILED
        if status == 200:
            queue += [href if href.startswith("https:") else urljoin(path, href) for href in HREF.findall(text)]
    return ended


async def test_a_crawl_finds_what_is_documented(shop):
    """From the home page exactly the documented numbers of pages, redirects, exclusions and failures are reached."""
    counts = Counter((await walk(shop)).values())
    assert counts == {"fetched": FETCHED, "redirected": REDIRECTED, "skipped": SKIPPED, "failed": FAILED}


async def test_every_page_can_be_reached(shop):
    """No page of the shop is without a link to it."""
    assert {path for path, state in (await walk(shop)).items() if state == "fetched"} == set(pages())


async def test_one_page_is_too_busy_exactly_once():
    """Of each shop, one page answers 503 with a short Retry-After to its first visitor only."""
    for _ in range(2):
        async with serve(slow=0.0) as url, aiohttp.ClientSession(url) as session:
            status, headers, _ = await get(session, "/opening-hours")
            assert (status, headers["Retry-After"]) == (503, "1")
            assert [(await get(session, "/opening-hours"))[0] for _ in range(3)] == [200] * 3
            others = [path for path in pages() if path != "/opening-hours"]
            assert {(await get(session, path))[0] for path in others} == {200}


async def test_the_sale_has_moved(shop):
    """/sale redirects to a category that exists."""
    status, headers, _ = await get(shop, "/sale")
    assert (status, headers["Location"]) == (302, "/category/teas")
    assert (await get(shop, headers["Location"]))[0] == 200


async def test_a_link_leads_nowhere(shop):
    """The home page links to a page that answers 404 with a page of its own."""
    assert "/discontinued" in (await get(shop, "/"))[2]
    status, headers, text = await get(shop, "/discontinued")
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not here</h1>" in text


async def test_robots_txt_excludes_the_basket(shop):
    """robots.txt disallows the basket, sets no delay, and every page links to the basket."""
    status, headers, text = await get(shop, "/robots.txt")
    assert (status, text) == (200, "User-agent: *\nDisallow: /basket\n")
    assert headers["Content-Type"].startswith("text/plain")
    assert all('href="/basket"' in html for html in pages().values())


async def test_one_page_takes_its_time():
    """The gift finder answers only after the time it was given; others do not wait for it."""
    async with serve(slow=3600.0) as url, aiohttp.ClientSession(url) as session:
        slow = asyncio.create_task(get(session, "/gift-finder"))
        assert (await get(session, "/about"))[0] == 200
        assert not slow.done()
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)


async def test_a_closed_shop_leaves_nothing_behind():
    """After the block the port is closed and no task is left, also when a request was under way."""
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession() as session:
        async with serve(slow=3600.0) as url:
            slow = asyncio.create_task(session.get(f"{url}/gift-finder"))
            await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientError):
            await slow
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(url)
    assert asyncio.all_tasks() - before <= {slow}


@pytest.mark.parametrize("expected", PRODUCTS, ids=lambda expected: expected.slug)
def test_the_extractor_reads_every_product(expected):
    """The extractor makes one record of a product's page, with what the catalogue says, numbers as numbers."""
    path = f"/product/{expected.slug}"
    title = next(category.title for category in CATEGORIES if category.slug == expected.category)
    records = list(product.function(Page(f"http://127.0.0.1:1{path}", pages()[path])))
    assert records == [
        {"name": expected.name, "price": expected.price / 100, "category": title, "stock": expected.stock,
         "rating": expected.rating}
    ]  # fmt: skip


@pytest.fixture
def store(tmp_path):
    """A store as a crawl of the shop leaves it."""
    import json

    db = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(MIGRATION.read_text(encoding="utf-8"))
    db.execute("BEGIN")
    db.execute("INSERT INTO host (id, crawl_id, host) VALUES (1, 1, 'http://127.0.0.1:1')")
    ends = [(path, "fetched", None, None) for path in pages()]
    ends += [("/sale", "redirected", None, "302"), ("/basket", "skipped", "robots", "Disallow: /basket"),
             ("//example.org", "skipped", "scope", None), ("/discontinued", "failed", "http-4xx", "404")]  # fmt: skip
    for number, (path, *end) in enumerate(ends):
        url = f"http://127.0.0.1:1{path}"
        db.execute("INSERT INTO url (id, host_id, key, url, depth, state, reason, detail, discovered_at)"
                   " VALUES (?, 1, ?, ?, 1, ?, ?, ?, 0)", (number, path.encode(), url, *end))  # fmt: skip
        if path in pages():
            db.execute("INSERT INTO page (url_id, crawl_id, status, text, bytes, content_hash, elapsed_ms, fetched_at)"
                       " VALUES (?, 1, 200, '', ?, '', 1, 0)", (number, len(pages()[path])))  # fmt: skip
        if path.startswith("/product/"):
            (data,) = product.function(Page(url, pages()[path]))
            db.execute("INSERT INTO record VALUES (?, 'product', 0, ?)", (number, json.dumps(data)))
    db.execute("COMMIT")
    yield db
    db.close()


def test_the_queries_give_small_tables(store):
    """Each query runs under guard and gives at least three and at most eight rows, of at most five columns."""
    assert len(QUERIES) == 3
    for title, sql in QUERIES:
        result = run(store, sql)
        assert 3 <= len(list(result.rows)) <= 8, title
        assert 3 <= len(result.columns) <= 5
        assert '"' not in sql  # they are shown as an argument in double quotes


def test_the_queries_tell_the_truth(store):
    """The cheapest products, the categories and the ends of all URLs are those of the catalogue."""
    cheapest, categories, ended = (list(run(store, sql).rows) for _, sql in QUERIES)
    in_stock = sorted((each.price / 100, each.name, each.stock) for each in PRODUCTS if each.stock)
    assert cheapest == [(name, price, stock) for price, name, stock in in_stock[:5]]
    assert [(row[0], row[1]) for row in categories] == [(each.title, len(each.names)) for each in CATEGORIES]
    assert sum(row[2] for row in ended) == FETCHED + REDIRECTED + SKIPPED + FAILED
    assert ended[0] == ("fetched", None, FETCHED, None)
