"""`scraper crawl --recrawl`: asked again, stored if changed, kept as it was, marked if gone."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing

import pytest
from aiohttp import web

FAST = ("--parse-workers", "0", "--delay", "0", "--depth", 3)


@pytest.fixture
def tagged(site):
    """Serve a page that has an ETag and answers 304 to who knows it."""

    def tagged(path, text, *links):
        async def answer(request):
            tag = f'"{text}"'
            if request.headers.get("If-None-Match") == tag:
                return web.Response(status=304, headers={"ETag": tag})
            anchors = "".join(f"<a href={link}>x</a>" for link in links)
            body = f"<title>{text}</title>{anchors}"
            return web.Response(body=body.encode(), content_type="text/html", headers={"ETag": tag})

        site.raw(path, answer)

    return tagged


@pytest.fixture
def first(crawl, tagged, site):
    """A finished crawl of four pages."""
    tagged("/", "home", "/same", "/changing", "/going")
    tagged("/same", "same")
    tagged("/changing", "before")
    site.page("/going")
    crawl("/", *FAST, "--name", "shop")
    site.requests.clear()


def test_what_changed_is_stored_and_what_was_is_kept(run, first, site, tagged, query):
    """Changed, unchanged, new and vanished pages are told apart, in the summary and in the store."""
    tagged("/changing", "after", "/new")
    tagged("/new", "new")
    site.page("/going", status=404)
    ended = run("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl")
    assert ended.code == 0, ended.err
    assert "pages: 1 new, 1 changed, 2 unchanged, 1 vanished" in ended.err
    pages = query("SELECT title, vanished_at IS NOT NULL FROM pages ORDER BY url")
    assert pages == [("home", 0), ("after", 0), ("/going", 1), ("new", 0), ("same", 0)]
    assert query("SELECT title FROM versions") == [("before",)]
    assert query("SELECT state, count(*) FROM urls GROUP BY state") == [("failed", 1), ("fetched", 4)]
    assert query("SELECT count(*) FROM crawls") == [(1,)]


def test_unchanged_pages_are_asked_with_their_validators(run, first, site):
    """A recrawl sends If-None-Match, so that an unchanged page costs no body; robots.txt is not asked again."""
    assert run("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl").code == 0
    asked = dict(zip(site.paths(), site.headers[-len(site.requests) :], strict=True))
    assert set(asked) == {"/", "/same", "/changing", "/going"}
    assert asked["/same"]["If-None-Match"] == '"same"'
    assert "If-None-Match" not in asked["/going"]


def test_what_is_young_is_left_alone(run, first, site, tmp_path, monkeypatch):
    """Within max_age nothing is asked; a rule's own max_age goes before."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "fresh"\nmatch = "*/changing"\nmax_age = "0s"\n', encoding="utf-8")
    monkeypatch.setenv("SCRAPER_MAX_AGE", "3600")
    assert run("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl").code == 0
    assert site.paths() == []
    options = ("--name", "timed", "--rules", str(rules))
    for again in ((), ("--recrawl",)):
        site.requests.clear()
        ended = run("crawl", site.url("/"), *FAST, *options, *again)
        assert ended.code == 0, ended.err
    assert site.paths() == ["/changing"]


def test_without_a_crawl_of_that_name_it_begins_one(run, site):
    """The same command serves the first time and every time after."""
    site.page("/")
    for _ in range(2):
        assert run("crawl", site.url("/"), *FAST, "--name", "daily", "--recrawl").code == 0
    assert site.paths().count("/") == 2


def test_an_interrupted_recrawl_goes_on(run, first, site, query):
    """A recrawl that was stopped goes on where it was, and asks nothing twice."""
    assert run("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl", "--max-pages", 2).code == 0
    assert query("SELECT state FROM crawls") == [("limited",)]
    assert run("resume", "shop", "--max-pages", 100).code == 0
    assert sorted(site.paths()) == ["/", "/changing", "/going", "/same"]
    assert query("SELECT state FROM crawls") == [("finished",)]


def test_other_settings_are_refused(run, first, site):
    """A recrawl has the depth and scope of its crawl; other seeds are welcome."""
    told = run("crawl", site.url("/"), *FAST[:-1], 1, "--name", "shop", "--recrawl").refused
    assert "depth was 3 and is now 1" in told
    site.page("/more")
    assert run("crawl", site.url("/"), site.url("/more"), *FAST, "--name", "shop", "--recrawl").code == 0
    assert "/more" in site.paths()


def test_new_and_recrawl_exclude_each_other(run, site):
    """Both at once is wrong usage."""
    ended = run("crawl", site.url("/"), "--new", "--recrawl")
    assert ended.code == 2
    assert "choose one" in ended.err


def test_a_sitemap_is_asked_again(run, site, tagged, query):
    """A recrawl of a sitemap finds the pages that have come, and asks the others with their validators."""
    command = ("crawl", site.url("/sitemap.xml"), "--parse-workers", 0, "--delay", 0, "--name", "map", "--recrawl")
    for number in (1, 2):
        entries = "".join(f"<url><loc>{site.url(f'/{n}')}</loc></url>" for n in range(number))
        site.page("/sitemap.xml", body=f"<urlset>{entries}</urlset>".encode(), headers={"Content-Type": "text/xml"})
        tagged(f"/{number - 1}", "a page")
        ended = run(*command)
        assert ended.code == 0, ended.err
    assert "pages: 1 new, 0 changed, 1 unchanged, 0 vanished" in ended.err
    assert query("SELECT kind, state, count(*) FROM urls GROUP BY 1") == [
        ("page", "fetched", 2),
        ("sitemap", "fetched", 1),
    ]
    assert query("SELECT listings, round, state FROM crawl") == [(1, 2, "finished")]


