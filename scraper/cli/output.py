"""How results look: tables for people, JSON and CSV for programs. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import click
import msgspec

from scraper.printable import printable

CELL = 60  # characters of a cell in a table
TABLE_ROWS = 1000  # a table is for reading; the other formats print every row


def say(text: str) -> None:
    """Tell the user something that is not a result."""
    click.echo(text, err=True)


def json_line(value: Any) -> None:
    """Print one value as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value, enc_hook=str).decode() + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as wide as the terminal; off a terminal as wide as its cells."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = list(islice(rows := iter(rows), TABLE_ROWS))
    drawn = Table(box=None, header_style="bold", pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        numeric = bool(shown) and all(isinstance(row[number], int | float | None) for row in shown)
        drawn.add_column(printable(column), justify="right" if numeric else "left", overflow="ellipsis", no_wrap=True)
    for row in shown:
        drawn.add_row(*(Text(cell(value)) for value in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=10_000)
    console.print(drawn)
    if next(rows, None) is not None:
        say(f"only the first {TABLE_ROWS} rows are shown; --format jsonl prints all")


def cell(value: Any) -> str:
    """One value for a table: one line, no control characters, not longer than a glance."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = printable(f"{value:g}" if isinstance(value, float) else str(value))
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def rows_as(form: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print rows as table, json, jsonl or csv."""
    if form == "table":
        table(columns, rows)
    elif form == "csv":
        from scraper.reports import write_csv

        write_csv(columns, rows, sys.stdout)
    elif form == "jsonl":
        for row in rows:
            json_line(dict(zip(columns, row, strict=True)))
    else:
        sys.stdout.writelines(_array(columns, rows))


def _array(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    before = "["
    for row in rows:
        yield before + "\n" + msgspec.json.encode(dict(zip(columns, row, strict=True)), enc_hook=str).decode()
        before = ","
    yield "\n]\n" if before == "," else "[]\n"


