import json

import pytest

from scraper.parse import Page
from scraper.parse.rules import explain, explaining, making, read_rules

URL = "https://a.test/x"
NO_URL = "URL; name the attribute that has it, as in `::attr(href)`"
HTML = """<ul class=list><li><a>one</a><b>sold out</b></li><li><a title=t href=/t>two</a><b>n/a</b></li></ul>
<p class=price>5</p><i></i><i title=''></i>"""


def told(fields, page, head=""):
    """What is told of a rule of these fields."""
    text = f'[[rule]]\nname = "r"\n{head}\n' + (f"[rule.fields]\n{fields}" if fields else "")
    (one,) = explain(read_rules(text, "r.toml"), page)
    return one


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ('".price"', "5", None),
        ('".none"', None, "no element matches `.none`"),
        ('".none::attr(x)"', None, "no element matches `.none`"),
        ('["h1", ".none"]', None, "no element matches `h1`"),
        (
            '"ul.list > li.item b"',
            None,
            "no element matches `ul.list > li.item b` (`ul.list` matches 1 element)",
        ),
        ('"ul li > a em"', None, "no element matches `ul li > a em` (`ul li > a` matches 2 elements)"),
        ('"p.price > em, h1"', None, "no element matches `p.price > em, h1`"),
        ('"li a:not([title])::attr(title)"', None, "matches 1 element, which has no attribute `title`"),
        ('"li::attr(title)"', None, "matches 2 elements, which have no attribute `title`"),
        ('"i + i::attr(title)"', None, "matches 1 element, which has no value in the attribute `title`"),
        ('"i"', None, "matches 2 elements, which have no text"),
        ("{ select = 'b', type = 'url' }", None, f"matches 2 elements, which have no {NO_URL}"),
        ("{ select = 'li a:not([href])', type = 'url' }", None, "matches 1 element, which has no attribute `href`"),
        ("{ select = 'b', regex = '[0-9]+' }", None, "the regex '[0-9]+' does not match 'sold out'"),
        ("{ select = 'b', type = 'number' }", None, "'sold out' is no number"),
        ("{ select = 'b', type = 'integer' }", None, "'sold out' is no whole number of 64 bits"),
        ("{ select = 'b', type = 'date' }", None, "'sold out' is no date of one meaning"),
        ("{ select = 'b', type = 'date', format = '%x' }", None, "'sold out' is no date of the format %x"),
        ("{ select = 'a', type = 'bool' }", None, "'one' is neither true nor false"),
        ("{ select = 'a', type = 'json' }", None, "'one' is no JSON"),
        ("{ select = 'b', type = 'number', default = 3 }", 3, "'sold out' is no number; default used"),
        ("{ select = 'b, p', type = 'number', all = true }", [5], "2 of 3 are left out: 'sold out' is no number"),
        ("{ select = 'em', all = true }", [], "no element matches `em`"),
    ],
)
def test_why(field, value, why):
    """An empty field tells why, and how much of its selector still matches."""
    (record,) = told(f"x = {field}", Page(URL, HTML)).records
    ((name, _, found, reason),) = record.fields
    assert (name, found, reason) == ("x", value, why)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ('"a.b"', 1, None),
        ('"a.c"', None, "nothing is at `a.c` (`a` is there)"),
        ('"l[5].x"', None, "nothing is at `l[5].x` (`l` is there)"),
        ('"none"', None, "nothing is at `none`"),
        ('"length(n)"', None, "nothing is at `length(n)` (In function length(), invalid type for value: 1, "),
        ("{ select = 'a', type = 'text' }", None, "an object is no text; use type json"),
        ("{ select = 'l', type = 'number' }", None, "null"),
    ],
)
def test_why_in_json(field, value, why):
    """An empty field of a JSON document tells why, and which leading part of its expression is there."""
    page = Page(URL, json.dumps({"a": {"b": 1}, "l": [{}], "n": 1}), headers=[("content-type", "application/json")])
    (record,) = told(f"x = {field}", page, 'document = "json"').records
    found = record.fields[0]
    assert found.value == value
    assert found.why == why or found.why.startswith(why if why != "null" else "an object is no number")


