"""A good citizen, end to end: robots.txt on every hop, every way a page points on, patience that outlasts a stop."""

import asyncio
import sqlite3
import time
from contextlib import closing
from email.utils import formatdate
from itertools import pairwise

import aiohttp
import pytest
from aiohttp import web

import scraper
from scraper.model import CrawlState

LOOPBACK = ("127.0.0.0/8",)
FAST = {"delay": 0.0, "per_host": 8, "parse_workers": 0, "retry_base": 0.0, "store_batch_seconds": 0.02}
DEADLINE = 20.0  # seconds; nothing here takes a tenth of it
XML = {"Content-Type": "application/xml"}
URLSET = '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>{}</loc></url></urlset>'
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="{}"/></entry></feed>'
FOLLOWING = '[[rule]]\nname = "list"\nmatch = "*/start"\nfields.title = "h1"\nfollow.select = "a.next"\n'


@pytest.fixture
def db(tmp_path):
    """Where the store is."""
    return tmp_path / "crawl.db"


@pytest.fixture
def query(db):
    """Ask the store as another program would."""

    def query(sql, *parameters):
        with closing(sqlite3.connect(db)) as connection, connection:
            return connection.execute(sql, parameters).fetchall()

    return query


@pytest.fixture
def states(query):
    """What became of each URL: (state, reason) by URL."""
    return lambda: {
        url: (state, reason) for url, state, reason in query("SELECT url, state, reason FROM urls ORDER BY url")
    }


@pytest.fixture
def crawl(db):
    """Crawl to the end and return the run; the accounting is checked every time."""

    async def crawl(*seeds, go_on=False, stop_at=None, **options):
        start = scraper.resume if go_on else scraper.crawl
        run = start(*([] if go_on else [seeds]), store=db, **FAST | options)
        async with asyncio.timeout(DEADLINE):
            async for visit in run:
                if visit.url.url == stop_at:
                    run.stop()
        assert run.tally.holds
        return run

    return crawl


def serve(site, path, text, content_type="text/html"):
    """Serve a text as it is."""
    site.page(path, body=text.encode(), headers={"Content-Type": content_type})


# --- robots.txt ---

# Each way makes `/start` of the first site lead to a URL of the second, and tells what the crawl starts from.
WAYS = {
    "link": lambda site, url: site.page("/start", [url]),
    "frame": lambda site, url: serve(site, "/start", f'<iframe src="{url}"></iframe>'),
    "redirect": lambda site, url: (site.page("/start", ["/moved"]), site.redirect("/moved", url)),
    "redirect of a seed": lambda site, url: site.redirect("/start", url),
    "meta refresh": lambda site, url: serve(site, "/start", f'<meta http-equiv="refresh" content="0; url={url}">'),
    "Refresh header": lambda site, url: site.page("/start", headers={"Refresh": f"0; url={url}"}),
    "Link header": lambda site, url: site.page("/start", headers={"Link": f'<{url}>; rel="next"'}),
    "sitemap": lambda site, url: serve(site, "/start", URLSET.format(url), "application/xml"),
    "feed": lambda site, url: serve(site, "/start", ATOM.format(url), "application/atom+xml"),
    "pagination": lambda site, url: serve(site, "/start", f'<h1>1</h1><a class="next" href="{url}">next</a>'),
}


@pytest.mark.parametrize("way", WAYS)
async def test_robots_on_every_hop(hosts, crawl, states, tmp_path, way):
    """Whatever leads to another host, its own robots.txt is asked first, and what that forbids is not."""
    site, other = await hosts.new_site(), await hosts.new_site()
    other.robots("User-agent: *\nDisallow: /forbidden")
    WAYS[way](site, other.url("/forbidden"))
    (tmp_path / "list.toml").write_text(FOLLOWING)
    rules = [str(tmp_path / "list.toml")] if way == "pagination" else []
    await crawl(site.url("/start"), depth=1, scope="any", allow_private=LOOPBACK, rules=rules)
    assert states()[other.url("/forbidden")] == ("skipped", "robots")
    assert other.paths() == ["/robots.txt"]


