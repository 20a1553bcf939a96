"""The cookies of one crawl: kept as sites set them, sent as draft-ietf-httpbis-rfc6265bis says, bounded, in memory.

Cookies know hosts, not origins: as in browsers one set by `http://host:8080` is sent to `https://host` too, since sites
rely on it. What a site wants kept from the network it marks Secure: that is sent to https alone, and no http answer can
set, replace or delete it. No cookie goes to another host, but a Domain cookie to the hosts below its domain, which is
never a public suffix or an address. Where a redirect leads changes nothing: each request is asked about by its own URL.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from heapq import heapify, heappop, heappush
from itertools import islice
from pathlib import Path

from scraper.fetch import cookiefile
from scraper.fetch.setcookie import Cookie, octets, parts, path_matches, received, site

MOST_OF_SITE = 50  # cookies of one registrable domain
MOST = 3000  # cookies
MOST_LINES = 32  # Set-Cookie lines of one answer that are looked at
LONGEST_HEADER = 8192  # bytes of a Cookie header's value

_Key = tuple[str, str, str, str, bool]  # site, domain, path, name, host-only: there is one cookie of each
# Shorter paths rank later, then what was made later (an overwriting cookie takes over its turn); size in bytes, sent.
_Kept = tuple[int, int, int, Cookie]  # rank, turn, size, cookie


class CookieJar:
    """The cookies, by site (registrable domain), which is all that a request looks through.

    What goes over a bound pushes out the one unused for longest; within a site first those that are not Secure. Belongs
    to one thread; only `write` may run in another meanwhile. The first `store` and `read` load the Public Suffix List,
    once a process (60 ms), unless `urls.registrable_domain` was called before.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sites: dict[str, OrderedDict[_Key, _Kept]] = {}  # each with the longest unused first
        self._used: OrderedDict[_Key, None] = OrderedDict()  # all of them, the longest unused first
        self._ends: list[tuple[float, _Key]] = []  # a heap; entries of cookies that are gone are passed over
        self._made = 0

    @property
    def count(self) -> int:
        """How many cookies there are."""
        self._expire(self._clock())
        return len(self._used)

    def __repr__(self) -> str:
        return f"<CookieJar: {len(self._used)} cookies of {len(self._sites)} sites>"

    def header(self, url: str) -> str | None:
        """Return the value of the Cookie header for a canonical URL; None if there is to be no such header.

        Longer paths come first, then what was made earlier; what would make it longer than 8 KiB is left out.
        """
        if not self._sites:
            return None
        asked = parts(url)
        kept = self._site_of(asked[1])
        if kept is None:
            return None
        self._expire(self._clock())
        fitting = [(each, key) for key, each in kept.items() if each[3].is_for(asked)]
        fitting.sort()
        pairs: list[str] = []
        left = LONGEST_HEADER + 2  # as no blank and semicolon follow the last
        for (_, _, size, cookie), key in fitting:
            if size <= left:
                left -= size
                pairs.append(f"{cookie.name}={cookie.value}" if cookie.name else cookie.value)
                kept.move_to_end(key)
                self._used.move_to_end(key)
        return "; ".join(pairs) or None

    def store(self, url: str, set_cookie_values: Iterable[str]) -> None:
        """Take the Set-Cookie lines of an answer to this canonical URL; what is wrong with one costs only that one."""
        asked = parts(url)
        if not asked[1]:
            return
        now = self._clock()
        self._expire(now)
        for line in islice(set_cookie_values, MOST_LINES):
            cookie = received(line, asked, now)
            if cookie is not None and (asked[0] or not self._overlays(cookie)):
                self._keep(cookie, now)

    def read(self, path: str | Path) -> int:
        """Add what a cookies.txt file holds; return how many of its lines are none. Blocking.

        Raises ConfigError if it cannot be read.
        """
        now = self._clock()
        self._expire(now)
        bad = 0
        for cookie in cookiefile.read(path, now):
            if cookie is None:
                bad += 1
            else:
                self._keep(cookie, now)
        return bad

    def write(self, path: str | Path) -> int:
        """Write all cookies to a cookies.txt file, earlier ones first; return how many it cannot carry. Blocking.

        The file is replaced in one step, mode 0600. Raises ScraperError if it cannot be written.
        """
        kept = [each for of_site in list(self._sites.values()) for each in list(of_site.values())]
        now = self._clock()
        ordered = (each[3] for each in sorted(kept, key=lambda each: each[1]))
        return cookiefile.write(path, (each for each in ordered if each.expires_at is None or each.expires_at > now))

    def _site_of(self, host: str) -> OrderedDict[_Key, _Kept] | None:
        """The cookies of a host's site, without asking the Public Suffix List: of a host's ends only one is its site.

        A shorter one may be a site too (a suffix with cookies for itself alone), but none of its cookies fits.
        """
        end = host.removesuffix(".")
        while end:
            if (kept := self._sites.get(end)) is not None:
                return kept
            end = end.partition(".")[2]
        return None

    def _overlays(self, new: Cookie) -> bool:
        """Whether a cookie from http would stand before a Secure one of its name (section 5.7, 16)."""
        kept = self._sites.get(site(new.domain))
        return kept is not None and any(
            old.secure and old.name == new.name and path_matches(new.path, old.path) and _are_related(old, new)
            for _, _, _, old in kept.values()
        )

    def _keep(self, cookie: Cookie, now: float) -> None:
        name = site(cookie.domain)
        key = (name, cookie.domain, cookie.path, cookie.name, cookie.host_only)
        old = self._drop(key)
        if cookie.expires_at is not None and cookie.expires_at <= now:
            return
        self._made += 1
        kept = self._sites.setdefault(name, OrderedDict())
        size = octets(cookie.name) + octets(cookie.value) + 3  # an equals sign, a semicolon, a blank
        kept[key] = (-len(cookie.path), old[1] if old else self._made, size, cookie)
        self._used[key] = None
        if cookie.expires_at is not None:
            self._note_end(cookie.expires_at, key)
        if len(kept) > MOST_OF_SITE:
            self._drop(next((each for each, (*_, one) in kept.items() if not one.secure), next(iter(kept))))
        if len(self._used) > MOST:
            self._drop(next(iter(self._used)))

    def _drop(self, key: _Key) -> _Kept | None:
        """Forget a cookie and return it; None if there is none."""
        kept = self._sites.get(key[0])
        old = kept.pop(key, None) if kept is not None else None
        if old is not None:
            del self._used[key]
        if kept is not None and not kept:
            del self._sites[key[0]]
        return old

    def _expire(self, now: float) -> None:
        """Forget what has ended; so the bounds never push out a living cookie while a dead one is there."""
        while self._ends and self._ends[0][0] <= now:
            ends_at, key = heappop(self._ends)
            if self._end_of(key) == ends_at:
                self._drop(key)

    def _note_end(self, ends_at: float, key: _Key) -> None:
        heappush(self._ends, (ends_at, key))
        if len(self._ends) > 3 * MOST:  # most are of cookies that were set again: rare enough to go through all
            self._ends = [(end, each) for each in self._used if (end := self._end_of(each)) is not None]
            heapify(self._ends)

    def _end_of(self, key: _Key) -> float | None:
        kept = self._sites.get(key[0])
        return kept[key][3].expires_at if kept is not None and key in kept else None


def _are_related(one: Cookie, other: Cookie) -> bool:
    """Whether the domain of one lies within that of the other."""
    a, b = one.domain, other.domain
    return a == b or a.endswith("." + b) or b.endswith("." + a)
