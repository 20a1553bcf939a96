"""Who is measured: the command each runs, and where each leaves what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import environments
import found
from found import Found

DEPTH = 99
PEERS = Path(__file__).parent / "peers"
CHOICES = ("rules", "scrapy", "jobdir", "crawlee")
RULES = {"headline": "h1", "targets": "p a::attr(href)"}  # two CSS rules that find something on any site


@dataclass(frozen=True)
class Contender:
    """One program: `command` takes the start URL and an empty directory, `read` reads what it has stored there.

    One that stops after `most` pages has a name that says so. `rules`: two CSS rules run on every page.
    """

    name: str
    command: Callable[[str, Path], list[str]]
    read: Callable[[Path], Found] = found.stored
    ours: bool = False
    rules: bool = False
    most: int | None = None


def field(peers: list[str], concurrency: int, most: int | None, chosen: Path | None) -> tuple[list[Contender], str]:
    """Return who runs, and the versions of all; what these peers need is installed."""
    scraper = Path(sys.executable).with_name("scraper")
    if not scraper.exists():
        raise SystemExit(f"there is no {scraper}: install the project into this environment, `pip install -e .`")
    running, versions = [_ours(scraper, concurrency)], [environments.version(Path(sys.executable), "scraper")]
    rules = "rules" in peers and _has_rules(scraper)
    if rules:
        running.append(_ours(scraper, concurrency, rules=True))
    if rules or {"scrapy", "jobdir"}.intersection(peers):
        python = environments.python("scrapy", ["scrapy"], chosen)
        versions.append(environments.version(python, "Scrapy"))
        if "scrapy" in peers:
            running.append(_scrapy(python, concurrency))
        if "jobdir" in peers:
            running.append(_scrapy(python, concurrency, jobdir=True))
        if rules:
            running.append(_scrapy(python, concurrency, rules=True))
    if "crawlee" in peers:
        python = environments.python("crawlee", ["crawlee[beautifulsoup,sql-sqlite]"], chosen)
        versions.append(environments.version(python, "crawlee"))
        running.append(_crawlee(python, concurrency, most))
    return running, ", ".join(versions)


def _ours(scraper: Path, concurrency: int, *, rules: bool = False) -> Contender:
    """Return our own command line, the one that is installed beside this Python."""

    def command(start: str, place: Path) -> list[str]:
        pace = f"--delay 0 --concurrency {concurrency} --per-host {concurrency}"
        reach = f"--depth {DEPTH} --allow-private 127.0.0.0/8"
        options = [*reach.split(), *pace.split(), "--db", str(place / "pages.db")]
        if rules:
            (place / "rules.toml").write_text("\n".join(map(_rule, RULES)), encoding="utf-8")
            options += ["--rules", str(place / "rules.toml")]
        return [str(scraper), "crawl", start, *options]

    return Contender("scraper, rules" if rules else "scraper", command, ours=True, rules=rules)


def _scrapy(python: Path, concurrency: int, *, jobdir: bool = False, rules: bool = False) -> Contender:
    """Return Scrapy as installed in its environment; with `jobdir` its queue is on disk, so that it could resume."""

    def command(start: str, place: Path) -> list[str]:
        settings = [f"CONCURRENT_REQUESTS{of}={concurrency}" for of in ("", "_PER_DOMAIN")]
        settings += [f"DEPTH_LIMIT={DEPTH}", *([f"JOBDIR={place / 'job'}"] if jobdir else [])]
        options = [part for setting in settings for part in ("-s", setting)]
        options += ["-a", f"start={start}", "-a", f"db={place / 'pages.db'}"]
        options += ["-a", f"rules={json.dumps(RULES)}"] if rules else []
        return [str(python.with_name("scrapy")), "runspider", str(PEERS / "scrapy_spider.py"), *options]

    name = ", ".join(["Scrapy", *(["JOBDIR"] if jobdir else []), *(["rules"] if rules else [])])
    return Contender(name, command, rules=rules)


def _crawlee(python: Path, concurrency: int, most: int | None) -> Contender:
    """Return Crawlee as installed in its environment: its BeautifulSoupCrawler, all of its storages in one SQLite."""

    def command(start: str, place: Path) -> list[str]:
        arguments = [start, str(place / "pages.db"), str(concurrency), *([str(most)] if most else [])]
        return [str(python), str(PEERS / "crawlee_spider.py"), *arguments]

    return Contender(f"Crawlee, {most} requests" if most else "Crawlee", command, found.pushed, most=most)


def _rule(name: str) -> str:
    field = f"{name} = {{ select = '{RULES[name]}', all = true }}"
    return f"[[rule]]\nname = '{name}'\nmatch = 're:.*'\n[rule.fields]\n{field}\n"


def _has_rules(scraper: Path) -> bool:
    told = subprocess.run([str(scraper), "crawl", "--help"], check=True, capture_output=True, text=True).stdout
    if "--rules" in told:
        return True
    print("skipping the rows with rules: `scraper crawl` has no option --rules", file=sys.stderr)
    return False
