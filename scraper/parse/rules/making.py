"""Rules and a page become records and links to follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from scraper import urls
from scraper.errors import ParseError
from scraper.parse.page import Page
from scraper.parse.rules import records
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
    source = source_of(page)
    for rule in rules:
        if rule.takes(page.url) and rule.fits(is_json=page.is_json):
            with blaming(rule, page.url):
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


def source_of(page: Page) -> Source:
    """The page as rules see it; it is not parsed before a rule asks."""
    return Values(page) if page.is_json else Elements(page)


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
