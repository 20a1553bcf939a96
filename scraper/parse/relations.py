"""Which other forms of itself a page names: its canonical URL, its feeds, its translations.

A `<link>` says so in the page, a Link header (RFC 8288) outside of it. Where standards are silent on a page that is
wrong, Google's reading decides, since that is what sites are written for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from urllib.parse import unquote

from scraper.parse.links import absolute, base_of
from scraper.parse.outline import Outline, Relation
from scraper.parse.plain import clean

FEEDS = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json"})
MOST = 1_000  # relations of one kind on a page; those beyond are not looked at

# One link of the header: <URL>, then ; name=value, quoted or not; a semicolon too many, and spaces in what is not
# quoted, are taken as RFC 8288's own parser (appendix B) takes them. No part is read twice, whatever stands there.
_LINK = re.compile(
    r'<([^<>]*+)>((?:\s*+;\s*+(?:[^\s=;,"<>]++(?:\s*+=\s*+(?:"(?:[^"\\]++|\\.)*+"|[^;,"<>]*+))?+)?+)*+)', re.DOTALL
)
_PARAMETER = re.compile(r';\s*+([^\s=;,"<>]++)(?:\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)"|([^;,"<>]*+)))?+', re.DOTALL)

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def canonical(outline: Outline, header: str, url: str) -> str | None:
    """Return the URL that the page at `url` names as its canonical one, None if it names none, or several.

    Only what stands in the head counts, and no link that is about a variant of the page (with `hreflang`, `type`,
    `media` or `lang`). Source: RFC 6596; https://developers.google.com/search/docs/crawling-indexing/canonicalization
    """
    named = {
        target.partition("#")[0]
        for one, target in _targets(outline, header, url, "canonical")
        if one.in_head and not (one.lang or one.type or one.narrowed)
    }
    return named.pop() if len(named) == 1 else None


def feeds(outline: Outline, header: str, url: str) -> list[dict[str, str | None]]:
    """Return the feeds: url, title and media type of each, distinct by URL, in document order.

    Source: https://html.spec.whatwg.org/multipage/links.html#rel-alternate; https://www.jsonfeed.org/version/1.1/
    """
    found: dict[str, dict[str, str | None]] = {}
    for one, target in _targets(outline, header, url, "alternate"):
        if one.type in FEEDS:
            found.setdefault(target, {"url": target, "title": one.title or None, "type": one.type})
    return list(found.values())


def hreflang(outline: Outline, header: str, url: str) -> dict[str, str]:
    """Return the URL of each translation by its language tag as written (`x-default` too); the first of each counts.

    Only what stands in the head counts. Source: https://developers.google.com/search/docs/specialty/international
    """
    found: dict[str, tuple[str, str]] = {}
    for one, target in _targets(outline, header, url, "alternate"):
        if one.lang and one.in_head and one.type not in FEEDS:
            found.setdefault(one.lang.lower(), (one.lang, target))
    return dict(found.values())


def from_header(header: str, url: str) -> Iterator[Relation]:
    """Yield the links of the Link header of the page at `url`.

    One with an anchor is about another page, or about a part of this one, and left out, unless it anchors at this page.
    """
    for target, parameters in _LINK.findall(clean(header)):
        found: dict[str, str] = {}
        for name, quoted, bare in _PARAMETER.findall(parameters):
            meant = _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted
            found.setdefault(name.lower(), meant or bare.strip())
        if not found.get("anchor") or absolute(found["anchor"], url) == url:
            yield Relation(
                frozenset(found.get("rel", "").lower().split()),
                target,
                found.get("type", "").partition(";")[0].strip().lower(),
                found.get("hreflang", ""),
                _extended(found.get("title*", "")) or " ".join(found.get("title", "").split()),
                "media" in found,
            )


def _targets(outline: Outline, header: str, url: str, rel: str) -> Iterator[tuple[Relation, str]]:
    """Yield the relations of this kind and their absolute URLs on the web: the header's, then the page's."""
    base = base_of(outline, url)
    both = [(url, from_header(header, url) if header else ()), (base, outline.relations)]
    wanted = ((start, one) for start, some in both for one in some if rel in one.rel)
    for start, one in islice(wanted, MOST):
        target = absolute(one.href, start)
        if target is not None and target.startswith(("http://", "https://")):
            yield one, target


def _extended(value: str) -> str:
    """Return what `UTF-8''%e2%82%ac` stands for (RFC 8187); another charset is not read."""
    charset, _, rest = value.partition("'")
    return unquote(rest.partition("'")[2]) if charset.lower() == "utf-8" else ""
