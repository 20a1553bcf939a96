"""Parsing: what a response says, where it leads, and which records are made of it; all but the pool is pure."""

import importlib
from typing import TYPE_CHECKING

from scraper.parse.extract import Extractor, extractor
from scraper.parse.listing import may_list
from scraper.parse.makers import Makers
from scraper.parse.makers import load as load_makers
from scraper.parse.page import Page, looks_like_html, wanted
from scraper.parse.unpacked import MOST_BYTES as LONGEST_LISTING
from scraper.parse.workers import Workers

if TYPE_CHECKING:
    from scraper.parse.rules import ExplainedField, ExplainedRecord, ExplainedRule
    from scraper.parse.soup import make_soup

__all__ = [
    "LONGEST_LISTING",
    "ExplainedField",
    "ExplainedRecord",
    "ExplainedRule",
    "Extractor",
    "Makers",
    "Page",
    "Workers",
    "extractor",
    "load_makers",
    "looks_like_html",
    "make_soup",
    "may_list",
    "wanted",
]
_EXPLAINED = ("ExplainedField", "ExplainedRecord", "ExplainedRule")


def __getattr__(name: str) -> object:
    """Import bs4, which takes 0.1 s, when somebody makes a soup."""
    if name == "make_soup":
        from scraper.parse.soup import make_soup

        return make_soup
    if name in _EXPLAINED:
        return getattr(importlib.import_module("scraper.parse.rules"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
