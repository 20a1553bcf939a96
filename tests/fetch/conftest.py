"""What the tests of fetching share: fetchers with a still clock, a server that sends given bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from functools import cache

import aiohttp
import pytest
import trustme

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


def _opened(guard=LOOPBACK, concurrency=2, access=None, jar=None, room=None, **settings) -> Fetcher:
    """A fetcher to be entered, with a clock that stands still."""
    config = FetchConfig(**settings)
    return Fetcher(config, guard, concurrency=concurrency, clock=lambda: NOW, access=access, jar=jar, room=room)


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
        self.heads = []
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
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
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


class Relay:
    """A proxy on loopback: it notes what it was `asked` for and leads every target to the port that `to` names.

    Entered, it listens; `port` is where. `faulty` bytes are all that it ever says. `user` and `password` are demanded.
    """

    def __init__(self, *, to=None, user="", password="", faulty=None, tls=None):
        self.to = to or {}
        self.user, self.password = user, password
        self.faulty = faulty
        self.tls = tls
        self.asked = []
        self.connections = 0
        self.served = {}

    async def serve(self, reader, writer):
        """One connection, and whatever goes wrong with it."""
        self.connections += 1
        self.served[asyncio.current_task()] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.faulty is not None:
                await reader.read(1)
                writer.write(self.faulty)
                await writer.drain()
            elif (open_to := await self.greet(reader, writer)) is not None:
                await self.join(reader, writer, *open_to)
        writer.close()

    async def join(self, reader, writer, host, port, first=b""):
        """Carry bytes to and fro until one side closes."""
        there, back = await asyncio.open_connection("127.0.0.1", self.to.get((host, port), self.to.get("*")))
        back.write(first)

        async def carry(source, sink):
            with contextlib.suppress(ConnectionError):
                while chunk := await source.read(65536):
                    sink.write(chunk)
                    await sink.drain()
            sink.close()

        await asyncio.gather(carry(reader, back), carry(there, writer))

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.served.values():
            writer.close()
        await asyncio.gather(*self.served)


class HttpRelay(Relay):
    """A forward proxy: absolute form for http, CONNECT for https; `asked` holds the first line and the headers."""

    def __init__(self, *, connect_status=b"200 OK", **options):
        super().__init__(**options)
        self.connect_status = connect_status

    async def greet(self, reader, writer):
        """Return where to lead the connection; None if it was refused."""
        line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()[:-1]
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        self.asked.append((line, headers))
        method, target, _ = line.split(" ")
        if self.user and headers.get("proxy-authorization") != aiohttp.encode_basic_auth(self.user, self.password):
            writer.write(b"HTTP/1.1 407 Who are you?\r\nSet-Cookie: proxy=1\r\nContent-Length: 0\r\n\r\n")
            return None
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 " + self.connect_status + b"\r\n\r\n")
            host, _, port = target.rpartition(":")
            return (host, int(port)) if self.connect_status.startswith(b"200") else None
        host, _, path = target.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        passed = [one for one in lines if not one.lower().startswith("proxy-")]
        first = "\r\n".join([f"{method} /{path} HTTP/1.1", *passed, "Connection: close", "", ""])
        return name, int(port or 80), first.encode("latin-1")


class SocksRelay(Relay):
    """A SOCKS server, versions 4 and 5; `asked` holds version, target, port and credentials. `reply` is its verdict."""

    def __init__(self, *, reply=None, **options):
        super().__init__(**options)
        self.reply = reply

    async def greet(self, reader, writer):
        """Return where to lead the connection; None if it was refused."""
        version = (await reader.readexactly(1))[0]
        return await (self.greet4 if version == 4 else self.greet5)(reader, writer)

    async def greet4(self, reader, writer):
        """Version 4: an address and a user."""
        _, port, address = struct.unpack("!BH4s", await reader.readexactly(7))
        user = (await reader.readuntil(b"\0"))[:-1].decode()
        self.asked.append((4, socket.inet_ntoa(address), port, user))
        writer.write(bytes([0, self.reply or 0x5A]) + bytes(6))
        return None if self.reply else (socket.inet_ntoa(address), port)

    async def greet5(self, reader, writer):
        """Version 5: an address or a name, and perhaps user and password."""
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        credentials = ""
        if self.user:
            if 2 not in methods:
                writer.write(b"\5\xff")
                return None
            writer.write(b"\5\2")
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            credentials = f"{user.decode()}:{password.decode()}"
            good = credentials == f"{self.user}:{self.password}"
            writer.write(b"\1\0" if good else b"\1\1")
            if not good:
                return None
        else:
            writer.write(b"\5\0")
        kind = (await reader.readexactly(4))[3]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            size, family = (4, socket.AF_INET) if kind == 1 else (16, socket.AF_INET6)
            host = socket.inet_ntop(family, await reader.readexactly(size))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((5, host, port, credentials))
        writer.write(bytes([5, self.reply or 0, 0, 1]) + bytes(6))
        return None if self.reply else (host, port)


class Lookups(aiohttp.abc.AbstractResolver):
    """A resolver by table; what is not in it does not exist. `asked` are the names, in order."""

    def __init__(self, **_):
        self.table = {}
        self.asked = []

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        """Return what the table says."""
        self.asked.append(host)
        if host not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            {"hostname": host, "host": address, "port": port, "family": 0, "proto": 0, "flags": 0}
            for address in self.table[host]
        ]

    async def close(self):
        """Nothing to close."""


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


@pytest.fixture
def forwarding():
    """Enter it for a forward proxy; options are those of HttpRelay."""
    return HttpRelay


@pytest.fixture
def socksing():
    """Enter it for a SOCKS server; options are those of SocksRelay."""
    return SocksRelay


@pytest.fixture
def lookups(monkeypatch):
    """The names there are for every fetcher: fill its `table`, look at what was `asked`."""
    lookups = Lookups()
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: lookups)
    return lookups


@pytest.fixture(scope="session")
def authorities():
    """The one certificate authority of all tests: making keys takes time."""
    return trustme.CA()


@pytest.fixture
def authority(authorities, monkeypatch):
    """A certificate authority that the fetcher trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and need not load all that the system trusts
    authorities.configure_trust(context)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    return authorities


def _serving(certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def serving():
    """Call it with a certificate for what a server needs."""
    return _serving


@pytest.fixture(scope="session")
def certified(authorities):
    """Call it with a name for what its server needs: a certificate that the authority has made."""
    return cache(lambda name: _serving(authorities.issue_cert(name)))
