"""The pages of a SQLite file and of its write-ahead log, read as bytes: no SQL, so no damage stops it.

Format: https://www.sqlite.org/fileformat2.html, sections 1.3 (header) and 4 (log). Every number in the file may be a
lie, and is checked before it is used. Not for a file that this process has open by SQLite: closing it drops its locks.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

HEADER = 100  # bytes at the start of page 1
MAGIC = b"SQLite format 3\x00"
USUAL = 4096  # bytes a page, where the header is lost
_LOG_HEADER, _FRAME_HEADER = 32, 24


class PageFile:
    """Pages by number, from 1; of each the newest committed version."""

    def __init__(self, main: BinaryIO, log: BinaryIO | None) -> None:
        self._main, self._log = main, log
        self.has_header = main.read(HEADER)[:16] == MAGIC
        self.size, self.reserved = self._sizes()
        self._newest, in_log = _committed(log, self.size) if log is not None else ({}, 0)
        self.count = max(os.fstat(main.fileno()).st_size // self.size, in_log)

    def page(self, number: int) -> bytes:
        """Return one page; less than a page, or nothing, if the file ends before."""
        if self._log is not None and number in self._newest:
            self._log.seek(self._newest[number])
            return self._log.read(self.size)
        self._main.seek((number - 1) * self.size)
        return self._main.read(self.size)

    @property
    def usable(self) -> int:
        """Bytes of a page that hold rows."""
        return self.size - self.reserved

    def free(self) -> set[int]:
        """The pages that hold nothing any more, as far as their list can be read (section 1.5)."""
        found: set[int] = set()
        trunk = int.from_bytes(self.page(1)[32:36], "big") if self.has_header else 0
        while 0 < trunk <= self.count and trunk not in found:
            found.add(trunk)
            page = self.page(trunk)
            trunk, leaves = int.from_bytes(page[:4], "big"), int.from_bytes(page[4:8], "big")
            if leaves > self.usable // 4 - 2:
                break
            found.update(struct.unpack_from(f">{leaves}I", page, 8) if len(page) >= 8 + 4 * leaves else ())
        return found

    def _sizes(self) -> tuple[int, int]:
        self._main.seek(16)
        head = self._main.read(8)
        if not self.has_header or len(head) < 8:
            return USUAL, 0
        size = int.from_bytes(head[:2], "big")
        size = 65536 if size == 1 else size
        if not (512 <= size <= 65536 and size & (size - 1) == 0):
            size = USUAL
        return size, head[4] if head[4] <= size - 480 else 0


@contextmanager
def open_pages(path: Path) -> Iterator[PageFile]:
    """Open a file and its log, if there is one; raises OSError."""
    with ExitStack() as files:
        main = files.enter_context(path.open("rb"))
        log = path.with_name(path.name + "-wal")
        yield PageFile(main, files.enter_context(log.open("rb")) if log.is_file() else None)


def _committed(log: BinaryIO, size: int) -> tuple[dict[int, int], int]:
    """Where in a log each page stands as of its last whole commit, and how many pages the file has by it."""
    header = log.read(_LOG_HEADER)
    if len(header) < _LOG_HEADER or header[:3] != b"\x37\x7f\x06" or int.from_bytes(header[8:12], "big") != size:
        return {}, 0
    order = ">" if header[3] & 1 else "<"
    sums = _summed(header[:24], order, (0, 0))
    if sums != struct.unpack(">2I", header[24:]):
        return {}, 0
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    count, at = 0, _LOG_HEADER
    while len(frame := log.read(_FRAME_HEADER + size)) == _FRAME_HEADER + size:
        number, commit = struct.unpack_from(">2I", frame)
        sums = _summed(frame[_FRAME_HEADER:], order, _summed(frame[:8], order, sums))
        if frame[8:16] != header[16:24] or sums != struct.unpack_from(">2I", frame, 16):
            break
        pending[number] = at + _FRAME_HEADER
        at += len(frame)
        if commit:
            committed |= pending
            pending, count = {}, commit
    return committed, count


def _summed(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """Go on with the checksum of a log (section 4.2): 0.1 ms a page."""
    one, two = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        one = (one + word + two) & 0xFFFFFFFF
        two = (two + next(words) + one) & 0xFFFFFFFF
    return one, two
