import pytest
import soupsieve
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.parse import Page, make_soup
from scraper.parse.builders import BUILDERS
from scraper.parse.select import Index

NAMES = ("p", "a", "b", "div", "ul", "li", "template", "svg", "g", "foreignObject", "math", "input", "option", "x-y")
ATTRIBUTES = (
    *("", "", "", " class=a", " class='a b'", " class='b  c a b'", " class", " id=i", " id='i j'", " id=j class=c"),
    *(
        " href=x",
        " xlink:href=x",
        " lang=en",
        " checked type=checkbox",
        " data-a=b title='a b'",
        " dir=rtl",
        " CLASS=A",
    ),
)
SIMPLE = (
    *(
        "*",
        "p",
        "a",
        "LI",
        "div",
        "foreignobject",
        "foreignObject",
        "template",
        "g",
        ".a",
        ".b",
        ".A",
        "#i",
        "#j",
        "a.a",
    ),
    *(
        "div#i",
        ".a.b.c",
        "p.a",
        "[href]",
        "[class]",
        "[CLASS~=a]",
        "[id=i]",
        "[title!=x]",
        "a[href^=x]",
        "[xlink|href]",
    ),
    *("*|a", "|a", "svg|a", "*|*", "[*|href]", "svg", "b[lang|=en]", "[data-a=B i]"),
)
PSEUDO = (
    *(":root", ":scope", ":empty", ":first-child", ":last-child", ":only-child", ":nth-child(2)", ":nth-child(2n + 1)"),
    *(
        ":nth-last-child(2)",
        ":nth-child(2 of .a)",
        ":nth-of-type(2)",
        ":last-of-type",
        ":link",
        ":any-link",
        ":checked",
    ),
    *(":disabled", ":enabled", ":default", ":focus", ":hover", ":lang(en)", ":dir(rtl)", ":defined", ":read-only"),
    *(":-soup-contains(x)", ":-soup-contains-own('x y')", ":optional", ":is()", ":in-range", ":open"),
)


def documents():
    """Texts whose tags lie in each other as it happens."""
    name, attributes = st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES)
    leaf = st.one_of(st.sampled_from(["x", " ", "x y", "<!--c-->"]), st.builds("<{}{}>".format, name, attributes))

    def tags(inner):
        return st.builds("<{0}{1}>{2}</{0}>".format, name, attributes, st.lists(inner, max_size=5).map("".join))

    return st.lists(st.recursive(leaf, tags, max_leaves=12), min_size=1, max_size=4).map("".join)


def selectors():
    """Lists of selectors of most kinds that soupsieve knows, in each other as it happens."""

    def bigger(inner):
        return st.one_of(
            st.builds("{}{}{}".format, inner, st.sampled_from([" ", " > ", " + ", " ~ ", ", "]), inner),
            st.builds(":{}({})".format, st.sampled_from(["is", "where", "not", "has"]), inner),
            st.builds("{}:{}({})".format, st.sampled_from(SIMPLE), st.sampled_from(["is", "not"]), inner),
            st.builds("{}:has({}{})".format, st.sampled_from(SIMPLE), st.sampled_from(["", "> ", "+ ", "~ "]), inner),
        )

    simple = st.one_of(
        st.sampled_from(SIMPLE),
        st.sampled_from(PSEUDO),
        st.builds("{}{}".format, st.sampled_from(SIMPLE), st.sampled_from(PSEUDO)),
    )
    return st.recursive(simple, bigger, max_leaves=4)


def outcome(select, *args, **options):
    """What a select gives, by identity, or the error that it raises."""
    try:
        return [id(tag) for tag in select(*args, **options)]
    except (soupsieve.SelectorSyntaxError, NotImplementedError) as error:
        return type(error), str(error)


