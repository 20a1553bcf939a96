"""Rows read out of the pages of a SQLite file, around what is damaged; nothing in a page is believed.

A tree is walked from its root. Where a page of it cannot be what it has to be (another kind, cells that point outside,
keys out of order or out of the bounds that its parent gives) the walk notes the gap: the range of keys that lay there.
Leaves that no walk has reached may then be taken to fill gaps (https://sqlite.org/fileformat2.html, sections 1.6, 2.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from scraper.store.sqlite_image import HEADER, Image

Value = None | int | float | str | bytes
LEAVES = frozenset({10, 13})
INDEX, TABLE = frozenset({2, 10}), frozenset({5, 13})
DEEPEST = 20  # levels; a tree of 20 has more pages than a file can
LONGEST = 1 << 30  # bytes of a row; SQLite's own limit
EVERYWHERE = (-(1 << 63), (1 << 63) - 1)
_REALS = struct.Struct(">d")
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)


class Damaged(Exception):  # noqa: N818 - what it says of a page or a cell
    """A page or a cell that is not what it has to be."""


class Row(NamedTuple):
    """A row: its number, or in an index and a table without numbers its first column; and its columns."""

    key: int
    values: tuple[Value, ...]


class Gap(NamedTuple):
    """Keys among which some may be lost."""

    low: int
    high: int


class Kind(NamedTuple):
    """What a tree is made of: the kinds of its pages, and whether a row can be one of its."""

    pages: frozenset[int]
    fits: Callable[[Row], bool] = lambda _: True


class Cells(NamedTuple):
    """A page taken apart: children come with the key up to which theirs go, the last one with None."""

    rows: list[Row]
    children: list[tuple[int, int | None]]
    damaged: int  # cells that could not be read


class Trees:
    """The trees of an image; what walks have seen is remembered, so that no page is taken twice."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.seen = bytearray(image.count + 1)

    def walk(self, root: int, kind: Kind, gaps: list[Gap]) -> Iterator[Row]:
        """Yield the rows of a tree; add to `gaps` what could not be read."""
        yield from self._walk(root, kind, Gap(*EVERYWHERE), gaps, DEEPEST)

    def _walk(self, number: int, kind: Kind, bounds: Gap, gaps: list[Gap], depth: int) -> Iterator[Row]:
        try:
            cells = self._page(number, kind, bounds, depth)
        except Damaged:
            gaps.append(bounds)
            return
        self.seen[number] = 1
        if cells.damaged:
            gaps.append(bounds)
        if not cells.children:
            yield from cells.rows
            return
        low, rows = bounds.low, iter(cells.rows)
        for child, key in cells.children:
            within = Gap(low, bounds.high if key is None else key)
            yield from self._walk(child, kind, within, gaps, depth - 1)
            yield from ([] if key is None else [row for row in [next(rows, None)] if row])
            low = within.high

    def _page(self, number: int, kind: Kind, bounds: Gap, depth: int) -> Cells:
        page = self.image.page(number)
        if page is None or depth == 0 or self.seen[number]:
            raise Damaged
        cells = taken_apart(self.image, page, number, kind.pages)
        if cells.rows and not any(map(kind.fits, cells.rows)):
            raise Damaged  # it is another table's
        keys = [row.key for row in cells.rows] or [key for _, key in cells.children if key is not None]
        if keys != sorted(keys) or (keys and not bounds.low <= keys[0] <= keys[-1] <= bounds.high):
            raise Damaged
        return cells

    def unseen(self) -> Iterator[tuple[int, bytes]]:
        """Yield the pages that no walk has reached, in their order."""
        for number in range(1, self.image.count + 1):
            if not self.seen[number] and (page := self.image.page(number)) is not None:
                yield number, page


