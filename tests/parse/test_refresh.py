import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.refresh import refresh_target


@pytest.mark.parametrize(
    ("content", "target"),
    [
        pytest.param("5; url=x", "x", id="as-usual"),
        pytest.param("0;URL='/a b?c;d=\"e\"'", '/a b?c;d="e"', id="single-quotes"),
        pytest.param('0; url="x\'y"z', "x'y", id="after-the-quotes"),
        pytest.param("0; url='x", "x", id="open-quote"),
        pytest.param(" \n0.5 , \t uRl \f=\r x y", "x y", id="white-space-everywhere"),
        pytest.param("0 url=x", "x", id="white-space-separates"),
        pytest.param("0, x", "x", id="comma-without-url"),
        pytest.param("0 ; 'x'", "x", id="quotes-without-url"),
        pytest.param("0;x", "x", id="url-alone"),
        pytest.param(".;x", "x", id="no-seconds-but-a-dot"),
        pytest.param("1.2.3...;x", "x", id="many-dots"),
        pytest.param("0;url x", "url x", id="no-equals-sign"),
        pytest.param("0;urlx=y", "urlx=y", id="begins-like-url"),
        pytest.param("0;;x", ";x", id="second-separator-is-the-url"),
        pytest.param("0;url=url=x", "url=x", id="once-only"),
        pytest.param("5", None, id="itself"),
        pytest.param("5;", None, id="itself-separator"),
        pytest.param("5; url=", None, id="itself-url"),
        pytest.param("5; url=''x", None, id="itself-quotes"),
        pytest.param("", None, id="empty"),
        pytest.param("url=x", None, id="no-time"),
        pytest.param("-1;url=x", None, id="negative"),
        pytest.param("5s;url=x", None, id="letters-after-time"),
        pytest.param("5\xa0url=x", None, id="no-white-space-of-html"),
        pytest.param("٥;url=x", None, id="no-ascii-digit"),
    ],
)
def test_target(content, target):
    """A refresh leads where the HTML standard's steps say it does."""
    assert refresh_target(content) == target


@pytest.mark.parametrize("part", ["0", " ", "0;", ".", "0;url", "0;url=", '0;"', "0;url ", ";"])
def test_hostile(part):
    """Whatever is repeated however often is read in one go."""
    refresh_target("0" + part * 500_000)


@given(st.text("05.;, \t\nurlURL='\"x", max_size=12))
def test_steps(content):
    """So it does for any content, by the steps as they are numbered there."""
    assert refresh_target(content) == (by_steps(content) or None)


def by_steps(content):
    """The standard's steps 2 to 11, one by one; None where they return."""
    spaces = "\t\n\f\r "
    rest = content.lstrip(spaces)
    seconds = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    if not seconds and not rest.startswith("."):
        return None
    rest = rest.lstrip("0123456789.")
    if rest and rest[0] not in ";," + spaces:
        return None
    rest = rest.lstrip(spaces)
    rest = (rest[1:] if rest[:1] in {";", ","} else rest).lstrip(spaces)
    if rest[:3].lower() == "url" and rest[3:].lstrip(spaces).startswith("="):
        rest = rest[3:].lstrip(spaces)[1:].lstrip(spaces)
    elif rest[:1].lower() == "u":
        return rest
    if rest[:1] in {"'", '"'}:
        rest = rest[1:].partition(rest[0])[0]
    return rest