@settings(max_examples=150, deadline=None)
@given(documents(), st.lists(selectors(), min_size=1, max_size=3))
def test_same_as_bs4(text, several):
    """An index gives the very tags that bs4's `select` gives, in the same order: of the page, and inside each tag."""
    soup = make_soup(text)
    index = Index(soup)
    for css in several:
        assert outcome(index.select, css) == outcome(soup.select, css)
        for tag in soup.find_all(True):
            assert outcome(index.select, css, tag) == outcome(tag.select, css)
        assert outcome(index.select, css, soup.body, 2) == outcome(soup.body.select, css, limit=2)


@pytest.mark.parametrize("builder", BUILDERS)
def test_builders(builder):
    """So it is whatever built the tree."""
    soup = make_soup(
        "<div id=i><p class='a b'><a href=x>x</a><b lang=en>x y</b></p><ul><li class=a>1<li>2<b>3</b></ul>"
        "<template><a class=a></template><svg><foreignObject xlink:href=x></foreignObject><A/></svg><input checked>",
        builder,
    )
    index = Index(soup)
    for css in (*SIMPLE, *PSEUDO, "div > .a, p a", ":is(a, .b) ~ li", "xml|a", "ul:has(> li.a) b"):
        for tag in [soup, *soup.find_all(True)]:
            assert outcome(index.select, css, tag) == outcome(tag.select, css)
            assert outcome(index.select, css, tag, 1) == outcome(tag.select, css, limit=1)


CHANGES = {
    "decompose": lambda soup, tag, other: tag.decompose(),
    "extract": lambda soup, tag, other: tag.extract(),
    "append": lambda soup, tag, other: tag.append(soup.new_tag("a", href="x", attrs={"class": "a b"})),
    "move": lambda soup, tag, other: tag not in [other, *other.parents] and other.append(tag.extract()),
    "before": lambda soup, tag, other: other.insert_before(soup.new_tag("li", id="i")),
    "replace": lambda soup, tag, other: tag.replace_with(soup.new_tag("b", string="x")),
    "wrap": lambda soup, tag, other: tag.wrap(soup.new_tag("div")),
    "unwrap": lambda soup, tag, other: tag.unwrap(),
    "clear": lambda soup, tag, other: tag.clear(),
    "string": lambda soup, tag, other: setattr(tag, "string", "x y"),
    "class": lambda soup, tag, other: tag.attrs.update({"class": ["a", "c"]}),
    "class-text": lambda soup, tag, other: tag.attrs.update({"class": "b\fa"}),
    "class-case": lambda soup, tag, other: tag.attrs.update({"Class": "a", "ID": "j"}),
    "class-gone": lambda soup, tag, other: tag.attrs.pop("class", None),
    "id": lambda soup, tag, other: tag.attrs.update({"id": "i"}),
    "id-list": lambda soup, tag, other: tag.attrs.update({"id": ["i"]}),
    "rename": lambda soup, tag, other: setattr(tag, "name", "LI"),
    "parsed": lambda soup, tag, other: tag.append(make_soup("<p class=a>x<a href=x>").p),
    "template": lambda soup, tag, other: tag.wrap(soup.new_tag("template", namespace="http://www.w3.org/1999/xhtml")),
}


@settings(max_examples=120, deadline=None)
@given(
    documents(),
    st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 30), st.integers(0, 30)), max_size=5),
    selectors(),
)
def test_changed(text, changes, css):
    """What an extractor has changed since, `Page.select` takes into account."""
    page = Page("http://a.test/", text)
    outcome(page.select, css)
    for name, first, second in changes:
        tags = page.soup.find_all(True)[1:] or [page.soup.new_tag("p")]
        tag, other = tags[first % len(tags)], tags[second % len(tags)]
        if tag.parent is not None and other.parent is not None:
            CHANGES[name](page.soup, tag, other)
    assert outcome(page.select, css) == outcome(page.soup.select, css)


@pytest.mark.parametrize("css", ["", "::before", "a >", "[", "a,,b", ":nope", "a:not()"])
def test_mistakes(css):
    """A mistake in a selector is what soupsieve says of it, inside a tag too."""
    soup = make_soup("<p>x")
    assert outcome(Index(soup).select, css) == outcome(soup.select, css)
    assert outcome(Index(soup).select, css, soup.p) == outcome(soup.p.select, css)
    assert not isinstance(outcome(soup.select, css), list)


