"""Readable text of the pieces that a walk over a page brings: blocks on lines of their own, white space collapsed.

The pieces are joined first and cut into lines afterwards, because most of a page's breaks have nothing between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_MARK = "\x01"
BREAK = f" {_MARK} "  # the piece that ends a line; so does U+0001 itself, should a page have one
_BLANK_LINES = re.compile(r"\n{3,}")


def readable(pieces: list[str], kept: Sequence[tuple[int, int]]) -> str:
    """Return the text; between the positions in `kept` (distinct ranges, in order) white space stays as it is."""
    lines: list[str] = []
    done = 0
    for start, end in kept:
        lines.extend(_flowing(pieces[done:start]))
        lines.extend(_preserved(pieces[start:end]))
        done = end
    lines.extend(_flowing(pieces[done:] if done else pieces))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def words(pieces: list[str]) -> str:
    """Return all in one line, white space collapsed."""
    return " ".join("".join(pieces).replace(BREAK, " ").split())


def _flowing(pieces: list[str]) -> Iterator[str]:
    """Cut into lines by a few passes over the whole, not line by line."""
    text = " ".join("".join(pieces).split()).replace(f" {_MARK}", _MARK).replace(f"{_MARK} ", _MARK)
    while _MARK * 2 in text:
        text = text.replace(_MARK * 4, _MARK).replace(_MARK * 2, _MARK)
    if text := text.strip(f"{_MARK} "):
        yield text.replace(_MARK, "\n")


def _preserved(pieces: list[str]) -> Iterator[str]:
    for block in "".join(pieces).split(BREAK):
        if text := "\n".join([row.rstrip() for row in block.split("\n")]).strip("\n"):
            yield text
