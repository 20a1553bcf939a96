"""A page's own tree as rules look at it: what they make of it is what they make of the soup, in a tenth of the time."""

from __future__ import annotations

import re
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from scraper.parse.outline import CODE
from scraper.parse.rules.by_soup import APART
from scraper.parse.rules.rule import Selector

if TYPE_CHECKING:
    from scraper.parse.page import Page

# In a template soupsieve does not look, and of an attribute in a namespace it knows the name without its prefix.
_ODD_SPACE = re.compile(r"(?![ \t\n\r\f])\s")
_FOREIGN = ("<svg", "<math")
_NAMESPACED = ("xlink:", "xml:", "xmlns:")  # attributes that have a namespace there
_SEARCHED = ",".join(sorted({*APART, *CODE}))
_HIDING = ",".join(sorted(CODE))


def is_fit(page: Page) -> bool:
    """Would the page's own tree show rules what its soup does? It is of no use if there is a soup already."""
    if page.builder != "turbo" or page.has_soup:
        return False
    html = page.html.lower()
    if "<template" in html:
        return False
    return not (any(tag in html for tag in _FOREIGN) and any(name in html for name in _NAMESPACED))


def has_odd_classes(page: Page) -> bool:
    """Is there white space in a class that bs4 splits it at, and HTML does not?"""
    if page.html.isascii() and "&" not in page.html and not _ODD_SPACE.search(page.html):
        return False
    return _ODD_SPACE.search("x".join([tag.attr("class") for tag in page.tree.select("[class]")])) is not None


class ByTree:
    """The elements are turbohtml's, selected by its own engine."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @cached_property
    def root(self) -> Any:  # noqa: ANN401 (a turbohtml Document; it takes a moment to import)
        """The whole page."""
        return self._page.tree

    def select(self, selector: Selector, within: Any, limit: int) -> list[Any]:  # noqa: ANN401 (as above)
        """Return the elements in that one which a selector matches, in document order, at most `limit` if not 0."""
        assert selector.direct is not None
        if limit == 1:
            found = within.select_one(selector.direct)
            return [] if found is None else [found]
        many: list[Any] = within.select(selector.direct)
        return many[:limit] if limit else many

    def name(self, element: Any) -> str:  # noqa: ANN401 (as above)
        """An element's name."""
        return str(getattr(element, "tag", "[document]"))

    def attribute(self, element: Any, name: str) -> str | None:  # noqa: ANN401 (as above)
        """An attribute's value."""
        if not hasattr(element, "attr"):
            return None  # the document
        value = element.attr(name)
        if value is None:
            return None
        if name not in element.attrs and name.lower() not in element.attrs:
            return None  # one of SVG in another case
        return " ".join(value.split()) if name.lower() in _listed(element.tag) else str(value)

    def markup(self, element: Any) -> str:  # noqa: ANN401 (as above)
        """There is none: who asks for it is given a soup."""
        raise NotImplementedError

    def pieces(self, element: Any, space: str) -> list[str]:  # noqa: ANN401 (as above)
        """The texts in an element, with `space` where a block or a cell begins or ends."""
        hiding = element.closest(_HIDING) if hasattr(element, "closest") else None
        if hiding is None and element.select_one(_SEARCHED) is None:
            return [element.text]
        own = None if hiding is None else element.tag
        if own is not None and own not in CODE:
            return []  # a part of something hidden
        return _walked(element, space, own)


def _walked(element: Any, space: str, own: str | None) -> list[str]:  # noqa: ANN401 (as above)
    """The texts node by node; `own` is the name of an element that hides its text from all but itself."""
    from turbohtml import Element, Text

    pieces: list[str] = []
    opened: list[tuple[Any, str | None]] = [(element, own)]  # open elements, and what hides the text in each
    for node in element.descendants:
        parent = node.parent
        while opened[-1][0] is not parent:
            if opened.pop()[0].tag in APART:
                pieces.append(space)
        if type(node) is Text:
            if opened[-1][1] == own:
                pieces.append(node.data)
        elif type(node) is Element:
            name = node.tag
            opened.append((node, name if name in CODE else opened[-1][1]))
            if name in APART:
                pieces.append(space)
    return pieces


@cache
def _listed(name: str) -> frozenset[str]:
    """The attributes of which bs4 makes lists, in such an element."""
    from bs4.builder import HTMLTreeBuilder

    lists: Any = HTMLTreeBuilder.DEFAULT_CDATA_LIST_ATTRIBUTES
    return frozenset({*lists["*"], *lists.get(name, ())})
