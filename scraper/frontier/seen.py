"""Which links does the store know already from this run? It would ignore them, but at the price of new ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scraper.model import Link

REMEMBERED = 30_000  # links of one generation, of two; about 10 MB in all

_QUEUED = "queued"


class Seen:
    """Remembers what was put in line lately, and tells what is news. It may forget, but never invents.

    What it has let pass must be committed before, or together with, what it then holds back.
    """

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._young: dict[
            bytes, str | int
        ] = {}  # by key: the reason, or that it is queued; of a followed one its depth
        self._old: dict[bytes, str | int] = {}

    def __repr__(self) -> str:
        return f"Seen({len(self._young) + len(self._old)} links)"

    def news(self, links: Iterable[Link], judge: Callable[[Link], Link], depth: int) -> tuple[Link, ...]:
        """Return the links of a page, judged, that were not seen before, or not with this verdict.

        `depth` is the page's, and that of what a rule follows from it: found with a lesser one, that is news too.
        """
        young, old = self._young, self._old
        found: list[Link] = []
        for link in links:
            key = link[2]  # sooner than by name, and most links end here
            known = young.get(key, old.get(key))
            if known is _QUEUED and not link.follow:
                continue
            if isinstance(known, int) and not (link.follow and depth < known):
                continue
            judged = judge(link) if link.verdict is None else link
            if judged.verdict is not None:
                outcome: str | int = judged.verdict.reason
            else:
                outcome = depth if link.follow else _QUEUED
            if outcome != known:
                found.append(judged)
                young[key] = outcome
        if len(young) > self._size:
            self._young, self._old = {}, young
        return tuple(found)
