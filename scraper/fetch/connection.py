"""One connection: so much may come around a body, and what comes unasked is never the answer to what is asked next.

aiohttp reads on between two requests, keeps what it takes for an answer, and gives it to whoever asks next. Such data
must not be processed as a response (RFC 9112, section 6.3): the connection is closed instead.
"""

from __future__ import annotations

import asyncio
import re
import select
from typing import Any

from aiohttp.client_exceptions import ClientPayloadError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader

from scraper.fetch.body import BodyError
from scraper.model import Reason

HEAD_LINES = 8  # a whole head, interim answers before it included, is at most so many of the longest header lines
MOST_INTERIM = 32  # answers such as "100 Continue" and "103 Early Hints"; honest servers send one or two
MOST_FRAMING = 1024 * 1024  # bytes around a body, besides as many as it has itself; chunks of one byte have five
READ_AT_ONCE = 64 * 1024  # bytes; asyncio takes four times as many, and so much of tiny answers keeps the loop 45 ms

_BLANK_LINE = re.compile(rb"\n\r?\n")  # a bare LF ends a line too (RFC 9112, section 2.2)


class Connection(ResponseHandler):
    """What aiohttp makes for each connection; before the body at most `most_head` bytes are read of an answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_head: int) -> None:
        super().__init__(loop)
        self._most_head = most_head
        self._expects_head = False
        self._has_head = False
        self._interim = 0
        self._last = b""  # bytes of the head
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        super().connection_made(transport)
        transport.max_size = READ_AT_ONCE  # type: ignore[attr-defined]

    def set_response_params(self, **options: Any) -> None:  # noqa: ANN401 - aiohttp's own
        """A request is about to be sent."""
        self._expects_head, self._has_head = True, False
        self._interim = self._received = 0
        self._last = b""
        super().set_response_params(**options)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """The head of an answer has come, or one of those that announce it (RFC 9110, section 15.2)."""
        if 100 <= data[0].code < 200 and data[0].code != 101:
            self._interim += 1
        else:
            self._expects_head, self._has_head = False, True
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Read what came, if there is anybody to read it.

        The parser is given each head by itself: of bytes that are malformed it tells nothing but that, and what is
        behind an answer must not change that answer, whether it comes with it or later.
        """
        while self._expects_head and self.exception() is None and (end := self._end_of_head(data)):
            self._read(data[:end])
            self._last, data = b"", data[end:]
            if not data:
                return
        self._read(data)

    def _read(self, data: bytes) -> None:
        if data and self._is_idle:
            self.force_close()
            if self.transport is not None:
                self.transport.abort()
            return
        if self._expects_head and not self._last.strip(b"\r\n") and data.lstrip(b"\r\n")[:1] in {b"R", b"I"}:
            self._refuse("Bad status line")  # RTSP and ICE, which the parser speaks too
            return
        self._received += len(data)
        if self._expects_head and self._received > self._most_head:
            self._refuse(f"Headers over {self._most_head} bytes")
            return
        body = None if self._expects_head else self._payload
        super().data_received(data)
        if body is not None and not body.is_eof() and body.exception() is None:
            self._judge_body(body)
        if self._expects_head and self.exception() is None:
            self._last = (self._last + data)[-3:]
            if self._interim > MOST_INTERIM:
                self._refuse(f"Over {MOST_INTERIM} interim answers")

    def _judge_body(self, body: StreamReader) -> None:
        if self.exception() is not None:
            self._fail(body, BodyError(Reason.PROTOCOL, "malformed body framing"))
        elif self._received > 2 * body.total_bytes + self._most_head + MOST_FRAMING:
            self._fail(body, BodyError(Reason.PROTOCOL, f"over {MOST_FRAMING} bytes of framing"))

    def _fail(self, body: StreamReader, error: Exception) -> None:
        """Fail the reader of a body: now, or once it waits again, for an end of a chunk may just have woken it."""
        body.set_exception(error)
        self._loop.call_soon(body.set_exception, error)
        self._payload = None
        self.force_close()

    def _end_of_head(self, data: bytes) -> int:
        """Where in the data a head ends, 0 if it does not."""
        found = _BLANK_LINE.search(self._last + data)
        return max(0, found.end() - len(self._last)) if found is not None else 0

    def _refuse(self, why: str) -> None:
        self.set_exception(HttpProcessingError(code=400, message=why))
        if self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection is gone; a body that would have ended with it is cut if it was not closed but reset."""
        if exc is not None and self._payload is not None and not self._is_idle:
            self._fail(self._payload, ClientPayloadError("the connection ended before the body did"))
            self._parser = None  # which would take this for the end
        super().connection_lost(exc)

    def is_connected(self) -> bool:
        """Can a request be sent? An idle connection on which anything has come, if only an end, is not taken."""
        return super().is_connected() and not (self._is_idle and self._is_readable())

    @property
    def _is_idle(self) -> bool:
        """Has the answer come to its end, and was nothing asked since?"""
        return self._has_head and (self._payload is None or self._payload.is_eof())

    def _is_readable(self) -> bool:
        """Has anything come that the loop has not taken yet? 2 us; False where it cannot be asked."""
        place = self.transport.get_extra_info("socket") if self.transport is not None else None
        if place is None or not hasattr(select, "poll"):
            return False
        poll = select.poll()
        poll.register(place.fileno(), select.POLLIN)
        return bool(poll.poll(0))
