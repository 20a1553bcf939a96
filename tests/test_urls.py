"""The canonical form, its key, its stripping, and what is told about texts that are no URL. Rows C3, C6, goal G12."""

import csv
import json
import pickle
import re
import string
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from urllib.parse import unquote_to_bytes

import ada_url
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper import urls
from scraper.errors import UrlError
from scraper.urls import TRACKING, Stripping

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the public URL collections are not beside the checkout")

CANONICAL = [
    ("HTTP://EXAMPLE.com", None, "http://example.com/"),
    ("https://example.com:443/", None, "https://example.com/"),
    ("http://example.com:443/", None, "http://example.com:443/"),
    ("https://example.com/#top", None, "https://example.com/"),
    ("https://example.com/?#top", None, "https://example.com/?"),
    ("https://example.com/a/../b/./c", None, "https://example.com/b/c"),
    ("https://example.com/a/%2e%2e/b", None, "https://example.com/b"),
    ("https://example.com/%7ea%2fb?%7ea%2fb", None, "https://example.com/~a%2Fb?~a%2Fb"),
    ("https://example.com/%252e%2525%257e?%252e", None, "https://example.com/%252e%2525%257e?%252e"),
    ("https://example.com/%d0%9f/\u041f", None, "https://example.com/%D0%9F/%D0%9F"),
    ("https://example.com/%2e%2E/", None, "https://example.com/"),
    ("https://example.com/a/%2e./b/.%2e/%2e", None, "https://example.com/"),
    ("https://example.com/a/;%2e/%2e%2e;/%2e%2e%2e", None, "https://example.com/a/;./..;/..."),
    ("https://example.com/a/..%2f%2e%2e%5c", None, "https://example.com/a/..%2F..%5C"),
    ("https://example.com/?/%2e%2e/%2e", None, "https://example.com/?/../."),
    ("https://example.com/%%32e/%a%62/%2%65", None, "https://example.com/%%32e/%a%62/%2%65"),
    ("https://example.com/%%7e/%g%32/%%32%32", None, "https://example.com/%~/%g2/%%322"),
    ("https://example.com/100%?%zz%7e%4", None, "https://example.com/100%?%zz~%4"),
    ("%7eb?%63", "https://example.com/%61/x", "https://example.com/a/~b?c"),
    ("?", "https://example.com/%7e", "https://example.com/~?"),
    ("ftp://example.com/%7e%2f", None, "ftp://example.com/%7e%2f"),
    ("data:,%7e%2f?%41", None, "data:,%7e%2f?%41"),
    ("other://%41/%7e", None, "other://%41/%7e"),
    ("http://%65xample.com/%65", None, "http://example.com/e"),
    ("http://example.com:/", None, "http://example.com/"),
    ("http://example.com:00080/", None, "http://example.com/"),
    ("http://example.com:0/", None, "http://example.com:0/"),
    ("https://EXAMPLE.com.:443", None, "https://example.com./"),
    ("http://127.0.0.1./", None, "http://127.0.0.1/"),
    ("http://[0:0::1]:80/", None, "http://[::1]/"),
    ("https://example.com/a b?c d", None, "https://example.com/a%20b?c%20d"),
    ("https://example.com/ä", None, "https://example.com/%C3%A4"),
    ("https://bücher.example/", None, "https://xn--bcher-kva.example/"),
    (" \t\nhttps://exa\nmple.com/\x00", None, "https://example.com/"),
    ("https:\\\\example.com\\a", None, "https://example.com/a"),
    ("?b=1&a=2", "https://example.com/x?y", "https://example.com/x?b=1&a=2"),
    ("#here", "https://example.com/x?y", "https://example.com/x?y"),
    ("", "https://example.com/x?y#z", "https://example.com/x?y"),
    ("//other.test/a", "https://example.com/x", "https://other.test/a"),
    ("../a", "https://example.com/x/y/z", "https://example.com/x/a"),
    ("mailto:me@example.com", "https://example.com/", "mailto:me@example.com"),
    ("data:text/plain,a #b", None, "data:text/plain,a%20"),
    ("http://0x7f.1/", None, "http://127.0.0.1/"),
    ("http://2130706433/", None, "http://127.0.0.1/"),
    ("http://0177.0.0.1/", None, "http://127.0.0.1/"),
    ("http://①②⑦.0.0.1/", None, "http://127.0.0.1/"),
    ("http://127。0。0。1/", None, "http://127.0.0.1/"),
    ("http://%31%32%37.0.0.1/", None, "http://127.0.0.1/"),
    ("http://[::FFFF:127.0.0.1]/", None, "http://[::ffff:7f00:1]/"),
    ("http://user:secret@example.com/", None, "http://example.com/"),
    ("http://user@example.com?a@b", None, "http://example.com/?a@b"),
    ("http://a@b@example.com/c@d", None, "http://example.com/c@d"),
    ("http://ok\\@127.0.0.1/", None, "http://ok/@127.0.0.1/"),
    ("//user:secret@example.com/", "https://here.test/", "https://example.com/"),
    ("/a", "https://user:secret@example.com/", "https://example.com/a"),
    ("ftp://user:secret@example.com/", None, "ftp://example.com/"),
    ("other://user:secret@example.com?a@b", None, "other://example.com?a@b"),
]

