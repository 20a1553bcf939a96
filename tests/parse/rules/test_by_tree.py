from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.parse.page import Page
from scraper.parse.rules import read_rules, run
from scraper.parse.rules.standard import standard

DOCUMENTATION = Path("/usr/share/doc/python3.11/html")
URL = "http://a.test/dir/page"
NAMES = (
    *("a", "b", "p", "div", "span", "li", "ul", "pre", "table", "tr", "td", "h1", "svg", "g", "math", "mi", "title"),
    *("script", "style", "ruby", "rt", "rp", "noscript", "iframe", "select", "option", "textarea", "br", "img", "meta"),
    *("time", "data", "input", "head", "body", "html", "link", "form", "linearGradient", "foreignObject", "x-y"),
)
ATTRIBUTES = (
    *(
        "",
        "",
        "",
        " class=x",
        " class='x  y'",
        " class=X",
        " class",
        " id=n",
        " id=N",
        " href=/q",
        " href",
        " src='s s'",
    ),
    *(" rel='a  b'", " title=' t '", " content=12", " value=3", " datetime=2024-05-06", " viewBox='0 0'", " data-k=v"),
    *(" name=n", " xml:lang=de", " headers='h  i'", " itemprop=p", " lang=de"),
)
TEXTS = ("x", " ", "\n", "12,5", "y z", "\xa0", "&lt;", "<!--c-->", "<?x y?>", "<![CDATA[d]]>", "2024-05-06", "yes")
documents = st.builds(
    str.__add__,
    st.sampled_from(["", "<!doctype html>", "<!doctype html public '-//W3C//DTD HTML 4.01//EN'>"]),
    st.lists(
        st.one_of(
            st.builds(
                "<{}{}{}>".format, st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES), st.sampled_from(ATTRIBUTES)
            ),
            st.builds("<{}{}>".format, st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES)),
            st.sampled_from([f"</{name}>" for name in NAMES]),
            st.sampled_from(TEXTS),
        ),
        max_size=18,
    ).map("".join),
)
compounds = st.builds(
    str.__add__,
    st.sampled_from(["*", *(name for name in NAMES if name.islower())]),
    st.sampled_from([
        "",
        "",
        ".x",
        ".X",
        ".x.y",
        "#n",
        "[href]",
        "[viewbox]",
        '[href="/q"]',
        "[data-k^=v]",
        "[itemprop~=p]",
        "[lang]",
    ]),
)
selectors = st.recursive(
    compounds,
    lambda inner: st.builds(
        "{}{}{}".format, inner, st.sampled_from([" ", " > ", " + ", " ~ ", ", ", ">", ","]), compounds
    ),
    max_leaves=4,
)
ends = st.sampled_from([
    "",
    "",
    "::text",
    *(f"::attr({name})" for name in ("class", "rel", "viewBox", "viewbox", "href")),
])


def made(rules, html, *, soup):
    """What rules make of a page, of its soup or of its own tree."""
    page = Page(URL, html)
    if soup:
        assert page.soup is not None
    try:
        return run(rules, page)
    finally:
        assert page.has_soup is soup
        page.close()


@settings(max_examples=200, deadline=None)
@given(
    documents,
    st.none() | selectors,
    st.lists(st.tuples(selectors | st.just("."), ends), min_size=1, max_size=3),
    st.sampled_from(["text", "url", "number", "integer", "date", "bool", "json"]),
    st.booleans(),
)
def test_same_without_soup(html, each, fields, kind, every):
    """What rules make of a page's own tree is what they make of its soup."""
    lines = ["[[rule]]", 'name = "r"', *([f"each = '{each}'"] if each else []), "[rule.fields]"]
    for number, (css, end) in enumerate(fields):
        lines.append(f"f{number} = {{select = '{css}{end}', type = '{kind}', all = {str(every).lower()}}}")
        lines.append(f"g{number} = '{css}{end}'")
    rules = read_rules("\n".join(lines), "r.toml")
    assert not rules[0].needs_soup
    expected = made(rules, html, soup=True)
    page = Page(URL, html)
    assert run(rules, page) == expected
    assert not page.has_soup or "xml:lang" in html  # which is in a namespace where there is an SVG
    page.close()


RULES = """
[[rule]]
name = "page"
fields.heading = "h1"
fields.links = { select = "p a::attr(href)", all = true }
[[rule]]
name = "section"
each = "section > h2, dl.py dt"
fields.text = "."
fields.anchor = { select = "a.headerlink::attr(href)", type = "url" }
fields.code = { select = "code", all = true }
fields.number = { select = "span", type = "number" }
[rule.follow]
select = "a[accesskey], link[title]"
"""


@pytest.mark.skipif(not DOCUMENTATION.exists(), reason="python3.11-doc is not installed")
def test_real_pages():
    """On real pages both trees give the same records."""
    rules = read_rules(RULES, "r.toml")
    pages = sorted(DOCUMENTATION.glob("library/*.html"))[::12]
    assert len(pages) > 10
    for path in pages:
        html = path.read_text(encoding="utf-8")
        assert made(rules, html, soup=False) == made(rules, html, soup=True)


@pytest.mark.parametrize(
    ("css", "direct"),
    [
        ("h1", "h1"),
        ("div.card > h3.t  a", 'div[class~="card"]>h3[class~="t"] a'),
        ("#main, .side", '[id="main"],[class~="side"]'),
        ("a[href]", "a[href]"),
        ("a[href^='/x']", 'a[href^="/x"]'),
        ("*[data-id=a1]", '*[data-id="a1"]'),
        ("li.next + li ~ li", 'li[class~="next"]+li~li'),
        *[
            (css, None)
            for css in ("a:hover", "p:nth-child(2)", "H1", "a[rel=x]", "a[type=b]", "svg|a", "a\\:b", "é", "a[a b]")
        ],
        *[
            (css, None)
            for css in ("", "> a", "a >", "a,,b", "a[href='']", "a[href=1]", ".1", "foreignobject", "p" * 501)
        ],
        *[
            (css, None)
            for css in ('a[href="é"]', "a[href=x i]", "a::before", "a/**/b", "[xlink:href]", "a[class='x y']")
        ],
    ],
)
def test_standard(css, direct):
    """A selector of the kind that every engine reads alike has a form for the page's own tree, any other has none."""
    assert standard(css) == direct


@pytest.mark.parametrize(
    ("html", "fields"),
    [
        pytest.param("<template><p>x</template><p>y", 'a = "p"', id="template"),
        pytest.param("<svg><a xlink:href=x>y</a></svg>", 'a = "a[href]"', id="namespaced"),
        pytest.param("<p class='a&nbsp;b'>x", 'a = ".b"', id="odd-space"),
        pytest.param("<p>x", 'a = "p:first-child"', id="pseudo-class"),
        pytest.param("<p>x", 'a = { select = "p", type = "html" }', id="html"),
        pytest.param("<p>x", 'a = { select = ["p", "b:empty"] }', id="second-choice"),
        pytest.param("<p>x", 'a = { select = "p", fields = { b = "b:empty" } }', id="nested"),
    ],
)
def test_left_to_the_soup(html, fields):
    """What only soupsieve can be trusted with, and markup, is taken from the soup."""
    page = Page(URL, html)
    (found,) = run(read_rules(f'[[rule]]\nname = "r"\n[rule.fields]\n{fields}\n', "r.toml"), page)
    assert page.has_soup
    assert len(found.records) == 1
