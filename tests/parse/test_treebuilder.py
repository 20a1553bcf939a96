import copy
import pickle

import pytest
from bs4 import BeautifulSoup, FeatureNotFound, SoupStrainer, XMLParsedAsHTMLWarning
from bs4.builder import builder_registry
from bs4.element import Comment, NavigableString, Tag

from scraper.parse import make_soup

PAGE = """<!DOCTYPE html><html><head><title>t</title><meta charset="koi8-r"></head><body>
<p class="a b">one <b>two</b><!--c--></p><script>s()</script><svg><a xlink:href="u"/></svg></body></html>"""


def test_registered():
    """bs4 knows the builder by the name `scraper`, and finds the same parsers as before for anything else."""
    soup = BeautifulSoup(PAGE, "scraper")
    assert str(soup) == str(make_soup(PAGE))
    assert soup.builder.NAME == "scraper"
    for features in (["html"], ["html", "fast"], ["html5"], ["lxml"], ["html5lib"], ["html.parser"], ["xml"]):
        assert builder_registry.lookup(*features).NAME != "scraper"
    with pytest.raises(FeatureNotFound):
        BeautifulSoup(PAGE, ["scraper", "xml"])


@pytest.mark.parametrize("text", ["", "x", PAGE, "<p>" * 500], ids=["empty", "x", "page", "deep"])
def test_copies(text):
    """A soup and its copies, made in the way of Python's `copy` and `pickle`, are alike and apart."""
    soup = BeautifulSoup(text, "scraper") if text != "x" else make_soup(text)
    printed = str(soup)
    for other in (copy.copy(soup), copy.deepcopy(soup), pickle.loads(pickle.dumps(soup)), copy.copy(copy.copy(soup))):
        assert str(other) == printed
        other.body.clear()
    assert str(soup) == printed


def test_empty():
    """An empty text is an empty page, as the standard has it."""
    assert str(BeautifulSoup("", "scraper")) == str(make_soup("")) == "<html><head></head><body></body></html>"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        pytest.param({}, ["a", "b"], id="lists"),
        pytest.param({"multi_valued_attributes": None}, "a b", id="none"),
        pytest.param({"multi_valued_attributes": {"b": ["class"]}}, "a b", id="of-another-tag"),
        pytest.param({"multi_valued_attributes": {"p": ["class"]}}, ["a", "b"], id="of-this-tag"),
    ],
)
def test_multi_valued(options, found):
    """Which attributes are lists can be chosen."""
    assert BeautifulSoup(PAGE, "scraper", **options).p["class"] == found


def test_options():
    """Which tags are empty, keep white space or have strings of their own kind can be chosen."""

    class Word(NavigableString):
        pass

    soup = BeautifulSoup(
        PAGE,
        "scraper",
        string_containers={"b": Word},
        empty_element_tags={"b"},
        preserve_whitespace_tags={"p"},
    )
    assert [type(node) for node in soup.p.descendants] == [NavigableString, Tag, Word, Comment]
    assert type(soup.script.string) is NavigableString
    assert soup.b.interesting_string_types == {Word}
    soup.b.clear()
    assert str(soup.p) == '<p class="a b">one <b/><!--c--></p>'
    assert "one <b/><!--c--></p>" in soup.prettify()


def test_classes_of_attributes():
    """The classes of attributes and of their lists can be chosen."""

    class Attributes(dict):
        pass

    class Words(list):
        pass

    soup = BeautifulSoup(PAGE, "scraper", attribute_dict_class=Attributes, attribute_value_list_class=Words)
    assert type(soup.p.attrs) is type(soup.b.attrs) is Attributes
    assert type(soup.p["class"]) is Words


def test_element_classes():
    """Tags and strings can be of one's own classes."""

    class Mine(Tag):
        pass

    class Text(NavigableString):
        pass

    soup = BeautifulSoup(PAGE, "scraper", element_classes={Tag: Mine, NavigableString: Text})
    assert type(soup.p) is Mine
    assert type(soup.p.contents[0]) is Text
    assert type(soup.p.contents[2]) is Comment
    assert str(soup) == str(make_soup(PAGE))


def test_parse_only():
    """Only what a strainer lets through is kept."""
    soup = BeautifulSoup(PAGE, "scraper", parse_only=SoupStrainer(["b", "svg"]))
    assert str(soup) == '<b>two</b><svg><a xlink:href="u"></a></svg>'
    assert str(BeautifulSoup(PAGE, "scraper", parse_only=SoupStrainer(string="two"))) == "two"


def test_subclass():
    """A subclass of BeautifulSoup can be filled, and its tags know it."""

    class Mine(BeautifulSoup):
        pass

    assert Mine(PAGE, "scraper").p.parser_class is Mine


@pytest.mark.parametrize(
    ("markup", "options", "encoding"),
    [
        pytest.param("<p>é".encode(), {}, "utf-8", id="utf-8"),
        pytest.param("<meta charset=koi8-r><p>ж".encode("koi8-r"), {}, "koi8-r", id="declared"),
        pytest.param("<p>é".encode("latin-1"), {"from_encoding": "latin-1"}, "latin-1", id="told"),
        pytest.param("<p>é".encode("cp1252"), {"exclude_encodings": ["utf-8"]}, "windows-1252", id="excluded"),
        pytest.param("<p>é", {}, None, id="text"),
    ],
)
def test_encodings(monkeypatch, markup, options, encoding):
    """Bytes are decoded as bs4 does it for any parser."""
    monkeypatch.setattr("bs4.dammit._chardet_dammit", lambda _: None)  # one that is installed would have a say
    soup = BeautifulSoup(markup, "scraper", **options)
    assert soup.p.string in {"é", "ж"}
    assert soup.original_encoding == encoding


def test_file(tmp_path):
    """A file can be parsed."""
    (tmp_path / "page.html").write_text(PAGE)
    with (tmp_path / "page.html").open() as file:
        assert str(BeautifulSoup(file, "scraper")) == str(make_soup(PAGE))


def test_xml():
    """Who parses XML with it is warned, as by bs4's own builders."""
    with pytest.warns(XMLParsedAsHTMLWarning):
        BeautifulSoup('<?xml version="1.0"?><a/>', "scraper")
