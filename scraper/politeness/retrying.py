"""The wrapper that asks a URL again: it waits in place, hands the URL back, or lets the failure be final. No I/O.

A wait of up to a second is slept in the slot. A longer one would hold a slot that another host could use, so the
frontier takes the URL back (`RetryLater`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from scraper.config import RetryConfig
from scraper.errors import BreakerOpen, FetchError, RetryLater
from scraper.model import CrawlUrl, Response
from scraper.politeness.host import Host
from scraper.politeness.retry import Failure, Fetch, backoff, failure_of

LONGEST_WAIT_IN_SLOT = 1.0  # seconds
USED_UP = "retry budget of the host is used up"


def retrying(
    fetch: Fetch,
    config: RetryConfig,
    host_of: Callable[[str], Host],
    *,
    longest_retry_after: float,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
    random: Callable[[], float],
) -> Fetch:
    """Wrap a fetch so that a URL is asked again as the table of failures says; every outcome tells its attempts.

    A Retry-After (at most `longest_retry_after` seconds) delays the whole host, and this URL with it. The last failure
    is raised once the attempts are used up that table and config allow, or if our own backoff would lead beyond
    `config.within` seconds after the first attempt, or if the host's retry budget is used up. A Retry-After may lead
    beyond that time, for the server named it, and so may a host that is delayed on another URL's account; nor is it
    charged. Attempts and first moment come with the URL, so what earlier runs tried counts. Raises RetryLater if the
    wait is longer than LONGEST_WAIT_IN_SLOT, or if the breaker opens between attempts, or if the host may be asked less
    at once by now; BreakerOpen if it was open before any.
    """
    return _Retries(fetch, config, host_of, longest_retry_after, clock, sleep, random).fetch_again


@dataclass(frozen=True, slots=True)
class _Retries:
    fetch: Fetch
    config: RetryConfig
    host_of: Callable[[str], Host]
    longest_retry_after: float
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    random: Callable[[], float]

    async def fetch_again(self, url: CrawlUrl) -> Response:
        tried_at = self.clock() if url.tried_at is None else url.tried_at
        attempts = url.attempts
        failure: FetchError | None = None
        while True:
            try:
                response = await self.fetch(url if url.attempts == attempts else replace(url, attempts=attempts))
            except BreakerOpen as refusal:
                if failure is None:
                    raise
                raise RetryLater(url.url, refusal.until, attempts, failure) from failure
            except FetchError as error:
                error.attempts = attempts = attempts + 1
                failure = error
            else:
                if not attempts:
                    self.host_of(url.host).budget.asked()
                return replace(response, attempts=attempts + 1) if attempts else response
            # Outside the `except`, so that a later failure does not carry all earlier ones as its context.
            host = self.host_of(url.host)
            if attempts == 1:
                host.budget.asked()
            await self._wait(url, host, self._again_at(host, failure, tried_at), failure)

    def _again_at(self, host: Host, error: FetchError, tried_at: float) -> float:
        """Return when to try again (UTC seconds), or raise the failure as final; delay the host if it asked for it."""
        now, row = self.clock(), failure_of(error)
        again_at = now + backoff(error.attempts, self.config, self.random, row.times)
        too_late = again_at - tried_at > self.config.within
        asked_to_wait = error.retry_after is not None and error.retry_after > 0
        if asked_to_wait:
            until = now + min(error.retry_after or 0.0, self.longest_retry_after)
            host.clock.park(until)
            again_at, too_late = max(again_at, until), False
        if too_late or error.attempts >= self._attempts(row):
            raise error
        if row.charged and not asked_to_wait:
            self._charge(host, error)
        # What a breaker keeps out has no use for a slot.
        return again_at if host.is_well else max(again_at, host.breaker.until)

    def _attempts(self, row: Failure) -> int:
        return self.config.attempts if row.retries is None else min(self.config.attempts, 1 + row.retries)

    def _charge(self, host: Host, error: FetchError) -> None:
        """Take the retry from the host's budget, or raise the failure as final: the budget is used up.

        An open breaker spares its URLs: whoever happens to be out when a host goes down is asked when it is back.
        """
        budget = host.budget
        if not (budget.spend() if host.is_well else budget.owe()):
            final = type(error)(error.url, error.reason, f"{error.detail}; {USED_UP}", error.retry_after)
            final.attempts = error.attempts
            raise final from error

    async def _wait(self, url: CrawlUrl, host: Host, again_at: float, error: FetchError) -> None:
        """Return when the next attempt may start, having booked it; raise RetryLater if that takes too long."""
        clock, latest = host.clock, self.clock() + LONGEST_WAIT_IN_SLOT
        if host.is_down:  # it ends with the host's other URLs, not when the host would have been probed again
            raise RetryLater(url.url, self.clock(), error.attempts, error) from error
        # Asked anew after each sleep: meanwhile another URL of the host may have started, or brought a Retry-After.
        while (start_at := max(again_at, clock.next_at)) > (now := self.clock()):
            if start_at > latest:
                raise RetryLater(url.url, start_at, error.attempts, error) from error
            await self.sleep(start_at - now)
        # The place it was in is no longer there, or the robots.txt that allowed it is out of date.
        if clock.running > clock.per_host or host.wants_robots(now):
            raise RetryLater(url.url, now, error.attempts, error) from error
        clock.again(now)
