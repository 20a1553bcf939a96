"""What one Set-Cookie line makes, rule by rule; the section numbers are those of draft-ietf-httpbis-rfc6265bis."""

from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.fetch.setcookie import LONGEST_LIFE, moment, parts, path_matches, received

NOW = 1_700_000_000.0
ASKED = (True, "home.example.org", "/shop/cart/list")
PLAIN = (False, "home.example.org", "/shop/cart/list")


def _utc(year, month, day, hour=0, minute=0, second=0):
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()


DATES = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", _utc(1994, 11, 6, 8, 49, 37)),
    ("Sunday, 06-Nov-94 08:49:37 GMT", _utc(1994, 11, 6, 8, 49, 37)),
    ("Sun Nov  6 08:49:37 1994", _utc(1994, 11, 6, 8, 49, 37)),
    ("6 NOVEMBER 1994, 8:49:7", _utc(1994, 11, 6, 8, 49, 7)),
    ("1994 Nov 6 08:49:37", _utc(1994, 11, 6, 8, 49, 37)),
    ("08:49:37 6/nov\\1994", _utc(1994, 11, 6, 8, 49, 37)),
    ("xyz 6th novx 1994y 08:49:37z", _utc(1994, 11, 6, 8, 49, 37)),
    ("Sun, 06 Nov 1994 08:49:37 GMT+0200 (somewhere)", _utc(1994, 11, 6, 8, 49, 37)),
    ("1 02 Jan 0:0:0", _utc(2002, 1, 1)),
    ("2 Jan 69 0:0:0", _utc(2069, 1, 2)),
    ("2 Jan 70 0:0:0", _utc(1970, 1, 2)),
    ("2 Jan 99 0:0:0", _utc(1999, 1, 2)),
    ("2 Jan 1601 0:0:0", _utc(1601, 1, 2)),
    ("29 Feb 2024 0:0:0", _utc(2024, 2, 29)),
    ("2 Jan 2030 3 Feb 2031 0:0:0 1:1:1", _utc(2030, 1, 2)),
    ("2 Jan 1600 0:0:0", None),
    ("2 Jan 100 0:0:0", None),
    ("29 Feb 2023 0:0:0", None),
    ("31 Apr 2024 0:0:0", None),
    ("0 Jan 2024 0:0:0", None),
    ("32 Jan 2024 0:0:0", None),
    ("2 Jan 2024 24:00:00", None),
    ("2 Jan 2024 00:60:00", None),
    ("2 Jan 2024 00:00:60", None),
    ("2 Jan 2024 00:00", None),
    ("2 Jan 2024 000:00:00", None),
    ("2 Jan 2024 00:00:000", None),
    ("002 Jan 2024 00:00:00", None),
    ("2 Jan 12024 00:00:00", None),
    ("2 Jan 9 00:00:00", None),
    ("2 Foo 2024 00:00:00", None),
    ("2 Jan 00:00:00", None),
    ("Jan 2024 00:00:00", None),
    ("٢ Jan 2024 00:00:00", None),
    ("2024-01-02T00:00:00Z", None),
    ("", None),
]


@pytest.mark.parametrize(("date", "expected"), DATES, ids=[date or "empty" for date, _ in DATES])
def test_a_date_is_read_by_its_tokens(date, expected):
    """Time, day, month and year are found in any order and between any delimiters; else there is no date (5.1.1)."""
    assert moment(date) == expected


def test_a_date_of_thousands_of_tokens_is_none_at_once():
    """Only the first tokens of a date are looked at, so that none costs more than a few microseconds."""
    assert moment("a " * 100_000 + "2 Jan 2024 00:00:00") is None


PAIRS = [
    ("a=b", "a", "b"),
    (" \t a \t = \t b \t ; Path=/", "a", "b"),
    ("a", "", "a"),
    ("=a", "", "a"),
    ("=a=b", "", "a=b"),
    ("a=", "a", ""),
    ("a==b=c", "a", "=b=c"),
    ('a="b c"', "a", '"b c"'),
    ('a="b;c"', "a", '"b'),
    ("a=b, c=d", "a", "b, c=d"),
    ("a b=c d", "a b", "c d"),
    ("a\tb=c\td", "a\tb", "c\td"),
    ("$Version=1; a=b", "$Version", "1"),
    ("ä=ö", "ä", "ö"),
    ("a=\xa0b\u3000", "a", "\xa0b\u3000"),
    ("", None, None),
    ("=", None, None),
    (" = ; Path=/", None, None),
    ("; a=b", None, None),
    ("a=b\x00c", None, None),
    ("a\x1f=b", None, None),
    ("a=b\r\nX-Forged: 1", None, None),
    ("a=b\x7f", None, None),
    ("a=b; Path=/\x01", None, None),
    ("a=b\udc80", None, None),
]


