"""Bodies made to fill memory or to take the loop's time, over real connections: told, and never at others' cost."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import zlib
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import brotli
import pytest

import scraper
from scraper.app import line
from scraper.config import FetchConfig
from scraper.errors import FetchError
from scraper.fetch import Fetcher, Guard, Room
from scraper.model import Reason, UrlState

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024
PAGE = b"<!doctype html><title>A page</title><p>" + b"of many words, and of some more; " * 20_000  # 0.7 MB
EMPTY = gzip.compress(b"", mtime=0)
SKIPPED = b"\x50\x2a\x4d\x18\0\0\0\0"  # a zstd frame of nothing
METADATA = b"\x0c" + b"\x06" * 200_000  # brotli that goes on and says nothing


def _brotli(mebibytes):
    """Zeros in brotli, made piece by piece."""
    packer, zeros = brotli.Compressor(quality=5, lgwin=24), bytes(MIB)
    return b"".join([packer.process(zeros) for _ in range(mebibytes)]) + packer.finish()


def _deflated(wbits, data):
    packer = zlib.compressobj(9, wbits=wbits)
    return packer.compress(data) + packer.flush()


@pytest.fixture(scope="module")
def bombs():
    """Content-Encoding and body by name; none of them is a page, and all but OTHERS are too large."""
    zeros = bytes(16 * MIB)
    small = gzip.compress(zeros)
    return {
        "brotli": ("br", _brotli(16)),
        "brotli in brotli": ("br, br", brotli.compress(_brotli(16))),
        "deflate": ("deflate", _deflated(15, zeros)),
        "deflate in gzip, nothing in it": ("deflate, gzip", gzip.compress(b"\0\0\0\xff\xff" * 400_000)),
        "gzip": ("gzip", small),
        "gzip in brotli": ("gzip, br", brotli.compress(small, quality=5)),
        "gzip in gzip": ("gzip, gzip", gzip.compress(small)),
        "gzip, empty members": ("gzip", EMPTY * 50_000),
        "gzip, full members": ("gzip", gzip.compress(bytes(60_000)) * 1000),
        "gzip, hidden members": ("gzip, zstd", zstd.compress(EMPTY * 50_000)),
        "metadata": ("br", METADATA),
        "metadata in brotli": ("br, br", brotli.compress(METADATA, quality=5)),
        "raw deflate": ("deflate", _deflated(-15, zeros)),
        "zstd": ("zstd", zstd.compress(zeros)),
        "zstd, skipped frames": ("zstd", SKIPPED * 50_000),
        "zstd, two of 1 TiB": ("zstd", b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0"),
    }


OTHERS = {
    "deflate in gzip, nothing in it": Reason.TRUNCATED,
    "metadata": Reason.TRUNCATED,
    "metadata in brotli": Reason.TRUNCATED,
    "zstd, two of 1 TiB": Reason.BAD_ENCODING,
}


@asynccontextmanager
async def serving(answers):
    """A server on loopback with answers (coding, body) by path; yields its origin. robots.txt is a 404."""
    served = {}

    async def serve(reader, writer):
        served[asyncio.current_task()] = writer
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
                status = "200 OK" if path in answers else "404 Not Found"
                coding, body = answers.get(path, ("", b""))
                kind = "application/xml" if path.endswith(".xml") else "text/html"
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"{head}Content-Encoding: {coding}\r\n\r\n".encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in served.values():
            writer.close()
        await asyncio.gather(*served)


async def reason_of(fetcher, url, **options):
    """Why a URL was not fetched; None if it was."""
    try:
        await fetcher.fetch(url, **options)
    except FetchError as error:
        return error.reason
    return None


async def test_bombs(goal, bombs):
    """A body that would become far more than it is, or is endless work, is given up, and told for what it is (B5)."""
    answers = {f"/{number}": bombs[name] for number, name in enumerate(sorted(bombs))}
    with goal("G7", "compression bombs: each too large, or none") as tries:
        async with (
            serving(answers) as origin,
            Fetcher(FetchConfig(), Guard(["127.0.0.0/8"]), concurrency=4, room=Room(64 * MIB)) as fetcher,
        ):
            for number, name in enumerate(sorted(bombs)):
                reason = await reason_of(fetcher, f"{origin}/{number}")
                tries.check(reason == OTHERS.get(name, Reason.TOO_LARGE), f"{name}: {reason}")


async def test_a_listing_is_cut(goal, bombs):
    """Where a body may be cut, as a sitemap's may, a bomb ends early without an error (B5, C9)."""
    names = ["brotli", "deflate", "gzip", "gzip in gzip", "zstd"]
    answers = {f"/{number}": bombs[name] for number, name in enumerate(names)}
    with goal("G7", "compression bombs as sitemaps: cut") as tries:
        async with (
            serving(answers) as origin,
            Fetcher(FetchConfig(), Guard(["127.0.0.0/8"]), concurrency=4) as fetcher,
        ):
            for number, name in enumerate(names):
                body = (await fetcher.fetch(f"{origin}/{number}", limit=50 * MIB)).body
                tries.check(0 < len(body) < 20 * MIB, f"{name}: {len(body)}")


