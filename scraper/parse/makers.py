"""What makes records of pages: rules and extractors, read, loaded, and told apart by name. Light to import."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from scraper.errors import ConfigError, ParseError
from scraper.model import Record
from scraper.parse import extract

if TYPE_CHECKING:
    from scraper.parse.page import Page
    from scraper.parse.rules import ExplainedRule, Rule

LARGEST_FILE = 4 * 1024 * 1024  # bytes of a rules file

RuleText: TypeAlias = tuple[str, str]  # the file's name, and what is in it
Matched: TypeAlias = tuple[tuple[str, int], ...]  # who took a page, and how many records each made of it


class Makers(NamedTuple):
    """Rules as texts and extractors as specs (or Extractors, where nothing is sent away): what crosses to a worker."""

    rules: tuple[RuleText, ...] = ()
    extractors: tuple[Any, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that make records."""
        ruled = [rule.name for rule in _rules(self.rules) if rule.fields]
        return (*ruled, *(one.name for one in _extractors(self.extractors)))

    def max_age(self, url: str) -> float | None:
        """The seconds for which a stored page is good enough, by the rules that take it; the least of several."""
        ages = [rule.max_age for rule in _rules(self.rules) if rule.max_age is not None and rule.takes(url)]
        return min(ages, default=None)

    @property
    def digest(self) -> str:
        """What tells these makers from others, also after one of their files was changed."""
        parts = [text for _, text in self.rules]
        for one in _extractors(self.extractors):
            parts += (one.name, one.match or "", _source(one.function))
        return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Made(NamedTuple):
    """What makers make of a page; `follow` are absolute URLs, not yet canonical; `failure` tells what went wrong."""

    records: list[Record]
    matched: Matched = ()
    follow: tuple[str, ...] = ()
    failure: str | None = None


def load(rules: Iterable[str | Path], extractors: Iterable[str | Callable[..., Any]]) -> Makers:
    """Read rules files, load extractors once to see that they can be; raises ConfigError for whatever is wrong."""
    makers = Makers(tuple(_read(Path(file)) for file in rules), tuple(extractors))
    names = makers.names
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two rules or extractors are named {name!r}: records could not be told apart")
    return makers


def run_rules(makers: Makers, page: Page) -> Made:
    """Return what the rules make of a page: nothing if one fails, as on broken JSON."""
    if not makers.rules:
        return Made([])
    from scraper.parse import rules

    known = _rules(makers.rules)
    try:
        made = rules.run(known, page)
    except ParseError as error:
        return Made([], failure=error.detail)
    with_fields = {rule.name for rule in known if rule.fields}
    records = [Record(its.rule, position, data) for its in made for position, data in enumerate(its.records)]
    matched = tuple((its.rule, len(its.records)) for its in made if its.rule in with_fields)
    return Made(records, matched, tuple(dict.fromkeys(url for its in made for url in its.follow)))


def run_extractors(makers: Makers, page: Page) -> Made:
    """Return what the extractors make of a page; one that fails makes nothing, and does not concern the others."""
    records: list[Record] = []
    matched: list[tuple[str, int]] = []
    failure = None
    for one in _extractors(makers.extractors) if makers.extractors else ():
        if one.takes(page.url):
            try:
                made = extract.run([one], page)
            except ParseError as error:
                failure = failure or error.detail
            else:
                records += made
                matched.append((one.name, len(made)))
    return Made(records, tuple(matched), failure=failure)


def explain_rules(makers: Makers, page: Page) -> tuple[ExplainedRule, ...]:
    """Return how the rules come to what they make of a page."""
    from scraper.parse import rules

    return tuple(rules.explain(_rules(makers.rules), page))


@lru_cache(maxsize=8)
def _rules(texts: Sequence[RuleText]) -> tuple[Rule, ...]:
    """The rules of texts, compiled; a worker does it once."""
    if not texts:
        return ()
    from scraper.parse.rules import read_rules

    return tuple(rule for source, text in texts for rule in read_rules(text, source))


@lru_cache(maxsize=4)
def _extractors(extractors: Sequence[Any]) -> tuple[extract.Extractor, ...]:
    """The extractors, which a worker loads once."""
    return extract.load_all(extractors)


def _read(file: Path) -> RuleText:
    try:
        with file.expanduser().open("rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ConfigError(f"{file}: over {LARGEST_FILE} bytes; this is no rules file")
        return str(file), content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file}: not UTF-8: {error.reason} at byte {error.start}") from None
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such rules file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(inspect.getmodule(function) or function)
    except (OSError, TypeError):
        return ""  # typed at a prompt
