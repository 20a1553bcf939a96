import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper import urls
from scraper.errors import UrlError
from scraper.model import Link, Reason, Verdict
from scraper.parse import Page, links
from scraper.parse.outline import Anchor, Outline
from scraper.scope import Patterns

URL = "http://a.test/dir/page?q"


def page(html, **options):
    """A page at URL."""
    return Page(URL, html, **options)


@pytest.mark.parametrize(
    ("html", "found"),
    [
        pytest.param("<a href=x>", ["http://a.test/dir/x"], id="relative"),
        pytest.param("<a href='/x#y'><a href=/x><a href=/x#z>", ["http://a.test/x"], id="fragments-distinct"),
        pytest.param("<a href=#top><a href=''><a href=' '>", [], id="itself"),
        pytest.param("<a href=?q>", [URL], id="itself-by-name"),
        pytest.param("<a name=x><area><a href>", [], id="no-href"),
        pytest.param("<area href=a>", ["http://a.test/dir/a"], id="area"),
        pytest.param("<frameset><frame src=b></frameset>", ["http://a.test/dir/b"], id="frame"),
        pytest.param("<iframe src=b></iframe>", ["http://a.test/dir/b"], id="iframe"),
        pytest.param("<link rel='NEXT x' href=2><link rel=stylesheet href=s>", ["http://a.test/dir/2"], id="link-next"),
        pytest.param("<link rel=prev href=0><link href=1>", ["http://a.test/dir/0"], id="link-prev"),
        pytest.param("<a href='\n HTTP://B.test:80/./%7e\t'>", ["http://b.test/~"], id="canonical"),
        pytest.param("<a href=//u:p@b.test/>", ["http://b.test/"], id="userinfo"),
        pytest.param("<base href=/b/><a href=x><a href=#y>", ["http://a.test/b/x", "http://a.test/b/"], id="base"),
        pytest.param("<base href=http://b.test/1><base href=/2/><a href=x>", ["http://b.test/x"], id="first-base"),
        pytest.param("<base href=javascript:1><a href=x>", ["http://a.test/dir/x"], id="base-not-web"),
        pytest.param("<base href=http://[><a href=x>", ["http://a.test/dir/x"], id="base-no-url"),
    ],
)
def test_found(html, found):
    """Links are distinct by canonical URL, in document order, relative to the first base; what leads here is none."""
    assert [link.url for link in page(html).links] == found


@given(
    st.sampled_from(["", "?", "/", ".", "..", "a", "%41", "-", "~", "\\", "//b.test", "http:", "x:", "#", "\x01", ";"]),
    st.text("a/?#:.%\\ \t", max_size=8),
    st.sampled_from(["http://a.test/", "http://a.test/d/e/f?x=/y/z", "http://a.test/d/?q", "http://a.test/d;p/e"]),
)
def test_joined(start, rest, base):
    """Whatever an href looks like, it means what it means relative to the whole URL of its page."""
    outline = Outline(None, "", None, [], [Anchor(start + rest, "", [])], [], "")
    found, bad = links.find_links(outline, base, _any, nofollow=False)
    one = (start + rest).partition("#")[0].strip("\t\n\f\r ")
    try:
        expected = urls.canonical(one, base)
    except UrlError:
        assert (found, bad) == ((), 1)
    else:
        assert [link.url for link in found] == ([] if not one and expected == base else [expected])


def _any(_):
    return None


def test_values():
    """A link has its host, its key, the words in it, and its rel."""
    (link,) = page("<a rel='a  b' href=//B.test/x> one <b>two</b>\n three</a>").links
    assert link == Link("http://b.test/x", "http://b.test", urls.key("http://b.test/x"), "one two three", "a b")
    assert len(page("<a href=x>" + "y" * 500).links[0].text) == links.LONGEST_TEXT


def test_first_text():
    """Of several links to a URL the first text that is not empty is kept."""
    assert [link.text for link in page("<a href=x><img></a><a href=x>one</a><a href=x>two</a>").links] == ["one"]


def test_bad():
    """An href that is no URL is counted, each time it stands there."""
    parsed = page("<a href='http://['><a href='http://[#x'><a href='http://a b/'><a href=ok>")
    assert parsed.bad_links == 3
    assert len(parsed.links) == 1


def test_cap(monkeypatch):
    """A page has at most so many links; the rest is counted as bad."""
    monkeypatch.setattr(links, "MOST_LINKS", 3)
    parsed = page("".join(f"<a href={number % 5}>" for number in range(10)))
    assert [link.url[-1] for link in parsed.links] == ["0", "1", "2"]
    assert parsed.bad_links == 4


