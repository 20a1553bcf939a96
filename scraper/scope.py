"""May this URL be crawled, and if not, for which reason? Pure; the frontier and the workers ask."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import lru_cache

from scraper import traps, urls
from scraper.model import Reason, Verdict
from scraper.traps import Hosts

REMEMBERED = 20_000  # hosts and URLs whose answer is kept; then it is found anew
USUAL = 200  # characters of a URL

_OUTSIDE = {
    "host": Verdict(Reason.SCOPE, "other host"),
    "domain": Verdict(Reason.SCOPE, "other domain"),
    "prefix": Verdict(Reason.SCOPE, "outside the prefix"),
    "any": None,
}


class Patterns:
    """What needs only the URL: its scheme, --include and --exclude, and which are preferred. Sent to the parse workers.

    `strip` takes out of a URL what does not tell pages apart; None leaves all as they are. With `traps` it sees what a
    URL shows to be a trap; `today` is what calendars are measured by, without it the day this is made.
    """

    def __init__(
        self,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        prefer: tuple[str, ...] = (),
        strip: Callable[[str], str] | None = None,
        *,
        traps: bool = True,
        today: date | None = None,
    ) -> None:
        self.include = tuple(re.compile(pattern) for pattern in include)
        self.exclude = tuple(re.compile(pattern) for pattern in exclude)
        self.prefer = tuple(re.compile(pattern) for pattern in prefer)
        self.strip = strip
        self.traps = traps
        self.today = today or datetime.now(UTC).date()

    def stripped(self, url: str) -> str:
        """Return a canonical URL as it is asked for."""
        return self.strip(url) if self.strip is not None else url

    def priority(self, url: str) -> int:
        """1 for a URL that goes before the others of its host, else 0."""
        return int(any(pattern.search(url) for pattern in self.prefer))

    def judge(self, url: str) -> Verdict | None:
        """Return why a canonical URL is refused, or None."""
        if not urls.is_web(url):
            return Verdict(Reason.SCHEME)
        if self.include and not any(pattern.search(url) for pattern in self.include):
            return Verdict(Reason.SCOPE, "matches no --include")
        for pattern in self.exclude:
            if pattern.search(url):
                return Verdict(Reason.SCOPE, f"matches --exclude {pattern.pattern}")
        return _trap(url, self.today) if self.traps else None


def _trap(url: str, today: date) -> Verdict | None:
    return (_known_trap if len(url) <= USUAL else traps.judge)(url, today)


# The pages of a site share most of their links. Only usual lengths are kept: long URLs would fill the memory.
_known_trap = lru_cache(maxsize=REMEMBERED)(traps.judge)


class Scope:
    """The part of the scope that grows from the seeds: how far from their roots a crawl may go.

    `host` is the same host name (http and https alike on their default ports, else the same port), `domain` the same
    registrable domain (of an address: the address) on any port, `prefix` that host and everything below the folder of
    the seed's path, `any` everywhere. A root is a text, so that a crawl can keep it: `example.com`, `example.com:8080`,
    `example.com/docs/`. `hosts` bounds how many host names a domain may show.
    """

    def __init__(self, kind: str, roots: Iterable[str] = (), hosts: Hosts | None = None) -> None:
        self._hosts = hosts
        self._outside = _OUTSIDE[kind]
        self._kind = kind
        self._roots: set[str] = set()
        self._answers: dict[str, bool] = {}  # by host: is anything on it within the scope?
        self._rooted: set[str] = set()  # for `prefix`: the hosts, as authorities, that have roots
        self._longest = 0  # characters of the longest root
        for root in roots:
            self.add(root)

    def __repr__(self) -> str:
        return f"Scope({self._kind!r}, {sorted(self._roots)})"

    def root_of(self, url: str) -> str:
        """The root that a seed with this canonical URL has; empty if the scope is `any`."""
        if self._kind == "any":
            return ""
        if self._kind == "domain":
            return urls.registrable_domain(urls.hostname(url))
        authority = urls.authority(urls.host(url))
        if self._kind == "host":
            return authority
        path = url.partition("?")[0].split("/", 3)[3]
        return f"{authority}/{path[: path.rfind('/') + 1]}"

    def add(self, root: str) -> None:
        """Widen the scope by a root, as `root_of` makes them; a second time changes nothing."""
        if root not in self._roots:
            self._roots.add(root)
            self._rooted.add(root.partition("/")[0])
            self._longest = max(self._longest, len(root))
            self._answers.clear()

    def judge(self, url: str, host: str) -> Verdict | None:
        """Return why a canonical http or https URL on this host (`urls.host`) is refused, or None."""
        if self._outside is None:
            return self._hosts.verdict(host) if self._hosts is not None else None
        within = self._answers.get(host)
        if within is None:
            within = self._remember(host)
        if within and (self._kind != "prefix" or self._is_below_a_root(url, host)):
            return self._hosts.verdict(host) if self._hosts is not None else None
        return self._outside

    def _remember(self, host: str) -> bool:
        if len(self._answers) >= REMEMBERED:
            self._answers.clear()
        if self._kind == "domain":
            within = urls.registrable_domain(urls.hostname(host + "/")) in self._roots
        else:
            within = urls.authority(host) in self._rooted
        self._answers[host] = within
        return within

    def _is_below_a_root(self, url: str, host: str) -> bool:
        """Walk up the folders of the URL: that costs the depth of the deepest root, however many roots there are."""
        folder = (urls.authority(host) + url[len(host) :])[: self._longest]
        while (end := folder.rfind("/")) >= 0:
            if folder[: end + 1] in self._roots:
                return True
            folder = folder[:end]
        return False
