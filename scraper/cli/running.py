"""A crawl on the command line: its signals, its progress, its summary, its exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from contextlib import aclosing, contextmanager, nullcontext
from collections.abc import Iterator
from typing import NamedTuple

from scraper import reports
from scraper.app import Run
from scraper.cli.output import json_line, say
from scraper.cli.progress import progress
from scraper.errors import ScraperError
from scraper.model import CrawlState, UrlState, Visit


class Show(NamedTuple):
    """What the user wants to see."""

    quiet: bool = False
    stream: bool = False


def carry_out(run: Run, db: str, show: Show, *, strict: bool = False) -> int:
    """Run a crawl to its end or to a signal, tell how it stands, return the exit code."""
    logging.basicConfig(level=logging.ERROR, format="scraper: %(message)s", stream=sys.stderr)
    started = time.monotonic()
    stopped_by = asyncio.run(_watched(run, show))
    if not show.quiet:
        _summary(run, db, time.monotonic() - started)
    if stopped_by is not None:
        return 128 + stopped_by
    if not run.tally.holds or run.state is CrawlState.INTERRUPTED:
        return 1
    return 3 if strict and run.tally.failed else 0


async def _watched(run: Run, show: Show) -> int | None:
    """Iterate the run to its end; return the signal that stopped it."""
    with _signals(run) as received:
        watching = nullcontext() if show.quiet else progress(run)
        async with watching, aclosing(run):
            async for visit in run:
                if show.stream:
                    _stream(run, visit)
    return received[0] if received else None


@contextmanager
def _signals(run: Run) -> Iterator[list[int]]:
    """The first signal stops the crawl in order, the second ends the process at once; neither loses anything."""
    received: list[int] = []
    loop = asyncio.get_running_loop()

    def receive(number: int) -> None:
        received.append(number)
        if len(received) > 1:
            os._exit(128 + number)
        run.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, receive, number)
    try:
        yield received
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _stream(run: Run, visit: Visit) -> None:
    if run.config.crawl.extractors:
        for record in visit.records:
            json_line({"url": visit.url.url, "rule": record.rule, "position": record.position, "data": record.data})
    elif visit.state is UrlState.FETCHED and visit.page is not None and visit.response is not None:
        page = visit.page
        json_line({
            "url": visit.url.url, "status": visit.response.status, "title": page.title, "description": page.description,
            "lang": page.lang, "text": page.text, "depth": visit.url.depth,
        })  # fmt: skip
    sys.stdout.flush()


def _summary(run: Run, db: str, seconds: float) -> None:
    """Tell how it ended, what became of every URL, and what to do next."""
    if run.crawl is None:
        return
    tally, name = run.tally, run.crawl.name
    rate = f", {tally.fetched / seconds:.1f} pages/s" if tally.fetched and not run.crawl.continued else ""
    say(f"crawl {name}: {run.state} after {seconds:.1f} s{rate}")
    say(
        f"  {tally.discovered} URLs discovered = {tally.queued} queued + {tally.fetched} fetched + {tally.redirected} redirected"
        f" + {tally.skipped} skipped + {tally.failed} failed" + ("" if tally.holds else "  THE SUMS DO NOT MATCH: please report this")
    )
    if tally.records:
        say(f"  {tally.records} records")
    for state, counts in _reasons(db, run.crawl.id):
        say(f"  {state}: {counts}")
    if tally.beyond_depth:
        depth = run.config.crawl.depth
        say(f"  {tally.beyond_depth} links beyond depth {depth} were not followed; --depth {depth + 1} --new follows them")
    say(f"  {_next_step(run, db)}")


def _next_step(run: Run, db: str) -> str:
    name = run.crawl.name if run.crawl is not None else ""
    where = "" if db == "scraper.db" else f" --db {db}"
    if run.state is CrawlState.LIMITED:
        return f"limited by --max-pages {run.config.crawl.max_pages}: the same command with more goes on"
    if run.state is CrawlState.INTERRUPTED:
        return f"go on with: scraper resume {name!r}{where}"
    return f'look at it with: scraper query{where} "SELECT url, title FROM pages LIMIT 10"'


def _reasons(db: str, crawl_id: int) -> list[tuple[str, str]]:
    try:
        with reports.open_reader(db) as connection:
            counted = reports.reasons(connection, crawl_id)
    except ScraperError:
        return []  # the summary goes without
    states: dict[str, list[str]] = {}
    for state, reason, count in counted:
        if reason is not None and state in {UrlState.SKIPPED, UrlState.FAILED}:
            states.setdefault(state, []).append(f"{reason} {count}")
    return [(state, ", ".join(parts)) for state, parts in sorted(states.items())]
