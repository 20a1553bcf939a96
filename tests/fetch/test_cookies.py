"""What the jar keeps, sends and forgets; goal G10, rows B7 and C6. Sections are of draft-ietf-httpbis-rfc6265bis."""

import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.errors import ConfigError
from scraper.fetch.cookies import LONGEST_HEADER, MOST, MOST_LINES, MOST_OF_SITE, CookieJar

HOME = "https://home.example.org/shop/cart"
HTTP = "http://home.example.org/shop/cart"


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The moment it stands at."""
        return self.now


@pytest.fixture
def clock():
    """A clock for the jar, moved by hand."""
    return Clock()


@pytest.fixture
def jar(clock):
    """An empty jar."""
    return CookieJar(clock)


SENT = [
    ("a=b", HOME, HOME, "a=b"),
    ("a=b", HOME, "https://home.example.org/shop/", "a=b"),
    ("a=b", HOME, "https://home.example.org/shop/x/y?q", "a=b"),
    ("a=b", HOME, "https://home.example.org/shop?x=/shop/", "a=b"),
    ("a=b", HOME, "https://home.example.org/shopping", None),
    ("a=b", HOME, "https://home.example.org/", None),
    ("a=b; Path=/", HOME, "https://home.example.org/?x", "a=b"),
    ("a=b; Path=/", HOME, "https://home.example.org:8443/", "a=b"),
    ("a=b; Path=/", HOME, "http://home.example.org/", "a=b"),
    ("a=b; Path=/", HTTP, "https://home.example.org/", "a=b"),
    ("a=b; Path=/; Secure", HOME, "https://home.example.org/", "a=b"),
    ("a=b; Path=/; Secure", HOME, "http://home.example.org/", None),
    ("a=b; Path=/; Secure", HOME, "http://home.example.org:443/", None),
    ("a=b; Path=/; Secure", HTTP, "https://home.example.org/", None),
    ("a=b; Path=/", HOME, "https://example.org/", None),
    ("a=b; Path=/", HOME, "https://sub.home.example.org/", None),
    ("a=b; Path=/", HOME, "https://home.example.org./", None),
    ("a=b; Path=/; Domain=home.example.org", HOME, "https://sub.home.example.org/", "a=b"),
    ("a=b; Path=/; Domain=home.example.org", HOME, "https://example.org/", None),
    ("a=b; Path=/; Domain=home.example.org", HOME, "https://nothome.example.org/", None),
    ("a=b; Path=/; Domain=example.org", HOME, "https://example.org/", "a=b"),
    ("a=b; Path=/; Domain=example.org", HOME, "https://x.y.example.org/", "a=b"),
    ("a=b; Path=/; Domain=example.org", HOME, "https://badexample.org/", None),
    ("a=b; Path=/; Domain=example.org", HOME, "https://example.org.evil.test/", None),
    ("a=b; Path=/; Domain=org", HOME, "https://home.example.org/", None),
    ("a=b; Path=/; Domain=github.io", "https://me.github.io/", "https://you.github.io/", None),
    ("a=b; Path=/; Domain=github.io", "https://github.io/", "https://me.github.io/", None),
    ("a=b; Path=/; Domain=github.io", "https://github.io/", "https://github.io/", "a=b"),
    ("a=b; Domain=localhost", "http://localhost:8000/", "http://localhost/", "a=b"),
    ("a=b; Domain=localhost", "http://localhost/", "http://app.localhost/", None),
    ("a=b", "http://127.0.0.1/", "http://127.0.0.1:8080/", "a=b"),
    ("a=b; Domain=127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", "a=b"),
    ("a=b", "http://127.0.0.1/", "http://1.127.0.0/", None),
    ("a=b", "http://[::1]:80/", "http://[::1]/", "a=b"),
    ("a=b; Domain=example.org.", "https://www.example.org./", "https://example.org./", "a=b"),
    ("a=b; Domain=example.org.", "https://www.example.org./", "https://example.org/", None),
    ("nameless", HOME, HOME, "nameless"),
    ("a=", HOME, HOME, "a="),
    ("ö=ä", HOME, HOME, "ö=ä"),
    ("a=b", "ftp://home.example.org/", "ftp://home.example.org/", None),
]


@pytest.mark.parametrize(("line", "set_by", "asked", "header"), SENT, ids=[f"{li} {u}" for li, _, u, _ in SENT])
def test_a_cookie_goes_where_it_belongs_and_nowhere_else(jar, line, set_by, asked, header):
    """Host or domain, path and Secure decide; the port and, without Secure, the scheme do not (5.8.3)."""
    jar.store(set_by, [line])
    assert jar.header(asked) == header


def test_longer_paths_go_first_then_earlier_ones(jar):
    """Cookies are sent by the length of their path, and of equal ones that first which was made first."""
    jar.store(HOME, ["a=1; Path=/", "b=2; Path=/shop", "c=3; Path=/", "d=4; Path=/shop/cart"])
    assert jar.header(HOME) == "d=4; b=2; a=1; c=3"


def test_an_overwriting_cookie_keeps_its_place(jar):
    """The same name, domain, path and host-only flag is the same cookie: new value, old creation (5.7, 23)."""
    jar.store(HOME, ["a=1", "b=2", "a=3"])
    jar.store(HOME, ["a=4; Domain=home.example.org", "a=5; Path=/", "A=6"])
    assert jar.header(HOME) == "a=3; b=2; a=4; A=6; a=5"


def test_a_cookie_ends_at_its_moment(jar, clock):
    """One with Max-Age or Expires is sent until then, one without for as long as the crawl lasts."""
    jar.store(HOME, ["a=1; Max-Age=10", "b=2; Expires=Tue, 14 Nov 2023 22:13:40 GMT", "c=3"])
    assert jar.header(HOME) == "a=1; b=2; c=3"
    clock.now += 9.9
    assert jar.header(HOME) == "a=1; b=2; c=3"
    clock.now += 0.1
    assert jar.header(HOME) == "b=2; c=3"
    clock.now += 10
    assert (jar.header(HOME), jar.count) == ("c=3", 1)


def test_a_past_moment_deletes(jar):
    """A cookie set with a moment in the past is forgotten, and only that very cookie."""
    jar.store(HOME, ["a=1", "b=2", "a=3; Path=/"])
    jar.store(HOME, ["a=x; Max-Age=0", "b=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"])
    assert jar.header(HOME) == "b=2; a=3"


def test_a_longer_life_outlasts_the_shorter_one_it_replaces(jar, clock):
    """A cookie set again ends when it says now, not when it said before."""
    jar.store(HOME, ["a=1; Max-Age=10", "b=1; Max-Age=10"])
    jar.store(HOME, ["a=2; Max-Age=100", "b=2"])
    clock.now += 50
    assert jar.header(HOME) == "a=2; b=2"


OVERLAYS = [
    ("a=1; Secure; Path=/", "a=2; Path=/", False),
    ("a=1; Secure; Path=/", "a=2; Path=/shop/cart", False),
    ("a=1; Secure; Path=/shop/cart", "a=2; Path=/", True),
    ("a=1; Secure; Path=/", "a=2; Path=/; Domain=example.org", False),
    ("a=1; Secure; Path=/; Domain=example.org", "a=2; Path=/", False),
    ("a=1; Secure; Path=/; Domain=example.org", "a=; Path=/; Domain=example.org; Max-Age=0", False),
    ("a=1; Secure; Path=/", "a=2; Path=/; Secure", False),
    ("a=1; Secure; Path=/", "b=2; Path=/", True),
    ("a=1; Path=/", "a=2; Path=/", True),
]


@pytest.mark.parametrize(("over_https", "over_http", "kept"), OVERLAYS, ids=[new for _, new, _ in OVERLAYS])
def test_http_cannot_touch_what_https_secured(jar, over_https, over_http, kept):
    """An http answer neither sets, replaces, covers nor deletes a Secure cookie of its name (5.7, 16)."""
    jar.store(HOME, [over_https])
    before = jar.header(HOME)
    jar.store(HTTP, [over_http])
    assert (jar.header(HOME) != before) is kept


def test_https_replaces_what_it_secured(jar):
    """An https answer may replace a Secure cookie, by one that is not Secure too."""
    jar.store(HOME, ["a=1; Secure"])
    jar.store(HOME, ["a=2"])
    assert jar.header(HTTP) == "a=2"


def test_one_wrong_line_costs_only_itself(jar):
    """The lines of an answer are judged one by one."""
    jar.store(HOME, ["a=1", "", "b=2; Domain=evil.test", "c\x00=3", "d=4; Max-Age=0", "e=5"])
    assert jar.header(HOME) == "a=1; e=5"


def test_a_flood_of_lines_is_cut(jar):
    """Of one answer 32 lines are looked at."""
    jar.store(HOME, (f"n{number}=v" for number in range(5_000)))
    assert jar.header(HOME).count("=") == MOST_LINES == 32


def test_a_site_has_50_cookies_and_the_longest_unused_goes(jar):
    """Across its hosts a registrable domain keeps 50; a used one outlives an unused one."""
    for number in range(MOST_OF_SITE):
        jar.store(f"https://h{number}.example.org/", ["a=b"])
    assert jar.header("https://h0.example.org/") == "a=b"
    jar.store("https://new.example.org/", ["a=b"])
    alive = [number for number in range(MOST_OF_SITE) if jar.header(f"https://h{number}.example.org/")]
    assert jar.count == MOST_OF_SITE
    assert alive == [0, *range(2, MOST_OF_SITE)]


def test_a_site_loses_what_ended_first_then_what_is_not_secure(jar, clock):
    """A full site loses no living cookie while one has ended, and no Secure one while another is there (5.7)."""
    jar.store(HOME, ["s=1; Secure", "dead=1; Max-Age=5", "plain=1"])
    for number in range(MOST_OF_SITE - 3):
        jar.store(HOME, [f"n{number}=1; Secure"])
    clock.now += 5
    jar.store(HOME, ["x=1; Secure"])
    assert "plain=1" in jar.header(HOME)
    jar.store(HOME, ["y=1; Secure"])
    sent = jar.header(HOME).split("; ")
    assert (len(sent), "s=1" in sent, "plain=1" in sent) == (MOST_OF_SITE, True, False)


def test_the_jar_has_3000_cookies_and_the_longest_unused_goes(jar, clock):
    """In all 3,000 are kept: first those that ended go, then the one unused for longest."""
    for number in range(MOST - 1):
        jar.store(f"https://h{number}.test/", ["a=b"])
    jar.store("https://short.test/", ["a=b; Max-Age=5"])
    clock.now += 5
    jar.store("https://more.test/", ["a=b"])
    assert (jar.count, jar.header("https://h0.test/")) == (MOST, "a=b")
    jar.store("https://again.test/", ["a=b"])
    gone = [url for url in ("https://h0.test/", "https://h1.test/", "https://h2.test/") if jar.header(url) is None]
    assert (jar.count, gone) == (MOST, ["https://h1.test/"])


def test_a_cookie_set_again_and_again_costs_no_memory(jar, clock):
    """What the jar notes of endings stays bounded, however often a site renews its cookie."""
    for _ in range(3 * MOST + 2):
        clock.now += 1
        jar.store(HOME, ["a=b; Max-Age=1000000"])
    assert len(jar._ends) <= 3 * MOST
    clock.now += 1_000_000
    assert (jar.count, jar._ends, jar._sites) == (0, [], {})


def test_a_header_has_at_most_8_kib(jar):
    """What would make the header longer is left out, and shorter cookies behind it are still sent."""
    jar.store(HOME, ["a=" + "a" * 4000, "b=" + "b" * 4000, "c=" + "ö" * 1000, "d=" + "d" * 182, "e=" + "e" * 100])
    sent = jar.header(HOME)
    assert [pair[0] for pair in sent.split("; ")] == ["a", "b", "d"]
    assert len(sent.encode()) == LONGEST_HEADER


def test_the_jar_shows_no_value(jar):
    """A jar tells how many cookies of how many sites it has, and nothing of them."""
    jar.store(HOME, ["session=hunter2", "other=hunter2"])
    assert repr(jar) == "<CookieJar: 2 cookies of 1 sites>"


def test_a_jar_survives_its_file(jar, clock, tmp_path):
    """What is read back is what was written: order, host-only, Secure, path, end and session cookies."""
    jar.store(
        HOME, ["a=1", "b=2; Domain=example.org; Path=/; HttpOnly", "c=3; Secure; Max-Age=100", "a=4; Path=/", "=5"]
    )
    jar.store("http://127.0.0.1/", ["d=6"])
    jar.store(HOME, ["a=7"])
    assert jar.write(tmp_path / "cookies.txt") == 0
    again = CookieJar(clock)
    assert again.read(tmp_path / "cookies.txt") == 0
    for url in (HOME, HTTP, "https://sub.home.example.org/shop/", "https://example.org/", "http://127.0.0.1/"):
        assert again.header(url) == jar.header(url)
    assert again.header("https://sub.home.example.org/shop/") == "b=2"
    clock.now += 100
    assert again.header(HOME) == jar.header(HOME) == "a=7; 5; b=2; a=4"


def test_what_ended_is_neither_written_nor_read(jar, clock, tmp_path):
    """A cookie past its moment does not come back through a file."""
    jar.store(HOME, ["a=1; Max-Age=10", "b=2; Max-Age=20"])
    jar.write(tmp_path / "both.txt")
    clock.now += 10
    jar.write(tmp_path / "one.txt")
    assert "a\t1" not in (tmp_path / "one.txt").read_text()
    again = CookieJar(clock)
    assert (again.read(tmp_path / "both.txt"), again.count) == (0, 1)


def test_a_file_cannot_flood_the_jar(clock, tmp_path):
    """The bounds hold for what is read, too."""
    file = tmp_path / "cookies.txt"
    file.write_text("".join(f"h.example.org\tFALSE\t/\tFALSE\t0\tn{number}\tv\n" for number in range(500)))
    jar = CookieJar(clock)
    assert (jar.read(file), jar.count) == (0, MOST_OF_SITE)
    assert jar.header("https://h.example.org/").startswith("n450=v; ")


def test_a_failed_read_leaves_the_jar_and_names_the_file(jar, tmp_path):
    """A file that cannot be read is an error that names it."""
    jar.store(HOME, ["a=1"])
    with pytest.raises(ConfigError, match=r"absent\.txt: the cookies were not read"):
        jar.read(tmp_path / "absent.txt")
    assert jar.header(HOME) == "a=1"


HOSTS = [
    "example.org",
    "a.example.org",
    "b.a.example.org",
    "co.uk",
    "x.co.uk",
    "me.github.io",
    "github.io",
    "127.0.0.1",
]
_urls = st.builds(
    lambda scheme, host, path: f"{scheme}://{host}{path}",
    st.sampled_from(["http", "https"]),
    st.sampled_from(HOSTS),
    st.sampled_from(["/", "/a", "/a/", "/a/b", "/ab"]),
)
_attribute = st.one_of(
    st.sampled_from(["Secure", "HttpOnly", "Path=/", "Path=/a", "Path=/a/", "Max-Age=5", "Max-Age=0", "Max-Age=50"]),
    st.sampled_from(HOSTS).map("Domain={}".format),
    st.text(max_size=8),
)
_lines = st.builds(
    lambda name, value, attributes: "; ".join([f"{name}={value}", *attributes]),
    st.sampled_from(["a", "b", "", "__Host-a", "__Secure-a"]),
    st.text(max_size=6),
    st.lists(_attribute, max_size=4),
)
_answers = st.lists(st.tuples(_urls, st.lists(_lines, max_size=4), st.sampled_from([0, 0, 1, 5])), max_size=12)


@given(answers=_answers)
@settings(max_examples=50)
def test_no_cookie_reaches_a_stranger(answers):
    """Whatever sites set, a host is sent only what its own site set, and over http nothing that is Secure."""
    jar = CookieJar(Clock())
    sites = {"a.example.org": "example.org", "b.a.example.org": "example.org"}
    for number, (url, lines, _) in enumerate(answers):
        host = url.split("/")[2]
        jar.store(url, [f"from{number}.{sites.get(host, host)}={line}" for line in lines])
    for host in HOSTS:
        over_http, over_https = jar.header(f"http://{host}/a/b"), jar.header(f"https://{host}/a/b")
        for name in [pair.split("=")[0] for pair in (over_https or "").split("; ") if pair.startswith("from")]:
            assert name.partition(".")[2] == sites.get(host, host)
        assert len(over_http or "") <= len(over_https or "")


@given(answers=_answers)
@settings(max_examples=40)
def test_a_file_holds_what_the_jar_does(answers):
    """After any answers, a jar that reads the file sends to every host what the jar that wrote it sends."""
    clock = Clock()
    jar, again = CookieJar(clock), CookieJar(clock)
    for url, lines, seconds in answers:
        jar.store(url, lines)
        clock.now += seconds
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "cookies.txt"
        left_out = jar.write(file)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert again.read(file) == 0
    assert left_out == 0
    for host in HOSTS:
        for url in (f"http://{host}/a/b", f"https://{host}/a/", f"https://sub.{host}/"):
            assert again.header(url) == jar.header(url)


@given(
    answers=st.lists(
        st.tuples(
            st.integers(0, 80), st.integers(0, 80), st.sampled_from(["", "; Secure", "; Max-Age=3", "; Max-Age=0"])
        ),
        max_size=200,
    )
)
@settings(max_examples=50)
def test_the_bounds_hold_and_the_books_agree(answers):
    """However cookies come and go, a site has at most 50 of them, and what is counted is what is there."""
    clock = Clock()
    jar = CookieJar(clock)
    for host, name, attributes in answers:
        clock.now += 0.25
        jar.store(f"https://h{host % 3}.s{host % 2}.test/", [f"n{name}=v{attributes}"])
        jar.header(f"https://h{name % 3}.s{name % 2}.test/")
    assert all(0 < len(kept) <= MOST_OF_SITE for kept in jar._sites.values())
    assert {key for kept in jar._sites.values() for key in kept} == set(jar._used)
    assert jar.count == len(jar._used)


@given(text=st.text(max_size=80), url=st.text(max_size=40))
@settings(max_examples=100)
def test_no_line_and_no_url_raises(text, url):
    """Any text as a line, as attributes and as a URL is taken or ignored."""
    jar = CookieJar(Clock())
    for asked in (url, HOME, f"https://{url}", f"http://{url}/"):
        jar.store(asked, [text, f"a=b; {text}", f"a={text}"])
        sent = jar.header(asked)
        assert sent is None or (sent and not set(sent) & set("\r\n\0"))
