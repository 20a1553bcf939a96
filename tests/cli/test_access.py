"""Who we are to whom: credentials, headers and cookies go to their own origin, and nowhere else, nor into any file."""

from __future__ import annotations

import asyncio
import base64
import stat
import threading
from pathlib import Path

import pytest
from aiohttp import web

DEADLINE = 20.0  # seconds
CANARY = "xyzzy-CANARY-4711"
FAST = ("--parse-workers", 0, "--delay", 0, "--scope", "any", "--allow-private", "127.0.0.0/8")
BASIC = base64.b64encode(f"me:{CANARY}".encode()).decode()
SECRETS = (CANARY, BASIC)
BEARER = f"Bearer {CANARY}"


@pytest.fixture
def other(pytestconfig):
    """A second site, on another port."""
    module = pytestconfig.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
    loop, found = asyncio.new_event_loop(), module.Site()
    loop.run_until_complete(found.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield found
    asyncio.run_coroutine_threadsafe(found.stop(), loop).result(DEADLINE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(DEADLINE)
    loop.close()


@pytest.fixture
def access(home, monkeypatch):
    """Write an access file, outside of where the commands run, and name it to them."""
    file = home.parent / "access.toml"
    monkeypatch.setenv("SCRAPER_ACCESS", str(file))
    monkeypatch.setenv("SHOP_SECRET", CANARY)

    def access(text):
        file.write_text(text, encoding="utf-8")
        file.chmod(0o600)

    return access


@pytest.fixture
def led_away(site, other):
    """Serve a site that leads to a second port and a second name by links, redirects, robots.txt and refreshes."""
    named = site.origin.replace("127.0.0.1", "localhost")
    away = [f"{host}/{n}" for host in (named, other.origin) for n in (1, 2, 3)]
    for n in (1, 2, 3):
        other.page(f"/{n}", [site.url("/again")])
        site.page(f"/{n}")
    other.redirect("/back", site.url("/back"))
    site.page("/", [away[0], away[3], "/to-name", "/to-port", "/own", "/refreshes", other.url("/back")])
    site.redirect("/to-name", away[1])
    site.redirect("/to-port", away[4], status=307)
    site.page("/refreshes", headers={"Refresh": f"0; url={away[5]}"})
    site.page("/own", headers={"Link": f'<{away[2]}>; rel="next"'})
    for path in ("/again", "/back"):
        site.page(path)
    return away


def sent(site, name):
    """What a site got in a header: (host asked, path) -> value, where there was one."""
    pairs = zip(site.paths(), site.headers, strict=True)
    return {(headers["Host"], path): headers[name] for path, headers in pairs if name in headers}


@pytest.mark.parametrize(
    ("entry", "header", "value"),
    [
        ('bearer = { env = "SHOP_SECRET" }', "Authorization", BEARER),
        ('basic = { user = "me", password = { env = "SHOP_SECRET" } }', "Authorization", f"Basic {BASIC}"),
        ('headers = { X-Api-Key = { env = "SHOP_SECRET" } }', "X-Api-Key", CANARY),
        (f'bearer = "{CANARY}"', "Authorization", BEARER),
    ],
    ids=["bearer", "basic", "header", "in the file"],
)
def test_credentials_reach_their_origin_alone(run, site, other, home, access, led_away, entry, header, value):
    """Every request to the origin bears them, robots.txt too, and none to another name or port, however it came to be.

    No file, log, export or setting that is shown holds any of it.
    """
    access(f'[[origin]]\nurl = "{site.origin}"\n{entry}\n')
    ended = run("crawl", site.url("/"), *FAST, "--depth", 3, "-v")
    assert ended.code == 0, ended.err
    host = site.origin.partition("//")[2]
    assert sent(other, header) == {}
    asked = {(headers["Host"], path) for path, headers in zip(site.paths(), site.headers, strict=True)}
    assert {(host, "/robots.txt"), (host, "/again"), (host, "/back")} < asked
    assert (host.replace("127.0.0.1", "localhost"), "/1") in asked
    assert {"/1", "/2", "/3"} < set(other.paths())
    assert sent(site, header) == dict.fromkeys(((name, path) for name, path in asked if name == host), value)
    assert not leaks(run, home, ended)


def leaks(run, home, *ended):
    """Where a secret is found: in what commands say, or in any file below their directory."""
    said = [text for one in ended for text in (one.out, one.err)]
    for command in (
        ("config", "show"),
        ("config", "show", "--json"),
        ("status", "--json"),
        ("crawls", "--json"),
        ("query", "SELECT * FROM crawls"),
        *(("export", "--what", what, "--format", "jsonl") for what in ("pages", "urls", "records")),
        ("export", "--what", "pages", "--format", "csv"),
    ):
        one = run(*command)
        assert one.code == 0, one.err
        said += [one.out, one.err]
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert files
    return [text for text in said for secret in SECRETS if secret in text] + [
        secret for data in files for secret in SECRETS if secret.encode() in data
    ]


def test_credentials_hold_on_resume(run, site, access, home):
    """A resume reads the access file anew: the store knows its name alone."""
    access(f'[[origin]]\nurl = "{site.origin}"\nbearer = {{ env = "SHOP_SECRET" }}\n')
    site.page("/", ["/a"])
    site.page("/a")
    run("crawl", site.url("/"), *FAST, "--depth", 1, "--max-pages", 1)
    ended = run("resume", "--max-pages", 9)
    assert ended.code == 0
    host = site.origin.partition("//")[2]
    assert sent(site, "Authorization") == {(host, path): BEARER for path in ("/robots.txt", "/", "/a")}
    assert not leaks(run, home, ended)


def test_userinfo_is_neither_sent_nor_kept(run, site, home):
    """A user and password in a URL are dropped: not sent, not stored, not told."""
    with_secret = site.url("/").replace("//", f"//me:{CANARY}@")
    site.page("/", ["/moved"])
    site.redirect("/moved", with_secret + "a")
    site.page("/a")
    ended = run("crawl", with_secret, *FAST, "--depth", 1, "-v")
    assert ended.code == 0
    assert set(site.paths()) == {"/robots.txt", "/", "/a", "/moved"}
    assert sent(site, "Authorization") == {}
    assert not leaks(run, home, ended)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[origin]]\nurl = "https://a.example"\nbearer = { env = "NOT_SET" }', "variable 'NOT_SET' is not set"),
        (f'[[origin]]\nurl = "https://a.example/x"\nbearer = "{CANARY}"', "url: must be an origin"),
        (f'[[origin]]\nurl = "https://a.example"\nbearer = "{CANARY} two"', "one word"),
        (f'[[origin]]\nurl = "https://a.example"\nbear = "{CANARY}"', "unknown key 'bear': did you mean bearer?"),
        (f'[[origin]]\nurl = "https://a.example"\nbearer = "{CANARY}\n', "line 3: not TOML"),
        (f'[[proxy]]\nhosts = ["*"]\nurl = "http://me:{CANARY}@p.example:1"', "keys of their own"),
    ],
    ids=["variable", "path", "two words", "key", "not TOML", "proxy"],
)
@pytest.mark.parametrize("command", ["crawl", "try"])
def test_a_wrong_access_file_is_told(run, site, home, access, text, told, command):
    """What is wrong in an access file is told in a line that names file and entry and no secret, before any request."""
    access(text)
    refused = run(command, site.url("/")).refused
    assert told in refused
    assert "access.toml" in refused
    assert CANARY not in refused
    assert site.paths() == []
    assert list(home.iterdir()) == []


