"""Connections through a SOCKS proxy; imported only where one is configured, for its package is an extra.

The older protocols are given the very address that the guard has judged, so that a name cannot lead elsewhere in
between. A socks5h proxy is given the name, judged before (`Route.judge`) or, by its setting, by the proxy.
"""

from __future__ import annotations

import asyncio
import os
import socket
from ssl import SSLContext

from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector
from python_socks import ProxyConnectionError, ProxyError, ProxyType
from python_socks.async_.asyncio import Proxy as Dialog

from scraper.fetch.access import Proxy
from scraper.fetch.guard import GuardedResolver

MOST_TRIES = 3  # addresses of one name
NEVER = 86400.0  # seconds; our own deadline ends first, the library's default might not

_TYPES = {"socks4": ProxyType.SOCKS4, "socks5": ProxyType.SOCKS5, "socks5h": ProxyType.SOCKS5}
_REFUSALS = {  # RFC 1928, section 6; SOCKS 4
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused by the host",
    6: "TTL expired",
    7: "command not supported",
    8: "address type not supported",
    0x5B: "rejected or failed",
    0x5C: "rejected",
    0x5D: "rejected",
}


class SocksError(ConnectionError):
    """A proxy that cannot be had, or refuses; the text is the system's words or ours."""


class SocksConnector(ProxyConnector):
    """What makes a session's connections through one proxy."""

    def __init__(self, proxy: Proxy, resolver: GuardedResolver, *, limit: int) -> None:
        super().__init__(proxy.host, proxy.port, limit=limit, limit_per_host=0)
        self._proxy = proxy
        self._names = resolver

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: SSLContext | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as it is called; our own deadline ends first
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Return a connection to the host, with TLS for its name whatever address the proxy was given."""
        error: SocksError | None = None
        for place in await self._places(host, port):
            try:
                connected = await self._dialog().connect(place, port, timeout=timeout or NEVER)
            except (ProxyConnectionError, ProxyError) as refusal:
                error = SocksError(None, _words(refusal))
                continue
            except ValueError:  # a reply that makes no sense, or a name that cannot be sent
                error = SocksError(None, "malformed reply, or a name it cannot be sent")
                continue
            name = host.rstrip(".") if ssl is not None else None
            return await self._loop.create_connection(self._factory, sock=connected, ssl=ssl, server_hostname=name)
        assert error is not None
        raise error

    async def _places(self, host: str, port: int) -> list[str]:
        if self._proxy.takes_names:
            return [host]
        family = socket.AF_INET if self._proxy.scheme == "socks4" else socket.AF_UNSPEC
        return [place["host"] for place in (await self._names.resolve(host, port, family))[:MOST_TRIES]]

    def _dialog(self) -> Dialog:
        proxy = self._proxy
        return Dialog(_TYPES[proxy.scheme], proxy.host, proxy.port, proxy.user or None, proxy.password or None)


def _words(error: Exception) -> str:
    """What to tell about a refusal: never the proxy's or the library's text."""
    if isinstance(error, ProxyError):
        return _REFUSALS.get(error.error_code or 0, "refused, or not a SOCKS proxy")
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number is not None and number > 0 else "cannot be connected"
