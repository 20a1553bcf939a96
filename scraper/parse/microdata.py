"""Microdata: the items that a page describes by `itemscope` and `itemprop`, as plain values.

Elements that matter are marked in one walk over either tree, each with the piece of the page's text in it; the items
are made of the marks alone. Source: https://html.spec.whatwg.org/multipage/microdata.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from scraper.parse.links import absolute

MOST_STEPS = 100_000  # marks looked at on a page: by itemref one can be looked at any number of times
MOST_CHARACTERS = 5_000_000  # of all names and values together; one text can be the value of many nested elements
MOST_DEPTH = 32  # items within each other

_HTML = "http://www.w3.org/1999/xhtml"
_tokens = re.compile(r"[^\t\n\f\r ]+").findall
# Which attribute holds an element's value, and is it a URL? Elsewhere the value is the text.
_SOURCES = {
    **dict.fromkeys(("audio", "embed", "iframe", "img", "source", "track", "video"), ("src", True)),
    **dict.fromkeys(("a", "area", "link"), ("href", True)),
    "object": ("data", True),
    "meta": ("content", False),
    "data": ("value", False),
    "meter": ("value", False),
}

Step = tuple[Any, Any, str | None, Any]  # a node, its parent, an element's name or None, its attributes or the text


@dataclass(slots=True)
class Mark:
    """An element with itemscope, itemprop or an id; `until` is the place of the first mark after what is in it."""

    name: str
    get: Callable[[str], Any]
    is_item: bool
    names: list[str] | None  # those of the property, None if it is none
    start: int  # where its text begins in the page's
    stop: int = -1
    until: int = -1


class Marks(NamedTuple):
    """A page's marks in document order, its whole text, and the place of each id."""

    marks: list[Mark]
    text: str
    ids: dict[str, int]


def marks_of_html(html: str) -> Marks:
    """Mark the elements of an HTML text, in the tree of the HTML standard."""
    import turbohtml
    from turbohtml import Element, Namespace, Text

    def steps() -> Iterator[Step]:
        for node in turbohtml.parse(html, positions=False, allow_declarative_shadow_roots=False).descendants:
            if type(node) is Text:
                yield node, node.parent, None, node.data
            elif type(node) is Element:
                yield node, node.parent, node.tag if node.namespace is Namespace.HTML else "", node.attr
            elif node.parent is not None and type(node.parent) is Element and node.parent.tag == "template":
                yield node, node.parent, "", None  # what holds a template's content

    return _marks(steps())


def marks_of_soup(soup: Any) -> Marks:  # noqa: ANN401 (a BeautifulSoup; bs4 takes 0.1 s to import)
    """Mark the elements of a soup."""
    from bs4.element import NavigableString, PreformattedString, Tag

    def steps() -> Iterator[Step]:
        node = soup.contents[0] if soup.contents else None
        while node is not None:
            if isinstance(node, Tag):
                yield node, node.parent, node.name if node.namespace in {None, _HTML} else "", node.attrs.get
            elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
                yield node, node.parent, None, str.__str__(node)
            node = node.next_element

    return _marks(steps())


def _marks(steps: Iterable[Step]) -> Marks:
    marks: list[Mark] = []
    ids: dict[str, int] = {}
    pieces: list[str] = []
    length = inert = 0
    opened: list[tuple[Any, str, Mark | None]] = []
    for node, parent, name, content in steps:
        while opened and opened[-1][0] is not parent:
            _, left, mark = opened.pop()
            inert -= left == "template"
            if mark is not None:
                mark.stop, mark.until = length, len(marks)
        if name is None:
            if not inert:
                pieces.append(content)
                length += len(content)
            continue
        mark = _mark(name, content, length) if name and not inert else None
        if mark is not None:
            if id_ := mark.get("id"):
                ids.setdefault(id_, len(marks))
            marks.append(mark)
        opened.append((node, name, mark))
        inert += name == "template"
    for _, _, mark in opened:
        if mark is not None:
            mark.stop, mark.until = length, len(marks)
    return Marks(marks, "".join(pieces), ids)


