"""What may still be taken of a host: exact however much is out, over every stop."""

import asyncio
import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

import scraper
from scraper.config import CrawlConfig
from scraper.frontier.budget import Budget
from scraper.model import CrawlUrl, Kind, ParsedPage, Reason, UrlState, Visit

HOST = "http://a.example"
FAST = {"delay": 0.0, "per_host": 32, "parse_workers": 0, "retry_base": 0.0, "store_batch_seconds": 0.02}
DEADLINE = 20.0  # seconds


def url(path, **fields):
    """A URL of the host."""
    return CrawlUrl(1, HOST + path, HOST, **fields)


def visit(asked, state=UrlState.FETCHED, **fields):
    """Its outcome."""
    return Visit(asked, state, **fields)


def page(number):
    """A page whose text has this fingerprint."""
    return ParsedPage("utf-8", "0" * 32, fingerprint=bytes([number]) * 8 + b"\0")


# --- the budget by itself ---


@pytest.mark.parametrize(
    ("config", "path", "verdict"),
    [
        ({}, "/calendar/1", None),
        ({"max_per_host": 3}, "/calendar/1", None),
        ({"max_per_host": 2}, "/calendar/1", "2 pages of this host"),
        ({"max_per_path": ("/calendar/=2",)}, "/calendar/1", "2 pages below /calendar/"),
        ({"max_per_path": ("/calendar/=2",)}, "/calendar", None),
        ({"max_per_path": ("/calendar/=2",)}, "/else/calendar/", None),
        ({"max_per_path": ("/=9", "/calendar/=1")}, "/calendar/1", "1 pages below /calendar/"),
    ],
)
def test_what_is_used_up(config, path, verdict):
    """A URL is refused with `budget` once its host, or a path that it lies below, has given its pages."""
    spent = {"": 2, "/calendar/": 2}
    budget = Budget(CrawlConfig(**config), spent.items())
    found = budget.verdict(url(path))
    assert (found.reason, found.detail) == (Reason.BUDGET, verdict) if verdict else found is None


@pytest.mark.parametrize("kind", [Kind.SITEMAP, Kind.FEED])
def test_listings_are_free(kind):
    """A sitemap or a feed is asked when the pages are used up, and counts as none."""
    budget = Budget(CrawlConfig(max_per_host=1), {"": 1}.items())
    assert budget.verdict(url("/sitemap.xml", kind=kind)) is None
    asked = url("/feed")  # nobody knew that it is one
    fresh = Budget(CrawlConfig(max_per_host=1))
    fresh.begin(asked)
    assert fresh.end(asked, visit(asked, kind=kind)) == ()
    assert fresh.verdict(url("/page")) is None


@pytest.mark.parametrize(
    ("state", "fields", "used"),
    [
        (UrlState.FETCHED, {}, ("", "/d/")),
        (UrlState.FAILED, {"reason": Reason.HTTP_4XX}, ()),
        (UrlState.SKIPPED, {"reason": Reason.ROBOTS}, ()),
        (UrlState.REDIRECTED, {}, ()),
        (UrlState.QUEUED, {}, ()),
    ],
)
def test_what_counts(state, fields, used):
    """Only a page that came is counted, in the host's budget and in those of all paths it lies below."""
    budget = Budget(CrawlConfig(max_per_host=5, max_per_path=("/d/=5", "/e/=5")))
    asked = url("/d/1")
    budget.begin(asked)
    assert sorted(budget.end(asked, visit(asked, state, **fields))) == sorted(used)


def test_what_is_out_is_waited_for():
    """While as much is out as is left, the next URL waits; it is asked if one of them ends otherwise."""
    budget = Budget(CrawlConfig(max_per_host=2))
    one, two = url("/1"), url("/2")
    budget.begin(one)
    assert not budget.holds(two)
    budget.begin(two)
    assert budget.holds(url("/3"))
    assert budget.verdict(url("/3")) is None
    budget.end(one, visit(one, UrlState.FAILED, reason=Reason.HTTP_4XX))
    assert not budget.holds(url("/3"))
    budget.end(two, visit(two))
    budget.begin(url("/3"))
    budget.end(url("/3"), visit(url("/3")))
    assert budget.verdict(url("/4")).reason is Reason.BUDGET
    assert not budget.holds(url("/4"))  # nothing is out: waiting would have no end


