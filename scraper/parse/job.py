"""The whole parse of one page: bytes in, plain values out. Pure; runs in a worker process or in this one.

What goes in and comes out crosses a process boundary, so it is built of built-in types: one value that cannot be
pickled would take the pool down.
"""

from __future__ import annotations

import gc
import pickle
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

from scraper.errors import ParseError, ScraperError
from scraper.model import Link, ParsedPage, Reason, Record, Response, Verdict
from scraper.parse import sitemap
from scraper.parse.charset import decode
from scraper.parse.extract import LONGEST_TRACEBACK
from scraper.parse.links import following
from scraper.parse.makers import Makers, explain_rules, run_extractors, run_rules
from scraper.parse.page import AGENT, Page
from scraper.parse.plain import clean
from scraper.scope import Patterns
from scraper.traps import VARIABLE, fingerprint, shape

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESSION = 3  # zstd's level
OUT_OF_MEMORY = "memory: the page takes more than a worker may have"

Asked: TypeAlias = tuple[str, int, tuple[tuple[str, str], ...], bytes]
Task: TypeAlias = Literal["parse", "remake", "explain", "list"]
Question: TypeAlias = tuple[Task, Asked]
Answer: TypeAlias = tuple[Literal["page"], tuple[Any, ...]] | tuple[Literal["failed"], str]


_NO_MEMORY: Answer = ("failed", OUT_OF_MEMORY)


@dataclass(frozen=True)
class Settings:
    """What is the same for all pages of a crawl. `agent` is what a page may call us; `clock` tells UTC seconds."""

    patterns: Patterns
    builder: str = "turbo"
    bodies: bool = True
    nofollow: bool = True
    makers: Makers = field(default_factory=Makers)
    feeds: bool = False
    strip: Callable[[str], str] | None = None
    agent: str = AGENT
    clock: Callable[[], float] = time.time


def asked(response: Response) -> Asked:
    """What the job needs of a response."""
    return response.url, response.status, response.headers, response.body


def answer(page: Asked, settings: Settings | bytes, task: Task = "parse") -> Answer:
    """Do a task on one page, come what may: ("page", what the task returns) or ("failed", what went wrong).

    Settings come pickled where they cross a process boundary: the same bytes each time, which are unpickled once.
    """
    outcome = _attempt(page, settings, task)
    if outcome == _NO_MEMORY:
        gc.collect()  # only now: until it was told, the error held all that had been made of the page
    return outcome


def _attempt(page: Asked, settings: Settings | bytes, task: Task) -> Answer:
    try:
        return "page", _TASKS[task](*page, _unpacked(settings) if isinstance(settings, bytes) else settings)
    except ParseError as error:
        return "failed", clean(error.detail)
    except MemoryError:
        return _NO_MEMORY
    except ScraperError as error:
        return "failed", clean(str(error))
    except BaseException as error:  # noqa: BLE001 (a parser is a stranger's code; whatever it raises is this page's outcome)
        return "failed", clean(f"tree: {type(error).__name__}: {error}"[:LONGEST_TRACEBACK])


def answers(questions: Sequence[Question], settings: Settings | bytes) -> list[Answer]:
    """Answer some questions, one after the other."""
    return [answer(page, settings, task) for task, page in questions]


def parse_page(
    url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes, settings: Settings
) -> tuple[Any, ...]:
    """Return the fields of a ParsedPage in their order, as plain values.

    What we read of the page comes before the extractors, which may change the tree.
    """
    page, charset, replacements = _page(url, status, headers, body, settings)
    try:
        read = (_cleaned(page.title), _cleaned(page.description), _cleaned(page.lang), clean(page.text), replacements)
        headings = tuple([(level, clean(text)) for level, text in page.headings])
        ruled = run_rules(settings.makers, page)
        links = page.links
        if ruled.follow:
            links = following(links, ruled.follow, settings.patterns.judge, strip=settings.strip)
        sent = tuple([_plain_link(link) for link in links])
        extracted = run_extractors(settings.makers, page)
        records = _plain_records(ruled.records + extracted.records)
        stored = zstd.compress(body, COMPRESSION) if settings.bodies else None
        digest, canonical = blake2b(body, digest_size=16).hexdigest(), _cleaned(page.canonical)
        likeness = fingerprint(page.text) if settings.patterns.traps and VARIABLE in shape(url) else b""
        return (
            charset, digest, *read, sent, page.bad_links, records, stored, len(body), page.metadata.noindex, headings,
            ruled.matched + extracted.matched, _cleaned(ruled.failure or extracted.failure), canonical,
            likeness,
        )  # fmt: skip
    finally:
        page.close()


