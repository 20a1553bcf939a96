"""Through proxies: what they are asked, what they are never asked, and whose fault a failure is."""

from __future__ import annotations

import asyncio
import socket
from itertools import cycle

import pytest
import trustme

from scraper.errors import TransientFetchError
from scraper.fetch import Access, Guard, Proxy
from scraper.model import Reason

PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
KINDS = ["http", "https", "socks5", "socks5h", "socks4"]
each_kind = pytest.mark.parametrize("kind", KINDS)
each_scheme = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.fixture
def relay(forwarding, socksing, authority, certified):
    """Call it with a scheme for a proxy to be entered; options are those of the relays."""

    def relay(kind, **options):
        if kind == "https":
            options["tls"] = certified("127.0.0.1")
        return (socksing if kind.startswith("socks") else forwarding)(**options)

    return relay


@pytest.fixture
def target(wired, authority, certified, lookups):
    """Call it with a scheme for a server known as public.example, whose address is a public one."""
    lookups.table["public.example"] = ["8.8.8.8"]

    def target(scheme, end="keep"):
        tls = certified("public.example") if scheme == "https" else None
        return wired(PAGE, end=end, tls=tls)

    return target


class Flips(dict):
    """Names whose address is another one each time."""

    def __init__(self, *addresses):
        self.addresses = cycle([[address] for address in addresses])

    def __contains__(self, _):
        return True

    def __getitem__(self, _):
        return next(self.addresses)


def through(kind, port, **options):
    """The access that leads every request through the proxy at this port."""
    return Access(proxies=((("*",), Proxy(kind, "127.0.0.1", port, **options)),))


def port_of(server):
    """The port of a Wire."""
    return int(server.url.rpartition(":")[2].strip("/"))


@each_scheme
@each_kind
async def test_page_through_a_proxy(kind, scheme, relay, target, opened):
    """Each kind of proxy brings pages by http and https, though its own address is private; one connection is kept."""
    end = "close" if scheme == "http" and kind.startswith("http") else "keep"  # our relay takes one request
    async with (
        target(scheme, end) as server,
        relay(kind, to={"*": port_of(server)}) as proxy,
        opened(Guard(), access=through(kind, proxy.port)) as fetcher,
    ):
        for _ in range(2):
            assert (await fetcher.fetch(f"{scheme}://public.example/a%2F?b")).body == b"hi"
    assert [head.split("\r\n")[0] for head in server.heads] == ["GET /a%2F?b HTTP/1.1"] * 2
    assert all("\r\nHost: public.example\r\n" in head for head in server.heads)
    port = 443 if scheme == "https" else 80
    asked = {
        "http": [f"CONNECT public.example:{port} HTTP/1.1"],
        "socks5": [(5, "8.8.8.8", port, "")],
        "socks5h": [(5, "public.example", port, "")],
        "socks4": [(4, "8.8.8.8", port, "")],
    }[kind.removesuffix("s")]
    if kind.startswith("http"):
        asked = ["GET http://public.example/a%2F?b HTTP/1.1"] * 2 if scheme == "http" else asked
        assert [line for line, _ in proxy.asked] == asked
    else:
        assert proxy.asked == asked


@each_scheme
@pytest.mark.parametrize("kind", ["http", "https", "socks5", "socks5h"])
async def test_credentials_of_a_proxy(kind, scheme, relay, target, opened):
    """A proxy gets its user and password, its target never does."""
    async with (
        target(scheme) as server,
        relay(kind, to={"*": port_of(server)}, user="me", password="canary") as proxy,
        opened(Guard(), access=through(kind, proxy.port, user="me", password="canary")) as fetcher,
    ):
        assert (await fetcher.fetch(f"{scheme}://public.example/")).body == b"hi"
        assert "Basic" not in repr(fetcher._routes.to("http://public.example/"))
    assert "proxy-authorization" not in server.heads[0].lower()
    assert "canary" not in server.heads[0]


