"""Does a path lie on a file system on which SQLite's locks and shared memory cannot be relied on?

(https://sqlite.org/wal.html#overview: all processes that use a write-ahead log must be on one machine;
https://sqlite.org/howtocorrupt.html, section 2.1.)
"""

from __future__ import annotations

import ctypes
import os
import struct

# By the number that statfs(2) gives, as <linux/magic.h> and the file systems' own sources have it.
RISKY = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "SMB",
    0xFE534D42: "SMB",
    0x01021997: "9p",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x19830326: "BeeGFS",
    0x786F4256: "a VirtualBox shared folder",
    0xBACBACBC: "a VMware shared folder",
    0x7C7C6673: "a Parallels shared folder",
}
_LARGEST = 256  # bytes; struct statfs has 120 on Linux


def risk(kind: int) -> str | None:
    """Return the name of a file system that is shared between machines, by its number; None for any other."""
    return RISKY.get(kind & 0xFFFFFFFF)


def kind_of(path: str) -> int | None:
    """Return the number of the file system that a path lies on; None where the system does not tell it (not Linux)."""
    if os.uname().sysname != "Linux":
        return None
    room = ctypes.create_string_buffer(_LARGEST)
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), room) != 0:
        return None
    (kind,) = struct.unpack_from("@L", room)
    return int(kind)


def warning(path: str, kind: int | None) -> str | None:
    """Return what to say of a store there, None if there is nothing to say."""
    name = risk(kind) if kind is not None else None
    if name is None:
        return None
    return (
        f"{path} lies on {name}: if another machine opens it too, or the connection breaks, it can be damaged; keep it "
        "on a disk of this machine, with --db"
    )
