"""Write a file whole or not at all: beside its place, synced, then moved there."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from scraper.errors import ConfigError, ScraperError

T = TypeVar("T")


def write_file(path: str | Path, writer: Callable[[BinaryIO], T]) -> T:
    """Let `writer` fill the file and return what it returned; until it has ended, an existing file stays as it was.

    A symbolic link is followed and stays. What is no regular file (a pipe, /dev/stdout) is simply written to. Raises
    ConfigError if there can be no such file, ScraperError if writing failed; both name the path.
    """
    with _blamed(path, ConfigError):
        named = Path(path)
        # Asked before it is resolved: behind /dev/stdout there may be a pipe, which has no name.
        mode = named.stat().st_mode if named.exists() else None
        target = named.resolve() if mode is None or stat.S_ISREG(mode) else named
        if mode is not None and not stat.S_ISREG(mode):
            stream: BinaryIO = target.open("wb")  # a directory refuses here
            beside = None
        else:
            beside = target.with_name(f".{target.name[:60]}.{os.urandom(4).hex()}.tmp")
            stream = beside.open("xb")
    try:
        with _blamed(path, ScraperError):
            with stream:
                result = writer(stream)
                if beside is not None:
                    _keep(stream, mode)
            if beside is not None:
                beside.replace(target)
                _sync(target.parent)
    except BaseException:
        if beside is not None:
            with suppress(OSError):
                beside.unlink()
        raise
    return result


def _keep(stream: BinaryIO, mode: int | None) -> None:
    if mode is not None:
        os.fchmod(stream.fileno(), stat.S_IMODE(mode))
    stream.flush()
    os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    # The new name, too, is to survive a power cut; a file system that cannot sync a directory needs no such call.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _blamed(path: str | Path, blame: type[ScraperError]) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has seen enough; whose business that is knows the command
        raise
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: a loop of symbolic links
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise blame(f"{path} was not written: {why}") from error