@pytest.mark.parametrize(("line", "name", "value"), PAIRS, ids=[ascii(line) for line, _, _ in PAIRS])
def test_name_and_value_are_what_stands_before_the_first_semicolon(line, name, value):
    """The first equals sign divides them, blanks around are no part, quotes are; control characters are refused."""
    cookie = received(line, ASKED, NOW)
    assert (cookie.name, cookie.value) == (name, value) if name is not None else cookie is None


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [("n" * 96, "v" * 4000, True), ("n" * 96, "v" * 4001, False), ("n", "ö" * 2047, True), ("n", "ö" * 2048, False)],
    ids=["4096 bytes", "4097 bytes", "4095 bytes of UTF-8", "4097 bytes of UTF-8"],
)
def test_a_cookie_has_at_most_4096_bytes(name, value, kept):
    """Name and value count together, as bytes; a larger cookie is ignored (5.6)."""
    assert (received(f"{name}={value}", ASKED, NOW) is not None) is kept


EXPIRIES = [
    ("", None),
    ("Expires=Sun, 06 Nov 2033 08:49:37 GMT", NOW + LONGEST_LIFE),
    ("Expires=Wed, 15 Nov 2023 00:00:00 GMT", _utc(2023, 11, 15)),
    ("Expires=Wed, 15 Nov 2023 00:00:00 GMT; Expires=never", _utc(2023, 11, 15)),
    ("Expires=Wed, 15 Nov 2023 00:00:00 GMT; expires=Thu, 16 Nov 2023 00:00:00 GMT", _utc(2023, 11, 16)),
    ("Expires=Sun, 06 Nov 1994 08:49:37 GMT", _utc(1994, 11, 6, 8, 49, 37)),
    ("Expires=tomorrow", None),
    ("Expires", None),
    ("Expires=Wed, 15 Nov 2023 00:00:00 GMT" + "; Expires=x" * 3, _utc(2023, 11, 15)),
    ("Expires=Wed, 15 Nov 2023 00:00:00 GMT" + "; Expires=x" * 4, None),
    ("Max-Age=10", NOW + 10),
    ("MAX-AGE = 10 ", NOW + 10),
    ("Max-Age=10; Expires=Sun, 06 Nov 1994 08:49:37 GMT", NOW + 10),
    ("Expires=Sun, 06 Nov 1994 08:49:37 GMT; Max-Age=10", NOW + 10),
    ("Max-Age=10; Max-Age=20", NOW + 20),
    ("Max-Age=10; Max-Age=x", NOW + 10),
    ("Max-Age=x; Expires=Wed, 15 Nov 2023 00:00:00 GMT", _utc(2023, 11, 15)),
    ("Max-Age=0", float("-inf")),
    ("Max-Age=-1", float("-inf")),
    ("Max-Age=-0", float("-inf")),
    ("Max-Age=" + "9" * 1000, NOW + LONGEST_LIFE),
    ("Max-Age=+10", None),
    ("Max-Age=1.5", None),
    ("Max-Age=10s", None),
    ("Max-Age=٣", None),
    ("Max-Age=-", None),
    ("Max-Age=", None),
    ('Max-Age="10"', None),
]


@pytest.mark.parametrize(("attributes", "ends_at"), EXPIRIES, ids=[text[:90] or "none" for text, _ in EXPIRIES])
def test_max_age_goes_before_expires_and_wrong_ones_are_ignored(attributes, ends_at):
    """The last valid Max-Age decides, else the last valid of four Expires, else it lasts; never beyond 400 days."""
    assert received(f"a=b; {attributes}", ASKED, NOW).expires_at == ends_at


DOMAINS = [
    ("home.example.org", None, ("home.example.org", True)),
    ("home.example.org", "", ("home.example.org", True)),
    ("home.example.org", ".", ("home.example.org", True)),
    ("home.example.org", "home.example.org", ("home.example.org", False)),
    ("home.example.org", ".HOME.Example.org", ("home.example.org", False)),
    ("home.example.org", "example.org", ("example.org", False)),
    ("home.example.org", "..example.org", None),
    ("home.example.org", "ample.org", None),
    ("home.example.org", "org", None),
    ("home.example.org", ".org", None),
    ("home.example.org", "example.org.", None),
    ("home.example.org", "sub.home.example.org", None),
    ("home.example.org", "other.org", None),
    ("home.example.org", "home.example.org:80", None),
    ("home.example.org", '"home.example.org"', None),
    ("home.example.org", "home..example.org", None),
    ("home.example.org.", "example.org.", ("example.org.", False)),
    ("home.example.org.", "org.", None),
    ("kelvin.test", "\u212aelvin.test", None),
    ("a.co.uk", "co.uk", None),
    ("co.uk", "co.uk", ("co.uk", True)),
    ("me.github.io", "github.io", None),
    ("me.github.io", "me.github.io", ("me.github.io", False)),
    ("github.io", "github.io", ("github.io", True)),
    ("www.ck", "www.ck", ("www.ck", False)),
    ("a.b.ck", "b.ck", None),
    ("me.s3.amazonaws.com", "amazonaws.com", None),
    ("xn--bcher-kva.example", "xn--bcher-kva.example", ("xn--bcher-kva.example", False)),
    ("localhost", "localhost", ("localhost", True)),
    ("app.localhost", "localhost", None),
    ("intranet", "intranet", ("intranet", True)),
    ("127.0.0.1", None, ("127.0.0.1", True)),
    ("127.0.0.1", "127.0.0.1", ("127.0.0.1", True)),
    ("127.0.0.1", "0.0.1", None),
    ("127.0.0.1", "1", None),
    ("[::1]", "[::1]", ("[::1]", True)),
    ("[::1]", "::1", None),
]


