"""How many host names of one registrable domain may a crawl ask? No I/O."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from scraper import urls
from scraper.model import Reason, Verdict

MOST_HOSTS = 1000  # of one registrable domain
REMEMBERED = 200_000  # hosts in all; then the domains with fewest are forgotten


class Hosts:
    """The hosts that a crawl met, by domain; of each domain the first `limit` are admitted, and they stay so.

    Hosts are `urls.host`'s: origins; http and https of one name are one. A resumed crawl begins with the hosts that
    its store knows.
    """

    def __init__(self, limit: int = MOST_HOSTS, known: Iterable[str] = ()) -> None:
        self._limit = limit
        self._names: dict[str, set[int]] = {}  # by domain: the hashes of its admitted hosts
        self._count = 0
        for host in known:
            self.verdict(host)

    def __repr__(self) -> str:
        return f"Hosts({self._limit}, {self._count} of {len(self._names)} domains)"

    def verdict(self, host: str) -> Verdict | None:
        """Return why a host is refused; None admits it, now and later."""
        name = hash(urls.authority(host))
        domain = _domain(host)
        names = self._names.get(domain)
        if names is None:
            if self._count >= REMEMBERED:
                self._forget()
            names = self._names[domain] = set()
        if name in names:
            return None
        if len(names) >= self._limit:
            return Verdict(Reason.TRAP, f"more than {self._limit} hosts of {domain}")
        names.add(name)
        self._count += 1
        return None

    def _forget(self) -> None:
        """Forget the domains with fewest hosts, half of all: a domain that grows without end is never among them."""
        largest = sorted(self._names, key=lambda domain: len(self._names[domain]), reverse=True)
        self._names = {domain: self._names[domain] for domain in largest[: len(largest) // 2]}
        self._count = sum(map(len, self._names.values()))


@lru_cache(maxsize=20_000)
def _domain(host: str) -> str:
    return urls.registrable_domain(urls.hostname(host + "/"))