@pytest.mark.parametrize("way", WAYS)
async def test_robots_that_allow_on_every_hop(hosts, crawl, states, tmp_path, way):
    """The same ways lead to the page where robots.txt lets them: none is closed by anything else."""
    site, other = await hosts.new_site(), await hosts.new_site()
    other.robots("User-agent: *\nDisallow: /forbidden")
    other.page("/open")
    WAYS[way](site, other.url("/open"))
    (tmp_path / "list.toml").write_text(FOLLOWING)
    rules = [str(tmp_path / "list.toml")] if way == "pagination" else []
    await crawl(site.url("/start"), depth=1, scope="any", allow_private=LOOPBACK, rules=rules)
    assert states()[other.url("/open")] == ("fetched", None)
    assert other.paths() == ["/robots.txt", "/open"]


async def test_robots_of_seeds(site, crawl, query):
    """A seed that robots.txt forbids is not asked, and its row names the rule."""
    site.robots("User-agent: *\nDisallow: /a*/x$\nAllow: /abcdef/\n")
    site.page("/abcdef/x")
    await crawl(*map(site.url, ("/a/x", "/abcdef/x", "/a/x?y")))
    assert site.paths()[0] == "/robots.txt"
    assert sorted(site.paths()[1:]) == ["/a/x?y", "/abcdef/x"]
    assert query("SELECT url, detail FROM urls WHERE reason = 'robots'") == [(site.url("/a/x"), "Disallow: /a*/x$")]


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_robots_that_are_not_there(site, crawl, status):
    """A robots.txt that is answered with 4xx allows all."""
    site.robots("User-agent: *\nDisallow: /", status=status)
    site.page("/")
    assert (await crawl(site.url("/"))).tally.fetched == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_robots_that_a_server_withholds(site, crawl, query, status):
    """While robots.txt is answered with 429 or 5xx no page is asked, and its status is told."""
    site.robots("", status=status)
    site.page("/", ["/a"])
    await crawl(site.url("/"), depth=1, retry_attempts=2, adaptive=False)
    assert site.paths() == ["/robots.txt"] * 2
    assert query("SELECT state, reason, detail FROM urls") == [("skipped", "robots", f"robots.txt: {status}")]
    assert query("SELECT robots_status FROM hosts") == [(str(status),)]


async def test_robots_that_come_at_last(site, crawl):
    """A robots.txt that is answered after two failures holds from then on."""
    site.robots("User-agent: *\nDisallow: /a")
    site.fails("/robots.txt", 2)
    site.page("/", ["/a", "/b"])
    await crawl(site.url("/"), depth=1, adaptive=False)
    assert site.paths() == ["/robots.txt"] * 3 + ["/", "/b"]


async def test_robots_of_a_host_that_is_dead(site, crawl, query):
    """Where robots.txt gets no answer no page is asked, and the host is given up by the circuit breaker."""

    async def hang_up(request):
        request.transport.abort()
        return web.Response()

    site.raw("/robots.txt", hang_up)
    site.page("/")
    await crawl(site.url("/"), breaker_failures=2, breaker_cooldown=0.0, breaker_openings=2)
    assert set(site.paths()) == {"/robots.txt"}
    assert query("SELECT state, reason FROM urls") == [("failed", "host-down")]
    assert query("SELECT breaker FROM hosts") == [("down",)]


async def test_robots_are_not_asked_again_on_resume(hosts, crawl, states):
    """Within its day robots.txt is asked once, however often a crawl is gone on with, and still obeyed."""
    site, other = await hosts.new_site(), await hosts.new_site()
    for each in (site, other):
        each.robots("User-agent: *\nDisallow: /no\n")
        for n in range(4):
            each.page(f"/{n}", [f"/{n + 1}", f"/no/{n}"])
    await crawl(site.url("/0"), other.url("/0"), depth=9, max_pages=2)
    await crawl(go_on=True, max_pages=4)
    await crawl(go_on=True, max_pages=99)
    for each in (site, other):
        assert each.paths().count("/robots.txt") == 1
        assert [states()[each.url(f"/no/{n}")] for n in range(4)] == [("skipped", "robots")] * 4