REFUSED = [
    ("", None),
    ("example.com", None),
    ("/a", None),
    ("http://", None),
    ("http://example.com:65536/", None),
    ("http://example.com:x/", None),
    ("http://a b/", None),
    ("http://a<b/", None),
    ("http://a%00b/", None),
    ("http://[::1", None),
    ("http://[fe80::1%25lo]/", None),
    ("http://1.2.3.4.5/", None),
    ("http://256.0.0.1/", None),
    ("http://user:secret@/", None),
    ("/a", "mailto:me@example.com"),
    ("http://\ud800/", None),
    ("\ud800", "https://example.com/"),
    ("http://xn--/", None),
    ("http://xn--a/", None),
    ("http://XN--pokxncvks.example/", None),
    ("http://a.b.xn--pokxncvks:8080/", None),
    ("http://xn--foo-.example/", None),
    ("ftp://xn--a/", None),
    ("file://xn--/p", None),
    ("https://example.com/" + "a" * urls.LONGEST, None),
]


@pytest.mark.parametrize(("text", "base", "url"), CANONICAL, ids=[ascii(row[0]) for row in CANONICAL])
def test_the_canonical_form_is_whatwgs_without_fragment_and_credentials_and_with_normal_escapes(text, base, url):
    """Every spelling of a URL has one canonical form, which is its own canonical form."""
    assert urls.canonical(text, base) == url
    assert urls.canonical(url) == url


def test_every_escape_has_one_form():
    """An escaped letter, digit, `-`, `.`, `_` or `~` is that character, any other escape is in upper case."""
    unreserved = string.ascii_letters + string.digits + "-._~"
    for byte in range(256):
        form = chr(byte) if chr(byte) in unreserved else f"%{byte:02X}"
        for escape in (f"%{byte:02x}", f"%{byte:02X}"):
            assert urls.canonical(f"https://h.test/x{escape}?{escape}") == f"https://h.test/x{form}?{form}"


APART = [
    ("?a&b", "?b&a"),
    ("", "?"),
    ("?a", "?a&"),
    ("?a", "?a="),
    ("?a+b", "?a%20b"),
    ("a", "a/"),
    ("a", "A"),
    ("a//b", "a/b"),
    ("a%2Fb", "a/b"),
    ("a%7Cb", "a|b"),
    ("%", "%25"),
    ("%2565", "%65"),
    ("%%36%35", "%65"),
]


@pytest.mark.parametrize(("one", "other"), APART, ids=[f"{one} {other}" for one, other in APART])
def test_what_a_server_may_tell_apart_stays_apart(one, other):
    """URLs that differ by more than the escapes of unreserved characters and the case of escapes are two."""
    assert urls.canonical(f"https://example.com/{one}") != urls.canonical(f"https://example.com/{other}")


