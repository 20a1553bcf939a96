"""Does who runs a crawl still live?"""

import os
import signal
import socket
from pathlib import Path

import msgspec
import pytest

from scraper.store import lease

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="this system tells of no processes in /proc"
)

SAYS_WHO = """
from scraper.store import lease
print("ready", flush=True)
print(lease.to_json(lease.myself()), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def another(child):
    """Another process, and the owner it is."""
    process = child(SAYS_WHO)
    return process, lease.from_json(process.stdout.readline())


def test_i_live():
    """This process is its own, wherever it can be known to live."""
    me = lease.myself()
    assert me.pid == os.getpid()
    assert lease.myself() == me
    assert lease.is_alive(me) is not False


@needs_proc
def test_another_process_lives_until_it_is_killed(another):
    """Another process of this machine lives, is dead as a corpse that nobody has buried, and after that."""
    process, owner = another
    assert owner.pid == process.pid
    assert owner.place == lease.myself().place
    assert lease.is_alive(owner) is True
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lease.is_alive(owner) is False
    process.wait()
    assert lease.is_alive(owner) is False


@needs_proc
def test_a_number_used_again_is_another_process():
    """A process with the number of an owner, started at another time, is not the owner."""
    assert lease.is_alive(msgspec.structs.replace(lease.myself(), started="1")) is False


def test_of_another_place_nothing_is_known():
    """Whether a process on another machine, in another container or before a reboot lives cannot be known."""
    assert lease.is_alive(msgspec.structs.replace(lease.myself(), place="elsewhere")) is None


def test_where_no_process_can_be_seen_nothing_is_known(monkeypatch):
    """On a system without /proc a process's life cannot be known, and the place is the machine's name."""
    monkeypatch.setattr(lease, "Path", lambda path: Path("/nowhere") / path.lstrip("/"))
    me = lease.myself()
    assert (me.place, me.started) == (socket.gethostname(), "")
    assert lease.is_alive(me) is None


@needs_proc
@pytest.mark.parametrize("name", ["plain", "with blank", "a) S 1 2 3 (b", ")"])
def test_the_start_is_read_whatever_the_processs_name(name):
    """A process may call itself anything, also what looks like the fields that follow."""
    before = Path("/proc/self/comm").read_text(encoding="ascii")
    started = lease.myself().started
    try:
        Path("/proc/self/comm").write_text(name, encoding="ascii")
        assert lease.myself().started == started
        assert started.isdecimal()
    finally:
        Path("/proc/self/comm").write_text(before, encoding="ascii")


@pytest.mark.parametrize("text", [None, "", "null", "{}", "[]", '{"pid": "x"}', "\x00"])
def test_what_is_no_owner_is_nobody(text):
    """What a store holds instead of an owner is nobody."""
    assert lease.from_json(text) is None


def test_an_owner_survives_the_store():
    """An owner read back is the same."""
    assert lease.from_json(lease.to_json(lease.myself())) == lease.myself()


@needs_proc
def test_a_crawl_is_held_while_its_owner_may_live(another):
    """A crawl is held by an owner whose lease runs, but not by one who is known to be dead, and not by nobody."""
    process, owner = another
    held = lease.to_json(owner)
    assert lease.is_held(held, until=10.0, now=5.0)
    assert not lease.is_held(held, until=10.0, now=10.0)
    assert not lease.is_held(None, until=10.0, now=5.0)
    process.kill()
    process.wait()
    assert not lease.is_held(held, until=10.0, now=5.0)
    assert lease.is_held(lease.to_json(lease.Owner(1, "another machine", "1")), until=10.0, now=5.0)
