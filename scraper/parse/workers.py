"""Parse pages in worker processes: a page that hangs, overeats or crashes costs itself alone."""

from __future__ import annotations

import asyncio
import logging
import pickle
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from scraper.config import ParseConfig
from scraper.errors import ParseError, ParseInterrupted
from scraper.model import Listing, ParsedPage, Record, Response
from scraper.parse import extract, job, process
from scraper.parse.builders import ensure
from scraper.parse.makers import Matched, load
from scraper.parse.page import AGENT
from scraper.parse.pool import QUEUED, Outcome, Pool
from scraper.parse.sitemap import as_listing
from scraper.scope import Patterns

if TYPE_CHECKING:
    from scraper.parse.rules import ExplainedRule

TOGETHER = 4  # pages that go to a worker in one message, of those that wait; each message costs 0.3 ms here
MOST_TRIES = 5  # of a page that was at work whenever a pool died

log = logging.getLogger(__name__)


class _Job(NamedTuple):
    question: job.Question
    answer: asyncio.Future[job.Answer]
    alone: bool = False  # it has been together with a page that failed them all


class Workers:
    """The parse workers, as an async context manager; `parse` may be called as often at once as one likes.

    `config.workers` 0, or an extractor that a worker cannot import, means one thread of this process. `agent` is the
    product token by which pages may address us.
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
        feeds: bool = False,
        strip: Callable[[str], str] | None = None,
        agent: str = AGENT,
    ) -> None:
        ensure(config.builder)
        count = process.cores() if config.workers is None else config.workers
        loaded = extract.load_all(extractors)
        self.makers = load(rules, loaded)  # a mistake in them is told now, not on each page
        specs = [one if isinstance(one, str) else extract.spec_of(one) for one in extractors]
        if count and None in specs:
            names = [repr(one) for one, spec in zip(extractors, specs, strict=True) if spec is None]
            log.warning("pages are parsed in this process, because no worker can import: %s", ", ".join(names))
            count = 0
        makers = self.makers._replace(extractors=tuple(specs) if count else loaded)
        settings = job.Settings(patterns, config.builder, bodies, nofollow, makers, feeds, strip, agent)
        sent = pickle.dumps(settings) if count else settings
        self._pool = Pool(count, sent, timeout=config.timeout, memory=config.memory)
        self._together = TOGETHER if count else 1
        self._feeder_count = QUEUED * count or 1
        self._line: asyncio.Queue[_Job] = asyncio.Queue()
        self._feeders: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<Workers, {self._line.qsize()} pages wait>"

    async def __aenter__(self) -> Self:
        await self._pool.open()
        self._feeders = [asyncio.create_task(self._feed(), name="parse feeder") for _ in range(self._feeder_count)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._pool.closing = True
        for feeder in self._feeders:
            feeder.cancel()
        await asyncio.gather(*self._feeders, return_exceptions=True)
        while not self._line.empty():
            _stop(self._line.get_nowait())
        await self._pool.close()

    async def parse(self, response: Response) -> ParsedPage:
        """Return what the parse makes of a response.

        What goes wrong in a rule or an extractor is the page's `failure`. Raises ParseError if the parse takes too
        long, too much memory or its worker's life; ParseInterrupted if the workers are stopped meanwhile; ScraperError
        if workers cannot live at all.
        """
        return job.as_page(await self._answered("parse", job.asked(response)))

    async def remake(
        self, url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes
    ) -> tuple[tuple[Record, ...], Matched]:
        """Return the records that rules and extractors make of a stored page (its body in zstd), and who took it.

        Raises as `parse` does, and ParseError for what goes wrong in one of them.
        """
        records, matched = await self._answered("remake", (url, status, headers, body))
        return job.as_records(records), matched

    async def explain(self, response: Response) -> tuple[ExplainedRule, ...]:
        """Return how the rules come to what they make of a response. Raises as `parse` does."""
        return tuple(await self._answered("explain", job.asked(response)))

    async def listing(self, response: Response) -> Listing | None:
        """Return what a sitemap or a feed names; None if the response is neither. Raises as `parse` does."""
        values = await self._answered("list", job.asked(response))
        return await asyncio.to_thread(as_listing, values)  # 50,000 entries take 40 ms

    async def _answered(self, task: job.Task, page: job.Asked) -> tuple[Any, ...]:
        if self._pool.closing:
            raise ParseInterrupted(f"{page[0]}: the parse workers were stopped")
        waiting = _Job((task, page), asyncio.get_running_loop().create_future())
        self._line.put_nowait(waiting)
        kind, outcome = await waiting.answer
        if kind == "failed":
            raise ParseError(page[0], str(outcome))
        return tuple(outcome)

    async def _feed(self) -> None:
        """Hand jobs to a worker, a few in one message while many wait, until this task is cancelled."""
        while True:
            jobs = self._together_with(await self._line.get())
            try:
                again = await self._carry(jobs)
            except BaseException:
                for one in jobs:
                    _stop(one)
                raise
            for one in again:
                self._line.put_nowait(one._replace(alone=True))

    def _together_with(self, first: _Job) -> list[_Job]:
        """Add to a job those that go to a worker with it."""
        jobs = [first]
        share = 1 if first.alone else min(self._together, 1 + self._line.qsize() // len(self._feeders))
        while len(jobs) < share and not self._line.empty():
            one = self._line.get_nowait()
            if one.alone:
                self._line.put_nowait(one)
                break
            jobs.append(one)
        return jobs

    async def _carry(self, jobs: Sequence[_Job]) -> list[_Job]:
        """Get the answers; return the jobs to ask alone: where one page failed them all, or took their memory."""
        wanted = [one for one in jobs if not one.answer.done()]
        if len(wanted) == 1:
            await self._carry_alone(wanted[0])
        elif wanted:
            try:
                outcome = await self._asked(wanted)
            except Exception as error:  # noqa: BLE001 - it is raised again for each page that is asked alone
                log.debug("%d pages together: %r", len(wanted), error)
            else:
                if outcome is not None and outcome.kind == "done":
                    _settle(wanted, outcome, but=job.OUT_OF_MEMORY)
        return [one for one in wanted if not one.answer.done()]

    async def _carry_alone(self, one: _Job) -> None:
        """Ask until there is an answer; a page whose worker was killed for no known reason gets one more try."""
        outcome, killed = Outcome("lost"), 0
        for _ in range(MOST_TRIES):
            try:
                asked = await self._asked([one])
            except Exception as error:  # noqa: BLE001 - whoever waits for the page is to know
                if not one.answer.done():
                    one.answer.set_exception(error)
                return
            if asked is None:
                return
            outcome = asked
            killed += outcome.kind == "killed"
            if outcome.kind not in {"lost", "killed"} or killed > 1:
                break
        if outcome.kind == "done":
            _settle([one], outcome)
        elif outcome.kind == "stopped" or (outcome.kind == "lost" and self._pool.closing):
            _stop(one)
        else:
            why = outcome.why if outcome.kind == "failed" else f"crash: {outcome.why}"
            _settle([one], Outcome("done", [("failed", why)]))

    async def _asked(self, jobs: Sequence[_Job]) -> Outcome | None:
        """Ask a worker; it is stopped, and None returned, once nobody waits for any of the answers."""
        asking = asyncio.ensure_future(self._pool.ask([one.question for one in jobs]))

        def look(_: object) -> None:
            if all(one.answer.cancelled() for one in jobs):
                asking.cancel()

        for one in jobs:
            one.answer.add_done_callback(look)
        try:
            await asyncio.wait({asking})
            return None if asking.cancelled() else asking.result()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            for one in jobs:
                one.answer.remove_done_callback(look)


def _settle(jobs: Sequence[_Job], outcome: Outcome, *, but: str | None = None) -> None:
    """Give each its answer, `but` one that says this."""
    for one, answer in zip(jobs, outcome.answers, strict=True):
        if not one.answer.done() and answer[1] != but:
            one.answer.set_result(answer)


def _stop(one: _Job) -> None:
    if not one.answer.done():
        one.answer.set_exception(ParseInterrupted(f"{one.question[1][0]}: the parse workers were stopped"))
