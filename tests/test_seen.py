import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.frontier import Seen
from scraper.model import Link, Reason, Verdict

OUTSIDE = Verdict(Reason.SCOPE, "other host")
NOFOLLOW = Verdict(Reason.NOFOLLOW, "rel=nofollow")


def _link(name, verdict=None, *, follow=False):
    return Link(f"http://a.test/{name}", "http://a.test", name.encode(), verdict=verdict, follow=follow)


def _as_it_is(one):
    return one


def test_again():
    """A link that was found before is no news; those beside it are."""
    seen = Seen()
    assert seen.news([_link("a"), _link("b")], _as_it_is, 1) == (_link("a"), _link("b"))
    assert seen.news([_link("a"), _link("c")], _as_it_is, 1) == (_link("c"),)


@pytest.mark.parametrize(
    ("first", "then", "is_news"),
    [
        pytest.param(_link("a", OUTSIDE), _link("a", OUTSIDE), False, id="refused-again"),
        pytest.param(_link("a", NOFOLLOW), _link("a"), True, id="followed-after-all"),
        pytest.param(_link("a", OUTSIDE), _link("a"), True, id="scope-widened"),
        pytest.param(_link("a"), _link("a", NOFOLLOW), False, id="queued-then-nofollow"),
        pytest.param(_link("a"), _link("a", follow=True), True, id="now-by-a-rule"),
        pytest.param(_link("a", follow=True), _link("a"), False, id="by-a-rule-before"),
        pytest.param(_link("a", follow=True), _link("a", follow=True), False, id="by-a-rule-again"),
    ],
)
def test_verdicts(first, then, is_news):
    """What changes a link's outcome in the store is news, what the store would ignore is not."""
    seen = Seen()
    seen.news([first], _as_it_is, 1)
    assert bool(seen.news([then], _as_it_is, 1)) is is_news


@pytest.mark.parametrize(("first", "then", "is_news"), [(2, 1, True), (1, 1, False), (1, 2, False)])
def test_followed_nearer(first, then, is_news):
    """What a rule follows is news again where it is found with less depth."""
    seen = Seen()
    seen.news([_link("a", follow=True)], _as_it_is, first)
    assert bool(seen.news([_link("a", follow=True)], _as_it_is, then)) is is_news
    assert seen.news([_link("a")], _as_it_is, 0) == ()


def test_judged_once():
    """Only what is not known to be queued is judged, and the verdict stands on what is returned."""
    seen, asked = Seen(), []

    def judge(one):
        asked.append(one.key)
        return one._replace(verdict=OUTSIDE) if one.key == b"b" else one

    assert [one.verdict for one in seen.news([_link("a"), _link("b")], judge, 1)] == [None, OUTSIDE]
    assert seen.news([_link("a"), _link("b")], judge, 1) == ()
    assert asked == [b"a", b"b", b"b"]


@given(st.lists(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=6), max_size=40))
def test_forgets_but_never_invents(pages):
    """However little is remembered, each link is news when it is first found, and memory is bounded."""
    seen, found = Seen(size=4), set()
    for names in pages:
        links = [_link(name) for name in dict.fromkeys(names)]
        news = seen.news(links, _as_it_is, 1)
        assert {one.key for one in links} - found <= {one.key for one in news}
        found |= {one.key for one in links}
        assert len(seen._young) + len(seen._old) <= 2 * (4 + 6)
