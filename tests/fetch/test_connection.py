"""One connection, byte by byte: what is read of it, when, and who is told when it ends."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp.http import HttpProcessingError

from scraper.fetch.body import BodyError
from scraper.fetch.connection import MOST_INTERIM, READ_AT_ONCE, Connection
from scraper.fetch.exchange import come

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class _Transport(asyncio.Transport):
    """A transport that only notes its end."""

    ended = False

    def is_closing(self):
        return self.ended

    def close(self):
        self.ended = True

    abort = close

    def pause_reading(self):
        pass

    resume_reading = pause_reading


@pytest.fixture
async def asked():
    """A connection on which a request was sent."""
    connection = Connection(asyncio.get_running_loop(), most_head=1000)
    connection.connection_made(_Transport())
    connection.set_response_params(read_until_eof=True, auto_decompress=False, max_headers=1000)
    return connection


async def _body(connection):
    """All of the body, read as it comes."""
    _, content = await connection.read()
    pieces = []
    while not content.at_eof():
        pieces.append(await come(content))
    return b"".join(pieces)


async def _turn():
    """Let everybody have a few turns."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_reset_behind_the_last_bytes(asked):
    """A body without length whose last bytes and reset come in one turn of the loop is cut all the same (B1)."""
    reading = asyncio.create_task(_body(asked))
    asked.data_received(OK + b"\r\nhi")
    await _turn()
    asked.data_received(b" there")
    asked.connection_lost(ConnectionResetError(104, "reset"))
    with pytest.raises(aiohttp.ClientPayloadError):
        await reading


@pytest.mark.parametrize("error", [None, ConnectionResetError(104, "reset")], ids=["closed", "reset"])
@pytest.mark.parametrize("end", [b"\r\n", b"\r\n5", b""], ids=["after a chunk", "in a size", "in a chunk"])
async def test_end_behind_a_chunk(asked, end, error):
    """Who waits for a chunk is told of the end, though the end of the last chunk has just woken him in vain (B1)."""
    reading = asyncio.create_task(_body(asked))
    asked.data_received(CHUNKED + b"2\r\nhi")
    await _turn()
    asked.data_received(end)
    asked.connection_lost(error)
    async with asyncio.timeout(5):
        with pytest.raises(aiohttp.ClientPayloadError):
            await reading


async def test_bad_chunk_behind_a_chunk(asked):
    """Who waits for a chunk is told of a malformed one, though the end of the last has just woken him (B8)."""
    reading = asyncio.create_task(_body(asked))
    asked.data_received(CHUNKED + b"2\r\nhi\r")
    await _turn()
    asked.data_received(b"\nzz\r\n")
    async with asyncio.timeout(5):
        with pytest.raises(BodyError):
            await reading


async def test_closed_end(asked):
    """A body without length that is closed is whole (B3)."""
    reading = asyncio.create_task(_body(asked))
    asked.data_received(OK + b"\r\nhi")
    asked.connection_lost(None)
    assert await reading == b"hi"


@pytest.mark.parametrize(
    "head",
    [OK + b"Content-Length: 0\r\n\r\n", b"HTTP/1.1 204 X\r\n\r\n", OK + b"Content-Length: 2\r\n\r\nhi"],
    ids=["empty", "204", "length"],
)
@pytest.mark.parametrize("unasked", [b"x", OK, OK + b"Content-Length: 0\r\n\r\n"], ids=["byte", "part", "answer"])
async def test_unasked_ends_the_connection(asked, head, unasked):
    """What comes behind an answer, read while nobody asks, ends the connection (B14)."""
    asked.data_received(head)
    await _body(asked)
    assert asked.is_connected()
    assert not asked.should_close
    asked.data_received(unasked)
    assert not asked.is_connected()
    assert asked.should_close


async def test_next_request(asked):
    """A connection that was silent in between can be asked again, with bounds of its own for each answer."""
    for _ in range(3):
        asked.data_received(OK + b"X: " + b"y" * 900 + b"\r\nContent-Length: 2\r\n\r\nhi")
        assert await _body(asked) == b"hi"
        assert asked.is_connected()
        asked.set_response_params(read_until_eof=True, auto_decompress=False)


@pytest.mark.parametrize("size", [1, 3, 1000], ids=str)
@pytest.mark.parametrize(
    ("head", "fails"),
    [
        (b"X: y\r\n" * 140, False),
        (b"X: y\r\n" * 170, True),
        (b"X: " + b"y" * 2000, True),
    ],
    ids=["short", "many", "long"],
)
async def test_size_of_a_head(asked, head, fails, size):
    """A head over its bound fails wherever it is split, and whether or not it ends (B7)."""
    data = OK + head.strip() + b"\r\nContent-Length: 0\r\n\r\n"
    for start in range(0, len(data), size):
        asked.data_received(data[start : start + size])
    if fails:
        with pytest.raises(HttpProcessingError, match="Headers over 1000 bytes"):
            await asked.read()
    else:
        assert await _body(asked) == b""
    assert asked.transport.ended is fails


@pytest.mark.parametrize("together", [True, False])
async def test_interim_answers(asked, together):
    """So many interim answers are passed over, and one more fails (B6)."""
    interim = b"HTTP/1.1 103 X\r\n\r\n"
    for data in [interim * MOST_INTERIM] if together else [interim] * MOST_INTERIM:
        asked.data_received(data)
    assert asked.exception() is None
    asked.data_received(interim)
    assert "interim" in str(asked.exception())


async def test_reads_are_small(asked):
    """A turn of the loop reads so much that tiny answers in it do not hold up the others (B6)."""
    assert asked.transport.max_size == READ_AT_ONCE
