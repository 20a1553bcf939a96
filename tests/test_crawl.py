"""The whole line in one process, as a user runs it: `scraper.crawl` and `scraper.resume` against a real site."""

import asyncio
import contextlib
import gc
import json
import multiprocessing.forkserver
import random
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from contextlib import aclosing, closing
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

import scraper
from scraper.errors import ConfigError, StoreBusy
from scraper.model import CrawlState

FAST = {"delay": 0.0, "per_host": 8, "parse_workers": 0, "retry_base": 0.0, "store_batch_seconds": 0.05}
DEADLINE = 20.0  # seconds; nothing here takes a tenth of it

EXTRACTOR = """
import scraper

@scraper.extractor()
def heading(page):
    yield {"title": page.soup.h1.get_text()}
    yield {"url": page.url}
"""


@pytest.fixture
def db(tmp_path):
    """Where the store is."""
    return tmp_path / "crawl.db"


@pytest.fixture
def query(db):
    """Ask the store as another program would."""

    def query(sql, *parameters):
        with closing(sqlite3.connect(db)) as connection:
            return connection.execute(sql, parameters).fetchall()

    return query


@pytest.fixture
def crawl(db):
    """Crawl to the end and return the run and its visits; the accounting is checked every time."""

    async def crawl(*seeds, go_on=False, **options):
        start = scraper.resume if go_on else scraper.crawl
        run = start(*([] if go_on else [seeds]), store=db, **FAST | options)
        async with asyncio.timeout(DEADLINE):
            visits = [visit async for visit in run]
        assert run.tally.holds
        assert run.tally.queued == 0 or run.state is CrawlState.LIMITED
        return run, visits

    return crawl


def urls_by_state(query):
    """Return path -> (state, reason) of every URL in the store."""
    return {
        "/" + url.split("/", 3)[3]: (state, reason)
        for url, state, reason in query("SELECT url, state, reason FROM urls")
    }


def branching(site, number, **options):
    """Serve so many pages, each linking to the next two: /p0 leads to all of them."""
    for n in range(number):
        links = [f"/p{child}" for child in (2 * n + 1, 2 * n + 2) if child < number]
        site.page(f"/p{n}", links, **options)
    return site.url("/p0")


async def eventually(condition):
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - a file or a process tells nobody when it ends
            await asyncio.sleep(0.01)


# --- what becomes of pages ---


async def test_a_small_site(site, crawl, query):
    """A crawl stores every page it can reach, and what was stored can be queried."""
    site.page("/", ["/a", "/b#part", "/a?x=1"], title="Home")
    site.page("/a", ["/", "/b"], title="A")
    site.page("/a?x=1", title="A with a query")
    site.page("/b", title="B", body="<h1>Bees</h1><p>make honey</p>")
    run, visits = await crawl(site.url("/"), depth=3)
    assert run.state is CrawlState.FINISHED
    assert query("SELECT title FROM pages ORDER BY title") == [("A",), ("A with a query",), ("B",), ("Home",)]
    ((text, status, depth, charset),) = query("SELECT text, status, depth, charset FROM pages WHERE title = 'B'")
    assert ("make honey" in text, status, depth, charset) == (True, 200, 1, "utf-8")
    assert query("SELECT state, finished_at IS NOT NULL FROM crawls") == [("finished", 1)]
    assert query("SELECT found_on FROM urls WHERE url = ?", site.url("/b")) == [(site.url("/"),)]
    assert {visit.response.body for visit in visits} == {b""}  # it is in the store, and need not be in memory
    assert {visit.url.url for visit in visits} == {site.url(path) for path in ("/", "/a", "/a?x=1", "/b")}
    assert Counter(site.paths()) == dict.fromkeys(["/robots.txt", "/", "/a", "/b", "/a?x=1"], 1)


async def test_answers_that_are_no_pages(site, crawl, query):
    """A 404, a redirect, a picture, a broken page and a server in trouble each end as what they are."""
    site.page("/", ["/missing", "/gone", "/moved", "/picture", "/trouble", "/recovers", "/loop", "/nowhere", "/empty"])
    site.page("/gone", status=410)
    site.redirect("/moved", "/target", status=301)
    site.page("/target")
    site.page("/picture", body=b"\x89PNG", headers={"Content-Type": "image/png"})
    site.fails("/trouble", 99, status=500)
    site.fails("/recovers", 2, status=500)
    site.redirect("/loop", "/loop2")
    site.redirect("/loop2", "/loop")
    site.redirect("/nowhere", "http://[", status=302)
    site.page("/empty", body=b"", status=204)
    await crawl(site.url("/"), depth=1, retry_attempts=3, breaker_failures=99, adaptive=False)
    assert urls_by_state(query) == {
        "/": ("fetched", None),
        "/missing": ("failed", "http-4xx"),
        "/gone": ("failed", "http-4xx"),
        "/moved": ("redirected", None),
        "/target": ("fetched", None),
        "/picture": ("skipped", "content-type"),
        "/trouble": ("failed", "http-5xx"),
        "/recovers": ("fetched", None),
        "/loop": ("redirected", None),
        "/loop2": ("failed", "redirect-loop"),
        "/nowhere": ("failed", "protocol"),
        "/empty": ("fetched", None),
    }
    asked = Counter(site.paths())
    assert (asked["/trouble"], asked["/recovers"], asked["/missing"]) == (3, 3, 1)
    attempts = dict(query("SELECT url, attempts FROM urls WHERE url LIKE '%trouble' OR url LIKE '%recovers'"))
    assert set(attempts.values()) == {3}
    assert query("SELECT redirect_to FROM urls WHERE url = ?", site.url("/moved")) == [(site.url("/target"),)]


