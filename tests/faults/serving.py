"""A website in a process of its own: a folder, or pages without end; what it is asked is counted in a file.

Run with one argument, a JSON object; prints its port. `folder` may be a symbolic link that is turned to another one
meanwhile; a page beside which there is a file whose name ends in `.hangs` is never answered. `counts` is a file of two
numbers of 8 bytes: requests, and those that robots.txt forbids (/private). `delay` is the longest of the random seconds
before an answer, `resets` the share of paths whose first request ends in a reset.
"""

import asyncio
import json
import mmap
import random
import socket
import struct
import sys
import zlib
from pathlib import Path

TYPES = {".html": "text/html; charset=utf-8", ".txt": "text/plain", ".css": "text/css", ".svg": "image/svg+xml"}
CHILDREN, OTHERS = 2, 8  # links on a page of the site without end: to new ones, and to some that were seen
FILLER = "<p>" + " ".join(f"word{number}" for number in range(400)) + "</p>"  # makes such a page one of 4 KB


class Site:
    """What is served, and the counts."""

    def __init__(self, asked):
        self.folder = Path(asked["folder"]) if "folder" in asked else None
        self.redirects = asked.get("redirects", {})
        self.delay, self.resets = asked.get("delay", 0.0), asked.get("resets", 0.0)
        self.chance = random.Random(asked.get("seed", 0))
        self.seen = set()
        with Path(asked["counts"]).open("r+b") as file:
            self.counts = mmap.mmap(file.fileno(), 16)

    def count(self, path):
        """One more request."""
        requests, forbidden = struct.unpack("QQ", self.counts[:])
        self.counts[:] = struct.pack("QQ", requests + 1, forbidden + path.startswith("/private"))

    def is_reset(self, path):
        """Is this request cut off? Never a second one of the same path."""
        if not self.resets or path in self.seen:
            return False
        self.seen.add(path)
        return self.chance.random() < self.resets

    def hangs(self, path):
        """Is this path never answered?"""
        return self.folder is not None and (self.folder / f"{path.lstrip('/')}.hangs").exists()

    def answer(self, path, tag):
        """The bytes of an answer; with the tag that it has already, those of a 304."""
        if path in self.redirects:
            return _whole("302 Found", b"", f"Location: {self.redirects[path]}\r\n")
        body = self._body(path)
        if body is None:
            return _whole("404 Not Found", b"none")
        here = f'"{zlib.crc32(body):08x}"'
        if tag == here:
            return f"HTTP/1.1 304 Not Modified\r\nETag: {here}\r\n\r\n".encode()
        kind = TYPES.get(Path(path).suffix, "text/html; charset=utf-8")
        return _whole("200 OK", body, f"ETag: {here}\r\nContent-Type: {kind}\r\n")

    def _body(self, path):
        if self.folder is None:
            return _endless(path)
        file = self.folder / path.lstrip("/")
        try:
            return file.read_bytes() if ".." not in path else None
        except OSError:
            return None


def _endless(path):
    number = path.removeprefix("/e").removesuffix(".html")
    if not number.isdigit():
        return None
    chance, here = random.Random(number), int(number)
    others = [here * CHILDREN + n for n in range(1, CHILDREN + 1)] + [chance.randint(0, here) for _ in range(OTHERS)]
    links = "".join(f'<a href="/e{other}.html">{other}</a> ' for other in others)
    return f"<title>Page {number}</title><h1>{number}</h1>{FILLER}<p>{links}</p>".encode()


def _whole(status, body, headers=""):
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Talk(asyncio.Protocol):
    """One connection; the client waits for an answer before it asks again."""

    def __init__(self, site):
        self.site = site
        self.heard = b""

    def connection_made(self, transport):
        """Keep what is written to."""
        self.transport = transport

    def data_received(self, data):
        """Answer a request that is whole."""
        self.heard += data
        if not self.heard.endswith(b"\r\n\r\n"):
            return
        lines = self.heard.decode("latin-1").split("\r\n")
        self.heard = b""
        path = lines[0].split(" ")[1]
        tag = next((line.split(": ")[1] for line in lines if line.lower().startswith("if-none-match:")), None)
        self.site.count(path)
        if self.site.hangs(path):
            return
        if self.site.is_reset(path):
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()
        elif self.site.delay:
            seconds = self.site.chance.choice((0.0, 0.0, 0.3, 1.0)) * self.site.delay
            asyncio.get_running_loop().call_later(seconds, self.send, path, tag)
        else:
            self.send(path, tag)

    def send(self, path, tag):
        """Answer, if there is still somebody."""
        if not self.transport.is_closing():
            self.transport.write(self.site.answer(path, tag))


async def serve(asked):
    """Serve until standard input ends."""
    site = Site(asked)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Talk(site), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(json.loads(sys.argv[1])))
