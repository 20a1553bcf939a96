"""What a host's URLs show together: each rule of `Shapes` alone, its bounds, and its life over a resume."""

from itertools import permutations

import pytest

from scraper.traps import Shapes, fingerprint, next_generation, shape, shapes

HOST = "https://a.example"
EMPTY = fingerprint("no events")


def feed(tally, count, *, start=0, generation=1, text=None, url="/cal?day={}"):
    """Tell of pages fetched, all with one text or each with its own."""
    for number in range(start, start + count):
        words = "".join(chr(97 + int(digit)) for digit in str(number))
        tally.fetched(HOST + url.format(number), generation, EMPTY if text == "same" else fingerprint(words))


def test_a_shape_that_repeats_its_text_is_refused_after_the_limit():
    """After more than `limit` pages that had the text of an earlier one, what they lead to is a trap."""
    tally = Shapes(limit=10)
    feed(tally, 11, text="same")  # the first is no repetition
    assert tally.verdict(f"{HOST}/cal?day=99", 1) is None
    feed(tally, 1, text="same")
    assert tally.verdict(f"{HOST}/cal?day=99", 1) == (
        "trap",
        f"pages like {HOST}/cal?day=<n> lead on and on to each other",
    )


def test_a_shape_that_feeds_itself_is_refused_after_the_limit():
    """Pages more than 16 generations deep in their own shape are refused after ten times as many, however new."""
    tally = Shapes(limit=10)
    feed(tally, 50, generation=16)
    assert tally.counts() == {}
    feed(tally, 100, start=50, generation=17)
    assert tally.counts() == {f"{HOST}/cal?day=<n>": 100 * shapes.CHAIN}
    assert tally.verdict(f"{HOST}/cal?day=99", 18) is None
    feed(tally, 1, start=150, generation=17)
    assert tally.verdict(f"{HOST}/cal?day=99", 18).reason == "trap"


def test_texts_of_numbers_count_less():
    """Pages that differ in numbers, and hold little else, are refused only after four times as many."""
    tally = Shapes(limit=10)
    for number in range(41):
        assert tally.verdict(f"{HOST}/table/{number}", 1) is None
        assert not tally.fetched(f"{HOST}/table/{number}", 1, fingerprint(f"May {number} {number} {number}"))
    tally.fetched(f"{HOST}/table/41", 1, fingerprint("May 1 2 3"))
    assert tally.verdict(f"{HOST}/table/99", 1).reason == "trap"


@pytest.mark.parametrize(
    ("url", "generation"),
    [("/cal?day=99", 0), ("/cal", 1), ("/cal?day=99&view=week", 1), ("/shop/99", 1)],
    ids=["found elsewhere", "without the variable part", "another parameter", "another path"],
)
def test_only_the_shape_and_only_what_it_feeds_is_refused(url, generation):
    """Other shapes, and pages of the shape that others link to, are asked on."""
    tally = Shapes(limit=10)
    feed(tally, 100, text="same")
    assert tally.verdict(HOST + url, generation) is None


@pytest.mark.parametrize(
    ("changes"),
    [{"generation": 0}, {"text": None}, {"url": "/about"}, {"generation": 0, "url": "/about"}],
    ids=["found elsewhere", "texts of their own", "no variable part", "one page"],
)
def test_honest_pages_are_not_idle(changes):
    """Pages that others link to, pages with texts of their own, and URLs without a variable part count for nothing."""
    tally = Shapes(limit=10)
    feed(tally, 100, **{"text": "same", **changes})
    assert tally.counts() == {}


def test_a_page_is_asked_with_three_session_ids():
    """The fourth session id of one page is refused, the pages beside it and retries are not."""
    tally = Shapes()
    asked = [tally.verdict(f"{HOST}/a?x=1&PHPSESSID=id{number}", 0) for number in range(5)]
    assert asked[:3] == [None] * 3
    assert asked[3] == asked[4] == ("trap", "the same page was asked with 3 other session ids")
    assert tally.verdict(f"{HOST}/b?x=1&PHPSESSID=id4", 0) is None
    assert tally.verdict(f"{HOST}/a?x=1&PHPSESSID=id1", 0) is None


