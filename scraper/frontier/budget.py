"""What may still be taken of a host: pages in all, pages below a path, pages of a shape that bring nothing new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scraper import urls
from scraper.config import CrawlConfig, path_budget
from scraper.model import CrawlUrl, Kind, ParsedPage, Reason, UrlState, Verdict, Visit
from scraper.traps import Shapes

_LIKE = "like "  # before the shape of pages that bring nothing new


class Budget:
    """The bounds of one host and what is used up of them, by name; `spent` is what earlier runs used up.

    Exact: what is out and may become a page counts until it has ended otherwise. What a rule follows has no trap to
    fear, and neither has a seed.
    """

    def __init__(self, config: CrawlConfig, spent: Iterable[tuple[str, int]] = ()) -> None:
        self._spent = Counter(dict(spent))
        self._open: Counter[str] = Counter()
        named = filter(None, map(path_budget, config.max_per_path))
        self._most = {_path(path): most for path, most in named}
        if config.max_per_host is not None:
            self._most[""] = config.max_per_host
        counts = {name.removeprefix(_LIKE): n for name, n in self._spent.items() if name.startswith(_LIKE)}
        self._shapes = Shapes(config.trap_pages, counts) if config.traps else None

    def verdict(self, url: CrawlUrl) -> Verdict | None:
        """Return why a URL is not asked, or None."""
        if url.kind is not Kind.PAGE:
            return None
        for path in self._paths(url):
            if self._spent[path] >= self._most[path]:
                return Verdict(Reason.BUDGET, f"{self._most[path]} pages {f'below {path}' if path else 'of this host'}")
        if self._shapes is not None and not url.seed:
            return self._shapes.verdict(url.url, url.generation)
        return None

    def holds(self, url: CrawlUrl) -> bool:
        """Must a URL wait, because what is out may use up the rest?"""
        return any(
            self._open[path] and self._spent[path] + self._open[path] >= self._most[path] for path in self._paths(url)
        )

    def fetched(self, url: CrawlUrl, page: ParsedPage) -> bool:
        """Note a page that came, and say if it is a copy of one whose URL has the same shape."""
        if self._shapes is None or not page.fingerprint:
            return False
        return self._shapes.fetched(url.url, url.generation, page.fingerprint)

    def begin(self, url: CrawlUrl) -> None:
        """A URL is handed out."""
        if self._most:
            self._open.update(self._paths(url))

    def end(self, url: CrawlUrl, visit: Visit | None) -> tuple[str, ...]:
        """A URL that was handed out has its outcome; return what it has used up."""
        used = self._paths(url)
        self._open.subtract(used)
        if visit is None or visit.state is not UrlState.FETCHED or visit.is_listing:
            return ()
        if self._shapes is not None and (idle := self._shapes.changes()):
            used += tuple(_LIKE + form for form, count in idle.items() for _ in range(count))
        if used:
            self._spent.update(used)
        return used

    def _paths(self, url: CrawlUrl) -> tuple[str, ...]:
        """The budgets that a page is counted in: those of the paths it lies below, "" that of all."""
        if not self._most:
            return ()
        path = url.url[len(url.host) :]
        return tuple(start for start in self._most if path.startswith(start))


def _path(text: str) -> str:
    """A path as canonical URLs have it."""
    return urls.canonical(f"http://h{text}").removeprefix("http://h")
