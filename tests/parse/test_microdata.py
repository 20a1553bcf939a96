import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.parse import Page, microdata
from scraper.parse.microdata import items, marks_of_html, marks_of_soup
from scraper.parse.soup import make_soup, take_apart

URL = "http://a.test/d/"
BUILDERS = ["turbo", "lxml", "html5lib", "html.parser"]
NAMES = (
    "div",
    "p",
    "b",
    "a",
    "img",
    "meta",
    "time",
    "data",
    "template",
    "svg",
    "foreignObject",
    "table",
    "td",
    "script",
)
ATTRIBUTES = (
    *("", " itemscope", " itemscope itemprop=i", " itemscope itemref='x y' itemtype='s t'", " itemprop='n m n'"),
    *(" id=x", " id=y itemprop=n", " itemprop=u href=h src=s content=c datetime=t value=v", " itemprop"),
    *(" id=x itemscope itemprop=j itemref=y", " itemid=#z itemscope"),
)
documents = st.lists(
    st.one_of(
        st.builds("<{}{}>".format, st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES)),
        st.sampled_from([f"</{name}>" for name in NAMES]),
        st.sampled_from(["x", " ", "<!--c-->", "y<?z?>"]),
    ),
    max_size=20,
).map("".join)


def read(html, builder="turbo"):
    """The items of a page at URL."""
    return Page(URL, html, builder=builder).microdata


def properties(inner, builder="turbo", attributes=""):
    """The properties of one item."""
    (item,) = read(f"<div itemscope {attributes}>{inner}</div>", builder)
    return item["properties"]


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        pytest.param("<p itemprop=a> b\n <i>c</i> </p>", {"a": [" b\n c "]}, id="text-as-it-stands"),
        pytest.param("<p itemprop=a>b<!--c--><script>d</script></p>", {"a": ["bd"]}, id="text-content"),
        pytest.param("<p itemprop='a  b a'>c</p>", {"a": ["c"], "b": ["c"]}, id="names"),
        pytest.param("<i itemprop=a>1</i><i itemprop=a>2</i>", {"a": ["1", "2"]}, id="repeated"),
        pytest.param("<i itemprop=a>1<b itemprop=b>2</b></i>", {"a": ["12"], "b": ["2"]}, id="nested"),
        pytest.param("<i itemprop=''>1</i><i itemprop>2</i>", {}, id="no-name"),
        pytest.param("<meta itemprop=a content=' c '><meta itemprop=b>", {"a": [" c "], "b": [""]}, id="meta"),
        pytest.param("<a itemprop=a href=x#y>z</a>", {"a": ["http://a.test/d/x#y"]}, id="a"),
        pytest.param("<link itemprop=a href=//b.test>", {"a": ["http://b.test/"]}, id="link"),
        pytest.param(
            "<img itemprop=a src=i.png><img itemprop=b>", {"a": ["http://a.test/d/i.png"], "b": [""]}, id="img"
        ),
        pytest.param("<a itemprop=a href='http://['>z</a><a itemprop=a>z</a>", {"a": ["", ""]}, id="no-url"),
        pytest.param(
            "<video itemprop=a src=1></video><iframe itemprop=a src=2></iframe>", {"a": [URL + "1", URL + "2"]}
        ),
        pytest.param("<object itemprop=a data=o></object>", {"a": ["http://a.test/d/o"]}, id="object"),
        pytest.param("<data itemprop=a value=1>one</data><data itemprop=a>x</data>", {"a": ["1", ""]}, id="data"),
        pytest.param("<meter itemprop=a value=2>two</meter>", {"a": ["2"]}, id="meter"),
        pytest.param(
            "<time itemprop=a datetime=2020>x</time><time itemprop=a>2021</time><time itemprop=a datetime>y</time>",
            {"a": ["2020", "2021", ""]},
            id="time",
        ),
        pytest.param(
            "<p itemprop=a itemscope itemtype=t><i itemprop=b>c</i></p>",
            {"a": [{"type": ["t"], "properties": {"b": ["c"]}}]},
            id="item",
        ),
        pytest.param("<p itemscope><i itemprop=b>c</i></p>", None, id="item-of-its-own"),
    ],
)
@pytest.mark.parametrize("builder", BUILDERS)
def test_values(inner, found, builder):
    """The value of a property is what the HTML standard says of its element; URLs are absolute."""
    if found is None:
        assert [item["properties"] for item in read(f"<div itemscope>{inner}</div>", builder)] == [{}, {"b": ["c"]}]
    else:
        assert properties(inner, builder) == found


@pytest.mark.parametrize("builder", BUILDERS)
def test_items(builder):
    """Items at the top come in document order, with their types, and their id as an absolute URL."""
    html = (
        "<div itemscope itemtype=' http://s.test/A  http://s.test/B http://s.test/A ' itemid=#me></div>"
        "<div itemscope itemid='http://['></div><div itemscope itemprop=x></div><p itemprop=y>z</p>"
    )
    assert read(html, builder) == [
        {"type": ["http://s.test/A", "http://s.test/B"], "id": "http://a.test/d/#me", "properties": {}},
        {"properties": {}},
    ]


