"""How much memory may the bodies of a crawl take together? One that grows large waits until there is room for it.

A small body takes none, so it never waits. A large one takes room for all it can become, once: nobody who has some
waits for more, so nobody waits for ever. It is first come, first served; but the bodies of one host take half of it at
most, and who waits for that half lets others pass: a host that sends large bodies slowly delays its own.
"""

from __future__ import annotations

import asyncio
from collections import Counter

SMALL = 512 * 1024  # bytes; 99.8 % of the 110,000 pages of the Rust documentation have no more


class Room:
    """`size` bytes; each URL that has entered takes some of them until it leaves."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken: dict[str, tuple[str, int]] = {}  # by URL: its host, and bytes
        self._used = 0
        self._of_host: Counter[str] = Counter()
        self._waiting: dict[asyncio.Future[None], tuple[str, str, int]] = {}  # URL, host, bytes; in order

    def __repr__(self) -> str:
        return f"<Room: {self._used} of {self._size} bytes taken by {len(self._taken)}, {len(self._waiting)} wait>"

    async def enter(self, url: str, host: str, size: int) -> None:
        """Wait until there are `size` bytes for a URL, and take them; more than all there is means all of it."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = url, host, size
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if self._waiting.pop(turn, None) is None:  # it was let in at the same moment
                self._put(url, host, 0)
            self._admit()
            raise

    def keep(self, url: str, size: int) -> None:
        """Take no more than `size` bytes from now on, if the URL has entered at all."""
        if url in self._taken:
            self._put(url, self._taken[url][0], size)
            self._admit()

    def leave(self, url: str) -> None:
        """Take nothing any more."""
        self.keep(url, 0)

    def fits(self, host: str, size: int) -> bool:
        """Is there room? One alone always fits, and so does the only one of its host while there is some for it."""
        is_free = not self._used or self._used + size <= self._size
        return is_free and (not self._of_host[host] or self._of_host[host] + size <= self._size // 2)

    def _admit(self) -> None:
        for turn, (url, host, size) in list(self._waiting.items()):
            if turn.cancelled():
                del self._waiting[turn]
            elif self.fits(host, size):
                del self._waiting[turn]
                self._put(url, host, size)
                turn.set_result(None)
            elif not self._of_host[host]:
                return  # whoever comes later waits too, or many of some size could keep out a larger one for ever

    def _put(self, url: str, host: str, size: int) -> None:
        change = size - self._taken.pop(url, ("", 0))[1]
        self._used += change
        self._of_host[host] += change
        if size:
            self._taken[url] = host, size
        elif not self._of_host[host]:
            del self._of_host[host]
