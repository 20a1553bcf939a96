"""A body read as it comes: decoded in small steps, bounded, with room of its own once it is large.

Between two steps others have the loop. A step takes 0.5 ms for text, 1 ms for what is made to be slow, and 10 ms when
brotli fills its window at once.
"""

from __future__ import annotations

import asyncio

import aiohttp

from scraper import urls
from scraper.fetch.body import STEP, BodyError, Decoder, codings
from scraper.fetch.exchange import Deadline, Flow
from scraper.fetch.room import SMALL, Room
from scraper.model import Reason, Response

LEAST_WORK = 1024  # bytes; what comes out in crumbs costs as much as so many


class Intake:
    """Reads one body of at most `most` bytes; a longer one is cut there if `cuts`, else an error.

    It is idle for `idle` seconds at most, the time that it waits for room not counted: while it waits, so does the
    server.
    """

    def __init__(self, response: Response, deadline: Deadline, room: Room | None, *, most: int, cuts: bool) -> None:
        self._url = response.url
        self._codings = codings(response.header_values("content-encoding"))
        self._deadline = deadline
        self._room = room
        self._most = most
        self._cuts = cuts

    async def read(self, answer: aiohttp.ClientResponse, idle: float, least_rate: float) -> bytes:
        """Return the body, decoded and whole. Raises BodyError."""
        if not self._cuts and (answer.content_length or 0) > self._most:
            raise BodyError(Reason.TOO_LARGE, f"over {self._most} bytes")
        decoder = Decoder(self._codings, self._most)
        flow = Flow(answer.content, self._deadline, least_rate, 2 * idle)
        pieces: list[bytes] = []
        size = work = 0
        while decoder.excess is None and not answer.content.at_eof():
            self._deadline.enter("idle", idle)
            for piece in decoder.feed(await flow.read()):
                if size <= SMALL < size + len(piece):
                    await self._enter_room(answer.content_length)
                pieces.append(piece)
                size += len(piece)
                work += max(len(piece), LEAST_WORK) if piece else STEP
                if work >= STEP:  # a small chunk can decode to megabytes, or to nothing for long
                    work = 0
                    await asyncio.sleep(0)
        if decoder.excess is None:
            decoder.finish()
        elif self._cuts:
            answer.close()
        else:
            raise BodyError(Reason.TOO_LARGE, decoder.excess)
        if self._room is not None:
            self._room.keep(self._url, size)
        return b"".join(pieces)

    async def _enter_room(self, length: int | None) -> None:
        """Wait for room for all that the body can become."""
        if self._room is not None:
            known = length is not None and not self._codings
            with self._deadline.paused():
                size = min(self._most, length or 0) if known else self._most
                await self._room.enter(self._url, urls.host(self._url), size)
