"""Content codings, taken off in bounded steps and believed only when each reports its own end (RFC 9110, section 8.4).

A body that ends before its coding does is `truncated`, never a short page. Anything after the end of a coding is
`bad-encoding`; gzip and zstd may hold further members. Memory is bounded by one step a coding, whatever the ratio, and
so is time: from one piece to the next it is 1 ms at most, and 10 ms once, when brotli fills its window of 16 MiB.
What brotli, zstd without its checksum and raw deflate cannot tell is a body whose bytes were changed on the way.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from scraper.model import Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

try:
    import brotli
except ImportError:  # the package is for CPython alone
    brotli = None

STEP = 64 * 1024  # bytes that come out of a coding at once
SLICE = 16 * 1024  # bytes that go into one at once
MOST_CODINGS = 2
MOST_MEMBERS = 1024  # of one gzip or zstd body; honest ones have a few
SLACK = 64 * 1024  # bytes by which an encoded form may exceed the decoded limit
MOST_RATIO = 256  # decoded bytes for each that came; the densest large page of the Rust documentation has 149, in zstd
RATIO_FROM = 4 * 1024 * 1024  # decoded bytes before the ratio counts: repetitive pages are honest, and so far harmless
WINDOW_LOG = 23  # zstd: 8 MiB of window, as RFC 9659 demands of the web

ACCEPTED = "gzip, deflate, br, zstd" if brotli is not None else "gzip, deflate, zstd"


class BodyError(Exception):
    """A body that cannot be had whole: `reason` is truncated, bad-encoding or too-large."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Decoder:
    """Takes the codings off one body, at most `limit` decoded bytes of it, and at most MOST_RATIO for each encoded one.

    Feed it chunks as they come and call `finish` at the end of the framing. `excess` tells why the body is not decoded
    further, None while it is. Raises BodyError.
    """

    def __init__(self, codings: Iterable[str], limit: int) -> None:
        self._stages = [_Stage(coding, limit + SLACK) for coding in reversed(tuple(codings))]
        self._limit = limit
        self._taken = 0
        self._made = 0
        self.excess: str | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what a chunk decodes to, in pieces of about STEP bytes; the consumer may pause between them.

        An empty piece stands for work that has made nothing.
        """
        if self.excess is not None:
            return
        self._taken += len(chunk)
        pieces: Iterable[bytes] = (chunk,)
        for stage in self._stages:
            pieces = stage.through(pieces)
        for piece in pieces:
            left = self._limit - self._made
            self._made += min(len(piece), left)
            if len(piece) > left:
                self.excess = f"over {self._limit} bytes"
            elif self._made > max(RATIO_FROM, MOST_RATIO * self._taken):
                self.excess = f"over {MOST_RATIO} times as long as its encoded form"
            yield piece[:left]
            if self.excess is not None:
                return

    def finish(self) -> None:
        """Raise BodyError (truncated) unless every coding has reported its end."""
        for stage in self._stages:
            if not stage.whole:
                raise BodyError(Reason.TRUNCATED, f"the body ends before its {stage.coding} coding does")


def codings(values: Iterable[str]) -> tuple[str, ...]:
    """Return the codings that `Content-Encoding` names, in the order applied; raises BodyError (bad-encoding)."""
    names = [name.strip().lower() for value in values for name in value.split(",")]
    applied = tuple(_ALIASES.get(name, name) for name in names if name not in {"", "identity"})
    for name in applied:
        if name not in _CODINGS:
            raise BodyError(Reason.BAD_ENCODING, f"unknown content coding {name[:40]!a}")
    if len(applied) > MOST_CODINGS:
        raise BodyError(Reason.BAD_ENCODING, f"{len(applied)} content codings, at most {MOST_CODINGS} are decoded")
    return applied


class _Stream(Protocol):
    """One member of one coding; `rest` is the input beyond its end."""

    ended: bool
    rest: bytes

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class _Stage:
    """One coding of a body: its members, counted, and its input, measured."""

    def __init__(self, coding: str, most_input: int) -> None:
        self.coding = coding
        self._begin, self._further = _CODINGS[coding]
        self._members = 0
        self._stream: _Stream | None = None
        self._most_input = most_input

    @property
    def whole(self) -> bool:
        return self._stream is not None and self._stream.ended

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._most_input -= len(piece)
            if self._most_input < 0:
                raise BodyError(Reason.TOO_LARGE, f"its {self.coding} form alone is over the limit")
            for start in range(0, len(piece) or 1, SLICE):
                yield from self._decoded(piece[start : start + SLICE])

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        if not data:
            yield b""
        try:
            while data:
                if self._stream is None or self._stream.ended:
                    self._next_member(data[0])
                assert self._stream is not None
                made = False
                for piece in self._stream.feed(data):
                    made = True
                    yield piece
                if not made:
                    yield b""
                data = self._stream.rest
        except _FAULTS as fault:
            raise BodyError(Reason.BAD_ENCODING, f"{self.coding}: {fault}") from fault

    def _next_member(self, first: int) -> None:
        self._members += 1
        if self._members > 1 and first not in self._further:
            raise BodyError(Reason.BAD_ENCODING, f"{self.coding}: bytes after the end")
        if self._members > MOST_MEMBERS:
            raise BodyError(Reason.TOO_LARGE, f"{self.coding}: over {MOST_MEMBERS} members")
        self._stream = self._begin()


class _Zlib:
    """One zlib stream; `wbits` 31 is gzip with its CRC and length, 15 zlib, -15 raw deflate."""

    def __init__(self, wbits: int) -> None:
        self._inflater = zlib.decompressobj(wbits)
        self.ended = False
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        while not self.ended:
            piece = self._inflater.decompress(data, STEP)
            data = self._inflater.unconsumed_tail
            self.ended, self.rest = self._inflater.eof, self._inflater.unused_data
            if piece:
                yield piece
            if len(piece) < STEP:  # a full step may leave output inside, even when all input is taken
                return


class _Deflate:
    """`deflate`, which is zlib by the standard and raw by some servers: the first two bytes tell."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: _Zlib | None = None
        self.ended = False
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            self._head += data
            if len(self._head) < 2:
                return
            first, second = self._head[:2]
            is_zlib = first & 0x0F == 8 and first >> 4 <= 7 and (first << 8 | second) % 31 == 0
            self._stream, data = _Zlib(15 if is_zlib else -15), self._head
        yield from self._stream.feed(data)
        self.ended, self.rest = self._stream.ended, self._stream.rest


