"""Write what a crawl brought, row by row: JSON lines that are exact, CSV that is safe to open in a spreadsheet."""

from __future__ import annotations

import codecs
import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, BinaryIO, Literal

import msgspec

from scraper.printable import printable, printable_json
from scraper.reports.result import Result

What = Literal["records", "pages", "links", "urls"]
Form = Literal["jsonl", "csv"]

# The columns are those of the public views. Not the views themselves are read: each of these streams in the order of a
# key, so that the first row comes at once and nothing is sorted. CROSS JOIN keeps SQLite to the order of the tables.
_SQL: dict[What, str] = {
    "records": """
        SELECT page.crawl_id, url.url, record.rule, record.position, record.data
        FROM page CROSS JOIN record ON record.url_id = page.url_id CROSS JOIN url ON url.id = page.url_id
        WHERE page.crawl_id = ? ORDER BY page.url_id, record.rule, record.position""",
    "pages": """
        SELECT page.crawl_id, url.url, page.status, page.content_type, page.charset, page.title, page.description,
               page.lang, page.text, page.bytes, page.content_hash, page.etag, page.last_modified, page.elapsed_ms,
               url.depth, strftime('%Y-%m-%dT%H:%M:%fZ', page.fetched_at, 'unixepoch') AS fetched_at
        FROM page CROSS JOIN url ON url.id = page.url_id
        WHERE page.crawl_id = ? ORDER BY page.url_id""",
    "links": """
        SELECT page.crawl_id, url.url AS source, link.target, link.text, link.rel
        FROM page CROSS JOIN link ON link.source_id = page.url_id CROSS JOIN url ON url.id = page.url_id
        WHERE page.crawl_id = ? ORDER BY page.url_id, link.position""",
    "urls": """
        SELECT host.crawl_id, url.url, host.host, url.kind, url.depth, url.state, url.reason, url.detail, url.attempts,
               CASE WHEN url.due_at > 0 THEN strftime('%Y-%m-%dT%H:%M:%fZ', url.due_at, 'unixepoch') END AS due_at,
               source.url AS found_on, url.redirect_to,
               strftime('%Y-%m-%dT%H:%M:%fZ', url.discovered_at, 'unixepoch') AS discovered_at
        FROM url CROSS JOIN host ON host.id = url.host_id LEFT JOIN url AS source ON source.id = url.found_on
        WHERE host.crawl_id = ? ORDER BY url.id""",
}
# What a spreadsheet takes for a formula: a cell that begins so, also in full or small width, or behind blanks and
# quotes that an import may drop (OWASP, "CSV Injection"). What begins with an apostrophe, as ours will, is a text.
_FORMULA = re.compile('[\t\r\n]|[\\x00-\\x20\\s"\u00ad\u180e\u200b-\u200f\u2060\ufeff]*[=+@＝＋－＠﹦﹢﹣﹫-]')
_ENCODER = msgspec.json.Encoder()
LONGEST_PIECE = 3 * 2**16  # characters, or bytes (in threes, as base64 has them), that are made JSON at a time


def rows(connection: sqlite3.Connection, what: What, crawl_id: int) -> Result:
    """Return all records, pages, links or URLs of a crawl in the order they were found, all of one moment."""
    cursor = connection.execute(_SQL[what], (crawl_id,))
    json = frozenset({"data"}) if what == "records" else frozenset[str]()
    return Result(tuple(column[0] for column in cursor.description), _closing(cursor), json)


def export(
    connection: sqlite3.Connection, what: What, crawl_id: int, form: Form, out: BinaryIO, *, raw: bool = False
) -> int:
    """Write all records, pages, links or URLs of a crawl and return how many."""
    result = rows(connection, what, crawl_id)
    return write_csv(result, out, raw=raw) if form == "csv" else write_jsonl(result, out)


def write_jsonl(result: Result, out: BinaryIO) -> int:
    """Write one JSON object a line and return how many.

    Exact on the way back, and harmless on a terminal: whatever is not printable is escaped. A blob is base64.
    """
    names = _distinct(result.columns)
    embedded = [number for number, name in enumerate(result.columns) if name in result.json]
    count = 0
    for row in result.rows:
        values = list(row)
        for number in embedded:
            values[number] = _embedded(values[number])
        if any(isinstance(value, (str, bytes)) and len(value) > LONGEST_PIECE for value in row):
            out.writelines(_pieces(names, values))
        else:
            out.write(_json(dict(zip(names, values, strict=True))) + b"\n")
        count += 1
    return count


def _pieces(names: list[str], values: list[object]) -> Iterator[bytes]:
    """One line of JSON, its long values a part at a time, so that none is in memory several times."""
    for number, (name, value) in enumerate(zip(names, values, strict=True)):
        yield (b"," if number else b"{") + _json(name) + b":"
        if isinstance(value, (str, bytes)):
            yield b'"'
            for start in range(0, len(value), LONGEST_PIECE):
                yield _json(value[start : start + LONGEST_PIECE])[1:-1]
            yield b'"'
        else:
            yield _json(value)
    yield b"}\n"


def _json(value: object) -> bytes:
    return printable_json(_ENCODER.encode(value))


def write_csv(result: Result, out: BinaryIO, *, raw: bool = False, terminal: bool = False) -> int:
    """Write CSV as RFC 4180 has it, in UTF-8, under a line of names, and return how many rows.

    A text that a spreadsheet would take for a formula gets a leading `'`, unless `raw`; numbers are left alone. For a
    `terminal`, control characters are shown instead of sent.
    """
    writer = csv.writer(codecs.getwriter("utf-8")(out), lineterminator="\n" if terminal else "\r\n")

    def cell(value: object) -> object:
        if isinstance(value, bytes):
            return value.hex()
        if not isinstance(value, str):
            return value
        if not raw and _FORMULA.match(value):
            value = f"'{value}"
        return printable(value, one_line=False) if terminal else value

    writer.writerow([cell(name) for name in result.columns])
    count = 0
    for row in result.rows:
        writer.writerow([cell(value) for value in row])
        count += 1
    return count


def _closing(cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    # A statement that is not ended holds a read transaction, under which the write-ahead log cannot be cut.
    try:
        for row in cursor:  # noqa: UP028 - `yield from` would close the cursor by itself, and not forgive
            yield row
    finally:
        with suppress(sqlite3.ProgrammingError):  # whoever read has left, and closed the connection first
            cursor.close()


def _embedded(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return text  # not JSON after all: as the text it is
    return msgspec.Raw(text.replace("\n", " ").replace("\r", " ").encode())  # outside of strings, where it is a blank


def _distinct(names: tuple[str, ...]) -> list[str]:
    # `SELECT a.url, b.url` has two columns of one name; an object would lose the first.
    found: list[str] = []
    for name in names:
        free, number = name, 2
        while free in found:
            free, number = f"{name}_{number}", number + 1
        found.append(free)
    return found
