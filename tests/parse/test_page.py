import subprocess
import sys

import pytest

from scraper.errors import ParseError
from scraper.parse import Page, looks_like_html, wanted
from scraper.parse.plain import plain


@pytest.mark.parametrize(
    ("content_type", "answer"),
    [
        *[(html, True) for html in ("text/html", "application/xhtml+xml", "")],
        *[(json, True) for json in ("application/json", "text/json", "application/ld+json")],
        *[(other, False) for other in ("text/plain", "image/png", "application/jsonp", "image/json")],
    ],
)
def test_wanted(content_type, answer):
    """HTML, XHTML and JSON are pages, and what has no type may be one."""
    assert wanted(content_type) is answer


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        pytest.param(b"<!DOCTYPE html><p>", True, id="doctype"),
        pytest.param(b"\xef\xbb\xbf \n<html>", True, id="mark-and-space"),
        pytest.param("\ufeff<html>".encode("utf-16-le"), True, id="utf-16"),
        pytest.param(b"<!-- x --><p>", True, id="comment"),
        pytest.param(b"<p>x", True, id="tag"),
        pytest.param(b"<?xml version='1.0'?>\n<html xmlns='x'>", True, id="xhtml"),
        pytest.param(b"<?xml version='1.0'?><rss>", False, id="xml"),
        pytest.param(b"<rss><channel>", False, id="rss"),
        pytest.param(b"<urlset>", False, id="sitemap"),
        pytest.param(b"<svg xmlns='x'>", False, id="svg"),
        pytest.param(b"User-agent: *\n<p>", False, id="text"),
        pytest.param(b'{"a": "<p>"}', False, id="json"),
        pytest.param(b"\x89PNG\r\n<p>", False, id="image"),
        pytest.param(b"1 < 2", False, id="less-than"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_looks_like_html(body, answer):
    """A body of unknown type is taken for a page if it begins as one."""
    assert looks_like_html(body) is answer


def test_page():
    """An extractor sees the URL, the status, the headers, the tree, and what was read from it."""
    page = Page(
        "http://a.test/",
        "<html lang=en><title>t</title><meta name=description content=d><p class=x>y <a href=z>w</a>",
        status=203,
        headers=[("x-a", "1"), ("x-a", "2")],
    )
    assert (page.url, page.status, page.headers["x-a"]) == ("http://a.test/", 203, "1, 2")
    assert (page.title, page.description, page.lang, page.text) == ("t", "d", "en", "y w")
    assert [tag.name for tag in page.select("p.x > a")] == ["a"]
    assert [link.url for link in page.links] == ["http://a.test/z"]
    assert page.soup is page.soup


DESCRIBED = """<!doctype html><html lang=en><head><title>t</title><base href=/b/><link rel=canonical href=c>
<link rel=alternate hreflang=de href=de><link rel=alternate type=application/rss+xml href=rss title=News>
<meta name=author content=A><meta property=og:image content=i.png>
<script type=application/ld+json>[{"@type": "Book", "name": "B",}, {"@graph": [{}]}]</script>
<script type="application/ld+json">{"a": </script></head>
<body itemscope itemtype=http://s.test/Book><h1 itemprop=name>B</h1></body></html>"""


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_described(builder):
    """An extractor sees what a page says of itself for machines, as plain values that fit into a record."""
    page = Page("http://a.test/", DESCRIBED, builder=builder)
    assert page.canonical == "http://a.test/b/c"
    assert page.hreflang == {"de": "http://a.test/b/de"}
    assert page.feeds == [{"url": "http://a.test/b/rss", "title": "News", "type": "application/rss+xml"}]
    assert page.meta == {"author": "A", "og:image": "i.png"}
    assert page.open_graph == {"og:image": "http://a.test/b/i.png"}
    assert page.json_ld == [{"@type": "Book", "name": "B"}, {"@graph": [{}]}]
    assert page.bad_json_ld == 1
    assert page.microdata == [{"type": ["http://s.test/Book"], "properties": {"name": ["B"]}}]
    everything = [page.canonical, page.hreflang, page.feeds, page.meta, page.open_graph, page.json_ld, page.microdata]
    assert plain(everything) == everything
    assert ("soup" in vars(page)) is (builder != "turbo")


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_headings_and_base(builder):
    """An extractor sees the headings, and the URL that relative URLs are relative to."""
    page = Page("http://a.test/d/", "<base href=/e/f><h1>a <i>b</i></h1><p>x</p><h2>c</h2>", builder=builder)
    assert page.headings == ((1, "a b"), (2, "c"))
    assert page.base == "http://a.test/e/f"
    assert Page("http://a.test/d/", "<base href=data:x>", builder=builder).base == "http://a.test/d/"


def test_json():
    """A JSON document is a page whose text is the document, and whose tree is empty."""
    text = '{"a": [1, "<p><a href=x>y</a>"]}'
    page = Page("http://a.test/", text, headers=[("content-type", "application/json; charset=utf-8")])
    assert page.is_json
    assert page.json() == {"a": [1, "<p><a href=x>y</a>"]}
    assert (page.text, page.links, page.title) == (text, (), None)
    assert (page.headings, page.base) == ((), "http://a.test/")
    assert (page.canonical, page.meta, page.open_graph, page.hreflang) == (None, {}, {}, {})
    assert (page.json_ld, page.bad_json_ld, page.microdata, page.feeds) == ([], 0, [], [])
    assert page.select("p") == []


@pytest.mark.parametrize("text", ["", "{", "<p>", "[" * 200_000], ids=["empty", "cut", "html", "deep"])
def test_no_json(text):
    """What is no JSON, or nested too deep to be read, is told as the page's fault."""
    with pytest.raises(ParseError, match="not JSON"):
        Page("http://a.test/", text).json()


def test_light_import():
    """Who only imports the package loads neither bs4 nor pebble, so that the command line starts fast."""
    code = "import sys, scraper.parse; print(sorted({'bs4', 'lxml', 'pebble', 'turbohtml'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
