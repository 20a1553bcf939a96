from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.parse.links import find_links
from scraper.parse.metadata import metadata
from scraper.parse.soup import make_soup, take_apart
from scraper.parse.text import words
from scraper.parse.walk import walk_html, walk_soup

DOCUMENTATION = Path("/usr/share/doc/python3.11/html")
URL = "http://a.test/dir/"
NAMES = (
    *(
        "a",
        "b",
        "p",
        "div",
        "span",
        "li",
        "ul",
        "pre",
        "table",
        "tr",
        "td",
        "svg",
        "math",
        "title",
        "template",
        "script",
    ),
    *("style", "rt", "ruby", "noscript", "iframe", "select", "option", "head", "body", "html", "textarea", "br", "x-y"),
    *("desc", "mi", "area", "frame", "frameset", "base", "link", "meta", "noframes", "foreignObject", "form"),
    *("h1", "h2", "h6", "script", "link", "meta"),
)
ATTRIBUTES = (
    *("", "", ""),
    *(" href=x", " href", " href='' rel='a  nofollow'", " href=//b.test/ rel=next", " src=y", " rel='prev x' href=z"),
    *(" lang=de", " lang=' e  n '", " name=robots content=nofollow", " name=Description content=' a  b '"),
    *(" property=og:title content=o", " name=ROBOTS content='noindex, none'", " name=scraper content=nofollow"),
    *(" rel=canonical href=c", " rel='Alternate x' href=f type='Application/Rss+Xml;x'", " type=application/ld+json"),
    *(" rel=alternate href=d hreflang=' d e ' media", " property='og:a b' content=p", " http-equiv=X content=y"),
    *(" shadowrootmode=open", " name content", " class='a b'", " xlink:href=s"),
    *(" http-equiv=Refresh content='0;  url=r \n x'", " http-equiv=refresh content=3", " http-equiv=refresh"),
)
TEXTS = (
    "x",
    " ",
    "\n",
    "y z",
    "\xa0",
    "&lt;",
    "<!--c-->",
    "<?x y?>",
    "<![CDATA[d]]>",
    "\0",
    "\ud800",
    "<!doctype html>",
)

documents = st.lists(
    st.one_of(
        st.builds("<{}{}>".format, st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES)),
        st.builds("<{}{}>".format, st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES)),
        st.sampled_from([f"</{name}>" for name in NAMES]),
        st.sampled_from(TEXTS),
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>one</p><p>two</p>", "one\ntwo", id="blocks"),
        pytest.param("a<div>b<div>c</div>d</div>e", "a\nb\nc\nd\ne", id="nested-blocks"),
        pytest.param("<p>un<b>believ</b>able</p>", "unbelievable", id="inline-joined"),
        pytest.param("<p> a \n\t b&nbsp;c </p>", "a b c", id="white-space-collapsed"),
        pytest.param("a<br>b<hr>c", "a\nb\nc", id="br-hr"),
        pytest.param("<ul>\n<li>a\n<li>b\n</ul>", "a\nb", id="list"),
        pytest.param("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc", id="cells-apart"),
        pytest.param("<p>a<script>x()</script>b<style>y{}</style>c</p>", "abc", id="script-style"),
        pytest.param("<body><template><p>x</p></template><noscript>y</noscript>z", "z", id="template-noscript"),
        pytest.param("<head><title>t</title></head><body>b</body>", "b", id="head"),
        pytest.param("a<!-- b -->c", "ac", id="comment"),
        pytest.param("<p>a</p><pre>\n\n  x\n\n\n\n y  \n</pre><p>b", "a\n  x\n\n y\nb", id="pre"),
        pytest.param("<pre>a<br>b\n<b>c</b></pre>d", "a\nb\nc\nd", id="br-in-pre"),
        pytest.param("<pre>\n \n</pre>x<p> </p>\n<pre>a", "x\na", id="empty-blocks"),
        pytest.param("<p>1 &lt; 2</p>", "1 < 2", id="references"),
        pytest.param("", "", id="empty"),
        pytest.param("just text", "just text", id="no-tags"),
        pytest.param("<pre>a\n<pre> b</pre> c", "a\n b\n c", id="unclosed-pre"),
        pytest.param("x\x01y<pre>z", "x\ny\nz", id="control-character"),
    ],
)
@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_text(html, text, builder):
    """The text is what a reader sees: blocks on lines of their own, white space collapsed, code and head left out."""
    assert walk_soup(make_soup(html, builder)).text == text
    assert walk_html(html).text == text


