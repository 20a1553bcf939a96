"""One shared session: one GET in, one Response or FetchError out; redirects are answers, nothing is retried here."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from types import TracebackType
from typing import Protocol, Self

import aiohttp
import yarl
from aiohttp.client_proto import ResponseHandler

from scraper import urls
from scraper.config import FetchConfig
from scraper.errors import PermanentFetchError, TransientFetchError, UrlError
from scraper.fetch.access import Access
from scraper.fetch.answers import fault_of, headers_of
from scraper.fetch.body import ACCEPTED, BodyError
from scraper.fetch.connection import HEAD_LINES, Connection
from scraper.fetch.exchange import Deadline, Exchange, come, tracing
from scraper.fetch.guard import Guard
from scraper.fetch.intake import Intake
from scraper.fetch.reasons import retry_after, status_line, translated
from scraper.fetch.room import Room
from scraper.fetch.routes import Route, Routes
from scraper.model import Reason, Response

ACCEPT = "text/html,application/xhtml+xml;q=0.9,application/xml;q=0.8,*/*;q=0.5"
# Which failures are asked again is told by the table in politeness/retry.py; a test holds the two together.
ASK_AGAIN = frozenset({408, 425, 429})  # besides every 5xx but these
HOPELESS = frozenset({501, 505, 506, 510})
NO_BODY = frozenset({204, 205, 304})
NO_LENGTH = "no Content-Length: body ended with the connection"
LOOKUP_SHARE = 0.8  # of the time to connect: then a name server that is silent is told from a host that is
SETTLE_BYTES = 64 * 1024  # of a body nobody wants: reading them is cheaper than a new connection
SETTLE_SECONDS = 1.0

_ON_THE_WIRE = re.compile(r"https?://[!-~]+")  # a canonical URL; blanks or line ends would forge the request
_UNSENDABLE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})


class Jar(Protocol):
    """Cookies of this crawl; it decides which URL gets which."""

    def header(self, url: str) -> str | None:
        """Return the value of `Cookie` for a canonical URL."""

    def store(self, url: str, set_cookie_values: list[str]) -> None:
        """Take what an answer from this URL sets."""


class Fetcher:
    """The sessions and their connections; an async context manager, opened and closed once.

    `access` is who we are to whom and by which way, `jar` keeps cookies; without them none of it is done. `room` is
    shared by the bodies that are large; one that is fetched keeps its place there until its URL leaves. `clock` is UTC
    seconds.
    """

    def __init__(
        self,
        config: FetchConfig,
        guard: Guard,
        *,
        concurrency: int,
        clock: Callable[[], float] = time.time,
        access: Access | None = None,
        jar: Jar | None = None,
        room: Room | None = None,
    ) -> None:
        self._config = config
        self._guard = guard
        self._concurrency = concurrency
        self._clock = clock
        self._access = access
        self._jar = jar
        self._room = room
        self._routes: Routes | None = None

    async def __aenter__(self) -> Self:
        self._routes = Routes(
            self._guard,
            self._access,
            self._new_session,
            concurrency=self._concurrency,
            clock=self._clock,
            patience=LOOKUP_SHARE * self._config.connect_timeout,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._routes is not None:
            await self._routes.close()
            self._routes = None

    def _new_session(self, connector: aiohttp.TCPConnector, proxy: str | None) -> aiohttp.ClientSession:
        most_head = HEAD_LINES * self._config.max_header_bytes
        factory: Callable[[], ResponseHandler] = partial(Connection, asyncio.get_running_loop(), most_head)
        connector._factory = factory  # type: ignore[assignment]  # noqa: SLF001 - there is no other way
        return aiohttp.ClientSession(
            connector=connector,
            proxy=proxy,
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

    async def fetch(
        self,
        url: str,
        *,
        headers: Iterable[tuple[str, str]] = (),
        wanted: Callable[[str], bool] | None = None,
        limit: int | None = None,
        sending: Callable[[], None] | None = None,
    ) -> Response:
        """Send one GET and return the server's answer; a redirect and a 404 are answers too.

        `headers` make it conditional (If-None-Match, If-Modified-Since): only then is a 304 an answer, without a body.
        The body is read only of a 2xx answer whose media type is `wanted`. It is decoded and whole, at most `max_body`
        bytes; with `limit` it is cut there instead, without an error. `sending` is called when the connection stands
        and the request is about to be written. Raises TransientFetchError if asking again may help (no answer, cut
        short, 408, 425, 429, most of 5xx), else PermanentFetchError.
        """
        assert self._routes is not None, "the fetcher is not open"
        url, target = _target(url, strictly=self._access is not None or self._jar is not None)
        began = time.monotonic()
        deadline = Deadline(self._config.total_timeout)
        exchange = self._exchange(deadline, sending)
        route = self._routes.to(url)
        with translated(url, lambda: deadline.phase, lambda: None if exchange.begun else route.proxy):
            async with deadline.running():
                deadline.enter("connect", self._config.connect_timeout)
                sent = await self._sent(url, target, route, headers)
                async with route.session.get(
                    target,
                    headers=sent,
                    proxy_headers=route.tunnel_headers,
                    allow_redirects=False,
                    trace_request_ctx=exchange,
                ) as answer:
                    response = Response(url, answer.status, headers_of(answer), fetched_at=self._clock())
                    self._check(response, answer, route, sent)
                    body, note = await self._body(answer, response, deadline, wanted, limit)
        elapsed_ms = (time.monotonic() - began - deadline.waited) * 1000
        return Response(url, response.status, response.headers, body, elapsed_ms, response.fetched_at, note=note)

    def _exchange(self, deadline: Deadline, sending: Callable[[], None] | None) -> Exchange:
        def connected() -> None:
            deadline.enter("first byte", self._config.first_byte_timeout)
            if sending is not None:
                sending()

        return Exchange(connected)

    async def _sent(
        self, url: str, target: yarl.URL, route: Route, headers: Iterable[tuple[str, str]]
    ) -> dict[str, str] | None:
        """Return what is sent besides our usual headers, to this URL and no other; a proxy's leave is asked first."""
        if route.proxy is not None:
            assert self._routes is not None
            await self._routes.judge(route.proxy, target.raw_host or "", target.port or 0)
        elif self._access is None and self._jar is None and headers == ():
            return None
        sent = {name.lower(): value for name, value in headers if not _UNSENDABLE.search(value)}
        if self._access is not None:
            sent.update(self._access.headers(urls.host(url)))
        if self._jar is not None and (cookie := self._jar.header(url)) and not _UNSENDABLE.search(cookie):
            sent["Cookie"] = cookie
        sent.update(route.headers(target.scheme))
        return sent

    def _check(
        self, response: Response, answer: aiohttp.ClientResponse, route: Route, sent: dict[str, str] | None
    ) -> None:
        """Raise FetchError for an answer that is none; keep the cookies of every other, whatever its status."""
        conditional = sent is not None and not _CONDITIONS.isdisjoint(sent)
        if fault := fault_of(response, answer, conditional=conditional):
            raise PermanentFetchError(response.url, Reason.PROTOCOL, fault)
        if route.refuses(response.url.partition(":")[0], response.status):
            detail = f"proxy {route.proxy}: {status_line(response.status)}"
            raise TransientFetchError(response.url, Reason.CONNECT, detail)
        if self._jar is not None and (cookies := response.header_values("set-cookie")):
            self._jar.store(response.url, cookies)

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
        deadline.enter("idle", 2 * SETTLE_SECONDS)  # the headers are there: no other phase ends before settling does
        if status in ASK_AGAIN or status >= 500:
            await _settle(answer)
            reason = Reason.HTTP_5XX if status >= 500 else Reason.HTTP_4XX
            wait = retry_after(response.header("retry-after"), self._clock())
            kind = PermanentFetchError if status in HOPELESS else TransientFetchError
            raise kind(response.url, reason, status_line(status), wait)
        if not 200 <= status < 300 or status in NO_BODY or not (wanted is None or wanted(response.content_type)):
            await _settle(answer)
            return b"", None
        with self._leaving(response.url):
            most = self._config.max_body if limit is None else limit
            intake = Intake(response, deadline, self._room, most=most, cuts=limit is not None)
            body = await intake.read(answer, self._config.idle_timeout, self._config.least_rate)
        has_length = response.header("content-length") or response.header("transfer-encoding")
        return body, None if has_length else NO_LENGTH

    @contextmanager
    def _leaving(self, url: str) -> Iterator[None]:
        """The context in which a failure gives back the room that a body has."""
        try:
            yield
        except BaseException:
            if self._room is not None:
                self._room.leave(url)
            raise


