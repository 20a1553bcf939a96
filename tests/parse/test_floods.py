"""Pages, listings and robots.txt made to be too much: bounded in what comes out of them, in time and in memory."""

from __future__ import annotations

import gzip
import itertools
import multiprocessing
import resource
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.model import Response
from scraper.parse import links
from scraper.parse.job import Settings, answer
from scraper.parse.links import MOST_CHARACTERS, MOST_HREFS, MOST_LINKS
from scraper.parse.listing import MOST_CHARACTERS as MOST_LISTED
from scraper.parse.metadata import LONGEST_DESCRIPTION, LONGEST_LANG, LONGEST_TITLE
from scraper.parse.page import Page
from scraper.parse.reader import MOST_HEADINGS
from scraper.parse.sitemap import read_listing
from scraper.parse.walk import walk_html
from scraper.politeness import judge_robots
from scraper.scope import Patterns

URL = "https://example.com/a/b?c=1"
HTML = (("content-type", "text/html"),)
LARGE = 10_000_000  # bytes of a page
LISTED = 50 * 1024 * 1024  # bytes of a listing
LONGEST = 10.0  # seconds of CPU
MEMORY = 1024  # MiB
SETTINGS = Settings(Patterns(), feeds=True)


def times(piece, size=LARGE):
    """A piece as often as it fits."""
    return piece * (size // len(piece))


def numbered(piece, size=LARGE):
    """A piece with a number in it, other each time."""
    pieces = map(piece.__mod__, itertools.count())
    return b"".join(itertools.islice(pieces, size // (len(piece) + 4)))


def script(text):
    """JSON-LD."""
    return b"<script type=application/ld+json>" + text + b"</script>"


def parsed(body):
    """What a worker makes of a page: its fields by name, or why it failed."""
    kind, made = answer((URL, 200, HTML, body), SETTINGS)
    if kind == "failed":
        return made
    title, description, lang, text, _, found, bad = made[2:9]
    return {
        "title": title, "description": description, "lang": lang, "text": text, "links": found, "bad": bad,
        "headings": made[13],
    }  # fmt: skip


def test_links(monkeypatch):
    """Of a page's links so many are kept, four times as many are looked at, and what is beyond is counted unread."""
    assert (MOST_LINKS, MOST_HREFS) == (10_000, 40_000)
    monkeypatch.setattr(links, "MOST_LINKS", 100)
    monkeypatch.setattr(links, "MOST_HREFS", 400)
    looked_at = []
    judge = Patterns(exclude=("/never",)).judge
    html = "".join(f"<a href=/{number}>" for number in range(500))
    monkeypatch.setattr(links, "_target", lambda head, base: looked_at.append(head) or (f"http://e{head}", "", b""))
    found, bad = links.find_links(walk_html(html), URL, judge, nofollow=True)
    assert (len(found), bad, len(looked_at)) == (100, 400, 400)


def test_links_under_a_long_base():
    """Short hrefs under a base of eight kilobytes make no eighty megabytes of links out of a small page."""
    base = b"<base href='https://example.com/" + b"a" * 8000 + b"/'>"
    page = parsed(base + b"".join(b"<a href=%d>" % number for number in range(1500)))
    assert 500 < len(page["links"]) < 1500
    assert sum(len(link[0]) for link in page["links"]) <= MOST_CHARACTERS
    assert len(page["links"]) + page["bad"] == 1500


def test_a_known_link_counts_beyond_the_limits(monkeypatch):
    """What is linked already is no new link, however many there are."""
    monkeypatch.setattr(links, "MOST_LINKS", 100)
    page = parsed(b"".join(b"<a href=/%d>" % number for number in range(100)) + b"<a href=/1><a href=/2>")
    assert (len(page["links"]), page["bad"]) == (100, 0)


def test_headings():
    """Of a page's headings ten thousand are kept; the text of those beyond stays the page's."""
    page = parsed(b"".join(b"<h2>a%d</h2>" % number for number in range(MOST_HEADINGS + 5)))
    assert len(page["headings"]) == MOST_HEADINGS
    assert page["text"].endswith(f"a{MOST_HEADINGS + 4}")


def test_metadata():
    """Title, description and language are cut where no honest one ends."""
    words = b"x" * 100_000
    page = parsed(b"<html lang='%s'><title>%s</title><meta name=description content='%s'>" % (words, words, words))
    lengths = [len(page[name]) for name in ("title", "description", "lang")]
    assert lengths == [LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_LANG]


def test_a_listing_under_a_long_base():
    """Short entries under a long `xml:base` make no hundreds of megabytes of URLs (C9)."""
    entries = b"".join(b"<url><loc>%d</loc></url>" % number for number in range(5000))
    listing = read_listing(b"<urlset xml:base='https://e.com/" + b"a" * 8000 + b"/'>" + entries + b"</urlset>", URL)
    assert sum(len(entry.url) for entry in listing.entries) < MOST_LISTED + 8100
    assert len(listing.entries) + listing.beyond == 5000


LAUGHS = b"".join(b"<!ENTITY l%d '%s'>" % (n, (b"&l%d;" % (n - 1) if n else b"ha") * 10) for n in range(10))
ENTITIES = {
    "billion laughs": (b"<!DOCTYPE a [%s]>" % LAUGHS, b"&l9;"),
    "external": (b"<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>", b"&x;"),
    "external set": (b"<!DOCTYPE a SYSTEM 'file:///etc/hostname'>", b"&x;"),
    "parameter": (b"<!DOCTYPE a [<!ENTITY %% p SYSTEM 'http://127.0.0.1/'> %%p; <!ENTITY x 'y'>]>", b"&x;"),
    "quadratic": (b"<!DOCTYPE a [<!ENTITY x '%s'>]>" % (b"x" * 100_000), b"&x;" * 1000),
}


@pytest.mark.parametrize("name", sorted(ENTITIES))
def test_entities(name):
    """No entity of a listing stands for anything, and what is named without one counts (C8)."""
    declared, used = ENTITIES[name]
    entries = b"<url><loc>https://e.com/%s</loc></url><url><loc>https://e.com/b</loc></url>" % used
    listing = read_listing(declared + b"<urlset>" + entries + b"</urlset>", URL)
    assert [entry.url for entry in listing.entries] == ["https://e.com/b"]
    assert listing.bad == 1


@given(
    st.binary(max_size=2000), st.sampled_from([b"", b"<urlset>", b"\x1f\x8b\x08\0", b"\xff\xfe", b"http://e.com/\n"])
)
def test_any_bytes(data, start):
    """Whatever the bytes, a page is parsed, and a listing is one or none; nothing is raised (B15, C8)."""
    read_listing(start + data, URL, "text/plain")
    assert isinstance(parsed(start + data), dict)


PIECES = [
    *("<a href=", "<h1>", "<base href=//e>", "<title>", "<table>", "<svg>", "<template>", "<b>", "</b>", "<p>", "</p>"),
    *("<meta name=robots content=", "<script type=application/ld+json>", "{", "[", "</script>", "<!--", "&amp;", "\0"),
    *("<div itemscope itemprop=a id=b itemref='b c'>", "<link rel=canonical href=", "'", '"', ">", " ", "\ud800", "x"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.sampled_from([1, 40]))
def test_any_markup(text, often):
    """However markup is put together, all that can be asked of a page is there; nothing is raised (C13)."""
    body = (text * often).encode("utf-8", "surrogatepass")
    assert isinstance(parsed(body), dict)
    page = Page(URL, text * often, patterns=Patterns())
    asked = [page.meta, page.open_graph, page.json_ld, page.microdata, page.feeds, page.hreflang, page.canonical]
    assert len(asked) == 7
    page.close()


LONG_BASE = b"<base href='http://h/" + b"a/" * 4000 + b"'>"
PAGES = {
    "alternates": lambda: numbered(b"<link rel=alternate hreflang=x%d href=/x>"),
    "anchors, areas": lambda: times(b"<a href=/x><area href=/y>"),
    "anchors, nested": lambda: times(b"<a href=/x>text"),
    "attribute": lambda: b"<p class='" + times(b"c") + b"'>",
    "attributes": lambda: b"<p " + numbered(b"a%d=1 ") + b">",
    "attributes of body": lambda: numbered(b"<body a%d=1>"),
    "bases": lambda: numbered(b"<base href='http://h%d/'>"),
    "big5": lambda: b"<meta charset=big5>" + times(b"\x88\x62"),
    "canonicals": lambda: LONG_BASE + numbered(b"<link rel=canonical href=%d>"),
    "carriage returns": lambda: times(b"\r"),
    "comments": lambda: times(b"<!-->"),
    "divs": lambda: times(b"<div>"),
    "end tags": lambda: times(b"</a></b></p>"),
    "entities": lambda: times(b"&amp;"),
    "entities, bare": lambda: times(b"&"),
    "entities, long": lambda: times(b"&CounterClockwiseContourIntegral;"),
    "feeds": lambda: numbered(b"<link rel=alternate type=application/rss+xml href=/%d>"),
    "formatting": lambda: numbered(b"<font color=%d><p>"),
    "formatting, same": lambda: times(b"<b><i><u><p></b></i></u>"),
    "frames": lambda: b"<frameset>" + times(b"<frame src=/x>"),
    "gb18030": lambda: b"<meta charset=gb18030>" + times(b"\x81\x30\x81"),
    "h1": lambda: times(b"<h1>a"),
    "h1, div": lambda: times(b"<h1><div>a"),
    "href": lambda: b"<a href='" + times(b"/../") + b"'>x</a>",
    "hrefs, dotted": lambda: numbered(b"<a href='%d/" + b"../" * 2000 + b"'>"),
    "hrefs, international": lambda: numbered("<a href='http://é%d.ü.com/'>".encode()),
    "hrefs, percent": lambda: numbered(b"<a href='/%d?" + b"%%C3%%A9&" * 300 + b"'>"),
    "hrefs, wrong": lambda: numbered(b"<a href='http://[%d'>"),
    "invalid": lambda: times(b"\xff\xfe\xff"),
    "iso-2022-jp": lambda: b"<meta charset=iso-2022-jp>" + times(b"\x1b$B\x1b(B"),
    "item names": lambda: times(b"<div itemscope><p itemprop='" + numbered(b"n%d ", 200_000) + b"'>x</div>"),
    "item references": lambda: b"<div itemscope itemref='" + numbered(b"i%d ", LARGE // 2) + b"'></div>"
    + numbered(b"<p id=i%d itemprop=a>", LARGE // 2),
    "items": lambda: times(b"<div itemscope itemprop=a id=b itemref=b>"),
    "json": lambda: times(b'{"a":['),
    "json-ld, broken": lambda: times(script(b"{a:'" + b"\\\\'" * 100_000 + b"'}")),
    "json-ld, comments": lambda: times(script(b"/*" * 240_000)),
    "json-ld, deep": lambda: script(times(b"[", LARGE // 2)),
    "json-ld, keys": lambda: script(b"{" + numbered(b'"k%d":1,', LARGE // 2 - 99) + b'"a":1}'),
    "json-ld, many": lambda: numbered(script(b'{"a":%d}')),
    "json-ld, numbers": lambda: script(b"[" + times(b"9" * 200 + b",", LARGE // 2 - 99) + b"1]"),
    "json-ld, one number": lambda: script(b"[" + times(b"9", LARGE // 2 - 99) + b"]"),
    "lang": lambda: b"<html lang='" + times(b"a ") + b"'>",
    "less-than": lambda: times(b"<"),
    "links": lambda: numbered(b"<a href=/%d>a</a>"),
    "links, hosts": lambda: numbered(b"<a href=//h%d.com/>a</a>"),
    "links, long base": lambda: LONG_BASE + numbered(b"<a href=%d>"),
    "marks": lambda: times(b"\x01"),
    "math": lambda: times(b"<math><mi><a href=/x>"),
    "meta, a megabyte": lambda: b"<meta " + times(b"charset", 1_000_000) + b"=x>" + times(b"<p>", LARGE - 1_000_099),
    "nobr": lambda: times(b"<nobr><div>"),
    "nul": lambda: times(b"\0"),
    "open graph": lambda: numbered(b"<meta property=og:image content=/%d>"),
    "open graph, names": lambda: numbered(b"<meta property=og:x%d content=a>"),
    "open graph, one name": lambda: b"<meta property='" + times(b"og:a ", LARGE // 2) + b"' content='"
    + times(b"x", LARGE // 2) + b"'>",
    "pre": lambda: times(b"<pre>\n"),
    "refresh": lambda: b"<meta http-equiv=refresh content='0;url=" + times(b" ") + b"'>",
    "refreshes": lambda: numbered(b"<meta http-equiv=refresh content='0;url=/%d'>"),
    "robots": lambda: b"<meta name=robots content='" + times(b"noindex,") + b"'>",
    "robots, dates": lambda: b"<meta name=robots content='" + times(b"unavailable_after:") + b"'>",
    "robots, names": lambda: b"<meta name=robots content='" + times(b"a:") + b"'>",
    "ruby": lambda: times(b"<ruby><rp><rt>"),
    "script": lambda: b"<script>" + times(b"<!--<script "),
    "select": lambda: times(b"<select><option>a"),
    "surrogates": lambda: times(b"&#xD800;"),
    "svg": lambda: times(b"<svg><title>x"),
    "tables": lambda: times(b"<table><tr><td>"),
    "tables, misplaced": lambda: b"<table>" + times(b"<a href=/x>"),
    "templates": lambda: times(b"<template><a href=/x>"),
    "textarea": lambda: b"<textarea>" + times(b"</texta"),
    "title": lambda: b"<title>" + times(b"word "),
    "titles": lambda: times(b"<title> </title>"),
    "utf-16": lambda: b"\xff\xfe" + times(b"<\0a\0>\0"),
    "white space": lambda: times(b" \n"),
}  # fmt: skip
URLSET = b"<urlset>"
LISTINGS = {
    "amp": lambda: URLSET + b"<url><loc>" + times(b"&", LISTED),
    "atom": lambda: b"<feed>" + numbered(b"<entry><link href='http://e.com/%d'/></entry>", LISTED),
    "attribute": lambda: URLSET + b"<url a='" + times(b"x", LISTED) + b"'>",
    "attributes": lambda: URLSET + times(b"<url " + b"a='1' " * 2700 + b" base=''>", LISTED),
    "cdata": lambda: URLSET + b"<url><loc>" + times(b"<![CDATA[]]>", LISTED),
    "comments": lambda: URLSET + times(b"<!---->", LISTED),
    "dates": lambda: URLSET + times(b"<url><loc>/</loc><lastmod>" + b"9" * 300 + b"</lastmod></url>", LISTED),
    "deep": lambda: URLSET + b"<url>" + times(b"<a>", LISTED),
    "doctype": lambda: b"<!DOCTYPE a [" + times(b"] ", LISTED),
    "dots": lambda: URLSET + times(b"<url><loc>http://e.com/" + b"a/../" * 1500 + b"</loc></url>", LISTED),
    "entity": lambda: URLSET + b"<url><loc>http://e.com/" + times(b"&a;", LISTED) + b"</loc></url>",
    "gzip in gzip": lambda: gzip.compress(gzip.compress(bytes(LISTED * 4), 1)),
    "gzip, members": lambda: gzip.compress(b"") * 50_000,
    "gzip, nothing": lambda: gzip.compress(b"")[:10] + times(b"\0\0\0\xff\xff", LISTED),
    "gzip, zeros": lambda: gzip.compress(bytes(LISTED * 4)),
    "hosts": lambda: URLSET + numbered(b"<url><loc>http://e%d.com/</loc></url>", LISTED),
    "index": lambda: b"<sitemapindex>" + numbered(b"<sitemap><loc>http://e.com/%d.xml</loc></sitemap>", LISTED),
    "international": lambda: URLSET + numbered("<url><loc>http://é%d.com/ü</loc></url>".encode(), LISTED),
    "less-than": lambda: URLSET + times(b"<", LISTED),
    "lines": lambda: numbered(b"http://e.com/%d\n", LISTED),
    "lines, empty": lambda: b"http://e.com/\n" + times(b"\n", LISTED),
    "locations": lambda: URLSET + b"<url>" + times(b"<loc>x", LISTED),
    "long base": lambda: b"<urlset xml:base='http://e.com/" + b"a" * 8000 + b"/'>"
    + numbered(b"<url><loc>%d</loc></url>", LISTED),
    "million": lambda: URLSET + numbered(b"<url><loc>http://e.com/%d</loc></url>", LISTED),
    "names": lambda: URLSET + numbered(b"<url><n%d>", LISTED),
    "quotes": lambda: URLSET + b"<url a='" + times(b"<b ", LISTED),
    "urls": lambda: URLSET + times(b"<url>", LISTED),
    "utf-16": lambda: b"\xff\xfe" + times("<url><loc>http://e.com/</loc></url>".encode("utf-16-le"), LISTED),
    "white space": lambda: times(b" ", LISTED),
}  # fmt: skip
ROBOTS = {
    "a*a*a": lambda: b"User-agent: *\nDisallow: /" + times(b"*a", 480_000) + b"b\n",
    "agents": lambda: numbered(b"User-agent: a%d\n", 500_000) + b"Disallow: /",
    "anchored": lambda: b"User-agent: *\n" + numbered(b"Disallow:*%d$\n", 500_000),
    "bom": lambda: b"\xef\xbb\xbf" * 160_000,
    "carriage returns": lambda: b"\r" * 500_000,
    "delay": lambda: b"User-agent: *\nCrawl-delay: " + b"9" * 490_000,
    "long": lambda: b"User-agent: *\nDisallow: /" + b"a" * 490_000,
    "nul": lambda: b"\0" * 500_000,
    "percent": lambda: b"User-agent: *\nDisallow: /" + b"%41" * 150_000,
    "rules": lambda: b"User-agent: *\n" + numbered(b"Disallow: /%d\n", 500_000),
    "same beginnings": lambda: b"User-agent: *\n" + numbered(b"Disallow:*" + b"a" * 60 + b"b%d\n", 500_000),
    "sitemaps": lambda: numbered(b"Sitemap: http://e%d.com/a\n", 500_000),
    "stars": lambda: b"User-agent: *\nDisallow: /" + b"*" * 480_000 + b"b$\n",
    "wild": lambda: b"User-agent: *\n" + numbered(b"Disallow: /*a%d*a\n", 500_000),
}
JUDGED = ["https://e.com/" + path for path in ("x", "a" * 8000, "a" * 60 + "?" + "a=1&" * 1900, "%41" * 2700)]


def page_of(body):
    """Whatever a worker, and who writes an extractor, may ask of a page."""
    parsed(body)
    page = Page(URL, body.decode("utf-8", "replace"), patterns=Patterns())
    return page.open_graph, page.json_ld, page.microdata, page.feeds, page.hreflang, page.canonical


def robots_of(body):
    """The rules of a robots.txt, and what they say."""
    robots = judge_robots(Response(URL, 200, (), body), agent="scraper", now=0, expiry=1)
    return [robots.allows(url) for url in JUDGED]


FLOODS = {
    **{f"page: {name}": (make, page_of) for name, make in PAGES.items()},
    **{f"listing: {name}": (make, lambda body: read_listing(body, URL)) for name, make in LISTINGS.items()},
    **{f"robots.txt: {name}": (make, robots_of) for name, make in ROBOTS.items()},
}


def taken(name, told):
    """Read one flood in a process of its own; tell seconds of CPU, MiB, and what went wrong."""
    make, read = FLOODS[name]
    body = make()
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    began, failed = time.process_time(), ""
    try:
        read(body)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
        failed = repr(error)[:200]
    took = time.process_time() - began
    told.send((took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, failed))


@pytest.mark.heavy
@pytest.mark.timeout(3000)
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has another unit elsewhere")
def test_floods(goal):
    """A page of ten megabytes, a listing of fifty, a robots.txt of half a one: each in ten seconds and a gibibyte."""
    forking, worst = multiprocessing.get_context("fork"), []
    with goal("G13", f"{len(FLOODS)} floods: within {LONGEST:g} s of CPU and {MEMORY} MiB, nothing raised") as tries:
        for name in sorted(FLOODS):
            told, tell = forking.Pipe(duplex=False)
            process = forking.Process(target=taken, args=(name, tell))
            process.start()
            tell.close()
            try:
                took, memory, failed = told.recv()
            except EOFError:
                took, memory, failed = 60.0, 0, "died"
            process.join()
            worst.append((round(took, 1), memory, name))
            tries.check(
                took <= LONGEST and memory <= MEMORY and not failed, f"{name}: {took:.1f} s, {memory} MiB {failed}"
            )
    for most in (max(worst), max(worst, key=lambda one: one[1])):
        print("worst: {} s, {} MiB: {}".format(*most))  # noqa: T201
