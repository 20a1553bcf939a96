"""`scraper crawls`: list the crawls in the store."""

from __future__ import annotations

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
    from scraper.cli.output import rows_as
    from scraper.reports import crawls, open_reader

    columns = ("id", "name", "state", "seeds", "urls", "pages", "queued", "failed", "started_at", "finished_at")
    with open_reader(db) as connection:
        rows_as("json" if as_json else "table", columns, crawls(connection))
