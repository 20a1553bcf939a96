"""A crawl on the command line: its signals, its progress, its log, its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, nullcontext, suppress

from scraper.app import Run
from scraper.cli.options import Show
from scraper.cli.output import say
from scraper.cli.progress import Seen, progress
from scraper.cli.streaming import Stream
from scraper.cli.summary import summary
from scraper.errors import StoppedEarly
from scraper.model import CrawlState
from scraper.printable import printable

THREADS = 64
ONE_WISH = 0.2  # seconds within which SIGTERMs are one: `timeout` sends two, to the process and to its group
TO_COMMIT = 1.3  # seconds after the grace in which a stopped crawl has to end
_INTERRUPTED = frozenset({128 + signal.SIGINT, 128 + signal.SIGTERM})


def carry_out(run: Run, db: str, show: Show) -> int:
    """Run a crawl to its end or to a signal, tell how it stands, return the exit code."""
    with asyncio.Runner() as runner:
        # Names are looked up in these threads; the few that asyncio has by itself can all hang on dead name servers.
        runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS, "scraper"))
        code = runner.run(carried_out(run, db, show))
        if code in _INTERRUPTED:
            # All is committed and closed, and the user waits. A name that is being looked up would hold us for long:
            # its thread can be neither cancelled nor left behind.
            os._exit(code)
    return code


async def carried_out(run: Run, db: str, show: Show) -> int:
    """The same inside a running loop."""
    _log(show)
    started = time.monotonic()
    stopped_by = await _watched(run, show)
    if not show.quiet:
        summary(run, db, time.monotonic() - started, advice=show.advice)
    if stopped_by is not None:
        return 128 + stopped_by
    if not run.tally.holds or run.state is CrawlState.INTERRUPTED:
        return 1
    return 3 if show.strict and run.tally.failed else 0


class _Told(logging.Handler):
    """Log lines on stderr, wherever the progress display has put it."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"scraper: {printable(self.format(record))}")


def _log(show: Show) -> None:
    """Show warnings of the parts; with --verbose every event, by default what a user must know, with --quiet errors."""
    logger = logging.getLogger("scraper")
    logger.handlers = [_Told()]
    logger.propagate = False
    logger.setLevel(logging.INFO if show.verbose else logging.ERROR)
    if not (show.quiet or show.verbose):
        logging.getLogger("scraper.app").setLevel(logging.INFO)
        for part in ("scraper.store", "scraper.parse"):
            logging.getLogger(part).setLevel(logging.WARNING)


async def _watched(run: Run, show: Show) -> int | None:
    """Iterate the run to its end; return the signal that stopped it."""
    stream, seen = Stream(run), Seen(run)
    with _signals(stream.stop, lambda: run.config.crawl.grace) as received:
        watching = nullcontext() if show.quiet else progress(seen, display=_displayed(show))
        async with watching, aclosing(run):
            with suppress(StoppedEarly):  # the user knows
                async for visit in run:
                    seen.add(visit)
                    if show.stream:
                        await stream.write(visit)
    return received[0] if received else None


def _displayed(show: Show) -> bool:
    """Can a display be drawn: on a terminal that can move its cursor, and that no stream of lines goes to as well?"""
    drawable = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    return drawable and not (show.stream and sys.stdout.isatty())


@contextmanager
def _signals(stop: Callable[[], None], grace: Callable[[], float]) -> Iterator[list[int]]:
    """The first signal stops the crawl in order, the second ends the process at once; neither loses anything."""
    received: list[int] = []
    stopped_at: list[float] = []
    held_up: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()

    def receive(number: int) -> None:
        now = loop.time()
        if received == [signal.SIGTERM] and number == signal.SIGTERM and now - stopped_at[0] < ONE_WISH:
            return
        if received:
            os._exit(128 + number)
        received.append(number)
        stopped_at.append(now)
        stop()
        # Whatever holds it up, a lock on the database or a disk that hangs: what is committed is safe.
        held_up.append(loop.call_later(grace() + TO_COMMIT, os._exit, 128 + number))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, receive, number)
    try:
        yield received
    finally:
        for timer in held_up:
            timer.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
