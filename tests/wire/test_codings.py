"""Bodies in every coding, whole and cut, over real connections: equal to what was sent, or not fetched."""

from __future__ import annotations

import asyncio
import gzip
import random
import sqlite3
import sys
import zlib
from contextlib import asynccontextmanager, closing

import brotli
import pytest

import scraper
from scraper.config import FetchConfig
from scraper.errors import FetchError
from scraper.fetch import Fetcher, Guard
from scraper.model import Reason, UrlState

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEAD = b"<!doctype html><title>A page</title><p>"
PAGE = HEAD + random.Random(6).randbytes(1000).hex().encode() + b"<p>the same and the same again</p>" * 20


def raw(data):
    """Deflate without the zlib wrapping, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def checked(data):
    """Zstd with a checksum."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


def members(data):
    """Gzip in two members."""
    return gzip.compress(data[:1500]) + gzip.compress(data[1500:])


def frames(data):
    """Zstd in two frames, and one to be skipped between them."""
    return zstd.compress(data[:1500]) + b"\x50\x2a\x4d\x18\x03\0\0\0hey" + checked(data[1500:])


# What is sent in which Content-Encoding lines; each of them is a whole page.
CODED = {
    "br": (["br"], brotli.compress(PAGE)),
    "br, gzip": (["br, gzip"], gzip.compress(brotli.compress(PAGE))),
    "deflate": (["deflate"], zlib.compress(PAGE)),
    "deflate, raw": (["Deflate"], raw(PAGE)),
    "gzip": (["gzip"], gzip.compress(PAGE)),
    "gzip, gzip": (["gzip", "gzip"], gzip.compress(gzip.compress(PAGE))),
    "gzip, identity": (["identity ,\tGZIP,, "], gzip.compress(PAGE)),
    "gzip, members": (["gzip"], members(PAGE)),
    "x-gzip": (["x-gzip"], gzip.compress(PAGE)),
    "zstd": (["zstd"], zstd.compress(PAGE)),
    "zstd, checked": (["ZSTD"], checked(PAGE)),
    "zstd, deflate": (["zstd", "deflate"], zlib.compress(zstd.compress(PAGE))),
    "zstd, frames": (["zstd"], frames(PAGE)),
}
# A body that ends where a member does is whole: nothing in it tells that there was more.
FIRST = {
    "gzip, members": {len(gzip.compress(PAGE[:1500])): PAGE[:1500]},
    "zstd, frames": {len(zstd.compress(PAGE[:1500])) + skipped: PAGE[:1500] for skipped in (0, 11)},
}
FRAMINGS = ["length", "chunks", "close"]


