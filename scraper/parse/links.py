"""Where a page leads: each URL once, canonical, with its host, its key, and the verdict on it."""

from __future__ import annotations

import re
from collections.abc import Callable

from scraper import urls
from scraper.errors import UrlError
from scraper.model import Link, Reason, Verdict
from scraper.parse.outline import Outline

MOST_LINKS = 10_000  # distinct URLs on a page; what is beyond counts as bad
LONGEST_TEXT = 200  # characters of a link's text
LONGEST_OTHER = 500  # characters of a URL that is not http or https, such as an image in a data: URL
_SPACE = "\t\n\f\r "
_OTHER_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NOFOLLOW = Verdict(Reason.NOFOLLOW, "rel=nofollow")

Judge = Callable[[str], Verdict | None]


def base_of(outline: Outline, url: str) -> str:
    """Return what the page's links are relative to: its first `<base href>` if that is on the web, else its own URL."""
    if outline.base is None:
        return url
    try:
        base = urls.canonical(outline.base, url)
    except UrlError:
        return url
    return base if urls.is_web(base) else url


def find_links(
    outline: Outline, url: str, judge: Judge, *, nofollow: bool, page_wide: str | None = None
) -> tuple[tuple[Link, ...], int]:
    """Return the links of the page at `url`, distinct by URL in document order, and how many hrefs are not among them.

    With `nofollow` what the page asks is obeyed: `page_wide` tells where it asks so for all its links. A URL that is
    linked both with and without `rel=nofollow` counts as followed.
    """
    base = base_of(outline, url)
    found: dict[str, Link] = {}
    targets: dict[str, str | None] = {}
    bad = 0
    for href, rel, pieces in outline.anchors:
        head = href.partition("#")[0].strip(_SPACE)
        if head not in targets:
            targets[head] = _target(head, base)
        target = targets[head]
        if target is None or (target not in found and len(found) >= MOST_LINKS):
            bad += 1
        elif head or target != url:
            refused = _refused(rel, page_wide) if nofollow else None
            text = " ".join("".join(pieces).split())[:LONGEST_TEXT]
            old = found.get(target)
            if old is None:
                found[target] = Link(target, urls.host(target), urls.key(target), text, rel, refused or judge(target))
            else:
                found[target] = _merged(old, text, rel, refused, judge)
    return tuple(found.values()), bad


def _merged(old: Link, text: str, rel: str, refused: Verdict | None, judge: Judge) -> Link:
    """A link that stands on the page again: one that is followed counts more, the first text is kept."""
    if old.verdict == _NOFOLLOW and refused is None:
        old = old._replace(rel=rel, verdict=judge(old.url))
    return old if old.text or not text else old._replace(text=text)


def _refused(rel: str, page_wide: str | None) -> Verdict | None:
    if page_wide is not None:
        return Verdict(Reason.NOFOLLOW, page_wide)
    return _NOFOLLOW if rel and "nofollow" in rel.lower().split() else None


def _target(head: str, base: str) -> str | None:
    if _OTHER_SCHEME.match(head):
        head = head[:LONGEST_OTHER]
    try:
        url = urls.canonical(head, base)
    except UrlError:
        return None
    return url if urls.is_web(url) else url[:LONGEST_OTHER]
