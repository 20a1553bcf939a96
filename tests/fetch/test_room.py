"""Room for large bodies: bounded together, fair between hosts, never stuck, nothing left behind."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.fetch.room import Room

SIZE = 100


async def asking(room, *wanted):
    """Tasks that enter one after the other: (URL, host, bytes)."""
    tasks = [asyncio.create_task(room.enter(*one)) for one in wanted]
    await asyncio.sleep(0)
    return tasks


async def entered(tasks):
    """Which of the tasks are in."""
    await asyncio.sleep(0)
    return [task.done() for task in tasks]


async def test_bounded():
    """Bodies have no more than all there is together; who does not fit waits until another has left (B5)."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", 50), ("b1", "b", 50), ("c1", "c", 10))
    assert await entered(tasks) == [True, True, False]
    room.leave("a1")
    assert await entered(tasks) == [True, True, True]
    assert repr(room) == "<Room: 60 of 100 bytes taken by 2, 0 wait>"


async def test_share_of_a_host():
    """The bodies of one host have half of it at most, and who waits for that half holds up no other host (G7)."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", 30), ("a2", "a", 30), ("a3", "a", 10), ("b1", "b", 50))
    assert await entered(tasks) == [True, False, True, True]
    room.leave("a1")
    assert await entered(tasks) == [True, True, True, True]


async def test_order():
    """Who comes later does not overtake a large body of another host for which there is no room yet."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", 50), ("b1", "b", 40), ("c1", "c", 50), ("d1", "d", 5))
    assert await entered(tasks) == [True, True, False, False]
    room.leave("b1")
    assert await entered(tasks) == [True, True, True, False]
    room.leave("a1")
    assert await entered(tasks) == [True, True, True, True]


@pytest.mark.parametrize("size", [51, 100, 101, 10_000])
async def test_larger_than_its_share(size):
    """A body larger than a host's half, or than all there is, enters when it is alone."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", size), ("a2", "a", size))
    assert await entered(tasks) == [True, False]
    room.leave("a1")
    assert await entered(tasks) == [True, True]


async def test_what_is_not_needed_is_given_back():
    """A body that turned out smaller makes room at once; a URL that never entered changes nothing."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", 50), ("b1", "b", 50), ("c1", "c", 40))
    room.keep("a1", 10)
    assert await entered(tasks) == [True, True, True]
    room.keep("z1", 99)
    room.leave("z1")
    assert repr(room) == "<Room: 100 of 100 bytes taken by 3, 0 wait>"


async def test_cancelled_while_waiting():
    """Who is cancelled while waiting leaves nothing behind, and those behind it go on."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", 50), ("b1", "b", 40), ("c1", "c", 50), ("d1", "d", 10))
    tasks[2].cancel()
    assert await entered(tasks[:2]) == [True, True]
    assert await entered(tasks) == [True, True, True, True]
    assert repr(room) == "<Room: 100 of 100 bytes taken by 3, 0 wait>"


@pytest.mark.parametrize("first", ["leave", "cancel"])
async def test_cancelled_as_its_turn_comes(first):
    """Who is cancelled in the moment its turn comes takes nothing, whichever was first."""
    room = Room(SIZE)
    tasks = await asking(room, ("a1", "a", 100), ("b1", "b", 100), ("c1", "c", 100))
    for act in (lambda: room.leave("a1"), tasks[1].cancel)[:: 1 if first == "leave" else -1]:
        act()
    await asyncio.gather(tasks[1], return_exceptions=True)
    assert await entered(tasks) == [True, True, True]
    assert repr(room) == "<Room: 100 of 100 bytes taken by 1, 0 wait>"


def held(room):
    """Is what is taken within the bounds? One body alone may be larger than either."""
    shares = {}
    for host, size in room._taken.values():
        shares.setdefault(host, []).append(size)
    used = sum(map(sum, shares.values()))
    within = used <= SIZE or len(room._taken) == 1
    return within and used == room._used and all(len(s) == 1 or sum(s) <= SIZE // 2 for s in shares.values())


async def visit(room, number, host, size, seed):
    """One body: it enters, is read, kept and left, or cancelled anywhere on the way."""
    chance = random.Random(seed)
    url = f"{host}{number}"
    try:
        await room.enter(url, host, size)
        assert held(room)
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        room.keep(url, chance.randrange(size) + 1)
        assert held(room)
        await asyncio.sleep(0)
    finally:
        room.leave(url)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 120), st.integers(0, 9)), max_size=25))
def test_never_stuck(bodies):
    """Whatever comes, in whatever order, and whoever is cancelled: all others get in, and in the end all is free."""

    async def run():
        room = Room(SIZE)
        tasks = [asyncio.create_task(visit(room, number, *body)) for number, body in enumerate(bodies)]
        for task, (_, _, seed) in zip(tasks, bodies, strict=True):
            for _ in range(seed % 3):
                await asyncio.sleep(0)
            if seed > 7:
                task.cancel()
        async with asyncio.timeout(5):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(one is None or isinstance(one, asyncio.CancelledError) for one in ended)
        assert repr(room) == "<Room: 0 of 100 bytes taken by 0, 0 wait>"
        assert not room._of_host

    with asyncio.Runner() as runner:
        runner.run(run())
