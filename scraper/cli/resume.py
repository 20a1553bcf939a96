"""`scraper resume`: go on with an interrupted crawl."""

from __future__ import annotations

from typing import Any

import click

from scraper.cli import options


@click.command("resume", short_help="Go on with an interrupted crawl.")
@click.argument("crawl", required=False)
@click.option(
    "--trust", is_flag=True, help="Take a stranger's crawl as it is: functions, files and addresses its settings name."
)
@options.showing
@options.settings
@options.db
def command(crawl: str | None, trust: bool, db: str, **given: Any) -> None:
    """Go on with an interrupted crawl, by name or number; without one, the newest that is unfinished.

    Its settings hold, but for those given here. If another user or another machine began it, they may not run a
    function, name a file or open a private address unless that is said here again, or with --trust.

    \b
    Example:
      scraper resume
      scraper resume shops --max-pages 5000
    """
    from scraper import app
    from scraper.cli.running import carry_out

    show, loaded = options.split(given)
    run = app.resume(crawl, store=options.existing(db), loaded=loaded, trust=trust)
    raise SystemExit(carry_out(run, db, show))
