"""Is a task waited for to its end, however often the one who waits is cancelled?"""

import asyncio

import pytest

from scraper.store import finish


@pytest.fixture
def gate():
    """Opens when the test says so."""
    return asyncio.Event()


async def test_the_result_is_that_of_the_task(gate):
    """Without a cancellation `finish` is the task's result."""
    gate.set()
    assert await finish(asyncio.create_task(gate.wait()))


async def test_the_error_is_that_of_the_task():
    """Without a cancellation what the task raises is raised."""

    async def fail():
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        await finish(asyncio.create_task(fail()))


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_cancelled_however_often_it_waits(gate, times):
    """The task is not cancelled, and the waiter's cancellation is raised only when the task has ended."""
    task = asyncio.create_task(gate.wait())
    waiting = asyncio.create_task(finish(task))
    for _ in range(times):
        await asyncio.sleep(0)
        waiting.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    assert not waiting.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert task.result()


async def test_cancelled_while_the_task_fails_it_tells_both(gate):
    """The error of a task whose waiter was cancelled is not lost: it is the cancellation's cause."""

    async def fail():
        await gate.wait()
        raise OSError("full")

    waiting = asyncio.create_task(finish(asyncio.create_task(fail())))
    await asyncio.sleep(0)
    waiting.cancel()
    gate.set()
    with pytest.raises(asyncio.CancelledError) as error:
        await waiting
    assert isinstance(error.value.__cause__, OSError)


async def test_a_task_cancelled_by_another_is_told(gate):
    """A task that somebody else cancels ends the wait as cancelled, also if the waiter was cancelled too."""
    for waiter_too in (False, True):
        task = asyncio.create_task(gate.wait())
        waiting = asyncio.create_task(finish(task))
        await asyncio.sleep(0)
        task.cancel()
        if waiter_too:
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_timeout_waits_for_the_end(gate):
    """A timeout around it strikes when the task has ended, and is a timeout still."""

    async def limited():
        async with asyncio.timeout(0):
            await finish(task)

    task = asyncio.create_task(gate.wait())
    waiting = asyncio.create_task(limited())
    for _ in range(5):
        await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    with pytest.raises(TimeoutError):
        await waiting
    assert task.result()