def remake_page(
    url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes, settings: Settings
) -> tuple[Any, ...]:
    """Return the records of a stored page, whose body is zstd, as plain values, and who matched."""
    page, _, _ = _page(url, status, headers, zstd.decompress(body), settings)
    try:
        made = run_rules(settings.makers, page)
        more = run_extractors(settings.makers, page)
        if failure := made.failure or more.failure:
            raise ParseError(url, failure)
        return _plain_records(made.records + more.records), made.matched + more.matched
    finally:
        page.close()


def explain_page(
    url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes, settings: Settings
) -> tuple[Any, ...]:
    """Return how the rules come to their records."""
    page, _, _ = _page(url, status, headers, body, settings)
    try:
        return explain_rules(settings.makers, page)
    finally:
        page.close()


def list_entries(
    url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes, settings: Settings
) -> tuple[Any, ...]:
    """Return what a sitemap or a feed names, as plain values; nothing if the body is neither."""
    del status, settings  # a listing is the same for every crawl
    declared = next((value for name, value in headers if name == "content-type"), "")
    return sitemap.plain(sitemap.read_listing(body, url, declared))


_TASKS: dict[Task, Callable[..., tuple[Any, ...]]] = {
    "parse": parse_page,
    "remake": remake_page,
    "explain": explain_page,
    "list": list_entries,
}


def as_records(values: tuple[Any, ...]) -> tuple[Record, ...]:
    """Return the Records of what tasks return as such."""
    return tuple([Record(*record) for record in values])


def as_page(values: tuple[Any, ...]) -> ParsedPage:
    """Return the ParsedPage of what `parse_page` returned."""
    links = tuple([Link(*link) if link[5] is None else _refused(link) for link in values[7]])
    return ParsedPage(*(*values[:7], links, values[8], as_records(values[9]), *values[10:]))


def _page(
    url: str, status: int, headers: tuple[tuple[str, str], ...], body: bytes, settings: Settings
) -> tuple[Page, str, int]:
    """Make the page; return with it the charset of the body, and how many characters could not be read in it."""
    declared = next((value for name, value in headers if name == "content-type"), "")
    html, charset, replacements = decode(body, declared)
    page = Page(
        url,
        html,
        status=status,
        headers=headers,
        builder=settings.builder,
        patterns=settings.patterns,
        nofollow=settings.nofollow,
        feeds=settings.feeds,
        strip=settings.strip,
        agent=settings.agent,
        now=settings.clock(),
    )
    return page, charset, replacements


def _plain_records(records: list[Record]) -> tuple[tuple[str, int, Any], ...]:
    return tuple([(clean(record.rule), record.position, record.data) for record in records])


@lru_cache(maxsize=4)
def _unpacked(settings: bytes) -> Settings:
    unpacked: Settings = pickle.loads(settings)  # noqa: S301 - made by the process that asks
    return unpacked


def _cleaned(text: str | None) -> str | None:
    return None if text is None else clean(text)


def _plain_link(link: Link) -> tuple[Any, ...]:
    url, host, key, text, rel, verdict, follow, kind = link[:8]  # what the rest tells is not known of a page's links
    plain_verdict = None if verdict is None else (str(verdict[0]), verdict[1])
    return url, host, key, clean(text), clean(rel), plain_verdict, follow, kind


def _refused(link: tuple[Any, ...]) -> Link:
    reason, detail = link[5]
    return Link(*(*link[:5], Verdict(Reason(reason), detail), *link[6:]))
