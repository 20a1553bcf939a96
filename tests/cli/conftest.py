"""Commands as a user calls them: in this process where that is enough, in one of their own where it matters."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import pty
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import scraper.cli
import scraper.reports

DEADLINE = 20.0  # seconds, for whatever a test waits for
FAST = ("--parse-workers", "0", "--delay", "0", "--per-host", "8")
_FORGOTTEN = ("SCRAPER_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "LINES", "TTY_", "TERM")
_LOGGERS = ("scraper", "scraper.app", "scraper.store", "scraper.parse")


class Ended(NamedTuple):
    """How a command ended; what it printed, as text, the line ends untouched."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """What was printed, as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def refused(self) -> str:
        """The one line that bad input gets: exit code 2, no traceback, nothing on stdout."""
        assert (self.code, self.out) == (2, ""), self
        assert self.err.startswith("scraper: ")
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("scraper: ").rstrip("\n")


class Started:
    """A command in a process of its own, while it runs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def ended(self) -> Ended:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=DEADLINE)
        return Ended(self.process.returncode, (out or b"").decode(), (err or b"").decode())

    def signalled(self, number: int) -> Ended:
        """Send it a signal and wait for its end."""
        self.process.send_signal(number)
        return self.ended()


class Terminal:
    """A pseudo-terminal: what is written to `end` is kept as a terminal would get it."""

    def __init__(self, columns: int = 80) -> None:
        self._ours, self.end = pty.openpty()
        fcntl.ioctl(self.end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._got = bytearray()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while piece := os.read(self._ours, 4096):
                self._got += piece

    def has(self, text: str) -> bool:
        """Has this been written?"""
        return text.encode() in self._got

    def close(self) -> str:
        """Let go of it and return all that was written."""
        if self.end >= 0:
            os.close(self.end)
            self.end = -1
            self._reader.join(DEADLINE)
            os.close(self._ours)
        return self._got.decode(errors="surrogateescape")


@pytest.fixture
def eventually():
    """Wait until something holds, under a deadline; for what another process or thread does."""

    def wait(holds) -> None:
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.01)

    return wait


@pytest.fixture
def site(pytestconfig):
    """The site of all tests, served by a thread, so that a command may have this one."""
    module = pytestconfig.pluginmanager.get_plugin(str(Path(__file__).parents[1] / "conftest.py"))
    loop, found = asyncio.new_event_loop(), module.Site()
    loop.run_until_complete(found.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield found
    asyncio.run_coroutine_threadsafe(found.stop(), loop).result(DEADLINE)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(DEADLINE)
    loop.close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The empty directory that commands run in, with nothing of this machine's in the environment."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in [name for name in os.environ if name.startswith(_FORGOTTEN)]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture
def query(home):
    """Ask the store as any other program would."""

    def query(sql):
        with contextlib.closing(sqlite3.connect(home / "scraper.db")) as db:
            return db.execute(sql).fetchall()

    return query


@pytest.fixture
def run(home, capfdbinary, monkeypatch):
    """Run a command in this process, from `main` to the exit code."""
    # It would hold for this process, which does other things, to its end.
    monkeypatch.setattr(scraper.reports, "limit_memory", lambda connection: None)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers, logger.propagate, logger.level) for logger in loggers]
    terminated = signal.getsignal(signal.SIGTERM)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["scraper", *map(str, arguments)])
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            scraper.cli.main()
        out, err = capfdbinary.readouterr()
        return Ended(ended.value.code, out.decode(), err.decode())

    yield run
    signal.signal(signal.SIGTERM, terminated)
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.fixture
def crawl(run, site):
    """Crawl the site from a path, quickly, in this process."""

    def crawl(path: str = "/", *options: object) -> Ended:
        return run("crawl", site.url(path), *FAST, *options)

    return crawl


@pytest.fixture
def start(home):
    """Start a command in a process of its own; whatever still runs when the test is over is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        *arguments: object,
        before: tuple[str, ...] = (),
        script: str | None = None,
        env: dict[str, str] | None = None,
        **how: Any,
    ) -> Started:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        program = [script] if script else ["-m", "scraper"]
        process = subprocess.Popen(
            [*before, sys.executable, *program, *map(str, arguments)], env=os.environ | (env or {}), **(pipes | how)
        )
        started.append(process)
        return Started(process)

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def terminal():
    """Make pseudo-terminals."""
    made: list[Terminal] = []

    def make(columns: int = 80) -> Terminal:
        made.append(Terminal(columns))
        return made[-1]

    yield make
    for one in made:
        one.close()
