import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.parse import jsontext
from scraper.parse.jsontext import objects, tolerant

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
leaves = st.one_of(*(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
))
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=6)
PIECES = (
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        ";",
        '"',
        "'",
        "\\",
        "a",
        "1",
        "-",
        ".5",
        "e9",
        "null",
        "NaN",
        "\n",
        "\0",
        "\ud800",
    ),
    *("/*", "*/", "//", "<!--", "-->", "<![CDATA[", "]]>", "&quot;", "\\u12", "\\ud800", "var x =", "\ufeff", '"b":'),
)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param('{"a": [1, 2.5, true, null]}', [{"a": [1, 2.5, True, None]}], id="json"),
        pytest.param('\ufeff {"a": 1}\xa0\n', [{"a": 1}], id="mark-and-spaces"),
        pytest.param('<!-- {"a": 1} -->', [{"a": 1}], id="html-comment"),
        pytest.param('//<![CDATA[\n{"a": [[1]]}\n//]]>', [{"a": [[1]]}], id="cdata-in-comments"),
        pytest.param('//<![CDATA[{"a": 1}//]]>', [{"a": 1}], id="cdata-on-one-line"),
        pytest.param('/*<![CDATA[*/{"a": 1}/*]]>*/', [{"a": 1}], id="cdata-in-long-comments"),
        pytest.param("<![CDATA[[[1]]]]>", [[[1]]], id="cdata-after-brackets"),
        pytest.param('{"a": [1, 2,], }', [{"a": [1, 2]}], id="trailing-commas"),
        pytest.param('{"a": "http://b" /* c */, // d\n "e": 1}', [{"a": "http://b", "e": 1}], id="comments"),
        pytest.param('{"a": "b\nc\td\x01"}', [{"a": "b\nc\td\x01"}], id="control-characters"),
        pytest.param('{"a": "b\nc",}', [{"a": "b\nc"}], id="control-characters-and-comma"),
        pytest.param("{&quot;a&quot;: &quot;b &amp; c&quot;}", [{"a": "b & c"}], id="entities-for-quotes"),
        pytest.param('{"a": "&quot;",}', [{"a": "&quot;"}], id="entities-in-a-string"),
        pytest.param('{"a": 1}\n{"b": 2}', [{"a": 1}, {"b": 2}], id="in-a-row"),
        pytest.param('{"a": 1},\n{"b": 2};', [{"a": 1}, {"b": 2}], id="in-a-row-with-marks"),
        pytest.param('{"a": 1};', [{"a": 1}], id="semicolon"),
        pytest.param('var x = {"a": 1};', [{"a": 1}], id="assignment"),
        pytest.param("window['x'].y = [1]", [[1]], id="assignment-to-a-member"),
        pytest.param(
            '{"a": NaN, "b": -Infinity, "c": undefined}', [{"a": None, "b": None, "c": None}], id="no-numbers"
        ),
        pytest.param("{a: 1, $b: 2, null: 3, NaN : 4}", [{"a": 1, "$b": 2, "null": 3, "NaN": 4}], id="bare-names"),
        pytest.param("""{'a': 'it\\'s "x"'}""", [{"a": 'it\'s "x"'}], id="single-quotes"),
        pytest.param(r'["\d\x41\'\v\0"]', [["dA'\v\ufffd"]], id="escapes-of-javascript"),
        pytest.param('["a\\\nb"]', [["ab"]], id="escaped-line-end"),
        pytest.param(r'{"\ud800": "\u0000\ud83d\ude00"}', [{"\ufffd": "\ufffd\U0001f600"}], id="surrogates-and-nul"),
        pytest.param("9223372036854775807", [2**63 - 1], id="largest"),
        pytest.param("[-9223372036854775809, 1e999]", [[-(2.0**63), None]], id="beyond-64-bits"),
        pytest.param("1" * 5_000, [None], id="beyond-all-bounds"),
        pytest.param('{"a": 1, "a": 2}', [{"a": 2}], id="last-of-a-name"),
        pytest.param('"x"', ["x"], id="string"),
    ],
)
def test_read(text, read):
    """What means JSON is read, however it is written."""
    assert tolerant(text) == read


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " \n",
            "//x",
            "x",
            "{",
            '{"a": 1',
            '{"a": 1}}',
            "]",
            '"abc',
            "'",
            "/* {}",
            "[,]",
            "{,}",
            "[1,,2]",
            "[1,,]",
        ),
        *("[1 2]", '{"a" 1}', '{"a": "b"c"}', '{"a": b}', '{"a": alert(1)}', '["\\u12"]', "[01]", "[-]", "{} <p>"),
        *('{"a": 1 "b": 2}', "<p>x</p>", "[1;2]", "\\", "{1: 2}", "{[]: 1}", '{"a": true: 1}'),
    ],
)
def test_not_read(text):
    """What would have to be guessed is not read."""
    with pytest.raises(ValueError):  # noqa: PT011 (the parent of whatever json says)
        tolerant(text)


