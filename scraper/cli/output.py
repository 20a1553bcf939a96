"""How results look: tables for people, JSON and CSV for programs. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from scraper.model import Tally, UrlState
from scraper.printable import printable, printable_json

if TYPE_CHECKING:
    from scraper.reports import Result

CELL = 60  # characters of a cell in a table
NARROWEST = 8  # characters that a column may shrink to on a terminal
GAP = 2  # blanks between columns
TABLE_ROWS = 1000  # a table is for reading; the other formats print every row


def say(text: str, *, one_line: bool = True) -> None:
    """Tell the user something that is not a result; if nobody is there to hear it, that is no error.

    What others have put into it forges no line, unless it has several of its own.
    """
    try:
        click.echo(printable(text, one_line=one_line), err=True)
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
    return printable_json(msgspec.json.encode(value, enc_hook=str)) + b"\n"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table as wide as the terminal, if its columns can be so narrow; off a terminal as wide as its cells."""
    from rich.cells import cell_len

    every = iter(rows)
    numeric = [True] * len(columns)
    lines = [[cell(column) for column in columns]]
    for row in islice(every, TABLE_ROWS):  # kept as it is shown: a row may be large
        numeric = [yes and isinstance(value, int | float | None) for yes, value in zip(numeric, row, strict=True)]
        lines.append([cell(value) for value in row])
    widths = [max(map(cell_len, cells)) for cells in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        _narrow(widths, shutil.get_terminal_size().columns - GAP * (len(widths) - 1))
    right = [number and len(lines) > 1 for number in numeric]
    for count, cells in enumerate(lines):
        line = (" " * GAP).join(map(_fitted, cells, widths, right)).rstrip()
        click.echo(line if count or os.environ.get("TERM") == "dumb" else click.style(line, bold=True))
    if next(every, None) is not None:
        say(f"only the first {TABLE_ROWS} rows are shown; --format jsonl prints all")


def _narrow(widths: list[int], room: int) -> None:
    """Take from the widest columns what is too much. Where that is not enough, lines are broken: no column is lost."""
    while sum(widths) > room and (widest := max(widths)) > NARROWEST:
        widths[widths.index(widest)] -= 1


def _fitted(text: str, width: int, right: bool) -> str:
    """The text in exactly so many places of a terminal, of which a character may take two, or none."""
    from rich.cells import cell_len, set_cell_size

    size = cell_len(text)
    if size > width:
        return f"{set_cell_size(text, width - 1)}…"
    return " " * (width - size) + text if right else text + " " * (width - size)


def cell(value: object) -> str:
    """One value for a table: one line, no control characters, not longer than a glance."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    whole = f"{value:.15g}" if isinstance(value, float) else str(value)
    text = printable(whole[: CELL + 1])
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
    """Passes lines on with commas between them; a line may come in pieces."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._before = b"\n"

    def write(self, piece: bytes) -> int:
        self._out.write(self._before + piece.rstrip(b"\n"))
        self._before = b",\n" if piece.endswith(b"\n") else b""
        return len(piece)

    def writelines(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.write(piece)
