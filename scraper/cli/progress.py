"""The progress of a crawl on stderr: a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from scraper.app import Run
from scraper.cli.output import say
from scraper.model import Reason, UrlState, Visit
from scraper.printable import printable

DISPLAY_EVERY = 0.25  # seconds
LOOKS_A_LINE = 20  # off a terminal: a line every 5 seconds
RATE_OVER = 10.0  # seconds


class Seen:
    """What the progress tells of: a run, and why URLs failed since it began."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.failures: Counter[Reason] = Counter()

    def add(self, visit: Visit) -> None:
        """Take down a visit."""
        if visit.state is UrlState.FAILED and visit.reason is not None:
            self.failures[visit.reason] += 1


@asynccontextmanager
async def progress(seen: Seen, *, display: bool) -> AsyncIterator[None]:
    """Show progress while the block runs: as a display that is drawn anew, or as plain lines."""
    rate = Rate(time.monotonic)
    if display:
        console = Console(stderr=True)
        with Live(console=console, auto_refresh=False, transient=True) as live:
            async with _every(DISPLAY_EVERY, lambda: live.update(_display(seen, rate), refresh=True)):
                yield
    else:
        looks = count(1)

        def look() -> None:
            line = _line(seen.run, rate)
            if next(looks) % LOOKS_A_LINE == 0:
                say(line)

        async with _every(DISPLAY_EVERY, look):
            yield


class Rate:
    """Pages per second over the last few seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def now(self, pages: int) -> float:
        """Take down how many pages there are, and return the rate."""
        moment = self._clock()
        self._seen.append((moment, pages))
        while len(self._seen) > 2 and self._seen[0][0] < moment - RATE_OVER:
            self._seen.popleft()
        since, before = self._seen[0]
        return (pages - before) / (moment - since) if moment > since else 0.0


@asynccontextmanager
async def _every(seconds: float, show: Callable[[], None]) -> AsyncIterator[None]:
    async def go_on() -> None:
        while True:
            await asyncio.sleep(seconds)
            show()

    task = asyncio.create_task(go_on(), name="progress")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _line(run: Run, rate: Rate) -> str:
    tally = run.tally
    per_second = rate.now(tally.fetched)
    eta = f", about {_duration(tally.queued / per_second)} to go" if per_second and tally.queued else ""
    ended = f"{tally.skipped} skipped, {tally.failed} failed"
    return f"{tally.fetched} pages, {per_second:.1f}/s, {tally.queued} queued, {ended}{eta or _waiting(run)}"


def _waiting(run: Run) -> str:
    """When the next request comes, if every host is left alone for a while."""
    now = time.time()
    hosts = run.frontier.hosts if run.frontier is not None else []
    moments = [host.due_at(now) for host in hosts]
    if not moments or None in moments:
        return ""
    seconds = min(moment for moment in moments if moment is not None) - now
    return f", next request in {_duration(seconds)}" if seconds >= 1 else ""


def _display(seen: Seen, rate: Rate) -> Group:
    run = seen.run
    name = printable(run.crawl.name) if run.crawl is not None else "reading the seeds"
    rows = [Text(f"{name}: {_line(run, rate)}", no_wrap=True, overflow="ellipsis")]
    now = time.time()
    hosts = run.frontier.hosts if run.frontier is not None else []
    states = Counter(_state_of(host.due_at(now), now, host.breaker.state) for host in hosts)
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    rows.append(Text(f"hosts: {told or 'none yet'}", style="dim", no_wrap=True, overflow="ellipsis"))
    if seen.failures:
        why = ", ".join(f"{reason} {count}" for reason, count in seen.failures.most_common())
        rows.append(Text(f"failed: {why}", style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*rows)


def _state_of(due_at: float | None, now: float, breaker: str) -> str:
    if breaker != "closed":
        return f"with breaker {breaker}"
    if due_at is None or due_at <= now + 1:
        return "active"
    return "waiting"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
