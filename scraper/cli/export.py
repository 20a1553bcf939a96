"""`scraper export`: everything of one kind, streamed to a file or a pipe."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from scraper.cli import options
from scraper.errors import ConfigError

if TYPE_CHECKING:
    from scraper.reports import What


@click.command("export")
@click.argument("crawl", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help="How it is written.",
)
@click.option(
    "--what",
    type=click.Choice(["records", "pages", "links", "urls"]),
    default="records",
    show_default=True,
    help="What is written.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write to a file, whole or not at all; default is standard output."
)
@click.option("--raw-csv", is_flag=True, help="CSV cells exactly as they are, also those a spreadsheet would run.")
@options.db
def command(crawl: str | None, form: str, what: What, output: str | None, raw_csv: bool, db: str) -> None:
    """Export a crawl, by name or number; without one, the newest.

    \b
    Example:
      scraper export --what pages -o pages.jsonl
      scraper export shops --format csv > records.csv
    """
    from scraper.cli.output import say
    from scraper.cli.signals import unwinding
    from scraper.reports import find_crawl, open_reader, rows, write_csv, write_file, write_jsonl

    with open_reader(db) as connection:
        _spare(db, output)
        result = rows(connection, what, find_crawl(connection, crawl).id)

        def write(out: BinaryIO) -> int:
            if form == "jsonl":
                return write_jsonl(result, out)
            return write_csv(result, out, raw=raw_csv, terminal=out.isatty())

        if output is None:
            count = write(sys.stdout.buffer)
        else:
            with unwinding():  # what is half written goes
                count = write_file(output, write)
    sys.stdout.buffer.flush()
    say(f"{count} {what}" + (f" written to {output}" if output else ""))


def _spare(db: str, output: str | None) -> None:
    """Refuse to write over the store that is read, or what belongs to it."""
    for place in (db, f"{db}-wal", f"{db}-shm"):
        with suppress(OSError, ValueError):  # one of them is not there
            if output is not None and Path(output).samefile(place):
                raise ConfigError(f"{output} is the store itself: name another file with -o")
