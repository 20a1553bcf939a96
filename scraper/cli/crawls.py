"""`scraper crawls`: list the crawls in the store."""

from __future__ import annotations

import time

import click

from scraper.cli import options


@click.command("crawls")
@options.db
@options.as_json
def command(db: str, as_json: bool) -> None:
    """List the crawls in the store, the newest first.

    \b
    Example:
      scraper crawls --db shop.db
    """
    from scraper.cli.output import json_line, table
    from scraper.reports import CrawlLine, crawls, open_reader

    with open_reader(db) as connection:
        rows = crawls(connection, now=time.time())
    if as_json:
        json_line([row._asdict() for row in rows])
    else:
        table(CrawlLine._fields, rows)
