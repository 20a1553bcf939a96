"""Whose turn is it? Hosts' lines in the order of the moments at which they may be asked."""

from __future__ import annotations

import heapq
from itertools import count

from scraper.frontier.line import HostLine


class Turns:
    """One moment for each line that has one; equal moments in order of arrival. Moments are UTC seconds."""

    def __init__(self) -> None:
        self._moments: dict[HostLine, float] = {}
        self._heap: list[tuple[float, int, HostLine]] = []  # entries whose moment is no longer the line's are stale
        self._arrivals = count()

    @property
    def first_at(self) -> float | None:
        """The earliest moment of all."""
        while self._heap and self._moments.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def put(self, line: HostLine, moment: float) -> None:
        """Give a line its moment; an earlier one that it has already stays: when it has come, the line is looked at."""
        known = self._moments.get(line)
        if known is None or moment < known:
            self._moments[line] = moment
            heapq.heappush(self._heap, (moment, next(self._arrivals), line))

    def take(self, now: float) -> HostLine | None:
        """Take out the first line whose moment has come."""
        if (first_at := self.first_at) is None or first_at > now:
            return None
        line = heapq.heappop(self._heap)[2]
        del self._moments[line]
        return line

    def drop(self, line: HostLine) -> None:
        """Take out this line."""
        self._moments.pop(line, None)