def test_selector():
    """A field tells the selector that gave its value."""
    (record,) = told('x = ["h1", ".price::text"]', Page(URL, HTML)).records
    assert record.fields[0].selector == ".price::text"
    assert record.record == {"x": "5"}


def test_elsewhere():
    """A selector that finds something only outside of `each` is told so."""
    one = told('x = ".price"', Page(URL, HTML), 'each = "li"')
    assert (one.each, one.found, len(one.records)) == ("li", 2, 2)
    assert one.records[0].fields[0].why == (
        "no element matches `.price` "
        "(on the whole page it matches 1 element, but none within what `each` or `select` found)"
    )


def test_nested():
    """Fields within fields are told by their way, and so are records that are left out."""
    fields = "l.select = 'li'\nl.all = true\nl.fields.t = { select = 'a::attr(title)', required = true }\n"
    fields += "n.select = 'h1'\nn.fields.a = 'b'"
    (record,) = told(fields, Page(URL, HTML)).records
    assert record.record == {"l": [{"t": "t"}], "n": None}
    assert [(name, value) for name, _, value, _ in record.fields] == [
        ("l[0].t", None),
        ("l", None),
        ("l[1].t", "t"),
        ("n", None),
    ]
    assert record.fields[1].why == "no record: l[0].t is required"
    assert record.fields[3].why == "no element matches `h1`"


def test_dropped():
    """A record that is dropped names the required field that is empty."""
    one = told("x = { select = 'a::attr(title)', required = true }", Page(URL, HTML), 'each = "li"')
    assert [(record.record, record.dropped) for record in one.records] == [
        (None, "the required field x is empty"),
        ({"x": "t"}, None),
    ]


@pytest.mark.parametrize(
    ("head", "is_json", "takes", "fits", "note"),
    [
        ('match = "*/y"', False, False, True, "no match takes https://a.test/x"),
        ('match = "*/x"', True, True, False, "its selectors are not for a JSON document"),
        ('document = "json"', False, True, False, "its selectors are not for an HTML page"),
    ],
)
def test_not_taken(head, is_json, takes, fits, note):
    """A rule that does not look at the page is told too, and why."""
    headers = [("content-type", "application/json")] if is_json else []
    one = told('x = "p"' if "json" in head else 'x = "p > b.c"', Page(URL, "{}", headers=headers), head)
    assert (one.takes, one.fits, one.records, one.notes) == (takes, fits, (), (note,))


@pytest.mark.parametrize(
    ("head", "follow", "notes"),
    [
        ('each = "ul > dd a"', [], ["each: no element matches `ul > dd a` (`ul` matches 1 element)"]),
        ('follow = "li a"', ["https://a.test/t"], []),
        ('follow = "nav a"', [], ["follow: no element matches `nav a`"]),
        ('follow = "b"', [], [f"follow: matches 2 elements, which have no {NO_URL}"]),
    ],
)
def test_notes(head, follow, notes):
    """An `each` that finds nothing, and a `follow` that leads nowhere, are told."""
    one = told('x = "p"', Page(URL, HTML), head)
    assert (list(one.follow), list(one.notes)) == (follow, notes)


def test_no_web():
    """A `follow` that finds only what is not on the web says so."""
    one = told('x = "p"', Page(URL, "<a href=mailto:x@y.test>m</a>"), 'follow = "a"')
    assert one.notes == ("follow: `a` finds nothing that is a URL on the web",)


def test_cut(monkeypatch):
    """More matches than records may be made are told."""
    monkeypatch.setattr(making, "MOST_RECORDS", 1)
    monkeypatch.setattr(explaining, "MOST_RECORDS", 1)
    one = told('x = "."', Page(URL, HTML), 'each = "li"')
    assert len(one.records) == 1
    assert one.notes == ("each: finds more than 1; the first 1 are made records",)


def test_hints_are_bounded(monkeypatch):
    """Only so many records are looked into for what a selector would match."""
    monkeypatch.setattr(explaining, "MOST_HINTED", 1)
    one = told('x = "b em"', Page(URL, HTML), 'each = "li"')
    assert [record.fields[0].why for record in one.records] == [
        "no element matches `b em` (`b` matches 1 element)",
        "no element matches `b em`",
    ]
