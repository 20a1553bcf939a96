"""Ctrl-C and SIGTERM: the first stops in order, the second at once; neither loses anything."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ONE_WISH = 0.2  # seconds within which SIGTERMs are one: `timeout` sends two, to the process and to its group
TO_COMMIT = 1.3  # seconds after the grace in which what is stopped has to end
INTERRUPTED = frozenset({128 + signal.SIGINT, 128 + signal.SIGTERM})


@contextmanager
def signals(stop: Callable[[], None], grace: Callable[[], float]) -> Iterator[list[int]]:
    """Call `stop` at the first signal while the block runs; yields the numbers of those received."""
    received: list[int] = []
    stopped_at: list[float] = []
    held_up: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()

    def receive(number: int) -> None:
        now = loop.time()
        if received == [signal.SIGTERM] and number == signal.SIGTERM and now - stopped_at[0] < ONE_WISH:
            return
        if received:
            os._exit(128 + number)
        received.append(number)
        stopped_at.append(now)
        stop()
        # Whatever holds it up, a lock on the database or a disk that hangs: what is committed is safe.
        held_up.append(loop.call_later(grace() + TO_COMMIT, os._exit, 128 + number))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, receive, number)
    try:
        yield received
    finally:
        for timer in held_up:
            timer.cancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
