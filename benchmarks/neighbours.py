"""Measure what a hostile host costs the others: `python benchmarks/neighbours.py`; README.md tells how to read it."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple

import report

HONEST = 4  # sites that are measured
GOAL = 0.95  # of the rate that they have without the fifth
LONGEST = 90.0  # seconds until a run is given up
COMMITTED = 1.0  # seconds after its last page in which a crawl has surely stored it
ALONE = "without a fifth site"
KINDS = {
    "honest": "one more of the same",
    "refuses": "nobody listens",
    "silent": "never answers",
    # These have no robots.txt, and a first page that leads to many others; but then
    "hangs": "never answers again",
    "trickles": "one byte a second",
    "resets": "cuts the connection",
    "garbage": "no HTTP",
    "503": "503 for ever",
    "redirects": "each page to another, without end",
    "huge": "pages without end",
}
FILLER = 8_000  # bytes of text on an honest page
LURES = 200  # links on the first page of a hostile site


class Shape(NamedTuple):
    """How it is crawled: a name, the options, and how many pages each honest site has."""

    name: str
    options: str
    pages: int


class Outcome(NamedTuple):
    """Of the honest sites: pages fetched and stored of all there are, and the rate from the first to the last."""

    fetched: int
    stored: int
    pages: int
    rate: float

    @property
    def whole(self) -> bool:
        """Was every page fetched, and stored?"""
        return self.fetched == self.stored == self.pages


def main() -> int:
    """Measure, print; 1 if honest pages are missing or a rate is below the goal."""
    options = _options()
    scraper = Path(sys.executable).with_name("scraper")
    if not scraper.exists():
        raise SystemExit(f"there is no {scraper}: install the project into this environment, `pip install -e .`")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; median of {options.runs}", flush=True)
    fine = True
    for shape in _shapes(quick=options.quick):
        results: dict[str, list[Outcome]] = {kind: [] for kind in (ALONE, *options.fifth)}
        for _ in range(options.runs):
            for kind, outcomes in results.items():
                outcomes.append(_measured(scraper, shape, None if kind == ALONE else kind))
                print(f"{shape.name}, {kind}: {outcomes[-1]}", file=sys.stderr, flush=True)
        rows = [_row(kind, outcomes, results[ALONE]) for kind, outcomes in results.items()]
        print("", *report.table([(shape.name, "fetched", "stored", "pages/s", "ratio"), *rows]), sep="\n", flush=True)
        hostile = {kind: outcomes for kind, outcomes in results.items() if kind not in {ALONE, "honest"}}
        fine &= all(one.whole for outcomes in results.values() for one in outcomes)
        fine &= all(_ratio(outcomes, results[ALONE]) >= GOAL for outcomes in hostile.values())
    print("", f"the goal, {GOAL:.0%} of the rate and every page, is {'met' if fine else 'MISSED'}", sep="\n")
    return int(not fine)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    known = ",".join(KINDS)
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each, in turn (3)")
    parser.add_argument("--quick", action="store_true", help="a third of the pages")
    parser.add_argument("--fifth", default=known, metavar="LIST", help=f"what the fifth site may be ({known})")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is at least 1")
    options.fifth = [kind for kind in options.fifth.split(",") if kind]
    if unknown := set(options.fifth) - set(KINDS):
        parser.error(f"--fifth knows {known}, not {', '.join(sorted(unknown))}")
    return options


def _shapes(*, quick: bool) -> Iterator[Shape]:
    """The defaults but for the delay, or it would take long; then as much as goes."""
    yield Shape("per-host 2, delay 0.1", "--per-host 2 --delay 0.1", 60 if quick else 180)
    yield Shape("per-host 32, delay 0", "--per-host 32 --delay 0 --concurrency 32", 400 if quick else 1200)


def _measured(scraper: Path, shape: Shape, fifth: str | None) -> Outcome:
    """Crawl the honest sites, and a fifth, until the honest ones are through."""
    with tempfile.TemporaryDirectory(prefix="scraper-benchmark-") as scratch, _ports(HONEST + 1) as sockets:
        place, pages = Path(scratch), shape.pages * HONEST
        origins = [f"http://127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        log, db = place / "log", place / "pages.db"
        with _serving(sockets[:HONEST], "honest", shape.pages, log), _fifth(sockets[HONEST], fifth, shape.pages, place):
            seeds = [f"{origin}/0" for origin in origins[: HONEST + (fifth is not None)]]
            command = [str(scraper), "crawl", *seeds, "--depth", "99", "--allow-private", "127.0.0.0/8", "--quiet"]
            with (place / "output").open("wb") as output:
                started = subprocess.Popen([*command, *shape.options.split(), "--db", str(db)], stderr=output)
            try:
                moments = _wait_for_all(started, log, pages)
            finally:
                started.send_signal(signal.SIGINT)
                started.wait()
        if len(moments) < 2:
            raise SystemExit((place / "output").read_text(encoding="utf-8", errors="replace")[-4000:])
        with closing(sqlite3.connect(db)) as stored:
            urls = [url for (url,) in stored.execute("SELECT url FROM pages")]
        kept = sum(url.startswith(tuple(f"{origin}/" for origin in origins[:HONEST])) for url in urls)
    times = sorted(moments.values())
    return Outcome(len(moments), kept, pages, (len(times) - 1) / (times[-1] - times[0]))


def _wait_for_all(crawl: subprocess.Popen[bytes], log: Path, pages: int) -> dict[str, float]:
    """Return when each honest page was asked for first: once all were, or the crawl has ended, or it takes too long."""
    deadline = time.monotonic() + LONGEST
    while len(moments := _moments(log)) < pages and crawl.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    if crawl.poll() is None:
        time.sleep(COMMITTED)
    return moments


def _moments(log: Path) -> dict[str, float]:
    moments: dict[str, float] = {}
    for line in log.read_text(encoding="ascii").splitlines() if log.exists() else ():
        moment, page, *end = line.split()
        if end:  # a line that is being written has none yet
            moments.setdefault(page, float(moment))
    return moments


@contextmanager
def _ports(count: int) -> Iterator[list[socket.socket]]:
    """Sockets bound to free ports and not listening yet, so that nobody else takes them."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        yield sockets
    finally:
        for one in sockets:
            one.close()


