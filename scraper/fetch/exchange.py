"""What aiohttp leaves open about one request: whose time is up, no second request, no body that only trickles."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import SimpleNamespace
from typing import NoReturn

import aiohttp

NEVER = 1e6  # seconds


class Deadline:
    """The time of one fetch: one limit for all of it, and one for the phase it is in, whichever ends first.

    A phase that begins later mostly ends later too: the timer runs on and looks, when it goes off, whether it is time.
    """

    def __init__(self, total: float) -> None:
        self.phase = "total"
        self.waited = 0.0  # seconds that were not counted
        self._loop = asyncio.get_running_loop()
        self._last = self._due = self._loop.time() + total
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The context that raises TimeoutError when time is up; `phase` then tells whose time it was."""
        async with self._timeout:
            self._set()
            try:
                yield
            finally:
                assert self._timer is not None
                self._timer.cancel()

    def enter(self, phase: str, seconds: float) -> None:
        """Begin a phase of at most so many seconds."""
        ends_at = self._loop.time() + seconds
        self.phase = phase if ends_at < self._last else "total"
        self._due = min(ends_at, self._last)
        if self._timer is not None and self._due < self._timer.when():
            self._set()

    def expire(self, phase: str) -> NoReturn:
        """Raise TimeoutError: the time of this phase is up, by another measure than the clock's."""
        self.phase = phase
        raise TimeoutError

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The context whose time is not the server's and counts for nothing; a phase is to be entered after it."""
        began = self._loop.time()
        last, self._last = self._last, math.inf
        self._due = began + NEVER
        try:
            yield
        finally:
            self.waited += self._loop.time() - began
            self._last = self._due = last + self._loop.time() - began

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        if self._loop.time() < self._due:
            self._set()
        else:
            self._timeout.reschedule(self._due)


class Exchange:
    """What one fetch learns of its connection: when it is there, and whether it is a kept one.

    aiohttp sends a GET again when the connection is closed instead of an answer. That is right for a kept connection,
    which the server may close at any time; on a fresh one it would be a second request that nobody counts or paces.
    """

    def __init__(self, connected: Callable[[], None]) -> None:
        self._connected = connected
        self._kept = False
        self._asked = False
        self.begun = False  # has any connection carried the request?

    def reuses(self) -> None:
        """A kept connection is taken."""
        self._kept = True

    def refuse_second(self) -> None:
        """Raise ServerDisconnectedError if a fresh connection has carried the request already."""
        if self._asked:
            raise aiohttp.ServerDisconnectedError

    def asks(self) -> None:
        """The request is about to be written."""
        self.refuse_second()
        self._asked, self._kept, self.begun = not self._kept, False, True
        self._connected()


def tracing() -> aiohttp.TraceConfig:
    """Return what makes a session tell each request's Exchange, given as its `trace_request_ctx`."""

    async def on_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.reuses()

    async def on_create(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.refuse_second()

    async def on_headers(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
        context.trace_request_ctx.asks()

    trace = aiohttp.TraceConfig()
    trace.on_connection_reuseconn.append(on_reuse)
    trace.on_connection_create_start.append(on_create)
    trace.on_request_headers_sent.append(on_headers)
    return trace


async def come(content: aiohttp.StreamReader) -> bytes:
    """Return what has come of a body, b"" at its end; raises ClientPayloadError if it ends without one."""
    try:
        return await content.readany()
    except RuntimeError as error:  # how aiohttp tells who would wait at a connection that is gone
        raise aiohttp.ClientPayloadError("the connection ended before the body did") from error


class Flow:
    """A body as it comes: at least `least_rate` bytes a second in each `stretch` of seconds waited for it."""

    def __init__(self, content: aiohttp.StreamReader, deadline: Deadline, least_rate: float, stretch: float) -> None:
        self._content = content
        self._deadline = deadline
        self._least_rate = least_rate
        self._stretch = stretch
        self._clock = asyncio.get_running_loop().time
        self._waited = 0.0
        self._came = 0  # bytes in this stretch

    async def read(self) -> bytes:
        """Return what has come; raises TimeoutError if that was too little for the time."""
        began = self._clock()
        chunk = await come(self._content)
        self._waited += self._clock() - began
        self._came += len(chunk)
        if self._waited >= self._stretch:
            if self._came < self._least_rate * self._waited and not self._content.at_eof():
                self._deadline.expire("least rate")
            self._waited, self._came = 0.0, 0
        return chunk
