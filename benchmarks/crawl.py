"""Measure whole crawls side by side: `python benchmarks/crawl.py --site DIR`; README.md tells how to read it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import contenders
import report
from contenders import Contender, Found
from measure import Usage, adopt_orphans, measure
from serving import served
from sites import make_site

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Runs = list[tuple[int, Usage]]


def main() -> int:
    """Measure, print; 1 if the contenders did not fetch the same pages."""
    options = _options()
    if not sys.platform.startswith("linux"):
        raise SystemExit("this benchmark reads /proc, which only Linux has")
    environment = contenders.environment(options.venv)
    field = [contenders.ours(options.concurrency), contenders.scrapy(options.concurrency, environment)]
    if options.jobdir:
        field.append(contenders.scrapy(options.concurrency, environment, jobdir=True))
    adopt_orphans()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scraper-benchmark-")))
        site = options.site or _made(scratch / "site")
        if not (site / options.start).is_file():
            raise SystemExit(f"there is no {site / options.start}: name the first page with --start")
        (scratch / "server").mkdir()
        server = stack.enter_context(served(site.resolve(), scratch / "server"))
        machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, served by {server.program}"
        print(f"{contenders.versions(environment)}; {machine}")
        results, found = _rounds(field, options.runs, f"{server.origin}/{options.start}", scratch)
    return _told(results, found)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, metavar="DIR", help="the files to crawl; without it a site is generated")
    parser.add_argument("--start", default="index.html", metavar="FILE", help="the first page, below DIR (index.html)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each contender, in turn (3)")
    parser.add_argument("--concurrency", type=int, default=32, metavar="N", help="requests at once (32)")
    parser.add_argument("--jobdir", action="store_true", help="also measure Scrapy with its queue on disk")
    parser.add_argument("--venv", type=Path, metavar="DIR", help="where Scrapy is, or is to be, installed")
    options = parser.parse_args()
    if options.runs < 1 or options.concurrency < 1:
        parser.error("--runs and --concurrency are at least 1")
    return options


def _made(directory: Path) -> Path:
    directory.mkdir()
    make_site(directory)
    return directory


def _rounds(field: list[Contender], runs: int, start: str, scratch: Path) -> tuple[dict[str, Runs], dict[str, Found]]:
    """Let each run in turn, so that what else the machine does falls on all; return the runs and the last results."""
    results: dict[str, Runs] = {contender.name: [] for contender in field}
    found: dict[str, Found] = {}
    for number in range(runs):
        for contender in field:
            with tempfile.TemporaryDirectory(dir=scratch) as directory:
                place = Path(directory)
                usage = measure(contender.command(start, place), output=place / "output")
                if usage.exit_code != 0:
                    output = (place / "output").read_text(encoding="utf-8", errors="replace")
                    raise SystemExit(f"{contender.name} ended with {usage.exit_code}:\n{output[-4000:]}")
                found[contender.name] = contender.pages(place)
            pages = len(found[contender.name])
            results[contender.name].append((pages, usage))
            left = f", LEFT {usage.left} PROCESSES BEHIND" if usage.left else ""
            print(f"run {number + 1}: {contender.name}: {pages} pages in {usage.seconds:.2f} s{left}", flush=True)
    return results, found


def _told(results: dict[str, Runs], found: dict[str, Found]) -> int:
    print("", *report.table(list(results.items())), "", sep="\n")
    (name, ours), *others = found.items()
    for other, theirs in others:
        print(f"{name} / {other}: {report.rate(results[name]) / report.rate(results[other]):.2f} times the pages/s")
        print(*report.differences(name, ours, other, theirs), sep="\n")
    counts = {pages for runs in results.values() for pages, _ in runs}
    if len(counts) > 1:
        print(f"THE RUNS DIFFER IN PAGES: {sorted(counts)}; the figures cannot be compared")
    return int(len(counts) > 1 or any(theirs.keys() != ours.keys() for _, theirs in others))


def _stop(number: int, _: object) -> None:
    """End all that was started on the way out, which takes a moment and is not to be interrupted."""
    for other in SIGNALS:
        signal.signal(other, lambda *_: None)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for number in SIGNALS:
        signal.signal(number, _stop)
    sys.exit(main())
