"""How many retries may a host still be asked? A count, and a bound that grows with the count of first requests."""

from __future__ import annotations

import math

LEAST = 10  # retries that any host is granted
LONG_AGO = 100  # requests; who has not been refused a retry for so long was well until now


class RetryBudget:
    """At most LEAST retries, or `share` of the first requests if that is more: no storm on a host that is failing.

    `requests` counts the URLs that were asked once, `retries` what was charged; a resume remembers both.
    """

    __slots__ = ("_refused_at", "_share", "requests", "retries")

    def __init__(self, share: float, *, requests: int = 0, retries: int = 0) -> None:
        self._share = share
        self._refused_at = -math.inf
        self.requests = requests
        self.retries = retries

    def __repr__(self) -> str:
        return f"<RetryBudget {self.retries} of {self.most:g} retries, {self.requests} requests>"

    @property
    def most(self) -> float:
        """How many retries the requests so far allow."""
        return max(LEAST, self._share * self.requests)

    def asked(self) -> None:
        """A URL was asked for the first time."""
        self.requests += 1

    def spend(self) -> bool:
        """Charge a retry, if there is one left."""
        if self.retries + 1 > self.most:
            self._refused_at = self.requests
            return False
        self.retries += 1
        return True

    def owe(self) -> bool:
        """Charge a retry that is an outage's, left or not, if the host was well before; later ones make it good."""
        if self.requests - self._refused_at < LONG_AGO:
            return False
        self.retries += 1
        return True
