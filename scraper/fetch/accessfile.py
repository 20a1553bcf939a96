"""The access file: a TOML file apart from the settings, because these are kept with the crawl and shown.

A secret is a text, or `{ env = "NAME" }` for a variable of the environment. An error names file, entry and key, and
never shows a value.
"""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from scraper import urls
from scraper.errors import ConfigError, UrlError
from scraper.fetch.access import Access, Proxy, basic

log = logging.getLogger(__name__)

_KEYS = {
    "origin": ("url", "bearer", "basic", "headers"),
    "proxy": ("hosts", "url", "user", "password", "resolve"),
}
_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080}
_OURS = frozenset({
    "host",
    "cookie",
    "user-agent",
    "referer",
    "accept-encoding",
    "connection",
    "keep-alive",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "range",
})
_OUR_KINDS = ("if-", "proxy-")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
_TOKEN = re.compile(r"[!-~]+")
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
LONGEST_SOCKS = 255  # bytes of a user or a password (RFC 1929)


class _EntryError(Exception):
    """What is wrong with one entry; the arguments are the key, if it is a known one, and why."""

    def __str__(self) -> str:
        return ": ".join(self.args)


class _Secrets:
    """Where secrets come from; `literal` tells whether one stood in the file itself."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.literal = False

    def text(self, key: str, value: object) -> str:
        """Return the text that a value stands for; raises _EntryError."""
        if isinstance(value, str) and value:
            self.literal = True
            return value
        if isinstance(value, dict) and list(value) == ["env"] and isinstance(value["env"], str):
            if not (text := self._environ.get(value["env"], "")):
                raise _EntryError(key, f"the environment variable {value['env']!a} is not set, or empty")
            return text
        raise _EntryError(key, 'must be a text that is not empty, or { env = "NAME" }')


def read_access(path: Path, environ: Mapping[str, str]) -> Access:
    """Return what an access file says, its secrets taken from `environ` where it says so.

    Raises ConfigError with what is wrong in each entry, one line each. Warns if other users can read secrets in it.
    """
    table = _table(path)
    problems: list[str] = []
    secrets = _Secrets(environ)
    origins: dict[str, Mapping[str, str]] = {}
    proxies: list[tuple[tuple[str, ...], Proxy | None]] = []
    for kind, number, entry in _entries(table, problems):
        try:
            _check_keys(entry, _KEYS[kind])
            if kind == "origin":
                origin, headers = _origin(entry, secrets)
                if origins.setdefault(origin, headers) is not headers:
                    problems.append(f"{kind} {number}: url: {origin} has an entry already")
            else:
                proxies.append(_proxy(entry, secrets))
        except _EntryError as wrong:
            problems.append(f"{kind} {number}: {wrong}")
    if problems:
        raise ConfigError("\n".join(f"file {path}: {problem}" for problem in problems))
    if secrets.literal and os.name == "posix" and path.stat().st_mode & 0o077:
        log.warning("file %s holds secrets and other users can read it; run chmod 600 on it", path)
    return Access(MappingProxyType(origins), tuple(proxies))


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        why = f"line {place[1]}: not TOML" if place and place[1] else "not TOML"  # its words may repeat the line's
    except UnicodeDecodeError:
        why = "not UTF-8 text; save it as UTF-8"
    except (OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or 'not a path'}"
    raise ConfigError(f"file {path}: {why}")


def _entries(table: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield kind, number and content of every entry; whatever is none is added to `problems`."""
    for kind, entries in table.items():
        if kind not in _KEYS:
            problems.append(_unknown("table", kind, _KEYS))
        elif not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            problems.append(f"{kind}: write [[{kind}]], once for each")
        else:
            yield from ((kind, number, entry) for number, entry in enumerate(entries, start=1))


def _check_keys(entry: Mapping[str, Any], known: Collection[str], *within: str) -> None:
    for key in entry:
        if key not in known:
            raise _EntryError(*within, _unknown("key", key, known))


def _unknown(what: str, name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name.lower(), known, n=1)
    return f"unknown {what} {name[:40]!a}" + (f": did you mean {near[0]}?" if near else f"; known: {', '.join(known)}")


def _origin(entry: Mapping[str, Any], secrets: _Secrets) -> tuple[str, Mapping[str, str]]:
    """Return the origin and the headers that it is sent."""
    headers = _headers(entry.get("headers", {}), secrets)
    given = [key for key in ("bearer", "basic") if key in entry]
    if len(given) + any(name.lower() == "authorization" for name in headers) > 1:
        raise _EntryError(given[0], "an origin is sent one Authorization, not several")
    if "bearer" in entry:
        token = secrets.text("bearer", entry["bearer"])
        if not _TOKEN.fullmatch(token):
            raise _EntryError("bearer", "must be one word of visible ASCII characters")
        headers["Authorization"] = f"Bearer {token}"
    if "basic" in entry:
        pair = entry["basic"]
        if not isinstance(pair, dict) or "user" not in pair or "password" not in pair:
            raise _EntryError("basic", 'must be { user = "…", password = … }')
        _check_keys(pair, ("user", "password"), "basic")
        headers["Authorization"] = basic(*_pair(pair, secrets, "basic."))
    if not headers:
        raise _EntryError("url", "nothing is sent to it; give bearer, basic or headers")
    return _exact(entry.get("url")), MappingProxyType(headers)