async def test_robots_that_expire(site, crawl, query):
    """A robots.txt older than its expiry is asked for again, and what it then forbids is not asked."""
    site.robots("User-agent: *\nDisallow: /x")
    site.page("/", ["/a"])
    await crawl(site.url("/"), depth=1, max_pages=1)
    query("UPDATE host SET robots_expires_at = robots_expires_at - 86400")
    site.robots("User-agent: *\nDisallow: /a")
    await crawl(go_on=True, max_pages=9)
    assert site.paths() == ["/robots.txt", "/", "/robots.txt"]


ROBOTS_OF_TWO = "User-agent: BookWorm\nDisallow: /worm\n\nUser-agent: *\nDisallow: /others\n"


@pytest.mark.parametrize(
    ("user_agent", "asked"),
    [("", "/worm"), ("bookworm/2.0 (+http://example.com/)", "/others"), ("bookwormy/2.0", "/worm")],
    ids=["ours", "own", "another"],
)
async def test_the_name_robots_know_us_by(site, crawl, user_agent, asked):
    """The group of the product token that the User-Agent begins with holds, and only without one the group of all."""
    site.robots(ROBOTS_OF_TWO)
    site.page("/", ["/worm", "/others"])
    await crawl(site.url("/"), depth=1, user_agent=user_agent)
    assert site.paths() == ["/robots.txt", "/", asked]
    assert all(headers["User-Agent"].startswith(user_agent or "scraper/") for headers in site.headers)


async def test_an_empty_query_is_asked_for(site, crawl, query):
    """What is judged is what is asked: a URL with an empty query is sent with it, and not as another one."""
    site.robots("User-agent: *\nDisallow: /x$")
    site.page("/", ["/x", "/x?", "/y?a?"])
    for path in ("/x?", "/y?a?"):
        site.page(path)
    await crawl(site.url("/"), depth=1)
    assert sorted(site.paths()) == ["/", "/robots.txt", "/x?", "/y?a?"]
    assert query("SELECT url FROM urls WHERE state = 'skipped'") == [(site.url("/x"),)]


# --- where pages point ---


async def test_every_way_a_page_points_on(site, crawl, states):
    """Headers, meta refresh, link elements, frames, areas and translations are all followed; styles are not."""
    head = (
        '<link rel="prev" href="/prev"><link rel="alternate" hreflang="fr" href="/fr">'
        '<link rel="stylesheet" href="/style.css"><link rel="alternate" type="application/rss+xml" href="/feed">'
    )
    body = '<area href="/area"><iframe src="/frame"></iframe><a href="/a">a</a>'
    headers = {"Link": '</next>; rel=next, </de>; rel="alternate"; hreflang=de', "Refresh": "60; url=/refreshed"}
    site.page("/", body=f"<html><head>{head}</head><body>{body}</body></html>".encode(), headers=headers)
    followed = ("/next", "/de", "/refreshed", "/prev", "/fr", "/area", "/frame", "/a")
    for path in followed:
        site.page(path)
    await crawl(site.url("/"), depth=1)
    assert states() == dict.fromkeys(map(site.url, ("/", *followed)), ("fetched", None))


@pytest.mark.parametrize("sitemaps", [False, True])
async def test_feeds_are_followed_with_sitemaps_alone(site, crawl, query, sitemaps):
    """A feed that a page names is asked with `sitemaps`, and what it names is fetched; without, neither is."""
    for path, name in (("/", "/feed"), ("/feed", "")):
        serve(site, path, f'<link rel="alternate" type="application/atom+xml" href="{name}">')
    serve(site, "/feed", ATOM.format("/entry"), "application/atom+xml")
    site.page("/entry")
    await crawl(site.url("/"), depth=1, sitemaps=sitemaps)
    rows = query("SELECT url, kind FROM urls ORDER BY url")
    named = [(site.url("/entry"), "page"), (site.url("/feed"), "feed")]
    assert rows == [(site.url("/"), "page"), *(named if sitemaps else [])]


