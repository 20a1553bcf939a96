"""When is a failing host left alone, and when is it given up? A circuit breaker per host, and the wrapper that asks it.

closed ──(`failures` in a row)──► open for `cooldown` ──(time passes)──► one probe ──success──► closed
                                    ▲                                      │
                                    └── failure: twice as long, at most `longest`; after `openings` of them: down

Half-open has no name of its own: it is "open" whose `until` has passed. "down" is for good. No I/O; moments are UTC
seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from scraper.config import BreakerConfig
from scraper.errors import BreakerOpen, FetchError
from scraper.model import CrawlUrl, Response
from scraper.politeness.retry import Fetch, failure_of

MOST_DOUBLINGS = 60  # beyond it a float would overflow before `longest` could cut it


class Breaker:
    """Is this host well enough to be asked?

    Every attempt begins with `enter` and hands what it got to one of `succeeded`, `failed`, `abandoned`. The number
    names the stretch between two changes of state: what began before the last change says nothing about the host now,
    so a late failure neither opens nor prolongs, and a late success does not close.
    """

    __slots__ = ("_config", "_probing", "_stretch", "failures", "host", "openings", "state", "until")

    def __init__(
        self,
        host: str,
        config: BreakerConfig,
        *,
        failures: int = 0,
        openings: int = 0,
        until: float = 0.0,
        state: str = "closed",
    ) -> None:
        self.host = host
        self.failures = failures
        self.openings = openings
        self.until = until
        self.state = state
        self._config = config
        self._probing = False
        self._stretch = 0

    def __repr__(self) -> str:
        probing = ", probing" if self._probing else ""
        return (
            f"<Breaker {self.host} {self.state}{probing}, failures {self.failures}, "
            f"openings {self.openings}, until {self.until:g}>"
        )

    def admits(self, now: float) -> bool:
        """May an attempt begin? When open, one may once `until` has passed: the probe."""
        if self.state == "open":
            return now >= self.until and not self._probing
        return self.state == "closed"

    def enter(self, now: float) -> int:
        """Begin an attempt and return the stretch it belongs to; raise BreakerOpen if none may begin."""
        if not self.admits(now):
            raise BreakerOpen(self.host, max(self.until, now))
        self._probing = self.state == "open"
        return self._stretch

    def succeeded(self, stretch: int) -> None:
        """The host answered: close, and forget what was."""
        if stretch != self._stretch:
            return
        if self.state == "open":
            self._change("closed")
        self.failures = self.openings = 0
        self.until = 0.0

    def failed(self, now: float, stretch: int) -> None:
        """The host did not answer, or was in trouble: open if that was one too often, or if it was the probe."""
        if stretch != self._stretch:
            return
        self.failures += 1
        if self.state == "open" or self.failures >= self._config.failures:
            self.openings += 1
            self.until = now + self._cooldown()
            self._change("down" if self.openings > self._config.openings else "open")

    def abandoned(self, stretch: int) -> None:
        """The attempt ended without a word about the host; if it was the probe, another may take its place."""
        if stretch == self._stretch:
            self._probing = False

    def _cooldown(self) -> float:
        doublings = min(self.openings - 1, MOST_DOUBLINGS)
        return min(self._config.longest, self._config.cooldown * 2.0**doublings)

    def _change(self, state: str) -> None:
        self.state = state
        self._probing = False
        self._stretch += 1


def breaking(fetch: Fetch, breaker_of: Callable[[str], Breaker], *, clock: Callable[[], float]) -> Fetch:
    """Wrap a fetch so that each attempt asks its host's breaker first and tells it the outcome.

    Raises BreakerOpen, without an attempt, if the host is not to be asked now. What counts:
    1. a response, whatever its status: success;
    2. a failure that the table of failures lets count: failure; one by which the host lives (408, 429): success;
    3. any other failure (a certificate, an endless body, a private address) is about the URL or about us, and a
       cancelled or broken attempt about nothing: neither. A probe that ends so leaves its place to the next URL.
    """

    async def fetch_if_closed(url: CrawlUrl) -> Response:
        breaker = breaker_of(url.host)
        stretch = breaker.enter(clock())
        try:
            response = await fetch(url)
        except FetchError as error:
            match failure_of(error).breaker:
                case "counts":
                    breaker.failed(clock(), stretch)
                case "resets":
                    breaker.succeeded(stretch)
                case "neither":
                    breaker.abandoned(stretch)
            raise
        except BaseException:  # cancellation most of all: a probe's place must not stay taken
            breaker.abandoned(stretch)
            raise
        breaker.succeeded(stretch)
        return response

    return fetch_if_closed
