"""Stored bodies, decoded in bounded steps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import blake2b

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 1 << 20  # bytes
LONGEST = 64 << 20  # bytes, of a body that is looked through


def content_hash(packed: bytes) -> str | None:
    """Return the hash of a body as its page has it; None if it does not decode."""
    digest = blake2b(digest_size=16)
    try:
        for piece in _pieces(packed):
            digest.update(piece)
    except ValueError:
        return None
    return digest.hexdigest()


def text(packed: bytes, charset: str | None) -> str:
    """Return as much of a body as decodes, without raising."""
    parts, size = [], 0
    try:
        for piece in _pieces(packed):
            parts.append(piece)
            size += len(piece)
            if size > LONGEST:
                break
    except ValueError:
        pass
    whole = b"".join(parts)
    try:
        return whole.decode(charset or "utf-8", "replace")
    except LookupError:
        return whole.decode("utf-8", "replace")


def _pieces(packed: bytes) -> Iterator[bytes]:
    """Raises ValueError if it is damaged or cut short."""
    decompressor, rest = zstd.ZstdDecompressor(), packed
    try:
        while not decompressor.eof:
            piece, rest = decompressor.decompress(rest, max_length=STEP), b""
            if not piece and decompressor.needs_input:
                raise ValueError("cut short")
            yield piece
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error
