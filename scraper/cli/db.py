"""`scraper db`: look after a store."""

from __future__ import annotations

from pathlib import Path

import click

from scraper.cli import options


@click.group("db")
def command() -> None:
    """Look after a store: is it sound, and if not, get out of it what can be got out.

    \b
    Example:
      scraper db check --db shop.db
    """


@command.command("check")
@options.db
@options.as_json
@click.option("--full", is_flag=True, help="Compare every index with its table too; takes longer.")
def check(db: str, as_json: bool, full: bool) -> int:
    """Check the file, the schema and the sums, and change nothing. Exit code 1 if something is wrong.

    \b
    Example:
      scraper db check --db shop.db --full
    """
    from scraper.cli.output import json_line, say
    from scraper.printable import printable
    from scraper.reports import faults, open_reader

    with open_reader(db) as connection:
        found = faults(connection, full=full)
    if as_json:
        json_line({"ok": not found, "faults": found})
    elif found:
        for fault in found:
            say(printable(fault))
        say(f"scraper: {printable(db)} is not sound: `scraper db salvage --db {printable(db)}` gets out what can be")
    else:
        click.echo(f"{printable(db)}: sound")
    return 1 if found else 0


@command.command("salvage")
@options.db
@options.as_json
@click.option("-o", "--output", metavar="FILE", type=click.Path(), help="The new store.  [default: DB-salvaged.db]")
def salvage(db: str, as_json: bool, output: str | None) -> None:
    """Write a new store with all that can be read of a damaged one, which nobody may be writing and is left as it is.

    URLs whose pages are lost are queued again, so that `scraper resume` fetches them.

    \b
    Example:
      scraper db salvage --db shop.db -o saved.db
    """
    from scraper.cli.output import json_line, say
    from scraper.printable import printable
    from scraper.store import salvage as get_out

    source = Path(db)
    target = Path(output) if output else source.with_name(f"{source.stem}-salvaged{source.suffix}")
    found = get_out(source, target)
    assert found.mended is not None
    if as_json:
        json_line({"rows": found.rows, "damaged_pages": found.damaged, **found.mended._asdict()})
        return
    rows = ", ".join(f"{count} {name}" for name, count in sorted(found.rows.items()) if count)
    click.echo(f"{printable(str(target))}: {rows} rows; {found.damaged} pages of the file could not be read whole")
    for count, what in (
        (found.mended.urls_lost, "URLs are lost: `scraper crawl … --recrawl` finds them again"),
        (found.mended.asked_again, "pages are lost and queued again: `scraper resume` fetches them"),
        (found.mended.records_lost, "records are lost: `scraper extract` makes them anew of the stored pages"),
        (found.mended.nameless, "pages have lost their URL and are kept as lost:NUMBER, with their records"),
        (found.mended.left_out, "rows had lost their page and were left out: they are made anew with it"),
        (found.mended.crawls_made, "crawls have lost their settings and can be read, not gone on with"),
    ):
        if count:
            say(f"{count} {what}")