@pytest.fixture
def shop(tagged, site):
    """Serve a shop of twenty pages, some of which have changed, gone or come from one state of it to the next."""

    def shop(state):
        numbers = [n for n in range(20) if n != 7 - state]
        tagged("/", f"home {state}", *(f"/{n}" for n in numbers))
        for n in range(20):
            tagged(f"/{n}", f"{n} {state}" if n % 3 == 0 else f"{n}", f"/{(n * 7) % 20}")
        site.page(f"/{7 - state}", status=404)

    return shop


@pytest.fixture
def outcome(home):
    """All that must not depend on how often a recrawl was interrupted."""

    def outcome(name):
        with closing(sqlite3.connect(home / f"{name}.db")) as db:
            return {
                "crawl": db.execute("SELECT state, round, new, changed, unchanged, vanished FROM crawl").fetchall(),
                "pages": db.execute("SELECT url, title, vanished_at IS NULL FROM pages ORDER BY url").fetchall(),
                "versions": db.execute("SELECT url, title FROM versions ORDER BY url").fetchall(),
                "urls": db.execute("SELECT url, kind, state, reason, detail FROM urls ORDER BY url").fetchall(),
            }

    return outcome


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_an_interrupted_recrawl_ends_like_another(run, start, site, shop, outcome, eventually, monkeypatch, how):
    """A recrawl that is killed or stopped in the middle of its round and gone on with comes to the same result."""
    monkeypatch.setenv("SCRAPER_STORE_BATCH_SECONDS", "0.02")
    monkeypatch.setenv("SCRAPER_GRACE", "0.1")
    command = ("crawl", site.url("/"), *FAST, "--name", "shop", "--concurrency", 4)
    shop(0)
    for name in ("whole", "halved"):
        assert run(*command, "--db", f"{name}.db").code == 0
    shop(1)
    assert run(*command, "--recrawl", "--db", "whole.db").code == 0
    site.requests.clear()
    site.hang("/9")
    process = start(*command, "--recrawl", "--db", "halved.db")
    eventually(lambda: "/9" in site.paths() and len(site.paths()) > 8)
    ended = process.signalled(signal.SIGKILL if how == "killed" else signal.SIGTERM)
    assert ended.code == (-signal.SIGKILL if how == "killed" else 128 + signal.SIGTERM)
    shop(1)
    before = set(site.paths())
    assert "queued" in {row[2] for row in outcome("halved")["urls"]}
    site.requests.clear()
    assert run("resume", "shop", "--db", "halved.db").code == 0
    assert outcome("halved") == outcome("whole")
    assert outcome("whole")["crawl"] == [("finished", 2, 1, 7, 12, 1)]
    assert len(before & set(site.paths())) <= 4


def test_a_recrawl_that_reached_its_limit_is_asked_again(run, first, site):
    """With --max-pages a recrawl takes so many pages each time; the same command begins another round."""
    options = ("--name", "shop", "--recrawl", "--max-pages", 2)
    for _ in range(3):
        site.requests.clear()
        assert run("crawl", site.url("/"), *FAST, *options).code == 0
        assert len(site.paths()) == 2


def test_a_page_that_failed_is_made_anew(run, site, query, tmp_path):
    """A page on which an extractor failed is asked for whole, and its records are made though it is the same."""
    site.page("/", headers={"ETag": '"1"'})
    code = tmp_path / "shop.py"
    options = ("--name", "mended", "--extractor", f"{code}:thing", "--parse-workers", 1, "--delay", 0)
    start = "import scraper\n\n@scraper.extractor()\ndef thing(page):\n"
    code.write_text(start + "    raise ValueError\n", encoding="utf-8")
    run("crawl", site.url("/"), *options)
    assert query("SELECT state FROM urls") == [("failed",)]
    code.write_text(start + "    yield {'n': 1}\n", encoding="utf-8")
    ended = run("crawl", site.url("/"), *options, "--recrawl")
    assert "its rules or extractors have changed" in ended.err
    assert query("SELECT state FROM urls") == [("fetched",)]
    assert query("SELECT count(*) FROM records") == [(1,)]


def test_a_stream_tells_only_of_what_is_new(run, first, site, tagged):
    """With --stream a recrawl prints the pages that it stored: not those sent whole again and the same."""
    tagged("/changing", "after")
    ended = run("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl", "--stream")
    assert [line["url"] for line in ended.lines] == [site.url("/changing")]
    assert "1 changed, 3 unchanged" in ended.err


def test_killed_as_its_round_began(run, first, site, home):
    """A recrawl killed after it took the crawl and before its round was there begins that round the next time."""
    with closing(sqlite3.connect(home / "scraper.db")) as db, db:
        db.execute("UPDATE crawl SET state = 'running', finished_at = NULL")
    ended = run("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl")
    assert "4 unchanged" in ended.err
    assert sorted(site.paths()) == ["/", "/changing", "/going", "/same"]


def test_a_limited_recrawl_goes_on_with_a_higher_limit(run, first, site):
    """The same command with a higher --max-pages goes on with the round that is limited, as a crawl does."""
    for limit, asked in ((2, 2), (3, 1), (100, 1)):
        site.requests.clear()
        command = ("crawl", site.url("/"), *FAST, "--name", "shop", "--recrawl", "--max-pages", limit)
        assert run(*command).code == 0
        assert len(site.paths()) == asked