async def test_retry_after(site, crawl, query):
    """A server that names a time to come back is not asked before it, and others of its host wait too."""
    site.page("/", ["/busy", "/other"])
    site.fails("/busy", 1, status=429, headers={"Retry-After": "2"})
    site.page("/other")
    _, visits = await crawl(site.url("/"), depth=1, per_host=1)
    at = dict(site.requests)
    first = next(moment for path, moment in site.requests if path == "/busy")
    assert at["/busy"] - first >= 1.99
    assert [visit.state for visit in visits] == ["fetched"] * 3  # that one was given back is nobody's business
    assert urls_by_state(query)["/busy"] == ("fetched", None)


async def test_private_addresses(hosts, crawl, query):
    """The typed address and port are open, and no other of this machine, whatever a page says."""
    site, other = await hosts.new_site(), await hosts.new_site()
    site.page("/", [other.url("/secret"), "http://localhost:1/", "http://[::1]:1/", "/moved"])
    site.redirect("/moved", other.url("/moved-secret"))
    await crawl(site.url("/"), depth=2, scope="any")
    assert other.requests == []
    states = dict(query("SELECT url, state || ' ' || coalesce(reason, '') FROM urls"))
    assert states[site.url("/")] == "fetched "
    refused = {other.url("/secret"), other.url("/moved-secret"), "http://localhost:1/", "http://[::1]:1/"}
    for url in refused:
        assert states[url] in {"skipped private-address", "skipped robots"}


async def test_private_range_opened(hosts, crawl, query):
    """With --allow-private a page may lead to another address of the range."""
    site, other = await hosts.new_site(), await hosts.new_site()
    site.page("/", [other.url("/page")])
    other.page("/page")
    await crawl(site.url("/"), depth=1, scope="any", allow_private=("127.0.0.0/8",))
    assert query("SELECT count(*) FROM pages") == [(2,)]


# --- how far ---


@pytest.mark.parametrize(
    ("depth", "fetched", "beyond"), [(0, {"/a"}, 1), (1, {"/a", "/b"}, 1), (2, {"/a", "/b", "/c"}, 1)]
)
async def test_depth(site, crawl, query, depth, fetched, beyond):
    """Depth is how many links lead away from a seed; what lies beyond is counted and not stored."""
    for here, there in ("ab", "bc", "cd", "de"):
        site.page(f"/{here}", [f"/{there}"])
    run, _ = await crawl(site.url("/a"), depth=depth)
    assert set(urls_by_state(query)) == fetched
    assert run.tally.beyond_depth == beyond


async def test_the_shortest_way_counts(site, crawl, query):
    """A page that answers late makes nothing deeper: the order of answers cuts nothing off."""

    async def late(request):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):  # a crawl that does not wait for it asks for the goal by the long way
                while "/goal" not in site.paths():  # noqa: ASYNC110 - the site keeps no event of what it was asked
                    await asyncio.sleep(0.01)
        return web.Response(text=f'<a href="{site.url("/goal")}">goal</a>', content_type="text/html")

    site.page("/", ["/long", "/short"])
    site.page("/long", ["/longer"])
    site.page("/longer", ["/goal"])
    site.raw("/short", late)
    site.page("/goal", ["/behind"])
    site.page("/behind")
    await crawl(site.url("/"), depth=3)
    assert query("SELECT depth FROM urls WHERE url LIKE '%/goal'") == [(2,)]
    assert "/behind" in urls_by_state(query)


async def test_redirects_take_no_depth(site, crawl, query):
    """A redirect's target has the depth of the URL that led there."""
    site.page("/", ["/r1"])
    site.redirect("/r1", "/r2")
    site.redirect("/r2", "/end")
    site.page("/end", ["/too-far"])
    await crawl(site.url("/"), depth=1)
    assert query("SELECT depth FROM urls WHERE url = ?", site.url("/end")) == [(1,)]
    assert "/too-far" not in urls_by_state(query)


@pytest.mark.parametrize(
    ("options", "fetched"),
    [
        ({"include": ("/keep",)}, {"/", "/keep/1", "/keep/drop"}),
        ({"exclude": ("drop",)}, {"/", "/keep/1", "/other"}),
        ({"include": ("/keep",), "exclude": ("drop",)}, {"/", "/keep/1"}),
    ],
)
async def test_include_and_exclude(site, crawl, query, options, fetched):
    """Links that match no --include, or an --exclude, are rows `skipped scope` and are not asked."""
    site.page("/", ["/keep/1", "/keep/drop", "/other", "/drop"])
    for path in ("/keep/1", "/keep/drop", "/other", "/drop"):
        site.page(path)
    await crawl(site.url("/"), depth=1, **options)
    states = urls_by_state(query)
    assert {path for path, state in states.items() if state == ("fetched", None)} == fetched
    assert {state for path, state in states.items() if path not in fetched} == {("skipped", "scope")}
    assert set(site.paths()) == {"/robots.txt", *fetched}


@pytest.mark.parametrize(
    ("scope", "fetched"),
    [
        ("host", {"A/docs/start", "A/docs/more", "A/blog"}),
        ("prefix", {"A/docs/start", "A/docs/more"}),
        ("domain", {"A/docs/start", "A/docs/more", "A/blog", "B/docs/far"}),
        ("any", {"A/docs/start", "A/docs/more", "A/blog", "B/docs/far"}),
    ],
)
async def test_scope(hosts, crawl, query, scope, fetched):
    """The scope says how far links are followed from a seed: its folder, its host, its domain on any port, anywhere."""
    first, second = await hosts.new_site(), await hosts.new_site()
    first.page("/docs/start", ["/docs/more", "/blog", second.url("/docs/far")])
    for site, path in ((first, "/docs/more"), (first, "/blog"), (second, "/docs/far")):
        site.page(path)
    await crawl(first.url("/docs/start"), depth=1, scope=scope, allow_private=("127.0.0.0/8",))
    pages = {url.replace(first.origin, "A").replace(second.origin, "B") for (url,) in query("SELECT url FROM pages")}
    assert pages == fetched


