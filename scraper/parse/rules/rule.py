"""A rule as it was read and checked: for which pages, one record for each what, which fields, what to follow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Selector:
    """Where something is: in an HTML page by CSS, in a JSON document by JMESPath; valid in one language or both."""

    text: str  # as it was written
    css: str | None = None  # without `::`; empty for the element itself; None if it is no CSS
    direct: str | None = None  # the CSS for the page's own tree, if any engine reads it alike
    attr: str | None = None  # of the elements found, what `::attr(name)` names
    path: Any = field(default=None, compare=False)  # the compiled JMESPath; None if it is none


@dataclass(frozen=True)
class Field:
    """One value of a record, or with `fields` a record within it."""

    name: str
    selectors: tuple[Selector, ...]  # the first that gives something counts; none: the element itself
    kind: str | None = None  # None is text in HTML, and whatever it is in JSON
    all: bool = False
    default: Any = None
    required: bool = False
    regex: re.Pattern[str] | None = None
    formats: tuple[str, ...] = ()  # of a date, for strptime
    decimal: str | None = None  # of a number: its decimal mark, if it is known
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True)
class Rule:
    """What to make of which pages, by `fields`, `follow` or both.

    `max_age` is the age in seconds before which a recrawl leaves these pages alone; None if the rule says nothing.
    """

    name: str
    match: tuple[re.Pattern[str], ...]  # any of them, found by `search`; none: every page
    each: Selector | None
    fields: tuple[Field, ...]
    follow: tuple[Selector, ...]
    html: bool
    json: bool
    max_age: float | None = None

    @cached_property
    def needs_soup(self) -> bool:
        """Is there a selector that only soupsieve can be trusted with, or a field of type html?"""
        return any(one.css and one.direct is None for one in _selectors(self)) or _has_html(self.fields)

    @cached_property
    def asks_class(self) -> bool:
        """Is there a selector for the page's own tree that looks at classes?"""
        return any("[class" in one.direct for one in _selectors(self) if one.direct is not None)

    def takes(self, url: str) -> bool:
        """Tell whether the page of this URL is one for the rule."""
        return not self.match or any(pattern.search(url) for pattern in self.match)

    def fits(self, *, is_json: bool) -> bool:
        """Tell whether the rule's selectors are in the language of such a page."""
        return self.json if is_json else self.html


def _selectors(rule: Rule) -> Iterator[Selector]:
    """Yield all selectors of a rule."""
    if rule.each is not None:
        yield rule.each
    yield from rule.follow
    fields = list(rule.fields)
    while fields:
        one = fields.pop()
        yield from one.selectors
        fields.extend(one.fields)


def _has_html(fields: tuple[Field, ...]) -> bool:
    return any(one.kind == "html" or _has_html(one.fields) for one in fields)
