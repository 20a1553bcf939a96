"""`--stream`: what has been committed goes to stdout as JSON lines, and who reads them may pause or leave."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

from scraper.app import Run
from scraper.cli.output import abandon, json_bytes, say
from scraper.model import UrlState, Visit

PATIENCE = 1.0  # seconds that a reader who pauses is given after a signal


class Stream:
    """Writes visits in a thread: a pipe that is full holds up the crawl, but neither its signals nor its lease.

    A reader who leaves (`| head`) and a disk that is full stop the crawl in order.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stopped = asyncio.get_running_loop().create_future()
        self._over = False

    def stop(self) -> None:
        """Stop the crawl in order; a reader who does not go on soon is not waited for."""
        if not self._stopped.done():
            self._stopped.set_result(None)
        self._run.stop()

    async def write(self, visit: Visit) -> None:
        """Print a visit; return when the reader has room for the next."""
        lines = b"".join(json_bytes(value) for value in _values(self._run, visit))
        if self._over or not lines:
            return
        writing = asyncio.create_task(asyncio.to_thread(_write, lines), name="stream")
        await asyncio.wait({writing, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({writing}, timeout=PATIENCE)
        if not writing.done():  # its thread ends with the process, and the signal ends that
            self._over = True
        elif isinstance(error := writing.exception(), OSError):
            self._over = True
            abandon(sys.stdout)
            left = isinstance(error, BrokenPipeError)
            say(f"scraper: the crawl stops: standard output {'was closed' if left else f'failed: {error.strerror}'}")
            self.stop()
        else:
            writing.result()


def _values(run: Run, visit: Visit) -> Iterator[dict[str, Any]]:
    if visit.is_unchanged:
        return
    if run.config.crawl.rules or run.config.crawl.extractors:
        for record in visit.records:
            yield {"url": visit.url.url, "rule": record.rule, "position": record.position, "data": record.data}
    elif visit.state is UrlState.FETCHED and visit.page is not None and visit.response is not None:
        page = visit.page
        yield {
            "url": visit.url.url, "status": visit.response.status, "title": page.title, "description": page.description,
            "lang": page.lang, "text": page.text, "depth": visit.url.depth,
        }  # fmt: skip


def _write(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()