async def test_a_seed_that_redirects_widens_the_scope(hosts, crawl, query):
    """What a seed's redirect leads to counts as a seed: its links are followed, also after a resume."""
    first, second = await hosts.new_site(), await hosts.new_site()
    first.redirect("/", second.url("/home"))
    second.page("/home", ["/next"])
    second.page("/next", [first.url("/back"), "/last"])
    second.page("/last")
    first.page("/back")
    options = {"depth": 3, "allow_private": ("127.0.0.0/8",)}
    await crawl(first.url("/"), max_pages=1, **options)
    await crawl(go_on=True, max_pages=99)
    assert query("SELECT count(*) FROM pages") == [(4,)]


@pytest.mark.parametrize("seed", range(2))
async def test_max_pages(site, crawl, query, seed):
    """`max_pages` is exact while many requests run, and a resume with a higher number makes exactly that many."""
    chance = random.Random(seed)
    for n in range(120):
        path, links = f"/p{n}", [f"/p{chance.randrange(120)}" for _ in range(8)]
        if n % 7 == 3:
            site.page(path, status=404)
        else:
            site.page(path, [*links, f"/p{n + 1}"])
    options = {"depth": 99, "concurrency": 32, "per_host": 32}
    run, visits = await crawl(site.url("/p0"), site.url("/p1"), max_pages=20, **options)
    assert (run.state, run.tally.fetched) == (CrawlState.LIMITED, 20)
    assert sum(visit.state == "fetched" for visit in visits) == 20
    assert query("SELECT state FROM crawls") == [("limited",)]
    run, visits = await crawl(site.url("/p0"), site.url("/p1"), max_pages=50, **options)
    assert (run.state, run.tally.fetched, run.crawl.continued) == (CrawlState.LIMITED, 50, True)
    assert sum(visit.state == "fetched" for visit in visits) == 30
    run, _ = await crawl(go_on=True, max_pages=51)
    assert query("SELECT count(*) FROM pages") == [(51,)]
    run, _ = await crawl(go_on=True, max_pages=10_000)
    assert run.state is CrawlState.FINISHED
    assert run.tally.fetched < 120


# --- what a page says about its links ---


async def test_nofollow(site, crawl, query):
    """A link marked nofollow is not followed, unless another page links to it without."""
    site.page("/", ["/b"], body='<a rel="nofollow" href="/never">x</a> <a rel="nofollow" href="/later">x</a>')
    site.page("/b", ["/later"])
    site.page("/later")
    await crawl(site.url("/"), depth=2)
    states = urls_by_state(query)
    assert states["/never"] == ("skipped", "nofollow")
    assert states["/later"] == ("fetched", None)
    assert "/never" not in site.paths()


async def test_nofollow_not_obeyed(site, crawl, query):
    """Without nofollow such links are followed like any other."""
    site.page("/", body='<a rel="nofollow" href="/never">x</a>')
    site.page("/never")
    await crawl(site.url("/"), depth=1, nofollow=False)
    assert urls_by_state(query)["/never"] == ("fetched", None)


async def test_base(site, crawl, query):
    """Links are joined to the page's `base`."""
    site.page("/start", body='<base href="/sub/dir/">', links=["page", "../up"])
    site.page("/sub/dir/page")
    site.page("/sub/up")
    await crawl(site.url("/start"), depth=1)
    assert {path for path, state in urls_by_state(query).items() if state[0] == "fetched"} == {
        "/start",
        "/sub/dir/page",
        "/sub/up",
    }


async def test_robots(site, crawl, query):
    """What robots.txt forbids is `skipped robots` with the rule, and the site never sees a request for it."""
    site.robots("User-agent: *\nDisallow: /private\nAllow: /private/open\n")
    site.page("/", ["/private/1", "/private/2?x", "/private/open", "/public", "/moved"])
    site.page("/private/open")
    site.page("/public")
    site.redirect("/moved", "/private/3")
    await crawl(site.url("/"), depth=1)
    assert set(site.paths()) == {"/robots.txt", "/", "/private/open", "/public", "/moved"}
    assert site.paths()[0] == "/robots.txt"
    assert site.paths().count("/robots.txt") == 1
    forbidden = query("SELECT url, detail FROM urls WHERE state = 'skipped' AND reason = 'robots'")
    assert set(forbidden) == {(site.url(f"/private/{n}"), "Disallow: /private") for n in ("1", "2?x", "3")}


async def test_robots_moved(hosts, crawl, query):
    """A robots.txt that has moved, to another host even, holds for the host that was asked."""
    site, other = await hosts.new_site(), await hosts.new_site()
    site.redirect("/robots.txt", "/elsewhere", status=301)
    site.redirect("/elsewhere", other.url("/rules"))
    other.page("/rules", body=b"User-agent: *\nDisallow: /private", headers={"Content-Type": "text/plain"})
    site.page("/", ["/private", "/public"])
    site.page("/public")
    await crawl(site.url("/"), depth=1, allow_private=("127.0.0.0/8",))
    assert site.paths() == ["/robots.txt", "/elsewhere", "/", "/public"]
    assert urls_by_state(query)["/private"] == ("skipped", "robots")


