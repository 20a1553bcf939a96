"""The tests of this folder once more where nothing is made believe: in a namespace, with a canary at every address."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import struct
import subprocess
import sys
from ipaddress import ip_address
from itertools import cycle
from pathlib import Path

import pytest
from aiohttp.resolver import ThreadedResolver

from scraper.config import FetchConfig
from scraper.fetch import Fetcher, Guard
from scraper.model import Reason

IN_NAMESPACE = os.environ.get("SCRAPER_TEST_NAMESPACE") == "1"
HERE = Path(__file__)
ENTERING = """
ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo || exit 77
mount --bind "$1" /etc/resolv.conf || exit 77
shift
exec "$@"
"""
PUBLIC = "93.184.216.34"
A, CNAME, AAAA = 1, 5, 28


@pytest.mark.heavy
@pytest.mark.timeout(300)
@pytest.mark.skipif(IN_NAMESPACE, reason="this is the namespace")
@pytest.mark.skipif(shutil.which("unshare") is None or shutil.which("ip") is None, reason="needs unshare and ip")
def test_in_a_namespace(tmp_path, goal):
    """All tests of this folder pass where each address can be connected and every connection is counted (C1, C2)."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:1\n")
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "heavy or not heavy",
        "-p",
        "no:cacheprovider",
        str(HERE.parent),
    ]
    ended = subprocess.run(
        ["unshare", "-rnm", "sh", "-c", ENTERING, "sh", str(resolv), *tests],
        env=os.environ | {"SCRAPER_TEST_NAMESPACE": "1"}, cwd=HERE.parents[2],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ended.returncode == 77 or "unshare failed" in ended.stderr:
        pytest.skip(f"no namespace can be made here: {ended.stderr.strip()[:200]}")
    told = re.findall(r"^(G\d+) +(.+?) +([\d,]+) +([\d,]+)$", ended.stdout, re.MULTILINE)
    for name, what, tried, failed in told:
        with goal(name, f"{what}, in a namespace"[:84]) as tries:
            tries.tried = int(tried.replace(",", ""))
            tries.failed = ["in a namespace"] * int(failed.replace(",", ""))
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert told


class NameServer(asyncio.DatagramProtocol):
    """A name server in the attacker's hand; `records` are (type, value) by name, those of a cycle by turns."""

    def __init__(self, records):
        self.records = records
        self.asked = 0

    def connection_made(self, transport):
        """Take what answers are sent by."""
        self.transport = transport

    def datagram_received(self, message, sender):
        """Answer one question (RFC 1035, section 4), with a life of no seconds."""
        at, labels = 12, []
        while size := message[at]:
            labels.append(message[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        kind = struct.unpack_from("!H", message, at + 1)[0]
        answers = list(self._answers(".".join(labels), kind))
        head = message[:2] + struct.pack("!5H", 0x8580, 1, len(answers), 0, 0)
        self.transport.sendto(head + message[12 : at + 5] + b"".join(answers), sender)
        self.asked += 1

    def _answers(self, name, kind):
        found = self.records.get(name) or self.records.get(f"*.{name.partition('.')[2]}", ())
        if isinstance(found, cycle):
            found = [(A, next(found))] if kind == A else ()
        for is_a, value in found:
            if is_a in {kind, CNAME}:
                what = _wire(value) if is_a == CNAME else ip_address(value).packed
                yield _wire(name) + struct.pack("!HHIH", is_a, 1, 0, len(what)) + what
            if is_a == CNAME:
                yield from self._answers(value, kind)


def _wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


@pytest.fixture
async def served(network):
    """Start it with records: a name server that this machine asks, as it asks any other."""
    started = []

    async def served(records):
        network.names = ThreadedResolver()
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(lambda: NameServer(records), ("127.0.0.1", 53))
        started.append(transport)
        return server

    yield served
    for transport in started:
        transport.close()


@pytest.mark.heavy
@pytest.mark.skipif(not IN_NAMESPACE, reason="run by test_in_a_namespace")
async def test_real_names(network, served, attempt):
    """Of what a name server says, aliases and all, private addresses are not connected (C2)."""
    await served({
        "alias.test": [(CNAME, "inside.test")],
        "inside.test": [(A, "10.0.0.1")],
        "far.test": [(CNAME, "alias.test")],
        "metadata.test": [(A, "169.254.169.254"), (A, "168.63.129.16")],
        "six.test": [(AAAA, "::1"), (AAAA, "fd00:ec2::254")],
        "both.test": [(A, "127.0.0.1"), (AAAA, "::ffff:127.0.0.1"), (AAAA, "64:ff9b::7f00:1")],
        "mixed.test": [(A, "10.0.0.1"), (A, PUBLIC), (AAAA, "::1"), (A, "127.0.0.1")],
        "open.test": [(CNAME, "mixed.test")],
    })
    async with Fetcher(FetchConfig(), Guard(), concurrency=1) as fetcher:
        for name in ("alias", "inside", "far", "metadata", "six", "both"):
            assert await attempt(fetcher, f"http://{name}.test/") == Reason.PRIVATE_ADDRESS, name
        for name in ("mixed", "open"):
            assert await attempt(fetcher, f"http://{name}.test/") == 404, name
    assert (network.public, network.reached) == (2, [])


@pytest.mark.heavy
@pytest.mark.skipif(not IN_NAMESPACE, reason="run by test_in_a_namespace")
async def test_real_flips(network, served, attempt):
    """Names that a name server gives no life to, and that flip with each question, lead nowhere private (C2)."""
    server = await served({"*.test": cycle([PUBLIC, "127.0.0.1", PUBLIC, "169.254.169.254"])})
    async with Fetcher(FetchConfig(), Guard(), concurrency=4) as fetcher:
        found = [await attempt(fetcher, f"http://n{number}.test/") for number in range(200)]
    assert (set(found), network.reached) == ({404, Reason.PRIVATE_ADDRESS}, [])
    assert found.count(404) == network.public
    assert server.asked >= 200
