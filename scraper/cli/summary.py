"""What a crawl came to, in a few lines: the accounting, the reasons, the next step."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from scraper import reports
from scraper.app import Run
from scraper.cli.output import say, sums
from scraper.errors import ScraperError
from scraper.model import CrawlState, UrlState
from scraper.printable import printable
from scraper.store import RuleTally

EXAMPLE = "SELECT url, title FROM pages LIMIT 10"


def summary(run: Run, db: str, seconds: float, *, advice: bool) -> None:
    """Tell how it ended, what became of every URL, and with `advice` what to do next."""
    if run.crawl is None:
        return
    tally, name = run.tally, printable(run.crawl.name)
    rate = f", {tally.pages / seconds:.1f} pages/s" if tally.pages and not run.crawl.continued else ""
    say(f"crawl {name}: {run.state} after {seconds:.1f} s{rate}")
    say(f"  {sums(tally)}" + ("" if tally.holds else "  THE SUMS DO NOT MATCH: please report this"))
    if run.crawl.round > 1:
        kinds = ("new", "changed", "unchanged", "vanished")
        say("  pages: " + ", ".join(f"{getattr(tally, kind)} {kind}" for kind in kinds))
    if tally.records:
        say(f"  {tally.records} records")
    tell_rules(its for its in run.rules if its.pages or run.crawl.round == 1)
    for state, counts in _reasons(db, run.crawl.id):
        say(f"  {state}: {counts}")
    if tally.beyond_depth:
        depth = run.config.crawl.depth
        say(
            f"  {tally.beyond_depth} links beyond depth {depth} were not followed;"
            f" --depth {depth + 1} --new follows them"
        )
    if advice:
        say(f"  {_next_step(run, db)}")


def tell_rules(tallies: Iterable[RuleTally]) -> None:
    """Tell which rules and extractors found less than somebody may think: no page, or nothing on some."""
    for its in tallies:
        name = printable(its.rule)
        if not its.pages:
            say(f"  rule {name} matched no page")
        elif its.empty:
            say(f"  rule {name} matched {its.pages} pages, 0 records on {its.empty} of them")


def _next_step(run: Run, db: str) -> str:
    name = run.crawl.name if run.crawl is not None else ""
    where = "" if db == "scraper.db" else f" --db {shlex.quote(db)}"
    if run.state is CrawlState.LIMITED:
        return f"limited by --max-pages {run.config.crawl.max_pages}: the same command with more goes on"
    if run.state is CrawlState.INTERRUPTED:
        return f"go on with: scraper resume {shlex.quote(name)}{where}"
    return f"look at it with: scraper query {EXAMPLE!r}{where}"


def _reasons(db: str, crawl_id: int) -> list[tuple[str, str]]:
    try:
        with reports.open_reader(db) as connection:
            counted = reports.reasons(connection, crawl_id)
    except ScraperError:
        return []  # the summary goes without
    states: dict[str, list[str]] = {}
    for its in counted:
        if its.reason is not None and its.state in {UrlState.SKIPPED, UrlState.FAILED}:
            states.setdefault(its.state, []).append(f"{its.reason} {its.urls}")
    return [(state, ", ".join(parts)) for state, parts in sorted(states.items())]
