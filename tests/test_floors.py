"""What we are built on is new enough, and importing it asks nobody anything (C20)."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# The oldest versions without the faults that THREATS and SECURITY.md tell of.
FLOORS = {"aiohttp": (3, 14, 5), "brotli": (1, 2), "lxml": (6, 1)}
ALONE = """
import sys
def refuse(event, arguments):
    if event.startswith("socket.") or event == "urllib.Request":
        raise RuntimeError(f"{event} {arguments}")
sys.addaudithook(refuse)
import scraper, scraper.cli, scraper.app, scraper.parse.page, scraper.fetch.fetcher
sys.argv = ["scraper", "--help"]
scraper.cli.main()
"""


def numbers(text):
    """A version as numbers that compare."""
    return tuple(int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:3])


@pytest.fixture(scope="module")
def asked():
    """What pyproject.toml asks for: (name, lowest version)."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return dict(re.match(r"([\w.-]+)>=([\d.]+)", line).groups() for line in project["dependencies"])


def test_every_dependency_has_a_floor(asked):
    """Each dependency has a lowest version, which is installed, or a newer one."""
    assert asked
    assert {name: version(name) for name, low in asked.items() if numbers(version(name)) < numbers(low)} == {}


@pytest.mark.parametrize("name", FLOORS)
def test_floors_of_security(name, asked):
    """No version with a known hole is ever installed, and SECURITY.md tells which and why."""
    assert numbers(asked[name]) >= FLOORS[name]
    table = (ROOT / ".github/SECURITY.md").read_text(encoding="utf-8")
    told = re.search(rf"^\| {name} \| ([\d.]+) \| \w.*\|$", table, re.MULTILINE)
    assert told is not None
    assert numbers(told[1]) == numbers(asked[name])


def test_importing_opens_no_socket():
    """`import scraper` and its help make no socket and ask for no name."""
    ended = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Usage: scraper" in ended.stdout
