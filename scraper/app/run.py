"""A crawl being run, as its user holds it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from scraper.app.course import Course, Start
from scraper.app.line import Extractor
from scraper.config import Config, Loaded
from scraper.frontier import Frontier
from scraper.model import Crawl, CrawlState, Tally, Visit
from scraper.store import RuleTally, Store


class Run:
    """One crawl being run: an async iterable of its visits, each yielded once it is committed.

    Break out of it at any time; what has ended is committed and the crawl can be resumed. It ends when this object and
    its iterator are dropped, or `aclose` is awaited. `crawl` and `config` are known from the first visit on.
    """

    def __init__(
        self,
        start: Start,
        store: Store | str | Path,
        loaded: Loaded,
        extractors: Iterable[Extractor],
    ) -> None:
        self._course = Course(start, store, loaded, tuple(extractors))
        self._visits = self._course.visits()

    def __aiter__(self) -> AsyncGenerator[Visit]:
        return self._visits

    async def aclose(self) -> None:
        """Stop at once; cancel what runs, commit what has ended."""
        await self._visits.aclose()

    def stop(self) -> None:
        """Stop in order: start nothing more, let what runs end for `crawl.grace` seconds, commit."""
        self._course.stop()

    @property
    def crawl(self) -> Crawl | None:
        """What is run; None until it is begun."""
        return self._course.crawl

    @property
    def config(self) -> Config:
        """The settings it runs with."""
        return self._course.config

    @property
    def tally(self) -> Tally:
        """The accounting so far; audited at the end."""
        return self._course.tally

    @property
    def rules(self) -> tuple[RuleTally, ...]:
        """What each rule and extractor came to; known at the end."""
        return self._course.rules

    @property
    def state(self) -> CrawlState:
        """Where it stands, or how it ended."""
        return self._course.state

    @property
    def frontier(self) -> Frontier | None:
        """The frontier while the crawl runs: which hosts are in memory and how they do."""
        return self._course.frontier
