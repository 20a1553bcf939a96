"""turbohtml's parse becomes bs4's own objects: the tree of the HTML standard, at a fraction of what bs4 takes for it.

turbohtml hands nodes over in document order; lists within lists take them, which costs next to nothing. One loop over
those fills the soup. bs4 makes a tag by some fifteen calls; here its attributes are written one after the other, and
CPython keeps them in the object itself, without a dictionary. They must be exactly bs4's: a test compares every kind of
node with one that bs4 made, so that a new version of bs4 is looked at before it is allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, TypeAlias

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
# Servers write it like this; looking for other spellings would cost every page more than it could ever bring.
_SHADOW = "shadowrootmode"

Pairs: TypeAlias = tuple[tuple[str, str | None], ...]
# A text is a str, any other string a tuple of its class and its text; a tag is a list of (name, namespace, attributes)
# and, after that, its children. The document is a list too, whose first member says nothing.
Branch: TypeAlias = list[Any]


def parse(text: str) -> Branch:
    """Return the document as lists within lists."""
    branch: Branch = parse_into(text, _SINK) if _SHADOW not in text else _parse_shadows(text)
    return branch


def fill(soup: BeautifulSoup, document: Branch) -> None:
    """Fill an empty soup with a document; the soup's builder tells how tags, attributes and strings are made."""
    make_tag, containers = _tag_maker(soup), soup.builder.string_containers
    new_string: Any = str.__new__  # NavigableString's own sets the neighbours too, by way of three more calls
    kind: type[NavigableString] = NavigableString  # what text becomes here
    parent = last = soup  # the tag that is open, the node before this one in the document
    sibling: Any = None  # the node before this one in the open tag
    siblings, above, children = parent.contents, [], iter(document[1:])
    while True:
        for child in children:
            if type(child) is str:
                node = new_string(kind, child)
                node.hidden = False
                node.next_element = node.next_sibling = None
            elif type(child) is list:
                below = iter(child)
                node = make_tag(*next(below))
            else:
                node = child[0](child[1])
            node.parent = parent
            node.previous_element = last
            node.previous_sibling = sibling
            if sibling is not None:
                sibling.next_sibling = node
            last.next_element = last = sibling = node
            siblings.append(node)
            if type(child) is list:
                above.append((children, parent, sibling, siblings, kind))
                kind = containers.get(node.name, kind)
                children, parent, sibling, siblings = below, node, None, node.contents
                break
        else:
            if not above:
                break
            children, parent, sibling, siblings, kind = above.pop()
    soup.next_element = soup.contents[0].previous_element = None  # or a pickle of the soup would hold every node
    soup._most_recent_element = last  # noqa: SLF001 (bs4's builders leave it so)


def qualified(pairs: Pairs) -> Pairs:
    """Return attributes of SVG or MathML as bs4 has them: those in a namespace know it, and come last."""
    plain = [pair for pair in pairs if pair[0] not in _FOREIGN]
    return (*plain, *[(NamespacedAttribute(*_FOREIGN[key]), value) for key, value in pairs if key in _FOREIGN])


def _tag_maker(soup: BeautifulSoup) -> Callable[[str, str, Pairs], Any]:
    """Return what makes a tag of this soup, as yet without neighbours."""
    builder: Any = soup.builder
    soup_class, attributes, new_tag = type(soup), _attribute_maker(builder), Tag.__new__
    no_attributes, value_list = builder.attribute_dict_class, builder.attribute_value_list_class
    lists, keeping, empty = builder.cdata_list_attributes, builder.preserve_whitespace_tags, builder.empty_element_tags
    interesting = {name: {kind} for name, kind in builder.string_containers.items()}
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
        tag.interesting_string_types = interesting.get(name, Tag.MAIN_CONTENT_STRING_TYPES)
        if name == "meta":
            builder.set_up_substitutions(tag)
        return tag

    return make


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


def _parse_shadows(text: str) -> Branch:
    """Parse a text in which templates are shadow roots: they are templates like any other, as in bs4's own builders.

    The attribute goes through the parse under another name, and is given back its own wherever it comes out.
    """
    mark = next(mark for mark in map(chr, range(0xE000, 0xF900)) if mark not in text)

    def bare(value: str) -> str:
        return value.replace(mark, "")

    def element(name: str, namespace: str, pairs: Pairs) -> Branch:
        return [(bare(name), namespace, tuple([(bare(key), value and bare(value)) for key, value in pairs]))]

    sink = SimpleNamespace(**vars(_SINK))
    sink.create_element, sink.create_text = element, bare
    sink.create_comment = lambda comment: (Comment, bare(comment))
    return parse_into(text.replace(_SHADOW, _SHADOW + mark), sink)


def _doctype(name: str, public: str | None, system: str | None) -> tuple[type[NavigableString], str]:
    return Doctype, str.__str__(Doctype.for_name_and_ids(name, public, system))


def _instruction(target: str, data: str) -> tuple[type[NavigableString], str]:
    return ProcessingInstruction, f"{target} {data}?" if data else f"{target}?"  # as bs4's own builders have it


# What is called for most nodes is written in C: text is kept as it comes, and what a list is appended to is a list.
_SINK: Any = SimpleNamespace(
    create_document=lambda: [None],
    create_doctype=_doctype,
    create_element=lambda *head: [head],
    create_text=str,
    create_comment=lambda text: (Comment, text),
    create_pi=_instruction,
    append=list.append,
)
