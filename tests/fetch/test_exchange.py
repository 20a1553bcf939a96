"""Connections, deadlines, and servers that misbehave byte by byte."""

from __future__ import annotations

import asyncio
import gc
import socket
import struct
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from scraper.fetch.fetcher import SETTLE_BYTES, SETTLE_SECONDS
from scraper.model import Reason

NOW = 1_700_000_000.0
OK = b"HTTP/1.1 200 OK\r\n"
TEXT = b"<!doctype html><title>A small page</title><p>" + b"words and more words " * 4


async def test_connections_are_kept(wired, opened, attempt):
    """Small answers leave their connection usable, those whose body nobody wants included."""
    filler = b"x" * (SETTLE_BYTES - 10)
    scripts = [
        ((b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(filler)), filler), "keep")
        for status in (b"200 OK", b"301 Moved", b"404 Not Found", b"503 Busy", b"200 OK")
    ]
    async with wired(scripts=scripts) as wire, opened() as fetcher:
        for _ in scripts:
            await attempt(fetcher, wire.url)
        assert (wire.asked, wire.connections) == (5, 1)


async def test_large_unwanted_body_is_not_downloaded(wired, opened):
    """A large body behind an error costs its connection, and is neither downloaded nor waited for."""
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n" % (SETTLE_BYTES + 1)
    async with wired(head, end="keep") as wire, opened() as fetcher:
        async with asyncio.timeout(SETTLE_SECONDS / 2):
            for _ in range(2):
                assert (await fetcher.fetch(wire.url)).status == 404
        assert wire.connections == 2