@contextmanager
def _serving(sockets: Sequence[socket.socket], kind: str, pages: int, log: Path) -> Iterator[None]:
    """Serve sites while the block runs, in a process of their own."""
    numbers = [one.fileno() for one in sockets]
    command = [sys.executable, str(Path(__file__)), "serve", kind, str(pages), str(log)]
    server = subprocess.Popen([*command, *map(str, numbers)], pass_fds=numbers, stdin=subprocess.DEVNULL)
    try:
        while not log.exists() and server.poll() is None:
            time.sleep(0.02)
        yield
    finally:
        server.kill()
        server.wait()


@contextmanager
def _fifth(one: socket.socket, kind: str | None, pages: int, place: Path) -> Iterator[None]:
    if kind is None or kind == "refuses":  # nobody listens
        yield
    else:
        with _serving([one], kind, pages, place / "log-of-the-fifth"):
            yield


def _ratio(outcomes: Sequence[Outcome], alone: Sequence[Outcome]) -> float:
    """The median of the ratios, run by run, so that what else the machine does falls on both."""
    return median(one.rate / other.rate for one, other in zip(outcomes, alone, strict=True))


def _row(kind: str, outcomes: Sequence[Outcome], alone: Sequence[Outcome]) -> tuple[str, ...]:
    return (
        kind if kind == ALONE else f"{kind}: {KINDS[kind]}",
        f"{min(one.fetched for one in outcomes)}/{outcomes[0].pages}",
        f"{min(one.stored for one in outcomes)}/{outcomes[0].pages}",
        f"{median(one.rate for one in outcomes):.1f}",
        f"{_ratio(outcomes, alone):.3f}",
    )


async def _serve(kind: str, pages: int, log: Path, numbers: Sequence[int]) -> None:
    """Be the sites whose sockets have these numbers, until killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode("ascii")
                if path != "/robots.txt" and kind == "honest":
                    told.write(f"{time.time():.6f} {port}{path} .\n")
                if kind == "silent":
                    await asyncio.sleep(LONGEST)
                elif path == "/robots.txt":
                    writer.write(_message("404 Not Found", b""))
                elif kind == "honest":
                    writer.write(_message("200 OK", _page(int(path[1:]), pages)))
                elif path == "/0":
                    writer.write(_message("200 OK", _links(range(1, LURES + 1))))
                elif not await _mistreat(kind, path, writer):
                    break
                await writer.drain()
        writer.close()

    with log.open("w", encoding="ascii", buffering=1) as told:
        servers = [await asyncio.start_server(answer, sock=socket.socket(fileno=number)) for number in numbers]
        await asyncio.gather(*(server.serve_forever() for server in servers))


async def _mistreat(kind: str, path: str, writer: asyncio.StreamWriter) -> bool:
    """Answer as such a host does, and tell whether the connection is still of use."""
    match kind:
        case "hangs":
            await asyncio.sleep(LONGEST)
        case "trickles":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100000\r\n\r\n")
            for _ in range(int(LONGEST)):
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(1)
        case "resets":
            linger = struct.pack("ii", 1, 0)  # closing is a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        case "garbage":
            writer.write(random.randbytes(4096))
        case "503":
            writer.write(_message("503 Service Unavailable", b"busy"))
        case "redirects":
            writer.write(_message("302 Found", b"", f"Location: {path}1\r\n"))
        case "huge":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"10000\r\n" + b"<p>text\n" * 8192 + b"\r\n")
                await writer.drain()
    return kind in {"503", "redirects"}


def _message(status: str, body: bytes, headers: str = "") -> bytes:
    told = f"Content-Type: text/html\r\nContent-Length: {len(body)}\r\n{headers}"
    return f"HTTP/1.1 {status}\r\n{told}\r\n".encode("ascii") + body


def _page(number: int, pages: int) -> bytes:
    """A page of a site that is a binary tree; besides it leads to some others."""
    below = [one for one in (2 * number + 1, 2 * number + 2) if one < pages]
    text = b"<p>All work and no play makes a page." * (FILLER // 37)
    return _links([*below, *((number * 7 + step * 13) % pages for step in range(20))]) + text


def _links(numbers: Iterable[int]) -> bytes:
    return "".join(f"<p><a href=/{number}>page {number}</a>" for number in numbers).encode("ascii")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(_serve(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]), [int(number) for number in sys.argv[5:]]))
    sys.exit(main())
