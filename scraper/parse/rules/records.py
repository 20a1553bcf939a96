"""One record of one element or value: each field read, converted, and where it stays empty, why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from scraper.errors import ParseError
from scraper.parse.rules.kinds import convert, shown, text_of
from scraper.parse.rules.rule import Field, Selector

MOST_VALUES = 10_000  # of a field with `all`, and records of a nested one
MOST_TEXT = 64 * 1_048_576  # characters in all records of a rule on one page
FIELD_SIZE = 64  # characters that a value counts for, whatever it is


class Source(Protocol):
    """A page as rules see it: elements of HTML or values of JSON."""

    @property
    def default_kind(self) -> str:
        """What a field is that names no type."""

    @property
    def root(self) -> Any:  # noqa: ANN401 (an element, or a value as JSON knows them)
        """The whole page. Raises ParseError if it is broken JSON."""

    def base(self) -> str:
        """The URL that relative ones are joined to."""

    def find(self, selector: Selector, within: Any, limit: int = 0, *, spread: bool = True) -> list[Any]:  # noqa: ANN401
        """Return what a selector finds within an element or value, at most `limit` if that is not 0."""

    def raw(self, node: Any, selector: Selector, kind: str) -> Any:  # noqa: ANN401
        """What an element or value says; None if that is nothing."""

    def missing(self, selector: Selector) -> str:
        """Say that a selector finds nothing."""

    def lacking(self, nodes: list[Any], selector: Selector, kind: str) -> str:
        """Say why none of those that were found says anything."""


class Read(NamedTuple):
    """What became of a field, or of one within it (`author.name`).

    `selector` is the one that gave the value, without a value the first; `why` is why it is empty, or not all is there.
    `within` is the element or value it was looked for in.
    """

    name: str
    selector: Selector | None
    value: Any
    why: str | None
    within: Any


class Made(NamedTuple):
    """A record, or None with the name of the required field that is empty; and how each field was read."""

    record: dict[str, Any] | None
    lacks: str | None
    reads: list[Read]


class Maker:
    """Makes the records of one rule on one page; it counts the text they hold, which a page must not multiply."""

    def __init__(self, source: Source, url: str, rule: str) -> None:
        self._source = source
        self._url = url
        self._rule = rule
        self._left = MOST_TEXT

    def make(self, fields: tuple[Field, ...], node: Any, path: str = "") -> Made:  # noqa: ANN401
        """Make one record. Raises ParseError if the rule's records hold more than `MOST_TEXT`."""
        record: dict[str, Any] = {}
        reads: list[Read] = []
        lacks = None
        for field in fields:
            name = path + field.name
            self._spend(FIELD_SIZE)
            if field.fields:
                value = self._nested(field, node, name, reads)
            else:
                read = self._value(field, node, name)
                value = read.value
                reads.append(read)
            record[field.name] = value
            if field.required and lacks is None and (value is None or value == []):
                lacks = name
        return Made(None if lacks else record, lacks, reads)

    def _nested(self, field: Field, node: Any, name: str, reads: list[Read]) -> Any:  # noqa: ANN401
        """The records within a field; of one without `all`, the first."""
        selector, nodes = None, [node]
        for selector in field.selectors:
            nodes = self._source.find(selector, node, MOST_VALUES if field.all else 1)
            if nodes:
                break
        if not nodes:
            first = field.selectors[0]
            reads.append(Read(name, first, [] if field.all else None, self._source.missing(first), node))
        found = []
        for position, part in enumerate(nodes):
            made = self.make(field.fields, part, f"{name}[{position}]." if field.all else f"{name}.")
            reads.extend(made.reads)
            if made.record is not None:
                found.append(made.record)
            else:
                reads.append(Read(name, selector, None, f"no record: {made.lacks} is required", node))
        if field.all:
            return found
        return found[0] if found else None

    def _value(self, field: Field, node: Any, name: str) -> Read:  # noqa: ANN401
        first = None
        for selector in field.selectors:
            values, why = self._values(field, selector, node)
            if values:
                return Read(name, selector, values if field.all else values[0], why, node)
            first = first or why
        selector = field.selectors[0]
        if field.default is not None:
            return Read(name, selector, field.default, f"{first}; default used", node)
        return Read(name, selector, [] if field.all else None, first, node)

    def _values(self, field: Field, selector: Selector, node: Any) -> tuple[list[Any], str | None]:  # noqa: ANN401
        """What a selector gives a field: with `all` every value, else the first element's that says anything."""
        source = self._source
        kind = field.kind or source.default_kind
        spread = field.all or field.kind not in {None, "json"}
        nodes = source.find(selector, node, MOST_VALUES if field.all else 1, spread=spread)
        raws = [raw for one in nodes if (raw := source.raw(one, selector, kind)) is not None]
        if nodes and not raws and not field.all:
            nodes = source.find(selector, node, spread=spread)
            raws = [raw for one in nodes if (raw := source.raw(one, selector, kind)) is not None][:1]
        if not raws:
            return [], source.lacking(nodes, selector, kind) if nodes else source.missing(selector)
        values, whys = [], []
        for raw in raws:
            value, why = self._converted(raw, field, kind)
            if value is None:
                whys.append(why or "null")
            else:
                values.append(value)
        some = f"{len(whys)} of {len(raws)} are left out: " if values and whys else ""
        return values, some + whys[0] if whys else None

    def _converted(self, raw: object, field: Field, kind: str) -> tuple[Any, str | None]:
        if field.regex is not None:
            text = text_of(raw)
            match = None if text is None else field.regex.search(text)
            if match is None:
                return None, f"the regex {field.regex.pattern!r} does not match {shown(raw)}"
            raw = next((group for group in match.groups() if group is not None), match[0])
        value, why = convert(kind, raw, field, self._source.base)
        self._spend(_size(value))
        return value, why

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            most = f"{MOST_TEXT >> 20} MiB"
            raise ParseError(self._url, f"rule {self._rule}: its records on this page hold more than {most} of text")


def _size(value: object) -> int:
    """The characters that a value takes, about."""
    if isinstance(value, str):
        return len(value)
    return sum(map(_size, _parts(value)), FIELD_SIZE)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    elif isinstance(value, list):
        yield from value
