"""`scraper export` and `scraper crawls`: everything of one kind, and the list of crawls."""

from __future__ import annotations

import contextlib
import csv
import signal
import sqlite3

import pytest

EXTRACTOR = """
import scraper

@scraper.extractor("*")
def heading(page: scraper.Page):
    yield {"heading": page.soup.h1.get_text(), "words": 2}
"""


@pytest.fixture
def crawled(crawl, site, home):
    """A crawl `old` of one page, then `shop` of two, whose headings are records."""
    (home / "shop.py").write_text(EXTRACTOR)
    site.page("/", ["/a", "/gone"], title="=Home")
    site.page("/a", title="Apples")
    assert crawl("/", "--name", "old").code == 0
    assert crawl("/", "--depth", 1, "--name", "shop", "--extractor", "shop.py").code == 0


def test_records_are_exported_as_json_lines(run, crawled, site):
    """Without options the records of the newest crawl come as JSON lines, data included; stderr counts them."""
    ended = run("export")
    assert {(line["url"], line["rule"], line["data"]["heading"]) for line in ended.lines} == {
        (site.url("/"), "heading", "=Home"),
        (site.url("/a"), "heading", "Apples"),
    }
    assert (ended.code, ended.err) == (0, "2 records\n")


@pytest.mark.parametrize(("what", "count"), [("records", 2), ("pages", 2), ("links", 0), ("urls", 3)])
def test_both_formats_hold_everything(run, crawled, home, what, count):
    """JSON lines and CSV hold the same number of rows, in a file or on stdout."""
    assert len(run("export", "--what", what).lines) == count
    ended = run("export", "shop", "--what", what, "--format", "csv", "-o", "out.csv")
    assert ended == (0, "", f"{count} {what} written to out.csv\n")
    with (home / "out.csv").open(newline="") as rows:
        assert len(list(csv.reader(rows))) == count + 1


def test_a_crawl_is_chosen(run, crawled):
    """A crawl is exported by name or number."""
    assert len(run("export", "old", "--what", "pages").lines) == 1
    assert len(run("export", "1", "--what", "pages").lines) == 1


def test_csv_is_safe_for_spreadsheets(run, crawled):
    """A title that is a formula is none in CSV, unless --raw-csv asks for it."""
    assert ",'=Home," in run("export", "--what", "pages", "--format", "csv").out
    assert ",=Home," in run("export", "--what", "pages", "--format", "csv", "--raw-csv").out


@pytest.mark.parametrize("path", ["no/such/out.csv", "."])
def test_a_file_that_cannot_be_written_is_refused(run, crawled, path):
    """A file that cannot be is told by its path."""
    assert f"{path} was not written" in run("export", "-o", path).refused


@pytest.mark.parametrize(
    "path", ["scraper.db", "./scraper.db", "link", "hard", "/dev/full", "gone/../../x/out", "a\0b"]
)
def test_the_store_is_not_written_over(run, crawled, home, path):
    """An export over the store that it reads, by whatever name, is refused, like any file that cannot be (C18)."""
    (home / "link").symlink_to("scraper.db")
    (home / "hard").hardlink_to(home / "scraper.db")
    before = (home / "scraper.db").read_bytes(), sorted(home.iterdir())
    ended = run("export", "--what", "urls", "-o", path)
    assert (ended.code, ended.err.count("\n"), ended.err.startswith("scraper: ")) == (
        1 if "full" in path else 2,
        1,
        True,
    )
    assert ((home / "scraper.db").read_bytes(), sorted(home.iterdir())) == before


def test_standard_output_may_be_named(start, crawled):
    """`-o /dev/stdout` writes to the pipe that standard output is."""
    ended = start("export", "--what", "urls", "-o", "/dev/stdout").ended()
    assert (ended.code, len(ended.lines)) == (0, 3)


def test_crawls_are_listed(run, crawled):
    """`crawls` lists the newest first, as a table and as JSON alike."""
    listed = run("crawls", "--json").json
    assert [(row["id"], row["name"], row["state"], row["urls"], row["pages"], row["failed"]) for row in listed] == [
        (2, "shop", "finished", 3, 2, 1),
        (1, "old", "finished", 1, 1, 0),
    ]
    lines = [line.split() for line in run("crawls").out.splitlines()]
    assert [row[:3] for row in lines] == [["id", "name", "state"], ["2", "shop", "finished"], ["1", "old", "finished"]]


def test_no_crawls_are_no_error(run, site, crawl):
    """A store without a crawl has an empty list, and no crawl to show or export."""
    assert "holds no URL" in run("crawl", "--from", "/dev/null").err
    if (ended := run("crawls", "--json")).code == 0:
        assert ended.json == []
        assert "holds no crawl yet" in run("status").refused


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stopped_export_leaves_nothing_half_written(start, crawled, home, eventually, number):
    """Stopped while it writes, an export leaves the file as it was and no other beside it (A3)."""
    with contextlib.closing(sqlite3.connect(home / "scraper.db")) as db, db:
        (page,) = db.execute("SELECT max(url_id) FROM page").fetchone()
        many = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n LIMIT 100000)"
        db.execute(
            f"{many} INSERT INTO record SELECT ?, 'big', n, json_quote(printf('%.*c', 500, 'x')) FROM n", (page,)
        )
    (home / "out.jsonl").write_text("as it was")
    command = start("export", "-o", "out.jsonl")
    eventually(lambda: list(home.glob(".out*")))
    ended = command.signalled(number)
    assert (ended.code, ended.err) == (128 + number, "")
    assert (home / "out.jsonl").read_text() == "as it was"
    assert not list(home.glob(".out*"))
