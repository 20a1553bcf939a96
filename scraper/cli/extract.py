"""`scraper extract`: run new rules over stored pages, without a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from scraper.cli import options

if TYPE_CHECKING:
    from scraper.app import Extracting

EVERY = 5.0  # seconds between two lines of progress
GRACE = 1.5  # seconds in which a stopped extraction commits what it has made


@click.command("extract")
@click.argument("crawl", required=False)
@options.making
@click.option("--quiet", is_flag=True, help="Show no progress and no summary.")
@options.db
def command(crawl: str | None, db: str, quiet: bool, **given: Any) -> None:
    """Run new rules over the stored pages of a crawl (the newest), without a request.

    What these rules made before is replaced; records of other rules stay. Interrupted, the same command goes on.

    \b
    Example:
      scraper extract --rules shop.toml
      scraper extract docs --rules titles.toml --db docs.db
    """
    import asyncio

    from scraper import app

    loaded = options.loaded(given)
    code = asyncio.run(_carried_out(app.extract(crawl, store=options.existing(db), loaded=loaded), quiet=quiet))
    raise SystemExit(code)


async def _carried_out(extracting: Extracting, *, quiet: bool) -> int:
    import time
    from contextlib import aclosing

    from scraper.cli.output import say
    from scraper.cli.running import log_to_stderr
    from scraper.cli.signals import signals

    log_to_stderr(quiet=quiet)
    began = told_at = time.monotonic()
    with signals(extracting.stop, lambda: GRACE) as received:
        async with aclosing(extracting):
            async for _ in extracting:
                if not quiet and time.monotonic() - told_at > EVERY:
                    told_at = time.monotonic()
                    say(_progress(extracting, told_at - began))
    if not quiet:
        _summary(extracting, time.monotonic() - began)
    if received:
        return 128 + received[0]
    all_failed = extracting.failed == extracting.pages > 0
    return 0 if extracting.done and not all_failed else 1


def _progress(extracting: Extracting, seconds: float) -> str:
    done, pages = _position(extracting)
    return f"{done} of {pages} pages, {extracting.pages / seconds:.1f}/s, {extracting.records} records"


def _position(extracting: Extracting) -> tuple[int, int]:
    before = extracting.extraction
    return (0, 0) if before is None else (before.done + extracting.pages, before.pages)


def _summary(extracting: Extracting, seconds: float) -> None:
    from scraper.cli.output import say
    from scraper.cli.summary import tell_rules
    from scraper.printable import printable

    if extracting.crawl is None:
        return
    done, pages = _position(extracting)
    outcome = "" if extracting.done else "; the same command goes on"
    say(f"crawl {printable(extracting.crawl.name)}: {done} of {pages} pages after {seconds:.1f} s{outcome}")
    say(f"  {extracting.records} records made")
    if extracting.failed:
        say(f"  {extracting.failed} pages failed and keep the records they had")
    tell_rules(extracting.rules)
