"""Which addresses may be connected, by table and by trying."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper import urls
from scraper.config import FetchConfig
from scraper.errors import ConfigError, PermanentFetchError
from scraper.fetch import Fetcher, Guard
from scraper.fetch.guard import MOST_ADDRESSES, GuardedResolver, PrivateAddressError
from scraper.model import Reason

URLS = Path(__file__).parents[3] / "shared" / "data" / "url" / "kasztp-10000.txt"
REFUSED_V4 = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
]
REFUSED_V6 = [
    "::/128",
    "::1/128",
    "::7f00:1/128",
    "::ffff:0:7f00:1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2001:200::1",
    "2a00::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("network", REFUSED_V4 + REFUSED_V6)
def test_private_networks(network):
    """The first and the last address of every private network are refused."""
    where = IPv6Network(network) if ":" in network else IPv4Network(network)
    assert not Guard().admits(str(where[0]), 80)
    assert not Guard().admits(str(where[-1]), 80)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    """Public addresses are admitted, right up to the edges of the private networks."""
    assert Guard().admits(address, 80)


@pytest.mark.parametrize("text", ["", "example.com", "127.1", "0x7f000001", "/run/a.sock", "1.2.3.4.5"])
def test_no_address(text):
    """What is not an address in its plain form is refused."""
    assert not Guard(["0.0.0.0/0", "::/0"]).admits(text, 80)


@pytest.mark.parametrize("address", ["fe80::1%lo", "fe80::1%25lo", "::1%1"])
def test_scoped_addresses(address):
    """A zone after an IPv6 address changes nothing."""
    assert not Guard().admits(address, 80)
    assert Guard(["fe80::/10", "::1/128"]).admits(address, 80)
    assert Guard(origins=["http://[fe80::1]", "http://[::1]"]).admits(address, 80)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["::ffff:0:0", "64:ff9b::"]))
def test_embedded_addresses(number, prefix):
    """An IPv4 address inside an IPv6 one is judged as the IPv4 address, ranges and typed seeds included."""
    plain, embedded = str(IPv4Address(number)), str(IPv6Address(int(IPv6Address(prefix)) + number))
    for guard in (Guard(), Guard(["10.0.0.0/8", "128.0.0.0/1"]), Guard(origins=[f"http://{plain}:80"])):
        assert guard.admits(plain, 80) == guard.admits(embedded, 80)


def test_allowed_ranges():
    """An --allow-private range opens its addresses at every port, and nothing else."""
    guard = Guard(["127.0.0.0/8", "fd00::/8", " 10.1.2.3/16 "])
    assert guard.admits("127.9.9.9", 1)
    assert guard.admits("::ffff:127.0.0.1", 65535)
    assert guard.admits("fd12::1", 80)
    assert guard.admits("10.1.255.1", 80)
    assert not guard.admits("10.2.0.1", 80)
    assert not guard.admits("192.168.0.1", 80)
    assert not guard.admits("::1", 80)


def test_mapped_ranges():
    """A range of IPv4 addresses inside IPv6 is the range of those; one that merely holds them opens none of IPv4."""
    guard = Guard(["::ffff:10.0.0.0/104", "::ffff:192.168.0.7"])
    assert guard.admits("10.9.9.9", 80)
    assert guard.admits("::ffff:10.9.9.9", 80)
    assert guard.admits("192.168.0.7", 80)
    assert not guard.admits("192.168.0.8", 80)
    assert not Guard(["::/0"]).admits("::ffff:10.9.9.9", 80)
    assert not Guard(["64:ff9b::/96"]).admits("10.9.9.9", 80)


@pytest.mark.parametrize("text", ["", "10.0.0.0/99", "localhost", "10.0.0.0-10.0.0.9", "::1/129", "10.0.0/8"])
def test_bad_range(text):
    """A range that is none is a ConfigError that names it."""
    with pytest.raises(ConfigError, match="allow-private") as caught:
        Guard([text])
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "opened", "closed"),
    [
        (
            "http://127.0.0.1:8000",
            [("127.0.0.1", 8000), ("::ffff:7f00:1", 8000)],
            [("127.0.0.1", 80), ("127.0.0.2", 8000)],
        ),
        ("http://127.0.0.1", [("127.0.0.1", 80)], [("127.0.0.1", 443), ("127.0.0.1", 8000)]),
        ("https://10.0.0.7", [("10.0.0.7", 443)], [("10.0.0.7", 80), ("10.0.0.8", 443)]),
        ("http://localhost:8000", [("127.0.0.1", 8000), ("::1", 8000)], [("127.0.0.1", 8001), ("127.0.0.2", 8000)]),
        ("http://[::1]:80", [("::1", 80)], [("::1", 81), ("127.0.0.1", 80)]),
        ("http://[::ffff:7f00:1]:80", [("127.0.0.1", 80)], [("::1", 80)]),
        ("http://intranet:80", [], [("127.0.0.1", 80), ("10.0.0.1", 80)]),
        ("http://localhost.example", [], [("127.0.0.1", 80)]),
    ],
)
def test_typed_origins(origin, opened, closed):
    """A seed typed with a literal address or `localhost` opens that address and port; another name opens nothing."""
    guard = Guard(origins=[origin])
    assert all(guard.admits(*place) for place in opened)
    assert not any(guard.admits(*place) for place in closed)


@pytest.mark.parametrize(
    ("origin", "opened", "closed"),
    [
        ("http://127.0.0.1:80", ["127.0.0.1", "::ffff:127.0.0.1"], ["localhost", "a.localhost", "typed.example", ""]),
        ("http://localhost:80", ["localhost", "127.0.0.1"], ["localhost.", "a.localhost", "typed.example", ""]),
        ("http://typed.example:80", [], ["127.0.0.1", "localhost", "typed.example", ""]),
    ],
)
def test_typed_origins_and_names(origin, opened, closed):
    """What a typed seed opens is open to itself, and to no other name that leads there; a range is open to all."""
    guard = Guard(origins=[origin])
    assert all(guard.admits("127.0.0.1", 80, name) for name in opened)
    assert not any(guard.admits("127.0.0.1", 80, name) for name in closed)
    assert not any(guard.admits("127.0.0.1", 81, name) for name in (*opened, *closed))
    assert all(Guard(["127.0.0.1"], [origin]).admits("127.0.0.1", 80, name) for name in (*opened, *closed))


@pytest.mark.skipif(not URLS.exists(), reason="the public URL collections are not beside the checkout")
def test_real_urls(goal):
    """None of 10,000 URLs of real sites holds an address that is refused, or is read as if it held one."""
    guard = Guard()
    with goal("G9", "URLs of real sites: not refused for an address they hold") as tries:
        for line in URLS.read_text(encoding="utf-8").splitlines():
            url = urls.canonical(line)
            name = urls.hostname(url)
            port = int(urls.authority(urls.host(url)).removeprefix(name)[1:] or 80)
            tries.check(not urls.is_address(name) or guard.admits(name.strip("[]"), port), url)


def test_refusals_have_one_text():
    """All refusals read alike, so that aiohttp keeps their type when a host has several addresses."""
    guard = Guard()
    refusals = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with pytest.raises(PrivateAddressError) as caught:
            guard.open_socket((family, socket.SOCK_STREAM, 6, "", (address, 80)))
        refusals.append(caught.value)
    assert str(refusals[0]) == str(refusals[1])
    assert [refusal.address for refusal in refusals] == ["127.0.0.1", "::1"]


class _Names(aiohttp.abc.AbstractResolver):
    """Resolves every name to the next list of addresses."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked += 1
        answer = self.answers[(self.asked - 1) % len(self.answers)]
        if isinstance(answer, Exception):
            raise answer
        return [
            {"hostname": host, "host": address, "port": port, "family": socket.AF_INET, "proto": 6, "flags": 0}
            for address in answer
        ]

    async def close(self):
        self.answers = [()]


