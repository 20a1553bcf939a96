"""How long does each library take to build a tree? Runs in the environment of `trees.py`, and prints JSON.

`python building.py ROUNDS FILE...`: every library parses every file in every round, in turn after a few of them, so
that what else the machine does falls on all. Time is this process's CPU time.
"""

from __future__ import annotations

import gc
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import lxml.html
from bs4 import BeautifulSoup, Tag
from selectolax.lexbor import LexborHTMLParser

from scraper.parse.soup import make_soup, take_apart

AT_ONCE = 20  # pages in a row, so that caches are as warm and the collector as busy as in a crawl
STANDARD = "bs4, html5lib"  # the tree that ours is to equal


class Builder(NamedTuple):
    """One library; `free` makes an end of a tree that its last reference would not."""

    name: str
    build: Callable[[str], Any]
    count: Callable[[Any], int]
    free: Callable[[Any], None] | None = None


def main(rounds: int, paths: Sequence[str]) -> None:
    warnings.simplefilter("ignore")  # bs4's advice to somebody who chose the text
    texts = [Path(path).read_bytes().decode("utf-8", errors="replace").replace("\0", "\ufffd") for path in paths]
    field, refused = list(builders()), []
    counts, alike = dict.fromkeys((builder.name for builder in field), 0), 0
    for text in texts[:]:
        try:  # untimed: it imports what is imported late, too
            trees = {builder.name: builder.build(text) for builder in field}
        except Exception as error:  # noqa: BLE001 - a stranger's parser
            texts.remove(text)
            refused.append(f"{type(error).__name__}: {error}")
            continue
        for builder in field:
            counts[builder.name] += builder.count(trees[builder.name])
        alike += str(trees["scraper"]) == str(trees[STANDARD])
    if not texts:
        raise SystemExit("there is no page that all of them parse")
    freed = [_freed(field, texts, number) for number in range(rounds)]
    used = [_used(field, texts, number) for number in range(rounds)]
    size = sum(map(len, texts))
    told = {"pages": len(texts), "characters": size, "refused": refused, "alike": alike, "elements": counts}
    print(json.dumps({**told, "freed": freed, "used": used}))


def builders() -> Iterator[Builder]:
    """Yield ours first."""
    yield Builder("scraper", make_soup, _tags, take_apart)
    for parser in ("lxml", "html.parser", "html5lib"):
        yield Builder(f"bs4, {parser}", lambda text, parser=parser: BeautifulSoup(text, parser), _tags, _take_apart)
    yield Builder("lxml.html", _lxml, lambda tree: sum(isinstance(one.tag, str) for one in tree.iter()))
    yield Builder("selectolax", LexborHTMLParser, lambda tree: len(tree.css("*")))


def _freed(field: Sequence[Builder], texts: Sequence[str], turn: int) -> dict[str, float]:
    """Return CPU seconds a page, with each tree taken apart and the collector off."""
    gc.collect()
    gc.freeze()
    gc.disable()
    seconds = _rounds(field, texts, turn, _build_and_free)
    gc.enable()
    gc.unfreeze()
    return seconds


def _used(field: Sequence[Builder], texts: Sequence[str], turn: int) -> dict[str, float]:
    """Return CPU seconds a page as libraries are commonly used: a tree is dropped, the collector finds it.

    What it has not found at the end of a turn it is sent for, or a library that leaves much would get that for nothing;
    it looks at what the turn has made alone, for the rest of the process is frozen.
    """
    gc.collect()
    gc.freeze()
    seconds = _rounds(field, texts, turn, _build_and_drop)
    gc.unfreeze()
    return seconds


def _rounds(
    field: Sequence[Builder], texts: Sequence[str], turn: int, run: Callable[[Builder, Sequence[str]], None]
) -> dict[str, float]:
    seconds = dict.fromkeys((builder.name for builder in field), 0.0)
    for number, first in enumerate(range(0, len(texts), AT_ONCE), turn):
        for builder in _rotated(field, number):
            gc.collect()  # nobody pays for what the one before has left
            began = process_time()
            run(builder, texts[first : first + AT_ONCE])
            seconds[builder.name] += process_time() - began
    gc.collect()
    return {name: total / len(texts) for name, total in seconds.items()}


def _build_and_free(builder: Builder, texts: Sequence[str]) -> None:
    for text in texts:
        tree = builder.build(text)
        if builder.free is not None:
            builder.free(tree)
        del tree


def _build_and_drop(builder: Builder, texts: Sequence[str]) -> None:
    for text in texts:
        builder.build(text)
    gc.collect()


def _rotated(field: Sequence[Builder], turn: int) -> Sequence[Builder]:
    first = turn % len(field)
    return [*field[first:], *field[:first]]


def _take_apart(soup: BeautifulSoup) -> None:
    """Free a tree as ours is freed, without the collection of what other parsers leave besides."""
    node: Any = soup.contents[0] if soup.contents else None
    soup.builder.__dict__.clear()
    soup.__dict__.clear()
    while node is not None:
        own = node.__dict__
        node = own.get("next_element")
        own.clear()


def _lxml(text: str) -> Any:
    return lxml.html.document_fromstring(text.encode(), parser=lxml.html.HTMLParser(encoding="utf-8"))


def _tags(soup: BeautifulSoup) -> int:
    return sum(isinstance(node, Tag) for node in soup.descendants)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
