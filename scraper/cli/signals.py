"""Ctrl-C and SIGTERM: the first stops a crawl in order, the second at once; neither loses anything.

Outside of what is here a signal ends the process where it stands (`scraper.__main__`).
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

Handler = Callable[[int, FrameType | None], object]

ONE_WISH = 0.2  # seconds within which SIGTERMs are one: `timeout` sends two, to the process and to its group
TO_COMMIT = 1.3  # seconds after the grace in which what is stopped has to end
NUMBERS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = frozenset(128 + number for number in NUMBERS)


@contextmanager
def signals(stop: Callable[[], None], grace: Callable[[], float]) -> Iterator[list[int]]:
    """Call `stop` at the first signal while the block runs; yields the numbers of those received."""
    import asyncio

    received: list[int] = []
    stopped_at: list[float] = []
    held_up: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    before: dict[int, Handler | int | None] = {number: signal.getsignal(number) for number in NUMBERS}

    def receive(number: int) -> None:
        now = loop.time()
        if received == [signal.SIGTERM] and number == signal.SIGTERM and now - stopped_at[0] < ONE_WISH:
            return
        if received:
            _leave(before[number], number)
        received.append(number)
        stopped_at.append(now)
        stop()
        # Whatever holds it up, a lock on the database or a disk that hangs: what is committed is safe.
        held_up.append(loop.call_later(grace() + TO_COMMIT, _leave, before[number], number))

    for number in NUMBERS:
        loop.add_signal_handler(number, receive, number)
    try:
        yield received
    finally:
        for timer in held_up:
            timer.cancel()
        for each, handler in before.items():
            loop.remove_signal_handler(each)
            signal.signal(each, handler)


@contextmanager
def removing(place: str | Path) -> Iterator[None]:
    """While the block runs, a signal that ends the process removes a temporary file or folder before."""

    def receive(number: int, frame: FrameType | None) -> None:
        if Path(place).is_dir():
            shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):
            Path(place).unlink()
        _leave(before[number], number, frame)

    with _handled(receive) as before:
        yield


@contextmanager
def unwinding() -> Iterator[None]:
    """While the block runs, a signal unwinds what has been begun and exits; a second one ends the process."""

    def receive(number: int, _: FrameType | None) -> None:
        for each, handler in before.items():
            signal.signal(each, handler)
        raise SystemExit(128 + number)

    with _handled(receive) as before:
        yield


@contextmanager
def _handled(receive: Handler) -> Iterator[dict[int, Handler | int | None]]:
    before: dict[int, Handler | int | None] = {number: signal.signal(number, receive) for number in NUMBERS}
    try:
        yield before
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(handler: Handler | int | None, number: int, frame: FrameType | None = None) -> None:
    """End the process at once, as whoever handled the signal before would."""
    try:
        if callable(handler):
            handler(number, frame)
    finally:
        os._exit(128 + number)
