"""Sitemaps and feeds: as seeds, and with --sitemaps those that robots.txt names."""

from __future__ import annotations

import gzip

import pytest

HEAD = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
PRIVATE = ("--allow-private", "127.0.0.0/8")


def urlset(*locations, rest=""):
    """A sitemap of pages."""
    return f"<urlset {HEAD}>" + "".join(f"<url><loc>{url}</loc>{rest}</url>" for url in locations) + "</urlset>"


def index(*locations):
    """A sitemap of sitemaps."""
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in locations)
    return f"<sitemapindex {HEAD}>{entries}</sitemapindex>"


@pytest.fixture
def serve(site):
    """Serve a text or bytes as they are; XML unless said otherwise."""

    def serve(path, content, content_type="application/xml", **headers):
        body = content.encode() if isinstance(content, str) else content
        site.page(path, body=body, headers={"Content-Type": content_type, **headers})

    return serve


@pytest.fixture
def rows(query, site):
    """Path (or URL elsewhere) -> kind, state, reason of every URL; the sums are checked."""

    def rows():
        ((states, discovered),) = query(
            "SELECT (SELECT sum(queued + fetched + redirected + skipped + failed) FROM host), discovered FROM crawl"
        )
        found = query("SELECT url, kind, state, reason FROM urls ORDER BY url")
        assert states == discovered == len(found)
        return {url.removeprefix(site.origin): tuple(row) for url, *row in found}

    return rows


FETCHED = ("page", "fetched", None)


def test_an_index_leads_to_pages(crawl, serve, site, rows, query):
    """`scraper crawl SITEMAP_URL` fetches the pages of all sitemaps of an index, packed or not, at depth 0."""
    serve("/sitemap.xml", index(site.url("/a.xml.gz"), site.url("/b.xml")))
    first = urlset(site.url("/1"), rest="<lastmod>2024-05-06T07:08:09+02:00</lastmod>")
    serve("/a.xml.gz", gzip.compress(first.encode()), "application/gzip")
    serve("/b.xml", urlset(site.url("/2"), site.url("/1")))
    site.page("/1", ["/beyond"])
    site.page("/2")
    ended = crawl("/sitemap.xml")
    assert ended.code == 0, ended.err
    listings = dict.fromkeys(("/a.xml.gz", "/b.xml", "/sitemap.xml"), ("sitemap", "fetched", None))
    assert rows() == {"/1": FETCHED, "/2": FETCHED} | listings
    assert query("SELECT url FROM pages ORDER BY url") == [(site.url("/1"),), (site.url("/2"),)]
    assert query("SELECT depth, lastmod FROM urls WHERE url LIKE '%/1'") == [(0, "2024-05-06T05:08:09.000Z")]
    assert query("SELECT found_on FROM urls WHERE url LIKE '%/2'") == [(site.url("/b.xml"),)]


RSS = """<rss version="2.0"><channel><link>http://elsewhere.example/</link>
<item><link>{0}</link><pubDate>Mon, 06 May 2024 05:08:09 GMT</pubDate></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><entry><link rel="alternate" href="{0}"/>
<updated>2024-05-06T05:08:09Z</updated></entry></feed>"""


@pytest.mark.parametrize(
    ("text", "content_type", "kind", "lastmod"),
    [
        (RSS, "application/rss+xml", "feed", "2024-05-06T05:08:09.000Z"),
        (ATOM, "application/atom+xml", "feed", "2024-05-06T05:08:09.000Z"),
        (RSS, "text/xml; charset=utf-8", "feed", "2024-05-06T05:08:09.000Z"),
        ("{0}\n", "text/plain", "sitemap", None),
        ("\ufeff{0}\r\nnot a URL\r\n", "text/plain", "sitemap", None),
    ],
    ids=["rss", "atom", "rss as xml", "text", "text with a mark and a bad line"],
)
def test_feeds_and_lists_are_seeds(crawl, serve, site, rows, query, text, content_type, kind, lastmod):
    """A feed or a plain list of URLs given as a seed leads to what it names."""
    serve("/list", text.format(site.url("/post")), content_type)
    site.page("/post")
    assert crawl("/list").code == 0
    assert rows() == {"/list": (kind, "fetched", None), "/post": FETCHED}
    assert query("SELECT lastmod FROM urls WHERE kind = 'page'") == [(lastmod,)]


