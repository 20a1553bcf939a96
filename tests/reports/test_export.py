from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.reports import Result, export, rows, run, write_csv, write_jsonl

VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
TEXTS = st.text(st.sampled_from("=+-@\t\r\n\x1b\x9b\u202e\u2066,\"'a1 ") | st.characters(exclude_categories=["Cs"]))


def jsonl(result):
    """The lines written."""
    out = io.BytesIO()
    count = write_jsonl(result, out)
    lines = out.getvalue().decode("utf-8").split("\n")
    assert lines.pop() == ""
    assert len(lines) == count
    return lines


def table(result, **options):
    """The CSV written, as a reader of CSV sees it."""
    out = io.BytesIO()
    write_csv(result, out, **options)
    return list(csv.reader(io.StringIO(out.getvalue().decode("utf-8"), newline="")))


@pytest.mark.parametrize("what", ["records", "pages", "links", "urls"])
@pytest.mark.parametrize("crawl", [1, 2])
def test_an_export_is_the_public_view_of_one_crawl(reader, what, crawl):
    """The columns and rows of an export are those of the view of that name, of this crawl only."""
    result = rows(reader, what, crawl)
    exported = list(result.rows)
    view = run(reader, f"SELECT * FROM {what} WHERE crawl_id = {crawl}")
    assert result.columns == view.columns
    assert sorted(exported, key=str) == sorted(view.rows, key=str)


@pytest.mark.parametrize("what", ["records", "pages", "links", "urls"])
def test_an_export_is_streamed_in_a_stable_order(scene, what):
    """The order is that of a key, so nothing is sorted and nothing gathered before the first row."""
    from scraper.reports.export import _SQL

    with scene.reading() as connection:
        plan = "\n".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + _SQL[what], (2,)))
    assert "TEMP B-TREE" not in plan


def test_records_are_ordered_by_page_rule_and_position(reader):
    """Records come by the order their URLs were found, then by rule and position."""
    assert [(row[1], row[2], row[3]) for row in rows(reader, "records", 2).rows] == [
        ("http://a.example/", "shop", 0),
        ("http://a.example/1", "item", 0),
        ("http://a.example/1", "item", 1),
    ]


def test_a_records_data_is_an_object_in_json(reader):
    """In JSON lines a record's data is the object itself, not a text with JSON in it."""
    assert [json.loads(line)["data"] for line in jsonl(rows(reader, "records", 2))] == [
        {"name": "=cmd()"},
        {"name": "a", "price": 1},
        {"name": "b", "price": 2.5},
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{\n "a": 1\r\n}', {"a": 1}),
        ('{"a": 1e400}', None),
        ('{"big": 123456789012345678901234567890}', {"big": 123456789012345678901234567890}),
        ("{oops", "{oops"),
        ("", ""),
    ],
    ids=["pretty", "infinite", "big", "broken", "empty"],
)
def test_data_of_any_origin_stays_one_line(data, expected):
    """Data with line breaks is embedded on one line, every digit as it was; what is no JSON is a string."""
    (line,) = jsonl(Result(("data",), iter([(data,)]), frozenset({"data"})))
    assert "\r" not in line
    if expected is not None:
        assert json.loads(line) == {"data": expected}


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_json_lines_are_exact(values):
    """Whatever stands in the rows is read back from the lines, value for value."""
    lines = jsonl(Result(("a", "b"), iter(values)))
    assert [tuple(json.loads(line).values()) for line in lines] == values


@given(st.lists(TEXTS, min_size=1))
def test_json_lines_do_no_harm_on_a_terminal(texts):
    """No line holds a control or bidi character, in texts, in embedded data, or in names."""
    (line,) = jsonl(Result((*(f"c{n}{text}" for n, text in enumerate(texts)), "data"),
                           iter([(*texts, json.dumps(texts, ensure_ascii=False))]), frozenset({"data"})))  # fmt: skip
    assert not HARMFUL.search(line)
    assert list(json.loads(line).values()) == [*texts, texts]


def test_columns_of_one_name_are_all_kept():
    """A result with two columns of one name has both in JSON."""
    assert jsonl(Result(("url", "url", "url_2"), iter([(1, 2, 3)]))) == ['{"url":1,"url_2":2,"url_2_2":3}']


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a=1", "a=1"),
        ("'=1", "'=1"),
        ("", ""),
        (-1, "-1"),
        (-2.5, "-2.5"),
        (None, ""),
        (b"\x00\xff", "00ff"),
        ('say "a, b"\nc', 'say "a, b"\nc'),
    ],
)
def test_csv_holds_no_formula(value, cell):
    """A text that begins as a formula gets a leading quote; numbers and all other texts stay as they are."""
    assert table(Result(("x",), iter([(value, 1)])))[1:] == [[cell, "1"]]


def test_a_columns_name_is_no_formula_either():
    """The line of names is made safe like any cell: a query chooses its names."""
    assert table(Result(("=cmd()", "b"), iter([]))) == [["'=cmd()", "b"]]


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_raw_csv_is_exact(texts):
    """With `raw` every text is read back as it was."""
    assert table(Result(("a", "b"), iter(texts)), raw=True)[1:] == [list(row) for row in texts]


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1))
def test_csv_on_a_terminal_does_no_harm(texts):
    """For a terminal no control character but LF and TAB, and no bidi character, is written; and still no formula."""
    out = io.BytesIO()
    write_csv(Result(("a", "b"), iter(texts)), out, terminal=True)
    assert not HARMFUL.search(out.getvalue().decode("utf-8"))
    read = table(Result(("a", "b"), iter(texts)), terminal=True)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in read for cell in row)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_export_counts_what_it_wrote(reader, form):
    """An export returns the number of rows, the line of names not counted."""
    out = io.BytesIO()
    assert export(reader, "urls", 2, form, out) == 6
    assert out.getvalue().count(b"\n") == (7 if form == "csv" else 6)


def test_an_abandoned_export_ends_its_transaction(scene):
    """When the rows of an export are closed early, the log can be cut again."""
    with scene.reading() as connection, scene.writing() as db:
        db.execute("DELETE FROM link")
        result = rows(connection, "urls", 2)
        next(result.rows)
        db.execute("DELETE FROM record")
        assert db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1:] != (0, 0)
        result.rows.close()
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