@pytest.mark.parametrize("obeyed", [True, False])
async def test_nofollow_of_what_a_page_points_to(site, crawl, states, obeyed):
    """What a Link header, a link element or a whole page marks nofollow is not followed, if that is obeyed."""
    site.page(
        "/",
        ["/closed"],
        body='<link rel="next nofollow" href="/element">',
        headers={"Link": '</header>; rel="next nofollow"'},
    )
    site.page("/closed", ["/behind"], headers={"X-Robots-Tag": "nofollow", "Refresh": "0; url=/refreshed"})
    marked = ("/element", "/header", "/behind", "/refreshed")
    for path in marked:
        site.page(path)
    await crawl(site.url("/"), depth=2, nofollow=obeyed)
    wanted = ("skipped", "nofollow") if obeyed else ("fetched", None)
    assert {path: states()[site.url(path)] for path in marked} == dict.fromkeys(marked, wanted)
    assert obeyed == (not set(marked) & set(site.paths()))


async def test_the_canonical_url_is_recorded(site, crawl, query):
    """The canonical URL that a page or its header names stands in `pages`; the stored URL is the one fetched."""
    serve(site, "/a?x=1", '<head><link rel="canonical" href="/a"></head>')
    site.page("/b", headers={"Link": '<https://example.com/b>; rel="canonical"'})
    serve(site, "/a", "<h1>a</h1>")
    await crawl(site.url("/a?x=1"), site.url("/b"), depth=1)
    assert query("SELECT url, canonical FROM pages ORDER BY url") == [
        (site.url("/a"), None),
        (site.url("/a?x=1"), site.url("/a")),
        (site.url("/b"), "https://example.com/b"),
    ]


# --- URLs made shorter, URLs that go first ---


async def test_stripped_everywhere(site, crawl, states):
    """What is stripped goes out of seeds, links, redirect targets and entries: a page is one, and asked once."""
    site.page("/", ["/a?utm_source=x", "/a?gclid=1", "/a", "/b?utm_x=1&q=1", "/moved"])
    site.redirect("/moved", "/c?utm_medium=mail&k=v#top")
    serve(site, "/map.xml", URLSET.format(site.url("/d?gclid=2")), "application/xml")
    for path in ("/a", "/b?q=1", "/c?k=v", "/d"):
        site.page(path)
    strip = ("utm_*", "gclid")
    await crawl(site.url("/?utm_campaign=1"), site.url("/map.xml?gclid=3"), depth=1, strip_parameters=strip)
    asked = sorted(["/", "/a", "/b?q=1", "/c?k=v", "/d", "/map.xml", "/moved", "/robots.txt"])
    assert sorted(site.paths()) == asked
    assert sorted(states()) == [site.url(path) for path in asked if path != "/robots.txt"]


async def test_a_redirect_to_what_is_stripped(site, crawl, states):
    """A server that insists on a stripped parameter gets it: its redirect back to the page is no loop."""

    async def insists(request):
        if request.query_string != "utm_source=here":
            return web.Response(status=302, headers={"Location": "/a?utm_source=here"})
        return web.Response(text="<h1>a</h1>", content_type="text/html")

    site.page("/", ["/a?utm_source=other"])
    for path in ("/a", "/a?utm_source=here"):
        site.raw(path, insists)
    await crawl(site.url("/"), depth=1, strip_parameters=("utm_*",))
    assert states()[site.url("/a")] == ("redirected", None)
    assert states()[site.url("/a?utm_source=here")] == ("fetched", None)
    assert site.paths() == ["/robots.txt", "/", "/a", "/a?utm_source=here"]


