"""What is read of a page in one walk, as it stands there, and which elements are read in which way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

BLOCKS = frozenset({
    *("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "dialog"),
    *("dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3"),
    *("h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "ol"),
    *("optgroup", "option", "p", "plaintext", "search", "section", "select", "summary", "table", "tbody", "tfoot"),
    *("thead", "tr", "ul", "xmp"),
})
CELLS = frozenset({"td", "th"})
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
UNREAD = frozenset({"head", "iframe", "noembed", "noframes", "noscript", "title"})
CODE = frozenset({"rp", "rt", "script", "style", "template"})  # whose text bs4 does not count among a page's


class Anchor(NamedTuple):
    """A tag that links somewhere, and the pieces of the text in it."""

    href: str
    rel: str
    pieces: list[str]


class Relation(NamedTuple):
    """A `<link>` (or what an HTTP header says in its place) to another form of the page, or to the one that counts."""

    rel: frozenset[str]
    href: str
    type: str = ""
    lang: str = ""  # hreflang
    title: str = ""
    narrowed: bool = False  # by the attributes media or lang
    in_head: bool = True


class Pointer(NamedTuple):
    """What names another page without being an anchor, relative to `base`; `kind` is what that one is asked for."""

    href: str
    base: str
    rel: str
    kind: str = "page"


class Outline(NamedTuple):
    """What a walk found, in document order.

    `metas` are pairs of name, property or http-equiv in lower case, and content; `headings` are pairs of level, 1 to 6,
    and text; `scripts` are the texts of JSON-LD; `refreshes` the contents of metas that refresh, as they stand there.
    """

    lang: str | None = None
    title: str = ""
    base: str | None = None
    metas: Sequence[tuple[str, str]] = ()
    anchors: Sequence[Anchor] = ()
    relations: Sequence[Relation] = ()
    scripts: Sequence[str] = ()
    headings: Sequence[tuple[int, str]] = ()
    text: str = ""
    refreshes: Sequence[str] = ()
