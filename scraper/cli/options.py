"""Options that several commands share, and the settings they make."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from scraper.config import Loaded

F = TypeVar("F", bound=Callable[..., Any])

db = click.option(
    "--db",
    metavar="PATH",
    envvar="SCRAPER_DB",
    default="scraper.db",
    show_default=True,
    help="The SQLite file. Also SCRAPER_DB.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")

_FILE = click.option("--config", "file", metavar="FILE", type=click.Path(), help="A TOML file of settings.")
_MAKING = (
    click.option("--rules", multiple=True, metavar="FILE", help="Make records of pages by this TOML file of rules."),
    click.option(
        "--extractor",
        "extractors",
        multiple=True,
        metavar="FILE_OR_MODULE[:NAME]",
        help="Make records of pages with this Python function.",
    ),
    click.option("--parse-workers", type=int, help="Parse processes; 0 parses in this one. Default one per core."),
)
_SETTINGS = (
    _FILE,
    click.option("--depth", type=int, help="How many links away from a seed; 0, the default, takes just the seeds."),
    click.option("--max-pages", type=int, help="Stop at exactly so many pages; the same command with more goes on."),
    click.option("--max-per-host", type=int, help="Take at most so many pages of one host."),
    click.option("--max-per-path", multiple=True, metavar="PATH=N", help="Take at most N pages of a host below PATH."),
    click.option("--sitemaps/--no-sitemaps", default=None, help="Take sitemaps that robots.txt names as seeds."),
    click.option(
        "--scope",
        type=click.Choice(["host", "domain", "prefix", "any"]),
        help="Which links are followed: same host (the default), same domain, below the seed's folder, any.",
    ),
    click.option("--include", multiple=True, metavar="RE", help="Follow only URLs that match one of these."),
    click.option("--exclude", multiple=True, metavar="RE", help="Do not follow URLs that match one of these."),
    click.option("--concurrency", type=int, help="Requests at once, over all hosts. Default 32."),
    click.option("--per-host", type=int, help="Requests at once on one host. Default 2."),
    click.option("--delay", type=float, metavar="SECONDS", help="Between request starts on one host. Default 0.5."),
    click.option("--robots/--no-robots", default=None, help="Obey robots.txt (the default)."),
    click.option("--nofollow/--no-nofollow", default=None, help="Obey rel=nofollow and its kind (the default)."),
    click.option("--allow-private", multiple=True, metavar="CIDR", help="Let requests reach these private addresses."),
    click.option("--user-agent", metavar="TEXT", help="Who we say we are. Default scraper/VERSION."),
    *_MAKING,
)


_SHOWING = (
    click.option("--strict", is_flag=True, help="Exit with 3 if some URL failed."),
    click.option("--quiet", is_flag=True, help="Show no progress and no summary."),
    click.option("-v", "--verbose", is_flag=True, help="Show every event of the crawl, one a line."),
    click.option("--stream", is_flag=True, help="Print each record (without rules: page) as JSON once stored."),
)


class Show(NamedTuple):
    """What the user wants to see of a crawl, and whether failed URLs make it a failure."""

    strict: bool = False
    quiet: bool = False
    verbose: bool = False
    stream: bool = False
    advice: bool = True


def settings(command: F) -> F:
    """Add the options that are settings."""
    for option in reversed(_SETTINGS):
        command = option(command)
    return command


def making(command: F) -> F:
    """Add the options that say what makes records, and where."""
    for option in reversed((_FILE, *_MAKING)):
        command = option(command)
    return command


def showing(command: F) -> F:
    """Add the options that say what is shown of a crawl."""
    for option in reversed(_SHOWING):
        command = option(command)
    return command


def loaded(given: dict[str, Any]) -> Loaded:
    """The settings from file, environment and command line; `given` are the options, `file` the file among them."""
    from scraper.config import load

    options = dict(given)
    file = options.pop("file")
    return load(Path(file) if file is not None else None, os.environ, options)


def split(given: dict[str, Any]) -> tuple[Show, Loaded]:
    """What of a crawl is shown, and its settings."""
    settings = dict(given)
    show = Show(**{name: settings.pop(name) for name in ("strict", "quiet", "verbose", "stream")})
    return show, loaded(settings)


def existing(path: str) -> str:
    """The path of a store that must be there already. Raises StoreError naming what to do."""
    from scraper.reports import open_reader

    with open_reader(path):
        return path
