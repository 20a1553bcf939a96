"""`scraper export`: everything of one kind, streamed to a file or a pipe."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from scraper.cli import options


@click.command("export")
@click.argument("crawl", required=False)
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True, help="How it is written.")
@click.option("--what", type=click.Choice(["records", "pages", "links", "urls"]), default="records", show_default=True, help="What is written.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file, whole or not at all; default is standard output.")
@click.option("--raw-csv", is_flag=True, help="CSV cells exactly as they are, also those a spreadsheet would run.")
@options.db
def command(crawl: str | None, form: str, what: str, output: str | None, raw_csv: bool, db: str) -> None:
    """Export a crawl, by name or number; without one, the newest.

    \b
    Example:
      scraper export --what pages -o pages.jsonl
      scraper export shops --format csv > records.csv
    """
    from scraper.cli.output import say
    from scraper.reports import export, find_crawl, open_reader, write_file

    with open_reader(db) as connection:
        number = find_crawl(connection, crawl).id
        if output is None:
            count = export(connection, what, number, form, sys.stdout, raw=raw_csv)
        else:
            count = write_file(Path(output), lambda out: export(connection, what, number, form, out, raw=raw_csv))
    say(f"{count} {what}" + (f" written to {output}" if output else ""))
