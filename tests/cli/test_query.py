"""`scraper query`: formats that agree, SQL that is refused, stores that are none."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from contextlib import closing

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


def test_a_query_that_sqlite_cannot_stop_is_ended(start, crawled):
    """SQLite that is busy within one instruction is ended at the deadline, with the same line and exit code (C17)."""
    deaf = "SELECT hex(zeroblob(7000000)) GLOB '*" + "[0-9]" * 9 + "x'"  # 4 s
    ended = start("query", deaf, "--timeout", "0.1").ended()
    assert ended == (2, "", "scraper: over 0.1 s: narrow it by a WHERE, or give it more time\n")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by what Linux has")
def test_a_result_that_memory_does_not_hold_is_told(start, crawled):
    """A process that finds no memory for a value, or to write it, says so in one line (C17)."""
    for sql in ("SELECT hex(zeroblob(20000000))", "SELECT 'é' || hex(zeroblob(6000000)) || '😀'"):
        ended = start("query", sql, "--format", "csv").ended()
        assert (ended.code, ended.err.count("\n"), "too much memory" in ended.err) == (2, 1, True), ended


@pytest.mark.parametrize("size", [17, 30])
def test_the_longest_texts_can_be_read(start, crawled, home, size):
    """A page's text may be longer than its body: it can be measured up to 48 MiB, and printed up to 17 (C17)."""
    with closing(sqlite3.connect(home / "scraper.db")) as db:
        db.execute("UPDATE page SET text = ? WHERE url_id = 1", ("word " * (size * 2**20 // 5),))
        db.commit()
    ended = start("query", "SELECT sum(length(text)) AS size FROM pages WHERE title = 'Home'", "--json").ended()
    assert ended.json == [{"size": size * 2**20 // 5 * 5}]
    if size == 17:
        ended = start("query", "SELECT url, text FROM pages WHERE title = 'Home'", "--json").ended()
        assert ended.json[0]["text"] == "word " * (size * 2**20 // 5)


def test_a_result_is_bounded(run, crawled, monkeypatch):
    """More than the cap of a query's result is an error, after the rows that fitted (C17)."""
    monkeypatch.setattr("scraper.cli.query.MOST_BYTES", 10)
    ended = run("query", "VALUES ('12345678'), ('12345678')", "--format", "jsonl")
    assert (ended.code, len(ended.lines)) == (2, 1)
    assert "the result is over 10 bytes" in ended.err


def test_long_values_are_exact_in_json(run, crawled):
    """A value that is written in pieces is the same in JSON as one that is not."""
    long = "SELECT 1 AS n, hex(zeroblob(150000)) || 'é\x9b' AS text, zeroblob(300000) AS blob, NULL AS last"
    for form, read in (("json", lambda ended: ended.json), ("jsonl", lambda ended: ended.lines)):
        ended = run("query", f"{long} UNION ALL SELECT 2, 'x', x'00', 'y'", "--format", form)
        first, second = read(ended)
        assert first == {"n": 1, "text": "0" * 300_000 + "é\x9b", "blob": "A" * 400_000, "last": None}
        assert second == {"n": 2, "text": "x", "blob": "AA==", "last": "y"}
        assert "\x9b" not in ended.out


def test_a_columns_name_is_a_name(run, crawled):
    """A name that looks like markup or an emoji is shown as it is, a long one cut (C15)."""
    ended = run("query", "SELECT 1 AS '[/x]', 2 AS '[link=http://e]k[/link]', 3 AS ':smile:', 4 AS '" + "n" * 90 + "'")
    assert ended.out.split()[:4] == ["[/x]", "[link=http://e]k[/link]", ":smile:", "n" * 59 + "…"]


@pytest.mark.parametrize("columns", [1, 20, 100])
def test_no_column_is_lost_on_a_narrow_terminal(start, terminal, crawled, columns):
    """On a terminal that is too narrow a table's columns become narrower, up to eight characters; none is left out."""
    screen = terminal(columns)
    start("query", "SELECT * FROM pages ORDER BY url LIMIT 1", stdout=screen.end, env={"TERM": "dumb"}).ended()
    header, row = (line for line in screen.close().split("\r\n") if line)
    for name in ("crawl_id", "status", "url", "title", "bytes", "elapsed…", "depth", "replace…"):
        assert name in header.split()
    assert "200" in row.split()


def test_a_terminal_that_is_not_of_utf_8_gets_escapes(start, crawled):
    """What the terminal's encoding lacks is escaped, in a table and in a message; it is no traceback."""
    ended = start("query", "SELECT '世␛' AS x", env={"PYTHONIOENCODING": "latin-1"}).ended()
    assert (ended.code, ended.out.split()) == (0, ["x", "\\u4e16\\u241b"])
