"""A proxy is asked for nothing private: it would connect where the guard cannot see."""

from __future__ import annotations

import pytest

from scraper import urls
from scraper.config import FetchConfig
from scraper.fetch import Access, Fetcher, Guard, Proxy, routes
from scraper.model import Reason

KINDS = ["http", "https", "socks4", "socks5", "socks5h"]
ASKED = {Reason.CONNECT, Reason.RESET}  # a canary refuses the connection, or closes it
PROXY = ("10.9.9.9", 3128)  # private, as proxies are
NEIGHBOURS = [
    "http://10.9.9.9:3128/", "http://10.9.9.9/", "https://10.9.9.9:3128/", "http://10.9.9.8:3128/",
    "http://proxy.example:3128/", "http://proxy.example/", "http://168364297:3128/", "http://[::ffff:10.9.9.9]:3128/",
]  # fmt: skip


def _through(kind, host=PROXY[0], hosts=("*",), **options):
    return Access(proxies=((hosts, Proxy(kind, host, PROXY[1], **options)),))


def _given(resolve, url):
    """Is this a name that a proxy which judges names itself is asked for? Not one that means an address."""
    name = urls.hostname(url).rstrip(".")
    return not resolve and not urls.is_address(name) and name != "localhost" and not name.endswith(".localhost")


@pytest.mark.parametrize("resolve", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_private_targets(network, spellings, attempt, kind, resolve, goal):
    """However a private target is spelt, no proxy of any kind is connected for it (C4)."""
    if not resolve and kind in {"socks4", "socks5"}:
        return  # which take addresses alone
    network.names.table["proxy.example"] = [PROXY[0]]
    with goal("G9", "spellings of private places through proxies: not asked") as tries:
        async with Fetcher(FetchConfig(), Guard(), concurrency=1, access=_through(kind, resolve=resolve)) as fetcher:
            for form in (*spellings, *NEIGHBOURS):
                url = urls.canonical(form.format(""))
                if not _given(resolve, url):
                    tries.check(await attempt(fetcher, url) == Reason.PRIVATE_ADDRESS, url)
        tries.check(network.reached == [], network.reached)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_public(network, attempt, kind):
    """A proxy's own address needs no leave, and what is public is asked of it (C4)."""
    network.names.table["proxy.example"] = [PROXY[0]]
    async with Fetcher(FetchConfig(), Guard(), concurrency=1, access=_through(kind)) as fetcher:
        assert await attempt(fetcher, "http://www.example/") in ASKED
    assert set(network.reached) == {PROXY}
    assert network.public == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_ranges_hold_through_proxies(network, attempt, kind):
    """An opened range and a typed seed open their places through a proxy as without one, and no others (C4)."""
    guard = Guard(["192.168.0.0/24"], origins=["http://127.0.0.1:8000", "http://localhost:6379"])
    async with Fetcher(FetchConfig(), guard, concurrency=1, access=_through(kind)) as fetcher:
        for place in ("192.168.0.1", "127.0.0.1:8000", "localhost:6379", "127.0.0.1:6379"):
            assert await attempt(fetcher, f"http://{place}/") in ASKED
        network.reached.clear()
        closed = ("192.168.1.1", "127.0.0.1", "localhost:8000", "a.localhost:6379", "localhost.:6379", "[::1]:8000")
        for place in (*closed, "typed.example:8000", "typed.example:6379", "localhost../"):
            assert await attempt(fetcher, f"http://{place}/") == Reason.PRIVATE_ADDRESS
    assert network.reached == []


async def test_names_are_judged_again(network, attempt):
    """A name that a proxy is given is judged for five minutes at most, by a clock that may be set back (C2, C4)."""
    now = 1000.0
    ways = {"access": _through("http"), "clock": lambda: now}
    async with Fetcher(FetchConfig(), Guard(), concurrency=1, **ways) as fetcher:
        for later, inside, expected in [
            (0, False, True), (299, True, True), (2, True, False), (0, False, True), (-5000, True, False),
        ]:  # fmt: skip
            now += later
            network.names.default = ["10.0.0.1"] if inside else ["8.8.8.8"]
            for port in (80, 443):
                found = await attempt(fetcher, f"http://turns.example:{port}/")
                assert found in ASKED if expected else found == Reason.PRIVATE_ADDRESS, (now, port)


async def test_few_judged_names_are_remembered(network, attempt, monkeypatch):
    """However many names a page names, so many are remembered as judged; the oldest is judged anew (C4)."""
    monkeypatch.setattr(routes, "DNS_NAMES", 2)
    async with Fetcher(FetchConfig(), Guard(), concurrency=1, access=_through("http")) as fetcher:
        for number in range(4):
            assert await attempt(fetcher, f"http://n{number}.example/") in ASKED
        network.names.default = ["10.0.0.1"]
        found = [await attempt(fetcher, f"http://n{number}.example/") in ASKED for number in range(4)]
    assert found == [False, False, True, True]


@pytest.mark.parametrize("name", ["direct.example", "inside.example", "127.0.0.1", "localhost"])
async def test_hosts_without_a_proxy(network, attempt, name):
    """A host that its own entry excepts from the proxy is judged as any other (C4)."""
    access = Access(proxies=(((name,), None), *_through("http").proxies))
    network.page("direct.example/", "hi")
    async with Fetcher(FetchConfig(), Guard(), concurrency=1, access=access) as fetcher:
        assert await attempt(fetcher, f"http://{name}/") == (
            200 if name == "direct.example" else Reason.PRIVATE_ADDRESS
        )
    assert network.reached == []


@pytest.mark.parametrize("dots", ["", ".", "..", "..."])
async def test_final_dots_lead_around_no_proxy(network, attempt, dots):
    """A host that goes through a proxy does so with final dots too, however many (C4)."""
    network.names.table[f"www.hidden.example{dots}"] = network.names.default
    access = _through("http", hosts=("*.hidden.example",), resolve=False)
    async with Fetcher(FetchConfig(), Guard(), concurrency=1, access=access) as fetcher:
        assert await attempt(fetcher, f"http://www.hidden.example{dots}/") in ASKED
    assert (network.public, network.reached) == (0, [PROXY])


async def test_addresses_with_final_dots(network, attempt):
    """A proxy that judges names is not given an address as a name: what it makes of the dots we do not know (C4)."""
    async with Fetcher(FetchConfig(), Guard(), concurrency=1, access=_through("http", resolve=False)) as fetcher:
        for host in ("127.0.0.1..", "10.0.0.1...", "localhost..", "a.localhost..", "169.254.169.254.."):
            assert await attempt(fetcher, f"http://{host}/") == Reason.PRIVATE_ADDRESS
    assert network.reached == []