def test_a_query_is_asked_in_two_orders():
    """The third order of the same parameters and values is refused, other values and retries are not."""
    tally = Shapes()
    asked = [tally.verdict(f"{HOST}/a?{'&'.join(order)}", 0) for order in permutations(["x=1", "y=2", "z=3"])]
    assert asked[:2] == [None] * 2
    assert set(asked[2:]) == {("trap", "the same parameters were asked in 2 other orders")}
    assert tally.verdict(f"{HOST}/a?x=1&z=3&y=2", 0) is None
    assert tally.verdict(f"{HOST}/a?z=4&y=2&x=1", 0) is None
    assert tally.verdict(f"{HOST}/b?z=3&y=2&x=1", 0) is None


@pytest.mark.parametrize(
    ("url", "copy", "generation"),
    [("/a/2", False, 8), ("/a/2", True, 8), ("/b/2", False, 0), ("/b/2", True, 8), ("/about", False, 0)],
)
def test_a_generation_grows_within_a_shape_and_below_copies(url, copy, generation):
    """What a page leads to is one generation deeper if it has its shape, or if the page was a copy; else it is at 0."""
    assert next_generation(shape(HOST + url), shape(f"{HOST}/a/1"), 7, copy=copy) == generation


def test_a_copy_is_told():
    """The second page of a shape with one text is a copy; of another shape, or without a variable part, it is none."""
    tally = Shapes()
    pages = ["/a/1", "/a/2", "/b/1", "/about", "/about"]
    assert [tally.fetched(HOST + page, 0, EMPTY) for page in pages] == [False, True, False, False, False]


def test_counts_survive_a_resume():
    """A tally made from counts refuses what the one they came from refused."""
    tally = Shapes(limit=10)
    feed(tally, 12, text="same")
    again = Shapes(limit=10, counts=tally.counts())
    assert again.verdict(f"{HOST}/cal?day=99", 1) == tally.verdict(f"{HOST}/cal?day=99", 1) is not None
    assert repr(again) == repr(tally) == f"Shapes(10, {{'{HOST}/cal?day=<n>': 220}})"


def test_memory_is_bounded(monkeypatch):
    """However many shapes, texts, sessions and orders a host has, only so many are held: the largest, the latest."""
    for name in ("MOST_SHAPES", "REMEMBERED_TEXTS", "REMEMBERED_VARIANTS"):
        monkeypatch.setattr(shapes, name, 20)
    tally = Shapes(limit=10)
    feed(tally, 11, generation=17, url="/large/{}")
    names = [f"/{chr(97 + one)}{chr(97 + two)}/{{}}" for one in range(20) for two in range(20)]
    for number, name in enumerate(names):
        feed(tally, 1, start=number, generation=17, url=name)
        assert tally.verdict(f"{HOST}/?x={number}&y&PHPSESSID=a{number}", 0) is None
    assert len(tally.counts()) <= 20
    assert tally.counts()[f"{HOST}/large/<n>"] == 11 * shapes.CHAIN
    assert len(tally._texts) <= 20
    assert len(tally._variants) <= 20
    assert len(Shapes(counts={str(number): number for number in range(50)}).counts()) <= 20


def test_a_host_without_variable_urls_holds_nothing():
    """A thousand plain pages leave no trace."""
    tally = Shapes()
    for one in range(26):
        for two in range(26):
            url = f"{HOST}/{chr(97 + one)}/{chr(97 + two)}{chr(97 + one)}.html"
            tally.verdict(url, 3)
            tally.fetched(url, 3, EMPTY)
    assert (tally._idle, tally._texts, tally._variants) == ({}, {}, {})
