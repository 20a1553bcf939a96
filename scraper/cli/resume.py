"""`scraper resume`: go on with an interrupted crawl."""

from __future__ import annotations

from typing import Any

import click

from scraper.cli import options


@click.command("resume", short_help="Go on with an interrupted crawl.")
@click.argument("crawl", required=False)
@options.showing
@options.settings
@options.db
def command(crawl: str | None, db: str, **given: Any) -> None:
    """Go on with an interrupted crawl, by name or number; without one, the newest that is unfinished.

    Its settings hold, but for those given here.

    \b
    Example:
      scraper resume
      scraper resume shops --max-pages 5000
    """
    from scraper import app
    from scraper.cli.running import carry_out

    show, loaded = options.split(given)
    raise SystemExit(carry_out(app.resume(crawl, store=options.existing(db), loaded=loaded), db, show))