async def test_preferred_urls_go_first(site, crawl):
    """Links and entries that match `prefer` are asked before the others of their host, among the seeds too."""
    for n in range(6):
        site.page(f"/{n}", ["/x/news", "/y"])
    for path in ("/x/news", "/y", "/news/seed"):
        site.page(path)
    seeds = [site.url(f"/{n}") for n in range(6)]
    await crawl(*seeds, site.url("/news/seed"), depth=9, prefer=("news",), concurrency=1, per_host=1)
    order = site.paths()
    assert order[:2] == ["/robots.txt", "/news/seed"]
    assert order.index("/x/news") < order.index("/y")


# --- patience ---


@pytest.fixture
def stopped(db):
    """Crawl, or go on, until a condition of the run holds, and stop it then."""

    async def stopped(when, *seeds, **options):
        start = scraper.crawl if seeds else scraper.resume
        run = start(*([seeds] if seeds else []), store=db, **FAST | options)

        async def watch():
            while not when(run):  # noqa: ASYNC110 - nobody tells what only a frontier knows
                await asyncio.sleep(0.005)
            run.stop()

        async with asyncio.timeout(DEADLINE):
            watching = asyncio.create_task(watch())
            async for _ in run:
                pass
            await watching
        assert run.state is CrawlState.INTERRUPTED
        return run

    return stopped


def parked(seconds):
    """Is a host left alone for so long from now?"""
    until = time.time() + seconds
    return lambda run: run.frontier is not None and any(host.clock.next_at > until for host in run.frontier.hosts)


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_retry_after_outlasts_a_stop(site, stopped, query, form):
    """A Retry-After of half an hour is stored with URL and host; who resumes before it asks nothing of that host."""
    site.page("/", ["/busy"])
    named = "1800" if form == "seconds" else formatdate(time.time() + 1800, usegmt=True)
    site.fails("/busy", 1, headers={"Retry-After": named})
    await stopped(parked(1700), site.url("/"), depth=1, per_host=1)
    now, asked = time.time(), site.paths()
    assert asked == ["/robots.txt", "/", "/busy"]
    until = time.time() + 1700
    await stopped(lambda run: run.frontier is not None and (run.frontier._window.due_in_store or 0) > until)
    assert site.paths() == asked
    assert query("SELECT state, attempts FROM url WHERE url LIKE '%/busy'") == [("queued", 1)]
    for table, moment in (("url", "due_at"), ("host", "next_at")):
        ((until,),) = query(f"SELECT max({moment}) FROM {table}")
        assert now + 1790 < until < now + 1810


async def test_retry_after_passes(site, stopped, crawl, query):
    """Who resumes waits for the rest of a Retry-After, and then gets every page."""
    site.page("/", ["/busy", "/other"])
    site.page("/other")
    site.fails("/busy", 1, status=429, headers={"Retry-After": "2"})
    await stopped(parked(1.0), site.url("/"), depth=1, per_host=1, adaptive=False)
    asked = len(site.requests)
    await crawl(go_on=True)
    assert site.requests[asked][1] - dict(site.requests[:asked])["/busy"] >= 1.99
    assert query("SELECT count(*) FROM pages") == [(3,)]


async def test_a_retry_after_is_bounded(site, crawl):
    """A server that names the next year is asked again after `longest_retry_after`."""
    site.fails("/", 1, headers={"Retry-After": "31536000"})
    run = await crawl(site.url("/"), longest_retry_after=0.2, adaptive=False)
    assert run.tally.fetched == 1