def test_a_missing_access_file_is_told(run, site, monkeypatch):
    """An access file that is not there is bad usage, not a crawl without credentials."""
    monkeypatch.setenv("SCRAPER_ACCESS", "nowhere.toml")
    assert "nowhere.toml" in run("crawl", site.url("/")).refused
    assert site.paths() == []


# --- cookies ---


@pytest.fixture
def setting_cookies(site, led_away):
    """Let the home page set two cookies, one for its path alone and one with an end."""

    async def home_page(request):
        anchors = "".join(f'<a href="{url}">x</a>' for url in (*led_away, "/own", "/again"))
        answer = web.Response(text=anchors, content_type="text/html")
        answer.headers.add("Set-Cookie", f"session={CANARY}; HttpOnly")
        answer.headers.add("Set-Cookie", f"kept={CANARY}; Max-Age=86400; Path=/own")
        return answer

    site.raw("/", home_page)


def test_cookies_go_back_to_their_host_alone(run, site, home, setting_cookies, monkeypatch):
    """With cookies on they go back to the name that set them, by their path; nothing of them is stored or told."""
    monkeypatch.setenv("SCRAPER_COOKIES", "true")
    ended = run("crawl", site.url("/"), *FAST, "--depth", 1, "-v")
    assert ended.code == 0
    got = sent(site, "Cookie")
    host = site.origin.partition("//")[2]
    assert got[host, "/again"] == f"session={CANARY}"
    assert sorted(got[host, "/own"].split("; ")) == [f"kept={CANARY}", f"session={CANARY}"]
    assert {name for name, _ in got} == {host}
    assert not leaks(run, home, ended)


def test_without_cookies_none_is_sent(run, site, home, setting_cookies):
    """By default no cookie is kept."""
    assert run("crawl", site.url("/"), *FAST, "--depth", 1).code == 0
    assert sent(site, "Cookie") == {}


def test_a_cookie_file(run, site, home, setting_cookies, monkeypatch):
    """`cookie_file` is written in the end, for its owner alone, and read by the next crawl; nothing else holds it."""
    file = home.parent / "cookies.txt"
    monkeypatch.setenv("SCRAPER_COOKIES", "true")
    monkeypatch.setenv("SCRAPER_COOKIE_FILE", str(file))
    file.write_text("")
    file.chmod(0o644)
    ended = run("crawl", site.url("/"), *FAST, "-v")
    assert ended.code == 0, ended.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"\tkept\t{CANARY}" in file.read_text()
    assert run("crawl", site.url("/own"), *FAST).code == 0
    assert f"kept={CANARY}" in site.headers[-1]["Cookie"]
    assert not leaks(run, home, ended)


def test_a_cookie_file_without_cookies_is_told(run, site, monkeypatch):
    """A cookie_file with cookies off is a mistake, and told as one."""
    monkeypatch.setenv("SCRAPER_COOKIE_FILE", "cookies.txt")
    assert "cookies = true" in run("crawl", site.url("/")).refused
