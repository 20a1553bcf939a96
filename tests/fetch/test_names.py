"""Names that do not exist are looked up once in a while; silent name servers hold up nobody but who asks them."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from scraper import urls
from scraper.fetch import names
from scraper.fetch.names import ABSENT_FOR, AT_ONCE, AT_ONCE_OF_A_DOMAIN, KnownNames, system_names
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
    assert repr(known) == "<KnownNames 0 absent, 0 being looked up>"


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
    assert repr(known) == "<KnownNames 3 absent, 0 being looked up>"
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


class _Hanging(_Failing):
    """A resolver that answers for no name of evil.example until it is let go; counts who waits."""

    def __init__(self):
        super().__init__(None)
        self.over = asyncio.Event()
        self.waiting = self.most = 0

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        if host.endswith(("evil.example", "dead.example")):
            self.waiting += 1
            self.most = max(self.most, self.waiting)
            try:
                await self.over.wait()
            finally:
                self.waiting -= 1
        return await super().resolve(host, port, family)

    async def close(self):
        pass


async def test_silent_name_server_of_one_domain():
    """However many names of one domain hang, only so many lookups wait for it, and other names are found (B10)."""
    behind = _Hanging()
    known = KnownNames(behind, _Clock(), patience=30.0)
    evil = [asyncio.create_task(found(known, f"{number}.evil.example")) for number in range(500)]
    await asyncio.sleep(0)
    honest = [asyncio.create_task(found(known, f"{number}.good.example")) for number in range(500)]
    assert all(await asyncio.gather(*honest))
    assert behind.most == AT_ONCE_OF_A_DOMAIN < AT_ONCE
    assert not any(lookup.done() for lookup in evil)
    await known.close()
    assert behind.waiting == 0
    await asyncio.gather(*evil, return_exceptions=True)


async def test_lookups_at_once(monkeypatch):
    """Of however many domains, only so many names are looked up at once (B10)."""
    behind = _Hanging()
    known = KnownNames(behind, _Clock(), patience=0.1)
    names = [f"www{number}.dead.example" for number in range(2 * AT_ONCE)]
    monkeypatch.setattr(urls, "registrable_domain", lambda name: name)
    assert not any(await asyncio.gather(*(found(known, name) for name in names)))
    assert behind.most == AT_ONCE
    await known.close()


async def test_one_lookup_at_a_time_for_a_name():
    """Who asks for a name that is being looked up waits for the same answer, also after others lost patience (B10)."""
    behind = _Hanging()
    known = KnownNames(behind, _Clock(), patience=0.05)
    for _ in range(3):
        assert await asyncio.gather(*(found(known, "a.evil.example") for _ in range(5))) == [False] * 5
    assert behind.waiting == behind.most == 1
    asked = [asyncio.create_task(found(known, "a.evil.example")) for _ in range(5)]
    await asyncio.sleep(0)
    asked[0].cancel()
    behind.over.set()
    assert await asyncio.gather(*asked[1:]) == [True] * 4
    assert behind.asked == 1
    assert repr(known) == "<KnownNames 0 absent, 0 being looked up>"


async def test_flapping_name_server():
    """A name server that fails every other time is asked anew each time, and what it finds is found (B10)."""
    behind = _Failing(socket.EAI_AGAIN)
    known = KnownNames(behind, _Clock())
    for turn in range(6):
        behind.number = None if turn % 2 else socket.EAI_AGAIN
        assert await found(known) is bool(turn % 2)
    assert behind.asked == 6


async def test_hanging_lookups_take_no_thread_of_others(monkeypatch):
    """The system's lookups hang in threads of their own: the loop's own are free, and nothing waits for them (B10)."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(20))
    known = KnownNames(system_names(), _Clock(), patience=0.05)
    try:
        assert not any(await asyncio.gather(*(found(known, f"h{n}.dead{n}.example") for n in range(50))))
        lookups = [thread for thread in threading.enumerate() if thread.name == "lookup"]
        assert len(lookups) == 50
        assert all(thread.daemon for thread in lookups)
        async with asyncio.timeout(10):
            assert await asyncio.to_thread(lambda: "free") == "free"
            await known.close()
    finally:
        over.set()
    for thread in lookups:
        await asyncio.to_thread(thread.join, 10)


async def test_the_system_is_asked():
    """`localhost` is found as the system knows it, and a name that cannot be is absent."""
    known = KnownNames(system_names(), _Clock())
    assert {place["host"] for place in await known.resolve("localhost", 80)} <= {"127.0.0.1", "::1"}
    assert not await found(known, "no.such.name.invalid")
    await known.close()
