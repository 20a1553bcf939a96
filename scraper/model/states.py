"""The closed lists: how a URL can stand, why, and what it is asked for."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class UrlState(StrEnum):
    """Where a discovered URL stands; `queued` is the only one that is not final."""

    QUEUED = "queued"
    FETCHED = "fetched"
    REDIRECTED = "redirected"
    SKIPPED = "skipped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why a URL was skipped or failed: the closed list; the exact status or message stands beside it in `detail`."""

    ROBOTS = "robots"
    SCOPE = "scope"
    BUDGET = "budget"
    TRAP = "trap"
    SCHEME = "scheme"
    PRIVATE_ADDRESS = "private-address"
    CONTENT_TYPE = "content-type"
    NOFOLLOW = "nofollow"
    DUPLICATE = "duplicate"
    HTTP_4XX = "http-4xx"
    HTTP_5XX = "http-5xx"
    TIMEOUT = "timeout"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    RESET = "reset"
    TRUNCATED = "truncated"
    TOO_LARGE = "too-large"
    BAD_ENCODING = "bad-encoding"
    PROTOCOL = "protocol"
    REDIRECT_LOOP = "redirect-loop"
    HOST_DOWN = "host-down"
    PARSE = "parse"

    @property
    def state(self) -> UrlState:
        """The state a URL with this reason ends in."""
        return UrlState.SKIPPED if self in _SKIPPING else UrlState.FAILED


_SKIPPING = frozenset({
    Reason.ROBOTS,
    Reason.SCOPE,
    Reason.BUDGET,
    Reason.TRAP,
    Reason.SCHEME,
    Reason.PRIVATE_ADDRESS,
    Reason.CONTENT_TYPE,
    Reason.NOFOLLOW,
    Reason.DUPLICATE,
})


class Kind(StrEnum):
    """What a URL is asked for; `robots` is the frontier's own request and never a row."""

    PAGE = "page"
    SITEMAP = "sitemap"
    FEED = "feed"
    ROBOTS = "robots"


class Verdict(NamedTuple):
    """Why a URL is not crawled."""

    reason: Reason
    detail: str | None = None
