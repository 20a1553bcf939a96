"""Who runs a crawl, and does he still live? One process a crawl; a dead one is known at once on the same machine."""

from __future__ import annotations

import os
import socket
from enum import Enum, auto
from pathlib import Path

import msgspec

LEASE = 15.0  # seconds a run of a crawl is believed to live without a sign of life


class Held(Enum):
    """Is a crawl run by somebody? In doubt a sign of life tells, within a heartbeat."""

    NO = auto()
    YES = auto()
    DOUBTFUL = auto()


class Owner(msgspec.Struct, frozen=True):
    """A process: `place` names the machine since its boot and its space of process ids, `started` tells their reuse."""

    pid: int
    place: str
    started: str


def myself() -> Owner:
    """This process."""
    return Owner(os.getpid(), _place(), _started(os.getpid()) or "")


def is_alive(owner: Owner) -> bool | None:
    """Does the owner's process live? None if that cannot be known from here (another machine or container)."""
    if owner.place != _place():
        return None
    started = _started(owner.pid)
    if started is None:
        return None if not Path("/proc/self/stat").exists() else False
    return started == owner.started


def held(owner: Owner | None, until: float, now: float) -> Held:
    """Does somebody run the crawl, by who he is and by his lease? Clocks may have been set since he wrote it.

    Of a process that lives, a lease that has ended proves nothing: it may be frozen, or the clock was set forward. Of
    one that cannot be seen, a lease that is longer than any is proves nothing: the clock was set back.
    """
    alive = is_alive(owner) if owner is not None else False
    if owner is None or alive is False:
        return Held.NO
    if now < until <= now + LEASE:
        return Held.YES
    if until <= now:
        return Held.DOUBTFUL if alive and owner != myself() else Held.NO
    return Held.YES if alive else Held.DOUBTFUL


def is_held(owner: str | None, until: float, now: float) -> bool:
    """Does somebody run the crawl, as far as can be known from here?"""
    return held(from_json(owner), until, now) is Held.YES


def to_json(owner: Owner) -> str:
    """Encode for the store."""
    return msgspec.json.encode(owner).decode()


def from_json(text: str | None) -> Owner | None:
    """Decode what a store holds; None for nothing or for something else."""
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=Owner)
    except msgspec.DecodeError:
        return None


def _place() -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _started(pid: int) -> str | None:
    """When the process was started, in the kernel's ticks; None if there is none, or only its corpse."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    # The second field, the name, may hold blanks and brackets: count from its last bracket.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else fields[19]