@given(
    outcomes=st.lists(
        st.tuples(st.sampled_from("ab"), st.sampled_from([UrlState.FETCHED, UrlState.FAILED])), max_size=40
    ),
    most=st.integers(1, 6),
    below=st.integers(1, 6),
    chance=st.randoms(use_true_random=False),
)
def test_exact(outcomes, most, below, chance):
    """However requests overlap and end, and whenever it stops, a budget gives exactly as many pages as there are."""
    config = CrawlConfig(max_per_host=most, max_per_path=(f"/a/={below}",))
    budget, spent, out, taken = Budget(config), [], [], []
    waiting = [(url(f"/{folder}/{n}"), state) for n, (folder, state) in enumerate(outcomes)]
    while waiting or out:
        if waiting and budget.verdict(waiting[0][0]):
            waiting.pop(0)
        elif waiting and not budget.holds(waiting[0][0]) and chance.random() < 0.7:
            out.append(waiting.pop(0))
            budget.begin(out[-1][0])
        elif out:
            asked, state = out.pop(chance.randrange(len(out)))
            spent += budget.end(asked, visit(asked, state, reason=None))
            taken += [asked.url.split("/")[3]] * (state is UrlState.FETCHED)
        if not out and chance.random() < 0.2:
            budget = Budget(config, [(name, spent.count(name)) for name in set(spent)])
    reached = {"a": 0, "b": 0}
    for folder, state in outcomes:
        fits = sum(reached.values()) < most and (folder != "a" or reached["a"] < below)
        reached[folder] += state is UrlState.FETCHED and fits
    assert {folder: taken.count(folder) for folder in "ab"} == reached


def test_pages_that_bring_nothing_new():
    """Pages of a shape that lead on with a text known before are counted by name, for a resume to begin with."""
    budget, spent = Budget(CrawlConfig(trap_pages=3)), []
    for n in range(9):
        asked = url(f"/list/{n}", generation=n)
        if budget.verdict(asked) is not None:
            break
        budget.begin(asked)
        assert budget.fetched(asked, page(1)) == (n > 0)
        spent += budget.end(asked, visit(asked))
    assert n == 5
    assert {name: spent.count(name) for name in spent} == {f"like {HOST}/list/<n>": 4 * 20}
    resumed = Budget(CrawlConfig(trap_pages=3), [(name, spent.count(name)) for name in set(spent)])
    assert resumed.verdict(url("/list/99", generation=7)).reason is Reason.TRAP
    assert resumed.verdict(url("/list/99", generation=7, seed=True)) is None
    assert resumed.verdict(url("/list/99")) is None


@pytest.mark.parametrize(
    ("path", "below"), [("/%7Eu/=1", "/~u/1"), ("/Café/=1", "/Caf%C3%A9/1"), ("/a b/=1", "/a%20b/1")]
)
def test_a_path_is_meant_as_urls_have_it(path, below):
    """A budget's path is compared in its canonical form, however it is written."""
    assert Budget(CrawlConfig(max_per_path=(path,)), [(below[:-1], 1)]).verdict(url(below)).reason is Reason.BUDGET


def test_traps_switched_off():
    """Without `traps` nothing is a copy, and nothing is refused."""
    budget = Budget(CrawlConfig(traps=False, trap_pages=1), [(f"like {HOST}/list/<n>", 99)])
    assert budget.verdict(url("/list/99", generation=7)) is None
    assert not budget.fetched(url("/list/99", generation=7), page(1))


# --- a whole crawl ---


@pytest.fixture
def crawl(tmp_path):
    """Crawl into one store, stopped after so many visits if that is said; what it holds is checked."""
    db = tmp_path / "crawl.db"

    async def crawl(*seeds, stop_after=None, **options):
        run = (scraper.crawl(seeds, store=db, **FAST | options)) if seeds else scraper.resume(store=db, **FAST)
        async with asyncio.timeout(DEADLINE):
            visits = 0
            async for _ in run:
                visits += 1
                if visits == stop_after:
                    run.stop()
        assert run.tally.holds
        return run

    crawl.query = lambda sql: query(db, sql)
    return crawl