async def test_robots_in_circles(site, crawl):
    """A robots.txt that only redirects counts as missing after five hops."""
    site.redirect("/robots.txt", "/robots.txt")
    site.page("/")
    run, _ = await crawl(site.url("/"))
    assert site.paths() == ["/robots.txt"] * 6 + ["/"]
    assert run.tally.fetched == 1


async def test_noindex(site, crawl, query):
    """A page that asks not to be kept leaves a row and its links, and no page."""
    site.page("/", ["/next"], body='<meta name="robots" content="noindex"><h1>x</h1>')
    site.page("/next")
    await crawl(site.url("/"), depth=1)
    assert urls_by_state(query) == {"/": ("skipped", "robots"), "/next": ("fetched", None)}
    assert query("SELECT url FROM pages") == [(site.url("/next"),)]


async def test_the_pace(site, crawl):
    """The site sees starts the delay apart, robots.txt included."""
    start = branching(site, 8)
    await crawl(start, depth=9, delay=0.1, per_host=4)
    moments = [moment for _, moment in site.requests]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert sum(gaps) >= 0.1 * len(gaps) * 0.95
    assert len(gaps) == 8


# --- records ---


@pytest.mark.parametrize("workers", [0, 1])
async def test_records(site, crawl, query, tmp_path, workers):
    """An extractor named as a file makes each page's records once, in a worker or not, and a resume finds it again."""
    file = tmp_path / "shop.py"
    file.write_text(EXTRACTOR)
    start = branching(site, 7)
    _, visits = await crawl(start, depth=9, extractors=(f"{file}:heading",), parse_workers=workers, max_pages=4)
    assert all(len(visit.records) == 2 for visit in visits)
    await crawl(go_on=True, max_pages=99)
    rows = query("SELECT url, rule, position, data FROM records ORDER BY url, position")
    assert len(rows) == 14
    for url, rule, position, data in rows:
        assert rule == "heading"
        assert json.loads(data) == [{"title": "/" + url.rpartition("/")[2]}, {"url": url}][position]


async def test_records_of_a_function(site, crawl, query):
    """An extractor may be a function of the calling program."""

    @scraper.extractor(site.url("/p1*"))
    def numbers(page):
        return {"n": page.url[-1]}

    await crawl(branching(site, 3), depth=9, extractors=(numbers,))
    assert query("SELECT url, data FROM records") == [(site.url("/p1"), '{"n":"1"}')]


async def test_a_failing_extractor(site, crawl, query, tmp_path):
    """A page whose extractor fails is `failed parse`, with what it said; it is stored, and its links are followed."""
    file = tmp_path / "bad.py"
    file.write_text(EXTRACTOR.replace("yield {", "assert not page.url.endswith('1'), 'odd one'; yield {", 1))
    first = branching(site, 3)
    site.page("/p1", ["/behind"])
    site.page("/behind")
    await crawl(first, depth=9, extractors=(str(file),))
    ((url, detail),) = query("SELECT url, detail FROM urls WHERE state = 'failed' AND reason = 'parse'")
    assert url == site.url("/p1")
    assert "odd one" in detail
    assert query("SELECT count(*) FROM pages") == [(4,)]
    assert query("SELECT count(DISTINCT url) FROM records") == [(3,)]


# --- leaving and coming back ---


async def test_continued(site, crawl, query):
    """The same seeds again go on with the unfinished crawl, and it says so; a finished one is begun anew."""
    start = branching(site, 9)
    first, _ = await crawl(start, depth=9, max_pages=3)
    second, _ = await crawl(start, depth=9)
    assert (first.crawl.continued, second.crawl.continued) == (False, True)
    assert second.crawl.id == first.crawl.id
    third, _ = await crawl(start, depth=9)
    assert (third.crawl.continued, third.crawl.id == first.crawl.id) == (False, False)
    assert query("SELECT crawl_id, count(*) FROM pages GROUP BY 1") == [(first.crawl.id, 9), (third.crawl.id, 9)]


async def test_new(site, crawl):
    """`new` begins afresh though a crawl of that name is unfinished."""
    start = branching(site, 9)
    first, _ = await crawl(start, depth=9, max_pages=3)
    second, _ = await crawl(start, depth=9, new=True)
    assert second.crawl.id != first.crawl.id
    assert second.tally.fetched == 9


@pytest.mark.parametrize(
    ("seeds", "options", "told"),
    [
        (["/p1"], {}, "its seeds were others"),
        (["/p0"], {"depth": 3}, "depth was 9 and is now 3"),
        (["/p0"], {"scope": "any"}, "scope was 'host' and is now 'any'"),
        (["/p0"], {"exclude": ("x",)}, "exclude was () and is now ('x',)"),
    ],
)
async def test_another_crawl_of_the_name(site, crawl, query, seeds, options, told):
    """Other seeds or another scope for an unfinished crawl of the name are refused, and it is said what to do."""
    await crawl(branching(site, 9), depth=9, max_pages=3, name="mine")
    asked = len(site.requests)
    with pytest.raises(ConfigError) as raised:
        await crawl(*map(site.url, seeds), name="mine", **{"depth": 9} | options)
    text = str(raised.value)
    assert "the unfinished crawl 'mine' is another one" in text
    assert told in text
    assert "scraper resume" in text
    assert "--new" in text
    assert len(site.requests) == asked
    assert query("SELECT state FROM crawls") == [("limited",)]


