"""May this URL be crawled, and if not, for which reason? Pure; the frontier and the workers ask."""

from __future__ import annotations

import re

from scraper import urls
from scraper.model import Reason, Verdict


class Patterns:
    """The part of the scope that needs only the URL: its scheme, --include and --exclude. Sent to the parse workers."""

    def __init__(self, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> None:
        self.include = tuple(re.compile(pattern) for pattern in include)
        self.exclude = tuple(re.compile(pattern) for pattern in exclude)

    def judge(self, url: str) -> Verdict | None:
        """Return why a canonical URL is refused, or None."""
        if not urls.is_web(url):
            return Verdict(Reason.SCHEME)
        if self.include and not any(pattern.search(url) for pattern in self.include):
            return Verdict(Reason.SCOPE, "matches no --include")
        for pattern in self.exclude:
            if pattern.search(url):
                return Verdict(Reason.SCOPE, f"matches --exclude {pattern.pattern}")
        return None
