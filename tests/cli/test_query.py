"""`scraper query`: formats that agree, SQL that is refused, stores that are none."""

from __future__ import annotations

import csv
import io
import json

import pytest

SQL = "SELECT url, status, title FROM pages ORDER BY url"


@pytest.fixture
def crawled(crawl, site):
    """Three pages in scraper.db."""
    site.page("/", ["/a", "/b"], title="Home")
    site.page("/a", title="=1+1")
    site.page("/b", title="grün, “quoted”")
    assert crawl("/", "--depth", 1).code == 0


def test_the_formats_agree(run, site, crawled):
    """Table, json, jsonl and csv show the same rows; --json is --format json."""
    rows = [
        {"url": site.url(path), "status": 200, "title": title}
        for path, title in (("/", "Home"), ("/a", "=1+1"), ("/b", "grün, “quoted”"))
    ]
    assert run("query", SQL, "--json").json == rows
    assert run("query", SQL, "--format", "json").json == rows
    assert run("query", SQL, "--format", "jsonl").lines == rows
    texts = [{name: str(value) for name, value in row.items()} for row in rows]
    raw = run("query", SQL, "--format", "csv", "--raw-csv").out
    assert list(csv.DictReader(io.StringIO(raw, newline=""))) == texts
    table = run("query", SQL).out.splitlines()
    assert [line.split(None, 2) for line in table] == [["url", "status", "title"], *(list(t.values()) for t in texts)]


def test_csv_is_safe_for_spreadsheets(run, crawled):
    """A text that is a formula is none in CSV, unless --raw-csv asks for it."""
    assert ",'=1+1\r\n" in run("query", SQL, "--format", "csv").out
    assert ",=1+1\r\n" in run("query", SQL, "--format", "csv", "--raw-csv").out


def test_no_rows_are_no_error(run, crawled):
    """A query without rows succeeds, and every format is whole."""
    none = f"SELECT * FROM ({SQL}) WHERE 0"
    assert run("query", none, "--json").json == []
    assert run("query", none, "--format", "jsonl") == (0, "", "")
    assert run("query", none, "--format", "csv").out == "url,status,title\r\n"
    assert run("query", none).out.split() == ["url", "status", "title"]


def test_a_table_is_for_reading(run, crawled):
    """A table ends after a thousand rows and says so on stderr; jsonl does not."""
    many = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1500) SELECT n FROM n"
    shown = run("query", many)
    assert len(shown.out.splitlines()) == 1001
    assert shown.err == "only the first 1000 rows are shown; --format jsonl prints all\n"
    assert len(run("query", many, "--format", "jsonl").lines) == 1500


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("", "the SQL is empty"),
        ("/* nothing */", "the SQL is empty"),
        ("SELEC 1", 'near "SELEC": syntax error'),
        ("SELECT * FROM page", "page is private"),
        ("SELECT * FROM pagess", "did you mean pages?"),
        ("SELECT urll FROM pages", "did you mean url?"),
        ("DELETE FROM url", "only reading is allowed"),
        ("DROP TABLE url", "only reading is allowed"),
        ("ATTACH 'x.db' AS x", "only reading is allowed"),
        ("PRAGMA journal_mode = DELETE", "only reading is allowed"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
    ],
)
def test_sql_that_cannot_be_run_is_refused(run, crawled, home, sql, told):
    """SQL that is empty, wrong or writes ends with 2 and one line that says why; no file comes of it."""
    before = {path.name for path in home.iterdir()}
    assert told in run("query", sql).refused
    assert {path.name for path in home.iterdir()} <= before


def test_a_query_that_takes_too_long_is_stopped(run, crawled):
    """A query is given up after --timeout seconds, with the way out."""
    endless = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n"
    assert "over 0.05 s: narrow it" in run("query", endless, "--timeout", "0.05").refused


def test_what_a_page_says_cannot_forge_the_output(run, crawl, site):
    """Escapes, C1 and marks of bidirectional text from a title come raw in no format that a terminal may show."""
    title = "a\x1b[31mb\x9b2Jc\u202ed\x7fe"
    site.page("/", title=title)
    crawl()
    outs = [run("query", "SELECT title FROM pages", "--format", form).out for form in ("table", "json", "jsonl")]
    assert not any(char in out for out in outs for char in "\x1b\x9b\u202e\x7f")
    assert "␛" in outs[0]
    assert json.loads(outs[1])[0]["title"] == json.loads(outs[2])["title"]
    assert json.loads(outs[2])["title"].endswith("\x1b[31mb\x9b2Jc\u202ed\x7fe")
