"""The pages of a SQLite file as they lie on the disk, those of its write-ahead log over them; SQLite has no part in it.

For files that SQLite itself cannot read any more (https://sqlite.org/fileformat2.html, sections 1.2 to 1.6 and 4).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

HEADER = 100  # bytes before the first page's own header
USUAL_PAGE = 4096
_SIZES = tuple(2**power for power in range(9, 17))
_KINDS = frozenset({b"\x02", b"\x05", b"\x0a", b"\x0d"})  # of pages of a b-tree
_SAMPLE = 200  # pages that are looked at to find their size
_FRAME = struct.Struct(">6I")
_WAL_HEADER = struct.Struct(">8I")
_MAGIC = 0x377F0682  # of a log with checksums in the order of little-endian words; one more is big-endian


class _Frame(NamedTuple):
    """A page in the log: its number, the pages of the database if it ends a transaction, where its bytes are."""

    page: int
    commit: int
    place: int
    whole: bool


class Image:
    """The pages of a database by their numbers, from 1.

    Of the log all is taken up to its last commit, also what comes after a damaged frame, where SQLite itself would
    stop: only the damaged ones are left out.
    """

    def __init__(self, file: BinaryIO, log: BinaryIO | None) -> None:
        self._file = file
        self._log = log
        self._bytes = os.fstat(file.fileno()).st_size
        self.page_size = _page_size(self._read(0, HEADER), self._read)
        self._frames = _frames(log, self.page_size) if log is not None else []
        last = max((number for number, frame in enumerate(self._frames) if frame.commit), default=-1)
        committed = self._frames[: last + 1]
        self._newest = {frame.page: frame.place for frame in committed if frame.whole}
        self.damaged_frames = sum(not frame.whole for frame in committed)
        self._owners: dict[int, int] = {}
        self.count = max(-(-self._bytes // self.page_size), *self._newest, 0)

    def page(self, number: int) -> bytes | None:
        """Return a page; None if there is none, or not all of it."""
        if not 1 <= number <= self.count:
            return None
        if self._log is not None and number in self._newest:
            return os.pread(self._log.fileno(), self.page_size, self._newest[number])
        found = self._read((number - 1) * self.page_size, self.page_size)
        return found if len(found) == self.page_size else None

    def continuation(self, number: int, owner: int) -> bytes | None:
        """Return an overflow page of the cell `owner`; None if it is another's: each belongs to one."""
        return self.page(number) if self._owners.setdefault(number, owner) == owner else None

    def _read(self, start: int, size: int) -> bytes:
        return os.pread(self._file.fileno(), size, start)


@contextmanager
def open_image(path: Path) -> Iterator[Image]:
    """Open a database and its log, to be read only.

    Not in a process that has the database open by SQLite: closing this would drop SQLite's locks
    (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    beside = path.with_name(f"{path.name}-wal")
    with path.open("rb") as file:
        if beside.is_file():
            with beside.open("rb") as log:
                yield Image(file, log)
        else:
            yield Image(file, None)


def _page_size(header: bytes, read: Callable[[int, int], bytes]) -> int:
    """What the header says, or the usual size, by which of them more pages begin as those of a b-tree do."""
    (said,) = struct.unpack(">H", header[16:18]) if len(header) == HEADER else (0,)
    said = 65536 if said == 1 else said

    def hits(size: int) -> int:
        return sum(read(number * size, 1) in _KINDS for number in range(1, _SAMPLE))

    return max((said, USUAL_PAGE) if said in _SIZES else (USUAL_PAGE,), key=hits)


def _frames(log: BinaryIO, page_size: int) -> list[_Frame]:
    """The frames of the log's present generation, and whether each is as it was written."""
    header = log.read(_WAL_HEADER.size)
    if len(header) < _WAL_HEADER.size:
        return []
    magic, _, _, _, *salts, first, second = _WAL_HEADER.unpack(header)
    order = ">" if magic == _MAGIC + 1 else "<"
    sums = summed = first, second
    frames = list[_Frame]()
    is_sound = magic & ~1 == _MAGIC and _summed(header[:24], (0, 0), order) == sums
    place = _WAL_HEADER.size
    misses = 0
    while len(head := log.read(_FRAME.size)) == _FRAME.size and len(page := log.read(page_size)) == page_size:
        number, commit, *its_salts, first, second = _FRAME.unpack(head)
        if not (is_sound or frames):
            salts = its_salts  # the header is damaged: the first frame is of the same generation
        if its_salts != salts:
            misses += 1
            if misses > 1:
                break  # what an earlier generation has left
        # It goes on from the sum before, as that is written, or, if that is damaged, as it came out.
        comes_out = _summed(head[:8] + page, sums, order)
        if comes_out != (first, second) and summed != sums:
            comes_out = _summed(head[:8] + page, summed, order)
        whole = its_salts == salts and comes_out == (first, second)
        frames.append(_Frame(number, commit if its_salts == salts else 0, place + _FRAME.size, whole))
        sums, summed = (first, second), comes_out
        place += _FRAME.size + page_size
    return frames


def _summed(data: bytes, start: tuple[int, int], order: str) -> tuple[int, int]:
    """The checksum of https://sqlite.org/fileformat2.html, section 4.2, going on from an earlier one."""
    first, second = start
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second
