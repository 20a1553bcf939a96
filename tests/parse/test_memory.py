"""A parse worker's memory, over many pages."""

import gc
import resource
from pathlib import Path

import pytest

import scraper
from scraper.parse.job import Settings, answer
from scraper.parse.process import GARBAGE
from scraper.scope import Patterns

PAGES = 6_000
GROWTH = 6_000_000  # bytes; a tree that is left takes 100,000
HTML = "<!doctype html><title>t</title><ul>" + "<li class='a b'><a href=/x>x</a> <b>y</b>" * 40 + "</ul><p>"
KEPT = []


def taken():
    """The bytes that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


@scraper.extractor()
def looking(page):
    """Search the tree."""
    yield {"items": len(page.soup.find_all("li")), "links": [tag["href"] for tag in page.select("li > a")]}


@scraper.extractor()
def changing(page):
    """Replace, take out, copy and make nodes, and keep one."""
    first, second, third, *_ = page.soup.find_all("li")
    first.replace_with(page.soup.new_tag("li", string="new"))
    second.extract()
    third.a.decompose()
    page.soup.body.append(page.soup.new_tag("p", string="new"))
    page.soup.ul.append(third.__copy__())
    KEPT[:] = [page.soup.b]
    yield {"items": len(page.soup.find_all("li"))}


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize(("extractor", "threshold"), [(looking, 0), (changing, GARBAGE)], ids=["looking", "changing"])
def test_flat(extractor, threshold):
    """Over thousands of pages a worker does not grow: with no collector, or where trees are changed, its rare one."""
    settings = Settings(Patterns(), extractors=(extractor,))

    def run(pages):
        for number in range(pages):
            html = f"{HTML}{number}".encode()
            assert (
                answer((f"http://a.test/{number}", 200, (("content-type", "text/html"),), html), settings)[0] == "page"
            )

    before_threshold = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(threshold, 10, 10)
    try:
        run(PAGES // 2)  # until the caches are full, and the collector has looked
        before = taken()
        run(PAGES)
        assert taken() - before < GROWTH
    finally:
        gc.set_threshold(*before_threshold)
        gc.unfreeze()
        KEPT.clear()
        gc.collect()
