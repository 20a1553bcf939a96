import time
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.parse import Page
from scraper.parse.metadata import MOST_VALUES, directives

ENDED = datetime(2010, 6, 25, 15, tzinfo=UTC).timestamp()
BOTH = {"noindex", "nofollow"}


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


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        pytest.param("noindex, nofollow", BOTH, id="commas"),
        pytest.param("NOINDEX\t\xa0 NoFollow", BOTH, id="blanks-and-case"),
        pytest.param(" ,, noindex;nofollow ,", BOTH, id="semicolon-and-nothing"),
        pytest.param("'noindex\", nofollow", BOTH, id="quotes"),
        pytest.param("None", BOTH, id="none"),
        pytest.param("all, index, follow", set(), id="leave"),
        pytest.param("noindex, all, index", {"noindex"}, id="leave-takes-nothing-away"),
        pytest.param("noindexed no index -noindex", set(), id="other-words"),
        pytest.param("noindex: true", {"noindex"}, id="with-a-value"),
        pytest.param("noindex: nofollow", BOTH, id="a-directive-is-no-name"),
        pytest.param("360spider: noindex", set(), id="them-with-a-digit"),
        pytest.param("googlebot: foo: bar, noindex", set(), id="them-with-an-unknown-value"),
        pytest.param("googlebot: noindex, nofollow", set(), id="them-to-the-end"),
        pytest.param("googlebot: none, Scraper : noindex", {"noindex"}, id="us-after-them"),
        pytest.param("nofollow googlebot: noindex", {"nofollow"}, id="all-before-them"),
        pytest.param("scraper: foo, nofollow", {"nofollow"}, id="us-and-an-unknown"),
        pytest.param("scraper/1.0: noindex", {"noindex"}, id="us-with-a-version"),
        pytest.param("scraperbot: noindex", set(), id="a-longer-name"),
        pytest.param("googlebot: noindex, *: nofollow", {"nofollow"}, id="star"),
        pytest.param("x-robots-tag: noindex", {"noindex"}, id="the-header-twice"),
        pytest.param("googlebot: bingbot: noindex", set(), id="two-names"),
        pytest.param("googlebot: max-snippet: 20, noindex", set(), id="them-with-a-value"),
        pytest.param("googlebot: unavailable_after: 25 Jun 2010, nofollow", set(), id="them-with-a-date"),
        pytest.param("max-snippet: 20, noindex", {"noindex"}, id="limit"),
        pytest.param("max-image-preview:none, nofollow", {"nofollow"}, id="limit-none"),
        pytest.param("max-video-preview:-1 nofollow", {"nofollow"}, id="limit-and-blank"),
        pytest.param("max-bot: none", set(), id="no-limit"),
        pytest.param("foo: bar, noindex", {"noindex"}, id="unknown-value"),
        pytest.param("foo: 10:30, revisit-after: 7 days, noindex", {"noindex"}, id="unknown-values"),
        pytest.param("foo:", set(), id="no-value"),
        pytest.param("", set(), id="empty"),
    ],
)
def test_directives(line, asked):
    """A line for robots is words of any case; a robot's name holds to its end, an unknown directive for itself."""
    assert set(directives(line, "scraper", ENDED)) == asked
    assert set(Page("http://a.test/", "", headers=[("x-robots-tag", line)], now=ENDED).metadata[3:]) == {
        "noindex" in asked,
        "X-Robots-Tag" if "nofollow" in asked else None,
    }


@pytest.mark.parametrize(
    "date",
    [
        *("25 Jun 2010 15:00:00 GMT", "Fri, 25 Jun 2010 15:00:00 GMT", "25 Jun 2010 08:00:00 PDT", "25 Jun 10 15:00"),
        *("Fri,25 Jun 2010 17:00:00 +0200", "Wednesday, 25-Jun-2010 15:00:00 GMT", "Friday, 25-Jun-10 15:00:00 GMT"),
        *(
            "25-Jun-2010 15:00:00",
            "2010-06-25T15:00:00Z",
            "2010-06-25t17:00:00+02:00",
            "2010-06-25 15:00",
            "20100625T15",
        ),
        '"2010-06-25T15:00:00+00:00"',
    ],
)
@pytest.mark.parametrize("rest", [", nofollow", "; nofollow", " nofollow", " none", ""])
def test_unavailable_after(date, rest):
    """A page that was to be unavailable after a moment counts as noindex after it; what follows the date is read."""
    line = f"all, Unavailable_After: {date}{rest}"
    later = BOTH if rest else {"noindex"}
    assert set(directives(line, "scraper", ENDED + 1)) == later
    assert set(directives(line, "scraper", ENDED)) == (later if "none" in rest else later - {"noindex"})


