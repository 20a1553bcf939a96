import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import ParseError
from scraper.parse import Page
from scraper.parse.rules import explain, making, read_rules, run
from scraper.parse.rules import records as records_module

URL = "https://books.example/catalogue/index.html"
JSON = [("content-type", "application/json")]
DESIGN = """\
[[rule]]
name = "book"
match = "https://books.example/catalogue/*"     # glob on the URL; `re:` for a regular expression
each = "article.product"                        # optional: one record per match, else one per page
[rule.fields]
title = "h3 a::attr(title)"
price = { select = ".price", type = "number" }
tags  = { select = ".tag", all = true }
url   = { select = "h3 a::attr(href)", type = "url" }
[rule.follow]
select = "li.next a"                            # pagination: followed without counting depth
"""
SHOP = """
<article class="product new"><h3><a title="A &amp; B" href=a.html#x>A…</a></h3>
<p class=price>£1,051.77</p><i class=tag>x</i><i class=tag> y
 z </i></article>
<article class=product><h3><a href="">C</a></h3><p class=price>n/a</p></article>
<ul><li class=next><a href=page-2.html#top>next</a><li class=next><a href=page-2.html>again</a>
<li class=next><a>no</a><li class=next><a href=mailto:a@b.test>mail</a></ul>
"""


def rules(fields, head=""):
    """One rule of these fields."""
    return read_rules(f'[[rule]]\nname = "r"\n{head}\n[rule.fields]\n{fields}', "r.toml")


def record(fields, page, head=""):
    """The only record that a rule of these fields makes of a page."""
    (made,) = run(rules(fields, head), page)
    (only,) = made.records
    return only


def value(field, html):
    """What a field is in an HTML page."""
    return record(f"x = {field}", Page(URL, html))["x"]


def json_value(field, document):
    """What a field is in a JSON document."""
    return record(f"x = {field}", Page(URL, json.dumps(document), headers=JSON), 'document = "json"')["x"]


def test_design():
    """The example of the design makes a record of each product, in document order, and follows each next page once."""
    (made,) = run(read_rules(DESIGN, "shop.toml"), Page(URL, SHOP))
    assert made.rule == "book"
    assert made.records == [
        {
            "title": "A & B",
            "price": 1051.77,
            "tags": ["x", "y z"],
            "url": "https://books.example/catalogue/a.html#x",
        },
        {"title": None, "price": None, "tags": [], "url": None},
    ]
    assert made.follow == ["https://books.example/catalogue/page-2.html"]


