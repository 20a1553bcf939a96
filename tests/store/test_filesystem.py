"""Is a file system told on which a store can be damaged?"""

import logging

import pytest

from scraper.store import filesystem, open_sqlite

LOCAL = {
    "ext4": 0xEF53,
    "xfs": 0x58465342,
    "btrfs": 0x9123683E,
    "tmpfs": 0x01021994,
    "overlay": 0x794C7630,
    "zfs": 0x2FC12FC1,
    "fuse": 0x65735546,
}
SHARED = {
    "nfs": 0x6969,
    "smb": 0x517B,
    "cifs": 0xFF534D42,
    "smb2": 0xFE534D42,
    "9p": 0x01021997,
    "afs": 0x5346414F,
    "ceph": 0x00C36400,
    "lustre": 0x0BD00BD0,
    "gfs2": 0x01161970,
    "ocfs2": 0x7461636F,
    "vbox": 0x786F4256,
}


@pytest.mark.parametrize("name", SHARED)
def test_shared_file_systems_are_told(name):
    """A file system that machines share is named, also where its number comes with a sign (A9)."""
    assert filesystem.risk(SHARED[name])
    assert filesystem.risk(SHARED[name] - (1 << 32) if SHARED[name] >> 31 else SHARED[name])


@pytest.mark.parametrize("name", LOCAL)
def test_others_are_not(name):
    """Of a disk of this machine nothing is said (A9)."""
    assert filesystem.risk(LOCAL[name]) is None
    assert filesystem.warning("x.db", LOCAL[name]) is None


def test_the_number_is_the_systems():
    """The number is that of the file system a path lies on, None for a path that is not there (A9)."""
    kind = filesystem.kind_of("/proc/self")
    assert kind in {0x9FA0, None}
    assert filesystem.kind_of("/no such path") is None


async def test_a_risk_is_told_once_as_the_store_is_opened(tmp_path, monkeypatch, caplog):
    """Who opens a store on a shared file system is warned once, with its name and the way out (A9)."""
    monkeypatch.setattr("scraper.store.sqlite_prepare.kind_of", lambda path: 0x6969)
    with caplog.at_level(logging.WARNING, "scraper.store"):
        async with open_sqlite(tmp_path / "x.db"):
            pass
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"{tmp_path / 'x.db'} lies on NFS: ")
    assert "--db" in told