def test_elsewhere():
    """Inside a tag that is no part of the tree, or was added since, bs4's own `select` answers."""
    soup = make_soup("<p><a>x</a>")
    index = Index(soup)
    added = soup.new_tag("div")
    added.append(soup.new_tag("a"))
    assert index.select("a", added) == added.contents
    soup.p.append(added)
    assert index.select("a", added) == added.contents


def test_namespaces():
    """A prefix means what it means to bs4: what the soup, or the tag that one selects in, knows of it."""
    soup = make_soup("<svg><a>x</a></svg><a>y</a>")
    soup._namespaces["s"] = "http://www.w3.org/2000/svg"
    index = Index(soup)
    assert index.select("s|a") == soup.select("s|a") == [soup.svg.a]
    assert index.select("s|a", soup.svg) == soup.svg.select("s|a") == []


def test_xml():
    """In XML, where names differ by case, bs4's own `select` answers."""
    soup = BeautifulSoup("<A><a/><template><a/></template></A>", "xml")
    assert Index(soup).select("a") == soup.select("a")
    assert len(soup.select("a")) == 2


def judged(monkeypatch, css, text):
    """How many tags soupsieve is asked about."""
    from soupsieve.css_match import CSSMatch

    asked = []
    index = Index(make_soup(text))
    match = CSSMatch.match
    monkeypatch.setattr(CSSMatch, "match", lambda self, tag: asked.append(tag) or match(self, tag))
    index.select(css)
    return len(asked)


@pytest.mark.parametrize(
    ("css", "most"),
    [
        ("h1", 1),
        ("div > h1", 1),
        ("#i", 1),
        (".a", 2),
        ("b.a", 2),
        ("h1, .a", 3),
        (":is(h1, #i)", 2),
        ("[href]", 1),
        (":link", 50),
        ("p:not(.a)", 0),
        (":focus", 0),
        ("*", 56),
    ],
)
def test_few_are_judged(monkeypatch, css, most):
    """Only tags that have what the selector names are put to soupsieve."""
    text = "<h1>x</h1><b class=a id=i></b><b class=a>" + "<a>x</a>" * 49 + "<a href=x>"
    assert judged(monkeypatch, css, text) == most


def test_kept_ready():
    """Selectors are kept ready, but not without end."""
    index = Index(make_soup("<p>x"))
    for number in range(1_000):
        assert index.select(f"p, .x{number}") == [index.select("p")[0]]
    assert len(index._prepared) <= 256


@pytest.mark.parametrize(
    ("text", "css"),
    [
        pytest.param("<p class='" + " ".join(f"c{n}" for n in range(100_000)) + "'>x", ".c77777", id="classes"),
        pytest.param("<p class='" + "a " * 100_000 + "'>x", ".a", id="one-class"),
        pytest.param("<p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x", "[a7777]", id="attributes"),
        pytest.param("<i>x</i>" * 20_000, "i:nth-child(19999)", id="siblings"),
        pytest.param("<div>" * 20_000 + "<b>", ".x b, div div b", id="deep"),
        pytest.param("<template>" * 5_000 + "<b>", "template", id="templates"),
        pytest.param("".join(f"<x-{n}>x</x-{n}>" for n in range(20_000)), "x-777", id="names"),
    ],
)
def test_hostile(text, css):
    """Pages of hostile shape are indexed in time that is linear in their size."""
    soup = make_soup(text)
    assert len(Index(soup).select(css)) == 1


def test_inside_each():
    """Inside each of many tags the index looks at what lies there, not at the page."""
    soup = make_soup("<li><b>x</b>" * 3_000)
    index = Index(soup)
    assert [[tag.string for tag in index.select("b", item)] for item in index.select("li")] == [["x"]] * 3_000
    index = Index(make_soup("<div>" * 400))
    assert [len(index.select("div", tag, 1)) for tag in index.select("div")] == [1] * 399 + [0]
