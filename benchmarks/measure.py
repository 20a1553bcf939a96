"""What does a command cost? Time, CPU and memory of a process and all its descendants, from /proc (Linux only)."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

EVERY = 0.05  # seconds between two looks at the tree
PATIENCE = 5.0  # seconds in which descendants may end after the command
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER, see prctl(2)
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Usage(NamedTuple):
    """What one run took: seconds, CPU seconds, bytes. `others` are the descendants of the main process.

    `left` counts the processes that were still there PATIENCE seconds after the command had ended, and were killed.
    """

    exit_code: int
    seconds: float
    cpu_main: float
    cpu_others: float
    peak_main: int
    peak_tree: int
    left: int


class _Stat(NamedTuple):
    state: str
    parent: int
    own: float  # CPU seconds of the process itself
    reaped: float  # CPU seconds of the children it has waited for


def adopt_orphans() -> None:
    """Become the parent of whatever our descendants leave behind, so that its CPU can be read when it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def measure(command: Sequence[str], *, output: Path) -> Usage:
    """Run a command to its end and return what it took; `adopt_orphans` comes first, once.

    What it prints goes to the file `output`.
    """
    strangers = _pids()
    began = time.monotonic()
    with output.open("wb") as sink:
        main = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, start_new_session=True
        )
    family = _Family(main.pid, strangers)
    try:
        ended = os.pidfd_open(main.pid)
        try:
            while not select.select([ended], [], [], EVERY)[0]:
                family.look()
        finally:
            os.close(ended)
        seconds = time.monotonic() - began
        its = _stat(main.pid)  # the zombie keeps its counters until it is waited for
        assert its is not None
        exit_code = main.wait()
        left, late = family.see_off(PATIENCE)
    except BaseException:
        family.see_off(0)
        main.wait()
        raise
    return Usage(exit_code, seconds, its.own, its.reaped + late, family.peak_main, family.peak_tree, left)


class _Family:
    """A process and its descendants, as far as they were seen."""

    def __init__(self, main: int, strangers: set[int]) -> None:
        self.peak_main = self.peak_tree = 0
        self._main = main
        self._members = {main}
        self._strangers = strangers  # what ran before, and what comes of it

    def look(self) -> None:
        """Find new members, take down how large all are."""
        self._find()
        sizes = {pid: _resident(pid) for pid in self._members}
        self.peak_main = max(self.peak_main, sizes.get(self._main, 0))
        self.peak_tree = max(self.peak_tree, sum(sizes.values()))

    def see_off(self, patience: float) -> tuple[int, float]:
        """Wait until all have ended, kill what has not; return how many that were, and the CPU of the orphans."""
        deadline, left, cpu = time.monotonic() + patience, 0, 0.0
        while True:
            self._find()
            alive = 0
            for pid in sorted(self._members):
                its = _stat(pid)
                if its is None or its.parent != os.getpid():
                    alive += its is not None and its.state != "Z"
                elif its.state == "Z" and pid != self._main:
                    os.waitpid(pid, 0)
                    cpu += its.own + its.reaped
                else:
                    alive += its.state != "Z"
            if not alive:
                return left, cpu
            if time.monotonic() >= deadline:
                left = max(left, alive)
                for pid in self._members:
                    _kill(pid)
            time.sleep(EVERY / 5)

    def _find(self) -> None:
        pids = _pids()
        self._members &= pids
        self._strangers &= pids
        parents = {pid: its.parent for pid in pids - self._members - self._strangers if (its := _stat(pid))}
        ours = self._members | {os.getpid()}  # an orphan's parent are we
        while found := {pid for pid, parent in parents.items() if parent in ours and pid not in ours}:
            ours |= found
            self._members |= found
        self._strangers |= parents.keys() - self._members


def _pids() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208 - twenty times a second


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, parent, *rest = text.rpartition(")")[2].split()  # the name in brackets before may hold anything
    user, system, reaped_user, reaped_system = (int(ticks) / TICKS for ticks in rest[9:13])
    return _Stat(state, int(parent), user + system, reaped_user + reaped_system)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
