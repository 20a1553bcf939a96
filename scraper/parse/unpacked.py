"""The bytes of a body that may be a gzip file, in pieces and never more than a listing may have.

A `.xml.gz` is a file, not a content coding: the fetch takes off what `Content-Encoding` names, this what is left. What
could be read before a fault counts, for a listing that was cut short still names pages.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

MOST_BYTES = 50 * 1024 * 1024  # decoded; the protocol's limit (https://www.sitemaps.org/protocol.html#index)
MOST_MEMBERS = 1024  # of one gzip file; honest ones have a few
STEP = 64 * 1024  # bytes that come out at once
SLICE = 16 * 1024  # bytes that go into gzip at once

_MAGIC = b"\x1f\x8b"
_GZIP = 31  # zlib's window bits for gzip with its header, CRC and length


class Unpacked:
    """A body to be read once; `note` tells afterwards why it was not read to its end, None if it was."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.is_gzip = body.startswith(_MAGIC)
        self.note: str | None = None

    def pieces(self) -> Iterator[bytes]:
        """Yield the decoded bytes, about STEP at once, MOST_BYTES in all; raises nothing."""
        left = MOST_BYTES
        for piece in self._gunzipped() if self.is_gzip else _slices(self._body, STEP):
            if len(piece) > left:
                self.note = f"read up to {MOST_BYTES} bytes, the rest is left out"
                yield piece[:left]
                return
            left -= len(piece)
            yield piece

    def _gunzipped(self) -> Iterator[bytes]:
        inflater, members = zlib.decompressobj(_GZIP), 1
        for part in _slices(self._body, SLICE):
            data, more = part, True
            while more:
                if inflater.eof:
                    data = data.lstrip(b"\0")  # padding, which some put behind the last member
                    if not data:
                        break
                    inflater, members = zlib.decompressobj(_GZIP), members + 1
                    if members > MOST_MEMBERS:
                        self.note = f"gzip: over {MOST_MEMBERS} members, the rest is left out"
                        return
                before = inflater.copy()
                try:
                    piece = inflater.decompress(data, STEP)
                except zlib.error as fault:
                    self.note = f"gzip: {fault}"
                    yield _salvaged(before, data)
                    return
                if piece:
                    yield piece
                data = inflater.unused_data or inflater.unconsumed_tail
                more = bool(data) or len(piece) == STEP  # a full step may leave output inside
        if not inflater.eof:
            self.note = "gzip: the body ends before its coding does"


def _salvaged(inflater: zlib._Decompress, data: bytes) -> bytes:
    """Return what comes out before a fault; zlib throws away what it has made in the step that meets it."""
    made = bytearray()
    with contextlib.suppress(zlib.error):
        while len(made) < STEP and (byte := inflater.decompress(data, 1)):
            made += byte
            data = inflater.unconsumed_tail
    return bytes(made)


def _slices(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))
