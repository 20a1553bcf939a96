"""The tree builder that bs4 knows as "scraper": every option that bs4 gives, on the tree of the HTML standard."""

from __future__ import annotations

from typing import Any

from bs4 import BeautifulSoup
from bs4.builder import DetectsXMLParsedAsHTML, HTMLTreeBuilder, builder_registry
from bs4.builder._htmlparser import HTMLParserTreeBuilder
from bs4.element import NavigableString

from scraper.parse import tree

NAME = "scraper"


class ScraperTreeBuilder(HTMLTreeBuilder):
    """Makes soups of what turbohtml parses."""

    NAME = NAME
    features = (NAME,)  # no more, such as "html": who asks bs4 for any parser gets the one there was before

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 (those of bs4's TreeBuilder)
        super().__init__(**options)
        self.used = False

    def prepare_markup(self, markup: Any, *encodings: Any, **more: Any) -> Any:  # noqa: ANN401 (as bs4's builders)
        """Yield the text of bytes, decoded as bs4 does it for the standard library's parser, which wants text too."""
        DetectsXMLParsedAsHTML.warn_if_markup_looks_like_xml(markup, stacklevel=3)
        return HTMLParserTreeBuilder().prepare_markup(markup, *encodings, **more)

    def feed(self, markup: Any) -> None:  # noqa: ANN401 (a str, as `prepare_markup` leaves it; bs4 says more)
        """Fill the soup that bs4 has attached to this builder."""
        soup = self.soup
        assert soup is not None
        # bs4 copies a soup by feeding "" to the builder that made it, and expects nothing of that.
        if markup or not self.used:
            if soup.parse_only is None and not soup.element_classes:
                tree.fill(soup, markup)
            else:
                _replay(soup, tree.parse(markup))
        self.used = True

    def test_fragment_to_document(self, fragment: str) -> str:
        """Return what a fragment becomes as a document; bs4's own tests ask."""
        return f"<html><head></head><body>{fragment}</body></html>"


def soup_of(text: str) -> BeautifulSoup:
    """Return the soup of a text, without bs4's opinion of it: to some texts that is a warning, to some an error."""
    builder = ScraperTreeBuilder()
    builder.used = True
    soup = BeautifulSoup("", builder=builder)
    tree.fill(soup, text)
    return soup


def _replay(soup: BeautifulSoup, document: tree.Branch) -> None:
    """Fill a soup by bs4's own calls, which know about filters and users' classes, and take their time."""
    above: list[Any] = []
    children = iter(document[1:])
    while True:
        for child in children:
            if type(child) is list:
                children, unseen = iter(child), children
                name, namespace, pairs = next(children)
                above.append((unseen, soup.handle_starttag(name, namespace, None, _attributes(soup, namespace, pairs))))
                break
            kind, text = (NavigableString, child) if type(child) is str else child
            _add_string(soup, kind, text)
        else:
            if not above:
                return
            children, tag = above.pop()
            if tag is not None:  # a tag that the filter refused was not opened
                soup.handle_endtag(tag.name)


def _attributes(soup: BeautifulSoup, namespace: str, pairs: tree.Pairs) -> Any:  # noqa: ANN401 (the user's class)
    attributes = soup.builder.attribute_dict_class()
    for key, value in pairs if namespace == tree.HTML else tree.qualified(pairs):
        attributes[key] = value or ""
    return attributes


def _add_string(soup: BeautifulSoup, kind: type[NavigableString], text: str) -> None:
    """Add a string as it is; bs4's own `handle_data` would shrink white space."""
    top = len(soup.tagStack) <= 1
    if soup.parse_only is None or not top or soup.parse_only.allow_string_creation(text):
        soup.object_was_parsed(soup.string_container(kind)(text))


builder_registry.register(ScraperTreeBuilder)
