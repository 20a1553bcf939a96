"""Who is measured: the command each runs, and where each leaves what it found."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

DEPTH = 99
SPIDER = Path(__file__).parent / "peers" / "scrapy_spider.py"

Found = dict[str, tuple[str | None, ...]]  # by URL: title, description, lang, text


@dataclass(frozen=True)
class Contender:
    """One program: `command` takes the start URL and an empty directory, `found` queries what it has stored there."""

    name: str
    command: Callable[[str, Path], list[str]]
    found: str

    def pages(self, place: Path) -> Found:
        """Return the pages that a run in this directory stored."""
        with closing(sqlite3.connect(f"{(place / 'pages.db').as_uri()}?mode=ro", uri=True)) as db:
            return {url: tuple(rest) for url, *rest in db.execute(self.found)}


def ours(concurrency: int) -> Contender:
    """Return our own command line, the one that is installed beside this Python."""
    scraper = Path(sys.executable).with_name("scraper")
    if not scraper.exists():
        raise SystemExit(f"there is no {scraper}: install the project into this environment, `pip install -e .`")

    def command(start: str, place: Path) -> list[str]:
        pace = f"--delay 0 --concurrency {concurrency} --per-host {concurrency}"
        reach = f"--depth {DEPTH} --allow-private 127.0.0.0/8"
        return [str(scraper), "crawl", start, *reach.split(), *pace.split(), "--db", str(place / "pages.db")]

    return Contender("scraper", command, "SELECT url, title, description, lang, text FROM pages")


def scrapy(concurrency: int, environment: Path, *, jobdir: bool = False) -> Contender:
    """Return Scrapy as installed in its environment; with `jobdir` its queue is on disk, so that it could resume."""

    def command(start: str, place: Path) -> list[str]:
        settings = [f"CONCURRENT_REQUESTS{of}={concurrency}" for of in ("", "_PER_DOMAIN")]
        settings += [f"DEPTH_LIMIT={DEPTH}", *([f"JOBDIR={place / 'job'}"] if jobdir else [])]
        options = [part for setting in settings for part in ("-s", setting)]
        arguments = ["-a", f"start={start}", "-a", f"db={place / 'pages.db'}"]
        return [str(environment / "bin" / "scrapy"), "runspider", str(SPIDER), *arguments, *options]

    name = "Scrapy, JOBDIR" if jobdir else "Scrapy"
    return Contender(name, command, "SELECT url, title, description, lang, text FROM page")


def environment(chosen: Path | None) -> Path:
    """Return a virtual environment that has Scrapy; make it at first use, by default in the temporary directory."""
    place = chosen or Path(tempfile.gettempdir()) / f"scraper-benchmarks-{os.getuid()}"
    if chosen is None:
        place.mkdir(mode=0o700, exist_ok=True)
        if place.is_symlink() or place.stat().st_uid != os.getuid():
            raise SystemExit(f"{place} belongs to somebody else: name another directory with --venv")
    if not (place / "bin" / "scrapy").exists():
        print(f"installing Scrapy into {place}", file=sys.stderr)
        venv.create(place, with_pip=True)
        subprocess.run([str(place / "bin" / "pip"), "install", "--quiet", "scrapy"], check=True)
    return place


def versions(environment: Path) -> str:
    """Name what is compared."""
    return f"{_version(sys.executable, 'scraper')}, {_version(str(environment / 'bin' / 'python'), 'Scrapy')}"


def _version(python: str, package: str) -> str:
    script = f"import platform, importlib.metadata as m; print(m.version({package!r}), platform.python_version())"
    told = subprocess.run([python, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    return f"{package} {told[0]} (Python {told[1]})"
