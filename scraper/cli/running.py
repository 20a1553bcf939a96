"""A crawl on the command line: its signals, its progress, its log, its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, nullcontext, suppress

from scraper.app import Run
from scraper.cli.options import Show
from scraper.cli.output import say
from scraper.cli.progress import Seen, progress
from scraper.cli.signals import INTERRUPTED, signals
from scraper.cli.streaming import Stream
from scraper.cli.summary import summary
from scraper.errors import StoppedEarly
from scraper.model import CrawlState

THREADS = 64


def carry_out(run: Run, db: str, show: Show) -> int:
    """Run a crawl to its end or to a signal, tell how it stands, return the exit code."""
    runner, code = asyncio.Runner(), 1
    try:
        # Names are looked up in these threads; the few that asyncio has by itself can all hang on dead name servers.
        runner.get_loop().set_default_executor(ThreadPoolExecutor(THREADS, "scraper"))
        code = runner.run(carried_out(run, db, show))
    finally:
        # Told to stop, all is committed, and the user waits: it does not wait for a name that is being looked up.
        (runner.get_loop() if code in INTERRUPTED else runner).close()
    return code


async def carried_out(run: Run, db: str, show: Show) -> int:
    """The same inside a running loop."""
    log_to_stderr(quiet=show.quiet, verbose=show.verbose)
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
    """Log lines on stderr, wherever the progress display has put it; an event is one line, whatever it holds."""

    def emit(self, record: logging.LogRecord) -> None:
        say(f"scraper: {self.format(record)}")


def log_to_stderr(*, quiet: bool, verbose: bool = False) -> None:
    """Show warnings of the parts; with --verbose every event, by default what a user must know, with --quiet errors.

    Libraries warn as well, in the words of a server; whatever has no handler would reach the terminal as it is.
    """
    logging.lastResort = _Told(logging.WARNING)
    logger = logging.getLogger("scraper")
    logger.handlers = [_Told()]
    logger.propagate = False
    logger.setLevel(logging.INFO if verbose else logging.ERROR)
    if not (quiet or verbose):
        logging.getLogger("scraper.app").setLevel(logging.INFO)
        for part in ("scraper.store", "scraper.parse", "scraper.fetch", "scraper.crawler.unreachable"):
            logging.getLogger(part).setLevel(logging.WARNING)


async def _watched(run: Run, show: Show) -> int | None:
    """Iterate the run to its end; return the signal that stopped it."""
    stream, seen = Stream(run), Seen(run)
    with signals(stream.stop, lambda: run.config.crawl.grace) as received:
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
