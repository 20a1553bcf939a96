"""lxml's parse events become bs4's own objects: the tree that bs4 builds with lxml, in a fraction of the time.

bs4 builds a tag by some fifteen calls. Here the `__dict__` of a node is written in one step, and the links between
nodes are set in document order, as the events come. Its keys must be exactly bs4's: a test compares every node with one
that bs4 made, so that a new version of bs4 is looked at before it is allowed.
"""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from bs4.builder._lxml import LXMLTreeBuilder
from bs4.element import AttributeValueList, Comment, Doctype, NavigableString, ProcessingInstruction, Tag
from lxml import etree

_BUILDER = LXMLTreeBuilder  # the one whose tree this is
_LISTS = _BUILDER.DEFAULT_CDATA_LIST_ATTRIBUTES
_LISTED = frozenset().union(*_LISTS.values())  # attributes that are lists on some tag
_EVERYWHERE = frozenset(_LISTS["*"])
_EMPTY = frozenset(_BUILDER.DEFAULT_EMPTY_ELEMENT_TAGS or ())
_KEEPING = _BUILDER.DEFAULT_PRESERVE_WHITESPACE_TAGS
_CONTAINERS = _BUILDER.DEFAULT_STRING_CONTAINERS
_INTERESTING = {name: {kind} for name, kind in _CONTAINERS.items()}
_SPACES = " \n\t\f\r"  # a string of nothing else is shrunk to one character


def build(text: str) -> BeautifulSoup:
    """Return the tree of an HTML text; raises UnicodeEncodeError for lone surrogates."""
    target = _Target()
    # Without huge_tree a text of more than ten million characters would end the page.
    parser = etree.HTMLParser(target=target, recover=True, huge_tree=True)
    parser.feed(text)
    parser.close()
    return target.soup


class _Target:
    """What lxml hands its events to, in document order."""

    __slots__ = ("attributes", "containers", "kept", "last", "open", "pieces", "shared", "soup")

    def __init__(self) -> None:
        self.soup = BeautifulSoup("", builder=_BUILDER())
        self.open: list[Any] = [self.soup]  # the innermost tag last
        self.kept = 0  # how many open tags keep white space
        self.containers: list[str] = []  # the open tags below which strings are of a class of their own
        self.last: Any = None
        self.pieces: list[str] = []  # of the string that is being read
        root = vars(self.soup)
        self.attributes = self.soup.builder.attribute_dict_class
        self.shared = {
            "parser_class": BeautifulSoup,
            "namespace": None,
            "_namespaces": dict(_BUILDER.DEFAULT_NSMAPS),
            "prefix": None,
            "sourceline": None,
            "sourcepos": None,
            "attribute_value_list_class": AttributeValueList,
            "known_xml": False,
            "next_element": None,
            "next_sibling": None,
            "hidden": False,
            "cdata_list_attributes": root["cdata_list_attributes"],
            "preserve_whitespace_tags": root["preserve_whitespace_tags"],
        }

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.pieces:
            self._end_string()
        attrs: Any = self.attributes()
        if attributes:
            dict.update(attrs, attributes)
            for key, value in attributes.items():
                if key in _LISTED and (key in _EVERYWHERE or key in _LISTS.get(name, ())):
                    dict.__setitem__(attrs, key, AttributeValueList(value.split()))
        tag: Any = Tag.__new__(Tag)
        tag.__dict__ = {
            **self.shared,
            "name": name,
            "attrs": attrs,
            "contents": [],
            "can_be_empty_element": name in _EMPTY,
            "interesting_string_types": _INTERESTING.get(name, Tag.MAIN_CONTENT_STRING_TYPES),
        }
        self._append(tag)
        self.open.append(tag)
        if name == "meta":
            self.soup.builder.set_up_substitutions(tag)
        elif name in _KEEPING:
            self.kept += 1
        elif name in _CONTAINERS:
            self.containers.append(name)

    def end(self, name: str) -> None:
        if self.pieces:
            self._end_string()
        if self.open[-1].name != name and not any(tag.name == name for tag in self.open[1:]):
            return
        while True:
            closed = self.open.pop().name
            if closed in _KEEPING:
                self.kept -= 1
            elif closed in _CONTAINERS:
                self.containers.pop()
            if closed == name:
                return

    def data(self, text: str) -> None:
        self.pieces.append(text)

    def comment(self, text: str) -> None:
        self._special(text, Comment)

    def pi(self, target: str, text: str) -> None:
        self._special(f"{target} {text}", ProcessingInstruction)

    def doctype(self, name: str, public: str, system: str) -> None:
        self._special(str.__str__(Doctype.for_name_and_ids(name, public, system)), Doctype)

    def close(self) -> None:
        if self.pieces:
            self._end_string()
        vars(self.soup)["_most_recent_element"] = self.last

    def _special(self, text: str, kind: type[NavigableString]) -> None:
        if self.pieces:
            self._end_string()
        self.pieces.append(text)
        self._end_string(kind)

    def _end_string(self, kind: type[NavigableString] = NavigableString) -> None:
        text = "".join(self.pieces)
        self.pieces.clear()
        if not self.kept and not text.strip(_SPACES):
            text = "\n" if "\n" in text else " "
        if self.containers and kind is NavigableString:
            kind = _CONTAINERS[self.containers[-1]]
        string: Any = str.__new__(kind, text)
        string.__dict__ = {"hidden": False, "next_element": None, "next_sibling": None}
        self._append(string)

    def _append(self, node: Tag | NavigableString) -> None:
        parent = self.open[-1]
        siblings = parent.contents
        own = node.__dict__
        own["parent"] = parent
        own["previous_element"] = self.last
        if self.last is not None:
            self.last.__dict__["next_element"] = node
        if siblings:
            own["previous_sibling"] = siblings[-1]
            siblings[-1].__dict__["next_sibling"] = node
        else:
            own["previous_sibling"] = None
        self.last = node
        siblings.append(node)
