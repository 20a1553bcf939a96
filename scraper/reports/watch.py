"""A query's deadline: counts the seconds of its work, and stops it."""

from __future__ import annotations

import time
from collections.abc import Callable

from scraper.errors import QueryError

PATIENCE = 0.1  # seconds over its deadline, after which a query is one that cannot be stopped


class Watch:
    """Stands around every stretch of work inside SQLite: counts its seconds, stops it, tells an end by force as ours.

    Between stretches the time is the caller's own and free, but for what `busy` counts: seconds, in any measure.
    """

    def __init__(
        self, deadline: float, clock: Callable[[], float] = time.monotonic, busy: Callable[[], float] | None = None
    ) -> None:
        self._deadline = deadline
        self._clock = clock
        self._busy = busy
        self._spent = 0.0
        self._since: float | None = None  # None outside of SQLite
        self._left_at: float | None = None  # by `busy`
        self._why = ""  # it has to stop
        self._stop: KeyboardInterrupt | None = None

    def __repr__(self) -> str:
        where = "outside" if self._since is None else "inside"
        return f"<Watch {where} spent={self._spent:g} of {self._deadline:g} why={self._why!r}>"

    def __enter__(self) -> None:
        if self._busy is not None and self._left_at is not None:
            self._spent += self._busy() - self._left_at
            if self._spent > self._deadline:
                raise QueryError(self.late)
        self._since = self._clock()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        assert self._since is not None
        self._spent += self._clock() - self._since
        self._since = None
        if self._busy is not None:
            self._left_at = self._busy()
        if self._stop is not None:
            raise self._stop
        if self._why and error is not None:
            raise QueryError(self._why) from error

    @property
    def late(self) -> str:
        """What is told of a query that is over its deadline."""
        return f"over {self._deadline:g} s: narrow it by a WHERE, or give it more time"

    def stop(self, why: str) -> None:
        """Stop the query, from any thread."""
        self._why = why

    def is_over(self) -> bool:
        """Must the query stop? SQLite asks, and it would swallow a Ctrl-C that comes here."""
        try:
            if not self._why and self._seconds() > self._deadline:
                self._why = self.late
        except KeyboardInterrupt as error:
            self._stop = error
        return bool(self._why) or self._stop is not None

    def is_stuck(self) -> bool:
        """Is it long past its deadline, and SQLite does not ask? Asked from another thread."""
        return self._since is not None and self._seconds() > self._deadline + PATIENCE

    def _seconds(self) -> float:
        since = self._since
        return self._spent + (self._clock() - since if since is not None else 0.0)
