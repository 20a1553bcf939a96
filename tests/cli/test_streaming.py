"""`--stream`: committed pages and records on stdout, for readers that go on, pause or leave."""

from __future__ import annotations

import os
import select
import signal
from pathlib import Path

import pytest

EXTRACTOR = """
import scraper

@scraper.extractor("*")
def link(page: scraper.Page):
    for anchor in page.select("a"):
        yield {"to": str(anchor["href"])}
"""
FULL = Path("/dev/full")
OPTIONS = ("--depth", "1", "--parse-workers", "0", "--delay", "0", "--per-host", "8", "--stream")


@pytest.fixture
def pages(site):
    """A home page and thirty pages behind it, of 50 KB each: more than a pipe holds."""
    paths = [f"/{number}" for number in range(30)]
    for path in paths:
        site.page(path, body="word " * 10_000)
    site.page("/", [*paths, "/gone"], title="Home")
    return ["/", *paths]


def stored(run):
    """The URLs of the pages in the store."""
    return {row["url"] for row in run("query", "SELECT url FROM pages", "--json").json}


def test_pages_are_streamed(crawl, run, site, pages):
    """Without extractors each page is one JSON line on stdout, nothing else is, and each is in the store."""
    ended = crawl("/", *OPTIONS)
    assert ended.code == 0
    assert {line["url"] for line in ended.lines} == stored(run) == {site.url(path) for path in pages}
    assert len(ended.lines) == len(pages)
    home = next(line for line in ended.lines if line["depth"] == 0)
    assert (home["status"], home["title"], home["lang"]) == (200, "Home", "en")


def test_records_are_streamed(crawl, run, site, home):
    """With an extractor each record is one JSON line, as it is stored."""
    (home / "shop.py").write_text(EXTRACTOR)
    site.page("/", ["/a", "/b"])
    site.page("/a", ["/"])
    ended = crawl("/", *OPTIONS, "--extractor", "shop.py", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    rows = run("export").lines
    assert sorted(map(str, ended.lines)) == sorted(
        str({name: row[name] for name in ("url", "rule", "position", "data")}) for row in rows
    )
    assert len(rows) == 3


def test_a_page_cannot_forge_the_stream(crawl, site):
    """Escapes, C1 and marks of bidirectional text from a title come raw in no line, and whole on the way back."""
    site.page("/", title="a\x1b[31mb\x9b2Jc\u202ed\x7fe")
    ended = crawl("/", "--stream", "--quiet")
    assert not any(char in ended.out for char in "\x1b\x9b\u202e\x7f")
    assert ended.lines[0]["title"].endswith("c\u202ed\x7fe")


def test_a_reader_that_leaves_stops_the_crawl_in_order(start, run, site, pages):
    """When the pipe is closed the crawl stops, says so, can be resumed, and ends with 1: it is not finished."""
    command = start("crawl", site.url("/"), *OPTIONS, "--name", "shop", "--concurrency", 1)
    first = command.process.stdout.readline()
    command.process.stdout.close()
    err = command.process.stderr.read().decode()
    assert (command.process.wait(20), b'"title":"Home"' in first) == (1, True)
    assert "scraper: the crawl stops: standard output was closed\n" in err
    assert "go on with: scraper resume shop\n" in err
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert run("status", "--json").json["state"] == "interrupted"
    assert run("resume", "shop", "--quiet").code == 0
    assert stored(run) == {site.url(path) for path in pages}


@pytest.mark.skipif(not FULL.exists(), reason=f"this system has no {FULL}")
def test_a_disk_that_is_full_stops_the_crawl_in_order(start, run, site, pages):
    """A stream that cannot be written stops the crawl in the same way, with the reason; also with --quiet."""
    with FULL.open("wb") as full:
        ended = start("crawl", site.url("/"), *OPTIONS, "--quiet", stdout=full).ended()
    assert ended.code == 1
    assert ended.err == "scraper: the crawl stops: standard output failed: No space left on device\n"
    assert run("status", "--json").json["state"] == "interrupted"


def test_a_reader_that_pauses_holds_up_no_signal(start, run, site, pages, eventually):
    """While nobody reads the pipe the crawl waits, and a signal still ends it in order, with 143 and resumable."""
    reading, writing = os.pipe()
    command = start("crawl", site.url("/"), *OPTIONS, "--name", "shop", stdout=writing)
    eventually(lambda: not select.select((), (writing,), (), 0)[1])  # the pipe is full
    ended = command.signalled(signal.SIGTERM)
    os.close(writing)
    os.close(reading)
    assert ended.code == 143
    assert "go on with: scraper resume shop\n" in ended.err
    assert run("status", "--json").json["state"] == "interrupted"
