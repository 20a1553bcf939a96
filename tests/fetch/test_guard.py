"""Which addresses may be connected, by table and by trying."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper import urls
from scraper.config import FetchConfig
from scraper.errors import ConfigError, FetchError, PermanentFetchError, UrlError
from scraper.fetch import Fetcher, Guard
from scraper.fetch.guard import MOST_ADDRESSES, GuardedResolver, PrivateAddressError
from scraper.model import Reason

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


async def test_resolver_close():
    """Closing the guarded resolver closes the one behind it."""
    names = _Names(["8.8.8.8"])
    await GuardedResolver(Guard(), names).close()
    assert names.answers == [()]


@pytest.fixture
async def canary():
    """A server on 127.0.0.1 that must never be reached: (port, connections seen)."""
    seen = []

    async def reached(reader, writer):
        seen.append(writer.get_extra_info("peername"))
        writer.close()

    async with await asyncio.start_server(reached, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], seen


SPELLINGS = [
    "127.0.0.1", "127.0.0.1.", "localhost", "localhost.", "2130706433", "0x7f000001", "0X7F.1", "0x7f.1", "0177.0.0.1",
    "127.1", "127.0.1", "%31%32%37.0.0.1", "127。0。0。1", "①②⑦.0.0.1", "127.0.0.1", "0.0.0.0", "0",
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[fe80::1%25lo]",
    "ok@127.0.0.1", "ok:pw@127.0.0.1", "example.com@127.0.0.1", "169.254.169.254", "168.63.129.16",
    "[fd00:ec2::254]", "localtest.example",
]  # fmt: skip


@pytest.mark.parametrize("canonical", [True, False], ids=["canonical", "raw"])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_spellings(spelling, canonical, canary, monkeypatch):
    """However a private address is spelt, and whether or not our rules parsed the URL first, it is not connected."""
    port, seen = canary
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: _Names(["127.0.0.1"]))
    url = f"http://{spelling}:{port}/"
    async with Fetcher(FetchConfig(), Guard(), concurrency=1) as fetcher:
        try:
            url = urls.canonical(url) if canonical else url
            with pytest.raises(PermanentFetchError) as caught:
                await fetcher.fetch(url)
            assert caught.value.reason == Reason.PRIVATE_ADDRESS or not canonical
        except UrlError:
            assert "%" in spelling
    assert seen == []


async def test_rebinding(canary, monkeypatch):
    """A name that changes from a public to a private address between requests is refused at the private one."""
    port, seen = canary
    names = _Names(["10.0.0.1"], ["127.0.0.1"])
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: names)
    async with Fetcher(FetchConfig(), Guard(), concurrency=1) as fetcher:
        for _ in range(20):
            with pytest.raises(FetchError) as caught:
                await fetcher.fetch(f"http://flip.example:{port}/")
            assert caught.value.reason == Reason.PRIVATE_ADDRESS
    assert names.asked == 20
    assert seen == []


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
