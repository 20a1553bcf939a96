"""Endless sites end, and the honest pages beside them are all fetched."""

from __future__ import annotations

import hashlib
import re
from itertools import count

import pytest
from aiohttp import web

HONEST = 12
QUICK = ("--depth", 999, "--concurrency", 8)


@pytest.fixture
def honest(query, site):
    """The honest pages that were fetched, by number; the sums are checked."""

    def honest():
        ((states, discovered, queued),) = query(
            "SELECT sum(queued + fetched + redirected + skipped + failed), discovered, sum(queued) FROM host, crawl"
        )
        assert (states, queued) == (discovered, 0)
        found = query("SELECT DISTINCT url FROM pages WHERE url LIKE '%/honest/%'")
        return sorted({int(re.search(r"/honest/(\d+)", url)[1]) for (url,) in found})

    return honest


def page(text, links):
    """An HTML page."""
    anchors = "".join(f'<a href="{link}">{link}</a> ' for link in links)
    return web.Response(text=f"<title>{text}</title><h1>{text}</h1>{anchors}", content_type="text/html")


@pytest.fixture
def calendar(site):
    """A home page with honest pages in a chain, and a calendar that goes on month by month for ever."""
    words = [hashlib.md5(str(n).encode()).hexdigest() for n in range(HONEST)]
    site.page("/", ["/honest/0", "/months?at=0"])
    for n in range(HONEST):
        site.page(f"/honest/{n}", [f"/honest/{n + 1}"] if n + 1 < HONEST else [], body=f"<h1>{words[n]}</h1>")

    async def month(request):
        at = int(request.query["at"])
        return page(f"Month {at}", ["/", f"/months?at={at + 1}", f"/months?at={at + 2}"])

    site.below("/months", month)


@pytest.fixture
def sessions(site):
    """Honest pages whose links bear a session id, a new one with every answer."""
    numbers = count()

    def session():
        return hashlib.md5(str(next(numbers)).encode()).hexdigest()

    async def answer(request):
        n = int(request.path.rpartition("/")[2])
        names = [(n + 1) % HONEST, (n * 5 + 3) % HONEST, 0]
        return page(f"Page of {n}", [f"/honest/{name}?PHPSESSID={session()}" for name in names])

    site.below("/honest/", answer)


def test_an_endless_calendar_ends(crawl, calendar, site, query, honest, monkeypatch):
    """A site of which every page leads to two new ones ends, with all its honest pages, whatever the depth."""
    monkeypatch.setenv("SCRAPER_TRAP_PAGES", "10")
    ended = crawl("/", *QUICK)
    assert ended.code == 0, ended.err
    assert honest() == list(range(HONEST))
    assert query("SELECT state FROM crawls") == [("finished",)]
    cut = query("SELECT url, detail FROM urls WHERE state = 'skipped' AND reason = 'trap'")
    assert cut
    assert all(site.url("/months?at=") in url and "lead on and on" in detail for url, detail in cut)
    assert len([path for path in site.paths() if "months" in path]) < 60
    assert "trap" in ended.err


def test_a_trap_ends_over_stops(crawl, run, calendar, query, honest, monkeypatch):
    """What a trap has used up outlasts every stop: in small pieces a crawl ends nearly as soon."""
    monkeypatch.setenv("SCRAPER_TRAP_PAGES", "10")
    crawl("/", *QUICK, "--max-pages", 8)
    most = 8
    while query("SELECT state FROM crawls") == [("limited",)]:
        most += 8
        assert most <= 56
        assert run("resume", "--max-pages", most).code == 0
    assert honest() == list(range(HONEST))
    assert most > 24
    assert query("SELECT count(*) > 0 FROM urls WHERE reason = 'trap'") == [(1,)]


def test_session_ids_end(crawl, sessions, site, query, honest):
    """A site that gives each link a session id of its own ends, and each of its pages is fetched."""
    assert crawl("/honest/0", *QUICK).code == 0
    assert honest() == list(range(HONEST))
    assert len(site.paths()) - 1 <= 1 + HONEST * 3
    reasons = query("SELECT DISTINCT detail FROM urls WHERE reason = 'trap'")
    assert reasons == [("the same page was asked with 3 other session ids",)]


@pytest.mark.parametrize(
    ("links", "detail"),
    [
        (["/x/x/x/x/x"], "/x repeats in the path"),
        (["/a/b/a/b/a/b/"], "/a/b repeats in the path"),
        (["/f?" + "&".join(["a=1"] * 8)], "a=1 stands 8 times in the query"),
        (["/events/2099/01/"], "a date more than 10 years ahead: 2099-01"),
        (["/calendar/1805/01/"], "a calendar before 1900: 1805-01"),
    ],
    ids=["segment", "block", "parameter", "far ahead", "far behind"],
)
def test_what_one_url_shows(crawl, site, query, links, detail):
    """A URL that shows by itself to be a trap's is a row `skipped trap` that says why, and is not asked."""
    site.page("/", links)
    assert crawl("/", "--depth", 1).code == 0
    assert query("SELECT state, reason, detail FROM urls WHERE depth = 1") == [("skipped", "trap", detail)]
    assert site.paths() == ["/robots.txt", "/"]


def test_traps_switched_off(crawl, calendar, sessions, site, query, monkeypatch):
    """With SCRAPER_TRAPS=false nothing is cut: only --max-pages ends what is endless."""
    monkeypatch.setenv("SCRAPER_TRAPS", "false")
    monkeypatch.setenv("SCRAPER_TRAP_PAGES", "1")
    site.page("/", ["/x/x/x/x/x", "/months?at=0"])
    site.page("/x/x/x/x/x")
    assert crawl("/", *QUICK, "--max-pages", 60).code == 0
    assert query("SELECT state FROM crawls") == [("limited",)]
    assert query("SELECT count(*) FROM urls WHERE reason = 'trap'") == [(0,)]
    assert "/x/x/x/x/x" in site.paths()


def test_a_seed_is_no_trap(crawl, site, query):
    """What the user types is asked, whatever it looks like."""
    site.page("/x/x/x/x/x")
    assert crawl("/x/x/x/x/x").code == 0
    assert query("SELECT state FROM urls") == [("fetched",)]


def test_budgets(crawl, site, query):
    """--max-per-host and --max-per-path end at exactly so many pages; the rest is `skipped budget`."""
    for n in range(30):
        site.page(f"/p/{n}", [f"/p/{m}" for m in range(30)] + [f"/q/{n}"])
        site.page(f"/q/{n}")
    options = ("--depth", 9, "--max-per-host", 9, "--max-per-path", "/p/=6", "--concurrency", 8)
    ended = crawl("/p/0", *options)
    assert ended.code == 0, ended.err
    assert "budget 27" in ended.err
    assert query("SELECT count(*), sum(url LIKE '%/p/%') FROM pages") == [(9, 6)]
    assert len(site.paths()) == 1 + 9


@pytest.mark.parametrize("value", ["calendar=1", "/calendar/", "/calendar/=x"])
def test_a_budget_that_is_none_is_refused(crawl, site, value):
    """A path's budget without a path or a number is refused before anything is asked."""
    assert "max_per_path" in crawl("/", "--max-per-path", value).refused
    assert site.paths() == []
