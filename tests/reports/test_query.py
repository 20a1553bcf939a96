from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from scraper.errors import QueryError
from scraper.reports import run

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
PUBLIC = ("crawls", "urls", "pages", "records", "links", "hosts")


def rows(connection, sql, **options):
    """All rows."""
    return list(run(connection, sql, **options).rows)


def refusal(connection, sql, **options):
    """How the SQL is refused."""
    with pytest.raises(QueryError) as caught:
        rows(connection, sql, **options)
    return str(caught.value)


@pytest.mark.parametrize("view", PUBLIC)
def test_every_public_view_is_read_by_name(reader, scene, view):
    """Each view of the contract gives the same rows under guard as without."""
    with scene.writing() as db:
        expected = db.execute(f"SELECT * FROM {view}")
        result = run(reader, f"SELECT * FROM {view}")
        assert result.columns == tuple(column[0] for column in expected.description)
        assert list(result.rows) == expected.fetchall() != []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT data ->> '$.name' FROM records ORDER BY 1", [("=cmd()",), ("a",), ("b",), ("old",)]),
        ("WITH t AS (SELECT title FROM pages) SELECT upper(title) FROM t ORDER BY 1 LIMIT 1", [("HOME",)]),
        ("SELECT host, count(*) OVER (), rank() OVER (ORDER BY host) FROM hosts LIMIT 1", [("http://a.example", 3, 1)]),
        ("SELECT value FROM json_each('[1, 2]')", [(1,), (2,)]),
        ("SELECT key FROM records, json_tree(data) WHERE atom = 2.5", [("price",)]),
        (ENDLESS + "SELECT sum(x) FROM (SELECT x FROM n LIMIT 10)", [(55,)]),
        ("SELECT count(*) FROM urls WHERE url LIKE '%a.example%' AND url GLOB 'http*'", [(5,)]),
        ("VALUES (1), (2);  -- the end", [(1,), (2,)]),
        ("SELECT 1 WHERE " + " AND ".join(["1"] * 50), [(1,)]),
        ("SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY rowid LIMIT 2", [("crawls",), ("urls",)]),
        ("SELECT count(*) > 0 FROM sqlite_master", [(1,)]),
        ("SELECT strftime('%Y', '2026-01-01'), printf('%05.1f', 2.5), round(2.5)", [("2026", "002.5", 3.0)]),
    ],
)  # fmt: skip
def test_what_people_ask_is_answered(reader, sql, expected):
    """Joins, JSON, windows, recursion, LIKE and the list of tables work under guard."""
    assert rows(reader, sql) == expected


def test_a_plan_can_be_looked_at(reader):
    """EXPLAIN QUERY PLAN is reading, too."""
    assert rows(reader, "EXPLAIN QUERY PLAN SELECT title FROM pages")


def test_rows_come_as_they_are_found(reader):
    """The first rows of an endless query are there before it ends, and an abandoned one is closed."""
    result = run(reader, ENDLESS + "SELECT x FROM n")
    assert list(itertools.islice(result.rows, 3)) == [(1,), (2,), (3,)]
    result.rows.close()
    assert rows(reader, "SELECT 1") == [(1,)]


# --- what is refused


@pytest.mark.parametrize("sql", ["", "  \n\t", "-- nothing", "/* nothing */", ";"])
def test_empty_sql_says_what_to_try(reader, sql):
    """SQL without a statement is a QueryError that shows an example."""
    assert "the SQL is empty" in refusal(reader, sql)


