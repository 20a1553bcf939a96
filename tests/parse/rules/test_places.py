import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.rules.places import find_places

TEXT = '''\
# a comment with [table] and = in it
[[rule]]
name = "a # no comment"
match = [
    "x",  # one
    "]y",

    """z
]""",
]
[rule.fields]
one.select = "a"
one."ty pe" = 'b'
two = { select = ["p", [
    "q"]], type = "]",
  all = true }
when = 2024-03-12 10:00:00
text = \'\'\'
[rule]
name = 1\'\'\'
[rule.fields.author.fields]
name = """ends in quotes"""""
[[rule]]
name = "b"
[rule.fields]
"quoted \\u0041" = "c"
[ rule . follow ]
select = "d"
'''.replace(",\n  all", ", all")  # no line ends between the keys of an inline table, by TOML 1.0


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("rule",), 2),
        (("rule", 0), 2),
        (("rule", 0, "name"), 3),
        (("rule", 0, "match"), 4),
        (("rule", 0, "match", 0), 5),
        (("rule", 0, "match", 1), 6),
        (("rule", 0, "match", 2), 8),
        (("rule", 0, "fields"), 11),
        (("rule", 0, "fields", "one"), 12),
        (("rule", 0, "fields", "one", "select"), 12),
        (("rule", 0, "fields", "one", "ty pe"), 13),
        (("rule", 0, "fields", "two", "select", 0), 14),
        (("rule", 0, "fields", "two", "select", 1, 0), 15),
        (("rule", 0, "fields", "two", "type"), 15),
        (("rule", 0, "fields", "two", "all"), 15),
        (("rule", 0, "fields", "when"), 16),
        (("rule", 0, "fields", "text"), 17),
        (("rule", 0, "fields", "author"), 20),
        (("rule", 0, "fields", "author", "fields", "name"), 21),
        (("rule", 1), 22),
        (("rule", 1, "name"), 23),
        (("rule", 1, "fields", "quoted A"), 25),
        (("rule", 1, "follow", "select"), 27),
    ],
    ids=str,
)
def test_line(path, line):
    """Each key and element has the line where it stands, in tables, arrays and strings of every form."""
    assert find_places(TEXT)[path] == line


def test_only_what_stands_there():
    """What looks like a key within a string or a comment is none."""
    assert set(_paths(tomllib.loads(TEXT), ())) == set(find_places(TEXT))


def _paths(value, path):
    if path:
        yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from _paths(part, (*path, key))


keys = st.sampled_from(["a", "b-c", '"d.e"', "'f g'", '"\\u0068"'])
values = st.recursive(
    st.sampled_from(["1", '"x = ]"', "'#'", '"""\n"{\n"""', "'''a\n[b]'''", "true", "2024-03-12T10:00:00Z", '"\\""']),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda many: "[\n" + "".join(f"{one},# ]\n" for one in many) + "]"),
        st.dictionaries(keys, inner, max_size=3).map(
            lambda table: "{ " + ", ".join(f"{key} = {one}" for key, one in table.items()) + " }"
        ),
    ),
    max_leaves=6,
)


@given(st.dictionaries(keys, values, max_size=4), st.lists(st.dictionaries(keys, values, max_size=3), max_size=3))
def test_any_file(top, tables):
    """In any TOML text exactly the keys and elements that tomllib finds are found, in lines that do not go back."""
    text = "".join(f"{key} = {value}\n" for key, value in top.items())
    for table in tables:
        text += "[[list]] # x\n" + "".join(f"{key} = {value}\n" for key, value in table.items())
    found = find_places(text)
    assert set(_paths(tomllib.loads(text), ())) == set(found)
    assert list(found.values()) == sorted(found.values())
