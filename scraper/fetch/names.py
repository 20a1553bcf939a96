"""Names that do not exist, remembered for a while: a thousand URLs of a dead name cost a few lookups."""

from __future__ import annotations

import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult

ABSENT_FOR = 30.0  # seconds; a resolver's temporary failure is not remembered at all
MOST_ABSENT = 10_000  # names; a page can name any number of them

_ABSENT = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class KnownNames(AbstractResolver):
    """A resolver that does not ask the one behind it again for a name that was not there; `clock` is in seconds."""

    def __init__(self, names: AbstractResolver, clock: Callable[[], float]) -> None:
        self._names = names
        self._clock = clock
        self._absent: dict[str, tuple[float, tuple[object, ...]]] = {}  # in the order of their ends

    def __repr__(self) -> str:
        return f"<KnownNames {len(self._absent)} absent>"

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return what the resolver behind finds; raises gaierror, at once for a name found absent a moment ago."""
        if (known := self._absent.get(host)) is not None:
            until, why = known
            if 0 < until - self._clock() <= ABSENT_FOR:  # a clock that was set back does not prolong
                raise socket.gaierror(*why)
            del self._absent[host]
        try:
            return await self._names.resolve(host, port, family)
        except socket.gaierror as error:
            # A name may have no address of one family only, which is what nobody here asks for but SOCKS 4.
            if error.errno in _ABSENT and family == socket.AF_UNSPEC:
                self._remember(host, error.args)
            raise

    def _remember(self, host: str, why: tuple[object, ...]) -> None:
        self._absent.pop(host, None)
        self._absent[host] = (self._clock() + ABSENT_FOR, why)
        if len(self._absent) > MOST_ABSENT:
            del self._absent[next(iter(self._absent))]

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._names.close()