@each_scheme
async def test_secrets_of_the_target(scheme, relay, target, opened):
    """Through a tunnel the proxy sees nothing of what the target is sent."""
    async with target(scheme) as server, relay("http", to={"*": port_of(server)}) as proxy:
        access = Access(
            {f"{scheme}://public.example": {"Authorization": "Bearer canary"}},
            through("http", proxy.port).proxies,
        )
        async with opened(Guard(), access=access) as fetcher:
            await fetcher.fetch(f"{scheme}://public.example/")
    assert "Authorization: Bearer canary" in server.heads[0]
    assert ("authorization" in proxy.asked[0][1]) is (scheme == "http")


@pytest.mark.parametrize(
    ("kind", "given"), [("http", None), ("socks5h", None), ("socks5", "8.8.8.8"), ("socks4", "8.8.8.8")]
)
async def test_one_private_address_among_many(kind, given, relay, target, lookups, opened, attempt):
    """A name with a private address is refused if the proxy chooses among its addresses, else a public one is used."""
    async with target("http") as server, relay(kind, to={"*": port_of(server)}) as proxy:
        lookups.table["public.example"] = ["10.0.0.1", "8.8.8.8"]
        async with opened(Guard(), access=through(kind, proxy.port)) as fetcher:
            result = await attempt(fetcher, "http://public.example/")
    if given:
        assert (result.body, proxy.asked[0][1]) == (b"hi", given)
    else:
        assert (result.reason, result.detail, proxy.asked) == (Reason.PRIVATE_ADDRESS, "10.0.0.1", [])


@pytest.mark.parametrize("kind", ["socks4", "socks5"])
async def test_names_that_flip(kind, relay, target, lookups, opened, attempt):
    """A proxy that takes addresses is given the very one that was judged, however often a name flips (C2, C4)."""
    async with target("http", "close") as server, relay(kind, to={"*": port_of(server)}) as proxy:
        lookups.table = Flips("8.8.8.8", "127.0.0.1")
        async with opened(Guard(), access=through(kind, proxy.port)) as fetcher:
            for number in range(40):
                await attempt(fetcher, f"http://n{number}.example/")
    assert [host for _, host, *_ in proxy.asked] == ["8.8.8.8"] * 20


@pytest.mark.parametrize("kind", ["http", "socks5h"])
async def test_names_only_the_proxy_knows(kind, relay, target, lookups, opened, attempt):
    """A name that does not exist here is `dns`, and the detail names the setting with which the proxy is asked."""
    async with target("http") as server, relay(kind, to={"*": port_of(server)}) as proxy:
        async with opened(Guard(), access=through(kind, proxy.port)) as fetcher:
            error = await attempt(fetcher, "http://wiki.onion/")
            assert (error.reason, "resolve = false" in error.detail, proxy.asked) == (Reason.DNS, True, [])
        asked = len(lookups.asked)
        async with opened(Guard(), access=through(kind, proxy.port, resolve=False)) as fetcher:
            assert (await fetcher.fetch("http://wiki.onion/")).body == b"hi"
        assert len(lookups.asked) == asked


async def test_names_are_judged_once(relay, target, lookups, opened):
    """A name that the proxy is given is looked up once for many requests."""
    async with (
        target("http") as server,
        relay("http", to={"*": port_of(server)}) as proxy,
        opened(Guard(), access=through("http", proxy.port)) as fetcher,
    ):
        for _ in range(5):
            await fetcher.fetch("http://public.example/")
    assert lookups.asked == ["public.example"]


async def test_second_address_through_socks(relay, target, lookups, opened, attempt):
    """A proxy that does not reach a host by one address is asked for the next, and for three at most."""
    async with target("http"), relay("socks5", reply=4) as proxy:
        lookups.table["public.example"] = ["8.8.8.1", "8.8.8.2", "8.8.8.3", "8.8.8.4"]
        async with opened(Guard(), access=through("socks5", proxy.port)) as fetcher:
            await attempt(fetcher, "http://public.example/")
    assert [host for _, host, *_ in proxy.asked] == ["8.8.8.1", "8.8.8.2", "8.8.8.3"]


