"""What rules make of one page, told field by field: which selector gave a value, and why a field is empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from scraper.parse.page import Page
from scraper.parse.rules.hints import hint
from scraper.parse.rules.making import MOST_RECORDS, Sources, blaming, links, make_all, nodes_of
from scraper.parse.rules.records import Made, Read, Source
from scraper.parse.rules.rule import Rule

MOST_HINTED = 100  # records of a rule in which selectors that find nothing are looked into


class ExplainedField(NamedTuple):
    """A field (one within another is `author.name`, of a list `authors[0].name`), and how it came to its value."""

    name: str
    selector: str | None  # the one that gave the value; of an empty field the first
    value: Any
    why: str | None  # it is empty, or not all of it is there


class ExplainedRecord(NamedTuple):
    """A record with its fields; None if it is dropped, and then why."""

    record: dict[str, Any] | None
    fields: tuple[ExplainedField, ...]
    dropped: str | None


class ExplainedRule(NamedTuple):
    """What a rule makes of a page, or why it does not look at it."""

    rule: str
    takes: bool  # does `match` take the page's URL?
    fits: bool  # are its selectors in the language of such a page?
    each: str | None
    found: int  # how many elements or values `each` finds; without it the page itself
    records: tuple[ExplainedRecord, ...]
    follow: tuple[str, ...]
    notes: tuple[str, ...]  # sentences about the rule as a whole


def explain(rules: Iterable[Rule], page: Page) -> list[ExplainedRule]:
    """Return what each rule makes of a page, those too that do not take it; records and links are those of `run`.

    Raises ParseError as `run` does.
    """
    source = Sources(page).full
    return [_explained(rule, source, page) for rule in rules]


def _explained(rule: Rule, source: Source, page: Page) -> ExplainedRule:
    takes, fits = rule.takes(page.url), rule.fits(is_json=page.is_json)
    each = rule.each.text if rule.each is not None else None
    if not (takes and fits):
        kind = "a JSON document" if page.is_json else "an HTML page"
        note = f"no match takes {page.url}" if not takes else f"its selectors are not for {kind}"
        return ExplainedRule(rule.name, takes, fits, each, 0, (), (), (note,))
    with blaming(rule, page.url):
        return _looked_at(rule, source, page.url)


def _looked_at(rule: Rule, source: Source, url: str) -> ExplainedRule:
    each = rule.each.text if rule.each is not None else None
    found = len(nodes_of(rule, source))
    made = enumerate(make_all(rule, source, url))
    records = tuple(_record(one, source, hints=position < MOST_HINTED) for position, one in made)
    follow = tuple(links(rule, source))
    notes = tuple(_notes(rule, source, found, follow))
    return ExplainedRule(
        rule.name, takes=True, fits=True, each=each, found=found, records=records, follow=follow, notes=notes
    )


def _notes(rule: Rule, source: Source, found: int, follow: tuple[str, ...]) -> list[str]:
    notes = []
    if rule.each is not None and not found:
        notes.append(f"each: {_told(source.missing(rule.each), hint(source, rule.each, source.root))}")
    if found > MOST_RECORDS:
        notes.append(f"each: finds more than {MOST_RECORDS}; the first {MOST_RECORDS} are made records")
    if rule.follow and not follow:
        for selector in rule.follow:
            nodes = source.find(selector, source.root, MOST_RECORDS)
            if nodes and any(source.raw(node, selector, "url") is not None for node in nodes):
                notes.append(f"follow: `{selector.text}` finds nothing that is a URL on the web")
            elif nodes:
                notes.append(f"follow: {source.lacking(nodes, selector, 'url')}")
            else:
                notes.append(f"follow: {_told(source.missing(selector), hint(source, selector, source.root))}")
    return notes


def _record(made: Made, source: Source, *, hints: bool) -> ExplainedRecord:
    fields = tuple(_field(read, source, hints=hints) for read in made.reads)
    dropped = f"the required field {made.lacks} is empty" if made.lacks else None
    return ExplainedRecord(made.record, fields, dropped)


def _field(read: Read, source: Source, *, hints: bool) -> ExplainedField:
    why, selector = read.why, read.selector
    if hints and why and selector is not None:
        missing = source.missing(selector)
        if why.startswith(missing):
            why = _told(missing, hint(source, selector, read.within)) + why[len(missing) :]
    return ExplainedField(read.name, selector.text if selector is not None else None, read.value, why)


def _told(missing: str, more: str | None) -> str:
    return f"{missing} ({more})" if more else missing