@pytest.mark.parametrize("href", ["mailto:a@b.test", "JavaScript:void(0)", "tel:1", "data:," + "x" * 100_000])
def test_other_schemes(href):
    """A URL that is not http or https is a link with that verdict, cut to 500 characters."""
    (link,) = page(f"<a href='{href}'>").links
    assert link.verdict == Verdict(Reason.SCHEME)
    assert len(link.url) <= 500
    assert link.key == urls.key(link.url)


@pytest.mark.parametrize(
    ("html", "header", "detail"),
    [
        pytest.param("<a rel='x NoFollow' href=x>", "", "rel=nofollow", id="rel"),
        pytest.param("<meta name=robots content=nofollow><a href=x>", "", "meta robots", id="meta"),
        pytest.param("<meta name=ROBOTS content='NOINDEX, NONE'><a href=x>", "", "meta robots", id="meta-none"),
        pytest.param("<meta name=scraper content=nofollow><a href=x>", "", "meta robots", id="meta-us"),
        pytest.param("<meta name=otherbot content=nofollow><a href=x>", "", None, id="meta-them"),
        pytest.param("<a href=x>", "noindex, nofollow", "X-Robots-Tag", id="header"),
        pytest.param("<a href=x>", "Scraper: nofollow", "X-Robots-Tag", id="header-us"),
        pytest.param("<a href=x>", "otherbot: noindex, nofollow", None, id="header-them"),
        pytest.param("<a href=x>", "otherbot: noindex, scraper: none", "X-Robots-Tag", id="header-both"),
        pytest.param("<a href=x>", "unavailable_after: 1 Jan 2030 10:00:00 GMT, nofollow", "X-Robots-Tag", id="dated"),
        pytest.param("<a rel=nofollow href=x><a href=x>", "", None, id="once-without"),
        pytest.param("<a href=x><a rel=nofollow href=x>", "", None, id="once-with"),
        pytest.param("<a rel=external href=x>", "index, follow", None, id="neither"),
    ],
)
def test_nofollow(html, header, detail):
    """A page's wish that a link, or none of its links, be followed is a verdict that says where it stands."""
    headers = [("x-robots-tag", value) for value in header.split(";") if value]
    (link,) = page(html, headers=headers).links
    assert link.verdict == (None if detail is None else Verdict(Reason.NOFOLLOW, detail))
    (link,) = page(html, headers=headers, nofollow=False).links
    assert link.verdict is None


def test_patterns():
    """A link carries the verdict of --include and --exclude."""
    parsed = page("<a href=/a/1><a href=/b>", patterns=Patterns(include=("/a/",)))
    assert [link.verdict for link in parsed.links] == [None, Verdict(Reason.SCOPE, "matches no --include")]


def without_u(url):
    """Strip the parameter u."""
    head, mark, query = url.partition("?")
    kept = "&".join(part for part in query.split("&") if not part.startswith("u="))
    return head + mark + kept if kept else head


def test_strip():
    """Hrefs that become one URL without their tracking parameters are one link, canonical links and headers too."""
    html = (
        "<link rel=canonical href='x?u=0'><a href='x?u=1'>one</a><a href='/dir/x?u=2'>two</a><a href='y?u=1&v=1'>"
        "<a href='y?v=1'><a href=z><a href='mailto:b@c.test?u=1'>"
    )
    parsed = page(html, headers=[("refresh", "0;x?u=3")], strip=without_u)
    expected = ["http://a.test/dir/x", "http://a.test/dir/y?v=1", "http://a.test/dir/z", "mailto:b@c.test?u=1"]
    assert [link.url for link in parsed.links] == expected
    assert [link.key for link in parsed.links] == [urls.key(url) for url in expected]
    assert parsed.links[0].text == "one"
    assert len(page(html).links) == 7


def test_strip_itself():
    """A page that points at itself with a tracking parameter leads nowhere by that."""
    html = "<link rel=canonical href='?u=1'><meta http-equiv=refresh content='0;?u=2'>"
    assert Page("http://a.test/dir/page", html, strip=without_u).links == ()


def test_strip_judged():
    """What --exclude sees is the URL without its tracking parameters."""
    parsed = page("<a href='x?u=1'>", strip=without_u, patterns=Patterns(exclude=("u=",)))
    assert [link.verdict for link in parsed.links] == [None]


def test_strip_followed():
    """What a rule follows is stripped as well, so that it is the link that stands on the page."""
    marked = links.following(
        page("<a href='x?u=1'>", strip=without_u).links, ["http://a.test/dir/x?u=9"], _any, strip=without_u
    )
    assert [(link.url, link.follow) for link in marked] == [("http://a.test/dir/x", True)]
