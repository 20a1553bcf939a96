"""What extractors see of a page: the tree, and what was read from it. Each part is made when it is first touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from scraper.errors import ParseError
from scraper.model import Link
from scraper.scope import Patterns

if TYPE_CHECKING:  # bs4 takes 0.1 s to import, and not everybody who knows pages parses them
    from bs4 import BeautifulSoup
    from bs4.element import Tag

    from scraper.parse.metadata import Metadata
    from scraper.parse.outline import Outline

AGENT = "scraper"  # the name by which a page may address us alone
MEDIA_TYPES = frozenset({"text/html", "application/xhtml+xml", ""})
_JSON = re.compile(r"(?:application|text)/(?:[^\s;]+\+)?json(?:;|$)")
_SNIFFED = 1024  # bytes
_HTML = re.compile(rb"<(?:!doctype\s+html|html|!--|(?!rss|feed|svg|urlset|sitemapindex|\w+:)[a-z])", re.IGNORECASE)
_XHTML = re.compile(rb"<(?:!doctype\s+html|html)", re.IGNORECASE)


def wanted(content_type: str) -> bool:
    """Is a body of this media type, HTML or JSON, a page? Without one (empty) it may be: `looks_like_html` tells."""
    return content_type in MEDIA_TYPES or is_json(content_type)


def is_json(content_type: str) -> bool:
    """Is this the media type of a JSON document (https://mimesniff.spec.whatwg.org/#json-mime-type)?"""
    return _JSON.match(content_type) is not None


def looks_like_html(body: bytes) -> bool:
    """Tell whether a body of unknown type begins as an HTML page does."""
    head = body[:_SNIFFED].replace(b"\0", b"")  # of UTF-16 this leaves ASCII
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"):
        head = head.removeprefix(mark)
    head = head.lstrip()
    return bool(_XHTML.search(head) if head.startswith(b"<?xml") else _HTML.match(head))


def fields(headers: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """HTTP headers by lower-case name; those that stand more than once are joined by a comma."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name] = f"{found[name]}, {value}" if name in found else value
    return MappingProxyType(found)


class Page:
    """A parsed response. It lives as long as the extractor runs: keep text of it, never nodes.

    `html` is the decoded body, of a JSON document too; that one has `json()` and its text, an empty tree, and no links
    but those of its headers. `feeds` adds the feeds to the links; `strip` makes a canonical URL shorter, as if it had
    stood so on the page. `agent` is what the page may call us, in any case; an `unavailable_after` before `now` (UTC
    seconds) is a `noindex`.
    """

    def __init__(
        self,
        url: str,
        html: str,
        *,
        status: int = 200,
        headers: Iterable[tuple[str, str]] = (),
        builder: str = "turbo",
        patterns: Patterns | None = None,
        nofollow: bool = True,
        feeds: bool = False,
        strip: Callable[[str], str] | None = None,
        agent: str = AGENT,
        now: float = 0.0,
    ) -> None:
        lines = tuple(headers)
        self.url = url
        self.html = html
        self.status = status
        self.headers = fields(lines)
        self.builder = builder
        self._patterns = patterns or Patterns()
        self._nofollow = nofollow
        self._with_feeds = feeds
        self._strip = strip
        self._agent = agent.lower()
        self._now = now
        self._tags = [value for name, value in lines if name == "x-robots-tag"]  # joined, a robot's name would go on

    def __repr__(self) -> str:
        return f"<Page {self.url}>"

    @cached_property
    def soup(self) -> BeautifulSoup:
        """The tree, with the whole API of bs4."""
        from scraper.parse.soup import make_soup

        return make_soup("" if self.is_json else self.html, self.builder)

    @property
    def has_soup(self) -> bool:
        """Has the soup been made?"""
        return "soup" in vars(self)

    @cached_property
    def tree(self) -> Any:  # noqa: ANN401 (a turbohtml Document)
        """The tree that turbohtml parses the page to; whoever reads it leaves it as it is."""
        from scraper.parse.walk import parse_html

        return parse_html(self.html)

    @cached_property
    def is_json(self) -> bool:
        """Is the page a JSON document, by its Content-Type?"""
        return is_json(self.headers.get("content-type", "").strip().lower())

    def json(self) -> Any:  # noqa: ANN401 (JSON has no type)
        """Return the body read as JSON, whatever its Content-Type. Raises ParseError if it is none."""
        import json

        try:
            return json.loads(self.html)
        except (ValueError, RecursionError) as error:
            raise ParseError(self.url, f"not JSON: {error}") from None

    def select(self, css: str) -> list[Tag]:
        """The tags that match a CSS selector, in document order, of the tree as it is by now."""
        from scraper.parse.select import Index

        return Index(self.soup).select(css)

    def close(self) -> None:
        """Free the tree, if there is one; the page cannot be used afterwards."""
        if self.has_soup:
            from scraper.parse.soup import take_apart

            take_apart(self.soup)

    @property
    def title(self) -> str | None:
        """The title, white space collapsed."""
        return self.metadata.title

    @property
    def description(self) -> str | None:
        """The page's own summary of itself."""
        return self.metadata.description

    @property
    def lang(self) -> str | None:
        """The language, as the page names it."""
        return self.metadata.lang

    @property
    def text(self) -> str:
        """The readable text."""
        return self._outline.text

    @cached_property
    def headings(self) -> tuple[tuple[int, str], ...]:
        """The headings that have text, in document order: level, 1 to 6, and text, white space collapsed."""
        return tuple(self._outline.headings)

    @cached_property
    def base(self) -> str:
        """The URL that the page's relative URLs are relative to: its own, or that of its `<base href>`."""
        from scraper.parse.links import base_of

        return base_of(self._outline, self.url)

    @property
    def links(self) -> tuple[Link, ...]:
        """The links, distinct by URL: those of the headers, those of `<link>` and refresh, then in document order."""
        return self._found[0]

    @property
    def bad_links(self) -> int:
        """How many hrefs are no URL, or beyond the most links of a page."""
        return self._found[1]

    @cached_property
    def canonical(self) -> str | None:
        """The URL that the page, or its Link header, names as its canonical one; None if that is several."""
        from scraper.parse.relations import canonical

        return canonical(self._outline, self._link_header, self.url)

    @cached_property
    def feeds(self) -> list[dict[str, str | None]]:
        """The feeds that the page names: `url`, `title` (None without) and media `type` of each."""
        from scraper.parse.relations import feeds

        return feeds(self._outline, self._link_header, self.url)

    @cached_property
    def hreflang(self) -> dict[str, str]:
        """The page's translations: a URL by language tag as it is written; `x-default` too."""
        from scraper.parse.relations import hreflang

        return hreflang(self._outline, self._link_header, self.url)

    @cached_property
    def meta(self) -> dict[str, str]:
        """The content of each `<meta>` by its name, property or http-equiv in lower case, white space collapsed.

        The first that is not empty counts; of robots all, with commas.
        """
        from scraper.parse.metadata import named_contents

        return named_contents(self._outline.metas, self._agent)

    @cached_property
    def open_graph(self) -> dict[str, str | list[str]]:
        """Open Graph by property (`og:title`, `article:author`), a list where one stands more than once."""
        from scraper.parse.metadata import open_graph

        return open_graph(self._outline.metas, self.base)

    @property
    def json_ld(self) -> list[dict[str, Any]]:
        """The objects of the page's JSON-LD, in document order; those of an array each, a `@graph` as it stands."""
        return self._json_ld[0]

    @property
    def bad_json_ld(self) -> int:
        """How many scripts of JSON-LD hold something else, or nothing that can be read."""
        return self._json_ld[1]

    @cached_property
    def microdata(self) -> list[dict[str, Any]]:
        """The items of the page's microdata that are no other item's property: `type`, `id` and `properties` of each.

        As in the HTML standard's JSON, save that URLs are canonical. Of a builder's soup, not of "turbo", it is what
        stands in the soup at first touch.
        """
        from scraper.parse.microdata import items, marks_of_html, marks_of_soup

        if self.is_json or "itemscope" not in self.html.lower():
            return []
        return items(marks_of_html(self.html) if self.builder == "turbo" else marks_of_soup(self.soup), self.base)

    @cached_property
    def _json_ld(self) -> tuple[list[dict[str, Any]], int]:
        from scraper.parse.jsontext import objects

        return objects(self._outline.scripts)

    @property
    def _link_header(self) -> str:
        return self.headers.get("link", "")

    @cached_property
    def metadata(self) -> Metadata:
        """Title, description, language, and what the page asks of robots."""
        from scraper.parse.metadata import metadata

        return metadata(self._outline, self.headers, tags=self._tags, agent=self._agent, now=self._now)

    @cached_property
    def _outline(self) -> Outline:
        from scraper.parse.outline import Outline
        from scraper.parse.walk import walk_soup, walk_tree

        if self.is_json:
            return Outline(text=self.html)
        return walk_tree(self.tree) if self.builder == "turbo" else walk_soup(self.soup)

    @cached_property
    def _found(self) -> tuple[tuple[Link, ...], int]:
        from scraper.parse.links import find_links
        from scraper.parse.pointers import pointers

        return find_links(
            self._outline,
            self.url,
            self._patterns.judge,
            nofollow=self._nofollow,
            page_wide=self.metadata.nofollow,
            pointers=pointers(self._outline, self.headers, self.url, feeds=self._with_feeds),
            strip=self._strip,
        )
