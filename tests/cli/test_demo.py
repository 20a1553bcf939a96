"""`scraper demo`: what a newcomer sees first."""

from __future__ import annotations

import sqlite3

import pytest


@pytest.mark.heavy
def test_the_demo_runs_from_crawl_to_query(start, home):
    """The demo crawls its shop to the end, shows three queries with their answers, and keeps the store if asked to."""
    ended = start("demo", "--keep", "shop.db").ended()
    assert ended.code == 0, ended.err
    assert "crawl 127.0.0.1" in ended.err
    assert " = 0 queued + 73 fetched + 1 redirected + 2 skipped + 1 failed\n" in ended.err
    assert "60 records" in ended.err
    answers = ended.out.split("$ scraper query --db shop.db ")[1:]
    assert len(answers) == 3
    assert all(len(answer.split("\n\n")[1].splitlines()) >= 5 for answer in answers)
    with sqlite3.connect(home / "shop.db") as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (60,)
    db.close()
