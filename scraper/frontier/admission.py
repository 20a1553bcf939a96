"""How a host comes into memory: with its clock, its rules and its budgets as they were left."""

from __future__ import annotations

from collections.abc import Sequence

from scraper.config import CrawlConfig, PolitenessConfig
from scraper.frontier.budget import Budget
from scraper.frontier.line import HostLine
from scraper.model import HostState
from scraper.politeness import Host


class Admission:
    """Makes lines of hosts; `went_on_at` is when a crawl was gone on with, None if it has just begun.

    Of one that goes on it is not known what was asked just before its end: no host is asked at once.
    """

    def __init__(
        self,
        config: PolitenessConfig,
        limits: CrawlConfig,
        *,
        agent: str,
        went_on_at: float | None,
        by_levels: bool,
    ) -> None:
        self._config = config
        self._limits = limits
        self._agent = agent
        self._went_on_at = went_on_at
        self._by_levels = by_levels

    def lines(self, states: Sequence[HostState]) -> list[HostLine]:
        """Make the lines of hosts as they are remembered; blocking: the longest robots.txt take most of a second."""
        return [self._line(state) for state in states]

    def _line(self, state: HostState) -> HostLine:
        host = Host(state, self._config, agent=self._agent, not_before=self._not_before(state))
        return HostLine(host, Budget(self._limits, state.spent), by_levels=self._by_levels)

    def _not_before(self, state: HostState) -> float:
        if self._went_on_at is None:
            return 0.0
        slowdown = state.slowdown if self._config.adaptive else 0.0
        return self._went_on_at + max(self._config.delay, state.crawl_delay or 0.0) + slowdown
