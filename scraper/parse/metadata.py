"""What a page says of itself: title, description, language, Open Graph, and what it asks of robots."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from scraper.parse.links import absolute
from scraper.parse.moments import LONGEST, moment
from scraper.parse.outline import Outline

EVERYBODY = "robots"  # the name by which a page addresses all robots
_ALL = frozenset({EVERYBODY, "*", "x-robots-tag"})  # the last where a server sends the header's name twice

# What of all that robots are told concerns us; the rest gives leave, or is about search results.
_MEANINGS = {"noindex": ("noindex",), "nofollow": ("nofollow",), "none": ("noindex", "nofollow")}
_DATED = "unavailable_after"
# What search engines know. A name before a colon is a robot's if one of these follows, else a directive of somebody's.
_KNOWN = frozenset({
    *_MEANINGS,
    *("all", "index", "follow", "archive", "snippet", "noarchive", "nocache", "nosnippet", "noimageindex"),
    *("nomediaindex", "notranslate", "noodp", "noydir", "noyaca", "nositelinkssearchbox", "nopagereadaloud"),
    *("indexifembedded", "noai", "noimageai", _DATED),
})
# A word, and the colon behind it; or, without groups, a limit with its value, which may be `none`.
_WORD = re.compile(r"""max-(?:snippet|image-preview|video-preview)\s*:\s*[^\s,;]*|([^\s,;:"']+)(\s*:)?""")
_DATE_WORD = re.compile(r"""[^\s,;"']+""")
_DATE_WORDS = 6  # day's name, day, month, year, time, zone

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
LONGEST_LINE = 1024 * 1024  # characters of what robots are told in one place; what is beyond is not looked at
LONGEST_TITLE = 4096  # characters
LONGEST_DESCRIPTION = 16 * 1024  # characters
LONGEST_LANG = 64  # characters; a tag of RFC 5646 has half of that


class Metadata(NamedTuple):
    """What a page says of itself. `nofollow` names where it asks that none of its links be followed."""

    title: str | None = None
    description: str | None = None
    lang: str | None = None
    noindex: bool = False
    nofollow: str | None = None


def metadata(
    outline: Outline,
    headers: Mapping[str, str],
    *,
    tags: Iterable[str] = (),
    agent: str = EVERYBODY,
    now: float = 0.0,
) -> Metadata:
    """Read the metadata of a page; `headers` by lower-case name, those that stand more than once joined by commas.

    `tags` are the values of X-Robots-Tag, one for each time it stands there. What concerns all robots counts, and with
    it what concerns `agent` (in lower case). A page that is unavailable after a moment before `now` (UTC seconds) asks
    for `noindex`.
    """
    named = named_contents(outline.metas, agent)
    title = " ".join(outline.title.split())
    lines = [("X-Robots-Tag", tag) for tag in tags]
    lines.extend(("meta robots", content) for name, content in outline.metas if name in {EVERYBODY, agent})
    asked = {word: place for place, line in lines for word in directives(line, agent, now)}
    lang = outline.lang or _pragma_lang(named) or headers.get("content-language", "").partition(",")[0]
    description = named.get("description") or named.get("og:description") or ""
    return Metadata(
        title=(title or named.get("og:title") or "")[:LONGEST_TITLE] or None,
        description=description[:LONGEST_DESCRIPTION] or None,
        lang=lang.strip()[:LONGEST_LANG] or None,
        noindex="noindex" in asked,
        nofollow=asked.get("nofollow"),
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


def directives(line: str, agent: str, now: float) -> Iterator[str]:
    """Yield each `noindex` and `nofollow` that one X-Robots-Tag or one meta asks of `agent` (in lower case).

    Commas, semicolons and blanks part words. A robot's name before a colon holds until the next, or the line's end.
    Source: https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
    """
    line = line[:LONGEST_LINE].lower()
    ours, position = True, 0
    while match := _WORD.search(line, position):
        position = match.end()
        word, colon = match.groups()
        if colon and word == _DATED:
            until, position = _date(line, position)
            word = "noindex" if until is not None and until < now else ""
        elif colon and word.partition("/")[0] in {agent, *_ALL}:
            ours = True
        elif colon and word not in _KNOWN and _is_told(_WORD.search(line, position)):
            ours = False
        if ours:
            yield from _MEANINGS.get(word, ())


def _is_told(match: re.Match[str] | None) -> bool:
    """Is this what a robot, named before it, is told: what is known, or anything with a value (`10:30` is none)?"""
    if match is None:
        return False
    word, colon = match.groups()
    return word is None or word in _KNOWN or (colon is not None and word[0].isalpha())


def _date(line: str, start: int) -> tuple[float | None, int]:
    """Return the moment that the words from `start` on tell, as many as can be of them, and where the last ends."""
    words = list(islice(_DATE_WORD.finditer(line, start, start + LONGEST), _DATE_WORDS))
    known = next((at for at, word in enumerate(words) if word[0] in _KNOWN), len(words))  # `none` is no zone
    for last in reversed(words[:known]):
        if (until := moment(line[words[0].start() : last.end()])) is not None:
            return until, last.end()
    return None, start


def _pragma_lang(named: Mapping[str, str]) -> str:
    """Return the language that a meta in the place of a header names; several are none.

    Source: https://html.spec.whatwg.org/multipage/semantics.html#pragma-set-default-language
    """
    lang = named.get("content-language", "")
    return "" if "," in lang else lang.partition(" ")[0]


def named_contents(metas: Iterable[tuple[str, str]], agent: str = EVERYBODY) -> dict[str, str]:
    """Return the content of each `meta` by its name: the first that is not empty, of robots all, with commas.

    Robots are all of them, and `agent` (in lower case).
    """
    named: dict[str, str] = {}
    robots: dict[str, list[str]] = {}
    for name, content in metas:
        if name in {EVERYBODY, agent} and content:
            robots.setdefault(name, []).append(content)
        elif content:
            named.setdefault(name, content)
    return named | {name: ", ".join(contents) for name, contents in robots.items()}