WRITES = [
    "INSERT INTO page (url_id) VALUES (1)",
    "INSERT INTO pages VALUES (1)",
    "UPDATE pages SET title = 'x'",
    "UPDATE page SET title = 'x'",
    "DELETE FROM records",
    "DELETE FROM record",
    "WITH t AS (SELECT 1) DELETE FROM pages",
    "REPLACE INTO crawl (id) VALUES (1)",
    "INSERT INTO sqlite_schema VALUES (1, 2, 3, 4, 5)",
    "CREATE TABLE t (x)",
    "CREATE TEMP TABLE t (x)",
    "CREATE TABLE t AS SELECT * FROM pages",
    "CREATE VIEW v AS SELECT 1",
    "CREATE TEMP VIEW pages AS SELECT 1",
    "CREATE INDEX i ON page (title)",
    "CREATE TRIGGER t AFTER INSERT ON page BEGIN SELECT 1; END",
    "CREATE TEMP TRIGGER t AFTER INSERT ON page BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE t USING fts5(x)",
    "CREATE VIRTUAL TABLE temp.t USING dbstat",
    "DROP TABLE page",
    "DROP VIEW pages",
    "DROP INDEX page_by_crawl",
    "ALTER TABLE page RENAME TO x",
    "ALTER TABLE page ADD COLUMN x",
    "ATTACH '{folder}/new.db' AS x",
    "ATTACH ':memory:' AS x",
    "ATTACH '' AS x",
    "ATTACH 'file:{folder}/new.db?mode=rwc' AS x",
    "DETACH main",
    "VACUUM",
    "VACUUM INTO '{folder}/copy.db'",
    "BEGIN",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "RELEASE s",
    "REINDEX",
    "ANALYZE",
    "EXPLAIN DELETE FROM page",
]
PRAGMAS = [
    name
    for (name,) in sqlite3.connect(":memory:").execute(
        "SELECT name FROM pragma_pragma_list WHERE name <> 'lock_status'"
    )
]


@pytest.mark.parametrize("sql", WRITES)
def test_only_reading_is_allowed(reader, scene, sql):
    """Every statement that would write, open another file or hold a lock is a QueryError, and no file changes."""
    before = scene.fingerprint()
    message = refusal(reader, sql.format(folder=scene.path.parent))
    assert "only reading is allowed" in message or message.startswith(("no such", "cannot"))
    assert scene.fingerprint() == before
    assert rows(reader, "SELECT count(*) FROM pages") == [(3,)]


def test_no_pragma_is_allowed(reader, scene):
    """All pragmas that this SQLite knows are refused: to ask, to set, and as table functions."""
    before = scene.fingerprint()
    for name in PRAGMAS:
        for sql in (f"PRAGMA {name}", f"PRAGMA {name} = 1", f"PRAGMA main.{name}(1)", f"SELECT * FROM pragma_{name}"):
            assert refusal(reader, sql)
    assert scene.fingerprint() == before
    assert len(PRAGMAS) > 50


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT load_extension('x')",
        "SELECT json_patch('{}', '{}')",
        "SELECT load_extension('x', 'y')",
        "SELECT fts3_tokenizer('simple')",
        "SELECT fts3_tokenizer('simple', x'0000')",
        "SELECT sqlite_log(1, 'x')",
        "SELECT title, randomblob(10) FROM pages",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT total_changes()",
        "SELECT 1 FROM pages WHERE load_extension(title)",
        "SELECT (SELECT load_extension('x'))",
        "SELECT readfile('/etc/hostname')",
        "SELECT writefile('x', 'y')",
        "SELECT edit('x')",
    ],
)
def test_only_known_functions_are_allowed(reader, sql):
    """A function that is not on the list is refused by name, wherever it stands."""
    message = refusal(reader, sql)
    assert "is not allowed" in message or "no such function" in message


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM page",
        "SELECT count(*) FROM url",
        "SELECT 1 FROM crawl",
        "SELECT owner FROM crawl",
        "SELECT (SELECT zstd FROM body)",
        "SELECT * FROM (SELECT * FROM queue)",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM record)",
        "SELECT page.text FROM pages, page",
        "SELECT * FROM pages UNION SELECT * FROM page",
        "WITH t AS (SELECT * FROM host) SELECT * FROM t",
        "SELECT * FROM migration",
    ],
)
def test_private_tables_are_refused_with_the_public_names(reader, sql):
    """A table that is not part of the contract is refused, and the message lists those that are."""
    message = refusal(reader, sql)
    assert "is private: read crawls, urls, pages, records, links, hosts" in message


@pytest.mark.parametrize(
    "sql", ["SELECT * FROM dbstat", "SELECT * FROM sqlite_stmt", "SELECT * FROM fts3tokenize('x')"]
)
def test_tables_that_sqlite_brings_along_are_refused(reader, sql):
    """Of the tables that exist without having been created only json_each and json_tree are allowed."""
    assert refusal(reader, sql)