@pytest.mark.parametrize(
    ("host", "domain", "scope"), DOMAINS, ids=[f"{host} {domain!a}" for host, domain, _ in DOMAINS]
)
def test_a_domain_is_one_that_the_host_belongs_to(host, domain, scope):
    """A Domain widens a cookie within its site only; a public suffix, an address and a label have it for themselves."""
    cookie = received("a=b" if domain is None else f"a=b; Domain={domain}", (True, host, "/"), NOW)
    assert (cookie and (cookie.domain, cookie.host_only)) == scope


@pytest.mark.parametrize(
    ("attributes", "scope"),
    [
        ("Domain=home.example.org; Domain=example.org", ("example.org", False)),
        ("Domain=other.org; Domain=example.org", ("example.org", False)),
        ("Domain=example.org; Domain=", ("home.example.org", True)),
        ("Domain=example.org; Domain=" + "x" * 1025, ("example.org", False)),
        ("Domain=example.org; Domain=" + "x" * 1024, None),
        ("domain = example.org ; Domains=other.org", ("example.org", False)),
    ],
    ids=["last wins", "last wins, first wrong", "last is empty", "too long", "long", "blanks"],
)
def test_the_last_domain_decides(attributes, scope):
    """Of several Domains the last counts, an empty one too, but not one over 1,024 bytes (5.7, 7)."""
    cookie = received(f"a=b; {attributes}", ASKED, NOW)
    assert (cookie and (cookie.domain, cookie.host_only)) == scope


PATHS = [
    ("/shop/cart/list", "", "/shop/cart"),
    ("/shop/cart/", "", "/shop/cart"),
    ("/shop", "", "/"),
    ("/", "", "/"),
    ("/shop/cart", "Path=/other", "/other"),
    ("/shop/cart", "path = / ", "/"),
    ("/shop/cart", "Path=/Ä b,c", "/Ä b,c"),
    ("/shop/cart", "Path=", "/shop"),
    ("/shop/cart", "Path", "/shop"),
    ("/shop/cart", "Path=other", "/shop"),
    ("/shop/cart", 'Path="/other"', "/shop"),
    ("/shop/cart", "Path=/a; Path=/b", "/b"),
    ("/shop/cart", "Path=/a; Path=", "/shop"),
    ("/shop/cart", "Path=/a; Path=/" + "b" * 1024, "/a"),
    ("/shop/cart", "Path=/" + "b" * 1023, "/" + "b" * 1023),
]


@pytest.mark.parametrize(("asked", "attributes", "path"), PATHS, ids=[f"{p} {a[:20]}" for p, a, _ in PATHS])
def test_a_path_is_the_last_given_or_the_folder_of_the_request(asked, attributes, path):
    """Path counts if it begins with a slash; else it is the request's, without what follows its last slash (5.1.4)."""
    assert received(f"a=b; {attributes}", (True, "example.org", asked), NOW).path == path


@pytest.mark.parametrize(
    ("path", "of_cookie", "matches"),
    [
        ("/", "/", True),
        ("/a", "/", True),
        ("/a", "/a", True),
        ("/a/", "/a", True),
        ("/a/b", "/a", True),
        ("/a/b", "/a/", True),
        ("/ab", "/a", False),
        ("/a", "/a/", False),
        ("/A", "/a", False),
        ("/%61", "/a", False),
        ("/", "/a", False),
    ],
)
def test_a_path_matches_whole_segments(path, of_cookie, matches):
    """A cookie's path covers itself and what is below it, letter by letter (5.1.4)."""
    assert path_matches(path, of_cookie) is matches


