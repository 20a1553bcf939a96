import gc

import pytest

from scraper.parse import make_soup
from scraper.parse.soup import take_apart

PAGE = "<!doctype html><html><head><title>t</title></head><body><p class='a b'>x<b>y</b><!--c--></p></body></html>"


@pytest.mark.parametrize("builder", ["lxml", "html.parser"])
def test_tree(builder):
    """A soup has the whole API of bs4."""
    soup = make_soup(PAGE, builder)
    assert soup.select_one("p.a > b").get_text() == "y"
    assert soup.title.string == "t"
    soup.p.append(soup.new_tag("i"))
    assert str(soup.p) == '<p class="a b">x<b>y</b><!--c--><i></i></p>'


def test_bytes():
    """Bytes are refused: what they say depends on which charset detector is installed."""
    with pytest.raises(TypeError, match="takes str, not bytes"):
        make_soup(b"<p>")


@pytest.mark.parametrize(
    "text", ["", "http://example.com/", "some.html", '<?xml version="1.0" encoding="koi8-r"?><rss/>', "a\0b", "<!["]
)
def test_quiet(text):
    """Whatever the text, a tree is made, and bs4's advice about it is not shown."""
    make_soup(text)


def test_nul():
    """A NUL is U+FFFD, as the HTML standard says, and no end of the text."""
    assert make_soup("<p>a\0b</p><p>c").get_text() == "a\ufffdbc"


def test_large_text():
    """A text of more than ten million characters is kept whole."""
    assert len(make_soup("<p>" + "x" * 11_000_000).p.string) == 11_000_000


@pytest.mark.parametrize("builder", ["lxml", "html.parser"])
def test_take_apart(builder):
    """A tree that was taken apart leaves nothing to the cyclic collector."""
    take_apart(make_soup(PAGE, builder))
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            take_apart(make_soup(PAGE * 20, builder))
        assert gc.collect() < 2_000  # lxml's own; some 20,000 if the trees were left
    finally:
        gc.enable()