def _exact(url: object) -> str:
    """Return the canonical origin that a text names, which must name nothing more."""
    how = "must be an origin such as https://api.example.com:8443, without a path, user or password"
    if not isinstance(url, str) or "@" in url or "?" in url or "#" in url:
        raise _EntryError("url", how)
    try:
        canonical = urls.canonical(url)
    except UrlError:
        raise _EntryError("url", how) from None
    origin = urls.host(canonical)
    if not urls.is_web(canonical) or canonical != f"{origin}/":
        raise _EntryError("url", how)
    return origin


def _headers(table: object, secrets: _Secrets) -> dict[str, str]:
    if not isinstance(table, dict):
        raise _EntryError("headers", "must be { Name = value, … }")
    headers: dict[str, str] = {}
    for name, value in table.items():
        key = f"headers.{name[:40]!a}"
        lower = name.lower()
        if not _NAME.fullmatch(name):
            raise _EntryError(key, "is not the name of a header")
        if lower in _OURS or lower.startswith(_OUR_KINDS):
            raise _EntryError(key, "is set by the program and cannot be given")
        if lower in {other.lower() for other in headers}:
            raise _EntryError(key, "is given twice")
        headers[name] = secrets.text(key, value)
        if not _VALUE.fullmatch(headers[name]):
            raise _EntryError(key, "must be one line of visible ASCII characters and inner blanks")
    return headers


def _pair(entry: Mapping[str, Any], secrets: _Secrets, path: str = "") -> tuple[str, str]:
    """Return user and password, both without what would break a header."""
    literal = secrets.literal
    user = secrets.text(f"{path}user", entry["user"])
    secrets.literal = literal  # a name alone is no secret
    password = secrets.text(f"{path}password", entry["password"]) if "password" in entry else ""
    for key, text in (("user", user), ("password", password)):
        if not text.isprintable():
            raise _EntryError(f"{path}{key}", "must not hold control characters")
    if ":" in user:
        raise _EntryError(f"{path}user", "must not hold a colon")
    return user, password


def _proxy(entry: Mapping[str, Any], secrets: _Secrets) -> tuple[tuple[str, ...], Proxy | None]:
    """Return the host patterns and the proxy, None for a direct connection."""
    hosts = entry.get("hosts")
    if not isinstance(hosts, list) or not hosts:
        raise _EntryError("hosts", 'must be a list of host patterns such as ["*.example.com", "*"]')
    patterns = tuple(_pattern(pattern) for pattern in hosts)
    if entry.get("url") == "":
        if set(entry) - {"hosts", "url"}:
            raise _EntryError("url", "is empty, a direct connection, which takes no other keys")
        return patterns, None
    scheme, host, port = _address(entry.get("url"))
    if "password" in entry and "user" not in entry:
        raise _EntryError("password", "needs a user")
    user, password = _pair(entry, secrets) if "user" in entry else ("", "")
    resolve = entry.get("resolve", True)
    proxy = Proxy(scheme, host, port, user, password, resolve)
    if not isinstance(resolve, bool):
        raise _EntryError("resolve", "must be true or false")
    if not resolve and not proxy.takes_names:
        raise _EntryError("resolve", f"{scheme} is given addresses, which are always looked up here; use socks5h")
    if proxy.is_socks:
        _check_socks(proxy)
    return patterns, proxy


def _check_socks(proxy: Proxy) -> None:
    if find_spec("aiohttp_socks") is None:
        raise _EntryError("url", f"{proxy.scheme} needs a package more: run pip install 'scraper[socks]'")
    if proxy.scheme == "socks4" and proxy.password:
        raise _EntryError("password", "socks4 knows no passwords; use socks5")
    if bool(proxy.user) != bool(proxy.password) and proxy.scheme != "socks4":
        raise _EntryError("password", "SOCKS wants both user and password")
    for key, text in (("user", proxy.user), ("password", proxy.password)):
        if not text.isascii() or len(text) > LONGEST_SOCKS:
            raise _EntryError(key, f"must be ASCII, at most {LONGEST_SOCKS} characters")


def _pattern(text: object) -> str:
    """Return a host pattern in the form that canonical host names are compared with."""
    how = "each must be a host name, *.example.com or *"
    if not isinstance(text, str):
        raise _EntryError("hosts", how)
    star = next((star for star in ("*.", "*") if text.startswith(star)), "")
    name = text.removeprefix(star)
    if star == "*" and not name:
        return text
    try:
        canonical = urls.canonical(f"http://{name}/")
    except UrlError:
        canonical = ""
    hostname = urls.hostname(canonical)
    has_port = ":" in name and not (name.startswith("[") and name.endswith("]"))
    if (
        not name
        or has_port
        or star == "*"
        or any(mark in name for mark in "*/?#@\\")
        or canonical != f"http://{hostname}/"
    ):
        raise _EntryError("hosts", how)
    return star + hostname.removesuffix(".")


def _address(url: object) -> tuple[str, str, int]:
    """Return scheme, host and port of a proxy's URL."""
    how = f"must be SCHEME://HOST:PORT, SCHEME one of {', '.join(_PORTS)}; empty means a direct connection"
    if not isinstance(url, str):
        raise _EntryError("url", how)
    if "@" in url:
        raise _EntryError("url", "user and password have keys of their own, `user` and `password`")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _EntryError("url", how) from None
    if parts.scheme not in _PORTS or not host or not _TOKEN.fullmatch(url) or port == 0:
        raise _EntryError("url", how)
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise _EntryError("url", how)
    return parts.scheme, host, port or _PORTS[parts.scheme]
