"""Every failure has its reason: names, ports, certificates, and the table of aiohttp's errors."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest
import trustme
from aiohttp.client_reqrep import ConnectionKey
from aioresponses import aioresponses
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import PermanentFetchError
from scraper.fetch import Guard
from scraper.fetch.reasons import explained, retry_after
from scraper.model import Reason

NOW = 1_700_000_000.0
OK = b"HTTP/1.1 200 OK\r\n"
TEXT = b"<!doctype html><title>A small page</title><p>" + b"words and more words " * 4


class _Failing(aiohttp.abc.AbstractResolver):
    """A resolver that raises."""

    def __init__(self, error):
        self.error = error

    async def resolve(self, host, port=0, family=socket.AF_UNSPEC):
        raise self.error

    async def close(self):
        pass


LOOKUPS = {
    "unknown": (socket.gaierror(socket.EAI_NONAME, "x"), "no such name"),
    "without address": (socket.gaierror(socket.EAI_NODATA, "x"), "no such name, or none with an address"),
    "temporary": (socket.gaierror(socket.EAI_AGAIN, "x"), "no answer from the name server for now"),
    "failing": (socket.gaierror(socket.EAI_FAIL, "x"), "the name server fails"),
    "strange": (socket.gaierror(socket.EAI_SERVICE, "Servname not supported"), "Servname not supported"),
    "impossible": (UnicodeError("label empty or too long"), "not a name that can be looked up"),
}


@pytest.mark.parametrize(("error", "detail"), LOOKUPS.values(), ids=LOOKUPS)
async def test_dns(error, detail, monkeypatch, outcome):
    """A name that cannot be resolved is `dns`, and the detail tells an unknown name from a failing server."""
    monkeypatch.setattr(aiohttp, "ThreadedResolver", lambda: _Failing(error))
    failed = await outcome("http://nowhere.example/")
    assert (failed.reason, failed.detail) == (Reason.DNS, detail)


async def test_name_without_a_usable_address(lookups, outcome):
    """A name whose addresses are all of an unknown kind is `dns`."""
    lookups.table["odd.example"] = []
    assert (await outcome("http://odd.example/")).reason == Reason.DNS


async def test_error_keeps_no_headers(outcome):
    """The cause of a failure says nothing of the headers that were sent, in its text or its repr."""
    asked = aiohttp.RequestInfo(ASKED.url, "GET", {"Authorization": "Bearer canary"}, ASKED.url)
    error = aiohttp.ClientResponseError(asked, (), status=400, message="x", headers={"Set-Cookie": "canary"})
    with aioresponses() as mocked:
        mocked.get("http://host.example/", exception=error)
        failed = await outcome("http://host.example/")
    assert failed.__cause__ is error
    assert "canary" not in f"{error!r} {error} {error.args} {failed!r} {failed}"


async def test_refused_connection(wired, outcome):
    """A port that nobody listens on is `connect`."""
    async with wired() as wire:
        url = wire.url
    error = await outcome(url)
    assert (error.reason, error.detail) == (Reason.CONNECT, "Connection refused")


async def test_tls(authority, serving, wired, outcome):
    """A host with a valid certificate is fetched over TLS."""
    page = OK + b"Content-Length: 2\r\n\r\nhi"
    async with wired(page, tls=serving(authority.issue_cert("127.0.0.1"))) as wire:
        assert (await outcome(wire.url)).body == b"hi"


def _self_signed() -> ssl.SSLContext:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.private_key_pem.tempfile() as key, authority.cert_pem.tempfile() as certificate:
        context.load_cert_chain(certificate, key)
    return context


# What a server shows, made by an authority that we trust, for which host, and whether that is good.
CERTIFICATES = {
    "its own": (lambda made, serving: serving(made("www.example.com")), "www.example.com", True),
    "of several": (lambda made, serving: serving(made("a.example", "www.example.com")), "www.example.com", True),
    "wildcard": (lambda made, serving: serving(made("*.example.com")), "www.example.com", True),
    "wildcard for two labels": (lambda made, serving: serving(made("*.example.com")), "a.b.example.com", False),
    "wildcard for none": (lambda made, serving: serving(made("*.example.com")), "example.com", False),
    "wildcard of a suffix": (lambda made, serving: serving(made("*.com")), "example.com", False),
    "another host's": (lambda made, serving: serving(made("example.org")), "www.example.com", False),
    "a longer name": (lambda made, serving: serving(made("www.example.com.evil.example")), "www.example.com", False),
    "an address": (lambda made, serving: serving(made("127.0.0.1")), "www.example.com", False),
    "name in the subject": (
        lambda made, serving: serving(made("a.example", common_name="www.example.com")), "www.example.com", False
    ),
    "expired": (
        lambda made, serving: serving(made("www.example.com", not_after=datetime(2020, 1, 2, tzinfo=UTC))),
        "www.example.com", False,
    ),
    "not yet valid": (
        lambda made, serving: serving(made("www.example.com", not_before=datetime(2100, 1, 2, tzinfo=UTC))),
        "www.example.com", False,
    ),
    "unknown authority": (
        lambda made, serving: serving(trustme.CA().issue_cert("www.example.com")), "www.example.com", False
    ),
    "self-signed": (lambda made, serving: _self_signed(), "www.example.com", False),
}  # fmt: skip


@pytest.mark.parametrize(("shown", "host", "good"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_certificate(shown, host, good, authority, serving, wired, lookups, outcome):
    """A certificate must be valid now, of a known authority and for this host; else it is `tls`, nothing sent (B9)."""
    lookups.table[host] = ["127.0.0.1"]
    async with wired(OK + b"Content-Length: 2\r\n\r\nhi", tls=shown(authority.issue_cert, serving)) as wire:
        ended = await outcome(wire.url.replace("127.0.0.1", host))
        assert wire.asked == int(good)
    assert good or (type(ended), ended.reason) == (PermanentFetchError, Reason.TLS)


async def test_many_addresses(lookups, outcome):
    """A name with a thousand addresses costs sixteen attempts to connect at most, in the time to connect (B10)."""
    lookups.table["many.example"] = [f"127.9.{number // 250}.{number % 250 + 1}" for number in range(1000)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    tried = []

    class Counting(Guard):
        def open_socket(self, addr_info):
            tried.append(addr_info[4][0])
            return super().open_socket(addr_info)

    error = await outcome(f"http://many.example:{port}/", guard=Counting(["127.0.0.0/8"]))
    assert error.reason == Reason.CONNECT
    assert len(tried) == len(set(tried)) == 16


async def test_full_backlog(outcome):
    """A server that accepts no connection is a `timeout` of the connect phase (B6)."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        error = await outcome(f"http://127.0.0.1:{full.getsockname()[1]}/", connect_timeout=0.2)
        for filler in fillers:
            filler.close()
    assert (error.reason, error.detail) == (Reason.TIMEOUT, "connect")