FAULTS = {
    "http 407": ("http", "http", {"user": "me", "password": "x"}, "407 Proxy Authentication Required"),
    "http 407 to CONNECT": ("http", "https", {"user": "me", "password": "x"}, "407 Proxy Authentication Required"),
    "http 502 to CONNECT": ("http", "https", {"connect_status": b"502 canary"}, "502 Bad Gateway"),
    "http 504 to CONNECT": ("http", "https", {"connect_status": b"504 canary"}, "504 Gateway Timeout"),
    "http 999 to CONNECT": ("http", "https", {"connect_status": b"999 canary"}, "999"),
    "http closes": ("http", "https", {"faulty": b""}, "the server closed the connection without an answer"),
    "http nonsense": ("http", "https", {"faulty": b"canary\r\n\r\n"}, ""),
    "socks5 closes": ("socks5", "http", {"faulty": b""}, "refused, or not a SOCKS proxy"),
    "socks5 nonsense": ("socks5", "https", {"faulty": b"HTTP/1.1 400 canary\r\n\r\n"}, "refused, or not a SOCKS proxy"),
    "socks5 no method": ("socks5", "http", {"faulty": b"\5\xff"}, "refused, or not a SOCKS proxy"),
    "socks5 odd reply": ("socks5", "http", {"faulty": b"\5\0\5\0\0\3\2\xff\xff\0\0"}, "malformed reply"),
    "socks5 password": ("socks5", "http", {"user": "me", "password": "x"}, "refused, or not a SOCKS proxy"),
    "socks5 rules": ("socks5", "http", {"reply": 2}, "not allowed by its rules"),
    "socks5h host": ("socks5h", "https", {"reply": 5}, "connection refused by the host"),
    "socks4 refuses": ("socks4", "http", {"reply": 0x5B}, "rejected or failed"),
}


@pytest.mark.parametrize(("kind", "scheme", "fault", "words"), FAULTS.values(), ids=FAULTS)
async def test_faults_of_a_proxy(kind, scheme, fault, words, relay, target, opened, attempt):
    """A proxy that fails is `connect`, told as the proxy's fault in our words, with its address and no password."""
    credentials = {} if kind == "socks4" else {"user": "me", "password": "canary"}
    async with (
        target(scheme) as server,
        relay(kind, to={"*": port_of(server)}, **fault) as proxy,
        opened(Guard(), access=through(kind, proxy.port, **credentials)) as fetcher,
    ):
        error = await attempt(fetcher, f"{scheme}://public.example/")
    assert (error.reason, type(error)) == (Reason.CONNECT, TransientFetchError)
    assert error.detail.startswith(f"proxy {kind}://127.0.0.1:{proxy.port}: {words}")
    assert server.heads == []
    while error is not None:
        assert "canary" not in f"{error} {error!r}"
        error = error.__cause__


@each_kind
async def test_proxy_that_is_not_there(kind, relay, target, opened, attempt):
    """A proxy that cannot be connected is `connect`, and not the host's fault."""
    async with target("http"), relay(kind) as proxy:
        port = proxy.port
    async with opened(Guard(), access=through(kind, port)) as fetcher:
        error = await attempt(fetcher, "http://public.example/")
    assert (error.reason, error.detail) == (Reason.CONNECT, f"proxy {kind}://127.0.0.1:{port}: Connection refused")


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_proxy_whose_name_is_unknown(kind, target, lookups, monkeypatch, opened, attempt):
    """A proxy whose own name does not exist is `connect`, not `dns`."""

    async def nobody(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "x")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody)
    access = Access(proxies=((("*",), Proxy(kind, "gone.example", 3128)),))
    async with target("http"), opened(Guard(), access=access) as fetcher:
        error = await attempt(fetcher, "http://public.example/")
    assert (error.reason, error.detail.partition(": ")[0]) == (Reason.CONNECT, f"proxy {kind}://gone.example:3128")


