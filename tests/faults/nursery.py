"""Starts the program often and cheaply: imports once, then forks; a start costs 20 ms instead of half a second.

Reads orders, one JSON object a line: `{"argv": [...], "cwd": ..., "output": ..., "temporary": ..., "fault": ...}`
starts the program in a session of its own, and its process id is the answer; with `"fresh": true` it starts as for a
user. `{}` waits for its end, and the answer is `{"code": ..., "cpu": seconds, "writes": ...}`; the code is negative for
a signal.

A fault is `{"at": n}`: SIGKILL instead of the n-th change that SQLite makes to any file (a write, a cut, a deletion),
or with `"torn": true` after half of that write. It sits where SQLite itself puts its fault tests, in the table of
system calls of its VFS, so that all of its threads, files and connections are counted.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import sys
import tempfile
from contextlib import suppress
from itertools import count

SLOTS = (
    "xOpen xDelete xAccess xFullPathname xDlOpen xDlError xDlSym xDlClose xRandomness xSleep xCurrentTime"
    " xGetLastError xCurrentTimeInt64 xSetSystemCall xGetSystemCall xNextSystemCall"
)
NUMBER = ctypes.c_int64
SIGNATURES = {
    b"pwrite64": (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, NUMBER),
    b"pwrite": (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, NUMBER),
    b"write": (ctypes.c_ssize_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t),
    b"ftruncate": (ctypes.c_int, ctypes.c_int, NUMBER),
    b"unlink": (ctypes.c_int, ctypes.c_char_p),
}


class Vfs(ctypes.Structure):
    """`sqlite3_vfs`, version 3."""

    _fields_ = (
        ("iVersion", ctypes.c_int), ("szOsFile", ctypes.c_int), ("mxPathname", ctypes.c_int),
        ("pNext", ctypes.c_void_p), ("zName", ctypes.c_char_p), ("pAppData", ctypes.c_void_p),
        *((name, ctypes.c_void_p) for name in SLOTS.split()),
    )  # fmt: skip


class Writes:
    """Counts the changes that SQLite makes to files, and kills this process at one of them."""

    def __init__(self, at, *, torn):
        import _sqlite3

        library = ctypes.PyDLL(_sqlite3.__file__)
        library.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
        self.vfs = library.sqlite3_vfs_find(None)
        self.set = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
            self.vfs.contents.xSetSystemCall
        )
        self.get = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
            self.vfs.contents.xGetSystemCall
        )
        self.at, self.torn = at, torn
        self.numbers, self.done = count(1), 0
        self.kept = [self._replace(name, *types) for name, types in SIGNATURES.items() if self.get(self.vfs, name)]

    def _replace(self, name, *types):
        kind = ctypes.CFUNCTYPE(*types)
        original = kind(self.get(self.vfs, name))

        def call(*arguments):
            self.done = next(self.numbers)
            if self.done == self.at:
                if self.torn and len(arguments) >= 3:
                    original(*arguments[:2], arguments[2] // 2, *arguments[3:])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments)

        replacement = kind(call)
        assert self.set(self.vfs, name, ctypes.cast(replacement, ctypes.c_void_p)) == 0
        return replacement

    def restore(self):
        """Give SQLite its own system calls back: ours end with the interpreter."""
        self.set(self.vfs, None, None)


def child(order, told):
    """Be the program."""
    os.setsid()
    os.write(told, b"\n")
    os.chdir(order["cwd"])
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number, source in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(source, number)
    os.environ["TMPDIR"] = order["temporary"]
    tempfile.tempdir = None  # it may have looked already
    if order["fresh"]:
        os.execv(sys.executable, [sys.executable, "-m", "scraper", *order["argv"]])
    sys.argv = ["scraper", *order["argv"]]
    writes = None
    if (fault := order.get("fault")) is not None:
        writes = Writes(fault["at"], torn=fault.get("torn", False))
        sys.setswitchinterval(1e-4)  # or the thread that writes waits 5 ms at every write until it may count it
    try:
        runpy.run_module("scraper", run_name="__main__", alter_sys=True)
    finally:
        report = {"modules": list(sys.modules)}
        if writes is not None:
            writes.restore()
            report["writes"] = writes.done
        os.write(told, json.dumps(report).encode())


def ended(pid, heard):
    """Wait for a child, and learn from one that ended in order what there is to import."""
    _, status, usage = os.wait4(pid, 0)
    with open(heard, "rb") as pipe:  # noqa: PTH123 - a number
        report = json.loads(pipe.read() or b"{}")
    for name in set(report.pop("modules", ())) - sys.modules.keys():
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # or each child's collector would copy all of it
    return {"code": os.waitstatus_to_exitcode(status), "cpu": usage.ru_utime + usage.ru_stime, **report}


def main():
    """Carry out orders until there are no more."""
    import soupsieve

    soupsieve.compile("a > b#c.d[e=f]:first-child")  # its patterns take 0.1 s to compile, once a process
    for line in sys.stdin:
        order = json.loads(line)
        if order:
            heard, told = os.pipe()
            if (pid := os.fork()) == 0:
                os.close(heard)
                child(order, told)
                sys.exit(0)
            os.close(told)
            os.read(heard, 1)  # from now on it can be signalled together with what it starts
            answer = pid
        else:
            answer = ended(pid, heard)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
