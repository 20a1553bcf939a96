"""A JSON document as rules see it: values by JMESPath."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from scraper.parse.page import Page
from scraper.parse.rules.rule import Selector


class Values:
    """The values of one JSON document, which is read when the first of them is asked for."""

    default_kind = "any"

    def __init__(self, page: Page) -> None:
        self._page = page

    @cached_property
    def root(self) -> Any:  # noqa: ANN401 (JSON has no type)
        """The whole document. Raises ParseError if it is no JSON."""
        return self._page.json()

    def base(self) -> str:
        """The URL that relative ones are joined to."""
        return self._page.url

    def find(self, selector: Selector, within: Any, limit: int = 0, *, spread: bool = True) -> list[Any]:  # noqa: ANN401
        """Return what an expression gives of a value; with `spread` a list is its elements. Null is nothing."""
        try:
            found = selector.path.search(within)
        except Exception:  # noqa: BLE001 (a function that is given a page's value of the wrong type)
            return []
        found = found if spread and isinstance(found, list) else [found]
        return [value for value in found if value is not None][: limit or None]

    def raw(self, value: Any, _selector: Selector, _kind: str) -> Any:  # noqa: ANN401
        """A value is all it says."""
        return value

    def missing(self, selector: Selector) -> str:
        """Say that an expression gives nothing."""
        return f"nothing is at `{selector.text}`"

    def lacking(self, _values: list[Any], _selector: Selector, _kind: str) -> str:
        """Never asked: what is found says something."""
        raise AssertionError("a value that is there says something")