@pytest.mark.parametrize("host", ["http://example.com", "https://www.example.com", "https://example.com."])
def test_another_host_is_another_page(host):
    """Another scheme, a host with `www.` and one with a final dot are not taken for the same."""
    assert urls.canonical(host) == f"{host}/"


@pytest.mark.parametrize(("text", "base"), REFUSED, ids=[ascii(row[0][:40]) for row in REFUSED])
def test_what_no_browser_takes_is_refused(text, base):
    """A text that is no URL, too long, or has a label of invalid Punycode is a UrlError."""
    with pytest.raises(UrlError):
        urls.canonical(text, base)


@pytest.mark.parametrize(
    "url",
    [
        "https://xn--bcher-kva.example/xn--/",
        "https://xn--fa-hia.de/",
        "https://xn--fiqs8s/",
        "https://a.xn--ls8h.la:8080/?xn--a",
        "https://r4---sn.example/",
        "other://xn--a/",
    ],
)
def test_valid_punycode_and_what_only_looks_like_it_pass(url):
    """Only labels of a domain are looked into; valid ones, and hosts of unknown schemes, are left alone."""
    assert urls.canonical(url) == url


@pytest.mark.parametrize("letter", "dés", ids=ascii)
def test_a_refused_text_is_shown_without_credentials(letter):
    """No error's text holds user or password, however broken the URL is."""
    for text in [
        "http://u:secret@[",
        "//u:secret@",
        "http:\\\\u:secret@a b",
        "u:secret@example.com",
        "ftp://u:secret@x/",
    ]:
        with pytest.raises(UrlError) as caught:
            urls.from_line(text + letter)
        assert "secret" not in str(caught.value)


def _cases() -> list[dict]:
    return [case for case in json.loads((SHARED / "urltestdata.json").read_text()) if isinstance(case, dict)]


def _normal(url: str) -> str:
    """The normal form of the escapes of a URL in which none follows a stray `%`."""

    def form(escape: re.Match[str]) -> str:
        meant = chr(int(escape[1], 16))
        return meant if re.fullmatch(r"[A-Za-z0-9._~-]", meant) else escape[0].upper()

    return re.sub("%([0-9A-Fa-f]{2})", form, url)


@needs_shared
def test_every_success_of_the_url_standard_agrees():
    """All http(s) successes of the WHATWG data serialise as it says, less fragment and credentials, escapes normal."""
    cases = [case for case in _cases() if "href" in case and case["href"].startswith(("http:", "https:"))]
    assert len(cases) >= 229
    for case in cases:
        bare = ada_url.URL(case["href"])
        bare.hash = bare.username = bare.password = ""
        assert urls.canonical(case["input"], case["base"]) == _normal(bare.href)


@needs_shared
def test_every_failure_of_the_url_standard_is_refused():
    """All failures of the WHATWG data are UrlErrors, invalid Punycode too."""
    cases = [case for case in _cases() if case.get("failure")]
    assert len(cases) >= 273
    passed = []
    for case in cases:
        try:
            passed.append(urls.canonical(case["input"], case["base"]))
        except UrlError:
            continue
    assert passed == []


@needs_shared
def test_ten_thousand_real_urls_are_canonical_once_and_for_all():
    """Each URL of a real list is taken, its canonical form is stable, and no host in it is an address."""
    lines = (SHARED / "url" / "kasztp-10000.txt").read_text().splitlines()
    found = [urls.from_line(line) for line in lines]
    assert len(found) == 10_000
    assert [urls.canonical(url) for url in found] == found
    assert not any(urls.is_address(urls.hostname(url)) for url in found)
    domains = {name: urls.registrable_domain(name) for name in map(urls.hostname, found)}
    assert all(f".{name}".endswith(f".{domain}") for name, domain in domains.items())
    assert all(urls.registrable_domain(domain) == domain for domain in domains.values())


def _rows(name: str) -> Iterator[list[str]]:
    """The rows of a list, which may hold control characters, so that only LF ends a line."""
    for line in (SHARED / "url" / name).read_text().split("\n"):
        if line and not line.startswith("#"):
            yield next(csv.reader([line], skipinitialspace=True))


