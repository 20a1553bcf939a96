"""`scraper status`: where a crawl stands, also while it runs."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

import scraper.cli.status


@pytest.fixture
def crawled(crawl, site):
    """A crawl `shop` that stopped at its second page."""
    site.page("/", ["/a", "/b"])
    site.page("/a")
    site.page("/b")
    crawl("/", "--depth", 1, "--max-pages", 2, "--name", "shop")


def test_a_crawl_is_told_with_its_hosts(run, crawled, site):
    """The state, the accounting and the hosts are shown."""
    ended = run("status")
    lines = [line.split() for line in ended.out.splitlines()]
    assert ended.out.startswith("crawl shop (number 1): limited\n3 URLs discovered = 1 queued + 2 fetched + ")
    assert [site.origin, "1", "2", "0", "0", "0", "closed", "404"] in [[*row[:6], *row[-2:]] for row in lines]


def test_reasons_are_counted(run, crawl):
    """Under the hosts stands how many URLs ended for which reason."""
    crawl("/gone")
    lines = [line.split() for line in run("status").out.splitlines()]
    assert lines[-2:] == [["state", "reason", "urls"], ["failed", "http-4xx", "1"]]


def test_json_tells_the_same(run, crawled, site):
    """--json is one object with the accounting and the hosts."""
    status = run("status", "shop", "--json").json
    assert (status["name"], status["state"], status["running"]) == ("shop", "limited", False)
    assert (status["discovered"], status["queued"], status["fetched"]) == (3, 1, 2)
    assert [host["host"] for host in status["hosts"]] == [site.origin]


@pytest.mark.parametrize("command", ["status", "export"])
def test_an_unknown_crawl_is_refused(run, crawled, command):
    """A crawl that is not there ends with 2, and the nearest is named."""
    assert "no crawl 'shoop': the store has shop" in run(command, "shoop").refused


def test_watch_ends_when_the_crawl_ends(run, start, site, eventually, monkeypatch):
    """`status --watch` looks again while the crawl runs, and ends with it."""
    looks = threading.Semaphore(0)
    going_on = threading.Event()

    def second(seconds: float) -> None:
        assert seconds == 1.0
        looks.release()
        assert going_on.wait(20)

    monkeypatch.setattr(scraper.cli.status, "time", SimpleNamespace(time=time.time, sleep=second))
    site.page("/", ["/slow"])
    site.hang("/slow")
    crawl = start(
        "crawl", site.url("/"), "--depth", 1, "--parse-workers", 0, "--delay", 0, "--quiet", env={"SCRAPER_GRACE": "0"}
    )
    eventually(lambda: "/slow" in site.paths())

    def end() -> None:
        looks.acquire()
        crawl.signalled(15)
        going_on.set()

    ending = threading.Thread(target=end)
    ending.start()
    ended = run("status", "--watch", "--json")
    ending.join(20)
    states = [(line["state"], line["running"]) for line in ended.lines]
    assert (states[0], states[-1], len(states)) == (("running", True), ("interrupted", False), 2)
