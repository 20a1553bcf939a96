"""Hostile servers as whole crawls meet them: robots.txt, redirects and pages of many hosts beside honest ones."""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
from contextlib import closing
from itertools import pairwise

import pytest

import scraper

OK = b"HTTP/1.1 200 OK\r\n"
IMPATIENT = {
    "connect_timeout": 1.0,
    "first_byte_timeout": 0.8,
    "idle_timeout": 0.5,
    "total_timeout": 3.0,
    "least_rate": 1000.0,
    "retry_attempts": 2,
    "retry_base": 0.01,
    "breaker_failures": 1,
    "breaker_openings": 1,
    "breaker_cooldown": 0.05,
    "adaptive": False,
    "delay": 0.0,
    "parse_workers": 0,
    "concurrency": 200,
}


def page(body=b"<p>a page</p>", line=b"Content-Type: text/html"):
    """A whole answer."""
    return OK + line + b"\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def to(location, status=b"302 Found", more=b""):
    """A redirect."""
    return b"HTTP/1.1 %s\r\nLocation: %s\r\n%sContent-Length: 0\r\n\r\n" % (status, location, more)


def status(line):
    """An empty answer."""
    return b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % line


def again(data, pause=0.0):
    """A step that sends these for ever."""
    return ("again", data, pause)


def chain(hops):
    """So many redirects in a row, and a page at their end."""
    paths = ["/", *(f"/{number}" for number in range(1, hops + 1))]
    led = {path: (to(after.encode()),) for path, after in pairwise(paths)}
    return led | {paths[-1]: (page(),)}