async def test_proxy_with_a_bad_certificate(relay, forwarding, serving, target, opened, attempt):
    """A proxy whose certificate is another's is `connect`; it is not asked."""
    async with (
        target("http"),
        forwarding(tls=serving(trustme.CA().issue_cert("127.0.0.1"))) as proxy,
        opened(Guard(), access=through("https", proxy.port)) as fetcher,
    ):
        error = await attempt(fetcher, "http://public.example/")
    assert (error.reason, error.detail.startswith("proxy https://")) == (Reason.CONNECT, True)
    assert proxy.asked == []


# Not through https: TLS within TLS whose inner handshake fails hits a fault of Python 3.11's asyncio.
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "https"])
async def test_target_with_a_bad_certificate(kind, relay, wired, certified, lookups, opened, attempt):
    """The certificate is the target's by name: another's is `tls`, whatever stands between, and nothing is sent."""
    lookups.table["public.example"] = ["8.8.8.8"]
    async with (
        wired(tls=certified("8.8.8.8")) as server,
        relay(kind, to={"*": port_of(server)}) as proxy,
        opened(Guard(), access=through(kind, proxy.port)) as fetcher,
    ):
        error = await attempt(fetcher, "https://public.example/")
    assert (error.reason, server.heads) == (Reason.TLS, [])


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_proxy_that_says_nothing(kind, relay, target, opened, attempt):
    """A proxy that does not answer is a `timeout` of the connect phase."""
    reached = asyncio.Event()

    async def stall(reader, writer):
        await reached.wait()
        writer.close()

    async with target("https"), await asyncio.start_server(stall, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with opened(Guard(), access=through(kind, port), connect_timeout=0.05) as fetcher:
            error = await attempt(fetcher, "https://public.example/")
        reached.set()
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "connect")


async def test_407_of_a_server(answered):
    """A 407 that no proxy sent is an answer like any other 4xx."""
    assert (await answered(b"HTTP/1.1 407 X\r\nContent-Length: 0\r\n\r\n")).status == 407


async def test_each_proxy_has_its_session(relay, target, opened, site):
    """A session is made when its proxy is first needed, hosts without one go directly, and all are closed together."""
    site.page("/")
    async with target("http") as server, relay("http", to={"*": port_of(server)}) as proxy:
        access = Access(proxies=((("127.0.0.1",), None), *through("http", proxy.port).proxies))
        async with opened(access=access) as fetcher:
            await fetcher.fetch(site.url("/"))
            routes = fetcher._routes
            assert repr(routes) == "<Routes direct>"
            await fetcher.fetch("http://public.example/")
            assert repr(routes) == f"<Routes direct, http://127.0.0.1:{proxy.port}>"
            sessions = [routes.to(url).session for url in (site.url("/"), "http://public.example/")]
            assert len(set(sessions)) == 2
        assert all(session.closed for session in sessions)


async def test_environment_adds_no_proxy(relay, target, monkeypatch, opened, site):
    """Proxies of the environment are used for nothing: not directly, and not behind one of ours."""
    site.page("/")
    async with target("http") as server, relay("http", to={"*": port_of(server)}) as ours, relay("http") as theirs:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{theirs.port}")
            monkeypatch.setenv(name.upper(), f"http://127.0.0.1:{theirs.port}")
        monkeypatch.setenv("NO_PROXY", "*")
        async with opened(
            access=Access(proxies=((("public.example",), Proxy("http", "127.0.0.1", ours.port)),))
        ) as one:
            await one.fetch(site.url("/"))
            await one.fetch("http://public.example/")
        assert (theirs.connections, ours.connections) == (0, 1)
