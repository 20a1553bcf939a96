"""Where a page leads: each URL once, canonical, with its host, its key, and the verdict on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TypeAlias

import ada_url

from scraper import urls
from scraper.errors import UrlError
from scraper.model import Kind, Link, Reason, Verdict
from scraper.parse.outline import Outline, Pointer
from scraper.parse.text import words

MOST_LINKS = 10_000  # distinct URLs on a page; what is beyond counts as bad
MOST_CHARACTERS = 8 * 1024 * 1024  # of them together: with a long `<base href>` each short href means a long URL
MOST_HREFS = 4 * MOST_LINKS  # distinct; what else is written counts as bad unread, for each takes its time
LONGEST_TEXT = 200  # characters of a link's text
LONGEST_OTHER = 500  # characters of a URL that is not http or https, such as an image in a data: URL
TARGETS_REMEMBERED = 20_000  # hrefs whose meaning is kept, about 10 MB: the pages of a folder share most of them
_SPACE = "\t\n\f\r "
_OTHER_SCHEME = re.compile(r"(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
# What such an href means depends on the folder of the base alone, not on its last segment and its query.
_BY_FOLDER = re.compile(r"[A-Za-z0-9./_~%-][^:]*\Z")
_NOFOLLOW = Verdict(Reason.NOFOLLOW, "rel=nofollow")

_Target: TypeAlias = tuple[str, str, bytes]  # URL, host, key
Judge = Callable[[str], Verdict | None]
Strip = Callable[[str], str]  # canonical URL to canonical URL, without tracking parameters


def base_of(outline: Outline, url: str) -> str:
    """Return what the page's links are relative to: its first `<base href>` if that is on the web, else its own URL."""
    if outline.base is None:
        return url
    try:
        base = urls.canonical(outline.base, url)
    except UrlError:
        return url
    return base if urls.is_web(base) else url


def absolute(href: str, base: str) -> str | None:
    """Return the URL that a page's href means: canonical, but with its fragment; None if it is none, or empty."""
    href = href.strip(_SPACE)
    try:
        url = urls.canonical(href, base) if href else None
        return url and url + "".join(ada_url.join_url(base, href).partition("#")[1:] if "#" in href else ())
    except (UrlError, ValueError):
        return None


def find_links(
    outline: Outline,
    url: str,
    judge: Judge,
    *,
    nofollow: bool,
    page_wide: str | None = None,
    pointers: Iterable[Pointer] = (),
    strip: Strip | None = None,
) -> tuple[tuple[Link, ...], int]:
    """Return the links of the page at `url`, distinct by URL, and how many hrefs are not among them.

    What the pointers name comes first, then the anchors, in document order. With `nofollow` what the page asks is
    obeyed: `page_wide` tells where it asks so for all its links. A URL that is linked both with and without
    `rel=nofollow` counts as followed.
    """
    base = base_of(outline, url)
    folder = base.partition("?")[0].rpartition("/")[0] + "/"
    targets: dict[str, tuple[_Target | None, bool]] = {}  # by href: what it means, and that it leads from the page
    left = MOST_CHARACTERS
    found, bad = _pointed(pointers, url, judge, lambda rel: _refused(rel, page_wide) if nofollow else None, strip)
    for href, rel, pieces in outline.anchors:
        if href in targets:
            target, elsewhere = targets[href]
        elif len(targets) >= MOST_HREFS:
            bad += 1
            continue
        else:
            target, elsewhere = targets[href] = _meant(href, base, folder, url, strip)
        if target is None or (target[0] not in found and (len(found) >= MOST_LINKS or len(target[0]) > left)):
            bad += 1
        elif elsewhere:
            refused = _refused(rel, page_wide) if nofollow and (rel or page_wide) else None
            old = found.get(target[0])
            if old is None:
                left -= len(target[0])
                found[target[0]] = Link(*target, _text(pieces), rel, refused or judge(target[0]))
            else:
                found[target[0]] = _merged(old, pieces, rel, refused, judge)
    return tuple(found.values()), bad


def _meant(href: str, base: str, folder: str, url: str, strip: Strip | None) -> tuple[_Target | None, bool]:
    """What an href on the page at `url` means, None if nothing, and whether it leads from the page."""
    head = href.partition("#")[0].strip(_SPACE)
    target = _target(head, folder if _BY_FOLDER.match(head) else base)
    elsewhere = bool(head) or (target is not None and target[0] != url)
    return target if strip is None or target is None else _stripped(target, strip), elsewhere


def following(
    found: tuple[Link, ...], follow: Iterable[str], judge: Judge, *, strip: Strip | None = None
) -> tuple[Link, ...]:
    """Mark among a page's links those that its rules follow, and add what is not among them."""
    meant = [target for url in follow if (target := _target(url, url)) is not None]
    targets = {target[0]: target for target in (meant if strip is None else [_stripped(one, strip) for one in meant])}
    marked = [link._replace(follow=True) if link.url in targets else link for link in found]
    known = {link.url for link in found}
    added = [Link(*target, verdict=judge(url), follow=True) for url, target in targets.items() if url not in known]
    return (*marked, *added)


def _pointed(
    pointers: Iterable[Pointer], url: str, judge: Judge, refuse: Callable[[str], Verdict | None], strip: Strip | None
) -> tuple[dict[str, Link], int]:
    """The links that pointers make by URL, and how many are none; a page that points at itself leads nowhere."""
    found: dict[str, Link] = {}
    bad = 0
    for href, base, rel, kind in pointers:
        target = _target(href.partition("#")[0].strip(_SPACE), base)
        if target is not None and strip is not None:
            target = _stripped(target, strip)
        if target is None:
            bad += 1
        elif target[0] != url:
            refused, old = refuse(rel), found.get(target[0])
            if old is None:
                found[target[0]] = Link(*target, "", rel, refused or judge(target[0]), kind=kind)
            else:
                merged = _merged(old, [], rel, refused, judge)
                found[target[0]] = merged._replace(kind=kind) if kind == Kind.FEED else merged
    return found, bad


def _stripped(target: _Target, strip: Strip) -> _Target:
    url = target[0]
    if "?" not in url or not urls.is_web(url) or (shorter := strip(url)) == url:
        return target
    return shorter, urls.host(shorter), urls.key(shorter)


def _merged(old: Link, pieces: list[str], rel: str, refused: Verdict | None, judge: Judge) -> Link:
    """A link that stands on the page again: one that is followed counts more, the first text is kept."""
    if old.verdict == _NOFOLLOW and refused is None:
        old = old._replace(rel=rel, verdict=judge(old.url))
    return old if old.text or not pieces else old._replace(text=_text(pieces))


def _text(pieces: list[str]) -> str:
    return words(pieces)[:LONGEST_TEXT]


def _refused(rel: str, page_wide: str | None) -> Verdict | None:
    if page_wide is not None:
        return Verdict(Reason.NOFOLLOW, page_wide)
    return _NOFOLLOW if "nofollow" in rel.lower().split() else None


@lru_cache(maxsize=TARGETS_REMEMBERED)
def _target(head: str, base: str) -> _Target | None:
    if _OTHER_SCHEME.match(head):
        head = head[:LONGEST_OTHER]
    try:
        url = urls.canonical(head, base)
    except UrlError:
        return None
    if not urls.is_web(url):
        url = url[:LONGEST_OTHER]
    return url, urls.host(url), urls.key(url)
