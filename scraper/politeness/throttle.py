"""When may a host be asked again, and how often at once? One clock per host; no I/O, no sleeping.

A host's next moment is the later of two: its last request plus the delay, and the end of a Retry-After. The delay is
ours, or the Crawl-delay of robots.txt if longer, and what an adaptive slowdown adds. Moments are UTC seconds and come
in as `now`.

Who may be dead gets little: until a host has answered, and again once it has not, UNPROVEN requests run at once, and
with each answer OPENING times as many. A host that hangs gets no hold of every slot, a healthy one does not notice.
"""

from __future__ import annotations

from scraper.politeness.slowing import Slowdown

UNPROVEN = 2  # requests at once to a host that has not answered, or did not the last time
OPENING = 4  # times as many with each answer; robots.txt and the first page let 32 of their links run together


class HostClock:
    """When may this host be asked again?

    `delay` is seconds from start to start; `per_host` how many requests may run at once, one if there is a Crawl-delay
    or a slowdown. `next_at`, `crawl_delay` and the slowdown's seconds are what a resume remembers. A Crawl-delay is
    taken as it is: bound it before.
    """

    __slots__ = ("_delay", "_per_host", "_proven", "_started_at", "crawl_delay", "next_at", "running", "slowdown")

    def __init__(
        self,
        delay: float,
        per_host: int,
        *,
        crawl_delay: float | None = None,
        next_at: float = 0.0,
        slowdown: Slowdown | None = None,
    ) -> None:
        self._delay = delay
        self._per_host = per_host
        self._proven = UNPROVEN
        self._started_at: float | None = None
        self.crawl_delay = crawl_delay
        self.next_at = next_at
        self.slowdown = slowdown if slowdown is not None else Slowdown(per_host)
        self.running = 0

    def __repr__(self) -> str:
        return f"<HostClock {self.running}/{self.per_host} running, every {self.delay:g} s, next at {self.next_at:g}>"

    @property
    def delay(self) -> float:
        """Seconds from one start to the next: the longer of ours and the host's, and the slowdown."""
        return self._delay_if_well + self.slowdown.seconds

    @property
    def _delay_if_well(self) -> float:
        return max(self._delay, self.crawl_delay or 0.0)

    @property
    def per_host(self) -> int:
        """How many requests may run at once."""
        if self.crawl_delay or self.slowdown.seconds:
            return 1
        return min(self._proven, self._per_host, self.slowdown.places)

    @property
    def has_room(self) -> bool:
        """Is one of the host's places free?"""
        return self.running < self.per_host

    def set_crawl_delay(self, seconds: float | None) -> None:
        """Take over what robots.txt demands; it counts from the last start, which was the one of robots.txt itself."""
        self.crawl_delay = seconds
        if self._started_at is not None:
            self.park(self._started_at + self.delay)

    def is_due(self, now: float) -> bool:
        """May a request start?"""
        return self.has_room and now >= self.next_at

    def start(self, now: float) -> None:
        """A request starts: it takes a place, and the next one keeps its distance."""
        self.running += 1
        self.again(now)

    def again(self, now: float) -> None:
        """A further attempt starts in a place already taken."""
        self._started_at = now
        self.next_at = max(now, self.next_at) + self.delay

    def sent(self, now: float) -> None:
        """The request is on its way only now, after it has waited for a connection: the next one keeps its distance."""
        self._started_at = now
        self.next_at = max(self.next_at, now + self.delay)

    def end(self) -> None:
        """A request has ended, whatever became of it; raises RuntimeError if none was running."""
        if not self.running:
            raise RuntimeError("a request ended that never started")
        self.running -= 1

    def park(self, until: float) -> None:
        """Leave the host alone until then, or longer if that was known already."""
        self.next_at = max(self.next_at, until)

    def answered(self, stretch: int, latency: float | None) -> None:
        """An attempt of this stretch of the slowdown was answered, after so many seconds if that is known."""
        self._open()
        self.slowdown.answered(stretch, latency, self.running)

    def troubled(self, stretch: int) -> None:
        """An attempt was answered with a failure: the host lives, and is not well."""
        self._open()
        self.slowdown.troubled(stretch)

    def strained(self, stretch: int, now: float) -> None:
        """An attempt was answered by 429 or 503: if that is news, what comes next waits for the longer delay."""
        if self.slowdown.strained(stretch, self._delay_if_well, self.running):
            self.park(now + self.delay)

    def silent(self, stretch: int) -> None:
        """An attempt got no answer."""
        self._proven = UNPROVEN
        self.slowdown.troubled(stretch)

    def _open(self) -> None:
        self._proven = min(OPENING * self._proven, max(self._per_host, UNPROVEN))