def test_entries_are_judged_like_links(crawl, serve, site, rows):
    """An entry out of scope, excluded, of another scheme's kind or a trap's is a row with its reason, or none."""
    trap = "/a/a/a/a/a/a"
    entries = ("http://elsewhere.example/", site.url("/1"), site.url("/private"), site.url(trap), "ftp://x.example/")
    serve("/sitemap.xml", urlset(*entries))
    site.page("/1")
    ended = crawl("/sitemap.xml", "--exclude", "private", "-v")
    assert rows() == {
        "/1": FETCHED,
        "/private": ("page", "skipped", "scope"),
        trap: ("page", "skipped", "trap"),
        "/sitemap.xml": ("sitemap", "fetched", None),
        "http://elsewhere.example/": ("page", "skipped", "scope"),
    }
    assert "4 URLs; 1 entries that are no URL" in ended.err


@pytest.mark.parametrize(
    "broken",
    [
        urlset("{0}?a=1&b=2").replace("</urlset>", ""),
        "<urlset><url><loc> {0}?a=1&amp;b=2 </loc></url><url><loc>",
        f"<?xml version='1.0' encoding='utf-16'?>{urlset('{0}?a=1&amp;b=2')}",
        f"\n\n<?xml version='1.0'?>{urlset('<![CDATA[{0}?a=1&b=2]]>')}</oops>",
        f"<!DOCTYPE x [<!ENTITY a 'b'>]>{urlset('{0}?a=1&amp;b=2', '{0}&a;')}",
    ],
    ids=["ampersand and no end", "cut off, no namespace", "another encoding", "cdata, blank lines", "entities"],
)
def test_broken_xml_is_read_as_far_as_it_goes(crawl, serve, site, rows, broken):
    """Of a sitemap that is not well-formed every URL that can be read is taken, and no entity is expanded."""
    serve("/sitemap.xml", broken.replace("{0}", site.url("/1")))
    site.page("/1?a=1&b=2")
    assert crawl("/sitemap.xml").code == 0
    assert rows()["/1?a=1&b=2"] == FETCHED
    assert "/1b" not in rows()


def test_sitemaps_that_robots_name(run, serve, site, rows):
    """With --sitemaps all that robots.txt names are asked, relative ones and such on other hosts too, as seeds."""
    elsewhere = site.origin.replace("127.0.0.1", "localhost")
    site.robots(f"Sitemap: /relative.xml\nUser-agent: *\nDisallow: /no\nSitemap: {elsewhere}/other.xml\n")
    serve("/relative.xml", urlset(site.url("/1"), site.url("/no/1")))
    serve("/other.xml", urlset(site.url("/2"), f"{elsewhere}/3"))
    for path in ("/", "/1", "/2", "/3"):
        site.page(path)
    assert run("crawl", site.url("/"), "--sitemaps", "--parse-workers", 0, "--delay", 0, *PRIVATE).code == 0
    got = rows()
    assert {path for path, row in got.items() if row == FETCHED} >= {"/", "/1"}
    assert got["/relative.xml"] == ("sitemap", "fetched", None)
    assert got["/no/1"] == ("page", "skipped", "robots")
    assert got[f"{elsewhere}/other.xml"] == ("sitemap", "fetched", None)
    assert got["/2"] == FETCHED  # on the seed's host
    assert got[f"{elsewhere}/3"] == ("page", "skipped", "scope")


@pytest.mark.parametrize("robots", ["Sitemap: /sitemap.xml", "User-agent: *\nDisallow:", None])
def test_none_is_asked_unless_wanted_and_named(crawl, serve, site, robots):
    """Without --sitemaps, and where robots.txt names none, no sitemap is asked."""
    if robots:
        site.robots(robots)
    site.page("/")
    wanted = () if robots and "Sitemap" in robots else ("--sitemaps",)
    assert crawl("/", *wanted).code == 0
    assert site.paths() == ["/robots.txt", "/"]


