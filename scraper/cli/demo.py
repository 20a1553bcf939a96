"""`scraper demo`: a shop that the package serves itself is crawled and queried."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click


@click.command("demo")
@click.option("--keep", metavar="FILE", type=click.Path(), help="Keep the store in this file, to look around in.")
def command(keep: str | None) -> None:
    """Crawl a small shop served on this machine, then show three queries and their answers.

    \b
    Example:
      scraper demo
      scraper demo --keep shop.db
    """
    with tempfile.TemporaryDirectory(prefix="scraper-demo-") as folder:
        db = keep or str(Path(folder) / "shop.db")
        code = _crawl(db)
        if code == 0:
            _query(db)
    raise SystemExit(code)


def _crawl(db: str) -> int:
    from scraper.cli.output import say
    from scraper.cli.running import Show, carry_out
    from scraper.demo import background

    with background() as url:
        say(f"A shop is served at {url}; this is what a user would type:\n")
        click.echo(f"$ scraper crawl {url} --depth 9 --delay 0 --extractor scraper.demo:product --db {Path(db).name}")
        return carry_out(_run(url, db), db, Show())


def _run(url: str, db: str):  # noqa: ANN202 - the name of the type is not worth an import of the whole line
    from scraper import app

    return app.crawl([url], store=db, new=True, depth=9, delay=0, per_host=8, extractor=("scraper.demo:product",))


def _query(db: str) -> None:
    from scraper.cli.output import table
    from scraper.demo import QUERIES
    from scraper.reports import open_reader, run

    for title, sql in QUERIES:
        click.echo(f"\n{title}:\n$ scraper query --db {Path(db).name} \"{sql}\"\n")
        with open_reader(db) as connection:
            result = run(connection, sql)
            table(result.columns, result.rows)