def answer(lines, body, framing="length", chunk=700):
    """An answer whose framing is whole, whatever its body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
    head += b"".join(f"Content-Encoding: {line}\r\n".encode() for line in lines)
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    if framing == "close":
        return head + b"Connection: close\r\n\r\n" + body
    parts = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"


@asynccontextmanager
async def serving(answers):
    """A server on loopback: the number in a path names the answer; yields its origin."""
    served = {}

    async def serve(reader, writer):
        served[asyncio.current_task()] = writer
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                number = path.rpartition(b"/")[2]
                sent = answers[int(number)] if number.isdigit() else b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"
                writer.write(sent)
                if b"Connection: close" in sent:
                    await writer.drain()
                    return
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


async def became(answers, **settings):
    """What becomes of each answer: the body, or why it was not fetched."""

    async def fetched(url):
        try:
            return (await fetcher.fetch(url)).body
        except FetchError as error:
            return error.reason

    ended = []
    fetcher = Fetcher(FetchConfig(**settings), Guard(["127.0.0.0/8"]), concurrency=8)
    async with serving(answers) as origin, fetcher:
        for at in range(0, len(answers), 8):
            some = range(at, min(at + 8, len(answers)))
            ended += await asyncio.gather(*(fetched(f"{origin}/{number}") for number in some))
    return ended


async def tried(goal, what, cuts):
    """Try answers by name: cut ones are `truncated`, whole ones the page."""
    with goal("G6", what) as tries:
        for (name, framing, size, end), ended in zip(cuts, await became(list(cuts.values())), strict=True):
            expected = PAGE if end == size else FIRST.get(name, {}).get(end, Reason.TRUNCATED)
            tries.check(ended == expected, f"{name} by {framing}, {end} of {size} bytes: {ended!r:.60}")


def cut(name, framing, step):
    """Answers that end after every so many bytes of a body, and the whole one."""
    lines, body = CODED[name]
    ends = {*range(random.Random(name).randrange(step), len(body), step), 0, len(body) - 1, len(body)}
    return {(name, framing, len(body), end): answer(lines, body[:end], framing) for end in sorted(ends)}


async def test_cuts(goal):
    """A coded body that ends early, in a framing that is whole, is `truncated` and never a page (B2)."""
    cuts = {}
    for number, name in enumerate(CODED):
        cuts |= cut(name, FRAMINGS[number % len(FRAMINGS)], 60)
    await tried(goal, "over the wire: cut at some bytes, every coding, framing whole", cuts)


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize("framing", FRAMINGS)
async def test_every_cut(goal, framing):
    """The same at every byte, in every coding and framing (B2)."""
    cuts = {}
    for name in CODED:
        cuts |= cut(name, framing, 1)
    await tried(goal, f"over the wire: cut at every byte, every coding, by {framing}", cuts)


async def test_chunks_of_any_size(goal):
    """However a body is cut into chunks, it comes out whole (B2)."""
    with goal("G6", "over the wire: in chunks of any size") as tries:
        names = [(name, size) for name in CODED for size in (1, 2, 3, 17, 256, 1499)]
        answers = [answer(*CODED[name], "chunks", size) for name, size in names]
        for case, ended in zip(names, await became(answers), strict=True):
            tries.check(ended == PAGE, f"{case}: {ended!r:.60}")


TEXT = b"<!doctype html><title>Not coded</title>"
# Content-Encoding lines and body, and what has to become of it: a reason, or the page.
WRONG = {
    "br called gzip": (["gzip"], brotli.compress(PAGE), Reason.BAD_ENCODING),
    "empty br": (["br"], b"", Reason.TRUNCATED),
    "empty gzip": (["gzip"], b"", Reason.TRUNCATED),
    "empty identity": (["identity"], b"", b""),
    "empty zstd": (["zstd"], b"", Reason.TRUNCATED),
    "gzip and a line": (["gzip"], gzip.compress(PAGE) + b"\r\n", Reason.BAD_ENCODING),
    "gzip and half a gzip": (["gzip"], gzip.compress(PAGE) + gzip.compress(PAGE)[:9], Reason.TRUNCATED),
    "gzip and text": (["gzip"], gzip.compress(PAGE) + TEXT, Reason.BAD_ENCODING),
    "gzip called br": (["br"], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "gzip called deflate": (["deflate"], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "gzip called gzip, gzip": (["gzip, gzip"], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "gzip called zstd": (["zstd"], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "gzip in the wrong order": (["br, gzip"], brotli.compress(gzip.compress(PAGE)), Reason.BAD_ENCODING),
    "gzip with a wrong length": (["gzip"], gzip.compress(PAGE)[:-1] + b"\7", Reason.BAD_ENCODING),
    "nothing named": ([""], PAGE, PAGE),
    "quality": (["gzip;q=1.0"], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "quoted": (['"gzip"'], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "spaces": (["gzip gzip"], gzip.compress(gzip.compress(PAGE)), Reason.BAD_ENCODING),
    "text called br": (["br"], TEXT, Reason.BAD_ENCODING),
    "text called deflate": (["deflate"], TEXT, Reason.BAD_ENCODING),
    "text called gzip": (["gzip"], TEXT, Reason.BAD_ENCODING),
    "text called zstd": (["zstd"], TEXT, Reason.BAD_ENCODING),
    "three codings": (["gzip, gzip, gzip"], gzip.compress(gzip.compress(gzip.compress(PAGE))), Reason.BAD_ENCODING),
    "three lines": (["gzip"] * 3, gzip.compress(gzip.compress(gzip.compress(PAGE))), Reason.BAD_ENCODING),
    "twice identity": (["identity", "identity"], PAGE, PAGE),
    "unknown": (["foo"], PAGE, Reason.BAD_ENCODING),
    "unknown behind gzip": (["gzip, foo"], gzip.compress(PAGE), Reason.BAD_ENCODING),
    "utf-8": (["utf-8"], PAGE, Reason.BAD_ENCODING),
    "zstd and text": (["zstd"], zstd.compress(PAGE) + TEXT, Reason.BAD_ENCODING),
}


async def test_wrong_codings(goal):
    """What is mislabelled, unknown or has too much of it is never taken for a page, in any framing (B4)."""
    with goal("G6", "over the wire: mislabelled, unknown, empty, with junk, too many") as tries:
        cases = [(name, framing) for name in sorted(WRONG) for framing in FRAMINGS]
        answers = [answer(*WRONG[name][:2], framing) for name, framing in cases]
        for (name, framing), ended in zip(cases, await became(answers), strict=True):
            tries.check(ended == WRONG[name][2], f"{name} by {framing}: {ended!r:.60}")


async def test_none_is_stored(goal, tmp_path):
    """In a crawl no cut or mislabelled body becomes a page, and every whole one does (B2, B4)."""
    answers, expected = [], []
    for number, (lines, body) in enumerate(CODED.values()):
        for end in (0, number, len(body) // 2, len(body) - 1, len(body)):
            answers.append(answer(lines, body[:end], FRAMINGS[number % 3]))
            expected.append(UrlState.FETCHED if end == len(body) else Reason.TRUNCATED)
    for name in ("text called gzip", "text called br", "unknown", "three codings", "gzip and text"):
        answers.append(answer(*WRONG[name][:2]))
        expected.append(Reason.BAD_ENCODING)
    with goal("G6", "in a crawl: cut, mislabelled and whole bodies, each its state") as tries:
        async with serving(answers) as origin:
            urls = [f"{origin}/{number}" for number in range(len(answers))]
            run = scraper.crawl(
                urls,
                store=tmp_path / "crawl.db",
                allow_private=["127.0.0.0/8"],
                delay=0.0,
                per_host=8,
                retry_attempts=1,
                breaker_failures=999,
            )
            ended = {visit.url.url: visit async for visit in run}
            for url, wanted in zip(urls, expected, strict=True):
                visit = ended[url]
                tries.check(wanted in {visit.state, visit.reason}, f"{url}: {visit.state} {visit.reason}")
            tries.check(run.tally.holds, "the sums")
            whole = [url for url, wanted in zip(urls, expected, strict=True) if wanted == UrlState.FETCHED]
            with closing(sqlite3.connect(tmp_path / "crawl.db")) as db:
                stored = [row[0] for row in db.execute("SELECT url FROM pages ORDER BY url")]
            tries.check(stored == sorted(whole), "the pages stored")
