"""What every test may use: a real site on loopback, several of them, and aioresponses made to work."""

from __future__ import annotations

import asyncio
import gc
import html
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import SimpleNamespace

import aiohttp
import aioresponses.core
import pytest
from aiohttp import web

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

if "stream_writer" in inspect.signature(aiohttp.ClientResponse.__init__).parameters:

    class _MockedResponse(aiohttp.ClientResponse):
        """aiohttp 3.14 wants a stream writer, which aioresponses does not know; drop this when it does."""

        def __init__(self, *args, **kwargs):
            kwargs.setdefault("stream_writer", SimpleNamespace(output_size=0))
            super().__init__(*args, **kwargs)

    aioresponses.core.ClientResponse = _MockedResponse


def pytest_configure() -> None:
    """Say that there is no event loop yet, or pytest-asyncio makes one that nobody closes."""
    asyncio.set_event_loop(None)


def pytest_collection_finish() -> None:
    """Leave out of every later collection what is there by now: thousands of tests, which stay to the end."""
    gc.collect()
    gc.freeze()


class Site:
    """A real HTTP server on 127.0.0.1 that serves what it was told and remembers what it was asked.

    `requests` holds (path with query, UTC seconds) of every request in order, robots.txt included. What it was not told
    about is a 404.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, float]] = []
        self.headers: list[Mapping[str, str]] = []
        self._handlers: dict[str, Handler] = {}
        self._failing: dict[str, tuple[int, int, Mapping[str, str] | None]] = {}
        self._over = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._port = 0

    @property
    def origin(self) -> str:
        """What a user types to open it: `Guard(origins=[site.origin])`."""
        return f"http://127.0.0.1:{self._port}"

    def url(self, path: str) -> str:
        """The absolute URL of a path."""
        return self.origin + path

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [path for path, _ in self.requests]

    def page(
        self,
        path: str,
        links: Iterable[str] = (),
        title: str | None = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
    ) -> None:
        """Serve a page: a `str` body is put before the links as HTML, a `bytes` body is sent as it is."""
        content = body if isinstance(body, bytes) else _document(path, links, title, body)
        self.raw(path, _answering(status, content, headers))

    def redirect(self, path: str, to: str, status: int = 302) -> None:
        """Answer with a `Location`, sent as given."""
        self.raw(path, _answering(status, b"", {"Location": to}))

    def fails(self, path: str, times: int, status: int = 503, headers: Mapping[str, str] | None = None) -> None:
        """Fail so many times, then serve the page of that path (a plain one if none was given)."""
        self._failing[path] = (times, status, headers)
        if path not in self._handlers:
            self.page(path)

    def robots(self, text: str, status: int = 200) -> None:
        """Serve a robots.txt; without it there is none."""
        self.raw("/robots.txt", _answering(status, text.encode(), {"Content-Type": "text/plain"}))

    def hang(self, path: str) -> None:
        """Take the request and never answer, until the test is over."""
        self.raw(path, self._hang)

    def raw(self, path: str, handler: Handler) -> None:
        """Let an aiohttp handler answer: `async def handler(request) -> StreamResponse`."""
        self._handlers[path] = handler

    async def start(self) -> None:
        """Listen on a free port."""
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Let go of what hangs, and close; a second time does nothing."""
        self._over.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        path = request.raw_path
        self.requests.append((path, time.time()))
        self.headers.append(request.headers)
        left, status, headers = self._failing.get(path, (0, 0, None))
        if left > 0:
            self._failing[path] = (left - 1, status, headers)
            return web.Response(status=status, headers=headers)
        handler = self._handlers.get(path)
        return web.Response(status=404) if handler is None else await handler(request)

    async def _hang(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._over.wait()
        return web.Response(status=500)


class Hosts:
    """Several sites, each on its own port and so each a host of its own."""

    def __init__(self) -> None:
        self._sites: list[Site] = []

    async def new_site(self) -> Site:
        """Start one more; it is stopped when the test is over."""
        site = Site()
        await site.start()
        self._sites.append(site)
        return site

    async def stop(self) -> None:
        """Stop them all at once."""
        await asyncio.gather(*(site.stop() for site in self._sites))


@pytest.fixture
async def hosts() -> AsyncIterator[Hosts]:
    """As many sites as wanted: `await hosts.new_site()`."""
    started = Hosts()
    try:
        yield started
    finally:
        await started.stop()


@pytest.fixture
async def site(hosts: Hosts) -> Site:
    """One site."""
    return await hosts.new_site()


def _answering(status: int, body: bytes, headers: Mapping[str, str] | None) -> Handler:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(
            status=status, body=body, headers={"Content-Type": "text/html; charset=utf-8", **(headers or {})}
        )

    return answer


def _document(path: str, links: Iterable[str], title: str | None, body: str | None) -> bytes:
    anchors = "\n".join(f'<p><a href="{html.escape(link)}">{html.escape(link)}</a></p>' for link in links)
    name = html.escape(path if title is None else title)
    content = f"<h1>{name}</h1>" if body is None else body
    return (
        f"<!doctype html>\n<html lang=en><title>{name}</title>\n<body>{content}\n{anchors}\n</body></html>\n".encode()
    )
