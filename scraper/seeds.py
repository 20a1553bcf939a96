"""The URLs a crawl starts from: typed ones, and lists read line by line, so that a million of them cost no memory.

A list is UTF-8, its lines end in LF, CR LF or CR. A line is blank, a comment (`#` at its beginning), or a URL and
nothing else: a `#` further on begins its fragment.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import IO

from scraper import urls
from scraper.errors import ConfigError, StoppedEarly, UrlError
from scraper.model import Link

SHOWN = 100  # seeds kept in the crawl's row; all of them are rows of `urls`
BATCH = 10_000  # seeds inserted at a time
Complain = Callable[[str], None]
_NOTHING = urls.Stripping()


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of seeds after one reading: `digest` is the same for the same URLs in the same order."""

    count: int
    first: tuple[str, ...]
    digest: str
    bad: int


class Seeds:
    """Typed URLs, then those of a list. Read twice: once to know them, once to store them."""

    def __init__(
        self,
        typed: Iterable[str] = (),
        path: Path | None = None,
        *,
        source: str | None = None,
        strip: urls.Stripping = _NOTHING,
    ) -> None:
        """Take typed URLs, each of which must be good (else UrlError), and a list; bad lines are told and skipped.

        `source` is what the list is called, else its path; `strip` is applied to every URL.
        """
        self.typed = tuple(strip(urls.from_line(text)) for text in typed)
        self._strip = strip
        self._path = path
        self._stopped = False
        self.source = source or (str(path) if path is not None else None)

    def stop(self) -> None:
        """Give up a reading that runs, in whatever thread: it raises StoppedEarly."""
        self._stopped = True

    def survey(self, complain: Complain) -> Survey:
        """Read all once; blocking. Raises ConfigError if there is nothing to crawl."""
        digest, first, count, bad = blake2b(digest_size=16), list[str](), 0, 0

        def told(message: str) -> None:
            nonlocal bad
            bad += 1
            complain(message)

        for url in self._urls(told):
            count += 1
            digest.update(urls.key(url))
            if len(first) < SHOWN:
                first.append(url)
        if not count:
            where = f"{self.source} holds no URL" if self.source else "no URL given"
            raise ConfigError(
                f"{where}: one http:// or https:// URL a line; blank lines and lines that begin with # are skipped"
            )
        return Survey(count, tuple(first), digest.hexdigest(), bad)

    async def links(self) -> AsyncIterator[list[Link]]:
        """Yield all again in batches, ready to be stored."""
        every = self._urls(lambda _: None)
        while batch := await asyncio.to_thread(lambda: list(islice(every, BATCH))):
            yield [Link(url, urls.host(url), urls.key(url)) for url in batch]

    async def roots(self, root_of: Callable[[str], str]) -> AsyncIterator[str]:
        """Yield the scope root of each seed, each once in a row."""
        last = None
        async for batch in self.links():
            for link in batch:
                if (root := root_of(link.url)) != last:
                    yield root
                last = root

    def name(self, survey: Survey) -> str:
        """The default name of a crawl of these seeds: the list's, the only URL, or the first host and how many more."""
        if self._path is not None and not self.typed and self.source != "standard input":
            return self._path.stem
        first = survey.first[0].partition("://")[2].rstrip("/")
        return first if survey.count == 1 else f"{first.partition('/')[0]}+{survey.count - 1}"

    def _urls(self, complain: Complain) -> Iterator[str]:
        yield from self.typed
        if self._path is not None:
            with _opened(self._path, self.source or "") as lines:
                for url in _good(lines, self.source or "", complain):
                    if self._stopped:
                        raise StoppedEarly("stopped while the seeds were read; nothing was stored")
                    yield self._strip(url)


@contextmanager
def listed(name: str, stdin: IO[bytes]) -> Iterator[Path]:
    """The list that `--from` names; standard input (`-`) is copied to a file first, because seeds are read twice."""
    if name != "-":
        yield Path(name)
        return
    with tempfile.NamedTemporaryFile(prefix="scraper-", suffix=".urls") as copy:
        shutil.copyfileobj(stdin, copy)
        copy.flush()
        yield Path(copy.name)


def _opened(path: Path, source: str) -> IO[str]:
    try:
        if path.is_fifo():
            raise ConfigError(
                f"{source} is a pipe, which can be read only once: hand it in on standard input, with --from -"
            )
        lines = path.open("rb")
    except FileNotFoundError:
        raise ConfigError(
            f"{source} does not exist: name a file with one URL a line, or - for standard input"
        ) from None
    except IsADirectoryError:
        raise ConfigError(f"{source} is a directory: name a file with one URL a line") from None
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror}") from error
    head = lines.read(4096)
    lines.seek(0)
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        lines.close()
        raise ConfigError(f"{source} is UTF-16: save it as UTF-8, for example with `iconv -f UTF-16 -t UTF-8`")
    if b"\0" in head:
        lines.close()
        raise ConfigError(f"{source} is not a text file: name a file with one URL a line, in UTF-8")
    # Whatever ends a line is `\n` now, and a byte that is not UTF-8 is a surrogate, so that only its line is bad.
    return io.TextIOWrapper(lines, encoding="utf-8-sig", errors="surrogateescape")


def _good(lines: IO[str], source: str, complain: Complain) -> Iterator[str]:
    for number, raw in enumerate(lines, 1):
        try:
            raw.encode()
            line = raw.strip()
            if line and not line.startswith("#"):
                yield urls.from_line(line)
        except UnicodeEncodeError:
            complain(f"{source}, line {number}: not UTF-8; skipped")
        except UrlError as error:
            complain(f"{source}, line {number}: {error}; skipped")
