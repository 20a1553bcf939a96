"""Declarative rules: TOML text becomes frozen rules; rules and a page become records. Pure.

A rules file is a list of `[[rule]]` tables:

name      the records' rule; needed, and each name stands once
match     the URLs it is for: a glob on the whole URL with `*`, or `re:` and an expression that is searched; a list of
          them is any of them; without it, every page
each      one record for each match of this selector; without it one for each page
document  "html" or "json": only where a selector could be either; otherwise the selectors tell
fields    a field's name and where it is: `"css"`, `"css::attr(name)"`, a list of these, of which the first that gives
          something counts, or a table: see `fields.py`
follow    pagination, links that are followed without counting depth: a selector, or a table with `select`

In HTML pages selectors are CSS (within `each`'s match, which is itself `"."`, `"::text"` or `"::attr(name)"`), in JSON
documents JMESPath. A rule whose selectors are all valid CSS takes HTML pages, one whose selectors are all valid
JMESPath takes JSON documents, one that is both takes both.
"""

from scraper.parse.rules.explaining import ExplainedField, ExplainedRecord, ExplainedRule, explain
from scraper.parse.rules.making import Made, run
from scraper.parse.rules.reading import read_rules
from scraper.parse.rules.rule import Field, Rule, Selector

__all__ = [
    "ExplainedField",
    "ExplainedRecord",
    "ExplainedRule",
    "Field",
    "Made",
    "Rule",
    "Selector",
    "explain",
    "read_rules",
    "run",
]
