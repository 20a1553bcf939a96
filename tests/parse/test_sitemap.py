"""Sitemaps and feeds: what is one, and what it names. Rows C8, C9 and B2, goal G12."""

import gzip
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.config import ParseConfig
from scraper.model import Entry, Kind, Listing, Response
from scraper.parse import Workers, job, listing_xml, sitemap, unpacked
from scraper.parse import listing as found_in_listing
from scraper.parse.sitemap import as_listing, plain, read_listing
from scraper.scope import Patterns

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the public sitemaps are not beside the checkout")

URL = "https://a.test/maps/sitemap.xml"
DAY = datetime(2024, 2, 29, tzinfo=UTC).timestamp()
MEBIBYTE = 1 << 20


def read(body, content_type="", **options):
    """Read a listing at URL."""
    return read_listing(body if isinstance(body, bytes) else body.encode(), URL, content_type, **options)


def urls(body, content_type="text/xml"):
    """The URLs that a listing names, short where they are on its own host; None if it is no listing."""
    listing = read(body, content_type)
    return listing and [entry.url.removeprefix("https://a.test/") for entry in listing.entries]


def urlset(*inside):
    """A sitemap of entries, each given as what stands in its `<url>`."""
    return "<urlset>" + "".join(f"<url>{one}</url>" for one in inside) + "</urlset>"


def rss(*inside, channel=""):
    """A feed of items."""
    return f"<rss><channel>{channel}" + "".join(f"<item>{one}</item>" for one in inside) + "</channel></rss>"


def atom(*inside, top=""):
    """An Atom feed of entries."""
    return f"<feed>{top}" + "".join(f"<entry>{one}</entry>" for one in inside) + "</feed>"


COUNTS = {
    "sitemaps/sitemap.ns.xml": 2,
    "sitemaps/sitemap.badns.xml": 2,
    "sitemaps/sitemap.index.xml": 15,
    "sitemaps/xmlSitemap.gz": 5,
    "sitemaps/sitemap.txt": 2,
    "sitemaps/sitemap-with-bom.txt": 2,
    "sitemaps/sitemap.txt.gz": 5,
    "sitemaps/atom.xml": 1,
    "sitemaps/do-not-visit.txt": 1,
    "sitemaps/extension/sitemap-images.xml": 1,
    "sitemaps/extension/sitemap-videos.xml": 3,
    "sitemaps/extension/sitemap-videos-tvshow.xml": 1,
    "sitemaps/extension/sitemap-news.xml": 2,
    "sitemaps/extension/sitemap-mobile.xml": 3,
    "sitemaps/extension/sitemap-links.xml": 3,
    "sitemaps/extension/pagemaps-sitemap.xml": 2,
    "rss/feed.rss": 4,
    "rss/xmlRss_pubDate.xml": 7,
}


@needs_shared
@pytest.mark.parametrize(("name", "count"), COUNTS.items(), ids=COUNTS)
def test_public_files(name, count):
    """Of each public sitemap and feed all URLs are found, and none that is no page (needs ../shared/data)."""
    listing = read((SHARED / name).read_bytes())
    assert (len(listing.entries), listing.bad, listing.beyond, listing.note) == (count, 0, 0, None)
    assert not any(part in entry.url for entry in listing.entries for part in (".jpg", ".mp4", ".flv", ".swf", "/edit"))
    kind = Kind.SITEMAP if "index" in name else Kind.PAGE
    assert {entry.kind for entry in listing.entries} == {kind}


@needs_shared
def test_public_dates():
    """The dates of the public feed are read, whole or not, and of those in the sitemap each (needs ../shared/data)."""
    feed = read((SHARED / "rss/xmlRss_pubDate.xml").read_bytes())
    start = datetime(2017, 1, 5, 12, 34, 51, tzinfo=UTC).timestamp()
    assert [entry.lastmod for entry in feed.entries] == [*(start + at for at in range(4)), start + 3604, None, None]
    (entry,) = read((SHARED / "sitemaps/atom.xml").read_bytes()).entries
    assert entry == ("http://example.org/2003/12/13/atom03.html", 1071340202.0, Kind.PAGE)
    dated = [entry.lastmod is not None for entry in read((SHARED / "sitemaps/xmlSitemap.gz").read_bytes()).entries]
    assert dated == [True, False, True, True, True]


