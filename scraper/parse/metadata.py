"""What a page says of itself: title, description, language, Open Graph, and what it asks of robots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scraper.parse.links import absolute
from scraper.parse.outline import Outline

AGENT = "scraper"  # the name by which a page may address us alone
# Directives of X-Robots-Tag that take a value; any other word before a colon is the name of a robot.
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


# What Facebook's and others' vocabularies begin with. Source: https://ogp.me and its namespaces.
_VOCABULARIES = (
    *("og:", "article:", "book:", "business:", "fb:", "music:", "place:", "product:", "profile:", "restaurant:"),
    *("video:",),
)
# Properties that hold a URL. Those of other vocabularies, `article:author` first of all, hold names as often.
_URLS = frozenset({
    *("og:url", "og:see_also"),
    *(f"og:{kind}{part}" for kind in ("image", "audio", "video") for part in ("", ":url", ":secure_url")),
})
MOST_VALUES = 1_000  # of one property


class Metadata(NamedTuple):
    """What a page says of itself. `nofollow` names where it asks that none of its links be followed."""

    title: str | None = None
    description: str | None = None
    lang: str | None = None
    noindex: bool = False
    nofollow: str | None = None


def metadata(outline: Outline, headers: Mapping[str, str]) -> Metadata:
    """Read the metadata of a page; `headers` by lower-case name, those that stand more than once joined by commas."""
    named = named_contents(outline.metas)
    title = " ".join(outline.title.split())
    asked = directives(named, headers.get("x-robots-tag", ""))
    lang = outline.lang or _pragma_lang(named) or headers.get("content-language", "").partition(",")[0]
    return Metadata(
        title=title or named.get("og:title") or None,
        description=named.get("description") or named.get("og:description") or None,
        lang=lang.strip() or None,
        noindex="noindex" in asked or "none" in asked,
        nofollow=asked.get("nofollow") or asked.get("none"),
    )


def open_graph(metas: Iterable[tuple[str, str]], base: str) -> dict[str, str | list[str]]:
    """Return the properties of Open Graph and its kin that are not empty; a list where one stands more than once.

    URLs are absolute; one that is none stands as it is. Source: https://ogp.me
    """
    found: dict[str, list[str]] = {}
    for name, content in metas:
        if name.startswith(_VOCABULARIES) and content:
            values = found.setdefault(name, [])
            if len(values) < MOST_VALUES:
                values.append((absolute(content, base) or content) if name in _URLS else content)
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def directives(named: Mapping[str, str], header: str) -> dict[str, str]:
    """Return each directive for robots that concerns us, and where it stands."""
    asked = dict.fromkeys(_header_directives(header), "X-Robots-Tag")
    for name in ("robots", AGENT):
        asked.update(dict.fromkeys(named.get(name, "").lower().replace(",", " ").split(), "meta robots"))
    return asked


def _header_directives(header: str) -> Iterable[str]:
    """The words of X-Robots-Tag; a robot's name before a colon holds until the next name.

    Source: https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
    """
    ours = True
    for part in header.lower().split(","):
        name, colon, word = (piece.strip() for piece in part.partition(":"))
        if colon and name not in _VALUED:
            ours = name == AGENT
        elif not colon:
            word = name
        if ours:
            yield word


def _pragma_lang(named: Mapping[str, str]) -> str:
    """Return the language that a meta in the place of a header names; several are none.

    Source: https://html.spec.whatwg.org/multipage/semantics.html#pragma-set-default-language
    """
    lang = named.get("content-language", "")
    return "" if "," in lang else lang.partition(" ")[0]


def named_contents(metas: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the content of each `meta` by its name: the first that is not empty, of robots all, with commas."""
    named: dict[str, str] = {}
    robots: dict[str, list[str]] = {}
    for name, content in metas:
        if name in {"robots", AGENT} and content:
            robots.setdefault(name, []).append(content)
        elif content:
            named.setdefault(name, content)
    return named | {name: ", ".join(contents) for name, contents in robots.items()}
