"""One walk over a tree, in document order: its readable text, and the tags that links and metadata are made of.

The text is what a reader sees without style sheets: blocks on lines of their own, inline elements joined as they stand,
table cells apart by a space, white space collapsed except in `pre`; nothing of scripts, styles, templates or the head.
One walk for everything, because a step in it costs as much as what is done there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag

BLOCKS = frozenset({
    *("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "dialog"),
    *("dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3"),
    *("h4", "h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "ol"),
    *("optgroup", "option", "p", "plaintext", "search", "section", "select", "summary", "table", "tbody", "tfoot"),
    *("thead", "tr", "ul", "xmp"),
})
CELLS = frozenset({"td", "th"})
UNREAD = frozenset({"head", "iframe", "noembed", "noframes", "noscript", "script", "style", "template", "title"})
_BLANK_LINES = re.compile(r"\n{3,}")


class Anchor(NamedTuple):
    """A tag that may link somewhere, and the pieces of the text in it."""

    tag: Tag
    pieces: list[str]


class Outline(NamedTuple):
    """What a walk found: tags in document order, and the readable text."""

    html: Tag | None
    title: Tag | None
    base: Tag | None
    metas: list[Tag]
    anchors: list[Anchor]
    text: str


def walk(soup: BeautifulSoup) -> Outline:
    """Return the outline of a tree; takes time in proportion to its nodes, whatever its depth."""
    walker = _Walker()
    walker.run(soup)
    walker.break_line()
    text = _BLANK_LINES.sub("\n\n", "\n".join(walker.lines)).strip("\n")
    return Outline(walker.html, walker.title, walker.base, walker.metas, walker.anchors, text)


class _Walker:
    """The state of one walk."""

    def __init__(self) -> None:
        self.html: Tag | None = None
        self.title: Tag | None = None
        self.base: Tag | None = None
        self.metas: list[Tag] = []
        self.anchors: list[Anchor] = []
        self.lines: list[str] = []
        self.line: list[str] = []
        self.anchor: list[str] | None = None  # the pieces of the link that is open
        self.unread = 0  # how many open tags hide their text
        self.inert = 0  # how many of them are templates, whose links and metas are not the page's
        self.kept = 0  # how many open tags keep white space

    def run(self, soup: BeautifulSoup) -> None:
        """Visit each node once; a tag is left when a node outside of it comes up, the last ones not at all."""
        opened: list[Any] = [soup]
        line = self.line
        node: Any = soup.contents[0] if soup.contents else None
        while node is not None:
            parent = node.parent
            while opened[-1] is not parent and len(opened) > 1:
                if leave := _LEAVE.get(opened.pop().name):
                    leave(self)
            kind = type(node)
            if kind is NavigableString:
                if not self.unread:
                    line.append(node)
                if self.anchor is not None:
                    self.anchor.append(node)
            elif kind is Tag:
                opened.append(node)
                if enter := _ENTER.get(node.name):
                    enter(self, node)
            node = node.next_element

    def break_line(self, _tag: Tag | None = None) -> None:
        """End the line; an empty one leaves nothing."""
        if self.anchor is not None:
            self.anchor.append(" ")
        if not self.line:
            return
        text = "".join(self.line)
        self.line.clear()
        if self.kept:
            text = "\n".join([row.rstrip() for row in text.split("\n")]).strip("\n")
        else:
            text = " ".join(text.split())
        if text:
            self.lines.append(text)

    def space(self, _tag: Tag | None = None) -> None:
        if not self.unread:
            self.line.append(" ")
        if self.anchor is not None:
            self.anchor.append(" ")

    def hide(self, _tag: Tag) -> None:
        self.unread += 1

    def show(self) -> None:
        self.unread -= 1

    def enter_template(self, _tag: Tag) -> None:
        self.unread += 1
        self.inert += 1

    def leave_template(self) -> None:
        self.unread -= 1
        self.inert -= 1

    def enter_pre(self, _tag: Tag) -> None:
        self.break_line()
        self.kept += 1

    def leave_pre(self) -> None:
        self.break_line()
        self.kept -= 1

    def enter_br(self, tag: Tag) -> None:
        if self.kept:
            self.line.append("\n")
        else:
            self.break_line(tag)

    def enter_link(self, tag: Tag) -> None:
        if not self.inert:
            self.anchors.append(Anchor(tag, []))

    def enter_a(self, tag: Tag) -> None:
        if not self.inert and "href" in tag.attrs:
            self.anchor = []
            self.anchors.append(Anchor(tag, self.anchor))

    def leave_a(self) -> None:
        self.anchor = None

    def enter_iframe(self, tag: Tag) -> None:
        self.enter_link(tag)
        self.unread += 1

    def enter_html(self, tag: Tag) -> None:
        self.html = self.html or tag

    def enter_title(self, tag: Tag) -> None:
        self.unread += 1
        if self.title is None and not self.inert and tag.find_parent("svg") is None:
            self.title = tag

    def enter_base(self, tag: Tag) -> None:
        if self.base is None and not self.inert and "href" in tag.attrs:
            self.base = tag

    def enter_meta(self, tag: Tag) -> None:
        if not self.inert:
            self.metas.append(tag)


_ENTER: dict[str, Callable[[_Walker, Tag], None]] = {
    **dict.fromkeys(BLOCKS, _Walker.break_line),
    **dict.fromkeys(CELLS, _Walker.space),
    **dict.fromkeys(UNREAD, _Walker.hide),
    "a": _Walker.enter_a,
    "area": _Walker.enter_link,
    "base": _Walker.enter_base,
    "br": _Walker.enter_br,
    "frame": _Walker.enter_link,
    "html": _Walker.enter_html,
    "iframe": _Walker.enter_iframe,
    "link": _Walker.enter_link,
    "meta": _Walker.enter_meta,
    "pre": _Walker.enter_pre,
    "template": _Walker.enter_template,
    "title": _Walker.enter_title,
}
_LEAVE: dict[str, Callable[[_Walker], None]] = {
    **dict.fromkeys(BLOCKS - {"br", "hr"}, _Walker.break_line),
    **dict.fromkeys(CELLS, _Walker.space),
    **dict.fromkeys(UNREAD, _Walker.show),
    "a": _Walker.leave_a,
    "pre": _Walker.leave_pre,
    "template": _Walker.leave_template,
}