def test_sitemap():
    """A sitemap's entries are canonical and distinct, in its order, with the moment of the last change."""
    body = urlset(
        "<loc>\n https://A.test:443/x/../1#top </loc><lastmod>2024-02-29</lastmod>",
        "<lastmod>yesterday</lastmod><loc>/2?a=1&amp;b=2</loc><priority>0.5</priority>",
        "<loc>3</loc><changefreq>daily</changefreq>",
        "<loc>https://a.test/1</loc>",
        "<loc>ftp://a.test/4</loc>",
        "<loc>http://[/5</loc>",
        "<loc></loc>",
        "",
    )
    entries = (
        Entry("https://a.test/1", DAY),
        Entry("https://a.test/2?a=1&b=2"),
        Entry("https://a.test/maps/3"),
    )
    assert read(body) == Listing(Kind.SITEMAP, entries, bad=4)


def test_index():
    """What a sitemap index names are sitemaps, with `<loc>` or without; pages beside them are pages."""
    body = (
        "<sitemapindex><sitemap><loc>/1.xml</loc><lastmod>2024-02-29</lastmod></sitemap>"
        "<sitemap>\n/2.xml?a&amp;b\n<lastmod>2024-02-29</lastmod> </sitemap><url><loc>/3</loc></url></sitemapindex>"
    )
    assert read(body).entries == (
        Entry("https://a.test/1.xml", DAY, Kind.SITEMAP),
        Entry("https://a.test/2.xml?a&b", DAY, Kind.SITEMAP),
        Entry("https://a.test/3"),
    )


def test_alternates():
    """Other languages of a page are pages; what its own entry says of one is kept, wherever it stands."""
    link = '<xhtml:link rel="alternate" hreflang="de" href="/de"/><xhtml:link rel="canonical" href="/c"/>'
    body = urlset(f"<loc>/en</loc>{link}<lastmod>2023</lastmod>", "<loc>/de</loc><lastmod>2024-02-29</lastmod>")
    assert [entry.url for entry in read(body).entries] == ["https://a.test/en", "https://a.test/de"]
    assert read(body).entries[1].lastmod == DAY


NO_PAGES = {
    "images": "<image:image><image:loc>/i.jpg</image:loc><image:license>/l</image:license></image:image>",
    "images without a prefix": "<image><loc>/i.jpg</loc></image>",
    "an image out of place": "<image:loc>/i.jpg</image:loc>",
    "videos": "<v:video><v:player_loc>/p</v:player_loc><v:content_loc>/v</v:content_loc><loc>/l</loc></v:video>",
    "styles": '<xhtml:link rel="stylesheet" href="/s"/>',
}


@pytest.mark.parametrize("inside", NO_PAGES.values(), ids=NO_PAGES)
def test_no_pages(inside):
    """Images, videos, players and thumbnails are no pages, before the page's own URL or after it."""
    assert urls(urlset(f"{inside}<loc>/1</loc>", f"<loc>/2</loc>{inside}")) == ["1", "2"]


ITEMS = {
    "link": ("<title>t</title><link>/1</link>", "1"),
    "link before guid": ("<guid>https://a.test/2</guid><link>/1</link>", "1"),
    "guid": ("<guid>https://a.test/2</guid>", "2"),
    "empty link": ('<link/><guid isPermaLink="true">https://a.test/2</guid>', "2"),
    "guid that says no": ('<guid isPermaLink="false">https://a.test/2</guid>', "2"),
    "atom link": ('<atom:link rel="self" href="/s"/><atom:link href="/1"/>', "1"),
    "cdata": ("<link><![CDATA[/1?a&b]]></link>", "1?a&b"),
    "cdata in part": ("<link>/1?<![CDATA[a&b]]></link>", "1?a&b"),
    "comment": ("<link>/1<!-- 2 -->3</link>", "13"),
    "others": ('<link>/1</link><comments>/c</comments><enclosure url="/e"/><source url="/s">s</source>', "1"),
    "media": ("<media:group><link>/m</link></media:group><link>/1</link>", "1"),
    "markup not escaped": ("<description><p><br>a <link>/d</link><img src='/i'></description><link>/1</link>", "1"),
}


