"""One host's politeness in one place: clock, breaker, retry budget, robots.txt; what may be asked of it, and when."""

from __future__ import annotations

from scraper import urls
from scraper.config import PolitenessConfig
from scraper.errors import FetchError, PermanentFetchError
from scraper.model import HostState, Reason, Verdict
from scraper.politeness.breaker import Breaker
from scraper.politeness.budget import RetryBudget
from scraper.politeness.retry import backoff
from scraper.politeness.robots import Robots, read_robots, unrestricted
from scraper.politeness.slowing import Slowdown
from scraper.politeness.throttle import HostClock

LONGEST_CLOSED = 3600.0  # seconds for which a robots.txt that cannot be had forbids all; then it is asked again


class Host:
    """What is known of a host while the frontier holds it. Moments are UTC seconds and come in as `now`.

    robots.txt is asked before anything else and again when it has expired; while it cannot be had the host waits, each
    time twice as long (RFC 9309, section 2.3.1.4: unreachable means complete disallow).
    """

    def __init__(self, state: HostState, config: PolitenessConfig, *, agent: str, not_before: float = 0.0) -> None:
        self.name = state.host
        self.id = state.id
        self._config = config
        self._agent = agent
        self.robots_tries = 0
        self._closed: Verdict | None = None
        self.robots: Robots | None = None
        if not config.robots:
            self.robots = unrestricted()
        elif state.robots_status is not None:
            self.robots = read_robots(
                state.robots_status,
                state.robots_text,
                agent=agent,
                expires_at=state.robots_expires_at,
                base=f"{state.host}/robots.txt",
            )
        slowdown = Slowdown(config.per_host, seconds=state.slowdown, adaptive=config.adaptive)
        self.clock = HostClock(config.delay, config.per_host, next_at=max(state.next_at, not_before), slowdown=slowdown)
        if state.crawl_delay is not None:
            self.clock.set_crawl_delay(state.crawl_delay)
        self.breaker = Breaker(
            state.host,
            config.breaker,
            failures=state.failures,
            openings=state.openings,
            until=state.next_at if state.breaker == "open" else 0.0,
            state=state.breaker,
        )
        self.budget = RetryBudget(config.retry.budget, requests=state.requests, retries=state.retries)

    def __repr__(self) -> str:
        return f"Host({self.name!r}, {self.clock!r}, {self.breaker!r})"

    @property
    def is_down(self) -> bool:
        """Has the host been given up?"""
        return self.breaker.state == "down"

    @property
    def is_well(self) -> bool:
        """May any of its URLs be asked, as far as the breaker goes?"""
        return self.breaker.state == "closed"

    def due_at(self, now: float) -> float | None:
        """When the next request may start; None while that depends on one that is running."""
        if not self.clock.has_room:
            return None
        if self.breaker.state == "open":
            if self.clock.running:
                return None  # half open: the one that runs decides
            return max(self.clock.next_at, self.breaker.until)
        if self.wants_robots(now) and self.clock.running:
            return None
        return self.clock.next_at

    def wants_robots(self, now: float) -> bool:
        """Must robots.txt be asked before any page?"""
        return self.robots is None or self.robots.expires_at <= now

    def judge(self, url: str) -> Verdict | None:
        """Return why a URL of this host is not asked, whatever the hour; None if it may be."""
        if self.is_down:
            return Verdict(Reason.HOST_DOWN, f"in trouble: circuit breaker opened {self.breaker.openings} times")
        if self._closed is not None:
            return self._closed
        return self.robots.allows(url) if self.robots is not None else None

    def learned(self, robots: Robots) -> None:
        """robots.txt was answered: its rules hold, and its Crawl-delay up to the ceiling."""
        self.robots = robots
        self.robots_tries = 0
        delay = robots.crawl_delay
        self.clock.set_crawl_delay(None if delay is None else min(delay, self._config.longest_crawl_delay))

    def unlearned(self, error: FetchError, now: float) -> None:
        """robots.txt could not be had: wait longer each time; a server that keeps answering 429 or 5xx forbids all.

        For at most LONGEST_CLOSED: it said nothing about its pages, and may be well again long before the next day.
        """
        self.robots_tries += 1
        retry = self._config.retry
        wait = backoff(self.robots_tries, retry, lambda: 1.0)
        if error.retry_after is not None:
            wait = max(wait, min(error.retry_after, self._config.longest_retry_after))
        self.clock.park(now + wait)
        if error.reason in {Reason.TLS, Reason.PRIVATE_ADDRESS} and urls.host(error.url) == self.name:
            # What keeps us from robots.txt keeps us from every page, and is their reason too.
            self._closed = Verdict(error.reason, error.detail)
            self.robots = unrestricted()
            return
        answered = error.reason in {Reason.HTTP_4XX, Reason.HTTP_5XX}
        if isinstance(error, PermanentFetchError) or (answered and self.robots_tries >= retry.attempts):
            status = error.detail.split()[0] if answered else str(error.reason)
            closed_for = min(self._config.robots_expiry, LONGEST_CLOSED)
            self.robots = read_robots(status, None, agent=self._agent, expires_at=now + closed_for)

    def snapshot(self) -> HostState:
        """What must be remembered."""
        robots = self.robots if self._config.robots and self._closed is None else None
        return HostState(
            self.name,
            self.id,
            next_at=max(self.clock.next_at, self.breaker.until if self.breaker.state == "open" else 0.0),
            crawl_delay=self.clock.crawl_delay,
            breaker=self.breaker.state,
            failures=self.breaker.failures,
            openings=self.breaker.openings,
            robots_status=robots.status if robots else None,
            robots_text=robots.text if robots else None,
            robots_expires_at=robots.expires_at if robots else 0.0,
            slowdown=self.clock.slowdown.seconds,
            requests=self.budget.requests,
            retries=self.budget.retries,
        )
