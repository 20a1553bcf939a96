"""Names that lead elsewhere each time they are looked up."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import cycle

import pytest

from scraper.config import FetchConfig
from scraper.errors import FetchError
from scraper.fetch import Fetcher, Guard
from scraper.fetch.guard import GuardedResolver
from scraper.model import Reason

PUBLIC = "93.184.216.34"
INSIDE = ("127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1")


@pytest.fixture
def flipping(network):
    """Let every name below `example` be public and private by turns; returns how often it was told to be which."""
    told = Counter()
    turns = cycle([address for inside in INSIDE for address in (PUBLIC, inside)])

    def flip():
        told[address := next(turns)] += 1
        return [address]

    network.names.table, network.names.default = {}, flip
    return told


async def test_flips(network, flipping, goal):
    """Of 10,000 lookups each that flips to a private address is refused, each other one connected (C2)."""
    flips = 10_000 if network.is_real else 2_500
    numbers, reasons = iter(range(flips)), Counter()
    with goal("G9", "lookups that flip between public and private: not connected") as tries:
        async with Fetcher(FetchConfig(), Guard(), concurrency=8) as fetcher:

            async def ask():
                for number in numbers:
                    try:
                        await fetcher.fetch(f"http://n{number}.example:6379/")
                    except FetchError as error:
                        reasons[error.reason] += 1
                    tries.check(not network.reached or network.reached[-1][0] == PUBLIC, network.reached[-1:])

            await asyncio.gather(*(ask() for _ in range(8)))
    assert {address for address, _ in network.reached} == {PUBLIC}
    assert reasons.pop(Reason.PRIVATE_ADDRESS) == sum(reasons.values()) == len(network.reached) == flips // 2
    assert sum(flipping.values()) == flips  # none of them is looked up twice


async def test_a_name_that_flips_while_it_is_known(network, attempt):
    """A name that was public keeps its connection and its known address; looked up anew, it is refused (C2)."""
    network.page("flip.example/", "hi")
    async with Fetcher(FetchConfig(), Guard(), concurrency=2) as fetcher:
        assert await attempt(fetcher, "http://flip.example/") == 200
        network.names.default = ["127.0.0.1"]
        assert await attempt(fetcher, "http://flip.example/") == 200
        assert await asyncio.gather(*(attempt(fetcher, "http://flip.example/") for _ in range(9))) == [200] * 9
        assert network.public == 2  # one more was needed, and led to where the first did
        fetcher._routes.direct.session.connector.clear_dns_cache()
        assert await attempt(fetcher, "http://flip.example:6379/") == Reason.PRIVATE_ADDRESS
    assert network.reached == []


async def test_many_ask_for_one_name(network, attempt):
    """Who waits for another's lookup of a private name is refused as that one is (C2)."""
    async with Fetcher(FetchConfig(), Guard(), concurrency=20) as fetcher:
        found = await asyncio.gather(*(attempt(fetcher, f"http://inside.example/{n}") for n in range(20)))
    assert (found, network.reached) == ([Reason.PRIVATE_ADDRESS] * 20, [])


@pytest.mark.parametrize("name", ["mixed.example", "open6.example"])
async def test_one_public_address_among_many(network, attempt, name):
    """Of a name with public and private addresses only a public one is connected, by IPv4 and by IPv6 (C3)."""
    network.page(f"{name}/", "hi")
    async with Fetcher(FetchConfig(), Guard(), concurrency=1) as fetcher:
        assert await attempt(fetcher, f"http://{name}/") == 200
    assert (network.public, network.reached) == (1, [])


async def test_a_resolver_that_lets_everything_through(network, attempt, monkeypatch):
    """The address of a new connection is judged where its socket is made, whatever the resolver let through (C2)."""
    monkeypatch.setattr(GuardedResolver, "resolve", lambda self, *place, **how: self._names.resolve(*place, **how))
    async with Fetcher(FetchConfig(), Guard(), concurrency=1) as fetcher:
        for name in sorted(network.names.table):
            if name not in {"mixed.example", "open6.example"}:
                assert await attempt(fetcher, f"http://{name}/") == Reason.PRIVATE_ADDRESS
    assert network.reached == []
