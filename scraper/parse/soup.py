"""The one place where a BeautifulSoup tree is built, and taken apart again."""

from __future__ import annotations

import warnings
from typing import Any

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning

from scraper.parse.target import build


def make_soup(text: str, builder: str = "lxml") -> BeautifulSoup:
    """Return the tree of an HTML text.

    Text only: given bytes, bs4 would ask whichever charset detector happens to be installed. Raises what the builder
    raises for markup it refuses (html.parser: bs4.exceptions.ParserRejectedMarkup).
    """
    if not isinstance(text, str):
        raise TypeError(f"make_soup takes str, not {type(text).__name__}")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    with warnings.catch_warnings():
        # Both are advice to somebody who chose the text; a page was not chosen.
        warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        return build(text) if builder == "lxml" else BeautifulSoup(text, builder)


def take_apart(soup: BeautifulSoup) -> None:
    """Free a tree by reference counting; nothing of it can be used afterwards.

    Its nodes point at each other, and the cyclic collector costs more than the parse. Whoever holds a node (an
    extractor's leftover) keeps an empty shell.
    """
    node: Any = soup.contents[0] if soup.contents else None  # bs4 leaves the root's own next_element empty
    soup.builder.__dict__.clear()  # the parser and the builder hold each other too
    soup.__dict__.clear()
    while node is not None:
        own = node.__dict__
        node = own.get("next_element")
        own.clear()
