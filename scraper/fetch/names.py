"""Names to addresses as the system knows them: remembered if absent, asked in threads of their own, few of a domain.

The system's lookup cannot be cancelled: a silent name server keeps its thread for as long as the system has patience,
and whoever has a domain can name any number of hosts in it. So no lookup takes a thread that others need, one domain
has only so many at once, and who asks for a name that is being looked up waits for that answer.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from scraper import urls

ABSENT_FOR = 30.0  # seconds; a resolver's temporary failure is not remembered at all
MOST_ABSENT = 10_000  # names; a page can name any number of them
PATIENCE = 8.0  # seconds
AT_ONCE = 64  # lookups
AT_ONCE_OF_A_DOMAIN = 8

_ABSENT = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
_Found = TypeVar("_Found")
_Asked = tuple[str, int, socket.AddressFamily]


class KnownNames(AbstractResolver):
    """A resolver that does not ask the one behind it again for a name that was not there; `clock` is in seconds.

    `patience` is for how long who asks is kept waiting, in seconds.
    """

    def __init__(self, names: AbstractResolver, clock: Callable[[], float], patience: float = PATIENCE) -> None:
        self._names = names
        self._clock = clock
        self._patience = patience
        self._absent: dict[str, tuple[float, tuple[object, ...]]] = {}  # in the order of their ends
        self._running: dict[_Asked, asyncio.Task[list[ResolveResult]]] = {}
        self._has_suffixes = False
        self._places = asyncio.Semaphore(AT_ONCE)
        self._domains: dict[str, tuple[asyncio.Semaphore, set[_Asked]]] = {}

    def __repr__(self) -> str:
        return f"<KnownNames {len(self._absent)} absent, {len(self._running)} being looked up>"

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return what the resolver behind finds; raises gaierror, at once for a name found absent a moment ago."""
        if (known := self._absent.get(host)) is not None:
            until, why = known
            if 0 < until - self._clock() <= ABSENT_FOR:  # a clock that was set back does not prolong
                raise socket.gaierror(*why)
            del self._absent[host]
        asked = (host, port, family)
        if (running := self._running.get(asked)) is None:
            running = self._running[asked] = asyncio.create_task(self._look_up(*asked), name=f"lookup of {host}")
            running.add_done_callback(lambda _: self._running.pop(asked, None))
            running.add_done_callback(_retrieve)
        try:
            async with asyncio.timeout(self._patience):
                return await asyncio.shield(running)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer in time") from None

    async def _look_up(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        if not self._has_suffixes:
            await asyncio.to_thread(urls.registrable_domain, host)  # reads a list for 0.1 s
            self._has_suffixes = True
        domain = urls.registrable_domain(host)
        places, names = self._domains.setdefault(domain, (asyncio.Semaphore(AT_ONCE_OF_A_DOMAIN), set()))
        names.add((host, port, family))
        try:
            async with places, self._places:
                return await self._names.resolve(host, port, family)
        except socket.gaierror as error:
            # A name may have no address of one family only, which is what nobody here asks for but SOCKS 4.
            if error.errno in _ABSENT and family == socket.AF_UNSPEC:
                self._remember(host, error.args)
            raise
        finally:
            names.discard((host, port, family))
            if not names:
                self._domains.pop(domain, None)

    def _remember(self, host: str, why: tuple[object, ...]) -> None:
        self._absent.pop(host, None)
        self._absent[host] = (self._clock() + ABSENT_FOR, why)
        if len(self._absent) > MOST_ABSENT:
            del self._absent[next(iter(self._absent))]

    async def close(self) -> None:
        """Wait for no lookup any more, and close the resolver behind."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._names.close()


def system_names() -> AbstractResolver:
    """Return the system's own lookup; each runs in a thread that holds up nobody, not even the end of the program."""
    names = aiohttp.ThreadedResolver()
    names._loop = _Threads()  # type: ignore[assignment]  # noqa: SLF001 - it takes them from the loop alone
    return names


class _Threads:
    """What aiohttp's resolver asks of a loop, done in threads that end by themselves."""

    async def getaddrinfo(self, host: str, port: int, **kind: int) -> list[Any]:
        return await _in_thread(lambda: socket.getaddrinfo(host, port, **kind))

    async def getnameinfo(self, address: tuple[Any, ...], flags: int) -> tuple[str, str]:
        return await _in_thread(lambda: socket.getnameinfo(address, flags))


async def _in_thread(call: Callable[[], _Found]) -> _Found:
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Found] = loop.create_future()

    def deliver(found: _Found | None, error: Exception | None) -> None:
        if not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(found)  # type: ignore[arg-type]

    def run() -> None:
        found, failure = None, None
        try:
            found = call()
        except Exception as error:  # noqa: BLE001 - it belongs to who asked
            failure = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, found, failure)

    threading.Thread(target=run, name="lookup", daemon=True).start()
    return await future


def _retrieve(lookup: asyncio.Task[list[ResolveResult]]) -> None:
    """Look at how a lookup ended: asyncio complains about exceptions nobody looked at."""
    if not lookup.cancelled():
        lookup.exception()
