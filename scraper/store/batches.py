"""Group commit: visits go in one by one and come out once their batch is safe. The one writer of a crawl."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from scraper.model import Visit
from scraper.store.finishing import finish

log = logging.getLogger(__name__)

IDLE = 0.1  # seconds; an empty batch is at least that old, however small the age
Commit = Callable[[list[Visit]], Awaitable[None]]


class Writer:
    """Gathers visits into batches and commits them, one batch at a time, the next filling meanwhile.

    A batch closes when it has `size` visits, is `age` seconds old, or `flush` is called. An empty one is committed too
    when its time has come, so that news of hosts does not wait for a page. The writer is never cancelled: what has
    ended is committed, however the crawl stops.
    """

    def __init__(self, commit: Commit, *, size: int, age: float) -> None:
        self._commit = commit
        self._size = size
        self._age = age
        self._pending: list[Visit] = []
        self._flushing = False
        self._has_news = False
        self._ended = False
        self._closing = False
        self._told = False
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._safe: asyncio.Queue[list[Visit]] = asyncio.Queue(maxsize=1)

    def flush(self) -> None:
        """Close the batch as soon as there is one: the crawl has nothing to do until it is safe."""
        self._flushing = True
        self._wake.set()

    def remember(self) -> None:
        """Close the batch at once, though it may be empty: there is news of a host that must outlast a kill."""
        self._has_news = True
        self._wake.set()

    async def committed(self, visits: AsyncGenerator[Visit]) -> AsyncGenerator[Visit]:
        """Yield visits once their batch has committed.

        A consumer that does not take what is offered holds up the whole line. Closed early, it still commits what has
        ended. Raises what `visits` or the commit raise.
        """
        collecting = asyncio.create_task(self._collect(visits), name="collect visits")
        committing = asyncio.create_task(self._commit_batches(), name="commit batches")
        try:
            while (batch := await self._next_safe(committing)) is not None:
                for visit in batch:
                    yield visit
            await collecting
        finally:
            await finish(asyncio.create_task(self._close(collecting, committing), name="close writer"))

    async def _next_safe(self, committing: asyncio.Task[None]) -> list[Visit] | None:
        """The next committed batch; None when there will be no more. Raises what the commit raised."""
        while self._safe.empty():
            if committing.done():
                self._told = True
                committing.result()
                return None
            take = asyncio.create_task(self._safe.get())
            try:
                await asyncio.wait({take, committing}, return_when=asyncio.FIRST_COMPLETED)
                if take.done():
                    return take.result()
            finally:
                take.cancel()
        return self._safe.get_nowait()

    async def _close(self, collecting: asyncio.Task[None], committing: asyncio.Task[None]) -> None:
        self._closing = True
        collecting.cancel()
        if not self._safe.empty():
            self._safe.get_nowait()  # nobody takes it any more, and the writer may be waiting for its place
        _, error = await asyncio.gather(collecting, committing, return_exceptions=True)
        if isinstance(error, Exception) and not self._told:
            log.error("what had ended is not saved: %s", error)  # nobody is left to raise it to

    async def _collect(self, visits: AsyncGenerator[Visit]) -> None:
        try:
            async with aclosing(visits):
                async for visit in visits:
                    self._pending.append(visit)
                    if len(self._pending) in {1, self._size}:
                        self._wake.set()
                    while len(self._pending) >= self._size:
                        self._room.clear()
                        await self._room.wait()
        finally:
            self._ended = True
            self._wake.set()

    async def _commit_batches(self) -> None:
        ended = False
        while not ended:
            await self._batch_closed()
            ended = self._ended
            batch, self._pending = self._pending, []
            self._has_news = False
            self._room.set()
            if batch:
                self._flushing = False
            await self._commit(batch)
            if batch and not self._closing:
                await self._safe.put(batch)

    @property
    def _is_due(self) -> bool:
        """Is there reason to commit before the batch is old?"""
        is_full = len(self._pending) >= self._size or (self._flushing and bool(self._pending))
        return self._ended or is_full or self._has_news

    async def _batch_closed(self) -> None:
        begun_at = asyncio.get_running_loop().time()
        while not self._is_due:
            self._wake.clear()
            age = self._age if self._pending else max(self._age, IDLE)
            try:
                async with asyncio.timeout_at(begun_at + age):
                    await self._wake.wait()
            except TimeoutError:
                return