_FOO, _WWW = "http://foo.com/", "http://www.example.com/"
NOT_ADOPTED = {
    "a server may tell apart how often a slash stands": [
        *(f"{_FOO}{path}/foo.html" for path in ("/aa/bb", "aa//bb", "aa/bb/", "/aa//bb/")),
        *(f"{_FOO}///aa////bb{slashes}foo.html" for slashes in ("//", "////")),
    ],
    "the order of a query, and what is empty in it, may mean something": [
        *("http://example.com?", "http://example.com/?", "http://example.com/?b=1&a=1", f"{_FOO}foo.html?b=1&a=1"),
        *(f"{_FOO}index?{query}" for query in ("b=2&a=1", "b=2&a=1#c", "a=1&b=", "b&a=1", "b=&a=1", "b=1&a=1&")),
        *(f"{_FOO}index?{query}" for query in ("&b=1&a=1", "&=1&a=1", "=1&b=1&a=1")),
    ],
    "browsers send these characters as they are": [
        "http://x.com/?x[y]=1",
        *(f"{_WWW}a/c/../b/search?q=foobar{mark}" for mark in "^`|"),
    ],
    "browsers send a stray % as it is": [
        "https://www.last.fm/music/Prefuse+73/_/90%+of+My+Mind+Is+With+You",
        *(f"{_WWW}{rest}" for rest in ("a/c/../b/search?q=foobar%", "p%zz%77%v", "search?q=foobar%")),
        f"{_WWW}search?q=foobar%2",
    ],
    "browsers keep and send the final dot of a host": ["https://www.example.org./"],
    "not a URL to a browser": ["ftp:/", "http:////", "http:///////"],
    "without a scheme it is not a URL; a hint tells what may be meant": ["foo.com/index.html"],
    "a file: URL has three slashes, and is not crawled": [
        *(f"file:/{path}" for path in ("path/index.html", "var/www/html/////./bar/index.html")),
        "file:/var/www/html/foo/../bar/index.html",
    ],
}


@needs_shared
def test_another_normaliser_agrees_but_for_what_was_not_adopted():
    """Each row of a normaliser that goes further has its normal form here too, or stands in a list with the reason."""

    def form(text):
        try:
            return urls.canonical(text)
        except UrlError:
            return None

    rows = list(_rows("weirdToNormalizedUrls.csv"))
    assert len(rows) == 112
    assert {text for text, normal in rows if form(text) != normal} == set(chain(*NOT_ADOPTED.values()))


@needs_shared
def test_lists_of_joins_and_of_bad_hosts_agree():
    """Each of a list of references is joined as it says, and bytes that are no host name are refused."""
    joins = list(_rows("url-resolve.csv"))
    assert len(joins) == 22
    for reference, base, result in joins:
        assert urls.canonical(reference, base or None) == urls.canonical(result)
    bad = list(_rows("invalidUrls.csv"))
    assert len(bad) == 2
    for (text,) in bad:
        with pytest.raises(UrlError):
            urls.canonical(text)


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(), st.sampled_from([None, "https://example.com/a/b?c", "ftp://h/x", "other:opaque", "other://h"]))
@example("data:x  #y", None)
@example("http://u:p@e@h?q@r#s@t", None)
def test_any_text_is_refused_or_has_a_stable_form(text, base):
    """The canonical form of a canonical form is itself, in ASCII, without fragment."""
    try:
        url = urls.canonical(text, base)
    except UrlError:
        return
    assert urls.canonical(url) == url
    assert url.isascii()
    assert "#" not in url


_parts = st.text(alphabet="aZ09.:/\\?#@%&=[]~ ä\t-_;|'\"<>x", max_size=20)


