"""What is sent to one origin is sent to no other, whatever a redirect says; cookies go through the jar alone."""

from __future__ import annotations

import pytest

from scraper import urls
from scraper.errors import FetchError
from scraper.fetch import Access, Guard, Proxy

HERE = "http://shop.example"
SECRETS = {
    "bearer": {"Authorization": "Bearer canary"},
    "basic": {"Authorization": "Basic Y2FuYXJ5"},
    "header": {"X-Api-Key": "canary"},
    "cookie": {},
}
ELSEWHERE = {
    "scheme": "https://shop.example/new",
    "host": "http://other.example/new",
    "port": "http://shop.example:8080/new",
    "name below": "http://a.shop.example/new",
    "userinfo": "http://shop.example@other.example/new",
}
CANARIES = ("canary", "Y2FuYXJ5", "Authorization", "Cookie", "Referer")


class Jar:
    """Cookies by exact origin; notes for which URLs it was asked and what it was given."""

    def __init__(self):
        self.cookies = {}
        self.asked = []
        self.stored = []

    def header(self, url):
        """What this origin is sent."""
        self.asked.append(url)
        return self.cookies.get(urls.host(url))

    def store(self, url, set_cookie_values):
        """Keep the last one."""
        self.stored.append((url, set_cookie_values))
        self.cookies[urls.host(url)] = set_cookie_values[-1].partition(";")[0]


@pytest.fixture
async def world(authority, certified, wired, forwarding, lookups):
    """Two servers behind one proxy that leads there: `here` is the shop, `elsewhere` any other origin, also by TLS."""
    names = ("shop.example", "other.example", "a.shop.example")
    lookups.table = {name: ["8.8.8.8"] for name in names}
    tls = certified("shop.example")
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    async with wired() as here, wired(page) as elsewhere, wired(page, tls=tls) as secure:
        ports = {("shop.example", 80): here.url, ("shop.example", 443): secure.url, "*": elsewhere.url}
        to = {place: int(url.rpartition(":")[2].strip("/")) for place, url in ports.items()}
        async with forwarding(to=to) as relay:
            yield here, elsewhere, secure, Proxy("http", "127.0.0.1", relay.port)


@pytest.mark.goal("G10", "secrets of an origin x other origins, 5 redirect codes each: none sent there")
@pytest.mark.parametrize("elsewhere", ELSEWHERE)
@pytest.mark.parametrize("kind", SECRETS)
async def test_redirect_to_another_origin(kind, elsewhere, world, opened):
    """What an origin was sent, it alone was sent: no target of its redirects gets any of it, nor a Referer."""
    here, plain, secure, proxy = world
    answer = "HTTP/1.1 %d X\r\nLocation: " + ELSEWHERE[elsewhere] + "\r\nContent-Length: 0\r\n\r\n"
    here.scripts = [(((answer % status).encode(),), "close") for status in (301, 302, 303, 307, 308)]
    jar = Jar()
    if kind == "cookie":
        jar.cookies[HERE] = "id=canary"
    access = Access({HERE: SECRETS[kind]}, proxies=((("*",), proxy),))
    async with opened(Guard(), access=access, jar=jar) as fetcher:
        for _ in here.scripts:
            location = (await fetcher.fetch(f"{HERE}/old")).header("location")
            assert (await fetcher.fetch(location)).body == b"hi"
    assert all(any(canary in head for canary in CANARIES[:2]) for head in here.heads)
    heads = plain.heads + secure.heads
    assert (len(here.heads), len(heads)) == (5, 5)
    assert [canary for canary in CANARIES for head in heads if canary in head] == []


async def test_same_origin_gets_it_again(world, opened):
    """A redirect within the origin keeps what is sent to it."""
    here, _, _, proxy = world
    here.scripts = [((b"HTTP/1.1 302 X\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n",), "close")]
    access = Access({HERE: SECRETS["bearer"]}, proxies=((("*",), proxy),))
    async with opened(Guard(), access=access) as fetcher:
        await fetcher.fetch(f"{HERE}/old")
        await fetcher.fetch(f"{HERE}/new")
    assert [head.count("Authorization: Bearer canary") for head in here.heads] == [1, 1]


async def test_headers_of_the_origin_replace_ours(site, opened):
    """An origin's own Accept stands in place of ours; the rest of our headers stays."""
    site.page("/")
    async with opened(access=Access({site.origin: {"accept": "text/x"}})) as fetcher:
        await fetcher.fetch(site.url("/"))
    assert site.headers[0].getall("Accept") == ["text/x"]
    assert site.headers[0]["User-Agent"].startswith("scraper/")


ANSWERS = [
    (b"200 OK", True),
    (b"302 Found", True),
    (b"404 Not Found", True),
    (b"429 Too Many Requests", True),
    (b"503 Busy", True),
    (b"206 Partial Content", False),
    (b"99 X", False),
]


@pytest.mark.parametrize(("status", "kept"), ANSWERS, ids=[status.decode() for status, _ in ANSWERS])
async def test_cookies_of_every_answer(status, kept, wired, opened, attempt):
    """Set-Cookie of any answer is stored under the very URL that was asked, that of no answer is not."""
    head = b"HTTP/1.1 " + status + b"\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xc3\xa9; Path=/\r\nContent-Length: 0\r\n\r\n"
    jar = Jar()
    async with wired(head) as wire, opened(jar=jar) as fetcher:
        await attempt(fetcher, wire.url)
        await attempt(fetcher, wire.url, limit=10)
        assert jar.asked == [wire.url] * 2
        assert jar.stored == ([(wire.url, ["a=1", "b=é; Path=/"])] * 2 if kept else [])
        assert ("Cookie: b=é".encode().decode("latin-1") in wire.heads[1]) is kept


async def test_cookies_stay_with_the_jar(site, opened):
    """Without a jar no cookie is sent; with one, exactly its header is."""
    site.page("/", headers={"Set-Cookie": "id=7"})
    jar = Jar()
    async with opened(jar=jar) as fetcher:
        await fetcher.fetch(site.url("/"))
        await fetcher.fetch(site.url("/"))
        jar.cookies.clear()
        await fetcher.fetch(site.url("/"))
    assert [headers.get("Cookie") for headers in site.headers] == [None, "id=7", None]


async def test_cookie_that_cannot_be_sent(site, opened):
    """A cookie that would forge a header is not sent."""
    site.page("/")
    jar = Jar()
    jar.cookies[site.origin] = "a=b\r\nX-Forged: 1"
    async with opened(jar=jar) as fetcher:
        assert (await fetcher.fetch(site.url("/"))).status == 200
    assert not {"Cookie", "X-Forged"} & set(site.headers[0])


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 nonsense canary\r\n\r\n", b"HTTP/1.1 503 X\r\nSet-Cookie: a=canary\r\nContent-Length: 0\r\n\r\n"],
    ids=["closed", "malformed", "busy"],
)
async def test_failures_show_no_secret(answer, wired, opened):
    """No text, repr or cause of a failure holds what was sent or set."""
    async with wired(answer) as wire:
        origin = wire.url.removesuffix("/")
        jar = Jar()
        jar.cookies[origin] = "id=canary"
        async with opened(access=Access({origin: {"Authorization": "Bearer canary"}}), jar=jar) as fetcher:
            with pytest.raises(FetchError) as caught:
                await fetcher.fetch(wire.url)
            assert "canary" in wire.heads[0]
            assert "canary" not in f"{fetcher!r} {fetcher._routes!r}"
    error = caught.value
    while error is not None:
        assert "canary" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
