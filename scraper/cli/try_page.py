"""`scraper try`: fetch one page, show what is made of it, store nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scraper.cli import options

if TYPE_CHECKING:
    from scraper.app import Tried
    from scraper.parse import ExplainedRule

EXCERPT = 400  # characters of text shown
MOST_SHOWN = 10  # records of a rule


@click.command("try")
@click.argument("url")
@options.settings
@options.as_json
def command(url: str, as_json: bool, **given: Any) -> None:
    """Fetch one page, show what it yields, store nothing.

    \b
    Example:
      scraper try https://example.com
      scraper try https://shop.example/p/1 --rules shop.toml
      scraper try https://shop.example/p/1 --extractor shop.py:product
    """
    import asyncio

    from scraper import app
    from scraper.cli.output import json_line
    from scraper.cli.running import log_to_stderr

    log_to_stderr(quiet=False)
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
    for rule in tried.rules:
        _show_rule(rule)
    ruled = {rule.rule for rule in tried.rules}
    for record in tried.page.records:
        if record.rule not in ruled:
            click.echo(f"{printable(record.rule)} {record.position}")
            table(("field", "value"), list(record.data.items()))
    if not (tried.page.records or tried.rules):
        say("no records: --rules FILE or --extractor FILE[:NAME] tell what makes them")


def _show_rule(rule: ExplainedRule) -> None:
    """Field by field: the value, the selector that gave it, and why it is empty."""
    from scraper.cli.output import cell, say
    from scraper.printable import printable

    found = f": {printable(rule.each)} finds {rule.found}" if rule.each is not None and rule.takes and rule.fits else ""
    click.echo(f"rule {printable(rule.rule)}{found}")
    for note in rule.notes:
        click.echo(f"  {printable(note)}")
    for position, record in enumerate(rule.records[:MOST_SHOWN]):
        dropped = f", dropped: {printable(record.dropped)}" if record.dropped is not None else ""
        click.echo(f"{printable(rule.rule)} {position}{dropped}")
        for field in record.fields:
            click.echo(f"  {printable(field.name)}: {cell(field.value)}")
            why = f"  {printable(field.why)}" if field.why else ""
            click.echo(f"      {printable(field.selector or '')}{why}")
    for url in rule.follow:
        click.echo(f"  follows {printable(url)}")
    if len(rule.records) > MOST_SHOWN:
        say(f"{len(rule.records) - MOST_SHOWN} more records of rule {printable(rule.rule)}; --json shows all")
