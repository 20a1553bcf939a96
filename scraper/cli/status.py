"""`scraper status`: where a crawl stands, also while it runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from scraper.cli import options

if TYPE_CHECKING:
    import sqlite3

    from scraper.reports import Status

EVERY = 1.0  # seconds between two looks of --watch
LONG_LOG = 64 << 20  # bytes of the write-ahead log; without long readers it stays below


@click.command("status", short_help="Show where a crawl stands, per host.")
@click.argument("crawl", required=False)
@click.option("--watch", is_flag=True, help="Look again every second until the crawl has ended.")
@options.db
@options.as_json
def command(crawl: str | None, watch: bool, db: str, as_json: bool) -> None:
    """Show where a crawl stands, per host; by name or number, without one the newest.

    \b
    Example:
      scraper status
      scraper status shops --watch
    """
    from scraper.reports import find_crawl, open_reader, status

    with open_reader(db) as connection:
        number = find_crawl(connection, crawl).id
        while True:
            now = status(connection, number, now=time.time())
            _show(connection, now, as_json=as_json)
            if not (watch and now.running):
                return
            time.sleep(EVERY)


def _show(connection: sqlite3.Connection, now: Status, *, as_json: bool) -> None:
    from scraper.cli.output import json_line, say, sums, table
    from scraper.printable import printable
    from scraper.reports import reasons

    if as_json:
        json_line(now.as_dict())
        return
    tally = now.tally
    state = now.crawl.state if now.running or now.crawl.state != "running" else "interrupted (its process is gone)"
    click.echo(f"crawl {printable(now.crawl.name)} (number {now.crawl.id}): {state}")
    click.echo(f"{sums(tally)}; {tally.records} records")
    if now.log_bytes:
        held = ": somebody has been reading for long, and keeps it from being taken over" * (now.log_bytes > LONG_LOG)
        click.echo(f"write-ahead log: {now.log_bytes / 1e6:.1f} MB{held}")
    columns = ("host", "queued", "fetched", "redirected", "skipped", "failed", "next request", "breaker", "robots.txt")
    table(columns, now.hosts)
    if now.more_hosts:
        say(f"and {now.more_hosts} hosts more")
    told = [counted for counted in reasons(connection, now.crawl.id) if counted.reason is not None]
    if told:
        click.echo()
        table(("state", "reason", "urls"), told)
