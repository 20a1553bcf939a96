import pickle
import re

import pytest

from scraper.errors import ConfigError
from scraper.parse.rules import read_rules

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
RULE = '[[rule]]\nname = "book"\n'
FIELDS = f"{RULE}[rule.fields]\n"
BOOK = 'shop.toml:{}: rule "book"{}: '


def mistakes(text):
    """What is told of a file that is wrong."""
    with pytest.raises(ConfigError) as caught:
        read_rules(text, "shop.toml")
    return str(caught.value)


def test_design():
    """The example of the design is a rule for HTML pages with its fields and what to follow."""
    (rule,) = read_rules(DESIGN, "shop.toml")
    assert (rule.name, rule.html, rule.json) == ("book", True, False)
    assert [(field.name, field.kind, field.all) for field in rule.fields] == [
        ("title", None, False),
        ("price", "number", False),
        ("tags", None, True),
        ("url", "url", False),
    ]
    assert rule.each.css == "article.product"
    assert (rule.fields[0].selectors[0].css, rule.fields[0].selectors[0].attr) == ("h3 a", "title")
    assert [selector.css for selector in rule.follow] == ["li.next a"]


@pytest.mark.parametrize(
    "text", [DESIGN.replace("\n", "\r\n"), "\ufeff" + DESIGN, DESIGN.replace("[[rule]]", "[rule]")]
)
def test_other_spellings(text):
    """Windows line ends, a byte order mark, and a single table for the only rule mean the same."""
    assert read_rules(text, "shop.toml") == read_rules(DESIGN, "other.toml")


@pytest.mark.parametrize(
    ("match", "url", "takes"),
    [
        ('"http://a.test/*"', "http://a.test/b", True),
        ('"http://a.test/*"', "xhttp://a.test/b", False),
        ('"*/b"', "http://a.test/b/c", False),
        ('"*/b?"', "http://a.test/bc", False),
        ('"*/b?"', "http://a.test/b?", True),
        ('"re:/b[0-9]$"', "http://a.test/b1", True),
        ('"re:^/b"', "http://a.test/b1", False),
        ('["*/x", "re:/b"]', "http://a.test/b", True),
        ('["*/x", "*/y"]', "http://a.test/b", False),
    ],
)
def test_match(match, url, takes):
    """A glob is for the whole URL and knows only `*`, an expression is searched for, of a list any may match."""
    (rule,) = read_rules(f'{RULE}match = {match}\nfields.a = "p"', "shop.toml")
    assert rule.takes(url) is takes


def test_every_page():
    """A rule without match takes every page."""
    assert read_rules(f'{FIELDS}a = "p"', "shop.toml")[0].takes("http://a.test/")


@pytest.mark.parametrize(
    ("fields", "html", "json"),
    [
        ('a = "li.next a"', True, False),
        ('a = "items[0].name"', False, True),
        ('a = "title"', True, True),
        ('a = "title"\nb = "p::text"', True, False),
        ('a = "title"\nb = "@"', False, True),
        ('a = "."', True, True),
        ('a = { fields = { b = "x > y" } }', True, False),
        ('a = "title"\n[rule.follow]\nselect = "links[].href"', False, True),
    ],
)
def test_language(fields, html, json):
    """A rule is for HTML pages if all its selectors are CSS, for JSON documents if all are JMESPath, else for both."""
    (rule,) = read_rules(FIELDS + fields, "shop.toml")
    assert (rule.html, rule.json) == (html, json)
    assert (rule.fits(is_json=False), rule.fits(is_json=True)) == (html, json)


@pytest.mark.parametrize("document", ["html", "json"])
def test_document(document):
    """`document` says which, where a rule's selectors could be either."""
    (rule,) = read_rules(f'{RULE}document = "{document}"\nfields.a = "title"', "shop.toml")
    assert (rule.html, rule.json) == (document == "html", document == "json")


