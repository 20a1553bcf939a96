import pytest

from scraper.parse import Page, relations
from scraper.parse.relations import from_header

URL = "http://a.test/dir/page?q"
BUILDERS = ["turbo", "lxml", "html5lib", "html.parser"]


def page(html, header="", builder="turbo"):
    """A page at URL, whose Link header may say something too."""
    return Page(URL, html, headers=[("link", header)] if header else [], builder=builder)


@pytest.mark.parametrize(
    ("html", "header", "found"),
    [
        pytest.param("<link rel=canonical href=/x?y#z>", "", "http://a.test/x?y", id="absolute-without-fragment"),
        pytest.param("<LINK REL='x CANONICAL' HREF=' //b.test/ '>", "", "http://b.test/", id="any-case"),
        pytest.param("<base href=/b/><link rel=canonical href=c>", "", "http://a.test/b/c", id="base"),
        pytest.param("", '<c>; rel="canonical"', "http://a.test/dir/c", id="header"),
        pytest.param("<base href=/b/>", "</x>, <c>;rel=canonical", "http://a.test/dir/c", id="header-not-by-base"),
        pytest.param("<link rel=canonical href=c#x><link rel=canonical href=c>", "", "http://a.test/dir/c", id="same"),
        pytest.param("<link rel=canonical href=c><link rel=canonical href=d>", "", None, id="two"),
        pytest.param("<link rel=canonical href=c>", "<d>; rel=canonical", None, id="header-disagrees"),
        pytest.param(
            "<link rel=canonical href=c><link rel=canonical href=http://[>", "", "http://a.test/dir/c", id="bad"
        ),
        pytest.param("<link rel=canonical href=''><link rel=canonical>", "", None, id="empty"),
        pytest.param("<link rel=canonical href=mailto:x><link rel=canonical href=data:x>", "", None, id="not-web"),
        pytest.param("<body><p>x</p><link rel=canonical href=c></body>", "", None, id="in-body"),
        pytest.param(
            "<head><noscript><link rel=canonical href=c></noscript>", "", "http://a.test/dir/c", id="noscript"
        ),
        pytest.param("<link rel=canonical href=c hreflang=de>", "", None, id="variant-hreflang"),
        pytest.param("<link rel=canonical href=c media=print>", "", None, id="variant-media"),
        pytest.param("<link rel=canonical href=c type=text/html>", "", None, id="variant-type"),
        pytest.param("<link rel=canonical href=c lang=en>", "", None, id="variant-lang"),
        pytest.param("<head><template><link rel=canonical href=c></template></head>", "", None, id="template"),
        pytest.param("<link rel=stylesheet href=c><a rel=canonical href=d>x</a>", "", None, id="none"),
    ],
)
@pytest.mark.parametrize("builder", BUILDERS)
def test_canonical(html, header, found, builder):
    """The canonical URL is the one that the head or the Link header names; none if they name several."""
    assert page(html, header, builder).canonical == found


@pytest.mark.parametrize(
    ("html", "header", "found"),
    [
        pytest.param(
            "<link rel=alternate type=application/rss+xml href=/rss title=' a\n b '>"
            "<body><div></div><link rel='ALTERNATE home' type='Application/Atom+XML; charset=utf-8' href=//b.test/#x>"
            "<link rel=alternate type=application/feed+json href=j>",
            "",
            [
                ("http://a.test/rss", "a b", "application/rss+xml"),
                ("http://b.test/#x", None, "application/atom+xml"),
                ("http://a.test/dir/j", None, "application/feed+json"),
            ],
            id="kinds",
        ),
        pytest.param(
            "<link rel=alternate type=application/rss+xml href=r title=1>" * 2,
            '<r>; rel=alternate; type="application/rss+xml"; title="h\\"h"; title=2',
            [("http://a.test/dir/r", 'h"h', "application/rss+xml")],
            id="distinct-header-first",
        ),
        pytest.param(
            "<link rel=alternate type=application/json href=/wp-json><link rel=alternate type=text/xml href=x>"
            "<link rel=stylesheet type=application/rss+xml href=x><link rel=alternate href=x>"
            "<link rel=alternate type=application/rss+xml href=http://[><link rel=alternate type=application/rss+xml>",
            "",
            [],
            id="none",
        ),
    ],
)
@pytest.mark.parametrize("builder", BUILDERS)
def test_feeds(html, header, found, builder):
    """Feeds are the alternates of a feed's media type, anywhere on the page, distinct by URL."""
    feeds = [{"url": url, "title": title, "type": kind} for url, title, kind in found]
    assert page(html, header, builder).feeds == feeds


