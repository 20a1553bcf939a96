"""Tags and text of broken XML."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.parse import markup
from scraper.parse.markup import attributes, tokens, unescape

SECONDS = 1.0  # a time that nothing takes unless its work grows faster than its input


def told(*pieces):
    """A document as its tags and the text between, in one line."""
    found = []
    for tag, _, text in tokens(pieces):
        found += [f"<{tag}>", text] if tag else [text]
    return "".join(found)


READ = {
    "plain": ("<a><b x='1'>t</b><c/></a>", "<a><b>t</b><c></a>"),
    "prefixes": ("<s:a><s:b>t</s:b></s:a>", "<s:a><s:b>t</s:b></s:a>"),
    "references": ("<a>&amp;&lt;&gt;&quot;&apos;&#65;&#x42;</a>", "<a>&<>\"'AB</a>"),
    "references to nothing": ("<a>&#0;&#xD800;&#x110000;&eacute;</a>", "<a>\ufffd\ufffd\ufffd\ufffd</a>"),
    "a bare ampersand": ("<a>?a=1&b=2& c;&;&#;&#x;</a>", "<a>?a=1&b=2& c;&;&#;&#x;</a>"),
    "escaped once": ("<a>&amp;amp;lt;</a>", "<a>&amp;lt;</a>"),
    "cdata": ("<a>1<![CDATA[&amp;<b>]]]>2</a>", "<a>1&amp;<b>]2</a>"),
    "comments": ("<a>1<!-- <b>--><!---->2<!-- -- --->3</a>", "<a>123</a>"),
    "instructions": ("<?xml version='1.0'?><?p <x> ?><a>1<?q>2</a>", "<a>12</a>"),
    "a quoted bracket": ("<a b='>' c=\"'>\">1</a>", "<a>1</a>"),
    "no quotes": ("<a b=c d>1</a><e>2</e>", "<a>1</a><e>2</e>"),
    "a torn quote": ('<a b="c>1</a><e>2</e>', "<a>1</a><e>2</e>"),
    "a torn tag": ("<a <b>1</b</a>", "<a><b>1</b></a>"),
    "a bare bracket": ("<a>1 < 2<3</a><e>4</e>", "<a>1 < 2<3</a><e>4</e>"),
    "declarations": ("<!DOCTYPE a><!DOCTYPE a SYSTEM 'f'><a>1<!ELEMENT b>2</a>", "<a>12</a>"),
    "an empty instruction": ("<a><?>1<??>2</a>", "<a>12</a>"),
    "a subset": ("<!DOCTYPE a [<!ENTITY x '<b>y</b>'> <!-- ] -->\n] ><a>1</a>", "<a>1</a>"),
    "an end tag": ("<a></b ></a\n>1", "<a></b></a>1"),
    "after the root": ("<a></a>junk<b>", "<a></a>junk<b>"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("text", "tags"), READ.values(), ids=READ)
def test_tokens(text, tags):
    """Tags and text come in their order; a fault costs the tag that it is in."""
    assert told(text) == tags


@pytest.mark.parametrize(("text", "tags"), READ.values(), ids=READ)
def test_pieces(text, tags):
    """However a document is cut into pieces, what is read of it is the same."""
    assert told(*text) == tags


def test_attributes():
    """Attributes are read in any quotes or none, by lower-case name; the first of two counts."""
    read = attributes("""a="1&amp;2" B='"' x:c = 3 d e=4/ a="9" f="" g=\"""")
    assert read == {"a": "1&2", "b": '"', "x:c": "3", "e": "4/", "f": ""}
    assert attributes("a='" + "x" * markup.LONGEST_ATTRIBUTES + "'") == {}


def test_long_text():
    """Text that is longer than a tag may be comes in parts, and its section still ends where it ends."""
    long = "x" * (markup.LONGEST_TAG + 10)
    assert told("<a>" + long, "y</a>") == f"<a>{long}y</a>"
    assert told("<a><!--" + long + "-", "->1</a>") == "<a>1</a>"
    assert told("<a><![CDATA[" + long + "]", "]>1</a>") == f"<a>{long}]1</a>"


HOSTILE = {
    "brackets": "<",
    "tags": "<a ",
    "quotes": '<a b="',
    "both quotes": "<a b=\"'",
    "comments": "<!--",
    "long comment": "-",
    "sections": "<![CDATA[",
    "declarations": "<!DOCTYPE [",
    "ends": "]",
    "instructions": "<?",
    "references": "&",
    "numbers": "&#1",
    "names": "&a",
    "blanks": " ",
    "nests": "<a>",
}


@pytest.mark.parametrize("part", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("opening", ["", "<!--", "<!DOCTYPE [", "<a b='"])
def test_linear(part, opening):
    """100 KB of what makes readers slow is read in no time."""
    text = opening + part * (100_000 // len(part))
    start = time.process_time()
    for _ in tokens(text[at : at + 65536] for at in range(0, len(text), 65536)):
        pass
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("part", ["a", "a ", "a=", "a='", "a=\"'", "=", " ", "'", "&", "&a"], ids=ascii)
def test_linear_attributes(part):
    """The longest attributes that are read are read in no time, whatever they are."""
    text = part * (markup.LONGEST_ATTRIBUTES // len(part))
    start = time.process_time()
    attributes(text)
    unescape(text)
    assert time.process_time() - start < SECONDS / 2


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(alphabet="<>/!?-[]&;#'\"= ax1:\n") | st.text(max_size=20), max_size=8))
@example(["<!DOCTYPE [", "<", "]", ">"])
@example(["&a;"])
@example(["&#6", "5;"])
def test_any_text(pieces):
    """Whatever the text, nothing is raised, and every piece of it may be cut anywhere."""
    assert told(*pieces) == told("".join(pieces)) == told(*"".join(pieces))
