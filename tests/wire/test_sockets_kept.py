"""Kept connections: what a server sends unasked is nobody's answer, and a fetch that was cancelled leaves nothing."""

from __future__ import annotations

import asyncio
import socket
from random import Random

import pytest

from scraper.config import FetchConfig
from scraper.errors import FetchError
from scraper.fetch import Fetcher, Guard

LOOPBACK = Guard(["127.0.0.0/8"])


def page(body: bytes) -> bytes:
    """A whole answer, after which the connection can be kept."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


FIRST = {
    "length": page(b"first"),
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n0\r\n\r\n",
    "204": b"HTTP/1.1 204 No Content\r\n\r\n",
    "204 with a length": b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\n",
    "205": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "302": b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nhi",
    "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nhi",
    "503": b"HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nhi",
}
UNASKED = {
    "another answer": page(b"EVIL"),
    "two other answers": page(b"EVIL") * 2,
    "an answer without length": b"HTTP/1.1 200 OK\r\n\r\nEVIL",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n",
    "a head": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n",
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "a redirect": b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"garbage",
    "a blank line": b"\r\n",
    "one byte": b"H",
    "much": b"x" * 1_000_000,
}


async def ended(fetcher, url):
    """The body of an answer, or why there is none."""
    try:
        return (await fetcher.fetch(url)).body
    except FetchError as error:
        return f"{error.reason}: {error.detail}"


async def test_unasked_is_no_answer(played, goal):
    """Whatever a server sends behind an answer, with it or later, whoever asks next gets its own answer (B8, B14)."""

    async def try_one(name, first, unasked, *, together, turns):
        parts = [first + unasked] if together else [first, 0.0, 0.0, 0.0, unasked]
        server = await played(("read", *parts, "read", page(b"own"), "hold"), ("read", page(b"own"), "hold"))
        async with Fetcher(FetchConfig(), LOOPBACK, concurrency=2) as fetcher:
            before = await ended(fetcher, server.url("/first"))
            await server.waiting.wait()  # all of it is sent
            for _ in range(turns):  # in which it is read
                await asyncio.sleep(0)
            after = await ended(fetcher, server.url("/second"))
        tries.check(after == b"own" and "EVIL" not in str(before), f"{name}: {before}, {after}")

    with goal("G7", "unasked bytes behind an answer: the next one is its own") as tries:
        await asyncio.gather(*(
            try_one(f"{kind}, {what}, {together}, {turns}", first, unasked, together=together, turns=turns)
            for kind, first in FIRST.items()
            for what, unasked in UNASKED.items()
            for together, turns in ((True, 0), (False, 0), (False, 9))
        ))  # fmt: skip


async def test_unread_is_no_answer():
    """What has come but was not read yet, as the loop was busy, is not taken for an answer either (B14)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        listening.setblocking(False)
        loop = asyncio.get_running_loop()

        async def accept():
            connection, _ = await loop.sock_accept(listening)
            await loop.sock_recv(connection, 65536)
            return connection

        async with Fetcher(FetchConfig(), LOOPBACK, concurrency=2) as fetcher:
            fetching = asyncio.create_task(fetcher.fetch(url))
            connection = await accept()
            with connection:
                await loop.sock_sendall(connection, page(b"first"))
                assert (await fetching).body == b"first"
                connection.setblocking(True)
                connection.sendall(page(b"EVIL"))  # and the loop has no turn before it is asked again
                fetching = asyncio.create_task(fetcher.fetch(url))
                with await accept() as second:
                    await loop.sock_sendall(second, page(b"own"))
                    assert (await fetching).body == b"own"


async def test_cancelled_at_any_byte(played, goal):
    """A fetch that is cancelled at any byte of its answer never spoils the next one's (B14)."""
    random = Random(14)
    answer = FIRST["chunks"]

    async def try_one(at):
        rest = random.choice(((), (answer[at:],), (answer[at:], page(b"EVIL"))))
        server = await played(
            ("read", answer[:at], 0.0, *rest, "read", page(b"own"), "hold"), ("read", page(b"own"), "hold")
        )
        async with Fetcher(FetchConfig(), LOOPBACK, concurrency=1) as fetcher:
            cancelled = asyncio.create_task(fetcher.fetch(server.url()))
            await server.asked.wait()
            for _ in range(random.randrange(12)):
                await asyncio.sleep(0)
            cancelled.cancel()
            outcome = (await asyncio.gather(cancelled, return_exceptions=True))[0]
            ran = isinstance(outcome, asyncio.CancelledError) or outcome.body == b"first"
            tries.check(ran and await ended(fetcher, server.url()) == b"own", f"{at}: {outcome}")

    with goal("G7", "fetches cancelled at any byte: the next answer is its own") as tries:
        for _ in range(2):
            await asyncio.gather(*(try_one(at) for at in range(len(answer))))


@pytest.mark.parametrize("end", ["close", "reset", "half"])
async def test_ended_meanwhile(played, end):
    """A kept connection that the server ends between two requests is not used again, whatever way it ends (B14)."""
    server = await played(("read", page(b"first"), end, "hold"), ("read", page(b"own"), "hold"))
    async with Fetcher(FetchConfig(), LOOPBACK, concurrency=1) as fetcher:
        assert await ended(fetcher, server.url()) == b"first"
        assert await ended(fetcher, server.url()) == b"own"
    assert len(server.heads) == 2
