"""turbohtml's parse becomes bs4's own objects: the tree of the HTML standard, at a fraction of what bs4 takes for it.

turbohtml hands nodes over in document order, each before its children. bs4 makes a tag by some fifteen calls; here its
attributes are written one after the other, and CPython keeps them in the object itself, without a dictionary. They must
be exactly bs4's: a test compares every kind of node with one that bs4 made, so that a new version of bs4 is looked at
before it is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias, cast

from bs4 import BeautifulSoup
from bs4.element import Comment, Doctype, NamespacedAttribute, NavigableString, ProcessingInstruction, Tag
from turbohtml.treebuild import parse_into

HTML = "http://www.w3.org/1999/xhtml"
_XLINK = "http://www.w3.org/1999/xlink"
_XML = "http://www.w3.org/XML/1998/namespace"
_XMLNS = "http://www.w3.org/2000/xmlns/"
# The attributes of SVG and MathML that are in a namespace: prefix, name and namespace of each.
# Source: https://html.spec.whatwg.org/multipage/parsing.html#adjust-foreign-attributes
_FOREIGN = {
    **{
        f"xlink:{name}": ("xlink", name, _XLINK)
        for name in ("actuate", "arcrole", "href", "role", "show", "title", "type")
    },
    **{f"xml:{name}": ("xml", name, _XML) for name in ("lang", "space")},
    "xmlns": (None, "xmlns", _XMLNS),
    "xmlns:xlink": ("xmlns", "xlink", _XMLNS),
}

# A template with this attribute is no part of the document to turbohtml, and here nobody would ever see what is in it.
_SHADOW = "shadowrootmode"
_SHADOWS = re.compile(_SHADOW, re.ASCII | re.IGNORECASE)
_MARK = "\x80"  # a character that no reference gives: `&#x80;` is a euro sign, as the standard has it

Pairs: TypeAlias = tuple[tuple[str, str | None], ...]
# A text is a str, any other string a tuple of its class and its text; a tag is a list of (name, namespace, attributes)
# and, after that, its children. The document is a list too, whose first member says nothing.
Branch: TypeAlias = list[Any]


def parse(text: str) -> Branch:
    """Return the document as lists within lists."""
    document: Branch = [None]
    _parse(text, document, lambda *head: [head], list.append)
    return document


def fill(soup: BeautifulSoup, text: str) -> None:
    """Fill an empty soup with a document; the soup's builder tells how tags, attributes and strings are made."""
    kinds: dict[int, type[NavigableString]] = {}
    _parse(text, soup, _tag_maker(soup, kinds), _appender(soup, kinds))
    soup.next_element = soup.contents[0].previous_element = None  # or a pickle of the soup would hold every node
    last: Any = soup
    while isinstance(last, Tag) and last.contents:
        last = last.contents[-1]
    soup._most_recent_element = last  # noqa: SLF001 (bs4's builders leave it so)


def qualified(pairs: Pairs) -> Pairs:
    """Return attributes of SVG or MathML as bs4 has them: those in a namespace know it, and come last."""
    plain = [pair for pair in pairs if pair[0] not in _FOREIGN]
    return (*plain, *[(NamespacedAttribute(*_FOREIGN[key]), value) for key, value in pairs if key in _FOREIGN])


def _tag_maker(soup: BeautifulSoup, kinds: dict[int, type[NavigableString]]) -> Callable[[str, str, Pairs], Any]:
    """Return what makes a tag of this soup, as yet without neighbours, and notes what its text becomes if not plain."""
    builder: Any = soup.builder
    soup_class, attributes, new_tag = type(soup), _attribute_maker(builder), Tag.__new__
    no_attributes, value_list = builder.attribute_dict_class, builder.attribute_value_list_class
    lists, keeping, empty = builder.cdata_list_attributes, builder.preserve_whitespace_tags, builder.empty_element_tags
    containers, plain = builder.string_containers, Tag.MAIN_CONTENT_STRING_TYPES
    namespaces: dict[str, str] = {}

    def make(name: str, namespace: str, pairs: Pairs) -> Any:  # noqa: ANN401 (a Tag, whose neighbours are not typed)
        tag: Any = new_tag(Tag)
        tag.parser_class = soup_class
        tag.name = name
        tag.namespace = namespace
        tag._namespaces = namespaces  # noqa: SLF001 (one of the attributes that a tag has)
        tag.prefix = tag.sourceline = tag.sourcepos = None
        tag.attribute_value_list_class = value_list
        tag.attrs = attributes(name, pairs if namespace == HTML else qualified(pairs)) if pairs else no_attributes()
        tag.known_xml = tag.hidden = False
        tag.contents = []
        tag.next_element = tag.next_sibling = None
        tag.can_be_empty_element = empty is None or name in empty
        tag.cdata_list_attributes = lists
        tag.preserve_whitespace_tags = keeping
        tag.interesting_string_types = plain
        if name in containers:
            kinds[id(tag)] = containers[name]
            tag.interesting_string_types = {containers[name]}
        if name == "meta":
            builder.set_up_substitutions(tag)
        return tag

    return make


