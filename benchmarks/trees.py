"""Measure how long trees take to build: `python benchmarks/trees.py --site DIR`; README.md tells how to read it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path
from statistics import median
from typing import Any

import environments
import report
from sites import made

ROOT = Path(__file__).resolve().parent.parent
PEERS = ("html5lib", "lxml", "selectolax")


def main() -> None:
    """Measure, print."""
    options = _options()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = environments.python("trees", [*project["dependencies"], *PEERS], options.venv)
    versions = ", ".join(environments.version(python, name) for name in ("turbohtml", "beautifulsoup4", *PEERS))
    print(f"{versions}; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="scraper-benchmark-") as scratch:
        paths = _sample(options.site or [made(Path(scratch))], options.pages)
        command = [str(python), str(ROOT / "benchmarks" / "building.py"), str(options.rounds), *map(str, paths)]
        # This checkout's code is measured, whichever is installed elsewhere.
        path = {**os.environ, "PYTHONPATH": str(ROOT)}
        told = subprocess.run(command, env=path, stdout=subprocess.PIPE, check=True).stdout
    _tell(json.loads(told))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--site", type=Path, action="append", metavar="DIR", help="a folder of HTML; without one, a site is generated"
    )
    parser.add_argument("--pages", type=int, default=100, metavar="N", help="a sample of so many, evenly spread (100)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="over all of them, of each library (3)")
    parser.add_argument("--venv", type=Path, metavar="DIR", help="where the libraries are, or are to be, installed")
    options = parser.parse_args()
    if options.pages < 1 or options.rounds < 1:
        parser.error("--pages and --rounds are at least 1")
    return options


def _sample(folders: list[Path], pages: int) -> list[Path]:
    found = sorted(path for folder in folders for path in folder.rglob("*.htm*") if path.is_file())
    if not found:
        raise SystemExit(f"there is no .html file in {', '.join(map(str, folders))}")
    pages = min(pages, len(found))
    return [found[number * len(found) // pages] for number in range(pages)]


def _tell(told: dict[str, Any]) -> None:
    pages, rounds = told["pages"], len(told["freed"])
    size = told["characters"] / pages / 1000
    print(f"{pages} pages, {size:.1f} thousand characters each on average, {rounds} rounds", end="\n\n")
    ours = [one["scraper"] for one in told["freed"]]
    head = ("", "elements/page", "freed ms/page", "times ours", "as used ms/page", "times ours, freed")
    rows = [
        head,
        *((name, f"{count / pages:.0f}", *_figures(told, name, ours)) for name, count in told["elements"].items()),
    ]
    print(*report.table(rows), "", sep="\n")
    print(f"scraper and bs4 with html5lib print the same tree on {told['alike']} of {pages} pages")
    if told["refused"]:
        print(
            f"left out, for one of them refused it: {len(told['refused'])} pages, the first with {told['refused'][0]}"
        )


def _figures(told: dict[str, Any], name: str, ours: list[float]) -> list[str]:
    """Return for both modes the median of milliseconds, and of how often ours, freed, would fit into them."""
    figures = []
    for mode in ("freed", "used"):
        seconds = [one[name] for one in told[mode]]
        times = median(theirs / our for theirs, our in zip(seconds, ours, strict=True))
        figures += [f"{1000 * median(seconds):.2f}", f"{times:.2f}"]
    return figures


if __name__ == "__main__":
    main()