@pytest.mark.parametrize(
    ("sql", "parts"),
    [
        ("SELECT * FROM page s", ("private", "pages")),
        ("SELECT * FROM pagse", ("no such table: pagse", "did you mean pages?", "known: crawls, urls, pages")),
        ("SELECT * FROM nothing_like_it", ("no such table", "known: crawls")),
        ("SELECT titel FROM pages", ("no such column: titel", "did you mean title?", "description")),
        ("SELECT p.statsu FROM pages AS p", ("no such column: p.statsu", "did you mean status?")),
        ("SELECT x", ("no such column: x",)),
        ("SELEC url FROM pages", ("syntax error",)),
        ("SELECT url FROM pages WHERE", ("incomplete input",)),
        ("SELECT nosuch(1)", ("no such function: nosuch",)),
        ("SELECT 1; SELECT 2", ("one statement",)),
        ("SELECT 1; DROP TABLE page", ("one statement",)),
        ("SELECT ?", ("binding",)),
        ("SELECT 'a\0b'", ("character",)),
        ("SELECT '\ud800'", ("character",)),
        ("SELECT abs(-9223372036854775808)", ("overflow",)),
        ("SELECT json_extract('{', '$')", ("malformed JSON",)),
    ],
)
def test_wrong_sql_says_what_is_wrong(reader, sql, parts):
    """What SQLite objects to is told, with the nearest and the known names for one that does not exist."""
    message = refusal(reader, sql)
    assert [part for part in parts if part not in message] == []


def test_an_error_in_a_later_row_is_a_query_error(reader):
    """SQL that fails only after some rows raises QueryError while they are read; the driver reads one row ahead."""
    result = run(reader, 'SELECT json_extract(value, \'$\') FROM json_each(\'["1", "2", "{"]\')')
    assert next(result.rows) == (1,)
    with pytest.raises(QueryError, match="malformed"):
        next(result.rows)


@pytest.mark.parametrize(
    "expression",
    [
        "instr('abcabc', 'c')", "instr(x'010203', x'03')", "instr(12345, 3)", "instr(NULL, 'a')", "instr('ä€a', 'a')",
        "replace(1.0, '.', ',')", "replace('aXbX', 'X', '--')", "replace('a', '', 'x')", "replace('a', 'a', NULL)",
        "trim('  a ')", "trim('xxaxx', 'x')", "ltrim('xxaxx', 'x')", "rtrim('xxaxx', 'x')", "trim(5, 5)",
        "typeof(trim(5, 4))",
        "printf('%5.2f|%-5s|%05d|%%|%,d', 3.14159, 'ab', 42, 1234567)", "printf('100% of * 1234567')", "printf(NULL)",
        "format('%s', x'6162')", "printf()", "printf('%d', 9223372036854775807)", "printf('%q', 'it''s')",
    ],
)  # fmt: skip
def test_bounded_functions_answer_as_sqlites_own(reader, expression):
    """Within their bounds, the functions that stand in for SQLite's give the same value of the same type."""
    sql = f"SELECT v, typeof(v) FROM (SELECT {expression} AS v)"
    assert rows(reader, sql) == sqlite3.connect(":memory:").execute(sql).fetchall()


def test_a_query_waits_for_the_one_before(reader):
    """While rows of one query are being read, another on the same connection is refused; afterwards it is not."""
    result = run(reader, "SELECT url FROM urls")
    next(result.rows)
    assert "still being read" in refusal(reader, "SELECT 1")
    assert len(list(result.rows)) == 6
    assert rows(reader, "SELECT 1") == [(1,)]


@pytest.mark.parametrize("name", ["n", "title", "t"])
def test_a_ctes_own_name_is_no_private_table(reader, name):
    """Names that a query gives itself can be counted like any table."""
    assert rows(reader, f"WITH {name} AS (SELECT 1 UNION SELECT 2) SELECT count(*) FROM {name} AS a, {name} AS b") == [
        (4,)
    ]


# --- limits


def ticking(step):
    """A clock that goes on by `step` whenever it is read."""
    moments = itertools.count(step=step)
    return lambda: float(next(moments))


@pytest.mark.parametrize(
    "sql",
    [
        ENDLESS + "SELECT sum(x) FROM n",
        ENDLESS + "SELECT x FROM n",
        ENDLESS + "SELECT count(*) FROM n AS a, n AS b, n AS c",
        ENDLESS + "SELECT x FROM n ORDER BY x",
        ENDLESS + "SELECT 1 WHERE 0 IN (SELECT x FROM n)",
    ],
    ids=["aggregate", "rows", "product", "sort", "subquery"],
)
def test_a_query_is_stopped_at_its_deadline(reader, sql):
    """A query that would never end is a QueryError that names the deadline, and the connection can be used again."""
    assert "over 30 s" in refusal(reader, sql, clock=ticking(0.01))
    assert rows(reader, "SELECT 1") == [(1,)]


