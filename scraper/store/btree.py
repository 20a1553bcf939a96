"""The rows in the pages of a SQLite file, wherever their cells can be read.

Format: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-trees), 1.6.1 (payload) and 2.1 (records).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from scraper.store.pagefile import HEADER, PageFile

Value: TypeAlias = int | float | str | bytes | None

INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF = 0x02, 0x05, 0x0A, 0x0D
KINDS = frozenset({INDEX_INNER, TABLE_INNER, INDEX_LEAF, TABLE_LEAF})
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}  # serial type: bytes
MOST_COLUMNS = 2000  # SQLite's own limit


class Row(NamedTuple):
    """A row as stored: `rowid` is None in a tree of keys, the values are those of the columns in their order."""

    rowid: int | None
    values: list[Value]


class Page:
    """One page of a tree: what kind it is, its children, its rows. `whole` tells whether every cell could be read."""

    def __init__(self, file: PageFile, number: int) -> None:
        self._file = file
        self._data = file.page(number)
        self._start = HEADER if number == 1 else 0
        head = self._data[self._start : self._start + 12]
        self.kind = head[0] if len(head) == 12 and head[0] in KINDS else 0
        self.whole = self.kind != 0 and len(self._data) == file.size
        self.overflow: list[int] = []  # the pages that the rows read so far go on in

    @property
    def is_inner(self) -> bool:
        """Does it have children?"""
        return self.kind in {INDEX_INNER, TABLE_INNER}

    def children(self) -> list[int]:
        """The numbers of the pages below, as far as they can be."""
        if not self.is_inner:
            return []
        cells = [self._data[at : at + 4] for at in self._cells()]
        found = [*cells, self._data[self._start + 8 : self._start + 12]]
        return [number for each in found if 0 < (number := int.from_bytes(each, "big")) <= self._file.count]

    def rows(self) -> Iterator[Row]:
        """Yield the rows that can be read; what cannot makes the page not `whole`."""
        if self.kind == TABLE_INNER:
            return
        for at in self._cells():
            try:
                yield self._row(at + 4 if self.kind == INDEX_INNER else at)
            except (IndexError, ValueError, struct.error):
                self.whole = False

    def _cells(self) -> list[int]:
        start = self._start + (12 if self.is_inner else 8)
        count = int.from_bytes(self._data[self._start + 3 : self._start + 5], "big") if self.kind else 0
        count = max(0, min(count, (len(self._data) - start) // 2))
        places = struct.unpack(f">{count}H", self._data[start : start + 2 * count])
        good = [at for at in places if start + 2 * count <= at < len(self._data)]
        self.whole = self.whole and len(good) == len(places)
        return good

    def _row(self, at: int) -> Row:
        size, at = _varint(self._data, at)
        rowid = None
        if self.kind == TABLE_LEAF:
            unsigned, at = _varint(self._data, at)
            rowid = unsigned - (1 << 64) if unsigned >= 1 << 63 else unsigned
        return Row(rowid, _values(self._payload(size, at)))

    def _payload(self, size: int, at: int) -> bytes:
        """The bytes of a row, which may go on in other pages."""
        usable = self._file.usable
        most = usable - 35 if self.kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if size <= most:
            local, rest = size, 0
        else:
            least = (usable - 12) * 32 // 255 - 23
            local = least + (size - least) % (usable - 4)
            local = local if local <= most else least
            rest = size - local
        if size > self._file.count * self._file.size or at + local > len(self._data):
            raise ValueError("longer than the file")
        parts = [self._data[at : at + local]]
        following = int.from_bytes(self._data[at + local : at + local + 4], "big") if rest else 0
        while rest > 0:
            page = self._file.page(following) if 0 < following <= self._file.count else b""
            if len(page) < usable:
                raise ValueError("a part is missing")
            self.overflow.append(following)
            parts.append(page[4 : 4 + min(rest, usable - 4)])
            rest -= usable - 4
            following = int.from_bytes(page[:4], "big")
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for n in range(8):
        byte = data[at + n]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + n + 1
    return value << 8 | data[at + 8], at + 9


def _values(payload: bytes) -> list[Value]:
    length, at = _varint(payload, 0)
    kinds = []
    while at < length:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    if at != length or len(kinds) > MOST_COLUMNS:
        raise ValueError("no record")
    values: list[Value] = []
    for kind in kinds:
        value, at = _value(kind, payload, at)
        values.append(value)
    if at != len(payload):
        raise ValueError("no record")
    return values


def _value(kind: int, payload: bytes, at: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in {8, 9}:
        return kind - 8, at
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    size = _INTEGERS.get(kind) or (kind - 12) // 2
    data = payload[at : at + size]
    if len(data) != size or kind in {10, 11}:
        raise ValueError("no record")
    if kind in _INTEGERS:
        return int.from_bytes(data, "big", signed=True), at + size
    return (data.decode() if kind % 2 else data), at + size