def assert_same(html):
    """Fail unless what is read of a page's own tree is what is read of its soup."""
    ours, soup = walk_html(html), make_soup(html)
    theirs = walk_soup(soup)
    take_apart(soup)
    assert ours == theirs

    def links(outline):
        return find_links(outline, URL, lambda url: None, nofollow=True, page_wide=metadata(outline, {}).nofollow)

    assert ours.text == theirs.text
    assert ours.headings == theirs.headings
    assert links(ours) == links(theirs)
    assert metadata(ours, {}) == metadata(theirs, {})  # title, description, lang, robots


@settings(max_examples=300, deadline=None)
@given(documents)
def test_same_without_soup(html):
    """Text, links, title, description, language and directives for robots are those of the soup, which is not made."""
    assert_same(html)


def pages():
    """The pages of Python's documentation, as Debian installs it."""
    return sorted(DOCUMENTATION.rglob("*.html"))


@pytest.mark.skipif(not DOCUMENTATION.is_dir(), reason="Debian's python3.11-doc is not installed")
@pytest.mark.parametrize("path", pages()[::40], ids=lambda path: path.stem)
def test_same_on_real_pages(path):
    """So they are on a real page."""
    assert_same(path.read_text(encoding="utf-8", errors="replace"))


@pytest.mark.heavy
@pytest.mark.skipif(not DOCUMENTATION.is_dir(), reason="Debian's python3.11-doc is not installed")
@pytest.mark.timeout(300)
def test_same_on_all_real_pages():
    """And on all of them."""
    for path in pages():
        test_same_on_real_pages(path)


@pytest.mark.parametrize("read", [walk_html, lambda html: walk_soup(make_soup(html, "lxml"))], ids=["tree", "soup"])
def test_anchors(read):
    """Tags that link are found in document order with the text in them, those in templates are not."""
    outline = read(
        "<link rel=next href=n><link rel=icon href=i><a href=1>o<b>n</b>e</a><a name=x>no</a><template><a href=2>t</a>"
        "</template><map><area href=3></map><iframe src=4></iframe><noscript><a href=5 rel='a  b'>n</a></noscript>"
        "<a href=6>x<script>s</script><div>y</div></a>z"
    )
    found = [(href, rel, words(pieces)) for href, rel, pieces in outline.anchors]
    assert found[:5] == [("n", "next", ""), ("1", "", "one"), ("3", "", ""), ("4", "", ""), ("5", "a b", "n")]
    assert found[5] == ("6", "", "x y")


@pytest.mark.parametrize(
    ("html", "headings"),
    [
        pytest.param("<h2>b</h2>x<h1>a</h1><h6>c</h6><h7>d</h7>", [(2, "b"), (1, "a"), (6, "c")], id="levels"),
        pytest.param("<h1> a\n <b>b</b>c&nbsp;<br>d<img>e</h1>", [(1, "a bc de")], id="white-space-collapsed"),
        pytest.param("<h1></h1><h2> <img> </h2><h3>&nbsp;</h3>", [], id="empty-left-out"),
        pytest.param("<h1>a<div>b</div>c</h1>d", [(1, "a b c")], id="blocks-in-it"),
        pytest.param("x<h1>a", [(1, "a")], id="unclosed"),
        pytest.param("<h1>a<div><h2>b</h2>c</div>d</h1>e", [(1, "a c d"), (2, "b")], id="nested-each-its-own"),
        pytest.param("<h1>a<h2>b</h2>c", [(1, "a"), (2, "b")], id="next-to-each-other"),
        pytest.param("<h1>a<script>x</script><style>y</style>b</h1>", [(1, "ab")], id="code-in-it"),
        pytest.param("<h1>a<noscript>x</noscript><template>y</template></h1>", [(1, "a")], id="hidden-in-it"),
        pytest.param("<div>x<noscript><h1>a</h1></noscript><template><h2>b</h2></template>", [], id="hidden"),
        pytest.param("<body><pre>x\n<h1> a\n  b\n</h1>y</pre>", [(1, "a b")], id="in-pre"),
        pytest.param(
            "<table><tr><td><h3>a</h3><td>b</table><ul><li><h4>c</h4>d</ul>", [(3, "a"), (4, "c")], id="cells"
        ),
        pytest.param("<svg><foreignObject><h1>a</h1></foreignObject></svg>", [(1, "a")], id="in-svg"),
        pytest.param("<div>x</div>", [], id="none"),
    ],
)
@pytest.mark.parametrize("builder", ["turbo", "html5lib"])
def test_headings(html, headings, builder):
    """Headings have their level and the text that is seen in them, in document order; empty ones are none."""
    assert walk_soup(make_soup(html, builder)).headings == headings
    assert walk_html(html).headings == headings