@pytest.mark.parametrize(
    ("field", "html", "found"),
    [
        pytest.param('"p"', "<p>a <b>b</b>\n c&nbsp;d<script>s</script><!--c--></p>", "a b c d", id="text"),
        pytest.param(
            '"div"', "<div>a<br>b<p>c</p>d<b>e</b><table><tr><td>f<td>g</table>h</div>", "a b c de f g h", id="blocks"
        ),
        pytest.param('"p::text"', "<p>a<b>b</b>", "ab", id="all-text"),
        pytest.param('"p"', "<p> </p><p>b", "b", id="first-that-says-something"),
        pytest.param('"p"', "<p> </p>", None, id="empty"),
        pytest.param('"script"', "<script>let a;</script>", "let a;", id="script"),
        pytest.param('"title"', "<title> t </title>", "t", id="title"),
        pytest.param('"."', "<p>a<p>b", "a b", id="page"),
        pytest.param('"html::attr(lang)"', "<html lang=en>", "en", id="attribute"),
        pytest.param('"p::attr(class)"', "<p class='a  b'>", "a b", id="classes"),
        pytest.param('"p::attr(DATA-X)"', "<p data-x=' 1 '>", "1", id="attribute-case"),
        pytest.param('"img::attr(data-src)"', "<img src=a><img data-src=b>", "b", id="first-with-attribute"),
        pytest.param('["h1", "h2"]', "<h2>b</h2>", "b", id="second-selector"),
        pytest.param('["h1", "h2"]', "<h2>b</h2><h1>a</h1>", "a", id="first-selector"),
        pytest.param("{ select = ['h1', 'h2'], type = 'number' }", "<h1>a</h1><h2>5", 5, id="first-of-the-type"),
        pytest.param('"meta[name=a]"', "<meta name=a content=b>", "b", id="meta"),
        pytest.param('"input"', "<input value=b>", "b", id="input"),
        pytest.param('"p:contains(\\"b\\")"', "<p>a<p>b", "b", id="contains"),
        pytest.param('"> body > p"', "<p>a", "a", id="child-of-the-page"),
        pytest.param("{ select = 'p', all = true }", "<p>a<p> <p>b", ["a", "b"], id="all"),
        pytest.param("{ select = 'i', all = true }", "<p>a", [], id="all-none"),
        pytest.param("{ select = 'p', all = true, type = 'number' }", "<p>1<p>x<p>3", [1, 3], id="all-numbers"),
        pytest.param(
            "{ select = 'p', type = 'html' }", "<p class=a>x<b>y</b>", '<p class="a">x<b>y</b></p>', id="html"
        ),
        pytest.param("{ select = 'p', regex = 'a(.)' }", "<p>xabc", "b", id="group"),
        pytest.param("{ select = 'p', regex = 'a(x)?|b(.)' }", "<p>bcd", "c", id="group-that-took-part"),
        pytest.param("{ select = 'p', regex = 'a.' }", "<p>xabc", "ab", id="whole-match"),
        pytest.param("{ select = 'p', regex = 'q' }", "<p>xabc", None, id="no-match"),
        pytest.param("{ select = 'p', regex = '[0-9]+', all = true }", "<p>a1<p>b<p>c3", ["1", "3"], id="regex-each"),
        pytest.param("{ select = 'p', regex = 'of (.*)', type = 'number' }", "<p>1 of 5", 5, id="regex-then-number"),
        pytest.param("{ select = 'p', default = 'd' }", "<b>a", "d", id="default-nothing-found"),
        pytest.param("{ select = 'p', default = 7, type = 'number' }", "<p>a", 7, id="default-nothing-meant"),
        pytest.param("{ select = 'p', default = 7, type = 'number' }", "<p>0", 0, id="default-not-needed"),
        pytest.param("{ select = 'p', default = ['d'], all = true }", "<b>a", ["d"], id="default-list"),
        pytest.param("{ select = 'p', default = 2024-03-12, type = 'date' }", "<b>a", "2024-03-12", id="default-date"),
        pytest.param("{ select = 'p', type = 'integer' }", "<p>1,234", 1234, id="integer"),
        pytest.param("{ select = 'p', type = 'number', decimal = ',' }", "<p>1.234", 1234, id="decimal"),
        pytest.param("{ select = 'data', type = 'number' }", "<data value=5>five</data>", 5, id="data"),
        pytest.param("{ select = 'data' }", "<data value=5>five</data>", "five", id="data-text"),
        pytest.param("{ select = 'data', type = 'number' }", "<data>6</data>", 6, id="data-without-value"),
        pytest.param("{ select = 'time', type = 'date' }", "<time datetime=2024-03-12>today", "2024-03-12", id="time"),
        pytest.param("{ select = 'time', type = 'date' }", "<time>12 March 2024", "2024-03-12", id="time-text"),
        pytest.param(
            "{ select = 'p', type = 'date', format = '%d/%m/%Y' }", "<p>03/04/2024", "2024-04-03", id="format"
        ),
        pytest.param(
            "{ select = 'a', type = 'url' }", "<a href=' b c '>", "https://books.example/catalogue/b%20c", id="href"
        ),
        pytest.param("{ select = 'img', type = 'url' }", "<img src=/b.png>", "https://books.example/b.png", id="src"),
        pytest.param(
            "{ select = 'a', type = 'url' }",
            "<base href=//c.test/d/><a href=b#é>",
            "https://c.test/d/b#%C3%A9",
            id="base",
        ),
        pytest.param("{ select = 'a', type = 'url' }", "<a href=http://[>", None, id="no-url"),
        pytest.param("{ select = 'p', type = 'url' }", "<p>https://c.test/d", "https://c.test/d", id="url-in-text"),
        pytest.param("{ select = 'p', type = 'url' }", "<p>Read more", None, id="word-is-no-url"),
        pytest.param(
            "{ select = 'a::attr(data-u)', type = 'url' }",
            "<a data-u=b href=c>",
            "https://books.example/catalogue/b",
            id="url-attribute",
        ),
        pytest.param("{ select = 'p', type = 'bool' }", "<p> In stock (22 available)", True, id="in-stock"),
        pytest.param("{ select = 'p', type = 'bool' }", "<p>Sold out!", False, id="sold-out"),
        pytest.param("{ select = 'p', type = 'bool' }", "<p>No", False, id="no"),
        pytest.param("{ select = 'p', type = 'bool' }", "<p>In stock soon", None, id="neither"),
        pytest.param("{ select = 'link', type = 'bool' }", "<link href=x>", True, id="it-is-there"),
        pytest.param("{ select = 'input::attr(checked)', type = 'bool' }", "<input checked>", True, id="checked"),
        pytest.param("{ select = 'input::attr(checked)', type = 'bool' }", "<input>", None, id="not-checked"),
        pytest.param(
            "{ select = 'link::attr(href)', type = 'bool' }",
            "<link href=http://schema.org/OutOfStock>",
            False,
            id="schema",
        ),
        pytest.param(
            "{ select = 'script', type = 'json' }", '<script>{"a": [1, null]}</script>', {"a": [1, None]}, id="json"
        ),
        pytest.param(
            "{ select = 'script', type = 'json', regex = '= (.*);' }",
            "<script>x = [1];</script>",
            [1],
            id="json-in-code",
        ),
        pytest.param("{ select = 'script', type = 'json' }", "<script>{</script>", None, id="no-json"),
        pytest.param(
            "{ select = 'script', type = 'json' }", f"<script>{'[' * 200}{']' * 200}</script>", None, id="deep-json"
        ),
        pytest.param("{ select = 'script', type = 'json' }", f"<script>{'[' * 99999}</script>", None, id="deeper-json"),
        pytest.param(
            "{ select = 'script', type = 'json' }",
            '<script>["\\u0000\\ud800", NaN, 1e999, 36893488147419103232]</script>',
            ["\ufffd\ufffd", None, None, 2.0**65],
            id="hostile-json",
        ),
    ],
)
def test_value(field, html, found):
    """A field of an HTML page is what its selector, regex, type and default make of it."""
    assert value(field, html) == found