class Measured(Room):
    """A room that remembers the most that was taken of it at once."""

    made = None

    def __init__(self, size):
        super().__init__(size)
        self.size = size
        self.most = 0
        type(self).made = self

    def _put(self, url, host, size):
        super()._put(url, host, size)
        self.most = max(self.most, self._used)


async def test_all_bodies_together(tmp_path, monkeypatch, goal):
    """In a crawl large bodies have four times the largest at most, all are fetched, and in the end nothing is held."""
    monkeypatch.setattr(line, "Room", Measured)
    pages = {f"/{number}": ("", PAGE) for number in range(2)}
    async with AsyncExitStack() as stack:
        origins = [await stack.enter_async_context(serving(pages)) for _ in range(6)]
        urls = [origin + path for path in pages for origin in origins]
        options = {
            "delay": 0.0,
            "per_host": 6,
            "parse_workers": 0,
            "max_body": MIB,
            "store_batch_seconds": 0.0,
            "allow_private": ["127.0.0.0/8"],
        }
        run = scraper.crawl(urls, store=tmp_path / "crawl.db", **options)
        with goal("G7", "large bodies of many hosts at once: fetched, within their room") as tries:
            async for visit in run:
                tries.check(visit.state is UrlState.FETCHED, f"{visit.url.url}: {visit.reason}")
            room = Measured.made
            tries.check(len(PAGE) < room.most <= room.size == 4 * MIB, room.most)
            tries.check(not room._taken and not room._used and not room._of_host, room)


CRAWL = """
import asyncio, resource, sys, scraper
async def main(store, urls):
    options = {"delay": 0.0, "per_host": 4, "allow_private": ["127.0.0.0/8"], "retry_attempts": 1}
    options["parse_timeout"] = 60.0
    ended = [visit.state async for visit in scraper.crawl(urls, store=store, **options)]
    print(sum(state == "fetched" for state in ended), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
"""


async def crawled(store, urls):
    """How many were fetched by a process of its own, and its largest memory in MiB."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CRAWL, str(store), *urls), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    fetched, kibibytes = (await process.communicate())[0].split()
    return int(fetched), int(kibibytes) // 1024


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="ru_maxrss has another unit elsewhere")
async def test_memory_of_large_bodies(tmp_path, goal):
    """A crawl of ten-megabyte pages of sixteen hosts at once takes 400 MiB at most, not 30 MB for each of 32 (B5)."""
    page = b"<!doctype html>" + b"".join(b"<p>%032x</p>" % (number * 7919**9) for number in range(250_000))
    async with AsyncExitStack() as stack:
        origins = [await stack.enter_async_context(serving({f"/{n}": ("", page) for n in range(3)})) for _ in range(16)]
        urls = [f"{origin}/{number}" for number in range(3) for origin in origins]
        fetched, most = await crawled(tmp_path / "crawl.db", urls)
    with goal("G7", "memory of 48 pages of ten megabytes: below 400 MiB") as tries:
        tries.check((fetched, most < 400) == (len(urls), True), (fetched, most))


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="ru_maxrss has another unit elsewhere")
async def test_memory_of_bombs(tmp_path, goal, bombs):
    """Beside honest pages, bombs of two hosts cost 64 MiB at most, and 1 GiB in 1.6 KB no more than others (B5, G7)."""
    hostile = {f"/{number}": bombs[name] for number, name in enumerate(sorted(bombs))}
    hostile["/gibibyte"] = ("br", _brotli(1024))
    honest = {f"/{number}": ("", PAGE[:40_000]) for number in range(60)}
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(serving(honest))
        bad = [await stack.enter_async_context(serving(hostile)) for _ in range(2)]
        pages = [good + path for path in honest]
        _, alone = await crawled(tmp_path / "honest.db", pages)
        fetched, most = await crawled(
            tmp_path / "both.db", [*pages, *(origin + path for origin in bad for path in hostile)]
        )
    with goal("G7", "memory of bombs beside honest pages: 64 MiB more at most") as tries:
        tries.check(fetched == len(pages), f"{fetched} fetched")
        tries.check(most - alone <= 64, f"{most - alone} MiB more")
