import copy
import gc
import os
import sys
from pathlib import Path

import pytest
from bs4.element import Comment, Doctype, Tag

from scraper.parse import make_soup
from scraper.parse.builders import BUILDERS
from scraper.parse.soup import take_apart

PAGE = "<!doctype html><html><head><title>t</title></head><body><p class='a b'>x<b>y</b><!--c--></p></body></html>"
MISNESTED = "<title>t</title><p>a<b>b<p>c<i>d</b>e<table><a href=x>f<tr><td>g</table><svg><path/></svg><ul><li>h<li>i"


@pytest.mark.parametrize("builder", BUILDERS)
def test_tree(builder):
    """A soup has the whole API of bs4."""
    soup = make_soup(PAGE, builder)
    assert soup.select_one("p.a > b").get_text() == "y"
    assert soup.title.string == "t"
    soup.p.append(soup.new_tag("i"))
    assert str(soup.p) == '<p class="a b">x<b>y</b><!--c--><i></i></p>'


@pytest.fixture
def soup():
    """A page with most kinds of nodes."""
    return make_soup(
        "<!doctype html><html lang=en><head><meta charset=koi8-r><title>T</title></head><body><!--c--><ul id=u>"
        "<li class='a b'>one<li class=a>two <a rel='x y' href=/z>link</a></ul><pre>\n k\n  l</pre><script>s()</script>"
    )


def test_find(soup):
    """Searching works by name, class, attribute, text, function and CSS."""
    assert [tag.get_text() for tag in soup.find_all("li")] == ["one", "two link"]
    assert [tag.get_text() for tag in soup.find_all(class_="b")] == ["one"]
    assert soup.find(rel="y").name == soup.find("a", href=True).name == "a"
    assert soup.find(string="one").parent.name == "li"
    assert [tag.name for tag in soup.find_all(lambda tag: len(tag.attrs) > 1)] == ["a"]
    assert [tag.name for tag in soup.select("ul > li.a:not(.b) a[href^='/'], title")] == ["title", "a"]
    assert soup.ul.li.find_next_sibling("li").a.find_parent("ul")["id"] == "u"
    assert [str(text) for text in soup.body.stripped_strings] == ["one", "two", "link", "k\n  l"]


def assert_linked(soup):
    """Fail unless one can go through the whole document, forwards and backwards."""
    every = list(soup.descendants)
    assert list(every[0].next_elements) == every[1:]
    assert [node for node in every[-1].previous_elements if node is not soup] == every[-2::-1]


def test_navigate(soup):
    """Each node's neighbours, in the document and among its siblings, are where they belong, both ways."""
    assert_linked(soup)
    assert [node.name for node in soup.a.parents] == ["li", "ul", "body", "html", "[document]"]
    for tag in [soup, *soup.find_all(True)]:
        assert list(tag.children) == tag.contents
        assert [child.parent for child in tag.contents] == [tag] * len(tag.contents)
        if tag.contents:
            assert [tag.contents[0], *tag.contents[0].next_siblings] == tag.contents
            assert [tag.contents[-1], *tag.contents[-1].previous_siblings] == tag.contents[::-1]


def test_change(soup):
    """Nodes can be added, moved, replaced, wrapped, taken out and destroyed, and the tree stays whole."""
    first, second = soup.find_all("li")
    second.insert_before(soup.new_tag("li", string="new"))
    first["class"].append("c")
    first.string.replace_with("eins")
    second.a.wrap(soup.new_tag("b"))
    soup.ul.append(first.extract())
    soup.ul.insert(0, "text")
    second.a.unwrap()
    soup.script.decompose()
    soup.pre.string = "p"
    del soup.ul["id"]
    assert str(soup.ul) == ('<ul>text<li>new</li><li class="a">two <b>link</b></li><li class="a b c">eins</li></ul>')
    assert soup.body.decode_contents().endswith("</ul><pre>p</pre>")
    assert_linked(soup)


def test_print(soup):
    """A tree is written in the encoding asked for, which its meta then names; `prettify` leaves `pre` alone."""
    assert soup.meta["charset"] == "koi8-r"
    assert b'<meta charset="utf-8"/>' in soup.encode()
    assert '<meta charset="latin-1"/>' in soup.encode("latin-1").decode()
    assert "<pre> k\n  l</pre>" in soup.prettify()
    assert str(copy.copy(soup.ul)) == str(soup.ul)
    assert copy.copy(soup.ul).parent is None