async def test_resolver_drops_private_addresses():
    """One private address among a name's many is left out, and the others are used."""
    resolver = GuardedResolver(Guard(), _Names(["10.0.0.1", "8.8.8.8", "127.0.0.1", "1.1.1.1"]))
    assert [place["host"] for place in await resolver.resolve("example.com", 80)] == ["8.8.8.8", "1.1.1.1"]


async def test_resolver_refuses_private_names():
    """A name that has only private addresses is refused, and the refusal tells one of them."""
    with pytest.raises(PrivateAddressError) as caught:
        await GuardedResolver(Guard(), _Names(["10.0.0.1", "127.0.0.1"])).resolve("inside.example", 80)
    assert caught.value.address == "10.0.0.1"


async def test_resolver_is_bounded():
    """Of a name with a thousand addresses only a few are tried."""
    resolver = GuardedResolver(Guard(), _Names([f"8.8.{high}.{low}" for high in range(4) for low in range(250)]))
    assert len(await resolver.resolve("example.com", 80)) == MOST_ADDRESSES


@pytest.mark.parametrize("answer", [(), UnicodeError("label empty or too long")], ids=["none", "no name"])
async def test_resolver_without_an_address(answer):
    """A name that no address is found for, or that cannot be looked up at all, is told as the system tells it."""
    with pytest.raises(socket.gaierror):
        await GuardedResolver(Guard(), _Names(answer)).resolve("a..example", 80)


async def test_resolver_close():
    """Closing the guarded resolver closes the one behind it."""
    names = _Names(["8.8.8.8"])
    await GuardedResolver(Guard(), names).close()
    assert names.answers == [()]


async def test_typed_origin_opens_only_its_port(hosts):
    """A crawl of one loopback port cannot reach another one, and the refusal names the address."""
    typed, other = await hosts.new_site(), await hosts.new_site()
    typed.page("/")
    other.page("/")
    async with Fetcher(FetchConfig(), Guard(origins=[typed.origin]), concurrency=1) as fetcher:
        assert (await fetcher.fetch(typed.url("/"))).status == 200
        with pytest.raises(PermanentFetchError) as caught:
            await fetcher.fetch(other.url("/"))
    assert (caught.value.reason, caught.value.detail) == (Reason.PRIVATE_ADDRESS, "127.0.0.1")
    assert other.requests == []


async def test_typed_localhost(site):
    """A seed typed as `localhost` is reached through the name."""
    site.page("/")
    url = site.url("/").replace("127.0.0.1", "localhost")
    async with Fetcher(FetchConfig(), Guard(origins=[urls.host(url)]), concurrency=1) as fetcher:
        assert (await fetcher.fetch(url)).status == 200
