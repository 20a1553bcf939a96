"""CSS that means the same to every engine: such selectors are put to the page's own tree, and no soup is made.

Names, `*`, ids, classes, some attributes, the four combinators, and lists of these. What engines read in ways of their
own is left to soupsieve: pseudo-classes, escapes, namespaces, names of SVG in mixed case, attributes whose value HTML
compares in any case (https://html.spec.whatwg.org/multipage/semantics-other.html#case-sensitivity-of-selectors), and
those that bs4 makes lists of. Classes and ids are asked for as attributes, which quirks mode does not change.
"""

from __future__ import annotations

import re

_LONGEST = 500  # characters
_NAME = r"[a-z_][a-z0-9_-]*"
_TOKEN = re.compile(
    rf"""(?P<space>[ \t\n]*[>+~,][ \t\n]*|[ \t\n]+)
    |(?P<tag>[a-z][a-z0-9]*(?:-[a-z0-9]+)*|\*)
    |(?P<mark>[.\#])(?P<ident>-?[A-Za-z_][A-Za-z0-9_-]*)
    |\[[ ]*(?P<attribute>{_NAME})[ ]*
        (?:(?P<operator>[~^$*|]?=)[ ]*(?P<quote>["']?)(?P<value>[A-Za-z0-9_./:?=%-]+)(?P=quote)[ ]*)?\]
    """,
    re.VERBOSE,
)
_VALUES = frozenset({"href", "src", "id", "name", "title", "alt", "content", "value", "property", "role"})
_MICRODATA = frozenset({"itemprop", "itemtype", "itemid"})
# Their names in the tree are not in lower case (https://html.spec.whatwg.org/#adjust-svg-attributes and before it).
_SVG = frozenset({
    *("altglyph", "altglyphdef", "altglyphitem", "animatecolor", "animatemotion", "animatetransform", "clippath"),
    *("feblend", "fecolormatrix", "fecomponenttransfer", "fecomposite", "feconvolvematrix", "fediffuselighting"),
    *("fedisplacementmap", "fedistantlight", "fedropshadow", "feflood", "fefunca", "fefuncb", "fefuncg", "fefuncr"),
    *("fegaussianblur", "feimage", "femerge", "femergenode", "femorphology", "feoffset", "fepointlight"),
    *("fespecularlighting", "fespotlight", "fetile", "feturbulence", "foreignobject", "glyphref", "lineargradient"),
    *("radialgradient", "textpath"),
})


def standard(css: str) -> str | None:
    """Return such a selector in the form for the page's own tree; None if it is of another kind."""
    if len(css) > _LONGEST:
        return None
    written: list[str] = []
    place, open_compound = 0, False
    while place < len(css):
        token = _TOKEN.match(css, place)
        if token is None:
            return None
        if token["space"] is not None:
            if not open_compound:
                return None
            written.append(token["space"].strip() or " ")
            open_compound = False
        elif (part := _part(token, first=not open_compound)) is not None:
            written.append(part)
            open_compound = True
        else:
            return None
        place = token.end()
    return "".join(written) if open_compound else None


def _part(token: re.Match[str], *, first: bool) -> str | None:
    """One part of a compound."""
    tag, ident, attribute = token["tag"], token["ident"], token["attribute"]
    if tag is not None:
        return tag if first and tag not in _SVG else None
    if ident is not None:
        return f'[class~="{ident}"]' if token["mark"] == "." else f'[id="{ident}"]'
    if token["operator"] is None:
        return f"[{attribute}]"
    known = attribute in _VALUES or attribute in _MICRODATA or attribute.startswith("data-")
    quoted = token["quote"] or re.fullmatch(_NAME, token["value"])
    return f'[{attribute}{token["operator"]}"{token["value"]}"]' if known and quoted else None
