import pytest

from scraper.parse import Page
from scraper.parse.metadata import MOST_VALUES


@pytest.mark.parametrize(
    ("html", "title"),
    [
        pytest.param("<title> a\n b </title><title>c</title>", "a b", id="first-collapsed"),
        pytest.param("<svg><title>x</title></svg><title>y</title>", "y", id="not-of-a-drawing"),
        pytest.param("<title> &nbsp;</title><title>b</title><title>c</title>", "b", id="first-with-text"),
        pytest.param("<body><p>x<title>b</title>", "b", id="in-body"),
        pytest.param("<title>a<b>c</b><!-- d --></title>", "a<b>c</b><!-- d -->", id="tags-are-text"),
        pytest.param("<template><title>x</title></template>", None, id="not-of-a-template"),
        pytest.param("<meta name=twitter:title property=og:title content=o>", "o", id="open-graph-beside-a-name"),
        pytest.param("<title>a", "a", id="unclosed"),
        pytest.param("<title> </title><meta property='og:title' content='o'>", "o", id="open-graph"),
        pytest.param("<title>&lt;b&gt; &amp; c</title>", "<b> & c", id="references"),
        pytest.param("<p>x", None, id="none"),
    ],
)
def test_title(html, title):
    """The title is the first title element that has text, else og:title, else None."""
    assert Page("http://a.test/", html).title == title


@pytest.mark.parametrize(
    ("html", "description"),
    [
        pytest.param("<meta name=Description content=' a\n b '><meta name=description content=c>", "a b", id="first"),
        pytest.param(
            "<meta name=description content=''><meta property=og:description content=o>", "o", id="open-graph"
        ),
        pytest.param("<meta name=twitter:description property=og:description content=o>", "o", id="beside-a-name"),
        pytest.param("<body><meta name=description content=b>", "b", id="in-body"),
        pytest.param("<meta name=description><meta content=x>", None, id="none"),
    ],
)
def test_description(html, description):
    """The description is the meta of that name, else og:description, else None."""
    assert Page("http://a.test/", html).description == description


@pytest.mark.parametrize(
    ("html", "header", "lang"),
    [
        pytest.param("<html lang=' de-AT '>", "en", "de-AT", id="attribute"),
        pytest.param("<html lang=''>", "fr, en", "fr", id="header"),
        pytest.param("<html xml:lang=de>", "en", "de", id="xml"),
        pytest.param("<html lang=fr xml:lang=de>", "en", "fr", id="html-before-xml"),
        pytest.param("<meta http-equiv=Content-Language content=' de '>", "en", "de", id="meta"),
        pytest.param("<meta http-equiv=content-language content='de, fr'>", "en", "en", id="meta-of-several"),
        pytest.param("<html lang=fr><meta http-equiv=content-language content=de>", None, "fr", id="before-meta"),
        pytest.param("<html><body><html lang=de>", None, "de", id="late"),
        pytest.param("<p lang=de>", None, None, id="none"),
    ],
)
def test_lang(html, header, lang):
    """The language is that of the html element, else of a meta, else the first of Content-Language, else None."""
    headers = [("content-language", header)] if header else []
    assert Page("http://a.test/", html, headers=headers).lang == lang


@pytest.mark.parametrize(
    ("html", "headers", "noindex"),
    [
        pytest.param("<meta name=robots content='noindex,follow'>", [], True, id="meta"),
        pytest.param("<meta name=robots content=none>", [], True, id="none"),
        pytest.param("<meta name=robots content=index><meta name=robots content=noindex>", [], True, id="second-meta"),
        pytest.param("", [("x-robots-tag", "otherbot: noindex"), ("x-robots-tag", "scraper: noindex")], True, id="us"),
        pytest.param("", [("x-robots-tag", "otherbot: noindex")], False, id="them"),
        pytest.param("<meta name=robots content='index, nofollow'>", [], False, id="nofollow-only"),
    ],
)
def test_noindex(html, headers, noindex):
    """A page that asks not to be kept, in a meta or a header that concerns us, is marked."""
    assert Page("http://a.test/", html, headers=headers).metadata.noindex is noindex


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_meta(builder):
    """Metas are found by lower-case name, property or http-equiv: the first that is not empty, of robots all."""
    html = (
        "<meta name=Keywords content=''><meta name=keywords content=' a,\n b '><meta name=keywords content=c>"
        "<meta property=og:title content=t><meta http-equiv=Refresh content='1; url=x'><meta charset=utf-8>"
        "<meta name=robots content=index><meta name=ROBOTS content=noarchive><meta name=x><meta content=y>"
        "<meta http-equiv=content-type content='text/html; charset=latin-1'>"
    )
    page = Page("http://a.test/", html, builder=builder)
    assert page.meta == {
        "keywords": "a, b",
        "og:title": "t",
        "refresh": "1; url=x",
        "content-type": "text/html; charset=latin-1",
        "robots": "index, noarchive",
    }
    assert {type(value) for value in page.meta.values()} == {str}


@pytest.mark.parametrize(
    ("html", "found"),
    [
        pytest.param("<meta property=og:title content=' a\n b '>", {"og:title": "a b"}, id="property"),
        pytest.param("<meta name=OG:Title content=a>", {"og:title": "a"}, id="name"),
        pytest.param("<meta name=og:title property=og:title content=a>", {"og:title": "a"}, id="both"),
        pytest.param("<meta name=description property=og:description content=a>", {"og:description": "a"}, id="beside"),
        pytest.param("<meta property='og:title x:y' content=a>", {"og:title": "a"}, id="several-properties"),
        pytest.param(
            "<meta property=og:image content=/1.png><meta property=og:image:width content=8>"
            "<meta property=og:image content=2.png><meta property=og:image content=''>",
            {"og:image": ["http://a.test/1.png", "http://a.test/d/2.png"], "og:image:width": "8"},
            id="repeated",
        ),
        pytest.param(
            "<base href=//b.test><meta property=og:url content=x#y><meta property=og:video:secure_url content=//c>",
            {"og:url": "http://b.test/x#y", "og:video:secure_url": "http://c/"},
            id="urls",
        ),
        pytest.param("<meta property=og:url content='http://['>", {"og:url": "http://["}, id="no-url"),
        pytest.param(
            "<meta property=article:author content=x><meta property=product:price:amount content=1>"
            "<meta property=fb:app_id content=2><meta name=twitter:card content=3><meta property=og content=4>",
            {"article:author": "x", "product:price:amount": "1", "fb:app_id": "2"},
            id="vocabularies",
        ),
        pytest.param("<meta property=og:title><template><meta property=og:title content=x></template>", {}, id="none"),
    ],
)
@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_open_graph(html, found, builder):
    """Open Graph and its kin are found by property, a list where one is repeated, with absolute URLs."""
    assert Page("http://a.test/d/", html, builder=builder).open_graph == found


def test_many():
    """A hundred thousand metas are read; of one property a thousand values are kept, of one meta a few properties."""
    page = Page("http://a.test/", "<meta property=og:image content=x><meta name=robots content=a>" * 50_000)
    assert len(page.open_graph["og:image"]) == MOST_VALUES
    assert page.meta["robots"].count("a") == 50_000
    properties = " ".join(f"p{number}" for number in range(100_000))
    assert len(Page("http://a.test/", f"<meta property='{properties}' content=x>").meta) < 10