def test_other_nodes():
    """Doctype, comments and their like are found by their class, and can be replaced and moved as any other."""
    soup = make_soup("<!DOCTYPE html PUBLIC 'a' 'b'><p>x<!--c-->y<?pi z?></p>")
    assert soup.find(string=lambda text: isinstance(text, Doctype)) == 'html PUBLIC "a" "b"'
    soup.p.find(string=lambda text: isinstance(text, Comment)).replace_with(Comment("d"))
    soup.p.insert_after(soup.p.contents[-1].extract(), soup.new_string("w"))
    soup.p.insert(1, "v")
    soup.p.smooth()
    assert str(soup.body) == "<body><p>xv<!--d-->y</p><?pi z?>w</body>"
    assert str(soup).startswith('<!DOCTYPE html PUBLIC "a" "b">\n<html>')
    assert soup.get_text() == "xvyw"
    assert_linked(soup)


def test_bytes():
    """Bytes are refused: what they say depends on which charset detector is installed."""
    with pytest.raises(TypeError, match="takes str, not bytes"):
        make_soup(b"<p>")


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize(
    "text", ["", "http://example.com/", "some.html", '<?xml version="1.0" encoding="koi8-r"?><rss/>', "a\0b", "<!["]
)
def test_quiet(text, builder):
    """Whatever the text, a tree is made, and bs4's advice about it is not shown."""
    if (text, builder) != ("<![", "html.parser"):  # which refuses it, on some versions of Python
        make_soup(text, builder)


def test_nul():
    """A NUL is no end of the text: it is dropped, or stands as U+FFFD, as the HTML standard says."""
    soup = make_soup("<p a='\0'>a\0b</p><p>c")
    assert soup.get_text() == "abc"
    assert soup.p["a"] == "\ufffd"
    assert make_soup("<p>a\0b</p><p>c", "lxml").get_text() == "a\ufffdbc"


def test_surrogates():
    """A lone surrogate is a character like any other."""
    assert make_soup("<p a='\udc80'>\ud800").p.get_text() == "\ud800"


def test_surrogates_in_names():
    """But in the name of a tag or an attribute it becomes U+FFFD, wherever else it stands."""
    assert str(make_soup("<p a\ud800=1><b\udc80>\ud800").p) == '<p a\ufffd="1"><b\ufffd>\ufffd</b\ufffd></p>'


def test_large_text():
    """A text of more than ten million characters is kept whole."""
    assert len(make_soup("<p>" + "x" * 11_000_000).p.string) == 11_000_000


@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("page", [PAGE * 5, MISNESTED * 5, ""], ids=["page", "misnested", "empty"])
def test_take_apart(builder, page):
    """A tree that was taken apart leaves nothing to the cyclic collector."""
    take_apart(make_soup(page, builder))
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            take_apart(make_soup(page, builder))
        assert gc.collect() < 100  # thousands if the trees were left
    finally:
        gc.enable()


def test_take_apart_changed():
    """So does one that was changed."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            soup = make_soup(MISNESTED * 5)
            soup.find_all("li")[3].insert_before(soup.find("table").extract(), soup.new_tag("b", string="x"))
            soup.p.decompose()
            soup.append(copy.copy(soup.body))
            take_apart(soup)
            del soup
        assert gc.collect() < 100
    finally:
        gc.enable()


def test_shell():
    """A node that somebody holds on to does not hold the tree."""
    soup = make_soup(PAGE)
    tag = soup.b
    take_apart(soup)
    assert isinstance(tag, Tag)
    assert vars(tag) == {}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory():
    """Over thousands of pages, with the cyclic collector off, the memory of a worker does not grow."""

    def run(pages):
        for number in range(pages):
            soup = make_soup(f"{PAGE}<p id={number}>{'<b>x</b>' * 20}")
            assert soup.find_all("p")[1]["id"] == str(number)
            take_apart(soup)

    def taken():
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE"), sys.getallocatedblocks()

    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        run(500)
        before = taken()
        run(3_000)
        after = taken()
    finally:
        gc.enable()
        gc.unfreeze()
    assert after[0] - before[0] < 4_000_000  # bytes; 100 million if the trees were left
    assert after[1] - before[1] < 2_000  # blocks