@pytest.mark.parametrize("closing_by_hand", [True, False], ids=["aclose", "break"])
@pytest.mark.parametrize("workers", [0, 2])
async def test_leaving_early(site, crawl, db, query, closing_by_hand, workers):
    """Who leaves the loop early leaves no task, no open file and no worker process, and can go on later."""
    start = branching(site, 40)
    await crawl(site.url("/p39"), parse_workers=workers)  # what is opened once stays open
    await eventually(lambda: not workers_alive())
    tasks, files = asyncio.all_tasks(), open_files()
    run = scraper.crawl([start], store=db, **FAST | {"depth": 9, "parse_workers": workers})
    async for visit in run:
        assert visit.state == "fetched"
        break
    if closing_by_hand:
        await run.aclose()
        assert asyncio.all_tasks() == tasks
        assert run.state is CrawlState.INTERRUPTED
    del run, visit
    gc.collect()
    await eventually(lambda: asyncio.all_tasks() == tasks)
    await eventually(lambda: open_files() <= files)
    await eventually(lambda: not workers_alive())
    assert query("SELECT state FROM crawls ORDER BY id DESC LIMIT 1") == [("interrupted",)]
    run, _ = await crawl(start, depth=9)
    assert (run.tally.fetched, run.crawl.continued) == (40, True)