@pytest.mark.parametrize(("inside", "url"), ITEMS.values(), ids=ITEMS)
def test_rss(inside, url):
    """An item of RSS leads to its link, or else to its guid."""
    assert urls(rss(inside, channel="<link>/home</link><image><link>/i</link></image>")) == [url]


def test_rss_without_urls():
    """An item may have no URL; a guid that is to be one and is none is bad; nothing is made up of it."""
    listing = read(rss("<title>t</title>", '<guid isPermaLink="false">7bd2</guid>', "<guid>7bd2</guid>"))
    assert (listing.kind, listing.entries, listing.bad) == (Kind.FEED, (), 1)


def test_rss_1():
    """RSS 1.0 is a feed, whose items stand beside the channel; other things written in RDF are none."""
    body = (
        '<rdf:RDF xmlns="http://purl.org/rss/1.0/"><channel rdf:about="/c"><link>/c</link></channel>'
        "<item><link>/1</link><dc:date>2024-02-29</dc:date></item></rdf:RDF>"
    )
    assert read(body) == Listing(Kind.FEED, (Entry("https://a.test/1", DAY),))
    assert read("<rdf:RDF><foaf:Person/></rdf:RDF>") is None


LINKS = {
    "no rel": ('<link href="/1"/>', ["1"]),
    "alternate": ('<link rel="self" href="/s"/><link rel="alternate" href="/1"/>', ["1"]),
    "html first": ('<link href="/0"/><link rel="alternate" type="text/html" href="/1"/>', ["1"]),
    "json last": ('<link type="application/json" href="/0"/><link type="text/html; charset=x" href="/1"/>', ["1"]),
    "another": ('<link rel="edit" href="/e"/><link rel="related" href="/1"/>', ["1"]),
    "no page": ('<link rel="self" href="/s"/><link rel="enclosure" href="/e"/><link rel="edit" href="/f"/>', []),
    "inside a source": ('<source><link href="/s"/></source><link href="/1"/>', ["1"]),
    "inside content": ('<content type="xhtml"><div><link href="/c"/></div></content><link href="/1"/>', ["1"]),
    "its base": ('<link href="1" xml:base="/b/"/>', ["b/1"]),
    "an end tag": ('<link href="/1"></link>', ["1"]),
    "no quotes": ("<link rel=alternate href=/1/>", ["1/"]),
}


@pytest.mark.parametrize(("inside", "found"), LINKS.values(), ids=LINKS)
def test_atom(inside, found):
    """An entry of Atom leads to its page, in HTML if there is a choice, and not to itself, its editor or a file."""
    assert urls(atom(inside, top='<link rel="self" href="/feed"/><link href="/home"/>')) == found


def test_bases():
    """`xml:base` counts in a feed, that of an entry within that of the root; one that is no URL does not."""
    body = '<feed xml:base="https://b.test/x/"><entry><link href="1"/></entry><entry xml:base="y/"><link href="2"/>'
    assert urls(body + "</entry></feed>") == ["https://b.test/x/1", "https://b.test/x/y/2"]
    assert urls('<feed xml:base="mailto:x"><entry><link href="/1"/></entry></feed>') == ["1"]


def test_dates():
    """A feed's entry changed when it was updated, or else when it was published."""
    both = "<published>2020</published><updated>2024-02-29T00:00:00Z</updated>"
    body = atom(f"<link href='/1'/>{both}", "<link href='/2'/><published>2024-02-29</published><updated>?</updated>")
    assert [entry.lastmod for entry in read(body).entries] == [DAY, DAY]
    body = rss("<link>/1</link><pubDate>Thu, 29 Feb 2024 00:00:00 GMT</pubDate>", "<pubDate/><link>/2</link>")
    assert [entry.lastmod for entry in read(body).entries] == [DAY, None]


