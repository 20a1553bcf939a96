"""Run a query in a process that does nothing else: whatever it takes there counts, and at worst the process ends.

Inside one of its instructions SQLite asks nobody whether it may go on, and a plan is made, or `GLOB` compares a page of
16 MiB, for seconds. Aggregates, and what Python makes of a value, regard no limit of SQLite's.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Self

from scraper.errors import QueryError
from scraper.reports.watch import Watch

MEMORY = 56 * 1024 * 1024  # bytes more than the process had
ROOM = 4 * 1024 * 1024  # bytes more while a row is written, or what writes it would find none
MOST_SPILLED = 1024 * 1024 * 1024  # bytes of temporary files, in which SQLite sorts
LOOKS = 0.05  # seconds between two looks at the query
HUNGRY = "the query needs too much memory: narrow it by a WHERE, or take less of long texts: substr(text, 1, 1000)"


class Alone:
    """Looks after the one query of this process, from a thread; `give_up` is told why it has to end the process."""

    def __init__(self, give_up: Callable[[str], None], most_spilled: int = MOST_SPILLED) -> None:
        self.watch: Watch | None = None
        self._give_up = give_up
        self._most_spilled = most_spilled
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="query", daemon=True)

    def __repr__(self) -> str:
        return f"<Alone with {self.watch}>"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self._over.set()
        self._thread.join()
        if isinstance(error, MemoryError):  # while the result was written; inside SQLite it is a QueryError already
            raise QueryError(HUNGRY) from error

    def watching(self, deadline: float, clock: Callable[[], float]) -> Watch:
        """Make the watch of the query; the work of writing its result counts as well, waiting for a reader does not."""
        self.watch = Watch(deadline, clock, busy=time.process_time)
        return self.watch

    def giving_room(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Leave whoever writes a row more memory than whoever made it; msgspec 0.22 crashes when there is none."""
        if sys.platform != "linux":
            yield from rows
            return
        import resource

        limit, most = resource.getrlimit(resource.RLIMIT_DATA)
        roomy = limit if limit < 0 else limit + ROOM if most < 0 else min(limit + ROOM, most)
        for row in rows:
            resource.setrlimit(resource.RLIMIT_DATA, (roomy, most))
            try:
                yield row
            finally:
                resource.setrlimit(resource.RLIMIT_DATA, (limit, most))

    def _look(self) -> None:
        while not self._over.wait(LOOKS):
            if self.watch is None:
                continue
            if self.watch.is_stuck():
                self._give_up(self.watch.late)
            if _spilled() > self._most_spilled:
                self.watch.stop(f"over {self._most_spilled:,} bytes to sort or compare: narrow it by a WHERE")


def limit_memory(connection: sqlite3.Connection, size: int = MEMORY) -> None:
    """Let SQLite, and where the system can tell (Linux) all of this process, take at most `size` bytes more, for good.

    Beyond is a MemoryError. So only for a process that does nothing else.
    """
    connection.execute(f"PRAGMA hard_heap_limit = {int(size)}").fetchall()
    if sys.platform == "linux":
        import resource

        # Pages of data and stack, as proc(5) says; the same that RLIMIT_DATA counts, see getrlimit(2).
        with open("/proc/self/statm", encoding="ascii") as counts:  # noqa: PTH123 - no Path: it is the smallest of files
            used = int(counts.read().split()[5]) * resource.getpagesize()
        _, most = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = used + int(size)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if most < 0 else min(wanted, most), most))


def _spilled() -> int:
    """Bytes of files that are open here and have no name any more: SQLite's temporary ones."""
    total = 0
    with suppress(OSError):
        for name in os.listdir("/dev/fd"):  # noqa: PTH208 - numbers, no paths
            with suppress(OSError):
                status = os.fstat(int(name))
                if status.st_nlink == 0 and stat.S_ISREG(status.st_mode):
                    total += status.st_size
    return total
