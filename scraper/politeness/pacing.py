"""The wrapper that tells a host's clock what each attempt says about the pace it bears. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from scraper.errors import FetchError
from scraper.model import CrawlUrl, Response
from scraper.politeness.retry import Fetch, failure_of
from scraper.politeness.throttle import HostClock

LONGEST_BODY = 256 * 1024  # bytes; what takes longer than this is the way, not the host


def pacing(fetch: Fetch, clock_of: Callable[[str], HostClock], *, clock: Callable[[], float]) -> Fetch:
    """Wrap a fetch so that each attempt teaches its host's clock; inside the breaker, which lets few through.

    1. a response, whatever its status: the host lives, and its latency is learned;
    2. a failure: as the table of failures says, slower or fewer at once, or just not good. Slower only for a URL that
       had not failed before: one that answers 503 for ever says nothing new about its host;
    3. a failure that is about us (a certificate, a private address) or a cancellation: nothing.
    """

    async def fetch_and_learn(url: CrawlUrl) -> Response:
        pace = clock_of(url.host)
        stretch = pace.slowdown.enter()
        try:
            response = await fetch(url)
        except FetchError as error:
            row = failure_of(error)
            if row.pace == "slower" and not url.attempts:
                pace.strained(stretch, clock())
            elif row.pace == "fewer":
                pace.silent(stretch)
            elif row.breaker != "neither":
                pace.troubled(stretch)
            raise
        pace.answered(stretch, _latency(response))
        return response

    return fetch_and_learn


def _latency(response: Response) -> float | None:
    """Seconds that the host took; None if the body is so long that they tell nothing about it."""
    return response.elapsed_ms / 1000 if len(response.body) <= LONGEST_BODY else None
