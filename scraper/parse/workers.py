"""Parse pages in worker processes: a page that hangs, overeats or crashes costs itself alone."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from scraper.config import ParseConfig
from scraper.errors import ParseError, ParseInterrupted, ScraperError
from scraper.model import ParsedPage, Record, Response
from scraper.parse import extract, job, process
from scraper.parse.builders import ensure
from scraper.parse.makers import Matched, load
from scraper.scope import Patterns

if TYPE_CHECKING:  # pebble takes 0.1 s to import
    from pebble import ProcessPool

    from scraper.parse.rules import ExplainedRule

QUEUED = 2  # jobs a worker may have, so that the next one is there when it is done
PATIENCE = 15.0  # seconds that starting a worker and handing it a job may take at the very most
JOIN = 5.0  # seconds to wait for killed workers to be gone
MOST_DEATHS = 5  # pools in a row that died before a single page was parsed
MOST_TRIES = 5  # of a page that was at work whenever a pool died

log = logging.getLogger(__name__)


class Workers:
    """The parse workers, as an async context manager; `parse` may be called as often at once as one likes.

    `config.workers` 0, or an extractor that a worker cannot import, means one thread of this process: there a page that
    takes too long is given up, but neither its thread nor its memory can be taken back.
    """

    def __init__(
        self,
        config: ParseConfig,
        patterns: Patterns,
        *,
        bodies: bool = True,
        nofollow: bool = True,
        rules: tuple[str, ...] = (),
        extractors: tuple[str | Callable[..., Any], ...] = (),
    ) -> None:
        ensure(config.builder)
        self._config = config
        self._count = process.cores() if config.workers is None else config.workers
        loaded = extract.load_all(extractors)
        self.makers = load(rules, loaded)  # a mistake in them is told now, not on each page
        specs = [one if isinstance(one, str) else extract.spec_of(one) for one in extractors]
        if self._count and None in specs:
            names = [repr(one) for one, spec in zip(extractors, specs, strict=True) if spec is None]
            log.warning("pages are parsed in this process, because no worker can import: %s", ", ".join(names))
            self._count = 0
        makers = self.makers._replace(extractors=tuple(specs) if self._count else loaded)
        settings = job.Settings(patterns, config.builder, bodies=bodies, nofollow=nofollow, makers=makers)
        self._settings = pickle.dumps(settings) if self._count else settings
        self._slots = asyncio.Semaphore(QUEUED * self._count or 1)
        self._starting = asyncio.Lock()
        self._pool: ProcessPool | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._answers: set[asyncio.Future[Any]] = set()
        self._deaths = 0
        self._closing = False

    def __repr__(self) -> str:
        return f"<Workers {self._count or 'in-process'}, {len(self._answers)} jobs>"

    async def __aenter__(self) -> Self:
        if self._count:
            await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._drop_answers()
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        async with self._starting:  # a new pool that is being started is to be ended too
            pool, self._pool = self._pool, None
            if pool is not None:
                await _end(pool)

    async def parse(self, response: Response) -> ParsedPage:
        """Return what the parse makes of a response.

        Raises ParseError if the page, or an extractor on it, fails, takes too long or too much memory; ParseInterrupted
        if the workers are stopped meanwhile; ScraperError if workers cannot live at all.
        """
        return job.as_page(await self._done("parse", job.asked(response)))

    async def remake(
        self, url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> tuple[tuple[Record, ...], Matched]:
        """Return the records that rules and extractors make of a stored page (its body in zstd), and who took it.

        Raises as `parse` does.
        """
        records, matched = await self._done("remake", (url, status, headers, body))
        return job.as_records(records), matched

    async def explain(self, response: Response) -> tuple[ExplainedRule, ...]:
        """Return how the rules come to what they make of a response. Raises as `parse` does."""
        return tuple(await self._done("explain", job.asked(response)))

    async def _done(self, task: job.Task, page: job.Asked) -> tuple[Any, ...]:
        async with self._slots:
            kind, outcome = await self._try(task, page)
        if kind == "stopped" or (kind == "lost" and self._closing):
            raise ParseInterrupted(f"{page[0]}: the parse workers were stopped")
        if kind != "page":
            raise ParseError(page[0], outcome if kind == "failed" else f"crash: {outcome}")
        found: tuple[Any, ...] = outcome
        return found

    async def _try(self, task: job.Task, page: job.Asked) -> tuple[str, Any]:
        """Ask until there is an answer; a page whose worker was killed for no known reason gets one more try."""
        kind, outcome, killed = "lost", "", 0
        for _ in range(MOST_TRIES):
            kind, outcome = await self._ask(task, page)
            killed += kind == "killed"
            if kind not in {"lost", "killed"} or killed > 1:
                break
        return kind, outcome

    async def _ask(self, task: job.Task, page: job.Asked) -> tuple[str, Any]:
        """One attempt: "page" and values, or "failed", "stopped", "killed" or "lost" (not by this page) and why."""
        if self._closing:
            return "stopped", ""
        if not self._count:
            return await self._ask_thread(task, page)
        pool = await self._living()
        try:
            future = pool.submit(job.answer, self._config.timeout, page, self._settings, task)
        except RuntimeError:
            return "lost", "the workers died"
        answer = asyncio.wrap_future(future)
        if await self._wait(answer, QUEUED * self._config.timeout + PATIENCE):
            return self._meaning(answer)
        # Somebody killed a worker that held the pool's lock: none of the others can go on.
        await self._replace(pool)
        return "lost", "the workers stopped answering"

    async def _ask_thread(self, task: job.Task, page: job.Asked) -> tuple[str, Any]:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "scraper-parse")
        answer = asyncio.get_running_loop().run_in_executor(self._thread, job.answer, page, self._settings, task)
        if await self._wait(answer, self._config.timeout):
            return self._meaning(answer)
        self._thread.shutdown(wait=False)
        self._thread = None
        return "failed", self._late()

    async def _wait(self, answer: asyncio.Future[Any], limit: float) -> bool:
        """Tell whether there is an answer within `limit` seconds; its worker is stopped if nobody waits any more."""
        self._answers.add(answer)
        try:
            await asyncio.wait({answer}, timeout=limit)
            return answer.done()
        finally:
            self._answers.discard(answer)
            answer.cancel()

    def _meaning(self, answer: asyncio.Future[Any]) -> tuple[str, Any]:
        if answer.cancelled():
            return "lost", "the workers were stopped"
        error = answer.exception()
        if error is None:
            self._deaths = 0
            kind, outcome = answer.result()
            return kind, outcome
        from pebble import ProcessExpired

        if isinstance(error, TimeoutError):
            return "failed", self._late()
        if not isinstance(error, ProcessExpired):  # BrokenProcessPool: all workers died, or none could say which
            return "lost", f"{type(error).__name__}: {error}"
        why = f"worker died (exit code {error.exitcode})"
        if error.exitcode in process.STOPPED:
            return "stopped", why
        return ("killed", why) if error.exitcode in process.UNCLEAR else ("failed", f"crash: {why}")

    def _late(self) -> str:
        return f"timeout: over {self._config.timeout:g} s"

    async def _living(self) -> ProcessPool:
        if self._pool is None or not self._pool.active:
            await self._replace(self._pool)
        if self._pool is None:
            raise ParseInterrupted("the parse workers were stopped")
        return self._pool

    async def _replace(self, pool: ProcessPool | None) -> None:
        """Put a new pool in the place of a dead one, unless somebody has."""
        async with self._starting:
            if self._closing or self._pool is not pool:
                return
            self._drop_answers()
            if pool is not None:
                await _end(pool)
            if self._deaths >= MOST_DEATHS:
                raise ScraperError("the parse workers die before they have parsed a page; see what they say on stderr")
            while self._pool is pool and not self._closing:
                self._deaths += 1
                log.warning("the parse workers died; starting others")
                try:
                    await self._start()
                except ScraperError:
                    if self._deaths >= MOST_DEATHS:
                        raise

    async def _start(self) -> None:
        """Start the pool and wait until a worker answers.

        A worker that dies at once is told here, when the reason is on stderr, and not page by page.
        """
        pool = await asyncio.to_thread(process.make_pool, self._count, self._config.memory)
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
        if self._closing:
            await _end(pool)
        else:
            self._pool = pool

    def _drop_answers(self) -> None:
        for answer in tuple(self._answers):
            answer.cancel()


async def _end(pool: ProcessPool) -> None:
    """Kill the workers and wait until they are gone."""
    ending = asyncio.create_task(asyncio.to_thread(process.end, pool))
    await asyncio.wait({ending}, timeout=JOIN)
    if not ending.done():
        log.warning("the parse workers were killed, but are not gone after %g seconds", JOIN)