def taken_apart(image: Image, page: bytes, number: int, kinds: frozenset[int]) -> Cells:
    """Return what a page of a tree holds. Raises Damaged if it is no such page."""
    start = HEADER if number == 1 else 0
    kind = page[start]
    count, content = struct.unpack_from(">HxxH", page, start + 3)[0], struct.unpack_from(">H", page, start + 5)[0]
    leaf = kind in LEAVES
    pointers = start + (8 if leaf else 12)
    if kind not in kinds or pointers + 2 * count > len(page) or (content or 65536) > len(page):
        raise Damaged
    rows, children, damaged = [], list[tuple[int, int | None]](), 0
    for (place,) in struct.iter_unpack(">H", page[pointers : pointers + 2 * count]):
        try:
            child, row, key = _cell(image, page, place, kind, number << 16 | place)
        except (Damaged, IndexError, struct.error, UnicodeDecodeError):
            damaged += 1
            continue
        if row is not None:
            rows.append(row)
        if not leaf:
            children.append((child, key))
    if not leaf:
        if damaged:
            raise Damaged  # which child goes how far is not known any more
        children.append((struct.unpack_from(">I", page, start + 8)[0], None))
    return Cells(rows, children, damaged)


def _cell(image: Image, page: bytes, place: int, kind: int, name: int) -> tuple[int, Row | None, int | None]:
    """The child, the row and the key of the cell `name`, as far as it has them."""
    child = 0
    if kind not in LEAVES:
        (child,) = struct.unpack_from(">I", page, place)
        place += 4
    if kind == 5:
        key, _ = _varint(page, place)
        return child, None, key
    size, place = _varint(page, place)
    number = 0
    if kind == 13:
        number, place = _varint(page, place)
    values = _record(_payload(image, page, place, size, name, table=kind == 13))
    if kind == 13:
        return child, Row(number, values), None
    first = values[0] if values else None
    key = first if isinstance(first, int) else 0
    return child, Row(key, values), key


def _payload(image: Image, page: bytes, place: int, size: int, cell: int, *, table: bool) -> bytes:
    """The whole of a row, what lies on overflow pages too."""
    usable = len(page)
    most = usable - 35 if table else (usable - 12) * 64 // 255 - 23
    if size <= most:
        if place + size > usable:
            raise Damaged
        return page[place : place + size]
    if not 0 <= size <= min(LONGEST, image.count * usable):
        raise Damaged
    least = (usable - 12) * 32 // 255 - 23
    here = least + (size - least) % (usable - 4)
    here = here if here <= most else least
    (following,) = struct.unpack_from(">I", page, place + here)
    parts, left = [page[place : place + here]], size - here
    while left > 0:
        more = image.continuation(following, cell)
        if more is None:
            raise Damaged
        (following,) = struct.unpack_from(">I", more)
        parts.append(more[4 : 4 + left])
        left -= usable - 4
    if following:  # another's page has got into the chain
        raise Damaged
    return b"".join(parts)


def _record(payload: bytes) -> tuple[Value, ...]:
    """The columns of a row; the lengths have to come out exactly."""
    end, place = _varint(payload, 0)
    kinds = []
    while place < end:
        kind, place = _varint(payload, place)
        kinds.append(kind)
    values = []
    for kind in kinds:
        size = _SIZES[kind] if kind < 10 else (kind - 12) // 2
        if kind in {10, 11} or place + size > len(payload):
            raise Damaged
        values.append(_value(kind, payload[place : place + size]))
        place += size
    if place != len(payload):
        raise Damaged
    return tuple(values)


def _value(kind: int, data: bytes) -> Value:
    if kind == 0:
        return None
    if kind == 7:
        return float(_REALS.unpack(data)[0])
    if kind in {8, 9}:
        return kind - 8
    if kind < 10:
        return int.from_bytes(data, "big", signed=True)
    return data.decode() if kind % 2 else data


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for count in range(8):
        byte = data[place + count]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + count + 1
    value = value << 8 | data[place + 8]
    return value - (1 << 64) if value >= 1 << 63 else value, place + 9