@pytest.mark.parametrize(
    ("field", "document", "found"),
    [
        pytest.param('"a.b"', {"a": {"b": 1}}, 1, id="as-it-is"),
        pytest.param('"a"', {"a": [1, {"b": None}]}, [1, {"b": None}], id="list-as-it-is"),
        pytest.param('"a"', {"a": False}, False, id="false"),
        pytest.param('"a"', {"a": " "}, " ", id="blank"),
        pytest.param('"b"', {"a": 1}, None, id="nothing"),
        pytest.param('["b", "a"]', {"a": 1, "b": None}, 1, id="second"),
        pytest.param("{ select = 'a', type = 'text' }", {"a": "x\u0000"}, "x\ufffd", id="text"),
        pytest.param("{ select = 'a', type = 'text' }", {"a": 1.5}, "1.5", id="text-of-number"),
        pytest.param("{ select = 'a', type = 'text' }", {"a": True}, "true", id="text-of-truth"),
        pytest.param("{ select = 'a', type = 'text' }", {"a": {}}, None, id="text-of-object"),
        pytest.param("{ select = 'a', type = 'text' }", {"a": [None, "y"]}, "y", id="first-of-list"),
        pytest.param("{ select = 'a', type = 'json' }", {"a": [1]}, [1], id="json"),
        pytest.param("{ select = 'a', type = 'number' }", {"a": "1.234,5"}, 1234.5, id="number-in-text"),
        pytest.param("{ select = 'a', type = 'number' }", {"a": 5}, 5, id="number"),
        pytest.param("{ select = 'a', type = 'number' }", {"a": True}, None, id="truth-is-no-number"),
        pytest.param("{ select = 'a', type = 'integer' }", {"a": 5.0}, 5, id="integer"),
        pytest.param("{ select = 'a', type = 'integer' }", {"a": 5.5}, None, id="fraction"),
        pytest.param("{ select = 'a', type = 'integer' }", {"a": 2**64}, None, id="too-large"),
        pytest.param("{ select = 'a', type = 'bool' }", {"a": 0}, False, id="bool"),
        pytest.param("{ select = 'a', type = 'bool' }", {"a": "yes"}, True, id="bool-in-text"),
        pytest.param("{ select = 'a', type = 'url' }", {"a": "/b"}, "https://books.example/b", id="url"),
        pytest.param("{ select = 'a', type = 'url' }", {"a": 5}, None, id="number-is-no-url"),
        pytest.param("{ select = 'a', type = 'date' }", {"a": "12 Mar 2024"}, "2024-03-12", id="date"),
        pytest.param("{ select = 'a', type = 'date' }", {"a": 2024}, None, id="number-is-no-date"),
        pytest.param("{ select = 'a[].b', all = true }", {"a": [{"b": 1}, {}, {"b": 2}]}, [1, 2], id="all"),
        pytest.param("{ select = 'a', all = true }", {"a": 1}, [1], id="all-of-one"),
        pytest.param("{ select = 'a', all = true }", {"a": None}, [], id="all-of-none"),
        pytest.param("{ select = 'a', regex = '[0-9]+' }", {"a": "x12"}, "12", id="regex"),
        pytest.param("{ select = 'a', regex = '1' }", {"a": [1]}, None, id="regex-of-list"),
        pytest.param("{ select = 'length(a)', default = 3 }", {"a": 1}, 3, id="function-of-wrong-type"),
        pytest.param('"@"', [1], [1], id="whole"),
        pytest.param('"a"', {"a": 2**64}, 2.0**64, id="large-number"),
    ],
)
def test_json_value(field, document, found):
    """A field of a JSON document is what JMESPath finds, as it is where no type is asked for."""
    assert json_value(field, document) == found


