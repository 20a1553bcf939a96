"""Servers that misbehave, played step by step on raw sockets: bytes, pauses, floods, and every way to end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, Self

import pytest
import trustme

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
Step = bytes | float | str | tuple[str, bytes, float] | dict[str, tuple[Any, ...]]


class Server:
    """One port that plays a script on each connection: the n-th gets the n-th script, later ones the last.

    Steps are bytes to send, seconds to pause, ("again", bytes, pause) to send them for ever, without a pause as fast as
    they are taken, and words: "read" a request, "tls" makes a handshake, "half" closes our side alone, "hold" waits
    until the other side is gone, "reset" and "close" end; so does the last step. A mapping of paths to steps answers
    request after request; what is not in it is a 404.
    """

    def __init__(self, *scripts: Iterable[Step], tls: ssl.SSLContext | None = None) -> None:
        self.scripts = [tuple(script) for script in scripts]
        self.tls = tls
        self.heads: list[str] = []
        self.connections = 0
        self.asked = asyncio.Event()  # there was a request
        self.waiting = asyncio.Event()  # all is sent up to the second "read", or to the end
        self.port = 0
        self._playing: set[asyncio.Task[None]] = set()

    def url(self, path: str = "/") -> str:
        """The URL of a path; https if it has a certificate."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def _accept(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return
        script = self.scripts[min(self.connections, len(self.scripts) - 1)]
        self.connections += 1
        task = asyncio.create_task(self._play(connection, script))
        self._playing.add(task)
        task.add_done_callback(self._playing.discard)
        task.add_done_callback(lambda _: connection.close())

    async def _play(self, connection: socket.socket, script: tuple[Step, ...]) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talk = _Talk(connection)
        with contextlib.suppress(OSError, EOFError), connection:
            for step in script:
                await self._do(step, talk)
        self.waiting.set()

    async def _do(self, step: Step, talk: _Talk) -> None:
        match step:
            case bytes():
                await talk.send(step)
            case float():
                await asyncio.sleep(step)
            case ("again", data, pause):
                piece = data if pause else data * (65536 // len(data) or 1)
                while True:
                    await talk.send(piece)
                    await asyncio.sleep(pause)
            case dict():
                while True:
                    await self._ask(talk)
                    for part in step.get(self.heads[-1].split(" ")[1], (NOT_FOUND,)):
                        await self._do(part, talk)
            case "read":
                await self._ask(talk)
            case "tls":
                await talk.handshake(self.tls)
            case str():
                await talk.end(step)

    async def _ask(self, talk: _Talk) -> None:
        if self.asked.is_set():
            self.waiting.set()
        self.heads.append(await talk.request())
        self.asked.set()

    async def __aenter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.setblocking(False)
        self.port = self._listening.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listening, self._accept)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._listening)
        self._listening.close()
        playing = list(self._playing)
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)


class _Talk:
    """One connection, in the clear until there was a handshake."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._loop = asyncio.get_running_loop()
        self._tls: ssl.SSLObject | None = None
        self._came, self._goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._read = b""

    async def send(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.write(data)
            data = self._goes.read()
        await self._loop.sock_sendall(self.socket, data)

    async def end(self, how: str) -> None:
        match how:
            case "half":
                self.socket.shutdown(socket.SHUT_WR)
            case "hold":
                while await self.receive():
                    pass
            case "reset":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                raise EOFError
            case "close":
                raise EOFError

    async def receive(self) -> bytes:
        """What comes next; empty at the end."""
        while True:
            if self._tls is not None:
                with contextlib.suppress(ssl.SSLWantReadError):
                    return self._tls.read(65536)
            data = await self._loop.sock_recv(self.socket, 65536)
            if self._tls is None or not data:
                return data
            self._came.write(data)

    async def request(self) -> str:
        """Take one request; raises EOFError if there is none."""
        while b"\r\n\r\n" not in self._read:
            if not (data := await self.receive()):
                raise EOFError
            self._read += data
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        return head.decode("latin-1")

    async def handshake(self, context: ssl.SSLContext | None) -> None:
        assert context is not None
        self._tls = context.wrap_bio(self._came, self._goes, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._loop.sock_recv(self.socket, 65536)
                if not data:
                    raise EOFError from None
                self._came.write(data)
            except ssl.SSLError:
                await self._flush()
                raise
            else:
                break
        await self._flush()

    async def _flush(self) -> None:
        if data := self._goes.read():
            await self._loop.sock_sendall(self.socket, data)


@pytest.fixture
async def played():
    """Await it with scripts for a Server that listens until the test is over."""
    async with AsyncExitStack() as stack:

        async def start(*scripts, tls=None):
            return await stack.enter_async_context(Server(*scripts, tls=tls))

        yield start


@pytest.fixture(scope="session")
def authorities():
    """The one certificate authority of all tests: making keys takes time."""
    return trustme.CA()


@pytest.fixture
def authority(authorities, monkeypatch):
    """A certificate authority that the fetcher trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authorities.configure_trust(context)
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    return authorities