def _version() -> str:
    try:
        return metadata.version("scraper")
    except metadata.PackageNotFoundError:
        return "0"


def _target(url: str, *, strictly: bool) -> tuple[str, yarl.URL]:
    """The URL without userinfo, which is never sent, and as aiohttp takes it, untouched.

    `strictly` makes sure that it is canonical: what is sent to a host and what is asked of a proxy hang on its text.
    """
    try:
        if _ON_THE_WIRE.fullmatch(url):
            url = urls.canonical(url) if strictly or "@" in url else url
            target = yarl.URL(url, encoded=True)
            if url.find("?") == len(url) - 1:  # yarl drops an empty query, and robots.txt may tell the two apart
                target = target.with_path(f"{target.raw_path}?", encoded=True)
            if target.host and target.port:
                return url, target
    except (UrlError, ValueError):
        pass  # such as a port over 65535
    raise PermanentFetchError(url, Reason.PROTOCOL, "not a canonical http or https URL")


async def _settle(answer: aiohttp.ClientResponse) -> None:
    """Read a small body nobody wants, so that its connection can be used again; close on a large or slow one."""
    left = SETTLE_BYTES
    if (answer.content_length or 0) <= left:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while left > 0 and (chunk := await come(answer.content)):
                    left -= len(chunk)
        except (TimeoutError, aiohttp.ClientError, BodyError):
            left = 0
        if left > 0:
            return
    answer.close()
