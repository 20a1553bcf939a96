from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scraper.errors import ConfigError, ScraperError
from scraper.reports import write_file


def test_a_file_is_written_whole(tmp_path):
    """The file holds what the writer wrote, the writer's result is returned, and nothing else is left."""
    assert write_file(tmp_path / "out.csv", lambda out: out.write(b"all")) == 3
    assert (tmp_path / "out.csv").read_bytes() == b"all"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_writer_that_fails_leaves_the_old_file(tmp_path, error):
    """Whatever ends the writer, the existing file is as it was and no half one lies about."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")

    def writer(out):
        out.write(b"half")
        raise error

    with pytest.raises((ScraperError, KeyboardInterrupt)):
        write_file(path, writer)
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["out.csv"]


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path):
    """While the writer works, the existing file can be read as it was."""
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    write_file(path, lambda out: (out.write(b"new"), out.flush(), path.read_bytes() == b"old" or pytest.fail("gone")))
    assert path.read_bytes() == b"new"


def test_a_full_disk_is_told_with_the_path(tmp_path):
    """An error of the operating system while writing is a ScraperError that names the path and the reason."""

    def writer(out):
        raise OSError(28, "No space left on device")

    with pytest.raises(ScraperError, match=r"out\.csv was not written: No space left on device") as caught:
        write_file(tmp_path / "out.csv", writer)
    assert not isinstance(caught.value, ConfigError)


@pytest.mark.parametrize("name", ["missing/out.csv", "", "a\0b", "x" * 300])
def test_a_path_that_cannot_be_is_refused(tmp_path, name):
    """A missing directory, a directory, a NUL or a name too long is a ConfigError that names the path."""
    with pytest.raises(ConfigError) as caught:
        write_file(f"{tmp_path}/{name}", lambda out: out.write(b"x"))
    assert str(tmp_path) in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_long_name_is_written(tmp_path):
    """A name as long as the file system allows can be written."""
    write_file(tmp_path / ("x" * 255), lambda out: out.write(b"x"))


def test_permissions_are_the_users_own(tmp_path):
    """A new file has the permissions the umask gives; one that is replaced keeps those it had."""
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "new", lambda out: out.write(b"x"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o600)
    write_file(tmp_path / "new", lambda out: out.write(b"y"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_symbolic_link_is_followed_and_stays(tmp_path):
    """Through a symbolic link its target is replaced; a loop of links is refused."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_file(tmp_path / "link", lambda out: out.write(b"x"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"x"
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(ConfigError):
        write_file(tmp_path / "loop", lambda out: out.write(b"x"))


def test_a_pipe_is_written_to_and_not_replaced(tmp_path):
    """What is no regular file is written to as it is: /dev/null stays a device."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, lambda out: out.write(b"x"))
    reader.join()
    assert read == [b"x"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_closed_pipe_stays_a_broken_pipe(tmp_path):
    """A reader that has gone is left to the command, which ends without a word."""

    def writer(out):
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        write_file(tmp_path / "x", writer)


@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "existing"])
def test_who_is_killed_leaves_no_half_file(tmp_path, old):
    """A process that is killed while it writes leaves under the name what was there, or nothing (C18)."""
    path = tmp_path / "out.csv"
    if old is not None:
        path.write_bytes(old)
    program = (
        "import sys\nfrom scraper.reports import write_file\n"
        "def half(out):\n out.write(b'x' * 1000000)\n out.flush()\n print('half', flush=True)\n sys.stdin.read()\n"
        "write_file(sys.argv[1], half)"
    )
    arguments = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
    ) as process:
        assert process.stdout.readline() == b"half\n"
        process.kill()
    assert (path.read_bytes() if path.exists() else None) == old


def test_a_link_that_is_put_in_the_way_is_not_followed(tmp_path):
    """A symbolic link that appears under the name while the file is written is replaced, its target untouched (C18)."""
    path, other = tmp_path / "out.csv", tmp_path / "other"
    other.write_bytes(b"precious")
    write_file(path, lambda out: (out.write(b"x"), path.symlink_to(other)))
    assert (path.is_symlink(), path.read_bytes(), other.read_bytes()) == (False, b"x", b"precious")


def test_a_file_beside_is_made_for_nobody_else(tmp_path, monkeypatch):
    """The unfinished file is created, never opened: one that is there under its name ends the writing (C18)."""
    monkeypatch.setattr(os, "urandom", bytes)
    (tmp_path / f".out.csv.{bytes(4).hex()}.tmp").symlink_to(tmp_path / "stolen")
    with pytest.raises(ConfigError, match="File exists"):
        write_file(tmp_path / "out.csv", lambda out: out.write(b"x"))
    assert not (tmp_path / "stolen").exists()
