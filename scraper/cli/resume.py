"""`scraper resume`: go on with an interrupted crawl."""

from __future__ import annotations

from typing import Any

import click

from scraper.cli import options


@click.command("resume")
@click.argument("crawl", required=False)
@click.option("--strict", is_flag=True, help="Exit with 3 if some URL failed.")
@click.option("--quiet", is_flag=True, help="Show no progress and no summary.")
@click.option("-v", "--verbose", is_flag=True, help="Show every event of the crawl, one a line.")
@click.option(
    "--stream", is_flag=True, help="Print each record (without extractors: each page) as a JSON line once it is stored."
)
@options.settings
@options.db
def command(
    crawl: str | None,
    strict: bool,
    quiet: bool,
    verbose: bool,
    stream: bool,
    db: str,
    file: str | None,
    **settings: Any,
) -> None:
    """Go on with an interrupted crawl, by name or number; without one, the newest that is unfinished.

    Its settings hold, but for those given here.

    \b
    Example:
      scraper resume
      scraper resume shops --max-pages 5000
    """
    from scraper import app
    from scraper.cli.running import Show, carry_out

    run = app.resume(crawl, store=options.existing(db), loaded=options.loaded(file, settings))
    raise SystemExit(carry_out(run, db, Show(quiet, verbose, stream), strict=strict))