def test_heads():
    """The first title outside of an svg, the first base with an href, and each meta outside of a template are found."""
    outline = walk_html(
        "<html lang=de><body><svg><title>drawing</title></svg><title>page</title><title>late</title>"
        "<base target=x><base href=1><base href=2><meta name=a><template><meta name=b></template><meta name=c>"
    )
    assert (outline.title, outline.base, outline.lang) == ("page", "1", "de")
    assert outline.metas == [("a", ""), ("c", "")]


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_metas(builder):
    """A meta counts by its name, by each of its properties and by the header it stands for, in lower case, once."""
    html = (
        "<meta name=A property='og:B  a' content=' x\n y '><meta HTTP-EQUIV=Refresh content=1><meta charset=utf-8>"
        "<meta property=og:b><meta name='c D' content=z>"
    )
    expected = [("a", "x y"), ("og:b", "x y"), ("refresh", "1"), ("og:b", ""), ("c d", "z")]
    assert walk_soup(make_soup(html, builder)).metas == expected
    assert walk_html(html).metas == expected


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_scripts(builder):
    """The text of each script of JSON-LD is kept as it stands, wherever it is, unless that is a template."""
    html = (
        "<script type='Application/LD+JSON; charset=utf-8'>{&quot;<b>&lt;</script><script>x</script><title>t</title>"
        "<a href=x>y<script type=application/ld+json>z</script></a><script type=application/ld+json></script>"
        "<template><script type=application/ld+json>no</script></template><script type=application/json>no</script>"
    )
    for outline in (walk_soup(make_soup(html, builder)), walk_html(html)):
        assert outline.scripts == ["{&quot;<b>&lt;", "z", ""]
        assert (outline.text, words(outline.anchors[0].pieces)) == ("y", "y")


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_links_in_drawings(builder):
    """A link of SVG counts by its href, else by its xlink:href, which means nothing outside of a drawing."""
    html = "<svg><a xlink:href=1>a</a><a href=2 xlink:href=3>b</a></svg><a xlink:href=4>c</a>"
    for outline in (walk_soup(make_soup(html, builder)), walk_html(html)):
        assert [(one.href, words(one.pieces)) for one in outline.anchors] == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_refreshes(builder):
    """What a meta's refresh says is kept to the letter, unless it is in a template or says nothing."""
    html = (
        "<meta http-equiv=Refresh content='0; \n url=a  b'><meta http-equiv=refresh><meta name=refresh content=1>"
        "<meta http-equiv=refresh content=''><template><meta http-equiv=refresh content=2></template>"
        "<body><noscript><meta http-equiv=REFRESH content=3></noscript>"
    )
    for outline in (walk_soup(make_soup(html, builder)), walk_html(html)):
        assert outline.refreshes == ["0; \n url=a  b", "3"]


def test_foreign():
    """Titles, links and scripts of SVG and MathML are not the page's."""
    html = "<title>t</title><link rel=alternate href=a><script type=application/ld+json>x</script>"
    for name in ("svg", "math"):
        outline = walk_html(f"<{name}>{html}</{name}>")
        assert (outline.title, outline.relations, outline.scripts) == ("", [], [])
    assert len(walk_html(html).relations) == 1


@pytest.mark.parametrize(
    "html",
    [
        *(shape * 6_000 + "end" for shape in ("<div>", "<b><i>", "<a href=x>", "<table><tr><td>", "<pre>\n", "<svg>")),
        "<div><b>" * 3_000 + "<p>x</p>" * 3_000,
        ("<b>" * 50 + "<p>x</p>" + "</b>" * 50) * 200,
        "<h1>x<div>" * 3_000 + "y</div></h1>z" * 3_000,
    ],
    ids=["div", "formatting", "links", "tables", "pre", "svg", "wide-below-deep", "deep-and-wide", "headings"],
)
def test_deep(html):
    """A page of thousands of open tags is walked without a limit on depth, and in no time."""
    assert_same(html)