def _mark(name: str, get: Callable[[str], Any], start: int) -> Mark | None:
    named, is_item = get("itemprop"), get("itemscope") is not None
    if named is None and not is_item and get("id") is None:
        return None
    return Mark(name, get, is_item, None if named is None else _words(named), start)


def items(marked: Marks, base: str) -> list[dict[str, Any]]:
    """Return the items that are no other's property, as the HTML standard converts them to JSON.

    A value that contains itself is "ERROR", as there. What is beyond the limits above is left out.
    """
    reader = _Reader(marked, base)
    return [
        reader.item(place, ())
        for place, mark in enumerate(marked.marks)
        if mark.is_item and mark.names is None and reader.steps > 0 and reader.characters > 0
    ]


class _Reader:
    """Makes items of marks, until a limit is reached; what stands at one mark is read once, however often it counts."""

    def __init__(self, marked: Marks, base: str) -> None:
        self.marks, self.text, self.ids = marked
        self.base = base
        self.steps = MOST_STEPS
        self.characters = MOST_CHARACTERS
        self.heads: dict[int, tuple[list[str], str | None, list[int]]] = {}
        self.values: dict[int, str] = {}

    def item(self, place: int, within: tuple[int, ...]) -> dict[str, Any]:
        """Return the item at this place; `within` are the places of the items it is in."""
        types, id_, referred = self._head(place)
        made: dict[str, Any] = {}
        if types:
            made["type"] = types.copy()
        if id_ is not None:
            made["id"] = id_
        properties: dict[str, list[Any]] = {}
        made["properties"] = properties
        self.steps -= len(referred)
        self.characters -= _size(types) + len(id_ or "")
        within = (*within, place)
        for member, names in self._members(place, referred):
            value = self._value(member, within)
            self.characters -= _size(names) + (len(value) if type(value) is str else 0)
            if self.characters < 0:
                break
            if value is not None:
                for name in names:
                    properties.setdefault(name, []).append(value)
        return made

    def _head(self, place: int) -> tuple[list[str], str | None, list[int]]:
        """Return an item's types, its id, and the places that it refers to."""
        if place not in self.heads:
            get = self.marks[place].get
            id_, refs = get("itemid"), [self.ids.get(ref) for ref in _words(get("itemref"))]
            url = None if id_ is None else absolute(str.__str__(id_), self.base)
            self.heads[place] = _words(get("itemtype")), url, [at for at in refs if at is not None]
        return self.heads[place]

    def _members(self, place: int, referred: list[int]) -> list[tuple[int, list[str]]]:
        """Return the places of an item's properties, in document order, and their names."""
        marks, seen = self.marks, {place}
        found: list[tuple[int, list[str]]] = []
        for first, end in [(place + 1, marks[place].until), *((at, marks[at].until) for at in referred)]:
            at = first
            while at < end and self.steps > 0:
                self.steps -= 1
                mark = marks[at]
                known = at in seen
                seen.add(at)
                if mark.names and not known:
                    found.append((at, mark.names))
                at = mark.until if known or mark.is_item else at + 1
        return sorted(found)

    def _value(self, place: int, within: tuple[int, ...]) -> str | dict[str, Any] | None:
        """Return the value of a property; None if it is an item too deep within others."""
        if self.marks[place].is_item:
            if place in within:
                return "ERROR"
            return self.item(place, within) if len(within) < MOST_DEPTH else None
        if place not in self.values:
            self.values[place] = self._read(self.marks[place])
        return self.values[place]

    def _read(self, mark: Mark) -> str:
        source, is_url = _SOURCES.get(mark.name, ("", False))
        if source:
            given = str.__str__(mark.get(source) or "")
            return (absolute(given, self.base) or "") if is_url else given
        moment = mark.get("datetime") if mark.name == "time" else None
        # A text is cut rather than made in full: each of many nested elements may have most of the page's.
        most = max(self.characters, 0) + 1
        return self.text[mark.start : min(mark.stop, mark.start + most)] if moment is None else str.__str__(moment)


def _size(words: list[str]) -> int:
    return sum(map(len, words)) + 10 * len(words)


def _words(value: str | None) -> list[str]:
    """The distinct words of an attribute."""
    return list(dict.fromkeys(_tokens(value or "")))