def test_sitemaps_need_robots(crawl, site):
    """--sitemaps with --no-robots is refused: where would they be named?"""
    assert "robots.txt" in crawl("/", "--sitemaps", "--no-robots").refused
    assert site.paths() == []


def test_max_pages_counts_pages(crawl, run, serve, site, query):
    """--max-pages counts pages, not sitemaps, exactly and over every resume, which asks no sitemap again."""
    site.robots("Sitemap: /sitemap.xml")
    serve("/sitemap.xml", index(*(site.url(f"/{name}.xml") for name in "abc")))
    for start, name in enumerate("abc"):
        serve(f"/{name}.xml", urlset(*(site.url(f"/{start * 4 + n}") for n in range(4))))
    for n in range(12):
        site.page(f"/{n}")
    crawl("/0", "--sitemaps", "--max-pages", 1, "--concurrency", 8)
    for most, state in ((5, "limited"), (9, "limited"), (99, "finished")):
        assert run("resume", "--max-pages", most, "--delay", 0).code == 0
        assert query("SELECT count(*) FROM pages") == [(min(12, most),)]
        assert query("SELECT state FROM crawls") == [(state,)]
    asked = site.paths()
    assert len(asked) == len(set(asked)) == 1 + 4 + 12
    assert query("SELECT fetched, listings, discovered FROM host, crawl") == [(16, 4, 16)]


@pytest.mark.parametrize(
    ("content", "content_type", "status", "outcome"),
    [
        ("", "text/html", 404, ("failed", "http-4xx")),
        ("<h1>home</h1>", "text/html", 200, ("skipped", "content-type")),
        ("<html><body>no map", "application/xml", 200, ("skipped", "content-type")),
        (b"\x1f\x8b\x08\x00broken", "application/gzip", 200, None),
        (b"", "application/xml", 200, None),
    ],
    ids=["404", "html", "html as xml", "broken gzip", "empty"],
)
def test_what_is_no_sitemap(crawl, site, rows, content, content_type, status, outcome):
    """A sitemap that robots.txt names and that is none, or not there, ends as what it is; the crawl goes on."""
    site.robots("Sitemap: /map")
    body = content.encode() if isinstance(content, str) else content
    site.page("/map", body=body, headers={"Content-Type": content_type}, status=status)
    site.page("/")
    assert crawl("/", "--sitemaps").code == 0
    assert rows()["/"] == FETCHED
    kind, *ended = rows()["/map"]
    assert kind == "sitemap"
    assert tuple(ended) == outcome or (outcome is None and ended[0] != "queued")


def test_a_sitemap_that_has_moved(crawl, serve, site, rows):
    """A sitemap given as a seed, or named by an index, may redirect to where it is now."""
    site.redirect("/sitemap.xml", "/maps/index.xml", status=301)
    serve("/maps/index.xml", index(site.url("/old.xml")))
    site.redirect("/old.xml", "/maps/new.xml")
    serve("/maps/new.xml", urlset(site.url("/1")))
    site.page("/1")
    assert crawl("/sitemap.xml").code == 0
    assert rows() == {
        "/1": FETCHED,
        "/maps/index.xml": ("sitemap", "fetched", None),
        "/maps/new.xml": ("sitemap", "fetched", None),
        "/old.xml": ("sitemap", "redirected", None),
        "/sitemap.xml": ("page", "redirected", None),
    }


def test_a_page_that_looks_like_none(crawl, serve, site, rows):
    """An HTML page given as a seed is a page, whatever its media type has in common with a sitemap's."""
    html = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><title>x</title><body/></html>'
    serve("/page", html, "application/xhtml+xml")
    assert crawl("/page").code == 0
    assert rows() == {"/page": FETCHED}


def test_sitemaps_that_name_each_other(crawl, serve, site, rows):
    """Indexes that name each other and themselves are asked once each."""
    serve("/a.xml", index(site.url("/b.xml"), site.url("/a.xml")))
    serve("/b.xml", index(site.url("/a.xml")))
    assert crawl("/a.xml").code == 0
    assert site.paths() == ["/robots.txt", "/a.xml", "/b.xml"]
    assert set(rows()) == {"/a.xml", "/b.xml"}
