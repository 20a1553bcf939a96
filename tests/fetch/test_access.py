"""The access file: what it can say, what is wrong with what it says, and that it never shows a secret."""

from __future__ import annotations

import logging

import pytest

from scraper.errors import ConfigError
from scraper.fetch import Access, Proxy, read_access

ENVIRON = {"TOKEN": "canary-token", "PW": "canary-pass", "EMPTY": "", "BAD": "canary\r\nX: y", "USER": "me"}


@pytest.fixture
def read(tmp_path):
    """Call it with the text of an access file that only its owner can read."""
    path = tmp_path / "access.toml"

    def reading(text, mode=0o600):
        path.write_text(text)
        path.chmod(mode)
        return read_access(path, ENVIRON)

    return reading


def origin(rest, url="https://api.example.com"):
    """One [[origin]]."""
    return f'[[origin]]\nurl = "{url}"\n{rest}\n'


ORIGINS = {
    "bearer": ('bearer = { env = "TOKEN" }', {"Authorization": "Bearer canary-token"}),
    "literal": ('bearer = "abc"', {"Authorization": "Bearer abc"}),
    "basic": ('basic = { user = "me", password = { env = "PW" } }', {"Authorization": "Basic bWU6Y2FuYXJ5LXBhc3M="}),
    "user too": ('basic = { user = { env = "USER" }, password = "é:" }', {"Authorization": "Basic bWU6w6k6"}),
    "headers": (
        'headers = { X-Api-Key = { env = "TOKEN" }, X-B = "a b" }',
        {"X-Api-Key": "canary-token", "X-B": "a b"},
    ),
    "own scheme": ('headers = { Authorization = "Token t" }', {"Authorization": "Token t"}),
    "several": ('bearer = "t"\nheaders = { A = "b" }', {"Authorization": "Bearer t", "A": "b"}),
}


@pytest.mark.parametrize(("text", "headers"), ORIGINS.values(), ids=ORIGINS)
def test_headers(text, headers, read):
    """An origin's credentials and headers are texts of the file or variables of the environment."""
    assert read(origin(text)).headers("https://api.example.com") == headers


@pytest.mark.parametrize(
    ("url", "asked", "given"),
    [
        ("https://a.example", "https://a.example", True),
        ("HTTPS://A.Example:443/", "https://a.example", True),
        ("http://a.example:8080", "http://a.example:8080", True),
        ("http://[::1]:8080", "http://[::1]:8080", True),
        ("https://bücher.example", "https://xn--bcher-kva.example", True),
        ("https://a.example", "http://a.example", False),
        ("https://a.example", "https://a.example:8443", False),
        ("https://a.example", "https://b.a.example", False),
        ("https://a.example", "https://a.example.", False),
        ("https://a.example", "https://a.example.evil.example", False),
        ("https://a.example", "https://example", False),
        ("https://a.example", "", False),
    ],
)
def test_exact_origin(url, asked, given, read):
    """What is for an origin is for that scheme, host and port, however the file spells it, and for no other."""
    assert bool(read(origin('bearer = "t"', url)).headers(asked)) is given


def proxy(hosts, url, rest=""):
    """One [[proxy]]."""
    return f"[[proxy]]\nhosts = {hosts}\nurl = {url!r}\n{rest}\n"


@pytest.mark.parametrize(
    ("hostname", "port"),
    [
        ("a.example", 1),
        ("A.example", None),  # not canonical: never asked
        ("a.example.", 1),
        ("b.a.example", 2),
        ("c.b.a.example", 2),
        ("b.a.example.", 2),
        ("xa.example", None),
        ("example", None),
        ("open.a.example", None),
        ("10.0.0.1", 3),
        ("[::1]", 3),
        ("xn--bcher-kva.example", 3),
        ("d.example.org", 4),
        ("", None),
    ],
)
def test_first_proxy_that_fits(hostname, port, read):
    """The first [[proxy]] with a fitting pattern is used; an empty `url` or no fit at all means a direct connection."""
    access = read(
        proxy(["open.a.example"], "")
        + proxy(["a.example"], "http://127.0.0.1:1")
        + proxy(["x.example", "*.A.example"], "http://127.0.0.1:2")
        + proxy(["10.0.0.1", "[0:0::1]", "Bücher.example."], "http://127.0.0.1:3")
        + proxy(["*.org"], "http://127.0.0.1:4")
    )
    found = access.proxy(hostname)
    assert (found and found.port) == port


def test_proxy_for_all(read):
    """`*` fits every host."""
    access = read(proxy(["*"], "https://proxy.example"))
    assert all(access.proxy(name) is not None for name in ("a.example", "[::1]", "localhost", "a"))


