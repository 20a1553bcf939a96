import pytest

from scraper.model import Reason, Verdict
from scraper.parse import Page, pointers

URL = "http://a.test/dir/page?q"
BUILDERS = ["turbo", "lxml", "html5lib", "html.parser"]


def found(html, *headers, **options):
    """The links of a page at URL: URL, rel and kind of each."""
    return [(link.url, link.rel, link.kind) for link in Page(URL, html, headers=headers, **options).links]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        pytest.param("<link rel='X Canonical' href=/c#f>", ("http://a.test/c", "canonical x"), id="canonical"),
        pytest.param("<p>x</p><link rel=canonical href=/c>", ("http://a.test/c", "canonical"), id="canonical-in-body"),
        pytest.param("<link rel=alternate hreflang=de href=de>", ("http://a.test/dir/de", "alternate"), id="language"),
        pytest.param("<link rel=alternate media=print href=p>", ("http://a.test/dir/p", "alternate"), id="medium"),
        pytest.param("<link rel=alternate type=text/html href=p>", ("http://a.test/dir/p", "alternate"), id="html"),
        pytest.param(
            "<link rel=alternate type='application/XHTML+xml;x' href=p>",
            ("http://a.test/dir/p", "alternate"),
            id="xhtml",
        ),
        pytest.param("<link rel='alternate stylesheet' href=s>", None, id="style-sheet"),
        pytest.param("<link rel='alternate icon' href=s>", None, id="icon"),
        pytest.param("<link rel=alternate type=application/json+oembed href=o>", None, id="oembed"),
        pytest.param("<link rel=alternate type=application/json href=o>", None, id="json"),
        pytest.param("<link rel=alternate type=application/rss+xml href=o>", None, id="feed"),
        pytest.param("<link rel=amphtml href=o><link rel=manifest href=o>", None, id="amp-manifest"),
        pytest.param("<base href=/b/><link rel=canonical href=c>", ("http://a.test/b/c", "canonical"), id="base"),
        pytest.param("<link rel=canonical href='?q#x'>", None, id="canonical-itself"),
        pytest.param("<link rel=alternate hreflang=en href='/dir/page?q'>", None, id="alternate-itself"),
        pytest.param("<link rel=canonical>", None, id="no-href"),
        pytest.param(
            "<meta http-equiv=Refresh content=' 3 , URL = \"/x y#f\" '>", ("http://a.test/x%20y", "refresh"), id="meta"
        ),
        pytest.param(
            "<meta http-equiv=refresh content='0;url=a  b'>", ("http://a.test/dir/a%20%20b", "refresh"), id="raw"
        ),
        pytest.param(
            "<base href=/b/><meta http-equiv=refresh content=0;x>", ("http://a.test/b/x", "refresh"), id="meta-base"
        ),
        pytest.param(
            "<head><noscript><meta http-equiv=refresh content='0;x'></noscript>",
            ("http://a.test/dir/x", "refresh"),
            id="meta-noscript",
        ),
        pytest.param("<template><meta http-equiv=refresh content='0;x'></template>", None, id="meta-template"),
        pytest.param("<meta http-equiv=refresh content='5;url=?q'>", None, id="meta-itself"),
        pytest.param("<meta http-equiv=refresh content=5><meta http-equiv=refresh>", None, id="meta-reload"),
        pytest.param("<meta name=refresh content='0;x'><meta property=refresh content='0;x'>", None, id="meta-name"),
    ],
)
@pytest.mark.parametrize("builder", BUILDERS)
def test_elements(html, expected, builder):
    """The canonical page, the page's other versions and a refresh's target are links, what points at itself is none."""
    assert found(html, builder=builder) == ([(*expected, "page")] if expected else [])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param([("link", '</2>; rel="Next x", <0>;rel=prev')], ["/2 next x", "/dir/0 prev"], id="next-prev"),
        pytest.param(
            [("link", "<2>;rel=next"), ("link", "<3>;rel=prev")], ["/dir/2 next", "/dir/3 prev"], id="two-headers"
        ),
        pytest.param([("link", '<a,b;c>; title="x, <y>; rel=z"; rel=next')], ["/dir/a,b;c next"], id="marks-in-quotes"),
        pytest.param([("link", "<2>;; rel=prefetch next ; x")], ["/dir/2 next prefetch"], id="unquoted-words"),
        pytest.param([("link", "<2>; rel=x; rel=next")], [], id="first-rel-counts"),
        pytest.param([("link", "</c>; rel=canonical, </c>;rel=shortlink")], ["/c canonical"], id="canonical"),
        pytest.param([("link", '<de>; rel=alternate; hreflang="de"')], ["/dir/de alternate"], id="alternate"),
        pytest.param([("link", "<j>; rel=alternate; type=application/json")], [], id="alternate-json"),
        pytest.param([("link", "<s>; rel=preload; as=style, <x>; rel=stylesheet")], [], id="other-rels"),
        pytest.param([("link", '<2>; rel=next; anchor="/other"')], [], id="anchor-elsewhere"),
        pytest.param([("link", '<2>; rel=next; anchor="#part"')], [], id="anchor-part"),
        pytest.param([("link", '<2>; rel=next; anchor="?q"')], ["/dir/2 next"], id="anchor-itself"),
        pytest.param([("link", "<>; rel=next, <?q>; rel=canonical, <#x>; rel=next")], [], id="itself"),
        pytest.param([("refresh", "0; url=/x")], ["/x refresh"], id="refresh"),
        pytest.param([("refresh", "0;url='x\udcff'")], ["/dir/x%EF%BF%BD refresh"], id="refresh-bad-bytes"),
        pytest.param([("refresh", "30")], [], id="refresh-itself"),
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "application/json"])
def test_headers(headers, expected, kind):
    """Link and Refresh headers lead from a page of any kind, relative to its own URL whatever its base."""
    links = found("<base href=http://b.test/>", ("content-type", kind), *headers)
    assert [f"{url.removeprefix('http://a.test')} {rel}" for url, rel, _ in links] == expected