def _appender(soup: BeautifulSoup, kinds: dict[int, type[NavigableString]]) -> Callable[[Any, Any], None]:
    """Return what puts a node into its place in this soup: a tag, a text or a tuple, after all that lie before it."""
    new_string: Any = str.__new__  # NavigableString's own sets the neighbours too, by way of three more calls
    plain, last = NavigableString, cast("Any", soup)

    def append(parent: Any, node: Any) -> None:  # noqa: ANN401 (nodes, whose neighbours are not typed)
        nonlocal last
        siblings = parent.contents
        sibling = siblings[-1] if siblings else None
        if type(node) is Tag:
            node.parent = parent
            node.previous_element = last
            node.previous_sibling = sibling
            if kinds and id(parent) in kinds:
                kinds.setdefault(id(node), kinds[id(parent)])
        else:
            node = new_string(kinds.get(id(parent), plain), node) if type(node) is str else new_string(*node)
            node.__dict__ = {
                "hidden": False,
                "next_element": None,
                "next_sibling": None,
                "parent": parent,
                "previous_element": last,
                "previous_sibling": sibling,
            }
        if sibling is not None:
            sibling.next_sibling = node
        last.next_element = last = node
        siblings.append(node)

    return append


def _attribute_maker(builder: Any) -> Callable[[str, Pairs], Any]:  # noqa: ANN401 (whatever class the user chose)
    """Return what makes a tag's attributes: some are lists, and one without a value is empty."""
    lists = builder.cdata_list_attributes or {}
    everywhere = lists.get("*", ())
    make_dict, make_list = builder.attribute_dict_class, builder.attribute_value_list_class

    def make(name: str, pairs: Pairs) -> Any:  # noqa: ANN401
        attributes = make_dict()
        here = lists.get(name, ())
        for key, value in pairs:
            if key in everywhere or key in here:
                attributes[key] = make_list((value or "").split())
            else:
                attributes[key] = value or ""
        return attributes

    return make


def _parse(text: str, document: object, element: Callable[..., Any], append: Callable[[Any, Any], None]) -> None:
    """Parse a text into a document, by what makes an element, and what adds a node to its parent.

    A text comes as a str, any other string as a tuple of its class and its text.
    """
    sink: Any = SimpleNamespace(
        create_document=lambda: document,
        create_doctype=_doctype,
        create_element=element,
        create_text=str,
        create_comment=lambda text: (Comment, text),
        create_pi=_instruction,
        append=append,
    )
    # As bytes, in lower case: of all ways to ask whatever the case, the quickest by far.
    if _SHADOW.encode() in text.encode("utf-8", "surrogatepass").lower():
        text, sink = _unshadowed(text, sink)
    parse_into(text, sink)


def _unshadowed(text: str, sink: Any) -> tuple[str, Any]:  # noqa: ANN401 (what turbohtml calls a TreeBuilder)
    """Return a text in which no template is a shadow root, and a sink that takes it: as in bs4's own builders.

    The attribute goes through the parse under another name, and is given back its own wherever it comes out.
    """
    text = text.replace(_MARK, f"{_MARK}a")

    def bare(value: str | None) -> str | None:
        return value and value.replace(f"{_MARK}b", "").replace(f"{_MARK}a", _MARK)

    shadowed = SimpleNamespace(**vars(sink))
    shadowed.create_doctype = lambda *ids: sink.create_doctype(*map(bare, ids))
    shadowed.create_element = lambda name, namespace, pairs: sink.create_element(
        bare(name), namespace, tuple([(bare(key), bare(value)) for key, value in pairs])
    )
    shadowed.create_text = bare
    shadowed.create_comment = lambda comment: sink.create_comment(bare(comment))
    shadowed.create_pi = lambda *parts: sink.create_pi(*map(bare, parts))
    return _SHADOWS.sub(rf"\g<0>{_MARK}b", text), shadowed


def _doctype(name: str, public: str | None, system: str | None) -> tuple[type[NavigableString], str]:
    return Doctype, str.__str__(Doctype.for_name_and_ids(name, public, system))


def _instruction(target: str, data: str) -> tuple[type[NavigableString], str]:
    return ProcessingInstruction, f"{target} {data}?" if data else f"{target}?"  # as bs4's own builders have it
