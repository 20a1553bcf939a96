"""Which addresses may be connected? Judged where a socket is made, so names, literals and rebinding all pass there.

Public addresses may, by tables of our own: `ipaddress.is_global` lets through NAT64, 6to4 and more that lead inside. An
IPv4 address embedded in IPv6 (`::ffff:0:0/96`, `64:ff9b::/96`) is unwrapped first and judged as IPv4. Private ones need
an `--allow-private` range, or a seed typed as a literal address or `localhost`, which opens that address and port, but
to no other name that leads there: whoever owns a name could lead it to a service that trusts only its own.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from scraper.errors import ConfigError

MOST_ADDRESSES = 16  # of one name; a thousand would be a thousand attempts to connect

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own services
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_EMBEDDING = (_MAPPED, IPv6Network("64:ff9b::/96"))

_Place: TypeAlias = tuple[IPv4Address | IPv6Address, int, str | None]  # port; the name looked up, None for none


class PrivateAddressError(PermissionError):
    """A connection that the guard refused; `address` is where it would have gone.

    The text is constant: aiohttp joins several addresses' errors into a plain OSError unless their texts are equal.
    """

    def __init__(self, address: str) -> None:
        super().__init__(errno.EACCES, "not a public address")
        self.address = address


class Guard:
    """The rule for one session; connections are pooled per session and not judged again.

    `allowed` are CIDR ranges (a bad one raises ConfigError). `origins` are typed seeds' origins (`http://127.0.0.1:8000`):
    a host that is a literal address or `localhost` opens exactly that address and port, another name opens nothing.
    """

    def __init__(self, allowed: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._allowed = tuple(_network(text) for text in allowed)
        self._opened = frozenset(place for origin in origins for place in _places(origin))

    def admits(self, address: str, port: int, name: str | None = None) -> bool:
        """Tell whether this address may be connected at this port; `name` is what was looked up to find it, if any."""
        judged = _address(address)
        if judged is None:
            return False
        if _is_public(judged) or any(judged in network for network in self._allowed):
            return True
        asked = None if name is None or _address(name) else name
        return (judged, port, asked) in self._opened

    def open_socket(self, addr_info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        """Make the socket for a `getaddrinfo` entry; raises PrivateAddressError if it may not be connected."""
        family, kind, protocol, _, (address, port, *_) = addr_info
        if not self.admits(address, port):
            raise PrivateAddressError(address)
        return socket.socket(family, kind, protocol)


class GuardedResolver(AbstractResolver):
    """Names to addresses, without those the guard refuses: one private address among many does not fail the host."""

    def __init__(self, guard: Guard, names: AbstractResolver) -> None:
        self._guard = guard
        self._names = names

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return at most MOST_ADDRESSES admitted addresses; raises PrivateAddressError if all are refused."""
        found = await self._found(host, port, family)
        admitted = [place for place in found if self._guard.admits(place["host"], place["port"], host)]
        if not admitted:
            raise PrivateAddressError(found[0]["host"])
        return admitted[:MOST_ADDRESSES]

    async def judge(self, host: str, port: int) -> None:
        """Raise PrivateAddressError if any address of a name is refused: for who looks the name up anew and chooses."""
        for place in await self._found(host, port, socket.AF_UNSPEC):
            if not self._guard.admits(place["host"], place["port"], host):
                raise PrivateAddressError(place["host"])

    async def _found(self, host: str, port: int, family: socket.AddressFamily) -> list[ResolveResult]:
        try:
            found = await self._names.resolve(host, port, family)
        except UnicodeError:  # the idna codec, on a label that is empty or over 63 characters
            raise socket.gaierror(None, "not a name that can be looked up") from None
        if not found:  # of a family that this Python cannot use; aiohttp would fail an assertion
            raise socket.gaierror(None, "no address of a known kind")
        return found

    async def close(self) -> None:
        """Close the resolver behind."""
        await self._names.close()


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        raise ConfigError(f"allow-private: {text!r} is not an address range such as 10.0.0.0/8 or ::1/128") from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        return IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network


def _places(origin: str) -> list[_Place]:
    """The places that a typed seed opens: to whom names the address itself, and for `localhost` to that name too."""
    parts = urlsplit(origin)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if parts.hostname == "localhost":
        loopback = IPv4Address("127.0.0.1"), IPv6Address("::1")
        return [(address, port, name) for address in loopback for name in (None, "localhost")]
    address = _address(parts.hostname or "")
    return [(address, port, None)] if address is not None else []


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, without its zone and unwrapped; None if it is none."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _OPEN_V6 and not any(address in network for network in _REFUSED_V6)
