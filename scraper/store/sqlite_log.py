"""The write-ahead log of a SQLite file: how long it is, that it has reached the disk, that it is taken over."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from scraper.store.sqlite_file import in_our_words

# A log so long is taken over. At half of that, commits cost a tenth more CPU; here nothing that can be measured.
CHECKPOINT_BYTES = 8 << 20
_NOWHERE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}


class Log:
    """The log beside a database. What it does is done in the thread of a connection.

    A power cut takes back what has not been synced (`synchronous = normal`: all since the last sync). SQLite syncs the
    log when it takes it over into the database, but not while a long reader keeps it from doing so; and what fails then
    it keeps to itself. So neither is left to it.
    """

    def __init__(self, path: str) -> None:
        self._database = path
        self._path = Path(f"{path}-wal")
        self._full_at = CHECKPOINT_BYTES

    def is_full(self) -> bool:
        """Is it long enough to be taken over?"""
        return self._size() >= self._full_at

    def take_over(self, db: sqlite3.Connection) -> None:
        """Move what no reader needs any more into the database, and cut the log if that is all of it.

        Nobody is waited for: a reader who stays makes it come up again only when the log has grown as much again.
        """
        ((patience,),) = db.execute("PRAGMA busy_timeout")
        db.execute("PRAGMA busy_timeout = 0")
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            db.execute(f"PRAGMA busy_timeout = {patience}")
        self._full_at = self._size() + CHECKPOINT_BYTES

    def sync(self) -> None:
        """Return when all that was committed before is on the disk, so that no power cut takes it back.

        Raises DiskFailed or StoreForbidden.
        """
        try:
            log = os.open(self._path, os.O_RDONLY)  # SQLite has no locks on this file that closing it could lose
            try:
                os.fsync(log)
            finally:
                os.close(log)
        except OSError as error:
            if error.errno in _NOWHERE:
                return  # nothing was committed
            raise in_our_words(self._database, error) from error

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0
