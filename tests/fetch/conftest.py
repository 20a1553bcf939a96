"""What the tests of fetching share: fetchers with a still clock, a server that sends given bytes."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from scraper.config import FetchConfig
from scraper.errors import FetchError, PermanentFetchError, TransientFetchError
from scraper.fetch import Fetcher, Guard
from scraper.model import Reason

LOOPBACK = Guard(["127.0.0.0/8"])
NOW = 1_700_000_000.0
TRANSIENT = {
    Reason.DNS,
    Reason.CONNECT,
    Reason.RESET,
    Reason.TRUNCATED,
    Reason.TIMEOUT,
    Reason.HTTP_4XX,
    Reason.HTTP_5XX,
}


def _opened(guard=LOOPBACK, concurrency=2, **settings) -> Fetcher:
    """A fetcher to be entered, with a clock that stands still."""
    return Fetcher(FetchConfig(**settings), guard, concurrency=concurrency, clock=lambda: NOW)


async def _outcome(url, *, wanted=None, limit=None, **settings):
    """What becomes of one fetch by a fetcher of its own."""
    async with _opened(**settings) as fetcher:
        return await _attempt(fetcher, url, wanted=wanted, limit=limit)


async def _attempt(fetcher, url, **options):
    """The Response, or the FetchError with its kind checked."""
    failed = None
    try:
        return await fetcher.fetch(url, **options)
    except FetchError as error:
        failed = error
    assert isinstance(failed, TransientFetchError if failed.reason in TRANSIENT else PermanentFetchError)
    assert failed.url == url
    assert failed.detail.isprintable()
    return failed


class Wire:
    """A server that sends the given bytes, part by part, and then closes, resets or holds the connection."""

    def __init__(self, *parts, end="close", tls=None, scripts=None):
        self.scripts = scripts or [(parts, end)]
        self.tls = tls
        self.asked = 0
        self.connections = 0
        self.served = {}
        self.url = ""

    async def serve(self, reader, writer):
        """Answer the requests of one connection, each with the next script."""
        self.connections += 1
        self.served[asyncio.current_task()] = writer
        try:
            while await self.request(reader):
                parts, end = self.scripts[min(self.asked, len(self.scripts)) - 1]
                for part in parts:
                    writer.write(part)
                    for _ in range(4):  # the reader takes this part before the next one is sent
                        await asyncio.sleep(0)
                if end == "reset":
                    linger = struct.pack("ii", 1, 0)
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    writer.transport.abort()
                    return
                if end == "close":
                    return
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def request(self, reader):
        """Take one request; False if there is none."""
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        self.asked += 1
        return True

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
        port = self.server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}/"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.served.values():
            writer.close()
        await asyncio.gather(*self.served)


async def _answered(*parts, end="close", **options):
    """What becomes of one request to a Wire."""
    async with Wire(*parts, end=end) as wire:
        return await _outcome(wire.url, **options)


@pytest.fixture
def opened():
    """Call it for a fetcher to be entered; settings are those of FetchConfig."""
    return _opened


@pytest.fixture
def outcome():
    """Await it with a URL for the Response or the FetchError of a fetcher of its own."""
    return _outcome


@pytest.fixture
def attempt():
    """Await it with a fetcher and a URL for the Response or the FetchError."""
    return _attempt


@pytest.fixture
def wired():
    """Enter it with the bytes to send: a server and its `url`."""
    return Wire


@pytest.fixture
def answered():
    """Await it with the bytes to send for what becomes of one request that is answered so."""
    return _answered
