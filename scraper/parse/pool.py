"""The processes that parse: they are asked, replaced when they die, and ended; what their end means is told apart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from scraper.errors import ParseInterrupted, ScraperError
from scraper.parse import job, process

if TYPE_CHECKING:
    from pebble import ProcessPool

QUEUED = 2  # jobs a worker may have, so that the next one is there when it is done
PATIENCE = 15.0  # seconds that starting a worker and handing it a job may take at the very most
JOIN = 5.0  # seconds to wait for killed workers to be gone
MOST_DEATHS = 5  # pools in a row that died before a single page was parsed

log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """What became of a job.

    "done" with the answers; "failed" by its own fault, "killed" for no known reason, "lost" not by its fault, "stopped"
    because somebody ends the workers: each with why.
    """

    kind: Literal["done", "failed", "killed", "lost", "stopped"]
    answers: Sequence[job.Answer] = ()
    why: str = ""


class Pool:
    """The workers of a crawl, or with `count` 0 one thread of this process; an async context manager.

    In a thread a page that takes too long is given up, but neither its thread nor its memory can be taken back.
    """

    def __init__(self, count: int, settings: job.Settings | bytes, *, timeout: float, memory: int) -> None:
        self._count = count
        self._settings = settings
        self._timeout = timeout
        self._memory = memory
        self._starting = asyncio.Lock()
        self._pool: ProcessPool | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._answers: set[asyncio.Future[Any]] = set()
        self._deaths = 0
        self.closing = False

    async def open(self) -> None:
        """Start the workers and wait until one answers. Raises ScraperError if they cannot live."""
        if self._count:
            await self._start()

    async def close(self) -> None:
        """End the workers, whatever they do."""
        self.closing = True
        self._drop_answers()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        async with self._starting:  # a new pool that is being started is to be ended too
            pool, self._pool = self._pool, None
            if pool is not None:
                await _end(pool)

    async def ask(self, questions: Sequence[job.Question]) -> Outcome:
        """Ask one worker for all the answers; cancelled, it is stopped. Raises ScraperError if workers cannot live."""
        if self.closing:
            return Outcome("stopped")
        if not self._count:
            return await self._ask_thread(questions)
        pool = await self._living()
        try:
            future = pool.submit(job.answers, self._timeout, questions, self._settings)
        except RuntimeError:
            return Outcome("lost", why="the workers died")
        answer = asyncio.wrap_future(future)
        if await self._wait(answer, QUEUED * self._timeout + PATIENCE):
            return self._meaning(answer)
        # Somebody killed a worker that held the pool's lock: none of the others can go on.
        await self._replace(pool)
        return Outcome("lost", why="the workers stopped answering")

    async def _ask_thread(self, questions: Sequence[job.Question]) -> Outcome:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "scraper-parse")
        answer = asyncio.get_running_loop().run_in_executor(self._thread, job.answers, questions, self._settings)
        if await self._wait(answer, self._timeout):
            return self._meaning(answer)
        self._thread.shutdown(wait=False)
        self._thread = None
        return Outcome("failed", why=self._late())

    async def _wait(self, answer: asyncio.Future[Any], limit: float) -> bool:
        """Tell whether there is an answer within `limit` seconds; its worker is stopped if nobody waits any more."""
        self._answers.add(answer)
        try:
            await asyncio.wait({answer}, timeout=limit)
            return answer.done()
        finally:
            self._answers.discard(answer)
            answer.cancel()

    def _meaning(self, answer: asyncio.Future[Any]) -> Outcome:
        if answer.cancelled():
            return Outcome("lost", why="the workers were stopped")
        error = answer.exception()
        if error is None:
            self._deaths = 0
            return Outcome("done", answer.result())
        from pebble import ProcessExpired

        if isinstance(error, TimeoutError):
            return Outcome("failed", why=self._late())
        if isinstance(error, ProcessExpired):
            return _end_of_worker(error.exitcode)
        return Outcome("lost", why=f"{type(error).__name__}: {error}")  # all workers died, or none could say which

    def _late(self) -> str:
        return f"timeout: over {self._timeout:g} s"

    async def _living(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            await self._replace(self._pool)
        if self._pool is None:
            raise ParseInterrupted("the parse workers were stopped")
        return self._pool

    async def _replace(self, pool: ProcessPool | None) -> None:
        """Put a new pool in the place of a dead one, unless somebody has."""
        async with self._starting:
            if self.closing or self._pool is not pool:
                return
            self._drop_answers()
            if pool is not None:
                await _end(pool)
            if self._deaths >= MOST_DEATHS:
                raise ScraperError("the parse workers die before they have parsed a page; see what they say on stderr")
            while self._pool is pool and not self.closing:
                self._deaths += 1
                log.warning("the parse workers died; starting others")
                try:
                    await self._start()
                except ScraperError:
                    if self._deaths >= MOST_DEATHS:
                        raise

    async def _start(self) -> None:
        """Start the processes and wait until a worker answers.

        A worker that dies at once is told here, when the reason is on stderr, and not page by page.
        """
        pool = await asyncio.to_thread(process.make_pool, self._count, self._memory)
        try:
            await asyncio.to_thread(process.start, pool)
            async with asyncio.timeout(PATIENCE):  # pebble's own limit counts from when a worker takes the task
                await asyncio.wrap_future(pool.submit(process.ready, PATIENCE))
        except (OSError, RuntimeError) as error:  # a TimeoutError is an OSError
            await _end(pool)
            raise ScraperError(f"the parse workers cannot start; see what they say on stderr: {error}") from error
        except BaseException:
            await _end(pool)
            raise
        if self.closing:
            await _end(pool)
        else:
            self._pool = pool

    def _drop_answers(self) -> None:
        for answer in tuple(self._answers):
            answer.cancel()


def _end_of_worker(exitcode: int) -> Outcome:
    why = f"worker died (exit code {exitcode})"
    if exitcode in process.STOPPED:
        return Outcome("stopped", why=why)
    if exitcode in process.UNCLEAR:
        return Outcome("killed", why=why)
    return Outcome("failed", why=f"crash: {why}")


async def _end(pool: ProcessPool) -> None:
    """Kill the workers and wait until they are gone."""
    ending = asyncio.create_task(asyncio.to_thread(process.end, pool))
    await asyncio.wait({ending}, timeout=JOIN)
    if not ending.done():
        log.warning("the parse workers were killed, but are not gone after %g seconds", JOIN)
