"""What every command has in common: how it starts, fails, and is left by who reads it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import scraper

FULL = Path("/dev/full")
HEAVY = ("aiohttp", "bs4", "lxml", "asyncio", "rich", "aiosqlite", "ada_url")


def imported(code):
    """Which of the heavy modules a fresh process has after this code."""
    told = f"{code}\nimport sys; print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_help_imports_nothing_heavy():
    """`scraper --help` and the help of every command come without the modules that only crawling needs."""
    code = (
        "from scraper.cli import commands\n"
        "for name in ['', *commands.list_commands(None)]:\n"
        "    commands.main([*name.split(), '--help'], standalone_mode=False)"
    )
    assert imported(code) == set()


def test_a_query_imports_nothing_that_crawls(home, crawl):
    """`scraper query` needs rich for its table, and nothing that fetches, parses or runs a loop."""
    crawl()
    code = "from scraper.cli import commands; commands.main(['query', 'SELECT url FROM pages'], standalone_mode=False)"
    assert imported(code) - {"rich"} == set()


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command(run, option):
    """The help of the whole names every command and ends well."""
    ended = run(option)
    assert ended.code == 0
    for name in ("crawl", "resume", "demo", "try", "crawls", "status", "query", "export", "config"):
        assert f"\n  {name} " in ended.out


def test_the_version_is_told(start):
    """`scraper --version` and `python -m scraper --version` tell the version of the package."""
    assert start("--version").ended() == (0, f"scraper, version {scraper.__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [(), ("crwl",), ("crawl",), ("crawl", "--depth", "x"), ("crawl", "--no-such"), ("query",), ("try",), ("config",)],
    ids=["nothing", "no command", "no URL", "no number", "no option", "no SQL", "nothing to try", "no subcommand"],
)
def test_wrong_usage_ends_with_2(run, home, arguments):
    """What cannot be meant ends with 2, says why on stderr, and makes no file."""
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: " in ended.err
    assert not list(home.iterdir())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["130", "143"])
def test_a_signal_ends_a_command_that_waits(start, number, tmp_path):
    """A command that waits for the rest of its list ends with 130 or 143, without a traceback or a file left (A3)."""
    command = start("crawl", "--from", "-", env={"TMPDIR": str(tmp_path)})
    command.process.stdin.write(b"#" * 1_000_000)  # more than a pipe holds: most of it has been read
    command.process.stdin.flush()
    ended = command.signalled(number)
    assert (ended.code, ended.out) == (128 + number, "")
    assert "Traceback" not in ended.err
    assert not list(tmp_path.glob("scraper-*"))


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
def test_a_list_from_a_pipe_leaves_no_file(start, site, tmp_path, eventually, times):
    """However a crawl of a list from standard input is stopped, the copy of the list is gone (A3)."""
    site.hang("/1")
    place = tmp_path / "temporary"
    place.mkdir()
    options = ("--delay", "0", "--parse-workers", "0", "--allow-private", "127.0.0.0/8")
    command = start("crawl", "--from", "-", *options, env={"TMPDIR": str(place), "SCRAPER_GRACE": "0.1"})
    command.process.stdin.write(f"{site.url('/1')}\n".encode())
    command.process.stdin.close()
    command.process.stdin = None
    eventually(lambda: "/1" in site.paths())
    assert list(place.glob("scraper-*"))
    if times == 2:
        command.process.send_signal(signal.SIGINT)
    assert command.signalled(signal.SIGTERM).code in {143, 130}
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "SELECT a.url FROM urls a, urls b, urls c", "--format", "jsonl"),
        ("query", "SELECT url FROM urls"),
        ("export", "--what", "pages"),
        ("export", "--what", "pages", "--format", "csv"),
        ("status",),
    ],
    ids=" ".join,
)
def test_a_pipe_that_is_closed_is_no_error(crawl, site, start, arguments):
    """Who reads the output may leave (`| head`): the command ends with 0 and says nothing of it."""
    site.page("/", [f"/{n}" for n in range(30)], body="x" * 200_000)
    crawl()
    reading, writing = os.pipe()
    os.close(reading)
    ended = start(*arguments, stdout=writing)
    os.close(writing)
    assert ended.ended() == (0, "", "")


@pytest.mark.skipif(not FULL.exists(), reason=f"this system has no {FULL}")
@pytest.mark.parametrize("arguments", [("crawls",), ("export", "--what", "urls")], ids=" ".join)
def test_a_full_disk_under_the_output_is_told(crawl, start, arguments):
    """Output that cannot be written is one line on stderr and exit code 1, not a traceback."""
    crawl()
    with FULL.open("wb") as full:
        ended = start(*arguments, stdout=full).ended()
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "No space left on device" in ended.err


def test_closed_standard_streams_are_nothing(crawl, home):
    """With stdin, stdout and stderr closed a command does its work all the same."""
    crawl()
    line = f"'{sys.executable}' -m scraper export --what urls -o urls.jsonl <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    assert (home / "urls.jsonl").stat().st_size > 0


def test_nobody_need_hear_what_is_said(site, start):
    """A crawl whose stderr nobody reads any more comes to its end."""
    reading, writing = os.pipe()
    os.close(reading)
    site.page("/", ["/a"])
    command = start("crawl", site.url("/"), "--parse-workers", "0", "--delay", "0", "--depth", "1", stderr=writing)
    os.close(writing)
    assert command.ended().code == 0
    assert "/a" in site.paths()
