"""Wait for a task to its end, whatever happens to the one who waits."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

T = TypeVar("T")


async def ended(task: asyncio.Task[Any]) -> None:
    """Return when the task has ended, however; a cancellation that comes meanwhile is raised only then.

    Its cause is the task's error, if it failed. A single `asyncio.shield` would break at the second cancellation and
    leave the task without an owner.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    failure = None if task.cancelled() else task.exception()  # looked at, so that asyncio does not tell it by itself
    if cancelled is not None:
        raise cancelled from failure


async def finish(task: asyncio.Task[T]) -> T:
    """Return the task's result, or raise what it raised, once it has ended."""
    await ended(task)
    return task.result()