async def test_plain_server_behind_https(outcome):
    """A server that does not speak TLS is `tls`."""

    async def serve(reader, writer):
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await outcome(f"https://127.0.0.1:{port}/")).reason == Reason.TLS


async def test_handshake_cut_off(outcome):
    """A connection that is closed in the TLS handshake is `reset`."""

    async def serve(reader, writer):
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await outcome(f"https://127.0.0.1:{port}/")).reason == Reason.RESET


KEY = ConnectionKey("host.example", 443, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)
ASKED = aiohttp.RequestInfo(aiohttp.client.URL("http://host.example/"), "GET", None)
ERRORS = [
    (aiohttp.ClientConnectorDNSError(KEY, OSError(None, "no such name")), Reason.DNS),
    (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "x")), Reason.CONNECT),
    (aiohttp.ClientConnectorError(KEY, TimeoutError(110, "x")), Reason.CONNECT),
    (aiohttp.ClientConnectorError(KEY, OSError(113, "x")), Reason.CONNECT),
    (aiohttp.ClientConnectorError(KEY, ConnectionResetError(104, "x")), Reason.RESET),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "x")), Reason.TLS),
    (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLEOFError(8, "x")), Reason.RESET),
    (aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("x")), Reason.TLS),
    (aiohttp.ServerFingerprintMismatch(b"a", b"b", "host.example", 443), Reason.TLS),
    (aiohttp.ServerTimeoutError(), Reason.TIMEOUT),
    (aiohttp.ConnectionTimeoutError(), Reason.TIMEOUT),
    (aiohttp.SocketTimeoutError(), Reason.TIMEOUT),
    (TimeoutError(), Reason.TIMEOUT),
    (aiohttp.ServerDisconnectedError(), Reason.RESET),
    (aiohttp.ClientOSError(104, "x"), Reason.RESET),
    (aiohttp.ClientConnectionResetError("x"), Reason.RESET),
    (aiohttp.ClientConnectionError("x"), Reason.RESET),
    (OSError(24, "x"), Reason.RESET),
    (aiohttp.ClientPayloadError("x"), Reason.TRUNCATED),
    (aiohttp.ClientResponseError(ASKED, (), status=400, message="Bad status line:\n\n  b'\x1b[31m'"), Reason.PROTOCOL),
    (aiohttp.TooManyRedirects(ASKED, ()), Reason.PROTOCOL),
    (aiohttp.InvalidURL("http://host.example/"), Reason.PROTOCOL),
    (aiohttp.NonHttpUrlClientError("x"), Reason.PROTOCOL),
    (aiohttp.ClientError("x"), Reason.PROTOCOL),
]


