"""Rules and a page become records and links to follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

from scraper import urls
from scraper.errors import ParseError
from scraper.parse.page import Page
from scraper.parse.rules import records
from scraper.parse.rules.by_soup import BySoup
from scraper.parse.rules.by_tree import ByTree, has_odd_classes, is_fit
from scraper.parse.rules.elements import Elements
from scraper.parse.rules.kinds import convert
from scraper.parse.rules.records import Maker, Source
from scraper.parse.rules.rule import Field, Rule
from scraper.parse.rules.values import Values

MOST_RECORDS = 10_000  # of a rule on one page; what is beyond is left out
LONGEST_BLAME = 500  # characters of what went wrong
_FOLLOWED = Field("follow", (), kind="url")


class Made(NamedTuple):
    """What a rule makes of a page: records as JSON knows them, and absolute URLs, distinct, in document order."""

    rule: str
    records: list[dict[str, Any]]
    follow: list[str]


def run(rules: Iterable[Rule], page: Page) -> list[Made]:
    """Return what each rule makes that takes the page's URL and knows its language, in the rules' order.

    Raises ParseError if such a rule is for JSON and the page is broken JSON, if its records grow out of bounds, or if
    a selector cannot be matched at all; memory that runs out stays a MemoryError.
    """
    found = []
    sources = Sources(page)
    for rule in rules:
        if rule.takes(page.url) and rule.fits(is_json=page.is_json):
            with blaming(rule, page.url):
                source = sources.best_for(rule)
                made = [one.record for one in make_all(rule, source, page.url) if one.record is not None]
                found.append(Made(rule.name, made, links(rule, source)))
    return found


@contextmanager
def blaming(rule: Rule, url: str) -> Iterator[None]:
    """Make whatever goes wrong with a rule on a page a ParseError that names it."""
    try:
        yield
    except (ParseError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 (matching is a stranger's code, and some of it recurses as deep as the page)
        raise ParseError(url, f"rule {rule.name}: {type(error).__name__}: {error}"[:LONGEST_BLAME]) from None


class Sources:
    """The page as rules see it; it is not parsed, and no soup is made, before a rule asks."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def best_for(self, rule: Rule) -> Source:
        """The source that gives a rule its values soonest; what they are does not depend on it."""
        if self._page.is_json or rule.needs_soup or not self._has_fit_tree:
            return self.full
        return self.full if rule.asks_class and self._has_odd_classes else self._tree

    @cached_property
    def full(self) -> Source:
        """The source that any rule can be run on."""
        return Values(self._page) if self._page.is_json else Elements(self._page, BySoup)

    @cached_property
    def _tree(self) -> Source:
        return Elements(self._page, ByTree)

    @cached_property
    def _has_fit_tree(self) -> bool:
        return is_fit(self._page)

    @cached_property
    def _has_odd_classes(self) -> bool:
        return has_odd_classes(self._page)


def make_all(rule: Rule, source: Source, url: str) -> Iterator[records.Made]:
    """Yield each record of a rule, and those that lack what is required, at most `MOST_RECORDS`."""
    if rule.fields:
        maker = Maker(source, url, rule.name)
        for node in nodes_of(rule, source)[:MOST_RECORDS]:
            yield maker.make(rule.fields, node)


def nodes_of(rule: Rule, source: Source) -> list[Any]:
    """What a rule makes its records of, one more than it may make if there are more."""
    return [source.root] if rule.each is None else source.find(rule.each, source.root, MOST_RECORDS + 1)


def links(rule: Rule, source: Source) -> list[str]:
    """The URLs on the web that a rule follows."""
    found: dict[str, None] = {}
    for selector in rule.follow:
        for node in source.find(selector, source.root, MOST_RECORDS):
            raw = source.raw(node, selector, "url")
            url = None if raw is None else convert("url", raw, _FOLLOWED, source.base)[0]
            if url is not None and urls.is_web(url):
                found[url.partition("#")[0]] = None
    return list(found)