async def test_broken_unwanted_body_does_not_matter(answered):
    """A redirect whose body is cut short is still a redirect."""
    response = await answered(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 99\r\n\r\nabc")
    assert (response.status, response.header("location")) == (302, "/x")


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_one_fetch_is_one_request(end, wired, outcome):
    """A connection that ends without an answer is one request and a failure: aiohttp does not ask again by itself."""
    async with wired(end=end) as wire:
        assert (await outcome(wire.url)).reason == Reason.RESET
        assert (wire.asked, wire.connections) == (1, 1)


async def test_no_second_request_on_a_kept_connection(opened, attempt, wired):
    """Nor does it ask again on a connection that another fetch has left open."""
    page = (OK + b"Content-Length: 2\r\n\r\nhi",)
    entered, leave = asyncio.Event(), asyncio.Event()

    class Two(wired):
        async def request(self, reader):
            if await super().request(reader):
                if self.asked == 2:
                    entered.set()
                    await leave.wait()
                return True
            return False

    async with Two(scripts=[(page, "keep"), ((), "close"), (page, "keep")]) as wire, opened() as fetcher:
        first = asyncio.create_task(fetcher.fetch(wire.url))
        await first
        kept = fetcher._routes.direct.session.connector._conns
        held = {key: list(connections) for key, connections in kept.items()}
        kept.clear()  # so that the next fetch needs a fresh connection, while the kept one stays open
        second = asyncio.create_task(attempt(fetcher, wire.url))
        await entered.wait()
        for key, connections in held.items():
            kept[key].extend(connections)
        leave.set()
        assert (await second).reason == Reason.RESET
        assert wire.asked == 2


async def test_a_stale_kept_connection_is_replaced(wired, opened):
    """A kept connection that the server closes under a request is no failure: a fresh one is asked."""
    page = (OK + b"Content-Length: 2\r\n\r\nhi",)
    async with wired(scripts=[(page, "keep"), ((), "close"), (page, "keep")]) as wire, opened() as fetcher:
        for _ in range(2):
            assert (await fetcher.fetch(wire.url)).body == b"hi"
        assert (wire.asked, wire.connections) == (3, 2)


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_the_free_request_costs_no_attempt(end, wired, opened):
    """However the server ends a kept connection under a request, the page is the outcome of one attempt."""
    page = (OK + b"Content-Length: 2\r\n\r\nhi",)
    async with wired(scripts=[(page, "keep"), ((), end), (page, "keep")]) as wire, opened() as fetcher:
        for _ in range(2):
            response = await fetcher.fetch(wire.url)
            assert (response.body, response.attempts) == (b"hi", 1)
        assert (wire.asked, wire.connections) == (3, 2)


@pytest.mark.parametrize("end", ["close", "reset"])
async def test_only_one_request_is_free(end, wired, opened, attempt):
    """If the fresh connection brings no answer either, that is a failure, and the server has seen no third request."""
    page = (OK + b"Content-Length: 2\r\n\r\nhi",)
    async with wired(scripts=[(page, "keep"), ((), end)]) as wire, opened() as fetcher:
        assert (await fetcher.fetch(wire.url)).body == b"hi"
        assert (await attempt(fetcher, wire.url)).reason == Reason.RESET
        assert (wire.asked, wire.connections) == (3, 2)


async def test_cancelled_fetch_leaves_nothing(wired, opened):
    """After a fetch was cancelled at any byte, the next answer is the next request's own."""
    answer = OK + b"Content-Length: 6\r\n\r\nnumber"
    for end in range(0, len(answer), 3):
        scripts = [((answer[:end],), "keep"), ((OK + b"Content-Length: 3\r\n\r\nown",), "keep")]
        async with wired(scripts=scripts) as wire, opened(concurrency=1) as fetcher:
            cancelled = asyncio.create_task(fetcher.fetch(wire.url))
            for _ in range(30):  # turns of the loop, enough for the request to go out and the answer to come
                await asyncio.sleep(0)
            assert wire.asked == 1
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert (await fetcher.fetch(wire.url)).body == b"own"


async def test_reset_of_an_idle_connection(wired, opened):
    """A kept connection that is reset between two requests is nobody's error, and not reported as one."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    async with wired(OK + b"Content-Length: 2\r\n\r\n", b"hi", end="keep") as wire, opened() as fetcher:
        assert (await fetcher.fetch(wire.url)).body == b"hi"
        (writer,) = wire.served.values()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        for _ in range(10):
            await asyncio.sleep(0)
        assert (await fetcher.fetch(wire.url)).body == b"hi"
        assert wire.connections == 2
    gc.collect()
    assert complaints == []


async def test_close_leaves_nothing(opened, wired):
    """When the fetcher is closed its connections are, and no task is left."""
    before = asyncio.all_tasks()
    ended = asyncio.Event()

    class Watched(wired):
        async def request(self, reader):
            if await super().request(reader):
                return True
            ended.set()
            return False

    async with Watched(OK + b"Content-Length: 2\r\n\r\nhi", end="keep") as wire:
        async with opened() as fetcher:
            await fetcher.fetch(wire.url)
            assert not ended.is_set()
        async with asyncio.timeout(1):
            await ended.wait()
    assert asyncio.all_tasks() == before


async def test_requests_at_once(site, opened):
    """At most `concurrency` connections are open at once."""
    running, peak = 0, 0

    async def busy(request):
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        for _ in range(10):
            await asyncio.sleep(0)
        running -= 1
        return web.Response(text="done")

    site.raw("/", busy)
    async with opened(concurrency=3) as fetcher:
        responses = await asyncio.gather(*(fetcher.fetch(site.url("/")) for _ in range(12)))
    assert [response.body for response in responses] == [b"done"] * 12
    assert peak <= 3


MALFORMED = {
    "no status line": b"<html>hi</html>\r\n\r\n",
    "unknown version": b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "status 99": b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n",
    "status 101": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "status 206": b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nhi",
    "status 600": b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhii",
    "negative length": OK + b"Content-Length: -2\r\n\r\nhi",
    "length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "unknown transfer coding": OK + b"Transfer-Encoding: foo\r\n\r\nhi",
    "coded transfer": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "two transfer codings": OK
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n",
    "bad second chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzz\r\n0\r\n\r\n",
    "chunk too long": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhiXX\r\n0\r\n\r\n",
    "NUL in a header": OK + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "ESC in a header": OK + b"X: a\x1b[31mb\r\nContent-Length: 0\r\n\r\n",
    "space in a header's name": OK + b"X y: z\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
async def test_malformed(data, wired, opened, attempt):
    """A malformed answer is `protocol`, at once, whole or split at any byte, and the next answer is untouched by it."""
    honest = ((OK + b"Content-Length: 3\r\n\r\nown",), "keep")
    async with wired() as wire, opened(concurrency=1) as fetcher:
        for at in range(len(data)):
            wire.asked, wire.scripts = 0, [((data[:at], data[at:]), "keep"), honest]
            async with asyncio.timeout(1):
                error = await attempt(fetcher, wire.url)
                assert error.reason == Reason.PROTOCOL, (at, error)
                assert (await fetcher.fetch(wire.url)).body == b"own"


@pytest.mark.parametrize(("count", "reason"), [(9, None), (10, None), (11, Reason.PROTOCOL), (1000, Reason.PROTOCOL)])
async def test_header_count(count, reason, answered):
    """More header lines than `max_headers` are `protocol`."""
    lines = b"Set-Cookie: a=b\r\n" * (count - 1) + b"Content-Length: 0\r\n\r\n"
    assert getattr(await answered(OK + lines, max_headers=10), "reason", None) == reason


@pytest.mark.parametrize(("size", "reason"), [(900, None), (1100, Reason.PROTOCOL)])
async def test_header_size(size, reason, answered):
    """A header line longer than `max_header_bytes` is `protocol`, and the detail does not repeat it."""
    result = await answered(OK + b"X: " + b"a" * size + b"\r\nContent-Length: 0\r\n\r\n", max_header_bytes=1000)
    assert getattr(result, "reason", None) == reason
    assert reason is None or "aaa" not in result.detail


@asynccontextmanager
async def dripping(first: bytes, drop: bytes):
    """A server that sends `first` and then `drop` again and again."""

    async def serve(reader, writer):
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(first)
            while not writer.is_closing():
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.005)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"a"),
    ],
    ids=["100 for ever", "trickling headers"],
)
async def test_first_byte_timeout(first, drop, outcome):
    """Headers that never end are a `timeout` of the first byte, however lively they come."""
    async with dripping(first, drop) as url:
        error = await outcome(url, first_byte_timeout=0.05)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "first byte")


async def test_silence(site, outcome):
    """A server that takes the request and says nothing is a `timeout` of the first byte."""
    site.hang("/")
    error = await outcome(site.url("/"), first_byte_timeout=0.05, connect_timeout=5)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "first byte")


async def test_idle_timeout(answered):
    """A body that stops coming is a `timeout` by idleness."""
    error = await answered(OK + b"Content-Length: 99\r\n\r\nhi", end="hold", idle_timeout=0.05)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "idle")


@pytest.mark.parametrize("head", [b"Content-Length: 99999\r\n\r\n", b"\r\n"], ids=["length", "endless"])
async def test_total_timeout(head, outcome):
    """A body that trickles is a `timeout` in total, though it is never idle."""
    async with dripping(OK + head, b"a") as url:
        error = await outcome(url, idle_timeout=0.1, total_timeout=0.15)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "total")


@pytest.mark.parametrize(
    ("rate", "detail"), [(0, "total"), (100, "total"), (50_000, "least rate")], ids=["any", "enough", "too little"]
)
async def test_least_rate(rate, detail, outcome):
    """A body that comes at less than `least_rate` is a `timeout` long before the total is up; 0 lets any come (B6)."""
    async with dripping(OK + b"Content-Length: 9999999\r\n\r\n", b"x" * 50) as url:
        error = await outcome(url, idle_timeout=0.1, total_timeout=0.6, least_rate=rate)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, detail)


async def test_connect_timeout_in_the_handshake(outcome):
    """A server that stalls in the TLS handshake is a `timeout` of the connect phase."""
    async with dripping(b"", b"") as url:
        error = await outcome(url.replace("http:", "https:"), connect_timeout=0.05)
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "connect")


class _Silent(aiohttp.abc.AbstractResolver):
    """A resolver that never answers."""

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        await asyncio.Event().wait()

    async def close(self):
        pass


async def test_silent_name_server(monkeypatch, outcome):
    """A name server that does not answer is `dns`, before the time to connect is over (B10)."""
    monkeypatch.setattr(aiohttp, "ThreadedResolver", _Silent)
    error = await outcome("http://silent.example/", connect_timeout=0.5)
    assert (error.reason, error.detail) == (Reason.DNS, "no answer from the name server for now")