@pytest.mark.parametrize("body", [
    atom("<link href='/1'/>", top='<link rel="next" href="/feed?page=2"/>'),
    rss("<link>/1</link>", channel='<atom:link rel="next" href="/feed?page=2"/>'),
], ids=["atom", "rss"])  # fmt: skip
def test_next(body):
    """The next part of a feed is a feed (RFC 5005)."""
    feed = Entry("https://a.test/feed?page=2", None, Kind.FEED)
    assert read(body) == Listing(Kind.FEED, (feed, Entry("https://a.test/1")))


TEXT = "\n# ours\nhttps://a.test/1\r\n\n  HTTPS://a.test/2#x \rhttps://a.test/1\nsome words\nhttp://[/\nftp://a.test/\n"


def test_text():
    """A text is a listing if its first line is a URL; blank lines and comments are skipped, bad lines counted."""
    entries = (Entry("https://a.test/1"), Entry("https://a.test/2"))
    assert read(TEXT, "text/plain; charset=utf-8") == Listing(Kind.SITEMAP, entries, bad=3)


@pytest.mark.parametrize(("body", "content_type", "is_listing"), [
    (TEXT, "", True),
    (TEXT, "Text/Plain", True),
    (TEXT, "application/octet-stream", True),
    (TEXT, "text/html", False),
    (TEXT, "application/json", False),
    (gzip.compress(TEXT.encode(), mtime=0), "text/html", True),
    (gzip.compress(TEXT.encode(), mtime=0), "application/gzip", True),
    ("https://a.test/ is a site\nhttps://a.test/1", "text/plain", False),
    ("see https://a.test/", "text/plain", False),
    ("http://[/\nhttps://a.test/1", "text/plain", False),
    ("# only words", "text/plain", False),
    ("", "text/plain", False),
    (gzip.compress(b"", mtime=0), "text/plain", False),
    ("\x00" * 100, "application/octet-stream", False),
])  # fmt: skip
def test_text_is_told_by_its_first_line(body, content_type, is_listing):
    """Only a plain text, or a gzip file, whose first line is a URL and nothing else is a list of URLs."""
    assert (read(body, content_type) is not None) == is_listing


PAGES = {
    "html": "<!DOCTYPE html><html><body><a href=/1>1</a><urlset><url><loc>/2</loc></url></urlset></body></html>",
    "xhtml": '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><link rel="next" href="/2"/></html>',
    "a comment first": "<!-- <urlset> --><html></html>",
    "other xml": "<catalog><url><loc>/1</loc></url></catalog>",
    "no root": "<!-- x -->",
    "a bracket": "<",
    "json": '{"urlset": []}',
    "words before it": "Warning: in line 1 <urlset><url><loc>/1</loc></url></urlset>",
}


@pytest.mark.parametrize("content_type", ["text/html", "application/xml", "text/plain", ""])
@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES)
def test_pages_are_no_listings(body, content_type):
    """What is neither sitemap nor feed is none, whatever it is called."""
    assert read(body, content_type) is None
    assert read(gzip.compress(body.encode()), content_type) is None


XML = urlset("<loc>/é</loc>", "<loc>/2</loc>")
ENCODED = {
    "blanks": b" \n\t" + XML.encode(),
    "many blanks": b" " * 200_000 + XML.encode(),
    "utf-8": XML.encode("utf-8-sig"),
    "utf-16": XML.encode("utf-16"),
    "utf-16 big end": b"\xfe\xff" + XML.encode("utf-16-be"),
    "utf-16 without mark": XML.encode("utf-16-le"),
    "latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?>' + XML.encode("latin-1"),
    "koi8-u by a mark": '\ufeff<?xml version="1.0" encoding="koi8-u"?>'.encode() + XML.encode(),
    "said to be utf-16": b'<?xml version="1.0" encoding="utf-16"?>' + XML.encode(),
    "unknown": b"<?xml version='1.0' encoding='klingon'?>" + XML.encode(),
    "two declarations": b'<?xml version="1.0"?>\n<?xml version="1.0"?>' + XML.encode(),
    "gzip": gzip.compress(XML.encode()),
    "members": gzip.compress(XML[:30].encode()) + gzip.compress(b"") + gzip.compress(XML[30:].encode()) + b"\0" * 9,
}


