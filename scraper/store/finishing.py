"""Wait for a task to its end, whatever happens to the one who waits."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def finish(task: asyncio.Task[T]) -> T:
    """Return the task's result; a cancellation that comes meanwhile, however often, is raised only after its end.

    Its cause is then the task's error, if it failed. A single `asyncio.shield` would break at the second cancellation
    and leave the task without an owner.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()