def test_json_document():
    """The same rule syntax takes JSON documents: records of a list, nested ones, and links to follow."""
    page = Page(
        "https://api.test/v1/items?page=1",
        '{"items": [{"id": 1, "by": {"name": "A"}, "tags": ["x"]}, {"id": 2, "by": null}],'
        ' "links": {"next": "?page=2"}}',
        headers=JSON,
    )
    made = run(
        read_rules(
            '[[rule]]\nname = "item"\neach = "items[]"\nfollow = "links.next"\n'
            '[rule.fields]\nid = "id"\ntags = "tags"\n'
            '[rule.fields.by]\nselect = "by"\nfields.name = { select = "name", type = "text" }\n',
            "r.toml",
        ),
        page,
    )
    assert [tuple(one) for one in made] == [
        (
            "item",
            [{"id": 1, "tags": ["x"], "by": {"name": "A"}}, {"id": 2, "tags": None, "by": None}],
            ["https://api.test/v1/items?page=2"],
        )
    ]


def test_broken_json():
    """A page of broken JSON is a ParseError that names it, if a rule is for it, and nothing otherwise."""
    page = Page("http://a.test/", "{", headers=JSON)
    with pytest.raises(ParseError, match=r"http://a\.test/: not JSON"):
        run(rules('a = "a[0]"'), page)
    assert run(rules('a = "a[0]"', 'match = "*/other"'), page) == []


@pytest.mark.parametrize(
    ("field", "is_json", "runs"),
    [
        ('"li a"', False, 1),
        ('"li a"', True, 0),
        ('"a[0]"', True, 1),
        ('"a[0]"', False, 0),
        ('"a"', True, 1),
        ('"a"', False, 1),
    ],
)
def test_language(field, is_json, runs):
    """A rule runs on the pages whose language its selectors are in."""
    page = Page("http://a.test/", "{}", headers=JSON if is_json else [])
    assert len(run(rules(f"a = {field}"), page)) == runs


def test_untouched():
    """No tree is made of a page that no rule takes."""
    page = Page("http://a.test/", "<p>a")
    assert run(rules('a = "p"', 'match = "http://b.test/*"'), page) == []
    assert run(rules('a = "p[0].b"'), page) == []
    assert "soup" not in vars(page)


