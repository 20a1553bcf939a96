"""A page's soup as rules look at it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from scraper.parse.outline import BLOCKS, CELLS
from scraper.parse.rules.rule import Selector

if TYPE_CHECKING:
    from bs4.element import Tag

    from scraper.parse.page import Page
    from scraper.parse.select import Index

APART = BLOCKS | CELLS


class BySoup:
    """The elements are bs4's tags, selected by soupsieve from an index."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @cached_property
    def root(self) -> Tag:
        """The whole page."""
        return self._page.soup

    @cached_property
    def _index(self) -> Index:
        """The index of the tree, which nobody changes while rules look at it."""
        from scraper.parse.select import Index

        return Index(self._page.soup)

    def select(self, selector: Selector, within: Tag, limit: int) -> list[Any]:
        """Return the elements in that one which a selector matches, in document order, at most `limit` if not 0."""
        assert selector.css is not None
        return self._index.select(selector.css, None if within is self.root else within, limit)

    def name(self, tag: Tag) -> str:
        """An element's name."""
        return tag.name

    def attribute(self, tag: Tag, name: str) -> str | None:
        """An attribute's value."""
        value: Any = tag.attrs.get(name, tag.attrs.get(name.lower()))
        if value is None:
            return None
        return " ".join(value) if isinstance(value, list) else str.__str__(value)

    def markup(self, tag: Tag) -> str:
        """The element with its own tag."""
        return str(tag)

    def pieces(self, tag: Tag, space: str) -> list[str]:
        """The texts in an element, with `space` where a block or a cell begins or ends."""
        from bs4.element import CData, NavigableString, Tag

        own: Any = tag.interesting_string_types  # of a script its text, which is no other element's
        kinds = {NavigableString, CData, *(own if isinstance(own, (set, frozenset)) else [own])}
        pieces: list[str] = []
        opened: list[Any] = [tag]
        for node in tag.descendants:
            while opened[-1] is not node.parent:
                if opened.pop().name in APART:
                    pieces.append(space)
            if isinstance(node, Tag):
                opened.append(node)
                if node.name in APART:
                    pieces.append(space)
            elif type(node) in kinds:
                pieces.append(str.__str__(node))
        return pieces
