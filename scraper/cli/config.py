"""`scraper config`: the effective settings, and whether they are right."""

from __future__ import annotations

import os

import click

from scraper.cli import options


@click.group("config")
def command() -> None:
    """Show or check the settings and where each comes from.

    \b
    Example:
      scraper config show --config scraper.toml
    """


_file = click.option("--config", "file", metavar="FILE", type=click.Path(), help="A TOML file of settings.")


@command.command("show")
@_file
@options.as_json
def show(file: str | None, as_json: bool) -> None:
    """Print every setting, its value and its origin.

    \b
    Example:
      scraper config show --config scraper.toml
    """
    from scraper.cli.output import json_line, table

    rows = [(s.key, s.value, s.origin) for s in options.loaded({"file": file}).settings()]
    if as_json:
        json_line([dict(zip(("setting", "value", "origin"), row, strict=True)) for row in rows])
    else:
        table(("setting", "value", "origin"), [(key, _shown(value), origin) for key, value, origin in rows])


def _shown(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)


@command.command("check")
@_file
@options.as_json
def check(file: str | None, as_json: bool) -> None:
    """Say whether file and environment are right; exit with 2 and every mistake if not.

    \b
    Example:
      scraper config check --config scraper.toml
    """
    from scraper.app import access_of
    from scraper.cli.output import json_line, say

    loaded = options.loaded({"file": file})
    access_of(loaded.config.fetch)
    set_here = [setting for setting in loaded.settings() if setting.origin != "default"]
    for name in loaded.ignored:
        say(f"{name} names no setting and is ignored")
    if as_json:
        json_line({"ok": True, "set": len(set_here), "ignored": list(loaded.ignored)})
    else:
        where = file or ("the environment" if any(name.startswith("SCRAPER_") for name in os.environ) else "defaults")
        click.echo(f"{where}: all right, {len(set_here)} settings differ from their defaults or are set")