@settings(deadline=None)  # a busy machine is no fault
@given(st.sampled_from(["http", "https", "ftp", "HTTP", "x"]), st.text("abc:@%", max_size=8), _parts, _parts)
def test_the_canonical_form_keeps_the_origin_and_loses_the_credentials(scheme, user, name, path):
    """Only fragment and credentials go: scheme, host and port stay, and path and query mean the same bytes."""
    text = f"{scheme}://{user}@{name}/{path}"
    try:
        url = urls.canonical(text)
    except UrlError:
        return
    parsed, whole = ada_url.URL(url), ada_url.URL(text)
    assert (parsed.username, parsed.password, parsed.hash) == ("", "", "")
    assert (parsed.protocol, parsed.host) == (whole.protocol, whole.host)
    assert _meant(parsed) == _meant(whole)
    if urls.is_web(url):
        assert urls.host(url) == parsed.origin
        assert urls.hostname(url) == parsed.hostname
        assert urls.authority(urls.host(url)) == parsed.host
    else:
        assert (parsed.pathname, parsed.search) == (whole.pathname, whole.search)


def _meant(url: ada_url.URL) -> list[list[bytes]]:
    """The bytes of each segment of the path, and of each parameter of the query."""
    return [
        [unquote_to_bytes(piece) for piece in part.split(mark)]
        for part, mark in ((url.pathname, "/"), (url.search, "&"))
    ]


_ESCAPED = st.lists(
    st.sampled_from([
        "%",
        "%2",
        "%4",
        "%25",
        "%32",
        "%41",
        "%65",
        "%2e",
        "%2E",
        "%2f",
        "%7E",
        "%c3%a4",
        *"/.;?&=aeE25#",
    ])
)


@settings(deadline=None)  # a busy machine is no fault
@given(_ESCAPED)
@example(["%", "%32", "e"])
@example(["/", "%", "%32", "%65", "/", "%2", "%65"])
@example(["%4", "%41"])
def test_escapes_keep_their_meaning_and_have_one_form(pieces):
    """However escapes are mixed: no byte and no segment changes, none can be made shorter, and the form is stable."""
    text = "https://h.test/" + "".join(pieces)
    url = urls.canonical(text)
    parsed, whole = ada_url.URL(url), ada_url.URL(text)
    assert _meant(parsed) == _meant(whole)
    assert urls.canonical(url) == url
    assert all(escape == escape.upper() for escape in re.findall("%[0-9A-Fa-f]{2}", url))
    after_no_stray = r"(?<!%)(?<!%[0-9A-Fa-f])%(?:2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)"
    assert re.search(after_no_stray, url) is None


STRIPPED = [
    (["tracking"], "utm_source=x&id=1&utm_medium=y", "?id=1"),
    (["tracking"], "id=1&gclid=x&page=2&fbclid=y&msclkid&mc_eid=", "?id=1&page=2"),
    (["tracking"], "utm_source=x", ""),
    (["tracking"], "UTM_Source=x&GCLID=1&sccid=1", ""),
    (["tracking"], "%75tm%5Fsource=x&gcl%69d=1", ""),
    (["tracking"], "autm_source=x&gclid2=1&utm=3&%2567clid=4", None),
    (["tracking"], "a=utm_source=x&b=gclid", None),
    (["tracking"], "tracking=1", None),
    (["tracking", "trackin*g"], "tracking=1&a", "?a"),
    (["sid"], "b=2&a=%20+%2B&&c&sid=1&=&d;sid=2", "?b=2&a=%20+%2B&&c&=&d;sid=2"),
    (["sid"], "sid", ""),
    (["sid"], "&sid=1&", ""),
    (["sid"], "?sid=1", None),
    (["sid"], "", None),
    (["sid"], "&", None),
    (["s*d"], "sd=1&sad&s%0Ad=2&sda=3&SAD", "?sda=3"),
    (["*id*"], "id&sid&idx&gridding=1&i=d", "?i=d"),
    (["a*b*c"], "abc&aXbXc&acb&aXcXb", "?acb&aXcXb"),
    (["*"], "a=1&&=2&b", ""),
    (["*"], "", None),
    (["*"], "&", None),
    (["s.d", "(", "[a-z]", "?"], "sxd&s.d&(=1&a&[A-Z]=2&?=3", "?sxd&a"),
    (["Straße", "%2A"], "stra%C3%9Fe=1&STRASSE=2&*=3&a", "?a"),
    ([], "utm_source=x", None),
]


