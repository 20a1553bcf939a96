"""Who we are to whom: the headers that one origin alone is sent, and the proxy through which a host is asked.

Credentials belong to an origin, which is scheme, host and port (RFC 6454, section 4): nothing is sent to another one,
whatever a redirect, a link or a sitemap says. Nothing here shows a secret: what is printed are origins and addresses.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """One proxy. `scheme` is http, https, socks4, socks5 or socks5h.

    `resolve` false means that it is trusted to judge which names may be asked: they are not looked up here.
    """

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""
    resolve: bool = True

    def __repr__(self) -> str:
        return f"<Proxy {self}>"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Does it speak SOCKS, else HTTP?"""
        return self.scheme.startswith("socks")

    @property
    def takes_names(self) -> bool:
        """Is it given host names, which it looks up itself? The others are given the address that was judged."""
        return self.scheme not in {"socks4", "socks5"}

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization` (RFC 7617); None without a user."""
        return basic(self.user, self.password) if self.user else None


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """What is sent to whom, and by which way. `origins` is keyed by canonical origin (`https://example.com:8443`).

    `proxies` pairs host patterns with a proxy, None for a direct connection: a host name, `*.example.com` for every
    name below that domain, or `*` for all; the first pair that matches decides.
    """

    origins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    proxies: tuple[tuple[tuple[str, ...], Proxy | None], ...] = ()

    def __repr__(self) -> str:
        return f"<Access {', '.join(self.origins) or 'without origins'}>"

    def headers(self, origin: str) -> Mapping[str, str]:
        """Return what is sent to exactly this origin besides our usual headers."""
        return self.origins.get(origin, NOTHING)

    def proxy(self, hostname: str) -> Proxy | None:
        """Return the proxy for a canonical host name; None is a direct connection."""
        if self.proxies:
            name = hostname.rstrip(".")  # a final dot must not lead around a proxy, nor two, which are asked as one
            for patterns, proxy in self.proxies:
                for pattern in patterns:
                    if name == pattern or (pattern[0] == "*" and name.endswith(pattern[1:])):
                        return proxy
        return None


def basic(user: str, password: str) -> str:
    """Return the credentials of Basic authentication, in UTF-8 (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