@pytest.mark.parametrize("body", ENCODED.values(), ids=ENCODED)
def test_encodings(body):
    """Marks and declarations tell the encoding; gzip is known by its first bytes."""
    assert urls(body, "text/html") == ["%C3%A9", "2"]


def test_bad_bytes():
    """A URL with bytes that its encoding lacks is bad: it would be another URL; what comes after it is read."""
    listing = read(urlset("<loc>/\xe9</loc>", "<loc>/2</loc>").encode("latin-1"))
    assert ([entry.url for entry in listing.entries], listing.bad) == (["https://a.test/2"], 1)
    assert read(b"https://a.test/1\nhttps://a.test/\xe9", "text/plain").bad == 1


BROKEN = {
    "a bare ampersand": ("<urlset><url><loc>/1?a=1&b=2&copy=3</loc></url></urlset>", ["1?a=1&b=2&copy=3"], 0),
    "an unknown entity": (urlset("<loc>/1&eacute;</loc>", "<loc>/2</loc>"), ["2"], 1),
    "loc not ended": ("<urlset><url><loc>/1</url><url><loc>/2<lastmod>2024</lastmod></url></urlset>", ["1", "2"], 0),
    "url not ended": ("<urlset>" + "<url><loc>/1</loc><url><loc>/2</loc>" * 600 + "</urlset>", ["1", "2"], 0),
    "nothing ended": ("<urlset><url><loc>/1<url><loc>/2<url></urlset>", ["1", "2"], 1),
    "stray ends": ("<urlset></x></url></urlset></loc><url><loc>/1</loc></x></url></urlset>", ["1"], 0),
    "after the root": (urlset("<loc>/1</loc>") + "junk <b>" + urlset("<loc>/2</loc>"), ["1", "2"], 0),
    "a bare bracket": ("<urlset><url><loc>/1</loc><x>1 < 2</x></url><url><loc>/2</loc></url></urlset>", ["1", "2"], 0),
    "no quotes": ("<urlset a=b c><url d=e><loc f=g>/1</loc></url></urlset>", ["1"], 0),
    "no name space": ("<s:urlset><s:url><s:loc>/1</s:loc></s:url></s:urlset>", ["1"], 0),
    "upper case": ("<URLSET><URL><LOC>/1</LOC></URL></URLSET>", ["1"], 0),
    "two locs": (urlset("<loc>/1</loc><loc>/2</loc>"), ["1", "2"], 0),
    "control characters": ("<urlset><url><loc>/1\x00\x01</loc></url></urlset>", ["1"], 0),
    "a long comment": (urlset("<!-- " + "x<" * 99_999 + " ---><loc>/1</loc>"), ["1"], 0),
    "a long text": (urlset("<loc>/" + "x" * 99_999 + "</loc>", "<loc>/2</loc>"), ["2"], 1),
    "a deep nest": (urlset("<x>" * 3000 + "<loc>/0</loc>" + "</x>" * 3000 + "<y/>", "<loc>/2</loc>"), ["2"], 1),
}


@pytest.mark.parametrize(("body", "found", "bad"), BROKEN.values(), ids=BROKEN)
def test_broken(body, found, bad):
    """Broken XML is read all the same: a fault costs at most the entry it is in."""
    assert urls(body) == found
    assert (read(body).bad, read(body).note) == (bad, None)


