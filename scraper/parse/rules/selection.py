"""Selecting by CSS in one page's tree; all that rules know of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import Tag


class Selection:
    """The tags of a soup by CSS."""

    def __init__(self, soup: BeautifulSoup) -> None:
        self._soup = soup

    def select(self, css: str, within: Tag | None = None, limit: int = 0) -> list[Tag]:
        """Return the tags that match, in document order, at most `limit` if that is not 0."""
        return list((self._soup if within is None else within).select(css, limit=limit))
