"""`scraper query`: SQL over what was scraped."""

from __future__ import annotations

import os

import click

from scraper.cli import options
from scraper.errors import QueryError

MOST_BYTES = 1024 * 1024 * 1024  # of values; `export` has no such bound


@click.command("query")
@click.argument("sql")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "jsonl", "csv"]),
    default="table",
    show_default=True,
    help="How the result is printed.",
)
@click.option("--raw-csv", is_flag=True, help="CSV cells exactly as they are, also those a spreadsheet would run.")
@click.option(
    "--timeout", type=float, default=30.0, show_default=True, metavar="SECONDS", help="Give up after so long."
)
@options.db
@options.as_json
def command(sql: str, form: str, raw_csv: bool, timeout: float, db: str, as_json: bool) -> None:
    """Run read-only SQL over the store, also while a crawl runs.

    Tables: crawls, urls, pages, records, links, hosts.

    \b
    Example:
      scraper query "SELECT url, title FROM pages LIMIT 10"
      scraper query "SELECT reason, count(*) FROM urls GROUP BY reason" --format csv
    """
    from scraper.cli.output import result_as
    from scraper.reports import Alone, limit_memory, open_reader, run

    with open_reader(db) as connection, Alone(_give_up) as alone:
        limit_memory(connection)
        result = run(connection, sql, deadline=timeout, max_bytes=MOST_BYTES, alone=alone)
        result_as("json" if as_json else form, result, raw_csv=raw_csv)


def _give_up(why: str) -> None:
    from scraper.cli.output import say

    say(f"scraper: {why}")
    os._exit(QueryError.exit_code)