def test_pickles():
    """Rules can be sent to another process."""
    rules = read_rules(f'{DESIGN}[[rule]]\nname = "api"\nfields.a = "a[0].b"', "shop.toml")
    sent = pickle.loads(pickle.dumps(rules))
    assert sent == rules
    assert sent[1].fields[0].selectors[0].path.search({"a": [{"b": 1}]}) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "shop.toml:1: there is no rule; a rule begins with [[rule]]", id="empty"),
        pytest.param("# x\n\n", "shop.toml:1: there is no rule", id="only-comments"),
        pytest.param("rule = []", "shop.toml:1: there is no rule", id="no-rules"),
        pytest.param("[[rules]]\n", 'shop.toml:1: unknown key "rules"; a rule begins with [[rule]]', id="rules"),
        pytest.param("\nrule = 5", "shop.toml:2: a rule is a table", id="no-table"),
        pytest.param("rule = [1]", "shop.toml:1: a rule is a table", id="list-of-other"),
        pytest.param('[[rule]]\nfields.a = "p"', "shop.toml:1: rule 1: it needs a name", id="no-name"),
        pytest.param('[[rule]]\nname = 5\nfields.a = "p"', "shop.toml:2: rule 1: name must be a text", id="name-type"),
        pytest.param('[[rule]]\nname = " "\nfields.a = "p"', "shop.toml:2: rule 1: name must be a", id="name-empty"),
        pytest.param(RULE, BOOK.format(1, "") + "it has no fields", id="no-fields"),
        pytest.param(FIELDS, BOOK.format(3, "") + "there are no fields", id="empty-fields"),
        pytest.param(f"{RULE}fields = 5", BOOK.format(3, "") + "fields must be a table", id="fields-type"),
        pytest.param(
            f'{FIELDS}a = "p"\n{FIELDS}a = "p"',
            BOOK.format(6, "") + "another rule has this name, in line 2",
            id="two-of-one-name",
        ),
        pytest.param(
            f'{RULE}mach = "x"\nfields.a = "p"',
            BOOK.format(3, "") + 'unknown key "mach"; did you mean "match"?',
            id="key",
        ),
        pytest.param(
            f'{RULE}zzz = "x"\nfields.a = "p"', BOOK.format(3, "") + 'unknown key "zzz"; known here: name', id="far-key"
        ),
        pytest.param(f'{RULE}match = 5\nfields.a = "p"', BOOK.format(3, "") + "match must be a text", id="match-type"),
        pytest.param(
            f'{RULE}match = []\nfields.a = "p"', BOOK.format(3, "") + "match is an empty list", id="match-list"
        ),
        pytest.param(
            f'{RULE}match = [\n"*",\n" x"]\nfields.a = "p"',
            BOOK.format(5, "") + "match ' x' has white space",
            id="match-space",
        ),
        pytest.param(f'{RULE}match = ""\nfields.a = "p"', BOOK.format(3, "") + "match is empty", id="match-empty"),
        pytest.param(
            f'{RULE}match = "re:("\nfields.a = "p"',
            BOOK.format(3, "") + "match '(' is no regular expression: missing )",
            id="match-re",
        ),
        pytest.param(
            f'{RULE}match = "re:"\nfields.a = "p"',
            BOOK.format(3, "") + "match is an empty regular",
            id="match-re-empty",
        ),
        pytest.param(
            f'{RULE}each = "a["\nfields.a = "p > a"',
            BOOK.format(3, "") + "each `a[` is no CSS selector: Malformed attribute selector at position 1",
            id="each",
        ),
        pytest.param(
            f'{RULE}each = "a::text"\nfields.a = "p"', BOOK.format(3, "") + "each is for elements", id="each-text"
        ),
        pytest.param(
            f'{RULE}each = "a::attr(x)"\nfields.a = "p"', BOOK.format(3, "") + "each is for elements", id="each-attr"
        ),
        pytest.param(f'{RULE}each = ["a"]\nfields.a = "p"', BOOK.format(3, "") + "each must be a text", id="each-type"),
        pytest.param(
            f'{RULE}document = ["x"]\nfields.a = "p"',
            BOOK.format(3, "") + 'document must be "html" or "json"',
            id="document",
        ),
        pytest.param(f"{RULE}follow = {{}}", BOOK.format(3, "") + "follow needs a selector", id="follow-empty"),
        pytest.param(f'{RULE}follow = "a::text"', BOOK.format(3, "") + "follow is for links", id="follow-text"),
        pytest.param(f"{RULE}follow = 5", BOOK.format(3, "") + "follow must be a selector", id="follow-type"),
        pytest.param(
            f'{RULE}[rule.follow]\nselect = "a"\nmax = 5',
            BOOK.format(5, "") + 'unknown key "max"; known here: select',
            id="follow-key",
        ),
        pytest.param("x = " + "[" * 5000 + "]" * 5000, "shop.toml:1: not TOML: nested too deep", id="deep"),
    ],
)
def test_mistakes_of_a_rule(text, message):
    """What is wrong with a rule is told with file, line and rule."""
    assert mistakes(text).startswith(message)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        pytest.param('{ select = ".x", type = "nmber" }', '"nmber" is no type; did you mean "number"?', id="type"),
        pytest.param(
            '{ select = ".x", type = "qqq" }', '"qqq" is no type; known are text, html, number', id="far-type"
        ),
        pytest.param('{ select = ".x", type = 5 }', "type must be a text", id="type-type"),
        pytest.param('"a["', "select `a[` is no CSS selector: Malformed attribute selector at position 1", id="css"),
        pytest.param('["p",\n"p:foo"]', "select `p:foo` is no CSS selector: ':foo' was detected", id="css-in-list"),
        pytest.param('"a::before"', "select `a::before` is no CSS selector: after `::` only text", id="pseudo-element"),
        pytest.param(
            '"a::attr(x), b::attr(y)"',
            "select `a::attr(x), b::attr(y)` is no CSS selector: it gives several",
            id="two-attributes",
        ),
        pytest.param(
            '"a::attr(x), b > c"',
            "select `a::attr(x), b > c` is no CSS selector: what stands behind",
            id="half-attribute",
        ),
        pytest.param('""', "select `` is no CSS selector: it is empty", id="empty"),
        pytest.param("[]", "select is an empty list", id="empty-list"),
        pytest.param("[5]", "select must be a selector or a list of them, not 5", id="selector-type"),
        pytest.param("5", "a field is a selector or a table with select, not 5", id="field-type"),
        pytest.param('{ type = "url" }', "it needs a selector", id="no-select"),
        pytest.param('{ selct = ".x" }', 'unknown key "selct"; did you mean "select"?', id="key"),
        pytest.param('{ select = ".x", attr = "y" }', 'unknown key "attr"; write it in the selector', id="attr"),
        pytest.param('{ select = ".x", all = "yes" }', "all must be true or false, not 'yes'", id="flag"),
        pytest.param('{ select = ".x", required = 1 }', "required must be true or false, not 1", id="required"),
        pytest.param('{ select = ".x", regex = "(" }', "regex '(' is no regular expression: missing )", id="regex"),
        pytest.param('{ select = ".x", regex = 5 }', "regex must be a text, not 5", id="regex-type"),
        pytest.param('{ select = ".x", format = "%d" }', "format is for dates", id="format"),
        pytest.param(
            '{ select = ".x", type = "date", format = ["%d/%m"] }', "format '%d/%m' names no year", id="format-year"
        ),
        pytest.param('{ select = ".x", type = "date", format = 5 }', "format must be a text", id="format-type"),
        pytest.param('{ select = ".x", type = "date", format = [] }', "format is an empty list", id="format-list"),
        pytest.param('{ select = ".x", decimal = "," }', "decimal is for numbers", id="decimal"),
        pytest.param(
            '{ select = ".x", type = "number", decimal = [] }', "decimal is the decimal mark", id="decimal-type"
        ),
        pytest.param(
            '{ select = ".x", required = true, default = "y" }', "default and required exclude", id="default-required"
        ),
        pytest.param('{ select = ".x", all = true, default = "y" }', "default must be a list", id="default-all"),
        pytest.param(
            '{ select = ".x", all = true, default = [5], type = "text" }',
            "default must be a text, not 5",
            id="default-part",
        ),
        pytest.param(
            '{ select = ".x", default = [1] }', "default must be a text, a number, true or false", id="default-any"
        ),
        pytest.param(
            '{ select = ".x", type = "number", default = "5" }',
            "default must be a number, not '5'",
            id="default-number",
        ),
        pytest.param(
            '{ select = ".x", type = "number", default = nan }', "default must be a number, not nan", id="default-nan"
        ),
        pytest.param(
            '{ select = ".x", type = "integer", default = 1.5 }', "default must be a whole number", id="default-integer"
        ),
        pytest.param(
            '{ select = ".x", type = "bool", default = 1 }', "default must be true or false", id="default-bool"
        ),
        pytest.param('{ select = ".x", type = "date", default = "12" }', "default must be a date", id="default-date"),
        pytest.param('{ select = ".x", type = "url", default = 5 }', "default must be a text", id="default-url"),
        pytest.param(
            '{ select = ".x", type = "json", default = 2024-03-12 }',
            "default must be a value that JSON",
            id="default-json",
        ),
        pytest.param('{ select = "p::text", type = "html" }', "select is for links", id="html-text"),
        pytest.param('{ fields = { a = "p" }, type = "text" }', "type and fields exclude each other", id="nested-type"),
        pytest.param('{ fields = { a = "p" }, all = true }', "all needs select", id="nested-all"),
        pytest.param('{ fields = { a = "p" }, select = "a::text" }', "select is for elements", id="nested-text"),
    ],
)
def test_mistakes_of_a_field(field, message):
    """What is wrong with a field is told with file, line, rule and field."""
    told = mistakes(f'{FIELDS}title = "h1 > a"\nprice = {field}')
    assert re.match(r'shop\.toml:[56]: rule "book", field "price": ' + re.escape(message), told)
    assert "\n" not in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{FIELDS}a = "a[0]"\nb = "li a"\nc = "ul b"', BOOK.format(4, ', field "a"') + "select `a[0]` is no CSS"),
        (
            f'{FIELDS}a = "a[0]"\nb = "b[0]"\nc = "ul b"',
            BOOK.format(6, ', field "c"') + "select `ul b` is no JMESPath: ",
        ),
        (
            f'{RULE}document = "json"\nfields.b = "li a"',
            BOOK.format(4, ', field "b"') + "select `li a` is no JMESPath: Unexpected token: a: Parse error at",
        ),
        (f'{RULE}document = "html"\nfields.b = "a[0]"', BOOK.format(4, ', field "b"') + "select `a[0]` is no CSS"),
        (
            f'{FIELDS}a = "a[0]"\nb = "nope(@)"',
            BOOK.format(5, ', field "b"') + "select `nope(@)` is no JMESPath: it has no",
        ),
        (
            f'{FIELDS}a = "a[0]"\nb = "length(a, b)"',
            BOOK.format(5, ', field "b"') + "select `length(a, b)` is no JMESPath: l",
        ),
    ],
    ids=["css", "jmespath", "document-json", "document-html", "function", "arguments"],
)
def test_mixed_languages(text, message):
    """A rule in two languages names the selectors that are not in the one of most, and why not."""
    assert mistakes(text).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{FIELDS}a = "p"\na = "q"', BOOK.format(5, ', field "a"') + "not TOML: Cannot overwrite a value"),
        (f'{FIELDS}"a b" = {{ select = "p"', BOOK.format(4, ', field "a b"') + "not TOML: Unclosed inline table"),
        (f"{RULE}[rule.fields.a]\nselect = p", BOOK.format(4, ', field "a"') + "not TOML: Invalid value, column 10"),
        (f'{FIELDS}a = """p\n\n', BOOK.format(4, ', field "a"') + "not TOML:"),
        (f"{RULE}[rule.follow]\nselect = p", BOOK.format(4, "") + "not TOML: Invalid value"),
        (f'{RULE}[rule.fields]\n[[rule]]\nname = "b\n', "shop.toml:5: rule 2: not TOML: Illegal character"),
        ("x = = 5", "shop.toml:1: not TOML: Invalid value"),
    ],
    ids=["twice", "unclosed", "table", "end", "follow", "second-rule", "no-rule"],
)
def test_syntax(text, message):
    """What is no TOML is told with its line, and with the rule and field that the line belongs to."""
    assert mistakes(text).startswith(message)


