"""Only http and https are asked, whatever way a URL comes by: the others are `scheme`, or no URL at all."""

from __future__ import annotations

import pytest

from scraper import urls
from scraper.config import FetchConfig
from scraper.errors import PermanentFetchError, UrlError
from scraper.fetch import Fetcher, Guard
from scraper.model import Reason
from scraper.seeds import Seeds

SCHEMES = [
    "file:///etc/passwd?{}", "FILE:///etc/passwd?{}", "file:/etc/passwd?{}", "file:\\\\etc\\passwd?{}",
    "file://localhost/etc/passwd?{}", "file://127.0.0.1/{}", "fi\tle:///etc/passwd?{}", "\x01file:///etc/passwd?{}",
    "data:text/html,%3Ca href=http://127.0.0.1/{}%3E", "DATA:text/html;base64,PGEgaHJlZj0vPg==?{}",
    "javascript:fetch('http://127.0.0.1/{}')", "JaVaScRiPt:{}", "java\nscript:{}", "\x1fjavascript:{}", "vbscript:{}",
    "gopher://127.0.0.1:6379/_FLUSHALL%0d%0a{}", "GOPHER://10.0.0.1/{}", "ftp://127.0.0.1/{}", "ftp:127.0.0.1/{}",
    "f\r\ntp://127.0.0.1/{}", "ftps://127.0.0.1/{}", "sftp://127.0.0.1/{}", "ssh://127.0.0.1/{}",
    "blob:http://127.0.0.1/{}", "filesystem:http://127.0.0.1/{}", "view-source:http://127.0.0.1/{}",
    "ws://127.0.0.1/{}", "wss://127.0.0.1/{}", "WS:127.0.0.1/{}", "unix:///run/docker.sock?{}", "unix:/run/a.sock:/{}",
    "http+unix://%2Frun%2Fdocker.sock/{}", "httpx://127.0.0.1/{}", "http-foo://127.0.0.1/{}", "https+x:{}",
    "jar:http://127.0.0.1!/{}", "dict://127.0.0.1:11211/{}", "ldap://127.0.0.1/{}", "tftp://127.0.0.1/{}",
    "netdoc:///etc/passwd?{}", "phar://{}", "php://filter/{}", "expect://{}", "imap://127.0.0.1/{}", "smb://127.0.0.1/{}",
    "feed:http://127.0.0.1/{}", "about:blank?{}", "tel:{}", "mailto:{}@x.example", "cid:{}", "urn:x:{}", "x:{}",
]  # fmt: skip


async def test_other_schemes(attack, network, ends, goal):
    """A URL of another scheme is `skipped` as `scheme` wherever it is named, and nothing is opened for it (C5)."""
    carried_out = await attack(SCHEMES, share=3)
    ended = ends()
    # There it is no URL: a bad line, no entry, no base, no target of a rule.
    nothing = {"seed", "sitemap", "index", "rss", "atom", "text", "robots-sitemap", "base", "rule", "shut"}
    with goal("G9", "URLs of other schemes by ways to name them: not asked") as tries:
        for way, meant in carried_out.meant.items():
            for url in meant:
                end = ended.get(url)
                tries.check(end == (None if way in nothing else ("skipped", "scheme")), (way, url, end))
        for url in carried_out.redirecting:  # a robots.txt that redirects to what cannot be asked allows all
            tries.check(ended[url] == ("fetched", None), (url, ended[url]))
        for url, (state, reason) in ended.items():
            tries.check(urls.is_web(url) or (state, reason) == ("skipped", "scheme"), (url, state, reason))
        tries.check(network.reached == [], network.reached)
    assert {host for host, _ in network.asked} >= {"www.example", "maps1.example"}


@pytest.mark.parametrize("form", SCHEMES)
def test_typed_seeds(form):
    """A typed seed of another scheme is refused before there is a store, and told in one line (C5)."""
    with pytest.raises(UrlError) as caught:
        Seeds([form.format("x")])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("form", SCHEMES)
async def test_the_fetcher_itself(network, form):
    """Even a fetcher that is handed a URL of another scheme opens nothing for it (C5)."""
    async with Fetcher(FetchConfig(), Guard(["0.0.0.0/0", "::/0"]), concurrency=1) as fetcher:
        with pytest.raises(PermanentFetchError) as caught:
            await fetcher.fetch(form.format("x"))
    assert (caught.value.reason, network.reached) == (Reason.PROTOCOL, [])
