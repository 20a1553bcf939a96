"""One shared session: one GET in, one Response or FetchError out; redirects are answers, nothing is retried here."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from importlib import metadata
from types import TracebackType
from typing import Self

import aiohttp
import yarl

from scraper import urls
from scraper.config import FetchConfig
from scraper.errors import PermanentFetchError, TransientFetchError, UrlError
from scraper.fetch.body import ACCEPTED, STEP, BodyError, Decoder, codings
from scraper.fetch.exchange import Deadline, Exchange, failing_with_connection, tracing
from scraper.fetch.guard import Guard, GuardedResolver
from scraper.fetch.reasons import retry_after, translated
from scraper.model import Reason, Response

ACCEPT = "text/html,application/xhtml+xml;q=0.9,application/xml;q=0.8,*/*;q=0.5"
ASK_AGAIN = frozenset({408, 429})  # besides every 5xx
NO_BODY = frozenset({204, 205, 304})
NO_LENGTH = "no Content-Length: body ended with the connection"
DNS_LIFETIME = 300  # seconds
DNS_NAMES = 100_000
SETTLE_BYTES = 64 * 1024  # of a body nobody wants: reading them is cheaper than a new connection
SETTLE_SECONDS = 1.0

_ON_THE_WIRE = re.compile(r"https?://[!-~]+")  # a canonical URL; blanks or line ends would forge the request
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Fetcher:
    """The session and its connections; an async context manager, opened and closed once."""

    def __init__(
        self, config: FetchConfig, guard: Guard, *, concurrency: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._config = config
        self._guard = guard
        self._concurrency = concurrency
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = GuardedResolver(self._guard, aiohttp.ThreadedResolver())
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._concurrency,
                limit_per_host=0,
                ttl_dns_cache=DNS_LIFETIME,
                dns_cache_max_size=DNS_NAMES,
                resolver=resolver,
                socket_factory=self._guard.open_socket,
            ),
            headers={
                "User-Agent": self._config.user_agent or f"scraper/{_version()}",
                "Accept": ACCEPT,
                "Accept-Encoding": ACCEPTED,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # Deadline keeps the time
            trace_configs=[tracing()],
            auto_decompress=False,
            trust_env=False,
            max_line_size=self._config.max_header_bytes,
            max_field_size=self._config.max_header_bytes,
            max_headers=self._config.max_headers,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def fetch(
        self, url: str, *, wanted: Callable[[str], bool] | None = None, limit: int | None = None
    ) -> Response:
        """Send one GET and return the server's answer; a redirect and a 404 are answers too.

        The body is read only of a 2xx answer whose media type is `wanted`. It is decoded and whole, at most `max_body`
        bytes; with `limit` it is cut there instead, without an error. Raises TransientFetchError if asking again may
        help (no answer, cut short, 408, 429, 5xx), else PermanentFetchError.
        """
        assert self._session is not None, "the fetcher is not open"
        url, target = _target(url)
        began = time.monotonic()
        deadline = Deadline(self._config.total_timeout)
        with translated(url, lambda: deadline.phase):
            async with deadline.running():
                deadline.enter("connect", self._config.connect_timeout)
                exchange = Exchange(lambda: deadline.enter("first byte", self._config.first_byte_timeout))
                async with self._session.get(target, allow_redirects=False, trace_request_ctx=exchange) as answer:
                    response = Response(url, answer.status, _headers(answer), fetched_at=self._clock())
                    body, note = await self._body(answer, response, deadline, wanted, limit)
        elapsed_ms = (time.monotonic() - began) * 1000
        return Response(url, response.status, response.headers, body, elapsed_ms, response.fetched_at, note=note)

    async def _body(
        self,
        answer: aiohttp.ClientResponse,
        response: Response,
        deadline: Deadline,
        wanted: Callable[[str], bool] | None,
        limit: int | None,
    ) -> tuple[bytes, str | None]:
        """Return the body and a note on it, as far as the answer is one to read."""
        status = response.status
        if fault := _fault(response):
            raise PermanentFetchError(response.url, Reason.PROTOCOL, fault)
        if status in ASK_AGAIN or status >= 500:
            await _settle(answer)
            reason = Reason.HTTP_5XX if status >= 500 else Reason.HTTP_4XX
            wait = retry_after(response.header("retry-after"), self._clock())
            raise TransientFetchError(response.url, reason, _status_line(status), wait)
        if not 200 <= status < 300 or status in NO_BODY or not (wanted is None or wanted(response.content_type)):
            await _settle(answer)
            return b"", None
        with failing_with_connection(answer):
            body = await self._decoded(answer, response, deadline, limit)
        has_length = response.header("content-length") or response.header("transfer-encoding")
        return body, None if has_length else NO_LENGTH

    async def _decoded(
        self, answer: aiohttp.ClientResponse, response: Response, deadline: Deadline, limit: int | None
    ) -> bytes:
        most = self._config.max_body if limit is None else limit
        decoder = Decoder(codings(response.header_values("content-encoding")), most)
        too_large = BodyError(Reason.TOO_LARGE, f"over {most} bytes")
        if limit is None and (answer.content_length or 0) > most:
            raise too_large
        pieces: list[bytes] = []
        while not (decoder.overflowed or answer.content.at_eof()):
            deadline.enter("idle", self._config.idle_timeout)
            for piece in decoder.feed(await answer.content.readany()):
                pieces.append(piece)
                if len(piece) >= STEP:
                    await asyncio.sleep(0)  # a small chunk can decode to megabytes: let the others go on
        if not decoder.overflowed:
            decoder.finish()
        elif limit is None:
            raise too_large
        else:
            answer.close()
        return b"".join(pieces)


def _version() -> str:
    try:
        return metadata.version("scraper")
    except metadata.PackageNotFoundError:
        return "0"


def _target(url: str) -> tuple[str, yarl.URL]:
    """The URL without userinfo, which is never sent, and as aiohttp takes it, untouched."""
    try:
        if _ON_THE_WIRE.fullmatch(url):
            url = urls.canonical(url) if "@" in url else url
            target = yarl.URL(url, encoded=True)
            if target.host and target.port:
                return url, target
    except (UrlError, ValueError):
        pass  # such as a port over 65535
    raise PermanentFetchError(url, Reason.PROTOCOL, "not a canonical http or https URL")


def _headers(answer: aiohttp.ClientResponse) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), _text(value)) for name, value in answer.headers.items())


def _text(value: str) -> str:
    """A header's value as UTF-8 if it is, else as Latin-1: aiohttp leaves surrogates, which no database takes."""
    if value.isascii():
        return value
    sent = value.encode("utf-8", "surrogateescape")
    try:
        return sent.decode("utf-8")
    except UnicodeDecodeError:
        return sent.decode("latin-1")


def _status_line(status: int) -> str:
    """The status with the standard's phrase, never the server's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _fault(response: Response) -> str | None:
    """What is wrong with an answer that aiohttp lets pass."""
    if not 200 <= response.status <= 599:
        return f"status {response.status}"
    if response.status == 206:
        return "206 Partial Content, but no range was asked for"
    transfer = [value.strip().lower() for value in response.header_values("transfer-encoding")]
    if transfer not in ([], ["chunked"]):
        return f"unknown transfer coding {', '.join(transfer)[:40]!a}"
    if transfer and response.header("content-length") is not None:
        return "both Content-Length and Transfer-Encoding"
    for name, value in response.headers:
        if _CONTROL.search(value):
            return f"control character in the header {name[:40]}"
    return None


async def _settle(answer: aiohttp.ClientResponse) -> None:
    """Read a small body nobody wants, so that its connection can be used again; close on a large or slow one."""
    left = SETTLE_BYTES
    if (answer.content_length or 0) <= left:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while left > 0 and (chunk := await answer.content.readany()):
                    left -= len(chunk)
        except (TimeoutError, aiohttp.ClientError):
            left = 0
        if left > 0:
            return
    answer.close()