def test_nested_mistake():
    """A field within a record within a record is named by its way."""
    text = f'{RULE}[rule.fields.author.fields.born.fields]\nat = {{ select = "p", type = "dat" }}'
    assert mistakes(text) == BOOK.format(4, ', field "author.born.at"') + '"dat" is no type; did you mean "date"?'


@pytest.mark.parametrize(("levels", "fine"), [(8, True), (9, False)])
def test_depth(levels, fine):
    """Records go eight levels deep."""
    text = RULE + "fields = " + "{ a = { fields = " * (levels - 1) + '{ a = "p" }' + " } }" * (levels - 1)
    assert fine is bool(read_rules(text, "shop.toml")) if fine else "8 levels deep at most" in mistakes(text)


def test_all_at_once():
    """All mistakes of a file are told at once, each on a line, in their order."""
    told = mistakes(
        f'{FIELDS}a = "p["\n[[rule]]\nname = "two"\neach = 5\n[rule.fields]\nb = {{ select = "p", tpe = "x" }}'
    )
    assert [line.split(": ")[:2] for line in told.splitlines()] == [
        ["shop.toml:4", 'rule "book", field "a"'],
        ["shop.toml:7", 'rule "two"'],
        ["shop.toml:9", 'rule "two", field "b"'],
    ]
