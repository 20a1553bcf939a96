"""Shapes, skeletons and fingerprints: what is left when the variable parts are taken out. Tables and laws."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper import traps, urls

SHA = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
UUID = "2f1c9047-2047-4a05-8c11-0123456789ab"

SHAPES = [
    ("/", "/"),
    ("/about/contact", "/about/contact"),
    ("/docs/index.html", "/docs/index.html"),
    ("/product/123", "/product/<n>"),
    ("/product/123.html", "/product/<n>.html"),
    ("/product-123.html", "/product-<n>.html"),
    ("/tiles/3/14/15.png", "/tiles/<n>/<n>.png"),
    ("/2019/05/17/some-news-of-today", "/<n>/<t>"),
    ("/2019-05-17", "/<n>-<n>-<n>"),
    (f"/u/{UUID}/edit", "/u/<x>/edit"),
    (f"/commit/{SHA}", "/commit/<x>"),
    ("/f/dQw4w9WgXcQ", "/f/<x>"),
    ("/go/xkqjzptwvb", "/go/<x>"),
    ("/v2/utf8", "/v<n>/utf<n>"),
    ("/wiki/%D0%9C%D0%B8%D1%80", "/wiki/<w>"),
    ("/page;jsessionid=0A1B2C3D4E5F6A7B", "/page;<x>=<x>"),
    ("/a/b/a", "/<again>"),
    ("/about/team/about/", "/<again>"),
    ("/0/x/0/y", "/<n>/x/<n>/y"),
    ("/?", "/"),
    ("/?b=1&a=red", "/?a=<w>&b=<n>"),
    (f"/c/commit?id={SHA}&h=master", "/c/commit?h=<w>&id=<x>"),
    ("/?x=1&x=2&x=3", "/?x=<n>"),
    ("/?x=1", "/?x=<n>"),
    ("/?flag&empty=", "/?empty=&flag"),
    ("/?week=-1", "/?week=<n>"),
    ("/?123456", "/?<n>"),
    ("/?f1=a&f2=b", "/?f<n>=<w>"),
]


@pytest.mark.parametrize(("rest", "form"), SHAPES, ids=[rest[:40] for rest, _ in SHAPES])
def test_the_shape_is_the_url_without_its_variable_parts(rest, form):
    """Numbers, tokens and titles have a class each, values stand by class, parameters are sorted, words stay."""
    assert traps.shape("https://a.example:81" + rest) == "https://a.example:81" + form


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 10**9)), min_size=1, max_size=6), st.randoms())
@settings(max_examples=60, deadline=None)
def test_all_orders_of_a_query_have_one_shape(pairs, chance):
    """However parameters are ordered, whatever their numbers, and however often they stand, the shape is the same."""
    first = "&".join(f"{name}={number}" for name, number in pairs)
    again = [f"{name}={number + 1}" for name, number in pairs * 2]
    chance.shuffle(again)
    assert traps.shape(f"https://a.example/?{first}") == traps.shape(f"https://a.example/?{'&'.join(again)}")


@given(st.text(alphabet="/?&=;%-_.<>aA12()é", max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_url_has_a_short_shape(rest):
    """Whatever stands in a URL, its shape is at most some 340 characters longer than its host."""
    url = urls.canonical("https://a.example/" + rest * 40)
    assert len(traps.shape(url)) < 360
    assert traps.skeleton(url) != url


def test_random_letters_are_told_from_words():
    """Nine in ten names of ten random letters are tokens, and of everyday words none is."""
    chance = random.Random(5)
    names = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=10)) for _ in range(500)]
    told = sum(traps.shape(f"https://a.example/{name}").endswith("<x>") for name in names)
    assert told > 450
    words = "international products documentation geschwindigkeit bibliotheque universidad downloads przepisy"
    assert [word for word in words.split() if "<" in traps.shape(f"https://a.example/{word}")] == []


SKELETONS = [
    ("/a;jsessionid=0A1B?x=1", "/a?x=1"),
    ("/a;JSESSIONID=0A1B!-12/b", "/a/b"),
    ("/a?PHPSESSID=abc&x=1", "/a?x=1"),
    ("/a?x=1&phpsessid=", "/a?x=1"),
    ("/a?PHPSESSID=abc", "/a"),
    ("/a?x=1&CFID=12&CFTOKEN=34&y=2", "/a?x=1&y=2"),
    ("/a?osCsid=0123456789abcdef0123456789abcdef", "/a"),
    ("/a?ASPSESSIONIDQQRRSS=ABC", "/a"),
    ("/(S(lit3py55t21z5v55vlm25s55))/a.aspx", "/a.aspx"),
    ("/x/(X(1)S(lit3py55t21z5v55vlm25s55))/a.aspx", "/x/a.aspx"),
    ("/a?sid=0123456789abcdef", "/a"),
    (f"/a?visitor={UUID}", "/a"),
    ("/a?s=0123456789abcdef0123456789abcdef", "/a"),
    ("/a;sid=0123456789abcdef/b", "/a/b"),
    ("/a?sid=12", None),
    ("/a?sid=01/12/23/1342231", None),
    ("/a?sid=1234567890123456789", None),
    ("/a?session_id=keynote", None),
    ("/a?s=the-best-phones-of-2019", None),
    ("/a?id=" + SHA, None),
    ("/wiki/A_(B)/c", None),
    ("/a;v=1/b", None),
    ("/a?x=PHPSESSID", None),
    ("/a?basid=0123456789abcdef", None),
    ("/a", None),
    ("/a?", None),
]


@pytest.mark.parametrize(("rest", "bare"), SKELETONS, ids=[rest[:40] for rest, _ in SKELETONS])
def test_the_skeleton_is_the_url_without_its_session_id(rest, bare):
    """What is surely a session id is taken out, all else stays as it is; a URL without one has no skeleton."""
    assert traps.skeleton("https://a.example" + rest) == (bare and "https://a.example" + bare)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("May 2025: no events", "May 2031:  no\nevents", True),
        ("visit 4711, at 12:30h", "visit 0815 at", True),
        ("page a1 of it", "page b2 of it", True),
        ("Tom", "Tim", False),
        ("مايو ٢٠٢٥", "مايو ٢٠٣١", True),
        ("", "12", True),
        ("x" * 20_000 + "a", "x" * 20_000 + "b", True),
        ("\udc80 1", "\udc80 2", True),
    ],
)
def test_a_fingerprint_sees_no_numbers(one, other, same):
    """Texts that differ only in words with digits, in white space or beyond 20,000 characters share a fingerprint."""
    assert (traps.fingerprint(one)[:8] == traps.fingerprint(other)[:8]) is same
    assert len(traps.fingerprint(one)) == 9
