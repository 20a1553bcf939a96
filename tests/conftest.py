"""What every test may use: a real site on loopback, several of them, and aioresponses made to work."""

from __future__ import annotations

import asyncio
import gc
import html
import inspect
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from types import SimpleNamespace
from typing import ClassVar
from urllib.parse import unquote_to_bytes

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count a test marked `goal(name, what)` as one try of that goal."""
    for item in items:
        for mark in item.iter_markers("goal"):
            item.user_properties.append(("goal", (*mark.args, 1, 0)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was tried of each number to reach, and how often it failed."""
    counts: dict[tuple[str, str], list[int]] = {}
    reports = [each for several in terminalreporter.stats.values() for each in several]
    for report in (each for each in reports if isinstance(each, pytest.TestReport) and each.when == "call"):
        for name, what, tried, failed in (value for key, value in report.user_properties if key == "goal"):
            count = counts.setdefault((name, what), [0, 0])
            count[0] += tried
            count[1] += failed or report.failed
    if counts:
        terminalreporter.section("goals: tried and failed")
    for name, what in sorted(counts, key=lambda each: (int(each[0][1:]), each[1])):
        tried, failed = counts[name, what]
        terminalreporter.line(f"{name:<4} {what:<84} {tried:>8,} {failed:>6,}")


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the program keeps of its user on this machine lies elsewhere while it is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


class Goal:
    """A number to reach: what was tried, and what of it failed."""

    def __init__(self) -> None:
        self.tried = 0
        self.failed: list[str] = []

    def check(self, held: object, what: object) -> None:
        """Count one try; `what` says which one it was, if it did not hold."""
        self.tried += 1
        if not held:
            self.failed.append(str(what))


@pytest.fixture
def goal(request: pytest.FixtureRequest) -> Callable[[str, str], AbstractContextManager[Goal]]:
    """Tries of many things, told of together.

    `with goal("G6", "bodies cut at every byte") as tries: tries.check(held, what)`
    """

    @contextmanager
    def trying(name: str, what: str) -> Iterator[Goal]:
        made = Goal()
        try:
            yield made
        finally:
            request.node.user_properties.append(("goal", (name, what, made.tried, len(made.failed))))
        shown = "\n".join(made.failed[:20])
        assert made.tried > 0
        assert not made.failed, f"{len(made.failed)} of {made.tried} failed:\n{shown}"

    return trying


def pytest_collection_finish() -> None:
    """Leave out of every later collection what is there by now: thousands of tests, which stay to the end."""
    gc.collect()
    gc.freeze()


class Site:
    """A real HTTP server on 127.0.0.1 that serves what it was told and remembers what it was asked.

    `requests` holds (path with query, UTC seconds) of every request in order, robots.txt included. What it was not told
    about is a 404.

    Whoever asks for what robots.txt forbids makes the test fail, unless that sets `audited` to False because it is
    about not obeying.
    """

    started: ClassVar[list[Site]] = []  # in this test

    def __init__(self) -> None:
        self.audited = True
        self.requests: list[tuple[str, float]] = []
        self.headers: list[Mapping[str, str]] = []
        self._robots: str | None = None  # as set; what was told to whom may be older
        self._told: str | None = None
        self._judged: list[tuple[str, str, str]] = []  # what was told, to whom, and what they asked
        self._handlers: dict[str, Handler] = {}
        self._folders: dict[str, Handler] = {}
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

    def disallowed(self) -> list[str]:
        """The paths asked for though robots.txt forbade them, as it was last told, or as it is if it was not asked."""
        return [path for robots, user_agent, path in self._judged if forbids(robots, user_agent, path)]

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
        self._robots = text if 200 <= status < 300 else FORBIDS_ALL if status == 429 or status >= 500 else ""
        self.raw("/robots.txt", _answering(status, text.encode(), {"Content-Type": "text/plain"}))

    def hang(self, path: str) -> None:
        """Take the request and never answer, until the test is over."""
        self.raw(path, self._hang)

    def raw(self, path: str, handler: Handler) -> None:
        """Let an aiohttp handler answer: `async def handler(request) -> StreamResponse`."""
        self._handlers[path] = handler

    def below(self, start: str, handler: Handler) -> None:
        """Let a handler answer whatever begins so and was not told about: sites without end."""
        self._folders[start] = handler

    async def start(self) -> None:
        """Listen on a free port."""
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self._port = self._runner.addresses[0][1]
        Site.started.append(self)

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
        if path == "/robots.txt":
            self._told = FORBIDS_ALL if left > 0 and (status == 429 or status >= 500) else self._robots
        elif self._told or self._robots:
            self._judged.append((self._told or self._robots, request.headers.get("User-Agent", ""), path))
        if left > 0:
            self._failing[path] = (left - 1, status, headers)
            return web.Response(status=status, headers=headers)
        handler = self._handlers.get(path)
        if handler is None:
            handler = next((each for start, each in self._folders.items() if path.startswith(start)), None)
        return web.Response(status=404) if handler is None else await handler(request)

    async def _hang(self, request: web.BaseRequest) -> web.StreamResponse:
        await self._over.wait()
        return web.Response(status=500)


FORBIDS_ALL = "User-agent: *\nDisallow: /"


def forbids(robots: str, user_agent: str, path: str) -> bool:
    """Does a robots.txt forbid this path (RFC 9309, section 2.2)? Judged apart from the product, in plain words."""
    raw = unquote_to_bytes(path)
    rules = _rules(robots, re.match(r"[A-Za-z_-]*", user_agent)[0].lower())
    matching = [(length, allows) for length, allows, pieces in rules if _matches(pieces, raw)]
    return bool(matching) and not max(matching)[1]


@lru_cache(maxsize=1000)
def _rules(robots: str, name: str) -> list[tuple[int, bool, list[bytes]]]:
    """The rules for a name, or else for all: length, whether it allows, and the pieces between its asterisks."""
    groups: dict[str, list[tuple[int, bool, list[bytes]]]] = {}
    agents: list[str] = []
    in_rules = False
    for line in robots.splitlines():
        key, _, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if key.lower() == "user-agent":
            agents = [value.lower()] if in_rules else [*agents, value.lower()]
            in_rules = False
            groups.setdefault(agents[-1], [])
        elif key.lower() in {"allow", "disallow"}:
            in_rules = True
            rule = (len(value), key.lower() == "allow", [unquote_to_bytes(piece) for piece in value.split("*")])
            for agent in agents if value else ():
                groups[agent].append(rule)
    return groups.get(name, groups.get("*", []))


def _matches(pieces: list[bytes], path: bytes) -> bool:
    if not path.startswith(pieces[0].removesuffix(b"$")):
        return False
    pattern = b".*".join(map(re.escape, pieces))
    pattern = pattern.removesuffix(rb"\$") + rb"\Z" if pattern.endswith(rb"\$") else pattern
    return re.match(pattern, path, re.DOTALL) is not None


@pytest.fixture(autouse=True)
def obeyed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No site of any test is asked for what its robots.txt forbids: looked at when all of them are stopped."""
    started: list[Site] = []
    monkeypatch.setattr(Site, "started", started)
    yield
    for site in started:
        asked = site.disallowed() if site.audited else []
        assert not asked, f"robots.txt forbids what was asked: {asked}"


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
