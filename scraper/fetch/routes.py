"""By which way a request goes: one session for direct connections, and one for each proxy, made when first needed.

A proxy hides the target from the guard, which judges sockets: so the target is judged before the proxy is asked. An
address by itself; a name by looking it up here, and then by all of its addresses, as the proxy looks it up anew and
picks one. Between the two a name may change: http, https and socks5h proxies are given names all the same, since many
refuse addresses, and virtual hosts need names (RFC 9112, section 3.2.2); what they may reach is for them to bound.
socks4 and socks5 are given the address that was judged, which leaves no gap. Only a proxy with `resolve = false` is
trusted to judge names. A proxy's own address needs no leave: somebody configured it. The proxies and the netrc file of
the environment are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from scraper import urls
from scraper.fetch.access import NOTHING, Access, Proxy
from scraper.fetch.guard import MOST_ADDRESSES, Guard, GuardedResolver, PrivateAddressError
from scraper.fetch.names import KnownNames, system_names

DNS_LIFETIME = 300  # seconds
DNS_NAMES = 100_000


@dataclass(frozen=True, slots=True)
class Route:
    """One way: the session whose connections lead there, and the proxy between."""

    session: aiohttp.ClientSession
    proxy: Proxy | None = None
    tunnel_headers: Mapping[str, str] | None = field(default=None, repr=False)  # with CONNECT; to the target never

    def headers(self, scheme: str) -> Mapping[str, str]:
        """Return what the proxy must be sent with a request; of https it sees the CONNECT alone."""
        return self.tunnel_headers if self.tunnel_headers and scheme == "http" else NOTHING

    def refuses(self, scheme: str, status: int) -> bool:
        """Is this answer the proxy's own, and not the target's? (RFC 9110, section 15.5.8)"""
        return status == 407 and scheme == "http" and self.proxy is not None and not self.proxy.is_socks


class Routes:
    """The ways there are; opened and closed with the fetcher.

    `new_session` makes a session of a connector and the URL of an HTTP proxy. Moments of `clock` are in seconds, and so
    is `patience`, for which a name is waited for.
    """

    def __init__(
        self,
        guard: Guard,
        access: Access | None,
        new_session: Callable[[aiohttp.TCPConnector, str | None], aiohttp.ClientSession],
        *,
        concurrency: int,
        clock: Callable[[], float],
        patience: float,
    ) -> None:
        self._guard = guard
        self._access = access if access is not None and access.proxies else None
        self._new_session = new_session
        self._concurrency = concurrency
        self._clock = clock
        self._resolver = GuardedResolver(guard, KnownNames(system_names(), clock, patience))
        self._judged: dict[str, float] = {}  # until when a name need not be looked up again
        self._proxied: dict[Proxy, Route] = {}
        self.direct = Route(
            new_session(
                aiohttp.TCPConnector(
                    limit=concurrency,
                    limit_per_host=0,
                    interleave=MOST_ADDRESSES,  # each is tried once: with one of them aiohttp tries the others anew
                    ttl_dns_cache=DNS_LIFETIME,
                    dns_cache_max_size=DNS_NAMES,
                    resolver=self._resolver,
                    socket_factory=guard.open_socket,
                ),
                None,
            )
        )

    def __repr__(self) -> str:
        return f"<Routes direct{''.join(f', {proxy}' for proxy in self._proxied)}>"

    def to(self, url: str) -> Route:
        """Return the way to a canonical URL."""
        if self._access is None or (proxy := self._access.proxy(urls.hostname(url))) is None:
            return self.direct
        if proxy not in self._proxied:
            self._proxied[proxy] = self._through(proxy)
        return self._proxied[proxy]

    async def judge(self, proxy: Proxy, host: str, port: int) -> None:
        """Raise PrivateAddressError if a proxy must not be asked for this target, gaierror if there is no such name."""
        name = host.rstrip(".")  # of several dots a proxy may make what it likes
        if name == "localhost" or name.endswith(".localhost"):  # never anything else (RFC 6761, section 6.3)
            if not self._guard.admits("127.0.0.1", port, host):
                raise PrivateAddressError("127.0.0.1")
        elif ":" in host or urls.is_address(name):
            if not self._guard.admits(name, port):
                raise PrivateAddressError(name)
        elif proxy.takes_names and proxy.resolve:
            now = self._clock()
            if 0 < self._judged.get(host, now) - now <= DNS_LIFETIME:  # a clock that was set back does not prolong
                return
            await self._resolver.judge(host, port)
            self._judged.pop(host, None)
            self._judged[host] = now + DNS_LIFETIME  # at every port: seeds open none to a name
            if len(self._judged) > DNS_NAMES:
                del self._judged[next(iter(self._judged))]

    async def close(self) -> None:
        """Close every session."""
        for route in (self.direct, *self._proxied.values()):
            await route.session.close()

    def _through(self, proxy: Proxy) -> Route:
        if proxy.is_socks:
            from scraper.fetch.socks import SocksConnector  # of an extra

            connector = SocksConnector(proxy, self._resolver, limit=self._concurrency)
            return Route(self._new_session(connector, None), proxy)
        session = self._new_session(
            aiohttp.TCPConnector(
                limit=self._concurrency,
                limit_per_host=0,
                ttl_dns_cache=DNS_LIFETIME,
                resolver=aiohttp.ThreadedResolver(),
            ),
            str(proxy),
        )
        credentials = proxy.authorization
        return Route(session, proxy, {"Proxy-Authorization": credentials} if credentials else None)