def open_files():
    """How many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def workers_alive():
    """The processes that the fork server has started."""
    server = multiprocessing.forkserver._forkserver._forkserver_pid
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if server is not None and int(fields[1]) == server and fields[0] != "Z":
            alive.append(stat.parent.name)
    return alive


@pytest.mark.parametrize("seed", range(5))
async def test_closed_anywhere(site, crawl, db, query, seed):
    """Closed after any number of visits, again and again, a crawl ends as if it had never been."""
    chance = random.Random(seed)
    start = branching(site, 150)
    for _ in range(4):
        left = chance.randrange(20)
        run = scraper.crawl([start], store=db, **FAST | {"depth": 9, "concurrency": chance.choice([1, 4, 32])})
        async with asyncio.timeout(DEADLINE), aclosing(run):
            async for visit in run:
                assert query("SELECT count(*) FROM pages WHERE url = ?", visit.url.url) == [(1,)]
                left -= 1
                if left < 0:
                    break
    run, _ = await crawl(start, depth=9)
    assert query("SELECT count(*), count(DISTINCT url) FROM pages") == [(150, 150)]
    assert (run.state, run.crawl.continued) == (CrawlState.FINISHED, True)
    assert len(site.paths()) <= 150 + 5 * (32 + 1)


def citizenly(site):
    """Serve a site of all kinds of URLs: sitemaps, a feed, redirects, what robots.txt forbids, a trap, dead ends."""
    xml = {"Content-Type": "application/xml"}
    site.robots("User-agent: *\nDisallow: /no\nSitemap: /index.xml")
    listed = "".join(f"<url><loc>{site.url(f'/listed/{n}')}</loc></url>" for n in range(10))
    site.page("/index.xml", body=b"<sitemapindex><sitemap><loc>/map.xml</loc></sitemap></sitemapindex>", headers=xml)
    site.page("/map.xml", body=f"<urlset>{listed}</urlset>".encode(), headers=xml)
    site.page("/feed", body=b"<rss><channel><item><link>/post</link></item></channel></rss>", headers=xml)
    site.page("/post", ["/p3"])
    for n in range(10):
        site.page(f"/listed/{n}", [f"/listed/{n + 1}", f"/p{n}", f"/no/{n}"])
    odd = ["/moved", "/missing", "/x/x/x/x/x", "http://other.example/", "mailto:a@b.example"]
    for n in range(30):
        links = [f"/p{2 * n + 1}", f"/p{2 * n + 2}"] if n < 14 else odd
        site.page(f"/p{n}", links, body='<link rel="alternate" type="application/rss+xml" href="/feed">')
    site.redirect("/moved", "/no/moved")


@pytest.mark.parametrize("seed", range(2))
async def test_closed_anywhere_among_all_kinds_of_urls(site, crawl, db, query, seed):
    """Closed at any moment, a crawl with sitemaps, feeds, redirects and traps has the same rows as one that was not."""
    citizenly(site)
    options = {"depth": 9, "sitemaps": True}
    sql = "SELECT url, kind, state, reason, detail FROM urls WHERE crawl_id = ? ORDER BY url"
    whole, _ = await crawl(site.url("/p0"), name="whole", **options)
    site.requests.clear()
    chance = random.Random(seed)
    for _ in range(4):
        left = chance.randrange(5)
        run = scraper.crawl([site.url("/p0")], store=db, name="pieces", **FAST | options | {"concurrency": 4})
        async with asyncio.timeout(DEADLINE), aclosing(run):
            async for _ in run:
                left -= 1
                if left < 0:
                    break
    run, _ = await crawl(site.url("/p0"), name="pieces", **options)
    assert (run.state, run.crawl.continued) == (CrawlState.FINISHED, True)
    assert query(sql, run.crawl.id) == query(sql, whole.crawl.id)
    assert run.tally.pages == whole.tally.pages == 29 + 10 + 1
    assert Counter(row[2] for row in query(sql, run.crawl.id))["fetched"] == run.tally.pages + 3
    assert site.paths().count("/robots.txt") <= 5


async def test_stop(site, crawl, db, query):
    """`stop` lets what runs end, starts nothing more, and leaves the crawl to be resumed."""
    start = branching(site, 40)
    run = scraper.crawl([start], store=db, **FAST | {"depth": 9, "concurrency": 4})
    async with asyncio.timeout(DEADLINE):
        async for _ in run:
            run.stop()
    assert run.state is CrawlState.INTERRUPTED
    assert query("SELECT state FROM crawls") == [("interrupted",)]
    stored = query("SELECT count(*) FROM pages")[0][0]
    assert 1 <= stored < 40
    assert stored == len(site.paths()) - 1  # nothing that was asked is lost
    run, _ = await crawl(go_on=True)
    assert query("SELECT count(*) FROM pages") == [(40,)]
    assert len(site.paths()) == 41  # every page once, robots.txt not again
    assert run.state is CrawlState.FINISHED


async def test_stop_before_the_start(site, crawl, db):
    """A crawl that is stopped before it is iterated begins and asks nothing, and can be resumed."""
    run = scraper.crawl([branching(site, 3)], store=db, **FAST | {"depth": 9})
    run.stop()
    assert [visit async for visit in run] == []
    assert site.paths() == []
    assert run.state is CrawlState.INTERRUPTED
    run, _ = await crawl(go_on=True)
    assert run.tally.fetched == 3


async def test_stop_while_a_page_hangs(site, db, query):
    """A page that never answers holds `stop` up for the time of grace and no longer, and stays queued."""
    site.page("/", ["/hangs"])
    site.hang("/hangs")
    run = scraper.crawl([site.url("/")], store=db, **FAST | {"depth": 1, "grace": 0.1})
    async with asyncio.timeout(DEADLINE):
        async for _ in run:
            await eventually(lambda: "/hangs" in site.paths())
            run.stop()
    assert run.state is CrawlState.INTERRUPTED
    assert urls_by_state(query)["/hangs"] == ("queued", None)


async def test_a_slow_consumer(site, db):
    """A consumer that takes its time is waited for: no more is fetched than slots and a few batches hold."""
    start = branching(site, 300)
    run = scraper.crawl([start], store=db, **FAST | {"depth": 20, "concurrency": 8})
    async with aclosing(run), asyncio.timeout(DEADLINE):
        taken = 0
        async for _ in run:
            taken += 1
            if taken == 30:
                break
            if taken in {10, 20}:
                before = -1
                while before != len(site.paths()):  # until the line has come to rest
                    before = len(site.paths())
                    await asyncio.sleep(0.3)
                assert before <= taken + 8 * 5


async def test_an_exception_of_the_user(site, crawl, db):
    """What the consumer raises comes out as it is, and the crawl can be resumed."""
    start = branching(site, 30)

    async def consume():
        async for _ in scraper.crawl([start], store=db, **FAST | {"depth": 9}):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await consume()
    run, _ = await crawl(go_on=True)  # which waits until the loop has closed the first
    assert (run.tally.fetched, run.state) == (30, CrawlState.FINISHED)


async def test_cancelled(site, crawl, db):
    """A consumer that is cancelled leaves nothing behind, and the crawl can be resumed."""
    start = branching(site, 30)
    tasks = asyncio.all_tasks()
    begun = asyncio.Event()

    async def consume():
        async with aclosing(scraper.crawl([start], store=db, **FAST | {"depth": 9})) as run:
            async for _ in run:
                begun.set()
                await asyncio.sleep(0)

    consumer = asyncio.create_task(consume())
    async with asyncio.timeout(DEADLINE):
        await begun.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
    assert asyncio.all_tasks() == tasks
    run, _ = await crawl(start, depth=9)
    assert run.tally.fetched == 30


async def test_nobody_waits_for_a_batch(site, crawl):
    """When nothing is left to do before a save, it is saved at once, however long a batch may stay open."""
    for n in range(8):
        site.page(f"/{n}", [f"/{n + 1}"])
    run, _ = await crawl(site.url("/0"), depth=9, store_batch_seconds=600.0)
    assert (run.tally.fetched, run.tally.failed) == (8, 1)


async def test_the_end_is_counted_anew(site, crawl, db):
    """The accounting at the end is counted from the rows, whatever the counters say."""
    start = branching(site, 9)
    await crawl(start, depth=9, max_pages=3)
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE host SET fetched = fetched + 4")
    run = scraper.resume(store=db, **FAST | {"max_pages": 99})
    async for _ in run:
        pass
    assert run.tally.fetched == 9


async def test_a_crawl_is_run_once(site, db, monkeypatch):
    """The same crawl cannot be run a second time while it is being run."""
    monkeypatch.setattr("scraper.store.sqlite.LEAVING", 0.1)  # seconds given to a run that may be on its way out
    start = branching(site, 30)
    async with aclosing(scraper.crawl([start], store=db, **FAST | {"depth": 9})) as first:
        await anext(aiter(first))
        with pytest.raises(StoreBusy, match="is being run by process"):
            await anext(aiter(scraper.resume(store=db, **FAST)))


# --- several at once ---


async def test_two_at_once(hosts, tmp_path):
    """Two crawls run at the same time in one loop, into one store or two, and do not touch each other."""
    sites = [await hosts.new_site() for _ in range(3)]

    async def run(site, store, **options):
        start = branching(site, 25, title=site.origin)
        crawl = scraper.crawl([start], store=store, **FAST | {"depth": 9} | options)
        return crawl, [visit async for visit in crawl]

    async with asyncio.timeout(DEADLINE), scraper.open(tmp_path / "one.db") as store:
        runs = await asyncio.gather(
            run(sites[0], store), run(sites[1], store), run(sites[2], tmp_path / "two.db", parse_workers=1)
        )
    for (crawl, visits), site in zip(runs, sites, strict=True):
        assert crawl.tally.fetched == 25
        assert crawl.tally.holds
        assert {visit.page.title for visit in visits} == {site.origin}


async def test_one_after_the_other(site, tmp_path):
    """One opened store serves crawl after crawl."""
    start = branching(site, 5)
    async with scraper.open(tmp_path / "one.db") as store:
        for name in ("first", "second", "third"):
            run = scraper.crawl([start], store=store, name=name, **FAST | {"depth": 9})
            assert len([visit async for visit in run]) == 5


# --- the symptoms ---


async def test_loop_closed(site, tmp_path):
    """Nothing is kept from a loop that was closed: crawl after crawl, each in a loop of its own, works."""
    start = branching(site, 5)

    async def crawl(name):
        run = scraper.crawl([start], store=tmp_path / "crawl.db", name=name, **FAST | {"depth": 9})
        return len([visit async for visit in run])

    for name in ("first", "second"):
        assert await asyncio.to_thread(lambda name=name: asyncio.run(crawl(name))) == 5


async def test_loop_already_running(site, crawl):
    """A crawl runs inside a loop that runs already, beside other work of that loop."""
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            beats += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(beat())
    try:
        run, _ = await crawl(branching(site, 5), depth=9)
    finally:
        other.cancel()
    assert run.tally.fetched == 5
    assert beats > 5


@pytest.mark.parametrize("steps", [0, 1])
async def test_never_awaited(site, db, steps):
    """A crawl that is made and not iterated, or dropped half way, leaves no coroutine that was never awaited."""
    tasks = asyncio.all_tasks()
    run = scraper.crawl([branching(site, 20)], store=db, **FAST | {"depth": 9})
    for _ in range(steps):
        await anext(aiter(run))
    del run
    gc.collect()  # a warning would be an error here
    await eventually(lambda: asyncio.all_tasks() == tasks)


async def test_accidentally_sequential(site, crawl):
    """Slow pages are waited for at the same time: all of them are asked before the first has answered."""
    together = asyncio.Barrier(12)

    async def slow(_):
        async with asyncio.timeout(DEADLINE):
            await together.wait()
        return web.Response(text="<h1>slow</h1>", content_type="text/html")

    for n in range(12):
        site.raw(f"/slow{n}", slow)
    site.page("/", [f"/slow{n}" for n in range(12)])
    run, _ = await crawl(site.url("/"), depth=1, per_host=12)
    assert run.tally.fetched == 13


SCRIPTS = {
    "break": "async for visit in run: break",
    "exception": "async for visit in run: raise SystemExit(0)",
    "kept": "keep.append(run)\n    async for visit in run: break",
    "half way": "keep.append(aiter(run)); await anext(keep[0])",
    "cancelled": """
    async def consume():
        async for visit in run: await asyncio.sleep(60)
    task = asyncio.create_task(consume())
    await asyncio.sleep(0.3)
    task.cancel()""",
}


@pytest.mark.parametrize("leaving", SCRIPTS)
async def test_task_destroyed_while_pending(site, crawl, tmp_path, db, leaving):
    """However a program leaves a crawl and ends, no task is destroyed while pending, and nothing is said on stderr."""
    start = branching(site, 40)
    script = tmp_path / "leaves.py"
    script.write_text(
        textwrap
        .dedent("""
        import asyncio, scraper
        keep = []
        async def main():
            run = scraper.crawl([START], store=DB, **OPTIONS)
            BODY
        if __name__ == "__main__":
            asyncio.run(main())
        """)
        .replace("START", repr(start))
        .replace("DB", repr(str(db)))
        .replace("OPTIONS", repr(FAST | {"depth": 9, "parse_workers": int(leaving == "break")}))
        .replace("BODY", SCRIPTS[leaving])
    )
    command = [sys.executable, "-W", "error", str(script)]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    run, _ = await crawl(start, depth=9)
    assert (run.tally.fetched, run.state) == (40, CrawlState.FINISHED)


async def test_blocked_loop(site, crawl, query):
    """Pages and a robots.txt that take seconds to read do not hold up the loop."""
    rules = "".join(f"Disallow: /{n}/{'x' * 10}\n" for n in range(25_000))
    site.robots("User-agent: *\n" + rules)
    hostile = b"<p>" + b"<a " * 8000
    site.page("/", ["/hostile", *(f"/p{n}" for n in range(20))])
    site.page("/hostile", body=hostile)
    branching(site, 20)
    lags = []

    async def sample():
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            lags.append(time.perf_counter() - before)

    sampler = asyncio.create_task(sample())
    try:
        await crawl(site.url("/"), depth=2, parse_workers=1, parse_timeout=1.0, parse_builder="html.parser")
    finally:
        sampler.cancel()
    assert max(lags) < 0.5
    assert urls_by_state(query)["/hostile"] == ("failed", "parse")
    assert query("SELECT count(*) FROM pages") == [(21,)]


FOLLOWING = """
[[rule]]
name = "book"
match = "*/list*"
each = "p.book"
fields.title = "."
[rule.follow]
select = "a.next"
"""


@pytest.mark.parametrize(("depth", "pages"), [(0, ["/list", "/list?2", "/list?3"]), (1, None)])
async def test_a_rule_follows_a_list(site, crawl, query, tmp_path, depth, pages):
    """What a rule follows counts no depth: at depth 0 the whole list is fetched, at 1 what its pages lead to."""
    for number in (1, 2, 3):
        path = "/list" if number == 1 else f"/list?{number}"
        after = f"<a class=next href='/list?{number + 1}'>next</a>" if number < 3 else ""
        site.page(path, [f"/book/{number}"], body=f"<p class=book>Book {number}</p>{after}")
        site.page(f"/book/{number}", [f"/author/{number}"])
    (tmp_path / "shop.toml").write_text(FOLLOWING)
    run, _ = await crawl(site.url("/list"), depth=depth, rules=[str(tmp_path / "shop.toml")])
    fetched = sorted(path for path, (state, _) in urls_by_state(query).items() if state == "fetched")
    assert fetched == (pages or ["/book/1", "/book/2", "/book/3", "/list", "/list?2", "/list?3"])
    assert query("SELECT data ->> '$.title' FROM records ORDER BY 1") == [("Book 1",), ("Book 2",), ("Book 3",)]
    assert run.rules == (("book", 3, 0, 3),)
    assert {depth for (depth,) in query("SELECT depth FROM urls WHERE url LIKE '%/list%'")} == {0}


async def test_rules_that_find_nothing_are_told(site, crawl, tmp_path):
    """At the end it is known how many pages each rule took, on how many it found nothing, and which took none."""
    site.page("/", ["/1", "/2"])
    site.page("/1", body="<b>x</b>")
    site.page("/2")
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "bold"\neach = "b"\nfields.x = "."\n[[rule]]\nname = "none"\nmatch = "*/no"\nfields.x = "b"\n'
    )
    run, _ = await crawl(site.url("/"), depth=1, rules=[str(rules)])
    assert run.rules == (("bold", 3, 2, 1), ("none", 0, 0, 0))


API = """
[[rule]]
name = "item"
each = "items[]"
fields = {name = "name", price = "price"}
follow = {select = "next"}
"""


async def test_json_is_crawled(site, crawl, query, tmp_path):
    """A list of JSON documents is crawled by rules in JMESPath; each is a page whose text is the document."""
    first, second = (
        '{"items": [{"name": "a", "price": 1.5}], "next": "/api?2"}',
        '{"items": [{"name": "b", "price": 2}]}',
    )
    for path, body in (("/api", first), ("/api?2", second)):
        site.page(path, body=body.encode(), headers={"Content-Type": "application/json"})
    (tmp_path / "api.toml").write_text(API)
    await crawl(site.url("/api"), rules=[str(tmp_path / "api.toml")])
    assert query("SELECT data FROM records ORDER BY 1") == [('{"name":"a","price":1.5}',), ('{"name":"b","price":2}',)]
    assert query("SELECT text FROM pages ORDER BY url") == [(first,), (second,)]


async def test_rules_are_found_from_elsewhere(site, crawl, query, tmp_path, monkeypatch, caplog):
    """A crawl remembers the whole path of its rules: a resume elsewhere finds them, and other rules are refused."""
    site.page("/", ["/1"])
    site.page("/1")
    (tmp_path / "rules.toml").write_text('[[rule]]\nname = "h"\nfields.h = "h1"\n')
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path)
    await crawl(site.url("/"), depth=1, rules=["rules.toml"], max_pages=1)
    with pytest.raises(ConfigError, match=r"is another one: .*rules"):
        await crawl(site.url("/"), depth=1, max_pages=5)
    monkeypatch.chdir(tmp_path / "else")
    with caplog.at_level("WARNING"):
        await crawl(go_on=True, max_pages=2)
    assert query("SELECT count(*) FROM records") == [(2,)]
    assert "changed" not in caplog.text


async def test_rules_that_have_changed_are_told(site, crawl, tmp_path, caplog):
    """Who goes on with other rules than those of before is told that older pages keep their records."""
    site.page("/", ["/1"])
    site.page("/1")
    rules, extractor = tmp_path / "rules.toml", tmp_path / "shop.py"
    rules.write_text('[[rule]]\nname = "h"\nfields.h = "h1"\n')
    extractor.write_text(EXTRACTOR)
    await crawl(site.url("/"), depth=1, rules=[str(rules)], extractors=(str(extractor),), max_pages=1)
    rules.write_text('[[rule]]\nname = "h"\nfields.h = "h2"\n')
    with caplog.at_level("WARNING"):
        await crawl(go_on=True, max_pages=2)
    assert "rules or extractors have changed" in caplog.text


async def test_extractors_are_found_from_elsewhere(site, crawl, query, tmp_path, monkeypatch):
    """A crawl remembers the whole path of an extractor's file, so that a resume elsewhere finds it."""
    site.page("/", ["/1"])
    site.page("/1")
    (tmp_path / "shop.py").write_text(EXTRACTOR)
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path)
    await crawl(site.url("/"), depth=1, extractors=("shop.py:heading",), max_pages=1)
    monkeypatch.chdir(tmp_path / "else")
    await crawl(go_on=True, max_pages=2)
    assert query("SELECT count(*) FROM records") == [(4,)]


async def test_what_comes_into_the_scope_later_is_followed(hosts, crawl, query):
    """A link that was out of scope is followed once a seed's redirect has brought its host into the scope."""
    one, two, three = [await hosts.new_site() for _ in range(3)]
    one.page("/", [three.url("/x")])
    three.page("/", ["/x", "/y"])
    three.page("/x")
    three.page("/y")
    answered = asyncio.Event()

    async def late(request):
        await answered.wait()
        return web.Response(status=302, headers={"Location": three.url("/")})

    two.raw("/", late)
    run = crawl(one.url("/"), two.url("/"), depth=2, allow_private=("127.0.0.0/8",))
    task = asyncio.create_task(run)
    async with asyncio.timeout(DEADLINE):
        while ("scope",) not in query_if_there(query, "SELECT reason FROM urls WHERE url LIKE '%/x'"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    answered.set()
    await task
    assert query("SELECT state FROM urls WHERE url LIKE '%/x' OR url LIKE '%/y'") == [("fetched",), ("fetched",)]


def query_if_there(query, sql):
    """Ask a store that may not have been made yet."""
    try:
        return query(sql)
    except sqlite3.OperationalError:
        return []
