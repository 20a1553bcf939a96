"""A worker process: how the pool of them is started, what each does first, and what the way it ended means."""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.popen_forkserver import Popen
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pebble takes 0.1 s to import
    from pebble import ProcessPool

PRELOADED = tuple(f"scraper.parse.{name}" for name in ("job", "soup", "walk", "links", "metadata"))
NICE = 10  # parsing yields to the loop that crawls, and to a query beside it: measured 0.7 s down to 0.3 for one
TASKS = 5_000  # pages after which a worker is replaced, with whatever memory a user's code leaked
GARBAGE = 200_000  # objects before the cyclic collector looks; a page has some 10,000, and leaves none
# Signals by which somebody stops a process; nothing in a page sends them.
STOPPED = frozenset({-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP})
# The kernel ran out of memory, or the process that forks the workers died: not surely this page's fault.
UNCLEAR = frozenset({-signal.SIGKILL, 255})


class _Launch(Popen):
    """Starts a worker that does not run the user's script again, as multiprocessing would have it.

    Workers take nothing from it, so a crawl needs no `if __name__ == "__main__":` and runs from a notebook or a pipe.
    """

    def _launch(self, process_obj: object) -> None:
        main = sys.modules["__main__"]
        names = {name: getattr(main, name, None) for name in ("__file__", "__spec__")}
        vars(main).update(dict.fromkeys(names))
        try:
            super()._launch(process_obj)  # type: ignore[misc]  # not in typeshed
        finally:
            vars(main).update({name: value for name, value in names.items() if value is not None or name == "__spec__"})
            if names["__file__"] is None:
                vars(main).pop("__file__", None)


class _Worker(ForkServerProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> _Launch:  # noqa: N802 - multiprocessing's name
        return _Launch(process_obj)


class _Context(ForkServerContext):
    Process = _Worker


def cores() -> int:
    """How many cores this process may use; at least one."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def make_pool(workers: int, memory: int) -> ProcessPool:
    """Return a pool of workers, each of which may take `memory` bytes more than it starts with; none is started yet."""
    from pebble import ProcessPool

    context = _Context()
    context.set_forkserver_preload([*PRELOADED])
    return ProcessPool(
        max_workers=workers, max_tasks=TASKS, initializer=prepare_worker, initargs=(memory,), context=context
    )


def start(pool: ProcessPool) -> None:
    """Start the workers; blocks for about 0.3 s.

    A Ctrl-C reaches the whole group of processes: the one that forks the workers is born deaf to it, or it would die,
    loudly, of one that comes while it still imports.
    """
    resource_tracker.ensure_running()  # which would give it its hearing back
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    assert pool.active  # asking starts it


def end(pool: ProcessPool) -> None:
    """Kill the workers and wait until they are gone; blocks for about 0.1 s, longer if they are just being started."""
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def prepare_worker(memory: int) -> None:
    """Make this process a parse worker: it stops at once when told to, and takes no more memory than it may.

    Trees are taken apart by hand, so the cyclic collector, which would cost more than the parse, rests until objects
    have gathered that can only be an extractor's.
    """
    for module in PRELOADED:
        importlib.import_module(module)  # nothing to do, if the preload succeeded
    # pebble's own handler waits until Python code runs again, which a regular expression can put off for ever.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.dup2(2, 1)  # an extractor's print is no result of ours
    with contextlib.suppress(OSError, AttributeError):  # AttributeError: not on Windows
        os.nice(NICE)
    _die_with_parent()
    _limit_memory(memory)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 10, 10)


def ready() -> str:
    """The first task of a pool, which shows that its workers live."""
    return "ready"


def _die_with_parent() -> None:
    """End this process when the one that crawls ends, however abruptly, and whatever runs here."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    try:
        from fcntl import F_GETFL, F_SETFL, F_SETOWN, F_SETSIG, fcntl  # F_SETSIG is Linux's

        fcntl(parent.sentinel, F_SETOWN, os.getpid())
        fcntl(parent.sentinel, F_SETSIG, signal.SIGKILL)
        fcntl(parent.sentinel, F_SETFL, fcntl(parent.sentinel, F_GETFL) | os.O_ASYNC)
    except ImportError:
        threading.Thread(target=_watch, args=(parent.sentinel,), daemon=True).start()


def _watch(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)


def _limit_memory(memory: int) -> None:
    """Limit the address space, where the system tells how much of it is taken already (Linux)."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return
    import resource

    taken = int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = taken + memory if hard == resource.RLIM_INFINITY else min(taken + memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