# What a host answers by path, and how URLs of the crawl end: by path, or a whole URL where it is another's.
REDIRECTS = {
    "to itself": ({"/": (to(b"/"),)}, {"/": "failed redirect-loop"}),
    "to a fragment of itself": ({"/": (to(b"#x"),)}, {"/": "failed redirect-loop"}),
    "loop of two": ({"/": (to(b"/a"),), "/a": (to(b"/"),)}, {"/": "redirected", "/a": "failed redirect-loop"}),
    "ten": (chain(10), {"/": "redirected", "/9": "redirected", "/10": "fetched"}),
    "eleven": (chain(11), {"/9": "redirected", "/10": "failed redirect-loop", "/11": None}),
    "no Location": ({"/": (status(b"302 Found"),)}, {"/": "failed protocol"}),
    "empty Location": ({"/": (to(b""),)}, {"/": "failed protocol"}),
    "blank Location": ({"/": (to(b" \t "),)}, {"/": "failed protocol"}),
    "relative": ({"/": (to(b"next"),), "/next": (page(),)}, {"/": "redirected", "/next": "fetched"}),
    "query alone": ({"/": (to(b"?a=b"),), "/?a=b": (page(),)}, {"/?a=b": "fetched"}),
    "to a private address": ({"/": (to(b"//10.0.0.1/x"),)}, {"http://10.0.0.1/x": "skipped private-address"}),
    "by backslashes": ({"/": (to(b"\\\\10.0.0.2\\x"),)}, {"http://10.0.0.2/x": "skipped private-address"}),
    "to https": ({"/": (to(b"https://10.0.0.3/"),)}, {"https://10.0.0.3/": "skipped private-address"}),
    "javascript": ({"/": (to(b"javascript:alert(1)"),)}, {"/": "redirected", "javascript:alert(1)": "skipped scheme"}),
    "file": ({"/": (to(b"file:///etc/passwd"),)}, {"file:///etc/passwd": "skipped scheme"}),
    "data": ({"/": (to(b"data:text/html,x"),)}, {"data:text/html,x": "skipped scheme"}),
    "gopher": ({"/": (to(b"gopher://10.0.0.1:70/"),)}, {"gopher://10.0.0.1:70/": "skipped scheme"}),
    "port 0": ({"/": (to(b"http://10.0.0.4:0/"),)}, {"http://10.0.0.4:0/": "skipped robots"}),
    "port 99999": ({"/": (to(b"http://127.0.0.1:99999/"),)}, {"/": "failed protocol"}),
    "no host": ({"/": (to(b"http://"),)}, {"/": "failed protocol"}),
    "bad brackets": ({"/": (to(b"http://[::1/"),)}, {"/": "failed protocol"}),
    "Location of a megabyte": ({"/": (to(b"/" + b"x" * 1_000_000),)}, {"/": "failed protocol"}),
    "several Locations": ({"/": (to(b"/a", more=b"Location: /b\r\n"),)}, {"/": "failed protocol", "/a": None}),
    "the same Location twice": ({"/": (to(b"/a", more=b"Location: /a\r\n"),), "/a": (page(),)}, {"/a": "fetched"}),
    "CR in it": ({"/": (to(b"/a\rX: y"),)}, {"/": "failed protocol"}),
    "CR LF in it, escaped": (
        {"/": (to(b"/%0d%0aX:%20y"),), "/%0D%0AX:%20y": (page(),)}, {"/%0D%0AX:%20y": "fetched"}
    ),
    "NUL in it": ({"/": (to(b"/a\0b"),)}, {"/": "failed protocol"}),
    "ESC in it": ({"/": (to(b"/a\x1b[31m"),)}, {"/": "failed protocol"}),
    "300": ({"/": (to(b"/a", b"300 Multiple Choices"),)}, {"/": "failed protocol", "/a": None}),
    "305": ({"/": (to(b"http://10.0.0.5/", b"305 Use Proxy"),)}, {"/": "failed protocol"}),
    "201 with a Location": ({"/": (to(b"/a", b"201 Created"),)}, {"/a": None}),
    "page behind a redirect's head": ({"/": (to(b"/a") + page(b"EVIL"),), "/a": (page(b"own"),)}, {"/a": "fetched"}),
}  # fmt: skip
# What comes for robots.txt of a host with one page, and how the page ends.
ROBOTS = {
    "404": ((status(b"404 Not Found"),), "fetched"),
    "403": ((status(b"403 Forbidden"),), "fetched"),
    "empty": ((page(b""),), "fetched"),
    "binary": ((page(bytes(range(256)) * 9),), "fetched"),
    "a web page": ((page(b"<!doctype html><title>Oops</title>"),), "fetched"),
    "forbids": ((page(b"User-agent: *\nDisallow: /"),), "skipped robots"),
    "forbids, gzipped": (
        (page(gzip.compress(b"User-agent: *\nDisallow: /"), b"Content-Encoding: gzip"),), "skipped robots"
    ),
    "forbids, endlessly": ((OK + b"\r\nUser-agent: *\n", again(b"Disallow: /\n")), "skipped robots"),
    "endless": ((OK + b"\r\n", again(b"# nothing\n")), "fetched"),
    "bomb": ((page(gzip.compress(b"#" * 50_000_000, 1), b"Content-Encoding: gzip"),), "fetched"),
    "503": ((status(b"503 Busy"),), "failed host-down"),
    "429": ((status(b"429 Too Many Requests"),), "skipped robots"),
    "500": ((status(b"500 Oops"),), "skipped robots"),
    "garbage": ((b"garbage\r\n\r\n",), "skipped robots"),
    "bad chunk": ((OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",), "skipped robots"),
    "bad coding": ((page(b"plain", b"Content-Encoding: gzip"),), "skipped robots"),
    "header bomb": ((OK, again(b"X: y\r\n")), "skipped robots"),
    "interim for ever": ((again(b"HTTP/1.1 100 Continue\r\n\r\n"),), "skipped robots"),
    "cut": ((OK + b"Content-Length: 99\r\n\r\nUser-agent: *", "close"), "failed host-down"),
    "no answer": (("close",), "failed host-down"),
    "reset": (("reset",), "failed host-down"),
    "silence": (("hold",), "failed host-down"),
    "trickle": ((OK + b"Content-Length: 9999\r\n\r\n", again(b"#", 0.05)), "failed host-down"),
    "loop": ((to(b"/robots.txt"),), "fetched"),
    "to a private address": ((to(b"http://10.0.0.6/robots.txt"),), "skipped"),
    "to a file": ((to(b"file:///etc/passwd"),), "fetched"),
    "smuggled behind": ((page(b"User-agent: *\nAllow: /") + page(b"EVIL"),), "fetched"),
}  # fmt: skip
# What comes for a page, and how it ends.
PAGES = {
    "silence": (("hold",), "failed timeout"),
    "trickle": ((OK + b"Content-Type: text/html\r\n\r\n", again(b"x", 0.05)), "failed timeout"),
    "no answer": (("close",), "failed reset"),
    "reset": (("reset",), "failed reset"),
    "cut": ((OK + b"Content-Length: 99\r\n\r\n<p>", "close"), "failed truncated"),
    "reset in an endless body": ((OK + b"\r\n<p>", 0.05, "reset"), "failed truncated"),
    "endless body": ((OK + b"Content-Type: text/html\r\n\r\n<p>hi", "close"), "fetched"),
    "garbage": ((b"garbage\r\n\r\n",), "failed protocol"),
    "status 600": ((status(b"600 X"),), "failed protocol"),
    "404": ((status(b"404 X"),), "failed http-4xx"),
    "501": ((status(b"501 X"),), "failed http-5xx"),
    "too large": ((OK + b"Content-Length: 99999999999\r\n\r\n",), "failed too-large"),
    "unknown coding": ((page(line=b"Content-Encoding: foo\r\nContent-Type: text/html"),), "failed bad-encoding"),
}


@pytest.fixture
def ended(tmp_path):
    """Crawl these URLs to the end, and return how each URL of the crawl ended."""

    async def ended(*seeds, **options):
        run = scraper.crawl(list(seeds), store=tmp_path / "crawl.db", **IMPATIENT | options)
        async for _ in run:
            pass
        assert run.tally.holds
        assert run.tally.queued == 0
        with closing(sqlite3.connect(tmp_path / "crawl.db")) as connection:
            assert not connection.execute("SELECT count(*) FROM pages WHERE text LIKE '%EVIL%'").fetchone()[0]
            rows = connection.execute("SELECT url, state, reason, detail FROM urls").fetchall()
            return {url: (f"{state} {reason or ''}".rstrip(), detail) for url, state, reason, detail in rows}

    return ended


async def test_hostile_hosts(played, ended, goal):
    """Among hostile hosts each URL ends with its reason, and honest hosts are fetched whole (B1, B6, B8, B13, C10)."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    expected, seeds = {}, []
    for name, (answers, outcomes) in REDIRECTS.items():
        server = await played((answers,))
        seeds.append(server.url())
        for place, outcome in outcomes.items():
            expected[server.url(place) if place.startswith("/") else place] = (f"redirect {name}", outcome)
    for name, (steps, outcome) in ROBOTS.items():
        server = await played(({"/robots.txt": steps, "/": (page(),)},))
        seeds.append(server.url())
        expected[server.url()] = (f"robots.txt {name}", outcome)
    for name, (steps, outcome) in PAGES.items():
        server = await played(({"/": steps},))
        seeds.append(server.url())
        expected[server.url()] = (f"page {name}", outcome)
    for number in range(5):
        server = await played(({f"/{path}": (page(b"<p>%d, %d" % (number, path)),) for path in range(20)},))
        seeds += [server.url(f"/{path}") for path in range(20)]
        expected |= {server.url(f"/{path}"): ("honest", "fetched") for path in range(20)}

    came = await ended(*seeds)
    with goal("G7", "crawls among hostile hosts: each URL ends as it must") as tries:
        for url, (name, outcome) in expected.items():
            state, detail = came.get(url, (None, None))
            if outcome is None:
                tries.check(url not in came, f"{name}: {url} is {state}")
            else:
                tries.check(state is not None and state.startswith(outcome), f"{name}: {url} is {state} ({detail})")
    assert complaints == []
