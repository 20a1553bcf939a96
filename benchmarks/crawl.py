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
import found
import report
from contenders import Contender
from found import Found
from measure import Usage, adopt_orphans, measure
from serving import served
from sites import joined, made

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Results = dict[str, list[tuple[int, Usage]]]


def main() -> int:
    """Measure, print; 1 if the contenders did not fetch the same pages."""
    options = _options()
    if not sys.platform.startswith("linux"):
        raise SystemExit("this benchmark reads /proc, which only Linux has")
    field, versions = contenders.field(options.peers, options.concurrency, options.max_pages, options.venv)
    adopt_orphans()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scraper-benchmark-")))
        (scratch / "site").mkdir()
        sites = list(zip(options.site, options.start, strict=True))
        directory, start = joined(scratch / "site", sites) if sites else (made(scratch / "site"), "index.html")
        (scratch / "server").mkdir()
        server = stack.enter_context(served(directory.resolve(), scratch / "server"))
        machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, served by {server.program}"
        print(f"{versions}; {machine}", flush=True)
        results, last = _rounds(field, options.runs, f"{server.origin}/{start}", scratch)
    return _told(field, results, last)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--site", type=Path, action="append", metavar="DIR", help="the files to crawl; several times: as one site"
    )
    parser.add_argument(
        "--start", action="append", metavar="FILE", help="the first page, below DIR (index.html); one for each --site"
    )
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each contender, in turn (3)")
    parser.add_argument("--concurrency", type=int, default=32, metavar="N", help="requests at once (32)")
    peers = ",".join(contenders.CHOICES)
    parser.add_argument("--peers", default=peers, metavar="LIST", help=f"who runs beside us ({peers})")
    parser.add_argument("--max-pages", type=int, metavar="N", help="let Crawlee stop after so many pages")
    parser.add_argument("--venv", type=Path, metavar="DIR", help="where the peers are, or are to be, installed")
    options = parser.parse_args()
    if min(options.runs, options.concurrency, options.max_pages or 1) < 1 or options.max_pages == 0:
        parser.error("--runs, --concurrency and --max-pages are at least 1")
    options.site = options.site or []
    options.start = options.start or ["index.html"] * len(options.site)
    if len(options.start) != len(options.site):
        parser.error("there is to be one --start for each --site, or none")
    options.peers = [name for name in options.peers.split(",") if name]
    if unknown := set(options.peers) - set(contenders.CHOICES):
        parser.error(f"--peers knows {peers}, not {', '.join(sorted(unknown))}")
    return options


def _rounds(field: list[Contender], runs: int, start: str, scratch: Path) -> tuple[Results, dict[str, Found]]:
    """Let each run in turn, so that what else the machine does falls on all; return the runs and the last results."""
    results: Results = {contender.name: [] for contender in field}
    last: dict[str, Found] = {}
    for number in range(runs):
        for contender in field if number % 2 == 0 else reversed(field):
            with tempfile.TemporaryDirectory(dir=scratch) as directory:
                place = Path(directory)
                usage = measure(contender.command(start, place), output=place / "output")
                if usage.exit_code != 0:
                    output = (place / "output").read_text(encoding="utf-8", errors="replace")
                    raise SystemExit(f"{contender.name} ended with {usage.exit_code}:\n{output[-4000:]}")
                last[contender.name] = contender.read(place)
            pages = len(last[contender.name])
            results[contender.name].append((pages, usage))
            left = f", LEFT {usage.left} PROCESSES BEHIND" if usage.left else ""
            print(f"run {number + 1}: {contender.name}: {pages} pages in {usage.seconds:.2f} s{left}", flush=True)
    return results, last


def _told(field: list[Contender], results: Results, last: dict[str, Found]) -> int:
    """Print the table, and of each peer how it compares with ours, with rules or without."""
    print("", *report.crawls(results.items()), "", sep="\n")
    ours, wrong = {contender.rules: contender.name for contender in field if contender.ours}, False
    for other in field:
        name, cut = ours[other.rules and not other.ours], other.most is not None
        if other.name == name:
            continue
        times = report.rate(results[name]) / report.rate(results[other.name])
        print(f"{name} / {other.name}: {times:.2f} times the pages/s")
        print(*found.differences(name, last[name], other.name, last[other.name], cut=cut), sep="\n")
        wrong |= not found.same(last[name], last[other.name], cut=cut)
    counts = {pages for contender in field if not contender.most for pages, _ in results[contender.name]}
    if len(counts) > 1:
        print(f"THE RUNS DIFFER IN PAGES: {sorted(counts)}; the figures cannot be compared")
    return int(wrong or len(counts) > 1)


def _stop(number: int, _: object) -> None:
    """End all that was started on the way out, which takes a moment and is not to be interrupted."""
    for other in SIGNALS:
        signal.signal(other, lambda *_: None)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    for number in SIGNALS:
        signal.signal(number, _stop)
    sys.exit(main())
