"""An HTML page as rules see it: elements by CSS, and what each says of itself.

The text of an element is what is read of it: white space collapsed, a space where a block, a cell or a line ends; no
scripts and styles. Some elements say what they mean in an attribute; it counts where the selector asks for none:
`content` of a meta, `value` of an input; for a URL `href` or `src`; for a date `datetime`; for a number, an integer and
a truth the `value` of data and meter (as in https://html.spec.whatwg.org/multipage/microdata.html#values).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from scraper.parse.page import Page
from scraper.parse.rules.kinds import LONGEST
from scraper.parse.rules.rule import Selector

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
_SPACES = re.compile(r"[ \t\n\r\f]+")
# A text that is no attribute can be a URL by its looks only, or any word would be one.
_URL_STARTS = ("http://", "https://", "/", "./", "../", "?")


class View(Protocol):
    """A tree as rules look at it; what an element is, is its own affair."""

    @property
    def root(self) -> Any:  # noqa: ANN401 (an element)
        """The whole page."""

    def select(self, selector: Selector, within: Any, limit: int) -> list[Any]:  # noqa: ANN401
        """Return the elements in that one which a selector matches, in document order, at most `limit` if not 0."""

    def name(self, element: Any) -> str:  # noqa: ANN401
        """An element's name."""

    def attribute(self, element: Any, name: str) -> str | None:  # noqa: ANN401
        """An attribute's value."""

    def markup(self, element: Any) -> str:  # noqa: ANN401
        """The element with its own tag."""

    def pieces(self, element: Any, space: str) -> list[str]:  # noqa: ANN401
        """The texts in an element, with `space` where a block or a cell begins or ends."""


class Elements:
    """The elements of one page; the tree is made when the first of them is asked for."""

    default_kind = "text"

    def __init__(self, page: Page, view: Callable[[Page], View]) -> None:
        self._page = page
        self._view = view(page)

    @property
    def root(self) -> Any:  # noqa: ANN401 (the view's)
        """The whole page."""
        return self._view.root

    def base(self) -> str:
        """The URL that relative ones are joined to."""
        return self._base

    @cached_property
    def _base(self) -> str:
        return self._page.base

    def find(self, selector: Selector, within: Any, limit: int = 0, *, spread: bool = True) -> list[Any]:  # noqa: ANN401, ARG002
        """Return the elements within that one that a selector matches, in document order."""
        if not selector.css:
            return [within]
        return self._view.select(selector, within, limit)

    def raw(self, tag: Any, selector: Selector, kind: str) -> str | None:  # noqa: ANN401
        """What an element says that a value of this kind is made of; None if it says nothing."""
        attr = selector.attr or self._own_attribute(tag, kind)
        value = self._view.attribute(tag, attr) if attr else self._content(tag, kind)
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
        attr = selector.attr or self._own_attribute(tags[0], kind)
        if attr and any(self._view.attribute(tag, attr) is not None for tag in tags):
            what = f"value in the attribute `{attr}`"
        elif attr:
            what = f"attribute `{attr}`"
        elif kind == "url" and any(self._content(tag, "text") for tag in tags):
            what = "URL; name the attribute that has it, as in `::attr(href)`"
        else:
            what = "text"
        return f"matches {'1 element, which has' if len(tags) == 1 else f'{len(tags)} elements, which have'} no {what}"

    def _own_attribute(self, tag: Any, kind: str) -> str | None:  # noqa: ANN401
        """The attribute in which such an element says what it means, if it does."""
        if kind == "html":
            return None
        name = self._view.name(tag)
        attr = _ALWAYS.get(name) or _OWN.get(kind, {}).get(name)
        # Without it a time's text is its date, and a data element's its number; an empty link has no other URL.
        return attr if attr and (kind == "url" or self._view.attribute(tag, attr) is not None) else None

    def _content(self, tag: Any, kind: str) -> str | None:  # noqa: ANN401
        if kind == "html":
            return self._view.markup(tag)
        if kind == "json":
            return "".join(self._view.pieces(tag, ""))
        pieces = "".join(self._view.pieces(tag, " "))
        if kind in {"number", "integer"}:  # where a space that does not break belongs to the number
            return _SPACES.sub(" ", pieces).strip(" ")[:LONGEST]
        text = " ".join(pieces.split())[:LONGEST]
        return text if kind != "url" or text.startswith(_URL_STARTS) else None