@pytest.mark.parametrize(("names", "query", "left"), STRIPPED, ids=[f"{row[0]} {row[1]}" for row in STRIPPED])
def test_named_parameters_are_stripped_and_the_others_left_as_they_are(names, query, left):
    """Parameters go by their decoded names, whatever the case; the rest keeps order and spelling, or the `?` goes."""
    strip, url = Stripping(tuple(names)), urls.canonical(f"https://example.com/utm_source?{query}")
    assert strip(url) == (url if left is None else f"https://example.com/utm_source{left}")


@pytest.mark.parametrize("name", TRACKING)
def test_each_tracking_parameter_is_stripped(name):
    """`tracking` stands for each of the well-known parameters, and for its own name alone it can be given too."""
    url = f"https://example.com/?{name.replace('*', 'x')}=1"
    assert Stripping(("tracking",))(url) == Stripping((name,))(url) == "https://example.com/"


@pytest.mark.parametrize("url", ["https://example.com/sid=1", "data:x ?sid=1", "mailto:me@example.com?sid=1"])
def test_what_has_no_query_or_is_not_crawled_is_left_alone(url):
    """Only the query of an http or https URL is looked into."""
    assert Stripping(("*",))(url) == url


def test_a_stripping_is_a_value():
    """Equal names make equal strippings, which can be sent to a process and back."""
    strip = Stripping(("tracking", "s*d"))
    sent = pickle.loads(pickle.dumps(strip))
    assert sent == strip
    assert hash(sent) == hash(strip)
    assert sent != Stripping(("tracking",))
    assert repr(sent) == "Stripping(names=('tracking', 's*d'))"
    assert sent("https://example.com/?sad&utm_id") == "https://example.com/"


def test_many_wildcards_on_a_long_name_cost_little():
    """A name as long as a URL can be is compared with many wildcards without trying again what matched."""
    strip = Stripping(("*a" * 12 + "*b", "x*x" * 12 + "y"))
    for letter in "ax":
        url = f"https://example.com/?{letter * 8000}"
        assert strip(url) == url


@settings(deadline=None)  # a busy machine is no fault
@given(_ESCAPED, st.lists(st.sampled_from(["a", "*e", "2*", "%", "*", "tracking", "", "."]), max_size=3))
def test_stripping_once_is_enough(pieces, names):
    """What is left is canonical, is not stripped further, and stood there before in the same order."""
    url, strip = urls.canonical("https://h.test/x?" + "".join(pieces)), Stripping(tuple(names))
    left = strip(url)
    assert strip(left) == urls.canonical(left) == left
    before = iter(url.split("?", 1)[1].split("&"))
    assert all(one in before for one in left.partition("?")[2].split("&") if one)
    assert left.partition("?")[0] == "https://h.test/x"


@pytest.mark.parametrize(
    ("url", "host", "authority", "hostname"),
    [
        ("https://example.com/a/b", "https://example.com", "example.com", "example.com"),
        ("http://example.com:8080/", "http://example.com:8080", "example.com:8080", "example.com"),
        ("http://[::1]:8080/a", "http://[::1]:8080", "[::1]:8080", "[::1]"),
        ("https://[::1]/", "https://[::1]", "[::1]", "[::1]"),
        ("http://[::ffff:7f00:1]:1/?[::2]:3/", "http://[::ffff:7f00:1]:1", "[::ffff:7f00:1]:1", "[::ffff:7f00:1]"),
        ("http://a/", "http://a", "a", "a"),
        ("http://example.com:0/", "http://example.com:0", "example.com:0", "example.com"),
        ("https://example.com:65535/a:1/@b?c/d:2", "https://example.com:65535", "example.com:65535", "example.com"),
        ("http://example.com.:81/", "http://example.com.:81", "example.com.:81", "example.com."),
        (
            "https://xn--bcher-kva.test:80/",
            "https://xn--bcher-kva.test:80",
            "xn--bcher-kva.test:80",
            "xn--bcher-kva.test",
        ),
        ("mailto:me@example.com", "mailto:", "", ""),
        ("javascript:a//b/c", "javascript:", "", ""),
        ("file:///etc/passwd", "file:", "", ""),
    ],
)
def test_the_host_is_the_origin(url, host, authority, hostname):
    """The politeness key is scheme, host and port; a scheme that is not crawled is its own host."""
    assert urls.host(url) == host
    assert urls.authority(host) == authority
    assert urls.hostname(url) == hostname


