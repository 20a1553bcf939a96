"""Bodies as they come: room for large ones, turns for everybody else."""

import asyncio
import gzip

import brotli
import pytest

from scraper import urls
from scraper.errors import FetchError
from scraper.fetch.body import SLICE
from scraper.fetch.room import SMALL, Room
from scraper.model import Reason

OK = b"HTTP/1.1 200 OK\r\n"
LARGE = b"words " * (SMALL // 6 + 1000)


def sent(body, coding=""):
    """An answer with this body."""
    head = f"Content-Encoding: {coding}\r\n".encode() if coding else b""
    return OK + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def taken(room):
    """The bytes that are taken of a room."""
    return sum(size for _, size in room._taken.values())


async def until(holds):
    """Wait until it holds, five seconds at most."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0)


CODED = {
    "identity": (sent(LARGE), len(LARGE), len(LARGE)),
    "gzip": (sent(gzip.compress(LARGE, mtime=0), "gzip"), 2_000_000, len(LARGE)),
    "no length": (OK + b"\r\n" + LARGE, 2_000_000, len(LARGE)),
}


@pytest.mark.parametrize("name", sorted(CODED))
async def test_a_large_body_takes_room(name, wired, opened):
    """While it is read a large body has room for all it can become, then for what it is, until its URL leaves (B5)."""
    answer, while_read, afterwards = CODED[name]
    room, most = Room(4_000_000), []
    keep = room.keep
    room.keep = lambda url, size: (most.append(taken(room)), keep(url, size))
    async with wired(answer) as wire, opened(room=room, max_body=2_000_000) as fetcher:
        response = await fetcher.fetch(wire.url)
        assert (response.body, most, taken(room)) == (LARGE, [while_read], afterwards)
        room.leave(response.url)
        assert not room._taken


async def test_small_bodies_never_wait(wired, opened):
    """A body of half a mebibyte is read though there is no room at all, and takes none (B5)."""
    room = Room(1)
    await room.enter("x", "another", 1)
    async with wired(sent(LARGE[:SMALL])) as wire, opened(room=room) as fetcher:
        assert len((await fetcher.fetch(wire.url)).body) == SMALL
    assert list(room._taken) == ["x"]


async def test_waiting_is_not_the_servers_fault(wired, opened, attempt):
    """The time that a body waits for room counts for no deadline; once it has some, they run again (B5, B6)."""
    room = Room(1)
    await room.enter("x", "another", 1)
    half = sent(LARGE)[: SMALL + 300]
    limits = {"idle_timeout": 0.05, "total_timeout": 0.1, "max_body": len(LARGE)}
    async with wired(half, end="hold") as wire, opened(room=room, **limits) as fetcher:
        fetching = asyncio.create_task(attempt(fetcher, wire.url))
        done, _ = await asyncio.wait({fetching}, timeout=0.3)
        assert not done
        assert len(room._waiting) == 1
        room.leave("x")
        assert (await fetching).reason == Reason.TIMEOUT
        assert not room._taken


ENDS = {
    "cut": (sent(LARGE)[:-1], Reason.TRUNCATED),
    "too large": (OK + b"\r\n" + LARGE * 2, Reason.TOO_LARGE),
    "bomb": (sent(brotli.compress(bytes(1 << 24), quality=1), "br"), Reason.TOO_LARGE),
    "flipped": (sent(gzip.compress(LARGE)[:-1] + b"x", "gzip"), Reason.BAD_ENCODING),
}


@pytest.mark.parametrize("name", sorted(ENDS))
async def test_a_failure_gives_its_room_back(name, wired, opened, attempt):
    """A large body that fails leaves at once, for it may be asked again (B5)."""
    answer, reason = ENDS[name]
    room = Room(4_000_000)
    async with wired(answer) as wire, opened(room=room, max_body=1_000_000) as fetcher:
        assert (await attempt(fetcher, wire.url)).reason == reason
    assert (room._taken, room._used) == ({}, 0)


async def test_a_cancelled_fetch_gives_its_room_back(wired, opened):
    """A fetch that is cancelled in the middle of a large body leaves nothing behind."""
    room = Room(4_000_000)
    async with wired(sent(LARGE)[:-1], end="hold") as wire, opened(room=room) as fetcher:
        fetching = asyncio.create_task(fetcher.fetch(wire.url))
        await until(lambda: room._taken)
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
    assert (room._taken, room._used) == ({}, 0)


async def test_room_is_shared_by_host(wired, opened):
    """A host that sends two large bodies slowly holds up its own, and no other host's (G7)."""
    room, slow = Room(2 * len(LARGE)), sent(LARGE)[:-1]
    async with (
        wired(slow, end="hold") as hostile,
        wired(sent(LARGE)) as honest,
        opened(room=room, concurrency=8) as fetcher,
    ):
        held = [asyncio.create_task(fetcher.fetch(f"{hostile.url}{number}")) for number in range(3)]
        await until(lambda: len(room._waiting) == 2)
        assert (await fetcher.fetch(honest.url)).body == LARGE
        assert {host for host, _ in room._taken.values()} == {urls.host(hostile.url), urls.host(honest.url)}
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


WORK = {
    "text": (gzip.compress(b"".join(b"%d " % number for number in range(600_000))), "gzip", 40),
    "nothing": (b"\x0c" + b"\x06" * 60 * SLICE, "br", 50),
    "members": (gzip.compress(b"", mtime=0) * 1000, "gzip", 900),
    "hidden": (gzip.compress(b"\0\0\0\xff\xff" * 200_000), "deflate, gzip", 50),
}


@pytest.mark.parametrize("name", sorted(WORK))
async def test_others_have_their_turn(name, wired, opened):
    """While a body is decoded that is small, but much work, the loop serves others between two steps (A11, B5)."""
    data, coding, least = WORK[name]
    turns = 0

    async def turn():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with wired(sent(data, coding)) as wire, opened() as fetcher:
        taking_turns = asyncio.create_task(turn())
        fetching = asyncio.create_task(fetcher.fetch(wire.url))
        await asyncio.wait({fetching})
        taking_turns.cancel()
        await asyncio.gather(taking_turns, return_exceptions=True)
        assert fetching.exception() is None or isinstance(fetching.exception(), FetchError)
    assert turns > least
