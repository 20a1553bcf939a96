"""`scraper demo`: a shop that the package serves itself is crawled and queried."""

from __future__ import annotations

from pathlib import Path

import click

EXTRACTOR = "scraper.demo:product"


@click.command("demo", short_help="Crawl a small shop served on this machine, and query it.")
@click.option("--keep", metavar="FILE", type=click.Path(), help="Keep the store in this file, to look around in.")
def command(keep: str | None) -> None:
    """Crawl a small shop served on this machine, then show three queries and their answers.

    \b
    Example:
      scraper demo
      scraper demo --keep shop.db
    """
    import asyncio
    import tempfile

    from scraper.cli.signals import removing

    with tempfile.TemporaryDirectory(prefix="scraper-demo-") as folder, removing(folder):
        db = keep or str(Path(folder) / "shop.db")
        code = asyncio.run(_crawl(db, keep=keep is not None))
        if code == 0:
            _query(db)
    raise SystemExit(code)


async def _crawl(db: str, *, keep: bool) -> int:
    from scraper import app
    from scraper.cli.options import Show
    from scraper.cli.output import say
    from scraper.cli.running import carried_out
    from scraper.demo import serve

    async with serve() as url:
        say(f"A shop is served at {url} by this very program. To crawl it, a user types:")
        say("")
        say(f"$ scraper crawl {url} --depth 9 --delay 0 --extractor {EXTRACTOR} --db {Path(db).name}")
        run = app.crawl([url], store=db, new=True, depth=9, delay=0.0, per_host=8, extractors=(EXTRACTOR,))
        return await carried_out(run, db, Show(advice=keep))


def _query(db: str) -> None:
    from scraper.cli.output import table
    from scraper.demo import QUERIES
    from scraper.reports import open_reader, run

    for title, sql in QUERIES:
        click.echo(f'\n{title}:\n$ scraper query --db {Path(db).name} "{sql}"\n')
        with open_reader(db) as connection:
            result = run(connection, sql)
            table(result.columns, result.rows)