class _Brotli:
    """One brotli stream; it raises by itself for bytes after its end."""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()
        self.ended = False
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        while not self.ended:
            piece = self._decompressor.process(data, output_buffer_limit=STEP)
            data = b""
            self.ended = self._decompressor.is_finished()
            if piece:
                yield piece
            elif self._decompressor.can_accept_more_data():  # it also says so while output waits inside
                return


class _Zstd:
    """One zstd frame."""

    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
        self._decompressor = zstd.ZstdDecompressor(options=options)
        self.ended = False
        self.rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        while not self.ended:
            piece = self._decompressor.decompress(data, STEP)
            data = b""
            self.ended, self.rest = self._decompressor.eof, self._decompressor.unused_data
            if piece:
                yield piece
            if self._decompressor.needs_input:
                return


_FAULTS: tuple[type[Exception], ...] = (zlib.error, zstd.ZstdError, *((brotli.error,) if brotli is not None else ()))
_ALIASES = {"x-gzip": "gzip"}
# How a stream of each begins, and the first bytes that a further one may have (zstd: a frame, or one to be skipped).
_CODINGS: dict[str, tuple[Callable[[], _Stream], bytes]] = {
    "gzip": (lambda: _Zlib(31), b"\x1f"),
    "deflate": (_Deflate, b""),
    "zstd": (_Zstd, b"\x28" + bytes(range(0x50, 0x60))),
}
if brotli is not None:
    _CODINGS["br"] = (_Brotli, b"")