@pytest.mark.parametrize(("error", "reason"), ERRORS, ids=lambda value: type(value).__name__)
async def test_reasons(error, reason, outcome):
    """Every error of aiohttp and of the sockets has its reason, and the cause is kept."""
    with aioresponses() as mocked:
        mocked.get("http://host.example/", exception=error)
        failed = await outcome("http://host.example/")
    assert failed.reason == reason
    assert failed.__cause__ is error
    assert failed.detail


async def test_statuses_through_the_mock(outcome):
    """A mocked answer passes like a real one."""
    with aioresponses() as mocked:
        mocked.get("http://host.example/", body=TEXT, content_type="text/html")
        assert (await outcome("http://host.example/")).body == TEXT


def test_tls_error_on_an_open_connection():
    """A TLS error after the handshake, which aiohttp reports as a lost connection, is `tls`."""
    lost = aiohttp.ClientOSError(1, "x")
    lost.__cause__ = ssl.SSLError(1, "[SSL: TLSV1_ALERT_INTERNAL_ERROR] x")
    assert explained(lost)[0] == Reason.TLS


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("1000000000000", 1e12),
        ("9" * 400, float("inf")),
        ("-5", None),
        ("1.5", 1.5),
        ("0.0", 0.0),
        ("1.", None),
        (".5", None),
        ("+5", None),
        ("Infinity", None),
        ("nan", None),
        ("1e12", None),
        ("٣", None),
        ("soon", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60.0),
        ("Tue Nov 14 22:14:20 2023", 60.0),
        ("Tue, 14 Nov 2023 23:14:20 +0100", 60.0),
        ("Tuesday, 14-Nov-74 22:14:20 GMT", None),
        ("Tue, 14 Nov 2023 22:14:20 GMT" + " " * 60 + "x", None),
        ("Tue, 14 Nov ٢023 22:14:20 GMT", None),
        ("Tue, 14 Nov 2023 22:12:20 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)).timestamp() - NOW),
        ("Tue, 99 Nov 2023 22:14:20 GMT", None),
        ("Tue, 14 Nov 99999999999999999999 22:14:20 GMT", None),
    ],
)
def test_retry_after(text, seconds):
    """Retry-After is seconds, whole or not, or a date in one of three forms; what is past or makes no sense is None."""
    assert retry_after(text, NOW) == seconds


@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9 ,:+-]{0,50}", fullmatch=True)))
def test_any_retry_after(text):
    """Whatever stands in a Retry-After, it is no number, or one that is not negative."""
    seconds = retry_after(text, NOW)
    assert seconds is None or seconds >= 0