def query(db, sql):
    """Ask the store."""
    with closing(sqlite3.connect(db)) as connection:
        return connection.execute(sql).fetchall()


def serve(site, seed):
    """Serve 60 pages, each seventh missing, that link across; half of them below /calendar/."""
    chance = random.Random(seed)
    paths = [f"/calendar/{n}" if n % 2 else f"/p/{n}" for n in range(60)]
    for n, path in enumerate(paths):
        links = [paths[min(n + step, 59)] for step in (1, 2, 3)] + chance.sample(paths, 5)
        site.page(path, links, status=404 if n % 7 == 3 else 200)
    site.page("/", chance.sample(paths, 20) + paths[:1])


@pytest.mark.parametrize("seed", range(2))
async def test_exact_over_stops(hosts, crawl, seed):
    """Budgets per host and path are exact with many requests under way and over every stop, host by host."""
    sites = [await hosts.new_site() for _ in range(2)]
    for site in sites:
        serve(site, seed)
    starts = [site.url("/") for site in sites]
    options = {"depth": 99, "max_per_host": 14, "max_per_path": ("/calendar/=5",)}
    run = await crawl(*starts, stop_after=6 + 7 * seed, **options)
    assert run.tally.queued
    await crawl(stop_after=5)
    await crawl()
    counted = crawl.query(
        "SELECT host, count(*), sum(url LIKE '%/calendar/%') FROM pages JOIN urls USING (crawl_id, url) GROUP BY host"
    )
    assert [(host, pages) for host, pages, _ in counted] == sorted((site.origin, 14) for site in sites)
    assert all(below <= 5 for _, _, below in counted)
    reasons = crawl.query("SELECT DISTINCT detail FROM urls WHERE state = 'skipped' AND reason = 'budget' ORDER BY 1")
    assert ("14 pages of this host",) in reasons
    assert crawl.query("SELECT state FROM crawls") == [("finished",)]


async def test_a_budget_asks_no_more_than_it_must(site, crawl):
    """Where every page is there, no page is asked that the budget would not take."""
    for n in range(40):
        site.page(f"/{n}", [f"/{m}" for m in range(40)])
    await crawl(site.url("/0"), depth=9, max_per_host=11, concurrency=32)
    assert len(site.paths()) == 1 + 11


async def test_a_path_that_waits_holds_up_no_other(site, crawl):
    """While a page that may use up a path's budget is out, the other pages of its host are asked."""
    site.hang("/c/1")
    site.page("/", ["/c/1", "/c/2", "/p1", "/p2", "/p3"])
    for page in ("/p1", "/p2", "/p3"):
        site.page(page)
    run = await crawl(site.url("/"), depth=1, max_per_path=("/c/=1",), per_host=2, stop_after=4)
    assert run.tally.fetched == 4
    assert {"/p1", "/p2", "/p3"} <= set(site.paths())
    assert "/c/2" not in site.paths()


async def test_a_host_that_hangs_leaves_half_of_the_slots(hosts, crawl):
    """While there are others a host has at most half of all requests, however many it may have by itself."""
    hanging, well = [await hosts.new_site() for _ in range(2)]
    lures, pages = [f"/lure{n}" for n in range(20)], [f"/{n}" for n in range(30)]
    hanging.page("/", lures)
    well.page("/", pages)
    for lure in lures:
        hanging.hang(lure)
    for page in pages:
        well.page(page)
    await crawl(hanging.url("/"), well.url("/"), depth=1, concurrency=8, per_host=8, stop_after=32)
    assert set(pages) <= set(well.paths())
    assert 2 <= len(hanging.paths()) - 2 <= 4


async def test_a_budget_of_one_host_holds_up_no_other(hosts, crawl):
    """A host whose budget is used up leaves the others their slots, and theirs counts apart."""
    first, second = await hosts.new_site(), await hosts.new_site()
    for n in range(30):
        first.page(f"/{n}", [f"/{m}" for m in range(30)])
        second.page(f"/{n}", [f"/{n + 1}"])
    run = await crawl(first.url("/0"), second.url("/0"), depth=99, max_per_host=20, concurrency=4)
    assert crawl.query("SELECT count(*) FROM pages") == [(40,)]
    assert run.tally.skipped == 10 + 1