@pytest.mark.parametrize(("line", "gap"), [("Crawl-delay: 0.15", 0.15), ("Request-rate: 5/1s", 0.2)])
async def test_the_pace_robots_ask_for(site, crawl, query, line, gap):
    """Requests are the Crawl-delay or the Request-rate of robots.txt apart, also those before and after a stop."""
    site.robots(f"User-agent: *\n{line}\n")
    site.page("/", ["/a", "/b"])
    for path in ("/a", "/b"):
        site.page(path)
    await crawl(site.url("/"), depth=1, max_pages=2)
    await crawl(go_on=True, max_pages=9)
    gaps = [later - earlier for (_, earlier), (_, later) in pairwise(site.requests)]
    assert len(gaps) == 3
    assert min(gaps) >= gap / 2  # what is kept apart are the starts; the first request has to connect
    assert sum(gaps) >= 3 * gap * 0.85
    assert query("SELECT crawl_delay FROM hosts") == [(gap,)]


async def test_a_503_slows_the_host_down(site, stopped, query):
    """A 503 without Retry-After makes the distance between requests to its host longer, and the store remembers it."""
    site.page("/", ["/busy", *(f"/{n}" for n in range(9))])
    site.fails("/busy", 1)
    await stopped(
        lambda run: run.frontier is not None and any(host.clock.slowdown.seconds for host in run.frontier.hosts),
        site.url("/"),
        depth=1,
        per_host=1,
        grace=0.0,
    )
    assert query("SELECT slowdown FROM hosts") == [(1.0,)]


async def test_others_do_not_wait_for_a_parked_host(hosts, stopped, query):
    """While one host is left alone, the others' pages are all fetched."""
    parked_one, *others = [await hosts.new_site() for _ in range(4)]
    parked_one.fails("/", 9, headers={"Retry-After": "900"})
    for site in others:
        for n in range(5):
            site.page(f"/{n}", [f"/{n + 1}"])
    await stopped(
        lambda run: run.tally.fetched == 15,
        parked_one.url("/"),
        *(site.url("/0") for site in others),
        depth=4,
        concurrency=2,
    )
    assert query("SELECT count(*) FROM pages") == [(15,)]
    assert parked_one.paths() == ["/robots.txt", "/"]


async def test_a_304_nobody_asked_for(site, crawl, states):
    """A first crawl sends no condition: a 304 is no answer to it, and the URL is `failed protocol`."""
    site.page("/", status=304, body=b"", headers={"ETag": '"x"'})
    await crawl(site.url("/"))
    assert states() == {site.url("/"): ("failed", "protocol")}
    assert not {"If-None-Match", "If-Modified-Since"} & set(site.headers[-1])


# --- the audit of all tests ---


@pytest.mark.parametrize(
    ("robots", "path", "is_forbidden"),
    [
        ("User-agent: *\nDisallow: /a", "/ab?c", True),
        ("User-agent: *\nDisallow: /a\nAllow: /ab", "/ab", False),
        ("User-agent: *\nDisallow: /a*c$", "/abc", True),
        ("User-agent: *\nDisallow: /a*c$", "/abcd", False),
        ("User-agent: *\nDisallow: /%61", "/a", True),
        ("User-agent: *\nDisallow: /\nUser-agent: scraper\nDisallow:", "/a", False),
        ("User-agent: other\nUser-agent: Scraper\nDisallow: /\n", "/a", True),
        ("User-agent: other\nDisallow: /", "/a", False),
    ],
)
async def test_the_audit_sees_what_is_disallowed(site, robots, path, is_forbidden):
    """A site tells afterwards what was asked of it against its robots.txt: that would fail any test."""
    site.robots(robots)
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "scraper/1.0"}) as session,
        session.get(site.url(path)) as answer,
    ):
        assert answer.status == 404
    assert site.disallowed() == ([path] if is_forbidden else [])
    site.audited = False


async def test_the_audit_sees_a_crawl_that_does_not_obey(site, crawl):
    """With robots.txt not obeyed what it forbids is asked, and the audit of that test would say so."""
    site.robots("User-agent: *\nDisallow: /a")
    site.page("/", ["/a"])
    await crawl(site.url("/"), depth=1, robots=False)
    assert site.disallowed() == ["/a"]
    site.audited = False