@pytest.mark.parametrize(
    ("html", "header", "found"),
    [
        pytest.param(
            "<link rel=alternate hreflang=de-AT href=/de><link rel=alternate hreflang=x-default href=/>",
            "",
            {"de-AT": "http://a.test/de", "x-default": "http://a.test/"},
            id="tags",
        ),
        pytest.param(
            "<link rel=alternate hreflang=de href=1><link rel=alternate hreflang=DE href=2>",
            '<0>; rel="alternate"; hreflang="fr", <3>; rel=alternate; hreflang=de; anchor="/other"',
            {"fr": "http://a.test/dir/0", "de": "http://a.test/dir/1"},
            id="first-of-each",
        ),
        pytest.param(
            "<link rel=alternate hreflang=de href=f type=application/rss+xml><link hreflang=de href=x>"
            "<link rel=alternate hreflang='' href=x><body><div></div><link rel=alternate hreflang=de href=b>",
            "",
            {},
            id="none",
        ),
    ],
)
@pytest.mark.parametrize("builder", BUILDERS)
def test_hreflang(html, header, found, builder):
    """Translations are the head's alternates that have a language, and the header's; feeds are none."""
    assert page(html, header, builder).hreflang == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        pytest.param("<a>", [("a", set(), "")], id="bare"),
        pytest.param('<a>;rel="x Y" , <b> ; REL=z;rel=w', [("a", {"x", "y"}, ""), ("b", {"z"}, "")], id="two"),
        pytest.param('<a,b;c>; title="x, <y>; z"; rel=r', [("a,b;c", {"r"}, "x, <y>; z")], id="marks-in-quotes"),
        pytest.param("<a>; title*=UTF-8'en'%e2%82%ac; title=e", [("a", set(), "€")], id="extended"),
        pytest.param("<a>; title*=latin-1''%80; title=e", [("a", set(), "e")], id="extended-otherwise"),
        pytest.param("<a>; crossorigin; rel=r", [("a", {"r"}, "")], id="without-value"),
        pytest.param('<a>; title="x, <b>; rel=r', [("a", set(), ""), ("b", {"r"}, "")], id="unclosed-quote"),
        pytest.param("<a; rel=r, <b>; rel=s", [("b", {"s"}, "")], id="unclosed-url"),
        pytest.param('<a>;;rel= R  s ;title="t"', [("a", {"r", "s"}, "t")], id="lenient"),
        pytest.param(
            '<a>; anchor="/x", <b>; anchor="", <c>; anchor="?q"', [("b", set(), ""), ("c", set(), "")], id="anchor"
        ),
        pytest.param("rel=r; x, >", [], id="none"),
        pytest.param("<\udcff>; title=\udcff", [("\ufffd", set(), "\ufffd")], id="bad-bytes"),
    ],
)
def test_header(header, found):
    """Links of the header are read with what is said of them; what is no link is skipped."""
    assert [(one.href, one.rel, one.title) for one in from_header(header, URL)] == found


@pytest.mark.parametrize(
    "header",
    [
        "<" * 200_000,
        "<a>" + " " * 200_000,
        "<a>;" * 60_000,
        '<a>;b="' + "\\" * 200_000,
        "<a>" + " ; a =" * 40_000 + '"',
        "<a>" + ";" * 200_000,
        "<a>;b=" + "x " * 100_000 + '"',
        '<a>;b="\\' * 30_000,
    ],
    ids=["open", "spaces", "many", "escapes", "parameters", "semicolons", "words", "quotes"],
)
def test_hostile_header(header):
    """A header takes time in proportion to its length."""
    assert len(list(from_header(header, URL))) <= 60_000


def test_many():
    """Of each kind a thousand are looked at, however many there are."""
    parsed = page("".join(f"<link rel=alternate hreflang=l{n} href={n}>" for n in range(100_000)))
    assert len(parsed.hreflang) == relations.MOST