@pytest.mark.parametrize("kind", ["application/rss+xml", "Application/Atom+XML; charset=utf-8", "application/rdf+xml"])
@pytest.mark.parametrize("builder", BUILDERS)
def test_feeds(kind, builder):
    """A feed is a link only if asked for, and says that it is one, also where an anchor leads to it too."""
    html = f"<link rel=alternate type='{kind}' href=f><a href=f>x</a>"
    assert found(html, feeds=True, builder=builder) == [("http://a.test/dir/f", "alternate", "feed")]
    assert found(html, builder=builder) == [("http://a.test/dir/f", "", "page")]
    header = ("link", f'<f>; rel=alternate, <f>; rel=alternate; type="{kind}"')
    assert found("", header, feeds=True) == [("http://a.test/dir/f", "alternate", "feed")]


def test_order():
    """What headers name comes first, then what `<link>` and refresh name, then the anchors; each URL is one link."""
    html = "<a href=4>a</a><a href=2>two</a><meta http-equiv=refresh content=0;3><link rel=canonical href=2>"
    parsed = Page(URL, html, headers=[("refresh", "0;1"), ("link", "<0>;rel=next")])
    assert [(link.url[-1], link.rel, link.text) for link in parsed.links] == [
        *(("0", "next", ""), ("1", "refresh", ""), ("2", "canonical", "two"), ("3", "refresh", ""), ("4", "", "a")),
    ]


def test_each_refresh():
    """Of several refreshes each that names a URL is a link, and one that names none that can be is bad."""
    html = "<meta http-equiv=refresh content='0;http://['>" + "".join(
        f"<meta http-equiv=refresh content='{n};{n}'>" for n in range(3)
    )
    parsed = Page(URL, html, headers=[("link", "<http://[>; rel=next")])
    assert [link.url[-1] for link in parsed.links] == ["0", "1", "2"]
    assert parsed.bad_links == 2


HTML = "<link rel='canonical {0}' href=1><link rel='alternate {0}' href=2><meta http-equiv=refresh content='0;3'>"


@pytest.mark.parametrize(
    ("html", "header", "verdicts"),
    [
        pytest.param(HTML.format("nofollow"), "", ["rel=nofollow", "rel=nofollow", None], id="rel"),
        pytest.param(HTML + "<meta name=robots content=nofollow>", "", ["meta robots"] * 3, id="meta"),
        pytest.param(HTML, "nofollow", ["X-Robots-Tag"] * 3, id="header"),
        pytest.param(HTML.format("nofollow") + "<a href=1>x</a>", "", [None, "rel=nofollow", None], id="once-without"),
        pytest.param(HTML + "<a rel=nofollow href=1>x</a>", "", [None] * 3, id="once-with"),
    ],
)
def test_nofollow(html, header, verdicts):
    """A page's wish that its links be not followed holds for what it points at."""
    headers = [("x-robots-tag", header)] if header else []
    details = [link.verdict and link.verdict.detail for link in Page(URL, html, headers=headers).links]
    assert details == verdicts
    assert {link.verdict for link in Page(URL, html, headers=headers, nofollow=False).links} == {None}


def test_nofollow_header():
    """A link of a header may be nofollow too."""
    (link,) = Page(URL, "", headers=[("link", '<2>; rel="next nofollow"')]).links
    assert link.verdict == Verdict(Reason.NOFOLLOW, "rel=nofollow")


@pytest.mark.parametrize("target", ["javascript:x()", "file:///etc/passwd", "android-app://b.test/x"])
def test_other_schemes(target):
    """A refresh, a canonical or an alternate to what is no http or https is refused for its scheme."""
    html = f"<meta http-equiv=refresh content='0;{target}'><link rel=canonical href={target}x>"
    parsed = Page(URL, html, headers=[("link", f"<{target}y>; rel=alternate"), ("refresh", f"0;{target}z")])
    assert [link.verdict for link in parsed.links] == [Verdict(Reason.SCHEME)] * 4


def test_many():
    """Of the elements of a kind, and of a header's links, a thousand are looked at, however many there are."""
    html = "".join(f"<link rel=canonical href=c{n}><meta http-equiv=refresh content=0;r{n}>" for n in range(1_500))
    header = ",".join(f"<h{n}>;rel=next" for n in range(1_500))
    parsed = Page(URL, html, headers=[("link", header)])
    assert len(parsed.links) == 3 * pointers.MOST
    assert parsed.bad_links == 0
