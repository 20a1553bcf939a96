"""When is a URL asked again? The formula, and the wrapper that waits in place or hands the URL back. No I/O.

A wait of up to a second is slept in the slot. A longer one would hold a slot that another host could use, so the
frontier takes the URL back (`RetryLater`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from scraper.config import RetryConfig
from scraper.errors import BreakerOpen, PermanentFetchError, RetryLater, TransientFetchError
from scraper.model import CrawlUrl, Response
from scraper.politeness.throttle import HostClock

Fetch = Callable[[CrawlUrl], Awaitable[Response]]

LONGEST_WAIT_IN_SLOT = 1.0  # seconds
MOST_DOUBLINGS = 60  # beyond it a float would overflow before `longest` could cut it


def backoff(attempt: int, config: RetryConfig, random: Callable[[], float]) -> float:
    """Return the seconds to wait after the given attempt (1 is the first): full jitter.

    Uniform in 0 .. min(longest, base * 2 ** (attempt - 1)); `random` is uniform in 0 .. 1. The jitter spans the whole
    range because clients that failed together must not come back together.
    """
    ceiling = min(config.longest, config.base * 2.0 ** min(attempt - 1, MOST_DOUBLINGS))
    return ceiling * random()


def retrying(
    fetch: Fetch,
    config: RetryConfig,
    clock_of: Callable[[str], HostClock],
    *,
    longest_retry_after: float,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
    random: Callable[[], float],
) -> Fetch:
    """Wrap a fetch so that a transient failure is tried again, and every outcome says how many attempts it took.

    Only TransientFetchError is retried. A Retry-After (at most `longest_retry_after` seconds) delays the whole host,
    and this URL with it. The last failure is raised once `config.attempts` are charged, or if our own backoff would
    lead beyond `config.within` seconds after the first attempt; a Retry-After may lead beyond it, for the server named
    that time, and so may a host that is delayed on another URL's account. Attempts and first moment come with the URL,
    so what earlier runs tried counts. Raises RetryLater if the wait is longer than LONGEST_WAIT_IN_SLOT, or if the
    breaker opens between attempts; BreakerOpen if it was open before any.
    """
    return _Retries(fetch, config, clock_of, longest_retry_after, clock, sleep, random).fetch_again


@dataclass(frozen=True, slots=True)
class _Retries:
    fetch: Fetch
    config: RetryConfig
    clock_of: Callable[[str], HostClock]
    longest_retry_after: float
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]

    async def fetch_again(self, url: CrawlUrl) -> Response:
        tried_at = self.clock() if url.tried_at is None else url.tried_at
        attempts = url.attempts
        failure: TransientFetchError | None = None
        while True:
            try:
                response = await self.fetch(url)
            except BreakerOpen as refusal:
                if failure is None:
                    raise
                raise RetryLater(url.url, refusal.until, attempts, failure) from failure
            except PermanentFetchError as error:
                error.attempts = attempts + 1
                raise
            except TransientFetchError as error:
                error.attempts = attempts = attempts + 1
                failure = error
            else:
                return replace(response, attempts=attempts + 1) if attempts else response
            # Outside the `except`, so that a later failure does not carry all earlier ones as its context.
            await self._wait(url, self._again_at(url, failure, tried_at), failure)

    def _again_at(self, url: CrawlUrl, error: TransientFetchError, tried_at: float) -> float:
        """Return when to try again (UTC seconds), or raise the failure as final; delay the host if it asked for it."""
        now = self.clock()
        again_at = now + backoff(error.attempts, self.config, self.random)
        too_late = again_at - tried_at > self.config.within
        if error.retry_after is not None:
            until = now + min(error.retry_after, self.longest_retry_after)
            self.clock_of(url.host).park(until)
            again_at, too_late = max(again_at, until), False
        if too_late or error.attempts >= self.config.attempts:
            raise error
        return again_at

    async def _wait(self, url: CrawlUrl, again_at: float, error: TransientFetchError) -> None:
        """Return when the next attempt may start, having booked it; raise RetryLater if that takes too long."""
        host, latest = self.clock_of(url.host), self.clock() + LONGEST_WAIT_IN_SLOT
        # Asked anew after each sleep: meanwhile another URL of the host may have started, or brought a Retry-After.
        while (start_at := max(again_at, host.next_at)) > (now := self.clock()):
            if start_at > latest:
                raise RetryLater(url.url, start_at, error.attempts, error) from error
            await self.sleep(start_at - now)
        host.again(now)