def test_the_deadline_holds_by_the_real_clock(reader):
    """With the real clock an endless query ends soon after its deadline."""
    assert "over 0.1 s" in refusal(
        reader, ENDLESS + "SELECT sum(length(hex(zeroblob(4000000 + x)))) FROM n", deadline=0.1
    )


def test_time_between_rows_is_the_readers_own(reader):
    """A deadline counts the work of the database, not how long somebody looks at a page of the result."""
    now = 0.0
    result = run(reader, ENDLESS + "SELECT x FROM n LIMIT 1000", clock=lambda: now)
    for _ in result.rows:
        now += 100.0


def test_ctrl_c_stops_a_query(reader):
    """A KeyboardInterrupt that comes while SQLite works is raised, not swallowed or called an error of the SQL."""
    calls = itertools.count()

    def clock():
        if next(calls) == 3:  # after the start, and two looks from inside
            raise KeyboardInterrupt
        return 0.0

    with pytest.raises(KeyboardInterrupt):
        rows(reader, ENDLESS + "SELECT sum(x) FROM n", clock=clock)


def test_a_result_can_be_capped(reader):
    """More bytes than the caller takes are a QueryError, after the rows that fitted."""
    result = run(reader, "VALUES ('aaaa'), ('bbbb'), ('cccc')", max_bytes=8)
    assert [next(result.rows), next(result.rows)] == [("aaaa",), ("bbbb",)]
    with pytest.raises(QueryError, match="over 8 bytes"):
        next(result.rows)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT printf('%.500000000c', 'x')",
        "SELECT format('%.*c', 500000000, 'x')",
        "SELECT title FROM pages WHERE printf('%-5000000000.3s', title)",
        "SELECT instr(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || 'x')",
        "SELECT replace(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || 'x', '')",
        "SELECT trim(hex(zeroblob(4000000)), hex(zeroblob(2000000)))",
        "SELECT zeroblob(1000000000)",
        "SELECT hex(zeroblob(30000000))",
        "SELECT replace(hex(zeroblob(4000000)), '0', 'aaaaaaaa')",
        "SELECT 1" + " UNION SELECT 1" * 10,
        "SELECT " + ", ".join(["1"] * 101),
        "SELECT " + "(" * 1000 + "1" + ")" * 1000,
        "SELECT '" + "x" * 100_001 + "'",
        "SELECT 'x' LIKE '" + "%a" * 50 + "'",
        "SELECT max(1, 2, 3, 4, 5, 6, 7, 8, 9)",
        "SELECT ?99",
    ],
)
def test_sqlites_limits_are_set(reader, sql):
    """What would fill memory or take SQLite's parser to its edge is refused at once."""
    assert len(refusal(reader, sql)) < 200


def test_the_longest_page_can_be_read(scene):
    """A row of 16 MiB is still read: the limit on length does not hide what was stored."""
    scene.execute("UPDATE page SET text = ? WHERE url_id = 2", "x" * (16 * 1024 * 1024 - 1000))
    with scene.reading() as connection:
        assert rows(connection, "SELECT length(text) FROM pages WHERE title = 'Home'") == [(16 * 1024 * 1024 - 1000,)]


def test_aggregates_cannot_fill_memory(scene):
    """In a process with `limit_memory`, an aggregate that grows without end is a QueryError, far below 200 MB."""
    program = """
import sys
from pathlib import Path
from scraper.errors import QueryError
from scraper.reports import limit_memory, open_reader, run
with open_reader(sys.argv[1], newest=1) as connection:
    limit_memory(connection)
    try:
        list(run(connection, sys.argv[2]).rows)
    except QueryError as error:
        print(error)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])  # getrusage would count what the process was before it was this program
"""
    sql = ENDLESS + "SELECT json_group_array(hex(zeroblob(1000000))) FROM n"
    done = subprocess.run(
        [sys.executable, "-c", program, str(scene.path), sql], capture_output=True, text=True, check=True, timeout=30,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    message, peak = done.stdout.splitlines()
    assert "too much memory" in message
    assert int(peak) < 200_000 * (1024 if sys.platform == "darwin" else 1)
