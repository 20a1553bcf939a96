"""An index over a soup, for CSS: the same tags as bs4's `select` gives, without a walk over the whole tree for each.

The last compound of a selector tells by name, id, class or attribute which tags it can be at all; soupsieve's own
matcher then judges those few, so that what a selector means is soupsieve's to say. One that names nothing (`*`,
`:root`, `:not(…)`) is put to every tag, as soupsieve does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import soupsieve
from bs4 import BeautifulSoup
from bs4.element import Tag
from soupsieve.css_match import RE_NOT_WS, CSSMatch, uses_scope
from soupsieve.css_types import Selector, SelectorList
from soupsieve.util import lower

# What a tag must have: `("<", name)`, `("#", id)`, `(".", class)` or `("[", attribute)`.
Key: TypeAlias = tuple[str, str]
# One of these keys it must have.
Condition: TypeAlias = tuple[Key, ...]
# For each selector of a list, conditions that all hold for what it matches; none: it may match any tag.
Conditions: TypeAlias = tuple[tuple[Condition, ...], ...]
# Ascending places of tags.
Places: TypeAlias = Sequence[int]
# A matcher, whether `:scope` means something to it, and the places of all that it may match, in one list or in some.
Prepared: TypeAlias = tuple[Any, bool, list[Places]]

_PREPARED = 256  # selectors that an index keeps ready
_DEEPEST = 8  # selectors within selectors; deeper ones bound nothing


class Index:
    """The tags of a soup by place, name and, once asked for, id, class and attribute.

    It is of the tree as it is now: who changes the tree makes another, which takes a fraction of one of bs4's selects.
    """

    def __init__(self, soup: BeautifulSoup) -> None:
        self._soup = soup
        self._namespaces = soup._namespaces  # noqa: SLF001 (those that bs4 selects with)
        self._is_xml = soup.is_xml
        self._tags = _tags(soup)
        self._prepared: dict[str, Prepared] = {}

    def __repr__(self) -> str:
        return f"<Index of {len(self._tags)} tags>"

    def select(self, css: str, within: Tag | None = None, limit: int = 0) -> list[Tag]:
        """Return the tags that match a selector, in document order: all of them (inside a tag), or the first `limit`.

        Raises what bs4's `select` raises: for a mistake in the selector soupsieve.SelectorSyntaxError.
        """
        scope = self._soup if within is None else within
        place = -1 if scope is self._soup else self._places.get(id(scope))
        if place is None or self._is_xml or scope._namespaces != self._namespaces:  # noqa: SLF001 (as above)
            return list(scope.select(css, limit=limit))
        matcher, scoped, pieces = self._prepared.get(css) or self._prepare(css)
        if scoped:  # `:scope` is another tag now, and what is known of others may hang on it
            matcher.reset()
            matcher.scope = matcher.root if place < 0 else scope
        tags, found = self._tags, []
        for candidate in self._candidates(pieces, place):
            if matcher.match(tags[candidate]):
                found.append(tags[candidate])
                if len(found) == limit:
                    break
        return found

    def _prepare(self, css: str) -> Prepared:
        """Make a selector ready, once: its matcher remembers what it learns of the tree for every later select."""
        compiled = soupsieve.compile(css, self._namespaces)
        matcher = CSSMatch(compiled.selectors, self._soup, compiled.namespaces, compiled.flags)
        pieces: list[Places] = []
        for conditions in _conditions(compiled.selectors):
            if not conditions:
                pieces = [range(len(self._tags))]
                break
            options = [[self._with(key) for key in condition] for condition in conditions]
            pieces += min(options, key=lambda lists: sum(map(len, lists)))
        if len(self._prepared) >= _PREPARED:
            self._prepared.clear()
        found = self._prepared[css] = matcher, uses_scope(compiled.selectors), pieces
        return found

    def _candidates(self, pieces: list[Places], place: int) -> Iterable[int]:
        """Return those places that lie inside the tag at a place, in order."""
        begin, end = place + 1, len(self._tags) if place < 0 else self._ends[place]
        spans = [(piece, range(bisect_left(piece, begin), bisect_left(piece, end))) for piece in pieces]
        inside = [map(piece.__getitem__, span) for piece, span in spans if span]  # not copied: one may be all one wants
        places = inside[0] if len(inside) == 1 else sorted({one for piece in inside for one in piece})
        # What lies in a template is no part of the page, but for who looks into that template.
        return (one for one in places if self._template[one] <= place) if self._template else places

    def _with(self, key: Key) -> Places:
        """Return the places of the tags that have a key, in order."""
        kind, value = key
        if kind == "<":
            return self._names.get(value, ())
        return (self._attributes if kind == "[" else self._marks).get(kind + value, ())

    @cached_property
    def _names(self) -> dict[str, list[int]]:
        """Places by name in lower case."""
        found: dict[str, list[int]] = {}
        for place, tag in enumerate(self._tags):
            found.setdefault(tag.name, []).append(place)
        for name in [name for name in found if name != lower(name)]:
            found[lower(name)] = sorted(found.pop(name) + found.get(lower(name), []))
        return found

    @cached_property
    def _marks(self) -> dict[str, list[int]]:
        """Places by `#id` and `.class`."""
        found: dict[str, list[int]] = {}
        usual: set[str] = set()  # attributes that are written as they are looked for, or are neither
        for place, tag in enumerate(self._tags):
            attributes = tag.attrs
            if not usual.issuperset(attributes):
                usual.update(name for name in attributes if name == lower(name) or lower(name) not in {"class", "id"})
                if not usual.issuperset(attributes):
                    attributes = {lower(name): value for name, value in reversed(attributes.items())}
            if (value := attributes.get("id")) is not None and isinstance(value, str):
                found.setdefault("#" + value, []).append(place)
            classes: Any = attributes.get("class")
            for part in RE_NOT_WS.findall(classes) if isinstance(classes, str) else classes or ():
                places = found.setdefault(f".{part}", [])
                if not places or places[-1] != place:
                    places.append(place)
        return found

    @cached_property
    def _attributes(self) -> dict[str, list[int]]:
        """Places by `[attribute`, in lower case; one in a namespace stands there with its prefix and without."""
        found: dict[str, list[int]] = {}
        for place, tag in enumerate(self._tags):
            aliases = [(name, getattr(name, "name", None) or name) for name in tag.attrs]
            for name in {lower(name) for pair in aliases for name in pair}:
                found.setdefault(f"[{name}", []).append(place)
        return found

    @cached_property
    def _places(self) -> dict[int, int]:
        """Each tag's place, by its identity: bs4's tags are equal if they look alike."""
        return {id(tag): place for place, tag in enumerate(self._tags)}

    @cached_property
    def _ends(self) -> list[int]:
        """The place after the last tag inside each."""
        ends = [*range(1, len(self._tags) + 1)]
        for place in range(len(self._tags) - 1, -1, -1):
            above = self._places.get(id(self._tags[place].parent))
            if above is not None:
                ends[above] = max(ends[above], ends[place])
        return ends

    @cached_property
    def _template(self) -> list[int]:
        """The place of the innermost template that each tag lies in, or -1; nothing if there are no templates."""
        if "template" not in self._names:
            return []
        matcher: Any = CSSMatch(SelectorList(), self._soup, None, 0)
        inside, opened = [], [-1]
        for place, tag in enumerate(self._tags):
            while len(opened) > 1 and self._ends[opened[-1]] <= place:
                opened.pop()
            inside.append(opened[-1])
            if matcher.is_template(tag):
                opened.append(place)
        return inside


def _tags(soup: BeautifulSoup) -> list[Tag]:
    """Return the tags of a soup in document order."""
    found: list[Tag] = []
    above, children = [], iter(soup.contents)
    while True:
        for child in children:
            if isinstance(child, Tag):
                found.append(child)
                if contents := child.contents:
                    above.append(children)
                    children = iter(contents)
                    break
        else:
            if not above:
                return found
            children = above.pop()


@lru_cache(maxsize=512)
def _conditions(selectors: SelectorList, depth: int = 0) -> Conditions:
    """Return what a tag must have to be matched; a selector that can match none (`:focus`) is left out."""
    return tuple([_conditions_of(one, depth) for one in selectors if isinstance(one, Selector)])


def _conditions_of(selector: Selector, depth: int) -> tuple[Condition, ...]:
    """Return a selector's conditions, those that few tags meet first."""
    found: list[Condition] = [(("#", name),) for name in selector.ids]
    found += [((".", name),) for name in selector.classes]
    if selector.tag is not None and selector.tag.name not in {None, "*"}:
        found.append((("<", lower(selector.tag.name)),))
    for inner in selector.selectors:  # `:is(…)`, and what soupsieve writes as one: `:link`, `:checked`
        if not inner.is_not and depth < _DEEPEST:
            options = _conditions(inner, depth + 1)
            if all(options):
                found.append(tuple(key for conditions in options for key in conditions[0]))
    if not found:  # for anything else these would be too many, and take the longest to gather
        found = [(("[", lower(one.attribute)),) for one in selector.attributes if not one.inverse]
    return tuple(found)