@pytest.mark.parametrize(
    ("url", "rest", "expected"),
    [
        ("http://127.0.0.1", "", Proxy("http", "127.0.0.1", 80)),
        ("https://Proxy.example/", "", Proxy("https", "proxy.example", 443)),
        ("socks5://[::1]", "", Proxy("socks5", "::1", 1080)),
        ("socks4://p:9", 'user = "me"', Proxy("socks4", "p", 9, "me")),
        ("socks5h://p:9", "resolve = false", Proxy("socks5h", "p", 9, resolve=False)),
        ("http://p:9", 'user = "u"\npassword = {env="PW"}', Proxy("http", "p", 9, "u", "canary-pass")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_proxies(url, rest, expected, read):
    """A proxy has a scheme, a host, a port or its scheme's own, perhaps a user and a password."""
    assert read(proxy(["*"], url, rest)).proxy("a.example") == expected


WRONG = {
    "no TOML": ("\nbearer = canary", "line 2: not TOML"),
    "unknown table": ('[[orign]]\nurl = "x"', "unknown table 'orign': did you mean origin?"),
    "far table": ("zzz = 1", "unknown table 'zzz'; known: origin, proxy"),
    "one table": ('[origin]\nurl = "x"', "origin: write [[origin]], once for each"),
    "unknown key": (origin('beerer = "canary"'), "origin 1: unknown key 'beerer': did you mean bearer?"),
    "unknown in basic": (
        origin('basic = {user="u", password="canary", realm="canary"}'),
        "origin 1: basic: unknown key 'realm'",
    ),
    "second": (origin('bearer="canary"') + origin("", "https://b.example"), "origin 2: url: nothing is sent to it"),
    "same origin": (
        origin('bearer="canary"') + origin('bearer="canary"', "HTTPS://api.example.com:443/"),
        "origin 2: url: https://api.example.com has an entry already",
    ),
    "no url": ('[[origin]]\nbearer = "canary"', "origin 1: url: must be an origin"),
    "path": (origin('bearer="canary"', "https://a.example/canary"), "origin 1: url: must be an origin"),
    "query": (origin('bearer="canary"', "https://a.example?canary"), "origin 1: url: must be an origin"),
    "userinfo": (origin('bearer="t"', "https://me:canary@a.example"), "origin 1: url: must be an origin"),
    "scheme": (origin('bearer="t"', "ftp://a.example"), "origin 1: url: must be an origin"),
    "no scheme": (origin('bearer="t"', "a.example"), "origin 1: url: must be an origin"),
    "missing variable": (
        origin('bearer = { env = "NOPE" }'),
        "origin 1: bearer: the environment variable 'NOPE' is not set, or empty",
    ),
    "empty variable": (origin('bearer = { env = "EMPTY" }'), "variable 'EMPTY' is not set, or empty"),
    "no secret": (origin("bearer = 7"), "origin 1: bearer: must be a text"),
    "empty secret": (origin('bearer = ""'), "origin 1: bearer: must be a text"),
    "two of env": (origin('bearer = { env = "TOKEN", or = "canary" }'), "origin 1: bearer: must be a text"),
    "line end": (origin('bearer = { env = "BAD" }'), "origin 1: bearer: must be one word"),
    "line end in a header": (origin('headers = { X = "canary\\r\\n" }'), "origin 1: headers.'X': must be one line"),
    "NUL in a password": (origin('basic = {user="u", password="canary\\u0000"}'), "password: must not hold control"),
    "colon in a user": (origin('basic = {user="u:canary", password="p"}'), "basic.user: must not hold a colon"),
    "half a pair": (origin('basic = {user="canary"}'), "origin 1: basic: must be { user"),
    "two ways": (
        origin('bearer = "canary"\nbasic = {user="u", password="p"}'),
        "origin 1: bearer: an origin is sent one Authorization, not several",
    ),
    "header and bearer": (origin('bearer = "canary"\nheaders = {authorization="x"}'), "one Authorization, not several"),
    "no header": (origin('headers = { "a b" = "canary" }'), "headers.'a b': is not the name of a header"),
    "header twice": (origin('headers = { A = "canary", a = "canary" }'), "headers.'a': is given twice"),
    "no hosts": ('[[proxy]]\nurl = "http://p"', "proxy 1: hosts: must be a list"),
    "lone host": ('[[proxy]]\nhosts = "*"\nurl = "http://p"', "proxy 1: hosts: must be a list"),
    "star inside": (proxy(["a.*.example"], "http://p"), "proxy 1: hosts: each must be"),
    "star before": (proxy(["*example"], "http://p"), "proxy 1: hosts: each must be"),
    "host with a port": (proxy(["a.example:80"], "http://p"), "proxy 1: hosts: each must be"),
    "host with a scheme": (proxy(["http://a.example"], "http://p"), "proxy 1: hosts: each must be"),
    "empty host": (proxy([""], "http://p"), "proxy 1: hosts: each must be"),
    "no proxy": ('[[proxy]]\nhosts = ["*"]', "proxy 1: url: must be SCHEME://HOST:PORT"),
    "proxy's scheme": (proxy(["*"], "ftp://p"), "proxy 1: url: must be SCHEME://HOST:PORT"),
    "proxy's port": (proxy(["*"], "http://p:99999"), "proxy 1: url: must be SCHEME://HOST:PORT"),
    "proxy's path": (proxy(["*"], "http://p/canary"), "proxy 1: url: must be SCHEME://HOST:PORT"),
    "proxy's user": (proxy(["*"], "http://me:canary@p"), "proxy 1: url: user and password have keys of their own"),
    "direct with more": (proxy(["*"], "", 'user = "canary"'), "proxy 1: url: is empty, a direct connection"),
    "password alone": (proxy(["*"], "http://p", 'password = "canary"'), "proxy 1: password: needs a user"),
    "resolve": (proxy(["*"], "http://p", "resolve = 1"), "proxy 1: resolve: must be true or false"),
    "unresolved": (proxy(["*"], "socks5://p", "resolve = false"), "proxy 1: resolve: socks5 is given addresses"),
    "socks4 password": (proxy(["*"], "socks4://p", 'user="u"\npassword="canary"'), "socks4 knows no passwords"),
    "socks5 user": (proxy(["*"], "socks5://p", 'user="canary"'), "password: SOCKS wants both"),
    "socks5 length": (proxy(["*"], "socks5://p", f'user="u"\npassword="{"canary" * 50}"'), "password: must be ASCII"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "why"), WRONG.values(), ids=WRONG)
def test_what_is_wrong(text, why, read, tmp_path):
    """Whatever is wrong is told with file, entry and key, in one line, and no value is shown."""
    with pytest.raises(ConfigError) as caught:
        read(text)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"file {tmp_path / 'access.toml'}: ")
    assert why in line
    assert "canary" not in line
    assert caught.value.__cause__ is None
    assert "canary" not in repr(caught.value.__context__)


OURS = [
    "Host", "cookie", "User-Agent", "Referer", "Accept-Encoding", "Connection", "Keep-Alive", "Content-Length",
    "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Range", "If-None-Match", "if-range",
    "Proxy-Authorization",
]  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_our_headers(name, read):
    """Headers that the program decides on cannot be given."""
    with pytest.raises(ConfigError, match=f"origin 1: headers.'{name}': is set by the program"):
        read(origin(f'headers = {{ {name} = "x" }}'))


def test_everything_wrong_is_told(read):
    """Each wrong entry is one line."""
    with pytest.raises(ConfigError) as caught:
        read("other = 3\n" + origin("bearer = 1") + origin("bearer = 2") + proxy([], ""))
    assert [line.rpartition("access.toml: ")[2].partition(":")[0] for line in str(caught.value).splitlines()] == [
        "unknown table 'other'; known",
        "origin 1",
        "origin 2",
        "proxy 1",
    ]


@pytest.mark.parametrize("kind", ["missing", "folder", "not UTF-8", "NUL"])
def test_unreadable(kind, tmp_path):
    """A file that cannot be read is told as such."""
    path = tmp_path / {"missing": "none.toml", "folder": "", "not UTF-8": "a.toml", "NUL": "\0"}[kind]
    (tmp_path / "a.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"^file .*: (cannot be read|not UTF-8)"):
        read_access(path, {})


@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        (origin('bearer = "canary"'), 0o600, False),
        (origin('bearer = "canary"'), 0o640, True),
        (origin('bearer = "canary"'), 0o604, True),
        (origin('bearer = { env = "TOKEN" }'), 0o644, False),
        (origin('basic = { user = "me", password = { env = "PW" } }'), 0o644, False),
        (origin('basic = { user = "me", password = "canary" }'), 0o644, True),
        (proxy(["*"], "http://p"), 0o644, False),
    ],
)
def test_file_that_others_can_read(text, mode, warned, read, caplog):
    """A file with a secret in it that other users can read is warned of, without the secret."""
    with caplog.at_level(logging.WARNING):
        read(text, mode)
    assert ("chmod 600" in caplog.text) is warned
    assert "canary" not in caplog.text


def test_socks_without_its_package(read, monkeypatch):
    """A SOCKS proxy without the package for it is an error that says how to install it."""
    monkeypatch.setattr("scraper.fetch.accessfile.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"proxy 1: url: socks5 needs .* pip install 'scraper\[socks\]'"):
        read(proxy(["*"], "socks5://p"))


def test_nothing_shows_a_secret(read):
    """Access and proxy show origins and addresses, never what is sent."""
    access = read(
        origin('bearer = { env = "TOKEN" }') + proxy(["*"], "http://p:3128", 'user = "canary"\npassword = "canary"')
    )
    assert repr(access) == "<Access https://api.example.com>"
    assert f"{access.proxy('a')!r} {access.proxy('a')}" == "<Proxy http://p:3128> http://p:3128"
    assert repr(Access()) == "<Access without origins>"


def test_empty_file(read):
    """A file that says nothing sends nothing to nobody."""
    access = read("")
    assert (dict(access.headers("https://a.example")), access.proxy("a.example")) == ({}, None)