@pytest.mark.parametrize(("cut", "found", "bad"), [
    ("<urlset><url><loc>/1</loc></url><url><loc>/2</loc><lastmod>2024-0", ["1", "2"], 0),
    ("<urlset><url><loc>/1</loc></url><url><loc>/2", ["1"], 1),
    ("<urlset><url><loc>/1</loc></url><url><lo", ["1"], 0),
    ("<urlset><url><loc>/1</loc></url></ur", ["1"], 0),
    ("<rss><channel><item><link>/1</link><guid>https://a.te", ["1"], 0),
    ("<feed><entry><link href='/1'/><title>t", ["1"], 0),
], ids=ascii)  # fmt: skip
def test_cut_short(cut, found, bad):
    """What a listing named before it was cut short counts, but not half a URL; the note tells where it ends."""
    listing = read(cut)
    assert ([entry.url.removeprefix("https://a.test/") for entry in listing.entries], listing.bad) == (found, bad)
    assert listing.note.startswith("ends before its <")


def test_gzip_cut_short():
    """Of a gzip file that ends early, or is damaged, what could be read counts, and the note tells what is wrong."""
    lines = "".join(f"https://a.test/{number:06}\n" for number in range(20_000)).encode()
    whole = gzip.compress(lines)
    cut = read(whole[: len(whole) // 2])
    assert 1000 < len(cut.entries) < 20_000
    assert {len(entry.url) for entry in cut.entries} == {21}
    assert cut.note == "gzip: the body ends before its coding does"
    assert len(read(whole[:-4]).entries) == 20_000
    damaged = read(whole[:-8] + b"\0\0\0\0" + whole[-4:])
    assert damaged.note.startswith("gzip: ")
    assert len(damaged.entries) >= 19_999  # zlib keeps the last byte to itself
    damaged = read(whole[:9_000] + b"\xff" * 99 + whole[9_000:])
    assert damaged.note.startswith("gzip: ")
    assert 1000 < len(damaged.entries) < 20_000
    after = read(whole + b"garbage")
    assert (len(after.entries), after.note.startswith("gzip: ")) == (20_000, True)


def test_members_are_bounded(monkeypatch):
    """A gzip file has at most so many members."""
    monkeypatch.setattr(unpacked, "MOST_MEMBERS", 3)
    listing = read(b"".join(gzip.compress(b"https://a.test/%d\n" % number) for number in range(9)))
    assert len(listing.entries) == 3
    assert listing.note == "gzip: over 3 members, the rest is left out"


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_size_is_bounded(monkeypatch, pack):
    """At most so many bytes are read, packed or not, and no URL is half read."""
    lines = "".join(f"https://a.test/{number:06}\n" for number in range(9)).encode()
    monkeypatch.setattr(unpacked, "MOST_BYTES", len(lines))
    assert (len(read(pack(lines)).entries), read(pack(lines)).note) == (9, None)
    monkeypatch.setattr(unpacked, "MOST_BYTES", 22 * 4 - 3)
    listing = read(pack(lines))
    assert (len(listing.entries), listing.note) == (3, "read up to 85 bytes, the rest is left out")


def test_parts_are_bounded(monkeypatch):
    """Of so many tags or lines that they would take for ever only so many are read."""
    monkeypatch.setattr(sitemap, "MOST_PARTS", 9)
    for body in (urlset(*["<loc>/1</loc>"] * 5), "https://a.test/1\n" * 20):
        listing = read(body)
        assert [entry.url for entry in listing.entries] == ["https://a.test/1"]
        assert listing.note == "read up to 9 tags or lines, the rest is left out"
    assert read("https://a.test/1\n" * 8).note is None


def test_limit():
    """No more entries than the limit are kept; those beyond are counted, without those that are written twice."""
    body = urlset(*(f"<loc>https://a.test/{number}</loc>" for number in (1, 2, 1, 3, 4, 2)))
    listing = read(body, limit=2)
    assert ([entry.url[-1] for entry in listing.entries], listing.bad, listing.beyond) == (["1", "2"], 0, 2)
    listing = read("\n".join(f"https://a.test/{number}" for number in range(9)), limit=4)
    assert (len(listing.entries), listing.beyond) == (4, 5)
    assert read(body, limit=4).beyond == 0


def test_bad_ones_are_bounded(monkeypatch):
    """Only so many texts are looked at, whatever they are; those beyond are counted."""
    monkeypatch.setattr(found_in_listing, "MOST_LOOKED_AT", 4)
    listing = read(
        "https://a.test/1\nhttp://[\nhttps://a.test/1\nhttps://A.test/1\nhttp://[\nhttp://[\nhttps://a.test/2"
    )
    assert (len(listing.entries), listing.bad, listing.beyond) == (1, 2, 2)


def test_links_of_one_entry_are_bounded(monkeypatch):
    """An entry names only so many URLs; those beyond are counted."""
    monkeypatch.setattr(listing_xml, "MOST_LINKS", 2)
    listing = read(urlset(*["".join(f"<loc>/{number}</loc>" for number in range(5))]))
    assert (len(listing.entries), listing.beyond) == (2, 3)


LAUGHS = "".join(f'<!ENTITY l{at} "{f"&l{at - 1};" * 10}">' for at in range(1, 30))
SECRET = "http://www.example.com/do-not-visit-here"


@pytest.fixture
def secret(tmp_path):
    """The address of a file that no sitemap may have read."""
    file = tmp_path / "do-not-visit.txt"
    file.write_text(SECRET)
    return file.as_uri()


@pytest.mark.parametrize("subset", [
    f'<!ENTITY l0 "lol">{LAUGHS}<!ENTITY x "&l29;">',
    '<!ENTITY x "https://evil.test/">',
    '<!ENTITY x SYSTEM "{secret}">',
    '<!ENTITY % p SYSTEM "{secret}"> %p; <!ENTITY x "%p;">',
    '<!ENTITY x "&x;">',
], ids=["laughs", "internal", "external", "parameter", "itself"])  # fmt: skip
def test_entities(subset, secret):
    """No entity is read or expanded: a URL with one is bad, and what stands before and after is found."""
    doctype = '<!DOCTYPE urlset SYSTEM "{secret}" [' + subset + "]>"
    body = doctype.replace("{secret}", secret) + urlset(
        "<loc>/1?a&#38;b&amp;c</loc>", "<loc>&x;</loc>", "<loc>/&x;/2</loc>", "<loc>/3</loc>"
    )
    start = time.process_time()
    assert urls(body) == ["1?a&b&c", "3"]
    assert read(body).bad == 2
    assert time.process_time() - start < 1


def test_quadratic_entities():
    """A long entity that is named often costs what its names cost."""
    body = f'<!DOCTYPE u [<!ENTITY x "{"x" * 100_000}">]>' + urlset(
        "<loc>/" + "&x;" * 30_000 + "</loc>", "<loc>/2</loc>"
    )
    tracemalloc.start()
    try:
        assert urls(body) == ["2"]
        assert tracemalloc.get_traced_memory()[1] < 5 * MEBIBYTE
    finally:
        tracemalloc.stop()


def test_inclusions(secret):
    """XInclude and stylesheets include nothing."""
    body = f'<?xml-stylesheet href="{secret}"?><urlset><xi:include href="{secret}" parse="text"/>' + urlset(
        f'<loc>/1</loc><xi:include href="{secret}"/>', f'<loc><xi:include href="{secret}" parse="text"/></loc>'
    )
    assert urls(body + "</urlset>") == ["1"]


def test_bomb():
    """Fifty kilobytes that are fifty megabytes take the memory of a piece, whether they are a listing or not."""
    packed = gzip.compress(b"<urlset>" + b" " * (60 * MEBIBYTE), 1)
    zeros = gzip.compress(bytes(20 * MEBIBYTE), 1)
    tracemalloc.start()
    start = time.process_time()
    try:
        listing = read(packed)
        assert (listing.entries, listing.note) == ((), f"read up to {50 * MEBIBYTE} bytes, the rest is left out")
        assert read(zeros) is None
        assert tracemalloc.get_traced_memory()[1] < 5 * MEBIBYTE
        assert time.process_time() - start < 5
    finally:
        tracemalloc.stop()


HOSTILE = {
    "locs": (b"<urlset><url>", b"<loc>/</loc>"),
    "elements": (b"<urlset><url>", b"<x/>"),
    "nests": (b"<urlset><url>", b"<x>"),
    "items": (b"<rss><channel>", b"<item><link>/</link>"),
    "links": (b"<feed><entry>", b"<link href=/>"),
    "text": (b"<urlset><url><loc>", b"http://a/ "),
    "straight text": (b"<sitemapindex><sitemap>", b"x<y/>"),
    "ends": (b"<urlset><url>" + b"<x>" * 64, b"</y>"),
    "attributes": (b"<feed><entry><link ", b"a='b' "),
    "lines": (b"http://a.test/\n", b"\r\n"),
    "words": (b"http://a.test/\n", b"x\n"),
    "a line": (b"http://a.test/\n", b"x"),
    "dates": (b"<urlset><url>", b"<lastmod>9</lastmod>"),
}


@pytest.mark.parametrize(("opening", "part"), HOSTILE.values(), ids=HOSTILE)
def test_hostile(opening, part):
    """100 KB of whatever are read in no time and kept by nobody."""
    body = opening + part * (100_000 // len(part))
    tracemalloc.start()
    try:
        start = time.process_time()
        assert read(body) is not None
        assert time.process_time() - start < 5  # traced; without that a tenth
        assert tracemalloc.get_traced_memory()[1] < 6 * MEBIBYTE
    finally:
        tracemalloc.stop()


PARTS = [
    *("<urlset>", "<url>", "<loc>", "/1", "</loc>", "</url>", "</urlset>", "<rss>", "<channel>", "<item>", "<link>"),
    *("</link>", "<guid>", "</item>", "<feed>", "<entry>", "<link href='/1'/>", "<sitemap>", "</sitemap>", "<rdf:RDF>"),
    *("<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE [", "]>", "<?xml encoding='", "?>", "&", ";", "<", ">", "\n", "#"),
    *("https://a.test/", "lastmod", "2024", "\ufeff", "\ud800", "xml:base='x:'", " rel=next"),
]


@settings(max_examples=100, deadline=None)
@given(
    st.binary(max_size=300)
    | st.lists(st.sampled_from(PARTS)).map(lambda parts: "".join(parts).encode("utf-8", "replace"))
)
@example(b"\x1f\x8b")
@example(b"\xff\xfe<")
@example(b"<?xml encoding='iso2022_jp'?><urlset>\x1b$B")
def test_any_bytes(body):
    """Whatever the bytes, nothing is raised, and what is found are distinct canonical URLs that cross to the crawl."""
    for content in (body, gzip.compress(body)):
        listing = read(content)
        assert as_listing(plain(listing)) == listing
        found = [] if listing is None else [entry.url for entry in listing.entries]
        assert len(set(found)) == len(found)
        assert all(url.startswith(("http://", "https://")) and "\n" not in url for url in found)


def test_task():
    """A listing is read by a worker's task, which returns plain values; a page is none."""
    index = (
        "<sitemapindex><sitemap><loc>/1</loc></sitemap><url><loc>/2</loc><lastmod>2024</lastmod></url></sitemapindex>"
    )
    headers = (("content-type", "text/plain"),)
    for body in (index, TEXT, atom(), "<html>"):
        response = Response(URL, 200, headers, body.encode())
        kind, values = job.answer(job.asked(response), job.Settings(Patterns()), "list")
        assert kind == "page"
        assert as_listing(values) == read(body, "text/plain")


async def test_workers():
    """A worker process reads a listing; a page is none, and the type counts for a text."""
    async with Workers(ParseConfig(workers=1), Patterns()) as workers:
        response = Response(URL, 200, (("content-type", "text/plain"),), TEXT.encode())
        assert await workers.listing(response) == read(TEXT, "text/plain")
        assert await workers.listing(Response(URL, 200, (("content-type", "text/html"),), TEXT.encode())) is None
