"""What a page says of itself: title, description, language, and what it asks of robots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from scraper.parse.outline import Outline

AGENT = "scraper"  # the name by which a page may address us alone
# Directives of X-Robots-Tag that take a value; any other word before a colon is the name of a robot.
_VALUED = frozenset({"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"})


class Metadata(NamedTuple):
    """What a page says of itself. `nofollow` names where it asks that none of its links be followed."""

    title: str | None = None
    description: str | None = None
    lang: str | None = None
    noindex: bool = False
    nofollow: str | None = None


def metadata(outline: Outline, headers: Mapping[str, str]) -> Metadata:
    """Read the metadata of a page; `headers` by lower-case name, those that stand more than once joined by commas."""
    named = _named(outline.metas)
    title = " ".join(outline.title.split())
    asked = directives(named, headers.get("x-robots-tag", ""))
    lang = outline.lang or headers.get("content-language", "").partition(",")[0]
    return Metadata(
        title=title or named.get("og:title") or None,
        description=named.get("description") or named.get("og:description") or None,
        lang=lang.strip() or None,
        noindex="noindex" in asked or "none" in asked,
        nofollow=asked.get("nofollow") or asked.get("none"),
    )


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


def _named(metas: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The content of each `meta`, by lower-case name or property: the first that is not empty, of robots all."""
    named: dict[str, str] = {}
    for key, content in metas:
        name = key.lower()
        if name in {"robots", AGENT}:
            named[name] = f"{named.get(name, '')},{content}"
        elif name and content:
            named.setdefault(name, content)
    return named
