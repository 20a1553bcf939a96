"""`scraper try`: fetch one page, show what is made of it, store nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scraper.cli import options

if TYPE_CHECKING:
    from scraper.app import Tried

EXCERPT = 400  # characters of text shown


@click.command("try")
@click.argument("url")
@options.settings
@options.as_json
def command(url: str, as_json: bool, **given: Any) -> None:
    """Fetch one page, show what it yields, store nothing.

    \b
    Example:
      scraper try https://example.com
      scraper try https://shop.example/p/1 --extractor shop.py:product
    """
    import asyncio

    from scraper import app
    from scraper.cli.output import json_line

    tried = asyncio.run(app.try_url(url, options.loaded(given).config))
    if as_json:
        json_line(tried.as_dict())
    else:
        _show(tried)
    raise SystemExit(0 if tried.reason is None else 1)


def _show(tried: Tried) -> None:
    from scraper.cli.output import say, table
    from scraper.printable import printable

    for name, value in tried.facts():
        click.echo(f"{name:12} {printable(str(value))}")
    if tried.page is None:
        return
    excerpt = printable(tried.page.text, one_line=False)
    click.echo(f"\n{excerpt[:EXCERPT]}{'…' if len(excerpt) > EXCERPT else ''}\n")
    for record in tried.page.records:
        click.echo(f"{record.rule} {record.position}")
        table(("field", "value"), list(record.data.items()))
    if not tried.page.records:
        say("no records: --extractor FILE[:NAME] names what makes them")