@pytest.mark.parametrize("builder", BUILDERS)
def test_references(builder):
    """What itemref names belongs to the item too, in document order, and once; the first element of an id counts."""
    html = (
        "<p id=y><i itemprop=a>1</i></p><div itemscope itemref='x y  nope x in'><i id=in itemprop=a>2</i></div>"
        "<b id=x itemprop=a>3</b><b id=x itemprop=a>4</b>"
    )
    assert [item["properties"] for item in read(html, builder)] == [{"a": ["1", "2", "3"]}]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        pytest.param("<div id=a itemscope itemref=a><i itemprop=n>x</i></div>", {"n": ["x"]}, id="itself"),
        pytest.param("<p id=a><u itemscope itemref=a><i itemprop=n>x</i></u></p>", {"n": ["x"]}, id="around-it"),
        pytest.param(
            "<p itemscope itemref=a></p><p id=a itemprop=p itemscope itemref=b></p>"
            "<p id=b itemprop=q itemscope itemref=a>",
            {"p": [{"properties": {"q": [{"properties": {"p": ["ERROR"]}}]}}]},
            id="ring",
        ),
    ],
)
@pytest.mark.parametrize("builder", BUILDERS)
def test_cycles(html, found, builder):
    """A reference to itself adds nothing, and an item within itself is "ERROR", as the standard has it."""
    assert read(html, builder)[0]["properties"] == found


@pytest.mark.parametrize("builder", ["turbo", "html5lib"])
def test_foreign(builder):
    """The attributes mean nothing on SVG and MathML."""
    html = "<svg itemscope><a itemprop=a>x</a><foreignObject><i itemprop=b>y</i></foreignObject></svg>"
    assert read(f"<div itemscope>{html}</div>", builder) == [{"properties": {"b": ["y"]}}]


def test_template():
    """What is in a template is no part of the page."""
    html = (
        "<p itemscope><i itemprop=a>b<template>c<u itemprop=d>e</u></template>f</i><template><p itemscope></template>"
    )
    assert read(html) == [{"properties": {"a": ["bf"]}}]


def assert_same(html):
    """Fail unless the items of a page's own tree are those of its soup."""
    soup = make_soup(html)
    assert items(marks_of_html(html), URL) == items(marks_of_soup(soup), URL)
    take_apart(soup)


@settings(max_examples=200, deadline=None)
@given(documents)
def test_same_without_soup(html):
    """The items are those of the soup, which is not made."""
    assert_same(html)
    assert_same(f"<div itemscope itemref='y x'>{html}")


def test_none():
    """A page without items is not read a second time."""
    assert read("<p itemprop=x id=y>z") == []
    assert Page(URL, '"itemscope"', headers=[("content-type", "application/json")]).microdata == []


@pytest.mark.parametrize("builder", ["turbo", "lxml"])
def test_no_side_effect(builder):
    """Each part of a page is made once, and is the same however often it is asked for."""
    page = Page(URL, "<p itemscope><script type=application/ld+json>{}</script>", builder=builder)
    for name in ("microdata", "json_ld", "meta", "open_graph", "feeds", "hreflang"):
        assert getattr(page, name) is getattr(page, name)


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<div itemscope>" + "<i itemprop=a>x</i>" * 50_000, id="wide"),
        pytest.param("<div itemscope>" + "<span itemprop=a>x" * 50_000, id="nested"),
        pytest.param("<div itemscope>" + "<div itemscope itemprop=a>" * 50_000, id="items-in-items"),
        pytest.param("<p itemscope itemref=i></p>" * 20_000 + f"<i id=i itemprop={'x' * 500_000}>", id="one-long-name"),
        pytest.param(
            "<p itemscope itemref=i></p>" * 20_000 + f"<i id=i itemprop='{'x y ' * 50_000}'>", id="many-names"
        ),
        pytest.param("<p itemscope itemref=i></p>" * 20_000 + f"<i id=i itemprop=a>{'x' * 500_000}", id="long-text"),
        pytest.param(
            "<p itemscope itemref=i></p>" * 20_000 + f"<i id=i itemprop=a itemscope itemtype={'x' * 500_000}>",
            id="type",
        ),
        pytest.param(
            "<p itemscope itemref=i></p>" * 20_000 + f"<img id=i itemprop=a src='data:{'x' * 500_000}'>", id="long-url"
        ),
        pytest.param(f"<p itemscope itemref='{'i ' * 500_000}'></p><i id=i itemprop=a>", id="references"),
        pytest.param(
            "<p itemscope itemref=i0></p>"
            + "".join(
                f"<p id=i{n - 1}><b itemprop=a itemscope itemref=i{n}></b><b itemprop=b itemscope itemref=i{n}></b></p>"
                for n in range(1, 60)
            ),
            id="doubling",
        ),
    ],
)
def test_hostile(html):
    """Whatever the shape, time and what comes out have a bound."""
    begun = time.process_time()
    found = items(marks_of_html(html), URL)
    assert time.process_time() - begun < 5
    assert len(json.dumps(found)) < 2 * microdata.MOST_CHARACTERS


def test_limits(monkeypatch):
    """Beyond the limits properties are left out, those before are kept; items too deep within others are left out."""
    assert len(properties("<i itemprop=a>x</i>" * 10)["a"]) == 10
    monkeypatch.setattr(microdata, "MOST_STEPS", 4)
    assert len(properties("<i itemprop=a>x</i>" * 10)["a"]) == 4
    monkeypatch.undo()
    monkeypatch.setattr(microdata, "MOST_CHARACTERS", 5 * 12)  # 10 for each name, 1 for its letter, 1 for the value
    assert len(properties("<i itemprop=a>x</i>" * 10)["a"]) == 5
    monkeypatch.undo()
    monkeypatch.setattr(microdata, "MOST_DEPTH", 2)
    deep = "<div itemscope itemprop=a>" * 4
    assert properties(deep) == {"a": [{"properties": {}}]}
