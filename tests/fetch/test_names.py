"""Names that do not exist are looked up once in a while, whatever asks for them."""

from __future__ import annotations

import socket

import pytest

from scraper.fetch import names
from scraper.fetch.names import ABSENT_FOR, KnownNames
from scraper.model import Reason


class _Failing:
    """A resolver that fails with `number`, or finds an address if there is none; counts."""

    def __init__(self, number=socket.EAI_NONAME):
        self.number = number
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        self.asked += 1
        if self.number is None:
            return [{"hostname": host, "host": "8.8.8.8", "port": port, "family": 2, "proto": 0, "flags": 0}]
        raise socket.gaierror(self.number, "x")


class _Clock:
    now = 1000.0

    def __call__(self):
        return self.now


async def found(known, host="gone.example", **options) -> bool:
    """Whether the name is found."""
    try:
        return bool(await known.resolve(host, 80, **options))
    except socket.gaierror:
        return False


@pytest.mark.parametrize(
    ("number", "asked"),
    [(socket.EAI_NONAME, 1), (socket.EAI_NODATA, 1), (socket.EAI_AGAIN, 5), (socket.EAI_FAIL, 5), (None, 5)],
    ids=["unknown", "without address", "temporary", "failing", "found"],
)
async def test_only_absence_is_remembered(number, asked):
    """A name that does not exist is asked for once; a failing server is asked again, and so is a name that exists."""
    behind = _Failing(number)
    known = KnownNames(behind, _Clock())
    for _ in range(5):
        assert await found(known) is (number is None)
    assert behind.asked == asked


@pytest.mark.parametrize(
    ("later", "asked"), [(0, 1), (ABSENT_FOR - 1, 1), (ABSENT_FOR, 2), (-1, 2), (-1e6, 2)], ids=str
)
async def test_absence_ends(later, asked):
    """What was absent is asked for again after its time, and at once when the clock was set back."""
    behind, clock = _Failing(), _Clock()
    known = KnownNames(behind, clock)
    await found(known)
    clock.now += later
    await found(known)
    assert behind.asked == asked


async def test_name_comes_into_being():
    """A name that appears is found once its absence has ended."""
    behind, clock = _Failing(), _Clock()
    known = KnownNames(behind, clock)
    assert not await found(known)
    behind.number = None
    clock.now += ABSENT_FOR
    assert await found(known)
    assert repr(known) == "<KnownNames 0 absent>"


async def test_absence_of_one_family_is_none():
    """A name without an IPv4 address may have another one."""
    behind = _Failing()
    known = KnownNames(behind, _Clock())
    assert not await found(known, family=socket.AF_INET)
    behind.number = None
    assert await found(known)


async def test_memory_is_bounded(monkeypatch):
    """However many names are absent, only so many are remembered, the latest ones."""
    monkeypatch.setattr(names, "MOST_ABSENT", 3)
    behind = _Failing()
    known = KnownNames(behind, _Clock())
    for host in "abcde":
        await found(known, host)
    assert repr(known) == "<KnownNames 3 absent>"
    await found(known, "e")
    assert behind.asked == 5
    await found(known, "a")
    assert behind.asked == 6


async def test_many_urls_of_a_dead_name(lookups, opened, attempt):
    """A thousand URLs of a name that does not exist cost one lookup, and each fails as `dns`."""
    async with opened() as fetcher:
        for number in range(1000):
            assert (await attempt(fetcher, f"http://gone.example/{number}")).reason == Reason.DNS
    assert lookups.asked == ["gone.example"]