def test_itself():
    """Within `each`, a selector that begins with `::`, and `.`, are the match itself; `>` are its own children."""
    page = Page(URL, "<a href=/b>b<i>c</i></a><a href=/d><b><i>d</i></b></a>")
    fields = 'text = "::text"\nsame = "."\nhref = "::attr(href)"\nurl = { select = ".", type = "url" }\nchild = "> i"'
    assert run(rules(fields, 'each = "a"'), page)[0].records == [
        {"text": "bc", "same": "bc", "href": "/b", "url": "https://books.example/b", "child": "c"},
        {"text": "d", "same": "d", "href": "/d", "url": "https://books.example/d", "child": None},
    ]


def test_nested():
    """A field with fields is a record within the record: of the element itself, of the first match, or of all."""
    html = "<div><h2>t</h2><p class=a>x <b>1</b></p><p class=a>y</p></div>"
    fields = """
    [rule.fields.head.fields]
    title = "h2"
    [rule.fields.first]
    select = "p.a"
    fields.number = { select = "b", type = "number" }
    [rule.fields.all]
    select = "p.a"
    all = true
    [rule.fields.all.fields]
    text = "."
    inner.fields.number = { select = "b", type = "number" }
    [rule.fields.none]
    select = ["h5", "h6"]
    fields.a = "b"
    [rule.fields.nones]
    select = "h6"
    all = true
    fields.a = "b"
    [rule.fields.strict]
    select = "p.a"
    all = true
    fields.number = { select = "b", required = true }
    """
    assert record(fields, Page(URL, html), 'each = "div"') == {
        "head": {"title": "t"},
        "first": {"number": 1},
        "all": [{"text": "x 1", "inner": {"number": 1}}, {"text": "y", "inner": {"number": None}}],
        "none": None,
        "nones": [],
        "strict": [{"number": "1"}],
    }


@pytest.mark.parametrize(
    "field",
    [
        "{ select = 'b', required = true }",
        "{ select = 'b', required = true, all = true }",
        "{ select = 'b', required = true, fields = { y = '.' } }",
    ],
)
def test_required(field):
    """A record in which a required field is empty is dropped."""
    page = Page(URL, "<p>a</p><p>c <b>d</b></p>")
    (made,) = run(rules(f'text = "."\nx = {field}', 'each = "p"'), page)
    assert [one["text"] for one in made.records] == ["c d"]


@pytest.mark.parametrize(
    ("follow", "found"),
    [
        ('"a"', ["https://c.test/x", "https://books.example/catalogue/y"]),
        ('["a.none", "a.y"]', ["https://books.example/catalogue/y"]),
        ('{ select = "a::attr(data-next)" }', ["https://books.example/z"]),
        ('"p"', []),
    ],
)
def test_follow(follow, found):
    """What is followed are absolute URLs on the web, each once; a rule may do nothing else."""
    html = "<a href=https://c.test/x#a>1<a href=y class=y data-next=/z>2"
    html += "<a href=javascript:x>3<a href=http://[>4<a href=y>5<p>x"
    (made,) = run(read_rules(f'[[rule]]\nname = "next"\nfollow = {follow}', "r.toml"), Page(URL, html))
    assert (made.records, made.follow) == ([], found)


@pytest.mark.parametrize("builder", ["turbo", "lxml", "html5lib", "html.parser"])
def test_builders(builder):
    """Rules make the same records of a page whatever builds its tree."""
    (made,) = run(read_rules(DESIGN, "shop.toml"), Page(URL, f"<html><body>{SHOP}</body></html>", builder=builder))
    assert [one["price"] for one in made.records] == [1051.77, None]
    assert made.records[0]["tags"] == ["x", "y z"]


def test_most_records(monkeypatch):
    """A page makes at most so many records of a rule."""
    monkeypatch.setattr(making, "MOST_RECORDS", 3)
    (made,) = run(rules('a = "."', 'each = "p"'), Page(URL, "<p>a" * 5))
    assert len(made.records) == 3


def test_most_text(monkeypatch):
    """A page whose records would hold far more text than itself is a ParseError that names the rule."""
    monkeypatch.setattr(records_module, "MOST_TEXT", 100_000)
    page = Page(URL, "<div>" * 500 + "x" * 1000)
    with pytest.raises(ParseError, match="rule r: its records on this page hold more than"):
        run(rules('a = "."', 'each = "div"'), page)


