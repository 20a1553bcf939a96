"""`scraper crawl`: start a crawl, or go on with it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Any

import click

from scraper.cli import options


@click.command("crawl", short_help="Crawl URLs into the store, or go on with a crawl of them.")
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option("--from", "source", metavar="FILE", help="Read URLs from a file, one a line; - is standard input.")
@click.option("--name", help="The crawl's name; the default comes from its seeds.")
@click.option("--new", is_flag=True, help="Start afresh even if a crawl of this name is unfinished.")
@click.option("--recrawl", is_flag=True, help="Ask a finished crawl of this name again; store what has changed.")
@options.showing
@options.settings
@options.db
def command(
    urls: tuple[str, ...], source: str | None, name: str | None, new: bool, recrawl: bool, db: str, **given: Any
) -> None:
    """Crawl URLs into the store, or go on with the unfinished crawl of the same name and seeds.

    \b
    Example:
      scraper crawl https://example.com --depth 2 --max-pages 1000
      scraper crawl --from urls.txt --name shops
      scraper crawl https://example.com/sitemap.xml --recrawl
    """
    from scraper import app
    from scraper.cli.output import say
    from scraper.cli.running import carry_out
    from scraper.cli.signals import removing, unwinding
    from scraper.seeds import Seeds, listed
    from scraper.urls import Stripping

    if new and recrawl:
        raise click.UsageError("--new starts afresh, --recrawl asks a crawl again: choose one")
    if not urls and source is None:
        raise click.UsageError("no URL given: type one, or name a list of them with --from")
    show, loaded = options.split(given)
    with ExitStack() as stack:
        path = None
        if source is not None:
            with unwinding():
                path = stack.enter_context(listed(source, sys.stdin.buffer))
        if source == "-" and path is not None:
            stack.enter_context(removing(path))  # a copy
        strip = Stripping(loaded.config.crawl.strip_parameters)
        seeds = Seeds(urls, path, source="standard input" if source == "-" else None, strip=strip)
        run = app.crawl(seeds, store=db, name=name, new=new, recrawl=recrawl, loaded=loaded, complain=say)
        code = carry_out(run, db, show)
    raise SystemExit(code)
