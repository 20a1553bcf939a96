"""`scraper resume`: which crawl goes on, with which settings."""

from __future__ import annotations

import pytest

FAST = ("--parse-workers", "0", "--delay", "0")


@pytest.fixture
def two(crawl, site):
    """Crawls that stopped at their first page, `one` (number 1) and `two` (number 2), and a finished one, `done`."""
    site.page("/", ["/a", "/b"])
    site.page("/a")
    site.page("/b")
    crawl("/", "--depth", 1, "--max-pages", 1, "--name", "one")
    crawl("/", "--depth", 1, "--max-pages", 1, "--name", "two")
    crawl("/a", "--name", "done")
    site.requests.clear()


@pytest.mark.parametrize(
    ("which", "name"), [(("one",), "one"), (("1",), "one"), ((), "two")], ids=["name", "number", "newest unfinished"]
)
def test_a_crawl_is_found(run, two, site, which, name):
    """A crawl goes on by name, by number, or as the newest unfinished one; only what was left is asked for."""
    ended = run("resume", *which, "--max-pages", 100, *FAST)
    assert (ended.code, ended.out) == (0, "")
    assert f"crawl {name} goes on: 1 pages so far, 2 URLs queued" in ended.err
    assert f"crawl {name}: finished" in ended.err
    assert sorted(set(site.paths()) - {"/robots.txt"}) == ["/a", "/b"]


def test_its_settings_hold(run, two):
    """What is not given is as it was: without a new --max-pages the crawl stays limited."""
    ended = run("resume", "one")
    assert ended.code == 0
    assert "limited by --max-pages 1" in ended.err


@pytest.mark.parametrize("which", ["done", "3", "onne", "99", ""])
def test_a_crawl_that_is_none_is_refused(run, two, which):
    """A finished or unknown crawl ends with 2, and those that can go on are named."""
    told = run("resume", which).refused
    assert "no unfinished crawl" in told
    assert "one" in told


def test_nothing_to_resume_is_told(run, crawl, site):
    """A store whose crawls are all finished has none to resume."""
    site.page("/")
    crawl("/")
    assert "holds no unfinished crawl: start one" in run("resume").refused