@pytest.mark.parametrize("tell", [run, explain])
def test_blame(monkeypatch, tell):
    """What goes wrong in matching is a ParseError that names the rule; memory that runs out stays what it is."""

    def fail(error):
        def select(*_):
            raise error

        monkeypatch.setattr("scraper.parse.select.Index.select", select)

    fail(RecursionError("too deep"))
    with pytest.raises(ParseError, match=r"rule r: RecursionError: too deep"):
        tell(rules('a = "p:empty"'), Page(URL, "<p>"))
    fail(MemoryError())
    with pytest.raises(MemoryError):
        tell(rules('a = "p:empty"'), Page(URL, "<p>"))


def test_long_text():
    """A text of more than a MiB is cut."""
    assert len(value('"p"', "<p>" + "x" * 2_000_000)) == 1_048_576


def test_deep_page():
    """A page of any depth makes records, without an error of recursion."""
    depth = sys.getrecursionlimit() * 20
    page = Page(URL, "<div>" * depth + "x")
    made = record('a = "div"\nb = { select = "div", type = "html" }\nc = "."', page)
    assert (made["a"], made["b"].count("<div>"), made["c"]) == ("x", depth, "x")


NAMES = ("p", "b", "a", "div", "time", "script", "meta", "data", "img", "template", "svg", "table", "td", "input")
ATTRIBUTES = (
    "",
    " class=x",
    " href=y",
    " href='http://['",
    " value=1",
    " content='\0'",
    " datetime=2024-03-12",
    " src",
)
documents = st.lists(
    st.one_of(
        st.builds("<{}{}>".format, st.sampled_from(NAMES), st.sampled_from(ATTRIBUTES)),
        st.sampled_from(NAMES).map("</{}>".format),
        st.sampled_from([
            "1",
            "1.234,5 €",
            "x\ud800",
            "\0",
            "{}",
            "[1e999]",
            " ",
            "In stock",
            "2024-03-12",
            "<!--c-->",
        ]),
    ),
    max_size=25,
).map("".join)
EVERYTHING = "\n".join(
    f'{kind}{number} = {{ select = "{css}", type = "{kind}", all = {many} }}'
    for kind in ("text", "html", "number", "integer", "url", "date", "bool", "json")
    for number, (css, many) in enumerate([
        (".", "false"),
        ("*", "true"),
        ("[href]::attr(href)", "true"),
        ("p > b", "false"),
    ])
)
RULES = (
    *rules(EVERYTHING, 'each = "p, div, td"\nfollow = "a, img"'),
    *rules(
        "a.select = '*'\na.all = true\na.fields.b = { select = 'b', required = true }\n"
        "c = { select = 'q', default = 'd' }"
    ),
)
JSON_RULES = rules(
    "any = '@'\nodd = 'sort(a)'\n"
    + "\n".join(
        f"{kind} = {{ select = 'a[].b', type = '{kind}', all = true }}"
        for kind in ("text", "number", "integer", "url", "date", "bool", "json")
    ),
    "each = 'not_null(a[], @)'",
)


@given(documents)
def test_plain(html):
    """Whatever the page, records are built-in types that JSON and UTF-8 take; `explain` tells those very records."""
    made = run(RULES, Page(URL, html))
    json.dumps([one.records for one in made], allow_nan=False, ensure_ascii=False).encode()
    assert all(type(text) is str for one in made for text in _texts(one.records))
    told = explain(RULES, Page(URL, html))
    assert [one.records for one in made] == [
        [each.record for each in one.records if each.record is not None] for one in told
    ]
    assert [one.follow for one in made] == [list(one.follow) for one in told]


def _texts(value):
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just("\ud800")),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.sampled_from(["a", "b", "\0"]), inner)),
        max_leaves=12,
    )
)
def test_plain_json(document):
    """Whatever the JSON document, records are what every database takes."""
    found = run(JSON_RULES, Page(URL, json.dumps(document), headers=JSON))
    json.dumps([one.records for one in found], allow_nan=False, ensure_ascii=False).encode()


def test_a_number_keeps_its_spaces():
    """A space that does not break groups the digits of an element's number; any other white space is one space."""
    assert value('{select = "p", type = "number"}', "<p>iPhone 12\n 12&nbsp;500") == 12
    assert value('{select = "p", type = "number"}', "<p>\n 12&nbsp;500 \n") == 12500
