"""Thirty secrets, one for each place where somebody has them: none is found where it does not belong (C6, G10)."""

from __future__ import annotations

import base64
import binascii
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web

FAST = ("--parse-workers", 1, "--delay", 0, "--per-host", 8, "--depth", 4, "--verbose", "--sitemaps")
# The parameters whose values no log shows; what is stored is the URL as it was found, for it is what was asked for.
PARAMETERS = (
    "token",
    "key",
    "sig",
    "signature",
    "password",
    "api_key",
    "access_token",
    "auth",
    "session",
    "X-Amz-Signature",
)
SETTINGS = """
[crawl]
extractors = ["records.py:thing"]
[fetch]
access = "{access}"
cookies = true
"""
ACCESS = """
[[origin]]
url = "{site}"
basic = {{ user = "me", password = {{ env = "SHOP_PASSWORD" }} }}
headers = {{ X-Api-Key = "{header}" }}
[[proxy]]
hosts = ["*.test"]
url = "http://127.0.0.1:9"
user = "me"
password = "{proxy}"
"""
EXTRACTOR = """
import scraper

@scraper.extractor()
def thing(page):
    yield {"title": page.title}
    if page.url.endswith("/raises"):
        raise ValueError("no price")
"""


def forms(secret):
    """A secret as it is, and as it is sent."""
    raw = secret.encode()
    pairs = (raw, b"me:" + raw, b"it:" + raw)
    return {raw, binascii.hexlify(raw), quote(secret).encode()} | {
        base64.b64encode(pair).rstrip(b"=") for pair in pairs
    }


@pytest.fixture
def canary():
    """Make secrets by name, each another word."""
    made = {}

    def canary(name):
        return made.setdefault(name, f"xyzzy{len(made):02}Canary{len(made) * 7919 % 9973:04}Fly")

    canary.made = made
    return canary


@pytest.fixture
def leaky(site, canary):
    """A site with secrets in all places where a site can have them."""

    def user(name):
        return site.origin.replace("//", f"//it:{canary(name)}@")

    async def home_page(request):
        places = (
            f'<base href="{user("base")}/"><link rel=canonical href="{user("canonical")}/">'
            f'<link rel=next href="{user("next")}/next"><meta http-equiv=refresh content="9;url={user("refresh")}/r">'
            f'<a href="{user("link")}/linked">x</a><a href="{user("bad link").replace("//", "//[")}/">x</a>'
            f'<a href="{user("other scheme").replace("http:", "ftp:")}/">x</a><a href="/moved">x</a>'
            '<a href="/raises">x</a><a href="/hop">x</a><a href="/missing">x</a><a href="/bad">x</a>'
        )
        tokens = "".join(f'<a href="/q?a=1&{name}={canary(f"?{name}")}&b=2">x</a>' for name in PARAMETERS)
        answer = web.Response(text=places + tokens, content_type="text/html")
        answer.headers.add("Set-Cookie", f"id={canary('cookie')}; Path=/")
        answer.headers.add("Set-Cookie", f"bad={canary('refused cookie')}; Domain=example.com")
        answer.headers.add("Link", f'<{user("link header")}/by-header>; rel="next"')
        return answer

    site.raw("/", home_page)
    for path in ("/linked", "/r", "/next", "/by-header", "/seed", "/from", "/mapped", "/raises", "/end"):
        site.page(path)
    site.below("/q?", site._handlers["/end"])
    site.redirect("/moved", user("redirect") + "/end")
    site.redirect("/hop", user("bad redirect").replace("//", "//["))
    site.redirect("/bad", user("redirect to another scheme").replace("http:", "gopher:"))
    site.robots(f"User-agent: *\nDisallow: /no\nSitemap: {user('robots')}/map.xml\n")
    entries = (
        f"<url><loc>{user('sitemap')}/mapped</loc></url><url><loc>{user('bad entry').replace('//', '//[')}</loc></url>"
    )
    site.page("/map.xml", body=f"<urlset>{entries}</urlset>".encode(), headers={"Content-Type": "application/xml"})
    return user


def arguments():
    """What every process of this machine that is ours was called with."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield file.read_bytes()
        except OSError:
            continue


def test_no_canary_is_found(start, run, site, leaky, canary, home, monkeypatch, goal):
    """No secret reaches the store, its log, a terminal, an export, a temporary file or the arguments of a process."""
    monkeypatch.setenv("SHOP_PASSWORD", canary("environment"))
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setenv("HTTP_PROXY", f"http://me:{canary('proxy of the environment')}@127.0.0.1:9")
    access = home.parent / "access.toml"
    text = ACCESS.format(site=site.origin, header=canary("header"), proxy=canary("proxy"))
    access.write_text(text, encoding="utf-8")
    access.chmod(0o600)
    (home / "settings.toml").write_text(SETTINGS.format(access=access), encoding="utf-8")
    (home / "records.py").write_text(EXTRACTOR, encoding="utf-8")
    lines = [
        f"{leaky('line')}/from",
        leaky("bad line").replace("//", "//["),
        leaky("line of ftp").replace("http", "ftp"),
    ]
    process = start("crawl", site.url("/"), "--from", "-", "--config", "settings.toml", *FAST, "--stream")
    seen = set()
    process.process.stdin.write("\n".join(lines).encode())
    process.process.stdin.close()
    process.process.stdin = None
    while process.process.poll() is None:
        seen |= set(arguments())
        time.sleep(0.05)
    ended = process.ended()
    assert ended.code == 0, ended.err
    assert "/end" in site.paths()
    said = [ended.out, ended.err, *told(run)]
    written = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    with goal("G10", "canaries searched in store, logs, output, exports, arguments") as tries:
        for name, secret in canary.made.items():
            places = {"arguments": seen, "said": [text.encode() for text in said]}
            if name.startswith("?"):
                places["said"] = [ended.err.encode()]
            else:
                places["written"] = written
            found = [
                place
                for place, texts in places.items()
                for text in texts
                if any(form in text for form in forms(secret))
            ]
            tries.check(not found, f"{name}: {found}")
        assert tries.tried >= 30


def told(run):
    """What all commands print that show what is stored or set."""
    for command in (
        ("config", "show", "--config", "settings.toml"), ("config", "show", "--json"), ("status", "--json"),
        ("status",), ("crawls",), ("query", "SELECT * FROM crawls"), ("query", "SELECT nothing"),
        ("extract", "--extractor", "records.py:thing"), ("resume",), ("crawl", "http://it:x@["),
        *(("export", "--what", w, "--format", f) for w in ("pages", "urls", "records") for f in ("jsonl", "csv")),
    ):  # fmt: skip
        one = run(*command)
        yield from (one.out, one.err)