FLAGS = [
    ("", False, False),
    ("Secure", True, False),
    ("seCURE", True, False),
    ("Secure=", True, False),
    ("Secure=false", True, False),
    (" \t Secure \t ", True, False),
    ("Secure x", False, False),
    ('"Secure"', False, False),
    ("\u017fecure", False, False),
    ("\xa0Secure", False, False),
    ("HttpOnly", False, True),
    ("x; ; HTTPONLY=1; Secure; Partitioned; Priority=High", True, True),
]


@pytest.mark.parametrize(("attributes", "secure", "http_only"), FLAGS, ids=[ascii(text) for text, _, _ in FLAGS])
def test_flags_count_by_their_name_alone(attributes, secure, http_only):
    """Secure and HttpOnly are set by their names in any case, whatever their value; unknown attributes are ignored."""
    cookie = received(f"a=b; {attributes}", ASKED, NOW)
    assert (cookie.secure, cookie.http_only) == (secure, http_only)


REFUSED = [
    ("a=b; Secure", PLAIN, False),
    ("a=b; Secure", ASKED, True),
    ("a=b; SameSite=None", ASKED, False),
    ("a=b; SameSite=NONE; Secure", ASKED, True),
    ("a=b; SameSite=None; SameSite=Lax", ASKED, True),
    ("a=b; SameSite=Strict", PLAIN, True),
    ("a=b; SameSite=odd", ASKED, True),
    ("__Secure-a=b", ASKED, False),
    ("__Secure-a=b; Secure", ASKED, True),
    ("__secure-a=b", ASKED, False),
    ("__Secure-a=b; Secure", PLAIN, False),
    ("__Secure-a=b; Secure; Domain=example.org", ASKED, True),
    ("__Host-a=b; Secure; Path=/", ASKED, True),
    ("__Host-a=b; Path=/", ASKED, False),
    ("__Host-a=b; Secure", ASKED, False),
    ("__Host-a=b; Secure", (True, "example.org", "/"), False),
    ("__HOST-a=b; Secure", (True, "example.org", "/"), False),
    ("__Host-a=b; Secure; Path", (True, "example.org", "/"), True),
    ("__Host-a=b; Secure; Path=/shop", ASKED, False),
    ("__Host-a=b; Secure; Path=/; Domain=home.example.org", ASKED, False),
    ("__Host-a=b; Secure; Path=/; Domain=", ASKED, True),
    ("__hOSt-a=b; Path=/", ASKED, False),
    ("=__Host-a=b; Secure; Path=/", ASKED, False),
    ("=__Secure-a; Secure", ASKED, False),
    ("__Secure-; Secure", ASKED, False),
    ("__Hostile=b", ASKED, True),
    ("a=b" + ";" * 64, ASKED, True),
    ("a=b" + ";" * 65, ASKED, False),
]


@pytest.mark.parametrize(("line", "asked", "kept"), REFUSED, ids=[f"{line[:45]} {a[0]}" for line, a, _ in REFUSED])
def test_what_a_cookie_promises_is_held_or_it_is_ignored(line, asked, kept):
    """Secure wants https, SameSite=None wants Secure, `__Secure-` and `__Host-` want what they say; 64 attributes."""
    assert (received(line, asked, NOW) is not None) is kept


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.org/", (True, "example.org", "/")),
        ("http://example.org:8080/a/b?c/d?e", (False, "example.org", "/a/b")),
        ("https://[::1]:8443/a", (True, "[::1]", "/a")),
        ("https://[::1]/a", (True, "[::1]", "/a")),
        ("ftp://example.org/a", (False, "", "/")),
        ("mailto:me@example.org", (False, "", "/")),
        ("https://" + "a." * 127 + "/", (True, "a." * 127, "/")),
        ("https://" + "a." * 127 + "a/", (True, "", "/")),
    ],
)
def test_a_url_is_taken_apart(url, expected):
    """A port is no part of the host, a query none of the path; other schemes and hosts too long have no cookies."""
    assert parts(url) == expected


_words = st.sampled_from([
    "a",
    "=",
    ";",
    " ",
    "\t",
    "Path=/",
    "Domain=",
    "example.org",
    "Expires=",
    "Max-Age=",
    "9",
    ":",
])


@given(line=st.text(max_size=60) | st.lists(_words, max_size=30).map("".join), url=st.text(max_size=60))
@example(line="a=b; Domain=.", url="http://:80/")
@example(line="a", url="https://[")
@settings(max_examples=150)
def test_nothing_raises(line, url):
    """Any line, any date and any URL make a cookie or None."""
    moment(line)
    parts(url)
    for asked in (ASKED, PLAIN, parts(url)):
        cookie = received(line, asked, NOW)
        assert cookie is None or cookie.is_sane()


def test_a_value_is_not_shown():
    """Neither `repr` nor `str` of a cookie holds its value."""
    cookie = received("session=hunter2; Path=/", ASKED, NOW)
    assert "hunter2" not in f"{cookie!r} {cookie!s}"
    assert "session" in repr(cookie)
