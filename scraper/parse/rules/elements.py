"""An HTML page as rules see it: elements by CSS, and what each says of itself.

The text of an element is what is read of it: white space collapsed, a space where a block, a cell or a line ends; no
scripts and styles. Some elements say what they mean in an attribute; it counts where the selector asks for none:
`content` of a meta, `value` of an input; for a URL `href` or `src`; for a date `datetime`; for a number, an integer and
a truth the `value` of data and meter (as in https://html.spec.whatwg.org/multipage/microdata.html#values).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from scraper.parse.outline import BLOCKS, CELLS
from scraper.parse.page import Page
from scraper.parse.rules.kinds import LONGEST
from scraper.parse.rules.rule import Selector

if TYPE_CHECKING:
    from bs4.element import Tag

    from scraper.parse.select import Index

_APART = BLOCKS | CELLS
_SRC = ("audio", "embed", "frame", "iframe", "img", "script", "source", "track", "video")
_LINKS = {
    **dict.fromkeys(("a", "area", "base", "link"), "href"),
    **dict.fromkeys(_SRC, "src"),
    **dict.fromkeys(("blockquote", "q"), "cite"),
    "form": "action",
    "object": "data",
}
_VALUES = dict.fromkeys(("data", "meter", "progress"), "value")
_ALWAYS = {"meta": "content", "input": "value"}
_OWN = {
    "url": _LINKS,
    "date": dict.fromkeys(("time", "ins", "del"), "datetime"),
    **dict.fromkeys(("number", "integer", "bool"), _VALUES),
}
# A text that is no attribute can be a URL by its looks only, or any word would be one.
_URL_STARTS = ("http://", "https://", "/", "./", "../", "?")


class Elements:
    """The elements of one page; the tree is made when the first of them is asked for."""

    default_kind = "text"

    def __init__(self, page: Page) -> None:
        self._page = page

    @cached_property
    def root(self) -> Tag:
        """The whole page."""
        return self._page.soup

    @cached_property
    def _selection(self) -> Index:
        """The index of the tree, which nobody changes while rules look at it."""
        from scraper.parse.select import Index

        return Index(self._page.soup)

    def base(self) -> str:
        """The URL that relative ones are joined to."""
        return self._base

    @cached_property
    def _base(self) -> str:
        return self._page.base

    def find(self, selector: Selector, within: Tag, limit: int = 0, *, spread: bool = True) -> list[Any]:  # noqa: ARG002
        """Return the elements within that one that a selector matches, in document order."""
        if not selector.css:
            return [within]
        return self._selection.select(selector.css, None if within is self.root else within, limit)

    def raw(self, tag: Tag, selector: Selector, kind: str) -> str | None:
        """What an element says that a value of this kind is made of; None if it says nothing."""
        attr = selector.attr or _own_attribute(tag, kind)
        value = _attribute(tag, attr) if attr else _content(tag, kind)
        if value is None:
            return None
        value = value.strip()
        if kind == "bool" and value in {"", attr}:
            return "true"  # `checked`, `checked="checked"`, and an icon that is there
        return value or None

    def missing(self, selector: Selector) -> str:
        """Say that a selector finds nothing."""
        return f"no element matches `{selector.css}`"

    def lacking(self, tags: list[Any], selector: Selector, kind: str) -> str:
        """Say why none of the elements that were found says anything."""
        attr = selector.attr or _own_attribute(tags[0], kind)
        if attr and any(_attribute(tag, attr) is not None for tag in tags):
            what = f"value in the attribute `{attr}`"
        elif attr:
            what = f"attribute `{attr}`"
        elif kind == "url" and any(_content(tag, "text") for tag in tags):
            what = "URL; name the attribute that has it, as in `::attr(href)`"
        else:
            what = "text"
        return f"matches {'1 element, which has' if len(tags) == 1 else f'{len(tags)} elements, which have'} no {what}"


def _own_attribute(tag: Tag, kind: str) -> str | None:
    """The attribute in which such an element says what it means, if it does."""
    if kind == "html":
        return None
    attr = _ALWAYS.get(tag.name) or _OWN.get(kind, {}).get(tag.name)
    # Without it a time's text is its date, and a data element's its number; an empty link has no other URL.
    return attr if attr and (kind == "url" or attr in tag.attrs) else None


def _attribute(tag: Tag, name: str) -> str | None:
    value: Any = tag.attrs.get(name, tag.attrs.get(name.lower()))
    if value is None:
        return None
    return " ".join(value) if isinstance(value, list) else str.__str__(value)


def _content(tag: Tag, kind: str) -> str | None:
    if kind == "html":
        return str(tag)
    if kind == "json":
        return "".join(_pieces(tag, ""))
    text = " ".join("".join(_pieces(tag, " ")).split())[:LONGEST]
    return text if kind != "url" or text.startswith(_URL_STARTS) else None


def _pieces(tag: Tag, space: str) -> list[str]:
    """The texts in an element, with `space` where a block or a cell begins or ends."""
    from bs4.element import CData, NavigableString, Tag

    own: Any = tag.interesting_string_types  # of a script its text, which is no other element's
    kinds = {NavigableString, CData, *(own if isinstance(own, (set, frozenset)) else [own])}
    pieces: list[str] = []
    opened: list[Any] = [tag]
    for node in tag.descendants:
        while opened[-1] is not node.parent:
            if opened.pop().name in _APART:
                pieces.append(space)
        if isinstance(node, Tag):
            opened.append(node)
            if node.name in _APART:
                pieces.append(space)
        elif type(node) in kinds:
            pieces.append(str.__str__(node))
    return pieces
