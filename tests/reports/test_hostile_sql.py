"""SQL of somebody who means harm, each statement in a process of its own, as `scraper query` is one (C17, G17)."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import time

import pytest

from scraper.errors import ForeignSchema, QueryError
from scraper.reports import run

# Runs [name, sql] pairs, a child for each, and prints for each: name, rows or null, refusal or null, seconds of CPU
# over the deadline, MB that its memory grew by, exit status.
PROGRAM = r"""
import json, os, re, sys, time
from pathlib import Path

from scraper.errors import ForeignSchema, QueryError
from scraper.reports import Alone, limit_memory, open_reader, run, write_jsonl

path, deadline, kept = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])


def memory(which):
    return int(re.search(rf"{which}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


class Out(list):
    def write(self, piece):
        if len(self) < kept:
            self.append(piece.decode())

    def writelines(self, pieces):
        for piece in pieces:
            self.write(piece)


def child(sql, told):
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before, began, out = memory("VmRSS"), time.process_time(), Out()

    def tell(rows, why):
        grown, late = memory("VmHWM") - before, time.process_time() - began - deadline
        os.write(told, json.dumps([rows, why, late, grown]).encode())
        os._exit(0)

    try:
        with open_reader(path, newest=1) as connection, Alone(lambda why: tell(None, why)) as alone:
            limit_memory(connection)
            write_jsonl(run(connection, sql, deadline=deadline, max_bytes=2**30, alone=alone), out)
    except QueryError as error:
        tell(None, str(error))
    except BaseException as error:
        tell(None, f"not a QueryError: {error!r}")
    tell("".join(out), None)


for name, sql in json.load(sys.stdin):
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        child(sql, writing)
    os.close(writing)
    with open(reading, "rb") as answer:
        told = answer.read()
    _, status = os.waitpid(pid, 0)
    print(json.dumps([name, *json.loads(told or "[null, null, 0, 0]"), status]), flush=True)
"""
DEADLINE = 0.05  # seconds
MOST_OVER = 0.25  # seconds of CPU; of the clock it would be the same on a machine that does nothing else
MOST_MEMORY = 64.0  # MB

LONG = "hex(zeroblob(8000000))"  # 16 MB
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured, and limited, by what Linux has")
N = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
MANY = [str(number) for number in range(100)]


def doubling(select, times):
    """Tables made of the one before, twice each: what is short to write doubles with every line."""
    tables = [f", t{n} AS ({select.replace('{t}', f't{n - 1}')})" for n in range(1, times)]
    return f"WITH t0 AS (SELECT 1 AS x){''.join(tables)} SELECT count(*) FROM t{times - 1}"


def joined(view, times, condition):
    """A join of so many tables that finding its plan is the work."""
    tables = ", ".join(f"{view} AS t{n}" for n in range(times))
    return f"SELECT count(*) FROM {tables} WHERE {' AND '.join(f'({condition(n)})' for n in range(times))}"


WRITES = [
    "INSERT INTO page (url_id) VALUES (9)", "INSERT OR REPLACE INTO crawl SELECT * FROM crawl",
    "INSERT INTO pages (title) VALUES ('x')", "INSERT INTO url DEFAULT VALUES",
    "INSERT INTO crawl (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'x'",
    "INSERT INTO record VALUES (2, 'x', 0, '{}') RETURNING *", "REPLACE INTO page (url_id) VALUES (1)",
    "UPDATE page SET title = 'x'", "UPDATE page SET title = 'x' RETURNING title", "UPDATE crawls SET name = 'x'",
    "UPDATE OR IGNORE url SET url = 'x'", "UPDATE page SET text = u.url FROM url AS u", "DELETE FROM page",
    "DELETE FROM page RETURNING *", "DELETE FROM page WHERE url_id IN (SELECT id FROM url)", "DELETE FROM migration",
    "WITH t AS (SELECT 1) INSERT INTO page (url_id) SELECT * FROM t",
    "WITH t AS (SELECT 1) UPDATE page SET title = 'x'", "WITH t AS (SELECT 1) DELETE FROM page",
    "WITH RECURSIVE t(x) AS (SELECT 1) DELETE FROM url RETURNING id",
    "WITH t AS (DELETE FROM page RETURNING *) SELECT * FROM t", "SELECT * FROM (DELETE FROM page RETURNING *)",
    "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (y)')",
    "UPDATE sqlite_schema SET sql = 'x'", "DELETE FROM sqlite_master", "INSERT INTO sqlite_sequence VALUES ('x', 1)",
    "UPDATE sqlite_stat1 SET stat = ''", "INSERT INTO temp.sqlite_schema VALUES (1, 2, 3, 4, 5)",
    "UPDATE sqlite_dbpage SET data = zeroblob(4096) WHERE pgno = 1", "DELETE FROM dbstat",
    "INSERT INTO json_each VALUES (1)", "UPDATE pragma_user_version SET user_version = 7",
    "insert into PAGE (url_id) values (9)", "/**/DELETE/**/FROM/**/page", "--\nDELETE FROM page", ";DELETE FROM page",
    '  \n\t DELETE FROM "page"', "DELETE FROM [page]", "DELETE FROM `page`", "DELETE FROM main.page",
    "EXPLAIN DELETE FROM page", "EXPLAIN QUERY PLAN UPDATE page SET title = 'x'", "\ufeffDELETE FROM page",
]  # fmt: skip
SCHEMA = [
    "CREATE TABLE x (y)", "CREATE TABLE IF NOT EXISTS page (y)", "CREATE TEMP TABLE x (y)", "CREATE TABLE temp.x (y)",
    "CREATE TABLE x AS SELECT * FROM pages", "CREATE TEMP TABLE x AS SELECT 1", "CREATE VIEW x AS SELECT 1",
    "CREATE TEMP VIEW pages AS SELECT 1", "CREATE TABLE x (y GENERATED ALWAYS AS (load_extension('x')))",
    "CREATE INDEX x ON page (title)", "CREATE UNIQUE INDEX x ON page (lower(title))",
    "CREATE TRIGGER x AFTER UPDATE ON page BEGIN DELETE FROM page; END",
    "CREATE TEMP TRIGGER x INSTEAD OF INSERT ON pages BEGIN SELECT 1; END", "CREATE VIRTUAL TABLE x USING fts5(y)",
    "CREATE VIRTUAL TABLE x USING fts3(y)", "CREATE VIRTUAL TABLE x USING rtree(a, b, c)",
    "CREATE VIRTUAL TABLE temp.x USING dbstat", "CREATE VIRTUAL TABLE x USING csv(filename = '/etc/passwd')",
    "CREATE VIRTUAL TABLE x USING sqlite_dbpage", "CREATE VIRTUAL TABLE x USING zipfile('x.zip')",
    "CREATE VIRTUAL TABLE x USING fts5vocab('y', 'row')", "DROP TABLE page", "DROP TABLE IF EXISTS page",
    "DROP VIEW pages", "DROP INDEX page_by_crawl", "DROP TRIGGER x", "ALTER TABLE page RENAME TO x",
    "ALTER TABLE page RENAME title TO x", "ALTER TABLE page ADD COLUMN x", "ALTER TABLE page DROP COLUMN title",
    "REINDEX", "REINDEX page", "ANALYZE", "ANALYZE page", "VACUUM", "VACUUM main", "VACUUM INTO '{folder}/new.db'",
    "VACUUM INTO '{folder}/' || 'new.db'", "VACUUM main INTO 'file:{folder}/new.db?mode=rwc'",
]  # fmt: skip
FILES = [
    "ATTACH '{folder}/new.db' AS x", "ATTACH DATABASE '{folder}/new.db' AS x", "ATTACH ':memory:' AS x",
    "ATTACH '' AS x", "ATTACH 'file:{folder}/new.db?mode=rwc' AS x", "ATTACH 'file:new?mode=memory&cache=shared' AS x",
    "ATTACH '/etc/passwd' AS x KEY ''", "ATTACH (SELECT '{folder}/new.db') AS x", "ATTACH NULL AS x", "DETACH main",
    "DETACH DATABASE temp", "SELECT load_extension('libc.so.6')", "SELECT load_extension('x', 'y')",
    "SELECT load_extension(title) FROM pages", "SELECT 1 WHERE load_extension('x') IS NULL",
    "SELECT * FROM pages ORDER BY load_extension('x')", "SELECT readfile('/etc/passwd')",
    "SELECT writefile('{folder}/new', 'x')", "SELECT edit('x')", "SELECT * FROM fsdir('/')", "SELECT lsdir('/')",
    "SELECT * FROM zipfile('x')", "SELECT shell('id')", "SELECT system('id')", "SELECT eval('DELETE FROM page')",
    "SELECT fts3_tokenizer('simple', x'4141414141414141')", "SELECT fts5('x')", "SELECT * FROM pages('x')",
    "SELECT sqlite_log(1, 'x')", "SELECT sqlite_compileoption_get(1)", "SELECT sqlite_offset(title) FROM pages",
    "SELECT last_insert_rowid()", "SELECT randomblob(9)", "SELECT json_patch('{{}}', '{{}}')",
    "SELECT icu_load_collation('x', 'y')", "SELECT crypto('x')", "SELECT \"load_extension\"('x')",
    "SELECT LOAD_EXTENSION('x')", "SELECT rtreecheck('page')", "SELECT matchinfo(pages) FROM pages",
]  # fmt: skip
PRAGMAS = [
    "PRAGMA journal_mode = DELETE", "PRAGMA main.journal_mode(OFF)", "PRAGMA writable_schema = ON",
    "PRAGMA user_version = 9", "PRAGMA application_id = 0", "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA temp_store_directory = '/'", "PRAGMA trusted_schema = ON", "PRAGMA data_store_directory = '/'",
    "PRAGMA hard_heap_limit = 0", "PRAGMA soft_heap_limit = 0", "PRAGMA cache_size = -9999999",
    "PRAGMA mmap_size = 99999999999", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA query_only = OFF", "PRAGMA optimize",
    "PRAGMA incremental_vacuum", "PRAGMA integrity_check", "PRAGMA foreign_keys = ON", "PRAGMA threads = 8",
    "PRAGMA key = 'x'", "PRAGMA table_info(page)", "PRAGMA database_list", "PRAGMA busy_timeout = 99999999",
    "PRAGMA lock_status", "pragma/**/schema_version=1", "SELECT * FROM pragma_database_list",
    "SELECT * FROM pragma_table_info('page')", "SELECT * FROM pragma_user_version",
    "SELECT * FROM pragma_function_list", "SELECT * FROM pragma_compile_options", "SELECT * FROM pragma_module_list",
    "SELECT * FROM pragma_integrity_check", "SELECT * FROM pragma_hard_heap_limit(0)",
    "SELECT * FROM pragma_journal_mode('delete')",
]  # fmt: skip
PRIVATE = [
    "SELECT * FROM page", "SELECT owner FROM crawl", "SELECT count(*) FROM body", "SELECT * FROM main.url",
    "TABLE page", "SELECT * FROM pages, page", "SELECT (SELECT zstd FROM body)",
    "SELECT * FROM pages UNION SELECT * FROM page", "SELECT * FROM dbstat", "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stmt", "SELECT * FROM sqlite_stat1", "SELECT * FROM bytecode('SELECT 1')",
    "SELECT * FROM tables_used('SELECT 1')", "SELECT * FROM fts3tokenize('x')", "SELECT * FROM generate_series(1, 9)",
    "SELECT * FROM fts5vocab", "SELECT 1 IN page", "SELECT rowid FROM page",
]  # fmt: skip
WRONG = [
    "", ";;;", "SELECT 1; SELECT 2", "SELECT 1;DELETE FROM page", "SELECT 1;\n--x\nATTACH '{folder}/new.db' AS x",
    "SELECT 'a\0b'", "\0", "SELECT 1\0; DELETE FROM page", "SELECT '\ud800'", "SELECT ?", "SELECT ?99999",
    "SELECT :x, @y, $z", "BEGIN", "BEGIN EXCLUSIVE", "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "SAVEPOINT x",
    "RELEASE x", "END", ".dump", ".shell id", ".open new.db", "\\", "SELECT abs(-9223372036854775808)",
    "SELECT json('{{')", "SELECT raise(FAIL, 'x')", "SELECT x'abc'", "SELECT * FROM nosuch", "/* never closed",
    "SELECT 'never closed", "SELECT " + "-" * 90_000, "'" * 99_999, "(" * 99_999, "x" * 100_000,
    "SELECT" + " " * 100_000 + "1", "SELECT " + ", ".join(["1"] * 49_000), "SELECT " + ", ".join(["1"] * 101),
    "SELECT " + "(" * 900 + "1" + ")" * 900, "SELECT " + "NOT " * 900 + "1", "SELECT " + "-" + " -" * 900 + "1",
    "SELECT " + "CASE WHEN 1 THEN " * 300 + "1" + " END" * 300, "SELECT " + "(SELECT " * 300 + "1" + ")" * 300,
    "SELECT * FROM " + "(SELECT * FROM " * 300 + "pages" + ")" * 300,
    "SELECT 1 IN (" + ", ".join(map(str, range(17_000))) + ")", "SELECT 1" + " UNION SELECT 1" * 500,
    "SELECT 1" + " AND 1" * 5_000, "SELECT 1" + " || 'x'" * 900, "SELECT max(" + ", ".join(MANY) + ")",
    "SELECT 'x' LIKE '" + "%a" * 50 + "'", "SELECT * FROM " + ", ".join(f"pages AS p{n}" for n in MANY[:60]),
    "SELECT * FROM " + " NATURAL JOIN ".join(["urls"] * 21),
    "SELECT 1 FROM pages GROUP BY " + ", ".join(f"url || {n}" for n in MANY * 20),
]  # fmt: skip
# What would be right, but not for ever, or not in this much memory; an answer in time is as good as a refusal.
BOMBS = [
    "SELECT " + ", ".join(f"sum(id * {n})" for n in MANY) + " FROM crawls", N + "SELECT x FROM n",
    N + "SELECT sum(x) FROM n", N + "SELECT count(*) FROM n AS a, n AS b", N + "SELECT x FROM n ORDER BY -x",
    N + "SELECT 1 WHERE 0 IN (SELECT x FROM n)", N + "SELECT 1 WHERE EXISTS (SELECT 1 FROM n WHERE x < 0)",
    N + "SELECT max(x) FROM n", N + "SELECT DISTINCT x % 7 FROM n", N + "SELECT x, count(*) FROM n GROUP BY x",
    N + "SELECT random() FROM n WHERE x < 0", N + "SELECT x FROM n ORDER BY hex(zeroblob(1000)) || x DESC",
    N + f"SELECT x FROM n ORDER BY {LONG} || x", N + "SELECT x FROM n LIMIT -1 OFFSET 1e15",
    N + "SELECT count(DISTINCT hex(zeroblob(1000)) || x) FROM n", N + "SELECT x FROM n EXCEPT SELECT x + 1 FROM n",
    N + "SELECT 'a' IN (SELECT hex(zeroblob(100000)) || x FROM n)", N + "SELECT x FROM n INTERSECT SELECT -x FROM n",
    N + "SELECT " + ", ".join(["x"] * 100) + " FROM n", N + "SELECT hex(zeroblob(500000)) FROM n",
    N + "SELECT zeroblob(16000000) FROM n", N + f"SELECT {LONG} FROM n", N + f"SELECT x || {LONG} FROM n",
    N + "SELECT replace(hex(zeroblob(9999)), '0', '世') FROM n", N + "SELECT json_group_array(x) FROM n",
    N + "SELECT json_group_object(x, x) FROM n", N + "SELECT group_concat(x) FROM n",
    N + f"SELECT json_group_array({LONG}) FROM n", N + f"SELECT group_concat({LONG}) FROM n",
    N + "SELECT avg(x) OVER () FROM n", N + "SELECT ntile(9) OVER (ORDER BY x) FROM n",
    N + "SELECT last_value(x) OVER (ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) FROM n",
    N + "SELECT group_concat(hex(zeroblob(100))) OVER (ORDER BY x) FROM n",
    N + "SELECT lag(x, 1000000) OVER (ORDER BY x) FROM n", N + f"SELECT sum(CAST({LONG} AS REAL)) FROM n",
    N + f"SELECT sum(instr({LONG}, '{'0' * 199}x')) FROM n",
    N + f"SELECT count(*) FROM n WHERE {LONG} = {LONG} COLLATE NOCASE",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT count(*) FROM n",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x FROM n ORDER BY 1) SELECT x FROM n",
    "WITH RECURSIVE n(x) AS (SELECT 'ab' UNION ALL SELECT x || x FROM n) SELECT length(x) FROM n",
    f"WITH RECURSIVE n(x) AS (SELECT {LONG} UNION ALL SELECT x || 0 FROM n UNION ALL SELECT x FROM n) SELECT x FROM n",
    ("WITH RECURSIVE n(x) AS (SELECT hex(zeroblob(5000)) UNION ALL SELECT x || '0' FROM n)"
     " SELECT x FROM n ORDER BY x COLLATE NOCASE"),
    ("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 99999)"
     " SELECT max(x) OVER (ROWS BETWEEN 50000 PRECEDING AND 50000 FOLLOWING) FROM n"),
    doubling("SELECT a.x FROM {t} AS a, {t} AS b", 20), doubling("SELECT x FROM {t} UNION ALL SELECT x FROM {t}", 25),
    doubling("SELECT (SELECT max(x) FROM {t}) + (SELECT min(x) FROM {t}) AS x", 25),
    joined("crawls", 64, lambda n: " OR ".join(f"t{n}.id = t{(n * k + k) % 64}.id" for k in range(1, 40))),
    joined("pages", 31, lambda n: f"t{n}.url = t{n * 7 % 31}.title OR t{n}.title = t{n * 3 % 31}.url"),
    "SELECT count(*) FROM " + ", ".join(f"links AS p{n}" for n in MANY[:12]),
    "SELECT " + ", ".join(f"sum(id) OVER (PARTITION BY id + {n})" for n in MANY) + " FROM crawls",
    "SELECT * FROM json_each('[" + "1," * 20_000 + "1]') AS a, json_each('[" + "1," * 20_000 + "1]') AS b",
    "SELECT sum(length(fullkey)) FROM json_tree('" + "[" * 1900 + "]" * 1900 + "'), json_each('[" + "1," * 99 + "1]')",
    f"SELECT json(replace({LONG}, '0', '['))",
    f"SELECT count(*) FROM json_tree('[' || substr(replace({LONG}, '0', '0,'), 1, 14000000) || '0]')",
    f"SELECT json_extract('{{}}', '$' || replace({LONG}, '0', '[0]'))",
    "SELECT json_extract('{}', '$" + "[0]" * 30_000 + "')", f"SELECT json_array({LONG}, {LONG}, {LONG}, {LONG})",
    f"SELECT json_quote({LONG})", f"SELECT json_object('x', {LONG})",
    f"SELECT fullkey FROM json_tree('{{\"' || substr({LONG}, 1, 7000000) || '\":{{\"a\":[1,2,3,4,5,6,7,8,9]}}}}')",
    "SELECT printf('%.500000000c', 'x')", "SELECT printf('%500000000d', 1)", "SELECT format('%.*c', 500000000, 'x')",
    "SELECT printf('%-*s', 999999999, 'x')", "SELECT format(CAST('%.*c' AS BLOB), 500000000, 'x')",
    "SELECT printf('%!.99999f', 1e300)", "SELECT printf(replace(hex(zeroblob(1000000)), '0', '%9999c'), 1)",
    "SELECT printf('" + "%9999c" * 1600 + "', 1)", f"SELECT printf('%q%Q%w', {LONG}, {LONG}, {LONG})",
    f"SELECT printf('%s', {LONG})", f"SELECT printf({LONG})", "SELECT zeroblob(1000000000)",
    "SELECT zeroblob(48000000)", "SELECT zeroblob(9223372036854775807)", "SELECT hex(zeroblob(24000000))",
    "SELECT hex(zeroblob(500000000))", "SELECT quote(zeroblob(8000000))", f"SELECT quote(quote(quote({LONG})))",
    f"SELECT {LONG} || {LONG} || {LONG}", f"SELECT {LONG} || '😀'", f"SELECT upper(lower({LONG}))",
    f"SELECT replace({LONG}, '0', '00')", f"SELECT replace({LONG}, '0', hex(zeroblob(1000)))",
    f"SELECT replace(CAST({LONG} AS BLOB), x'30', x'3131')", f"SELECT replace({LONG}, {LONG}, 'x')",
    f"SELECT instr({LONG}, {LONG} || 'x')", f"SELECT trim({LONG}, hex(zeroblob(2000000)))",
    f"SELECT trim({LONG}, '{''.join(chr(0x100 + n) for n in range(198))}x0')",
    f"SELECT ltrim({LONG}, CAST('{'x' * 199}0' AS BLOB))", f"SELECT rtrim(CAST({LONG} AS BLOB), '{'x' * 199}0')",
    f"SELECT strftime(replace({LONG}, '00', '%J'), 'now')", f"SELECT {LONG} LIKE '%{'0' * 47}x'",
    f"SELECT {LONG} LIKE '%{'0%' * 20}x'", f"SELECT {LONG} LIKE '{'%_' * 24}x'",
    f"SELECT like('%0%0%0%0x', {LONG}, '\\')", f"SELECT {LONG} GLOB '*{'[0-9]' * 9}x'",
    f"SELECT {LONG} GLOB '*{'[^1]' * 11}x'", f"SELECT {LONG} GLOB '{'*0' * 24}x'",
    f"SELECT {LONG} NOT LIKE '%é' || '%0' COLLATE NOCASE", f"SELECT {LONG} REGEXP '(0+)+x'", f"SELECT {LONG} MATCH 'x'",
    f"SELECT soundex({LONG}), CAST({LONG} AS INTEGER)", "SELECT " + ", ".join([LONG] * 20),
    "SELECT " + ", ".join(["zeroblob(16000000)"] * 100),
    "SELECT " + " + ".join(f"length(hex(zeroblob(8000000 + {n})))" for n in MANY[:90]),
    "WITH t AS (SELECT zeroblob(16000000) AS x) SELECT " + ", ".join(["x"] * 100) + " FROM t",
    f"WITH t AS MATERIALIZED (SELECT {LONG} AS x) SELECT " + ", ".join(["x"] * 100) + " FROM t",
    f"SELECT {', '.join(['x'] * 100)} FROM (SELECT {LONG} AS x LIMIT 1)", f"VALUES ({LONG}), ({LONG}), ({LONG})",
    'SELECT 1 AS "' + "n" * 90_000 + '"', "SELECT " + ", ".join(f'1 AS "{"n" * 900}"' for _ in MANY[:90]),
    f"SELECT * FROM pages WHERE title = {LONG} ORDER BY {LONG}", "EXPLAIN " + N + "SELECT x FROM n",
    "SELECT count(*) FROM urls AS a, urls AS b, urls AS c, urls AS d, urls AS e, urls AS f, urls AS g, urls AS h, urls",
]  # fmt: skip
REFUSED = WRITES + SCHEMA + FILES + PRAGMAS + PRIVATE + WRONG
HONEST = [
    "SELECT url, title FROM pages ORDER BY url", "SELECT * FROM urls WHERE state = 'failed'",
    "SELECT state, reason, count(*) FROM urls GROUP BY 1, 2 ORDER BY 1, 2",
    "SELECT host, count(*) AS n FROM urls GROUP BY host HAVING n > 1",
    "SELECT p.title, u.state FROM pages AS p JOIN urls AS u USING (crawl_id, url) ORDER BY 1",
    "SELECT u.url, p.status FROM urls AS u LEFT JOIN pages AS p USING (crawl_id, url) ORDER BY 1",
    "SELECT l.source, p.title FROM links AS l LEFT JOIN pages AS p ON p.url = l.target ORDER BY 1, 2",
    "SELECT count(*) FROM pages AS a, pages AS b WHERE a.url < b.url",
    "SELECT url FROM pages WHERE NOT EXISTS (SELECT 1 FROM records WHERE records.url = pages.url AND rule = 'shop')",
    "SELECT url FROM urls EXCEPT SELECT url FROM pages ORDER BY 1",
    "SELECT url FROM urls UNION SELECT target FROM links ORDER BY 1",
    "SELECT url FROM urls INTERSECT SELECT target FROM links",
    "SELECT name, state, json_array_length(seeds) FROM crawls",
    "SELECT data ->> '$.name' AS name, data ->> '$.price' AS price FROM records ORDER BY 1",
    "SELECT json_extract(data, '$.price') * 2 FROM records ORDER BY 1",
    "SELECT url, key, value FROM records, json_each(data) ORDER BY 1, 2, 3",
    "SELECT fullkey, atom FROM records, json_tree(data) ORDER BY 1, 2",
    "SELECT json_group_array(name) FROM (SELECT name FROM crawls ORDER BY name)",
    "SELECT json_object('url', url, 'title', title) FROM pages ORDER BY url",
    "SELECT json_type(data), json_valid(data) FROM records",
    "SELECT rule, avg(data ->> '$.price'), min(position), max(position) FROM records GROUP BY rule ORDER BY 1",
    "SELECT url, row_number() OVER (ORDER BY url) FROM pages ORDER BY 1",
    "SELECT host, rank() OVER (PARTITION BY state ORDER BY url) FROM urls ORDER BY url",
    "SELECT url, sum(bytes) OVER (ORDER BY url ROWS UNBOUNDED PRECEDING) FROM pages ORDER BY 1",
    "SELECT title, lag(title) OVER w, lead(title, 1, '-') OVER w FROM pages WINDOW w AS (ORDER BY title) ORDER BY 1",
    "SELECT ntile(2) OVER (ORDER BY url), percent_rank() OVER (ORDER BY url) FROM pages",
    "WITH t AS (SELECT host, count(*) AS n FROM urls GROUP BY host) SELECT avg(n), max(n) FROM t",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 1000) SELECT sum(x) FROM n",
    ("WITH RECURSIVE w(u, n) AS (SELECT 'http://a.example/', 0 UNION SELECT target, 1 FROM w JOIN links ON source = u)"
     " SELECT * FROM w ORDER BY 1"),
    "SELECT strftime('%Y-%m', fetched_at), count(*) FROM pages GROUP BY 1",
    "SELECT date(started_at), datetime(started_at, '+1 day'), julianday(started_at) FROM crawls",
    "SELECT unixepoch(finished_at) - unixepoch(started_at) FROM crawls",
    "SELECT upper(title), lower(title), length(text), substr(text, 1, 3), trim(title, 'OH') FROM pages ORDER BY url",
    "SELECT replace(url, 'http:', ''), instr(url, '//'), printf('%05.2f|%-9s|%,d', 2.5, title, bytes) FROM pages",
    "SELECT group_concat(title, ', ') FROM (SELECT title FROM pages ORDER BY title)",
    "SELECT coalesce(reason, 'none'), ifnull(detail, '-'), nullif(depth, 0), iif(depth, 'deep', 'seed') FROM urls",
    "SELECT CASE WHEN bytes > 5 THEN 'big' ELSE 'small' END AS size, count(*) FROM pages GROUP BY size",
    "SELECT url FROM urls WHERE url LIKE '%EXAMPLE/_' OR url GLOB 'http://*.example/[a-c]*' ORDER BY 1",
    "SELECT url FROM urls WHERE state IN ('queued', 'failed') AND depth BETWEEN 0 AND 3 ORDER BY 1",
    "SELECT round(avg(bytes), 1), total(bytes), abs(-1), 7 % 3, 7 / 2.0, 1 << 4, ~1 FROM pages",
    "SELECT DISTINCT host FROM urls ORDER BY host COLLATE NOCASE DESC LIMIT 2 OFFSET 1",
    "SELECT x'00ff', CAST('12' AS INTEGER), typeof(1.0), hex('a'), quote('it''s'), char(97, 98), unicode('a')",
    "VALUES (1, 'a'), (2, NULL)", "SELECT (SELECT max(fetched_at) FROM pages) > (SELECT min(discovered_at) FROM urls)",
    "SELECT sqrt(16), pow(2, 3), floor(2.5)", "SELECT name FROM sqlite_schema WHERE type = 'view' ORDER BY name",
    "EXPLAIN QUERY PLAN SELECT url FROM pages",
    ("SELECT count(*), max(y) FROM (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 50000)"
     " SELECT hex(x * 7919 % 200003) || 'text that is sorted' AS y FROM n ORDER BY y DESC LIMIT -1 OFFSET 1)"),
]  # fmt: skip


def in_place(scene, sql):
    """The statement, with the folder of the store in it."""
    return sql.replace("{folder}", str(scene.path.parent)).replace("{{", "{").replace("}}", "}")


def is_one_line(why):
    """Is it how a query is to end that got no answer?"""
    return why is not None and 0 < len(why) < 400 and "\n" not in why and not why.startswith("not a QueryError")


def tried(scene, statements, *, deadline=DEADLINE, kept=0):
    """Run each statement in a process of its own, and yield what is told of it."""
    pairs = [(sql[:80], in_place(scene, sql)) for sql in statements]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(scene.path), str(deadline), str(kept)], input=json.dumps(pairs),
        capture_output=True, text=True, check=True, timeout=300, cwd=scene.path.parent,
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_no_hostile_statement_is_run(scene, goal):
    """What would write, open a file, load code, set or pry into something is one line of refusal (C17)."""
    with scene.reading() as reader:
        before = scene.fingerprint()  # with the log that SQLite makes beside what it opens
        with goal("G17", "statements that write, open, load or pry are refused") as tries:
            for sql in REFUSED:
                why, began = None, time.process_time()
                try:
                    list(run(reader, in_place(scene, sql)).rows)
                except QueryError as error:
                    why = str(error)
                tries.check(is_one_line(why), f"{sql[:80]}: {why and why[:200]!r}")
                tries.check(time.process_time() - began < MOST_OVER, f"{sql[:80]} takes long")
            tries.check(scene.fingerprint() == before, "a file was made or changed")
            tries.check(list(run(reader, "SELECT count(*) FROM pages").rows) == [(3,)], "it can still be read")


STRANGERS = [
    ("DROP VIEW pages; CREATE VIEW pages AS SELECT load_extension('x') AS title", "SELECT title FROM pages"),
    ("DROP VIEW pages; CREATE VIEW pages AS SELECT writefile('{folder}/new', 'x') AS title", "SELECT * FROM pages"),
    ("DROP VIEW pages; CREATE VIEW pages AS SELECT * FROM nosuch", "SELECT * FROM pages"),
    ("DROP VIEW pages; CREATE VIEW pages AS SELECT * FROM pragma_database_list", "SELECT * FROM pages"),
    ("DROP VIEW pages; CREATE VIEW pages AS SELECT fts3_tokenizer('simple')", "SELECT * FROM pages"),
    ("DROP VIEW pages; CREATE VIEW pages AS SELECT sqlite_offset(text) FROM page", "SELECT * FROM pages"),
    ("CREATE VIEW mine AS SELECT * FROM crawl", "SELECT * FROM mine"),
    ("CREATE VIRTUAL TABLE x USING fts5(y)", "SELECT * FROM x WHERE x MATCH 'y'"),
    ("CREATE VIRTUAL TABLE x USING fts5(y); CREATE VIEW v AS SELECT * FROM x", "SELECT * FROM v WHERE y MATCH 'a'"),
    ("CREATE VIRTUAL TABLE x USING dbstat", "SELECT * FROM x"),
    ("CREATE VIRTUAL TABLE x USING fts5(y)", "SELECT * FROM x_data"),
    ("CREATE VIRTUAL TABLE x USING rtree(a, b, c)", "SELECT * FROM x, x_node"),
    ("CREATE TRIGGER t INSTEAD OF INSERT ON pages BEGIN DELETE FROM page; END", "INSERT INTO pages (title) VALUES (1)"),
]  # fmt: skip


@pytest.mark.goal("G17", "what a stranger put into a schema is not run")
@pytest.mark.parametrize(("script", "sql"), STRANGERS, ids=[str(number) for number in range(len(STRANGERS))])
def test_what_a_stranger_put_into_the_schema_is_not_run(scene, script, sql):
    """What a stranger's views do but read is refused (A7, C17)."""
    with scene.writing() as db:
        db.executescript(in_place(scene, script))
    before = scene.path.read_bytes()
    with pytest.raises((QueryError, ForeignSchema)), scene.reading() as reader:
        list(run(reader, sql).rows)
    assert scene.path.read_bytes() == before


def test_sqlites_limits_are_those_it_advises(reader):
    """Under a query every limit stands: no attached database, no worker thread, a hundred columns (C17)."""
    list(run(reader, "SELECT 1").rows)
    limits = {
        "LENGTH": 48 * 2**20, "SQL_LENGTH": 100_000, "COLUMN": 100, "EXPR_DEPTH": 200, "COMPOUND_SELECT": 3,
        "VDBE_OP": 25_000, "FUNCTION_ARG": 8, "ATTACHED": 0, "LIKE_PATTERN_LENGTH": 50, "VARIABLE_NUMBER": 10,
        "TRIGGER_DEPTH": 10, "WORKER_THREADS": 0,
    }  # fmt: skip
    assert {name: reader.getlimit(getattr(sqlite3, f"SQLITE_LIMIT_{name}")) for name in limits} == limits


def check_bombs(scene, goal, bombs):
    """Each ends in time, with little memory, by an answer or one line, and changes nothing."""
    with scene.reading():
        before = scene.fingerprint()
    with goal("G17", "statements that would run or grow for ever are stopped") as tries:
        for name, rows, why, late, grown, status in tried(scene, bombs):
            ended = is_one_line(why) or rows is not None
            tries.check(status == 0 and ended, f"{name}: {status} {why and why[:200]!r}")
            tries.check(late <= MOST_OVER, f"{name}: {late:.2f} s late")
            tries.check(grown <= MOST_MEMORY, f"{name}: {grown:.0f} MB more")
        tries.check(scene.fingerprint() == before, "a file was made or changed")


@on_linux
def test_bombs_are_stopped(scene, goal):
    """A statement without end is stopped at its deadline and at 64 MB, whatever SQLite is busy with (C17)."""
    check_bombs(scene, goal, BOMBS[::5])


@on_linux
@pytest.mark.heavy
@pytest.mark.timeout(300)
def test_all_bombs_are_stopped(scene, goal):
    """Of more than a hundred statements without end each is stopped at its deadline and at 64 MB (C17)."""
    check_bombs(scene, goal, BOMBS)


@on_linux
def test_honest_sql_is_answered(scene, goal):
    """What people ask of a store is answered under all limits, a big sort too, as by SQLite without any (C17)."""
    with goal("G17", "honest SQL is answered as without a guard") as tries, scene.writing() as plain:
        for sql, (name, told, why, *_) in zip(HONEST, tried(scene, HONEST, deadline=60, kept=10**6), strict=True):
            expected = [
                [base64.b64encode(v).decode() if isinstance(v, bytes) else v for v in row] for row in plain.execute(sql)
            ]
            rows = told and [list(json.loads(line).values()) for line in told.splitlines()]
            tries.check(rows == expected, f"{name}: {why!r} {rows} {expected}")