@settings(deadline=None, max_examples=60)
@given(values)
def test_strict_json(value):
    """Of strict JSON the values are those that were written, also with all that may stand around it."""
    text = json.dumps(value)
    assert tolerant(text) == [value]
    assert tolerant(f"<!-- {text} -->;") == [value]
    assert tolerant(f"/**/[{text},]") == [[value]]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_anything(text):
    """Whatever the text, it is read or refused, and what is read can be stored."""
    try:
        read = tolerant(text)
    except ValueError:
        return
    assert "\0" not in json.dumps(read, ensure_ascii=False, allow_nan=False).encode().decode()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("[" * 101 + "]" * 101, "100 levels", id="deep"),
        pytest.param("[" * 101 + ",]" + "]" * 100, "100 levels", id="deep-broken"),
        pytest.param('{"a":' * 100_000, "100 levels", id="very-deep"),
        pytest.param("[" * 100_000, "100 levels", id="very-deep-unclosed"),
        pytest.param('"' + "x" * jsontext.LONGEST + '"', "longer", id="long"),
        pytest.param('"' + "x" * jsontext.LONGEST_BROKEN + '",', "longer", id="long-broken"),
        pytest.param("/*" * 200_000, "character 5", id="comments"),
        pytest.param("//<![CDATA[" * 40_000, "nothing in it", id="cdata"),
        pytest.param("/" * 400_000, "nothing in it", id="slashes"),
        pytest.param('"' + "\\" * 400_001, "character 0", id="escapes"),
        pytest.param("a." * 200_000, "no value", id="assignment"),
        pytest.param("a" + "['b']" * 80_000, "no value", id="assignment-to-members"),
        pytest.param("{" + "a " * 200_000, "no value", id="names"),
        pytest.param("1" * 400_000 + ",", None, id="digits"),
    ],
)
def test_hostile(text, why):
    """A text that is too long or too deep, or made to take long, is refused in no time."""
    begun = time.process_time()
    if why is None:
        assert tolerant(text) == [None]
    else:
        with pytest.raises(ValueError, match=why):
            tolerant(text)
    assert time.process_time() - begun < 1


def test_deepest():
    """A hundred levels are read."""
    assert json.dumps(tolerant("[" * 100 + "]" * 100)[0]) == "[" * 100 + "]" * 100


def test_objects(monkeypatch):
    """Of many texts the objects are kept, those in an array each; a text with anything else is counted."""
    texts = ['{"a": 1}', '[{"b": [{}]}, {"c": 1}]', "1", "[[{}]]", '{"d": 1} {"e": 1}', "{", '[{"f": 1}, 2]', ""]
    found, bad = objects(texts)
    assert [next(iter(one)) for one in found] == ["a", "b", "c", "d", "e", "f"]
    assert bad == 5
    monkeypatch.setattr(jsontext, "LONGEST", 20)
    assert objects(['{"a":    1}', '{"b":    1}', "{}"]) == ([{"a": 1}], 2)
    monkeypatch.undo()
    monkeypatch.setattr(jsontext, "MOST_BROKEN", 20)
    broken = '{"a":   1,}'
    assert objects([broken, broken, '{"b": 1}']) == ([{"a": 1}, {"b": 1}], 1)