@pytest.mark.parametrize(
    "date", ["", "tomorrow", "Wednesday, 31-Feb-2010 15:00:00 GMT", "soon 15:00", "99999", "7" * 99]
)
def test_unavailable_after_nothing(date):
    """A date that is none asks for nothing, and hides nothing."""
    assert list(directives(f"unavailable_after: {date}, nofollow", "scraper", ENDED)) == ["nofollow"]


def test_each_header_line_by_itself():
    """A robot's name holds to the end of its own header or meta, not in the next."""
    headers = [("x-robots-tag", "googlebot: noindex"), ("x-robots-tag", "nofollow")]
    assert Page("http://a.test/", "", headers=iter(headers)).metadata[3:] == (False, "X-Robots-Tag")
    html = "<meta name=robots content='googlebot: noindex'><meta name=robots content=nofollow>"
    assert Page("http://a.test/", html).metadata[3:] == (False, "meta robots")


@pytest.mark.parametrize("builder", ["turbo", "lxml"])
def test_agent(builder):
    """What is asked of our own name, in any case, counts beside what is asked of all, and of no other name."""
    html = "<meta name=robots content='nofollow, index'><meta name=BookWorm content='noindex, follow'>"
    for agent, noindex in (("bookworm", True), ("BOOKWORM", True), ("scraper", False), ("book", False)):
        page = Page("http://a.test/", html, agent=agent, builder=builder)
        assert page.metadata[3:] == (noindex, "meta robots")
        page = Page("http://a.test/", "", agent=agent, headers=[("x-robots-tag", "BookWorm: noindex")])
        assert page.metadata[3:] == (noindex, None)
    assert Page("http://a.test/", "<meta name=a content=1><meta name=a content=2>", agent="A").meta == {"a": "1, 2"}


def test_unavailable_after_of_a_page():
    """A page's own moment decides whether it is available, in a meta and in a header."""
    line = "unavailable_after: Wednesday, 25-Jun-2010 15:00:00 GMT"
    for content in (f"<meta name=robots content='{line}'>", ""):
        headers = [] if content else [("x-robots-tag", line)]
        for now in (ENDED - 1, ENDED + 1):
            page = Page("http://a.test/", content, headers=headers, now=now)
            assert page.metadata.noindex is (now > ENDED)


_PIECES = st.sampled_from([
    *(
        "noindex",
        "nofollow",
        "none",
        "all",
        "unavailable_after",
        "max-snippet",
        "googlebot",
        "scraper",
        "foo",
        "*",
        "10",
    ),
    *("2010-06-25", "25 Jun 2010 15:00:00 GMT", ":", ": ", ",", ", ", ";", " ", "/", '"', "\0", "\ud800", "İ"),
])


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=40) | st.lists(_PIECES, max_size=12).map("".join))
@example("unavailable_after:" * 3)
def test_any_line(line):
    """Whatever the line, it asks for what we know; a word for all in front of it is heard, and so is a line for us."""
    asked = set(directives(line, "scraper", ENDED + 1))
    assert asked <= BOTH
    assert set(directives(f"noindex, {line}", "scraper", ENDED + 1)) == asked | {"noindex"}
    assert set(directives(f"{line}, scraper: none", "scraper", ENDED + 1)) == BOTH


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a",
            "a:",
            "a ",
            "max-",
            "max- ",
            "max-snippet: ",
            " ",
            ":",
            "a: ",
            "unavailable_after:",
            "unavailable_after: 1 1 1 1 1 1 ",
        ),
        "unavailable_after: 25 Jun 10 1 ",
    ],
)
def test_a_long_line(piece):
    """A line takes time that grows as it does, whatever it repeats."""
    line = f"{piece * (200_000 // len(piece))} , scraper: nofollow"
    for _ in range(3):  # a machine that does something else may take its time once
        began = time.process_time()
        assert "nofollow" in set(directives(line, "scraper", 0.0))
        took = time.process_time() - began
        if took < 1.0:
            break
    assert took < 1.0


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
