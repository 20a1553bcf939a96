"""`scraper db`: look after a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from scraper.cli import options

if TYPE_CHECKING:
    from scraper.reports import Checked
    from scraper.store import Salvaged


@click.group("db")
def command() -> None:
    """Look after a store.

    \b
    Example:
      scraper db check
      scraper db salvage --db damaged.db -o whole.db
    """


@command.command("check")
@click.option("--full", is_flag=True, help="Compare indexes with their tables also in a file of more than 256 MiB.")
@options.db
@options.as_json
def check(full: bool, db: str, as_json: bool) -> None:
    """Say whether a store is sound, and if not, what is wrong and what to do; exit with 1 then.

    Nothing is changed, and a crawl may run meanwhile.

    \b
    Example:
      scraper db check --db shop.db
    """
    from scraper.cli.output import json_line

    found = _checked(db, full=full)
    if as_json:
        json_line({"sound": not found.problems, **found._asdict()})
    else:
        _tell(db, found)
    raise SystemExit(1 if found.problems else 0)


def _checked(db: str, *, full: bool) -> Checked:
    from scraper.errors import NotAStore, StoreDamaged
    from scraper.reports import check_store
    from scraper.store import is_ours

    path = Path(db)
    try:
        return check_store(path, full=full)
    except NotAStore as error:
        if not (path.is_file() and path.stat().st_size and is_ours(path)):
            raise
        raise StoreDamaged(db, "its header") from error


def _tell(db: str, found: Checked) -> None:
    from scraper.printable import printable

    for problem in found.problems:
        click.echo(printable(problem))
    if not found.problems:
        rest = "" if found.whole else "; its indexes were not compared with its tables (--full)"
        click.echo(f"{printable(db)} is sound{rest}")


@command.command("salvage")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="The new store, which must not be there yet. Default the name with -salvaged in it.",
)
@options.db
@options.as_json
def salvage(output: str | None, db: str, as_json: bool) -> None:
    """Get out of a damaged store what is whole, into a new one that can be gone on with.

    The damaged file is only read. What was lost is asked again by `scraper resume`.

    \b
    Example:
      scraper db salvage --db damaged.db -o whole.db
      scraper resume --db whole.db
    """
    from scraper.cli.output import json_line, say
    from scraper.errors import NotAStore
    from scraper.store import salvage

    source = Path(db)
    if not source.is_file():
        raise NotAStore(f"no store at {db}: name it with --db")
    target = Path(output) if output is not None else source.with_stem(f"{source.stem}-salvaged")
    salvaged = salvage(source, target)
    if as_json:
        json_line({"output": str(target), **salvaged._asdict(), "mended": salvaged.mended._asdict()})
        return
    for line in _lines(salvaged):
        click.echo(line)
    say(f"scraper: {target} is made; go on with `scraper resume --db {target}`")


def _lines(salvaged: Salvaged) -> list[str]:
    mended = salvaged.mended
    got = ", ".join(f"{count} of {table}" for table, count in salvaged.rows.items() if count)
    lost = [
        (len(mended.crawls), "crawls without their settings: their URLs are there, give the settings anew"),
        (mended.urls, "URLs, which are found again by what leads to them"),
        (mended.seeds, "seeds of a list: crawl the list again, with --new"),
        (mended.pages, "pages"),
        (mended.orphans, "pages whose URL is lost"),
        (mended.bodies, "bodies that did not decode"),
    ]
    told = [f"lost: {count} {what}" for count, what in lost if count]
    torn = f"something could not be read of: {', '.join(salvaged.damaged)}" if salvaged.damaged else "all was read"
    again = [f"asked again when it goes on: {mended.asked_again} URLs"] if mended.asked_again else []
    return [f"rows: {got}", torn, *told, *again]
