"""How results look: tables for people, JSON and CSV for programs. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from scraper.model import Tally, UrlState
from scraper.printable import printable

if TYPE_CHECKING:
    from scraper.reports import Result

CELL = 60  # characters of a cell in a table
TABLE_ROWS = 1000  # a table is for reading; the other formats print every row
# What JSON leaves as it is and a terminal obeys: DEL, C1, the marks of bidirectional text, line separators.
_UNSAFE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def say(text: str) -> None:
    """Tell the user something that is not a result; if nobody is there to hear it, that is no error."""
    try:
        click.echo(printable(text, one_line=False), err=True)
    except OSError:
        abandon(sys.stderr)


def abandon(stream: IO[str]) -> None:
    """Let nothing more be written there: what is left in its buffer would be an error once more, at the very end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def sums(tally: Tally) -> str:
    """The accounting identity in words."""
    states = " + ".join(f"{getattr(tally, state)} {state}" for state in UrlState)
    return f"{tally.discovered} URLs discovered = {states}"


def json_line(value: Any) -> None:
    """Print one value as one line of JSON, at once."""
    sys.stdout.buffer.write(json_bytes(value))
    sys.stdout.buffer.flush()


def json_bytes(value: Any) -> bytes:
    """One line of JSON: exact on the way back, and harmless on a terminal."""
    text = msgspec.json.encode(value, enc_hook=str).decode()
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode() + b"\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as wide as the terminal; off a terminal as wide as its cells."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    every = iter(rows)
    shown = list(islice(every, TABLE_ROWS))
    drawn = Table(box=None, header_style="bold", pad_edge=False, show_edge=False)
    for number, column in enumerate(columns):
        numeric = bool(shown) and all(isinstance(row[number], int | float | None) for row in shown)
        drawn.add_column(printable(column), justify="right" if numeric else "left", overflow="ellipsis", no_wrap=True)
    for row in shown:
        drawn.add_row(*(Text(cell(value)) for value in row))
    width = None if sys.stdout.isatty() else (CELL + 2) * max(1, len(columns))
    console = Console(highlight=False, width=width)
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())
    if next(every, None) is not None:
        say(f"only the first {TABLE_ROWS} rows are shown; --format jsonl prints all")


def cell(value: object) -> str:
    """One value for a table: one line, no control characters, not longer than a glance."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = printable(f"{value:.15g}" if isinstance(value, float) else str(value))
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def result_as(form: str, result: Result, *, raw_csv: bool = False) -> None:
    """Print a result as table, json, jsonl or csv."""
    from scraper.reports import write_csv, write_jsonl

    out = sys.stdout.buffer
    if form == "table":
        table(result.columns, result.rows)
    elif form == "csv":
        write_csv(result, out, raw=raw_csv, terminal=sys.stdout.isatty())
    elif form == "jsonl":
        write_jsonl(result, out)
    else:
        _write_array(result, out)
    out.flush()


def _write_array(result: Result, out: BinaryIO) -> None:
    """The JSON lines, with what makes an array of them around."""
    from scraper.reports import write_jsonl

    out.write(b"[")
    write_jsonl(result, _Commas(out))  # type: ignore[arg-type]  # it is written to and nothing else
    out.write(b"\n]\n")


class _Commas:
    """Passes lines on with commas between them."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._between = b"\n"

    def write(self, line: bytes) -> int:
        self._out.write(self._between + line.rstrip(b"\n"))
        self._between = b",\n"
        return len(line)
