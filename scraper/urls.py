"""URLs as browsers see them: parse, join, canonical form, key, host.

Parsing and joining are WHATWG's (https://url.spec.whatwg.org/), by ada. The canonical form is the serialised URL without
its fragment and without user and password; two URLs are the same page if and only if these are equal.
"""

from __future__ import annotations

from hashlib import blake2b

import ada_url

from scraper.errors import UrlError

LONGEST = 8192  # characters; what servers and browsers take


def canonical(text: str, base: str | None = None) -> str:
    """Return the canonical URL of a text, joined to `base` if given; http, https or any other scheme.

    Raises UrlError for what no browser would take as a URL.
    """
    try:
        url = ada_url.join_url(base, text) if base is not None else ada_url.normalize_url(text)
    except ValueError:
        raise UrlError(text[:200], "is not a URL") from None
    url = url.partition("#")[0]
    if len(url) > LONGEST:
        raise UrlError(text[:200], f"is longer than {LONGEST} characters")
    if "@" in url and is_web(url):
        scheme, rest = url.split("//", 1)
        authority, slash, path = rest.partition("/")
        url = f"{scheme}//{authority.rpartition('@')[2]}{slash}{path}"
    return url


def is_web(url: str) -> bool:
    """Is this canonical URL http or https?"""
    return url.startswith(("http://", "https://"))


def host(url: str) -> str:
    """The politeness key of a canonical URL: its origin (`https://example.com`); of another scheme, that scheme."""
    if not is_web(url):
        return url.partition(":")[0] + ":"
    end = url.find("/", 8)
    return url[:end] if end > 0 else url


def key(url: str) -> bytes:
    """The hash of a canonical URL that stands for "seen": blake2b, 16 bytes."""
    return blake2b(url.encode("utf-8", "surrogatepass"), digest_size=16).digest()
