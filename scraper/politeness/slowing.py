"""How much more gently than it allows is a host asked? Slower when it says so, fewer at once when it grows slow.

Two signs, each of which counts once: what was asked before the last step says nothing about what came of that step.
1. 429 or 503: the distance between requests at least doubles, and half as many run at once.
2. The moving average of its latency is over SLOW and over GROWN times what is usual for it: half as many run at once;
   one at a time already, and the distance doubles.
After a row of good answers the distance is halved, below GONE it is over; then one more at a time is let in for each
further row. Who relapses must be good for twice as long. No I/O and no clock: answers are what it counts by.
"""

from __future__ import annotations

FIRST_STEP = 1.0  # seconds
LONGEST = 60.0  # seconds
GONE = 0.1  # seconds
GOOD_ROW = 5  # answers
LONGEST_ROW = 40  # answers; then a host with a limit of its own says so once in a hundred requests
SLOW = 1.0  # seconds; no host is slow that answers sooner
GROWN = 3.0  # times the usual latency
LEAST_SEEN = 5  # answers since the last step, before another is taken for latency
NEWEST = 0.2  # weight of the newest answer in the average
RARE = 0.01  # its weight in what is usual for the host
FIRST = 8  # answers, whose mean is what is usual to begin with


class Slowdown:
    """Seconds on top of a host's delay, and how many requests may run at once, at most `most`.

    While `seconds` is not 0 they should come one at a time; it is what a resume remembers. An attempt takes a number
    from `enter` and hands it in with what came of it. With `adaptive` off nothing ever changes.
    """

    __slots__ = (
        "_adaptive",
        "_average",
        "_good",
        "_known",
        "_most",
        "_relaxed",
        "_row",
        "_seen",
        "_stretch",
        "_usual",
        "places",
        "seconds",
    )

    def __init__(self, most: int, *, seconds: float = 0.0, adaptive: bool = True) -> None:
        self._most = most
        self._adaptive = adaptive
        self.seconds = min(seconds, LONGEST) if adaptive else 0.0
        self.places = most
        self._stretch = 0
        self._good = 0
        self._row = GOOD_ROW
        self._relaxed = False
        self._seen = 0
        self._average = 0.0
        self._known = 0
        self._usual = 0.0

    def __repr__(self) -> str:
        return f"<Slowdown {self.seconds:g} s, {self.places}/{self._most} places>"

    def enter(self) -> int:
        """Return the number of the stretch since the last step."""
        return self._stretch

    def answered(self, stretch: int, latency: float | None, running: int) -> None:
        """An answer came after so many seconds, None if they tell nothing, while so many requests ran."""
        if stretch != self._stretch or not self._adaptive:
            return
        is_good = True
        if latency is not None:
            limit = self._learn(latency)
            if self._seen >= LEAST_SEEN and self._average > limit:
                self._narrow(running)
                return
            is_good = latency <= limit
        self._good = self._good + 1 if is_good else 0
        if self._good >= self._row:
            self._relax()

    def troubled(self, stretch: int) -> None:
        """An answer came that is none of the two signs and not good either."""
        if stretch == self._stretch:
            self._good = 0

    def strained(self, stretch: int, delay: float, running: int) -> bool:
        """The host, asked every `delay` seconds if well, asks for patience (429, 503); return whether that is news."""
        if stretch != self._stretch or not self._adaptive:
            return False
        self.seconds = min(LONGEST, max(FIRST_STEP, 2 * self.seconds, delay))
        self._halve_places(running)
        self._step()
        return True

    def _learn(self, latency: float) -> float:
        """Learn a latency, and return from where on one is too long. A single page that takes minutes is no sign."""
        limit = max(SLOW, GROWN * self._usual)
        bounded = min(latency, 2 * limit)
        self._known += 1
        self._usual += (bounded - self._usual) * (1 / self._known if self._known <= FIRST else RARE)
        self._seen += 1
        self._average += (bounded - self._average) * (NEWEST if self._seen > 1 else 1.0)
        return limit

    def _narrow(self, running: int) -> None:
        """Fewer at once; if one at a time is too much, slower: twice the latency, as then two thirds are the host's."""
        if self.seconds or self.places == 1:
            self.seconds = min(LONGEST, max(self.seconds, FIRST_STEP, min(2 * self.seconds, 2 * self._average)))
        else:
            self._halve_places(running)
        self._step()

    def _halve_places(self, running: int) -> None:
        self.places = max(1, min(self.places, running) // 2)

    def _step(self) -> None:
        """Begin a new stretch; one that comes after a recovery makes the next recovery take longer."""
        if self._relaxed:
            self._row = min(LONGEST_ROW, 2 * self._row)
        self._relaxed = False
        self._good = self._seen = 0
        self._stretch += 1

    def _relax(self) -> None:
        self._good = 0
        if self.seconds:
            self.seconds = self.seconds / 2 if self.seconds / 2 >= GONE else 0.0
        elif self.places < self._most:
            self.places += 1
        else:
            self._row = GOOD_ROW
            self._relaxed = False
            return
        self._relaxed = True
