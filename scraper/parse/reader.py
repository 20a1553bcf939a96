"""What is taken of a page, node by node: its readable text, and what links and metadata are made of.

The text is what a reader sees without style sheets: blocks on lines of their own, inline elements joined as they stand,
table cells apart by a space, white space collapsed except in `pre`; nothing of scripts, styles, templates or the head.
The text of a heading and of a link is what is readable of it; text in a heading within a heading (which no parser makes
of `<h1><h2>`, but of `<h1><div><h2>`) is the inner one's alone, so that headings take no more room than the text.
All of it in one go, because a step from node to node costs as much as what is done there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from scraper.parse.outline import BLOCKS, CELLS, CODE, HEADINGS, UNREAD, Anchor, Outline, Relation
from scraper.parse.text import BREAK, readable, words

_RELATIONS = frozenset({"canonical", "alternate"})
_NEIGHBOURS = frozenset({"next", "prev"})
MOST_HEADINGS = 10_000  # of a page; those beyond are text like any other
_MOST_PROPERTIES = 8  # of one meta; each of them holds all of its content
_WATCHED = _RELATIONS | _NEIGHBOURS

Get: TypeAlias = Callable[[str], Any]  # an attribute's value by its name: a str, a list of its words, or None


class Reader:
    """Takes a page node by node: texts by `read`, tags by what `ENTER` and `LEAVE` hold."""

    def __init__(self) -> None:
        self.lang: str | None = None
        self.base: str | None = None
        self.metas: list[tuple[str, str]] = []
        self.refreshes: list[str] = []
        self.anchors: list[Anchor] = []
        self.relations: list[Relation] = []
        self.scripts: list[list[str]] = []  # the pieces of each
        self.script: list[str] | None = None  # those of the one that is open
        self.title: list[str] | None = None  # its pieces
        self.headings: list[tuple[int, list[str]]] = []  # the level and the pieces of each
        self.within: list[list[str]] = []  # the pieces of those that are open
        self.settled = 0  # how many of the pieces are where they belong: in a heading, or in none
        self.pieces: list[str] = []  # of the readable text
        self.preserved: list[tuple[int, int]] = []  # the ranges of pieces that `pre` keeps as they are
        self.anchor: tuple[list[str], int] | None = None  # of the link that is open: its pieces, where they begin
        self.in_title = False
        self.unread = 0  # how many open tags hide their text
        self.code = 0  # how many of them hide it from links and title too
        self.inert = 0  # how many of those are templates, whose links and metas are not the page's
        self.drawings = 0  # how many open tags are `svg` or `math`
        self.in_head = True
        self.kept = 0  # how many open tags keep white space
        self.kept_from = 0  # the piece with which the outermost of them begins

    def outline(self) -> Outline:
        """What was found."""
        self._leave_a()
        self._settle()
        if self.kept:
            self.preserved.append((self.kept_from, len(self.pieces)))
        headings = [(level, text) for level, pieces in self.headings if (text := words(pieces))]
        text = readable(self.pieces, self.preserved)
        title, scripts = "".join(self.title or ()), ["".join(pieces) for pieces in self.scripts]
        links = self.anchors, self.relations
        return Outline(self.lang, title, self.base, self.metas, *links, scripts, headings, text, self.refreshes)

    def read(self, text: str) -> None:
        """Take a text for what it is a part of."""
        if not self.unread:
            self.pieces.append(text)
        else:
            self.read_hidden(text)

    def read_hidden(self, text: str) -> None:
        """Take a text that is no part of the readable one."""
        if self.code:
            if self.script is not None:
                self.script.append(text)
        elif self.in_title and self.title is not None:
            self.title.append(text)
        elif self.anchor is not None:
            self.anchor[0].append(text)

    def _settle(self) -> None:
        """Give the pieces since last time to the innermost heading that is open, if there is one."""
        if self.within:
            self.within[-1].extend(self.pieces[self.settled :])
        self.settled = len(self.pieces)

    def _enter_heading(self, level: int) -> None:
        self.pieces.append(BREAK)
        self._settle()
        self.within.append([])
        if len(self.headings) < MOST_HEADINGS:
            self.headings.append((level, self.within[-1]))

    def _leave_heading(self) -> None:
        self.pieces.append(BREAK)
        self._settle()
        self.within.pop()

    def _hide(self, _get: Get) -> None:
        self.unread += 1

    def _show(self) -> None:
        self.unread -= 1

    def _enter_code(self, _get: Get) -> None:
        self.unread += 1
        self.code += 1

    def _leave_code(self) -> None:
        self.unread -= 1
        self.code -= 1
        self.script = None

    def _enter_script(self, get: Get) -> None:
        self._enter_code(get)
        kind = get("type")
        if kind and not self.inert and not self.drawings and _essence(kind) == "application/ld+json":
            self.script = []
            self.scripts.append(self.script)

    def _enter_template(self, get: Get) -> None:
        self._enter_code(get)
        self.inert += 1

    def _leave_template(self) -> None:
        self._leave_code()
        self.inert -= 1

    def _enter_drawing(self, _get: Get) -> None:
        self.drawings += 1

    def _leave_drawing(self) -> None:
        self.drawings -= 1

    def _enter_pre(self, _get: Get) -> None:
        self.pieces.append(BREAK)
        if not self.kept:
            self.kept_from = len(self.pieces)
        self.kept += 1

    def _leave_pre(self) -> None:
        self.kept -= 1
        if not self.kept:
            self.preserved.append((self.kept_from, len(self.pieces)))
        self.pieces.append(BREAK)

    def _enter_br(self, _get: Get) -> None:
        self.pieces.append("\n" if self.kept else BREAK)

    def _enter_html(self, get: Get) -> None:
        if self.lang is None:
            self.lang = _words(get("lang")) or _words(get("xml:lang"))

    def _enter_body(self, _get: Get) -> None:
        self.pieces.append(BREAK)
        self.in_head = False

    def _enter_title(self, _get: Get) -> None:
        self.unread += 1
        if self.title is None and not self.inert and not self.drawings:
            self.title, self.in_title = [], True

    def _leave_title(self) -> None:
        self.unread -= 1
        if self.in_title and self.title is not None and not "".join(self.title).strip():
            self.title = None  # a later one may have text
        self.in_title = False

    def _enter_base(self, get: Get) -> None:
        if self.base is None and not self.inert:
            self.base = get("href")

    def _enter_meta(self, get: Get) -> None:
        if self.inert:
            return
        content, name = _words(get("content")), _words(get("name")).lower()
        properties, pragma = get("property"), get("http-equiv")
        if name:
            self.metas.append((name, content))
        if properties or pragma:
            keys = dict.fromkeys([*_words(properties).lower().split()[:_MOST_PROPERTIES], _words(pragma).lower()])
            self.metas.extend((key, content) for key in keys if key and key != name)
            if content and _words(pragma).lower() == "refresh":
                self.refreshes.append(str.__str__(get("content")))

    def _enter_a(self, get: Get) -> None:
        href = None if self.inert else get("href")
        if href is None and self.drawings and not self.inert:
            href = get("xlink:href")  # as links in SVG were written before SVG 2
        if href is not None:
            if self.anchor is not None:
                self._leave_a()
            pieces: list[str] = []
            self.anchor = pieces, len(self.pieces)
            rel = get("rel")
            self.anchors.append(Anchor(href, _words(rel) if rel else "", pieces))

    def _leave_a(self) -> None:
        if self.anchor is not None:
            pieces, begin = self.anchor
            pieces.extend(self.pieces[begin:])
            self.anchor = None

    def _enter_area(self, get: Get) -> None:
        self._link(get("href"), _words(get("rel")))

    def _enter_link(self, get: Get) -> None:
        """Of `<link>` only the pages before and after this one are links, not its style sheets and icons."""
        rel = _words(get("rel"))
        kinds = rel.lower().split()
        if _WATCHED.isdisjoint(kinds):
            return
        if not _NEIGHBOURS.isdisjoint(kinds):
            self._link(get("href"), rel)
        if not _RELATIONS.isdisjoint(kinds):
            self._relate(frozenset(kinds), get)

    def _relate(self, kinds: frozenset[str], get: Get) -> None:
        href = get("href")
        if href and not self.inert and not self.drawings:
            narrowed = get("media") is not None or get("lang") is not None
            kind, lang, title = _essence(get("type") or ""), _words(get("hreflang")), _words(get("title"))
            self.relations.append(Relation(kinds, str.__str__(href), kind, lang, title, narrowed, self.in_head))

    def _enter_frame(self, get: Get) -> None:
        self._link(get("src"), _words(get("rel")))

    def _enter_iframe(self, get: Get) -> None:
        self._enter_frame(get)
        self.unread += 1

    def _link(self, href: str | None, rel: str) -> None:
        if href is not None and not self.inert:
            self.anchors.append(Anchor(href, rel, []))

    # What is done where a tag begins, and where it ends: a piece is added, or a method called, which where it begins is
    # given what gets an attribute.
    ENTER: ClassVar[dict[str, str | Callable[..., None]]] = {
        **dict.fromkeys(BLOCKS, BREAK),
        **dict.fromkeys(CELLS, " "),
        **dict.fromkeys(UNREAD, _hide),
        **dict.fromkeys(CODE, _enter_code),
        "h1": lambda self, _get: self._enter_heading(1),
        "h2": lambda self, _get: self._enter_heading(2),
        "h3": lambda self, _get: self._enter_heading(3),
        "h4": lambda self, _get: self._enter_heading(4),
        "h5": lambda self, _get: self._enter_heading(5),
        "h6": lambda self, _get: self._enter_heading(6),
        "a": _enter_a,
        "area": _enter_area,
        "base": _enter_base,
        "body": _enter_body,
        "br": _enter_br,
        "frame": _enter_frame,
        "html": _enter_html,
        "iframe": _enter_iframe,
        "link": _enter_link,
        "math": _enter_drawing,
        "meta": _enter_meta,
        "pre": _enter_pre,
        "script": _enter_script,
        "svg": _enter_drawing,
        "template": _enter_template,
        "title": _enter_title,
    }
    LEAVE: ClassVar[dict[str, str | Callable[..., None]]] = {
        **dict.fromkeys(BLOCKS - {"br", "hr"}, BREAK),
        **dict.fromkeys(CELLS, " "),
        **dict.fromkeys(UNREAD, _show),
        **dict.fromkeys(CODE, _leave_code),
        **dict.fromkeys(HEADINGS, _leave_heading),
        "a": _leave_a,
        "math": _leave_drawing,
        "pre": _leave_pre,
        "svg": _leave_drawing,
        "template": _leave_template,
        "title": _leave_title,
    }


def _essence(kind: str) -> str:
    """A media type without its parameters."""
    return kind.partition(";")[0].strip().lower()


def _words(value: str | list[str] | None) -> str:
    """An attribute's value, white space collapsed; of one that is not there, nothing."""
    return " ".join((value or "").split() if value is None or isinstance(value, str) else value)