@pytest.mark.parametrize(
    ("hostname", "domain"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("me.github.io", "me.github.io"),
        ("www.me.github.io", "me.github.io"),
        ("github.io", "github.io"),
        ("www.example.com.", "example.com"),
        ("www.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("shop.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("xn--55qx5d.cn", "xn--55qx5d.cn"),
        ("a.b.c.ck", "b.c.ck"),
        ("a.www.ck", "www.ck"),
        ("a_b.github.io.", "a_b.github.io"),
        ("github.io.", "github.io"),
        (".", "."),
        ("..", ".."),
        ("example.com..", "example.com.."),
        ("a..com", "a..com"),
        (".example.com", ".example.com"),
        ("a." * 4000 + "com", "a.com"),
        ("wiki.corp.internal", "corp.internal"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
    ],
)
def test_the_registrable_domain_is_what_somebody_registered(hostname, domain):
    """It follows the Public Suffix List, private part included; addresses, suffixes and single labels stay whole."""
    assert urls.registrable_domain(hostname) == domain
    assert urls.registrable_domain(domain) == domain


def test_the_key_is_the_hash_of_the_canonical_url():
    """The key is 16 bytes, the same in every process and version, and differs from URL to URL."""
    assert urls.key("https://example.com/").hex() == "3259687d649f8e86106dd28ba70f1016"
    assert urls.key("https://example.com/") != urls.key("https://example.com/?")


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("https://example.com", "https://example.com/"),
        ("  http://Example.com/a#b \r\n", "http://example.com/a"),
        ("HTTPS://user:secret@example.com", "https://example.com/"),
        ("http://localhost:8000/x", "http://localhost:8000/x"),
        ("http://[::1]/", "http://[::1]/"),
    ],
)
def test_a_line_with_a_url_gives_its_canonical_form(line, url):
    """Blanks around a typed URL do not count."""
    assert urls.from_line(line) == url


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "'' is empty, not a URL"),
        ("example.com", "'example.com' has no http:// or https:// scheme: did you mean https://example.com?"),
        ("www.example.com/a?b", "did you mean https://www.example.com/a?b?"),
        ("//example.com/a", "did you mean https://example.com/a?"),
        ("example.com:8080/a", "did you mean https://example.com:8080/a?"),
        ("localhost", "did you mean http://localhost?"),
        ("localhost:8000", "did you mean http://localhost:8000?"),
        ("127.0.0.1:8000/a", "did you mean http://127.0.0.1:8000/a?"),
        ("[::1]:8000", "did you mean http://[::1]:8000?"),
        ("me@example.com", "did you mean https://example.com?"),
        ("mailto:me@example.com", "'mailto:me@example.com' is a mailto: URL, only http and https can be crawled"),
        ("ftp://example.com/", "is a ftp: URL, only http and https can be crawled"),
        ("file:///etc/passwd", "is a file: URL, only http and https can be crawled"),
        ("javascript:alert(1)", "is a javascript: URL, only http and https can be crawled"),
        ("hello", "'hello' is not a URL"),
        ("hello world", "'hello world' is not a URL"),
        ("/etc/passwd", "'/etc/passwd' is not a URL"),
        ("http://", "'http://' is not a URL: its host name or port cannot be"),
        ("https://example.com:99999", "is not a URL: its host name or port cannot be"),
        ("https://xn--a.example", "has a host name in invalid Punycode"),
        ("https://example.com/" + "a" * 9000, "is longer than 8192 characters"),
    ],
    ids=lambda value: value[:30],
)
def test_a_line_without_a_url_is_refused_in_words(line, message):
    """The error tells why, and what was probably meant."""
    with pytest.raises(UrlError) as caught:
        urls.from_line(line)
    assert str(caught.value).endswith(message)
