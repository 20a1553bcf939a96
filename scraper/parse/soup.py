"""The one place where a BeautifulSoup tree is built, and taken apart again."""

from __future__ import annotations

import gc
import warnings
from typing import Any

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.builder._htmlparser import HTMLParserTreeBuilder

from scraper.parse.builders import ensure
from scraper.parse.treebuilder import ScraperTreeBuilder, soup_of

_CLEAN = (ScraperTreeBuilder, HTMLParserTreeBuilder)  # builders whose parser leaves no cycles of its own


def make_soup(text: str, builder: str = "turbo") -> BeautifulSoup:
    """Return the tree of an HTML text.

    "turbo" gives the tree of the HTML standard, the one that browsers build; the other builders are bs4's own: "lxml",
    "html5lib" and "html.parser". Text only: given bytes, bs4 would ask whichever charset detector happens to be
    installed. Raises ConfigError for a builder that is not there, and what the builder raises for markup it refuses
    (html.parser: bs4.exceptions.ParserRejectedMarkup; lxml: UnicodeEncodeError for lone surrogates).
    """
    if not isinstance(text, str):
        raise TypeError(f"make_soup takes str, not {type(text).__name__}")
    if builder == "turbo":
        try:
            return soup_of(text)
        except UnicodeDecodeError:  # turbohtml takes a lone surrogate anywhere but in a name
            return soup_of(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    ensure(builder)
    with warnings.catch_warnings():
        # Both are advice to somebody who chose the text; a page was not chosen.
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return BeautifulSoup(text.replace("\0", "\ufffd"), builder)  # lxml would take a NUL for the end


def take_apart(soup: BeautifulSoup) -> None:
    """Free a tree by reference counting; nothing of it can be used afterwards.

    Its nodes point at each other, and the cyclic collector costs more than the parse. Whoever holds a node (an
    extractor's leftover) keeps an empty shell.
    """
    node: Any = soup.contents[0] if soup.contents else None  # bs4 leaves the root's own next_element empty
    clean = isinstance(soup.builder, _CLEAN)
    soup.builder.__dict__.clear()  # some hold their parser, which holds them
    soup.__dict__.clear()
    while node is not None:
        own = node.__dict__
        node = own.get("next_element")
        own.clear()
    if not clean:
        gc.collect(1)  # only what is young: these parsers leave from twenty to thousands of objects
