"""The settings: frozen values, one section a component, each default stated once.

A section's name is its table in the TOML file and its package. Sizes are bytes, durations seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

UNITS = 1024 * 1024  # bytes in a MiB


class CrawlConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is crawled, and how much at once."""

    depth: int = 0
    max_pages: int | None = None
    scope: Literal["host", "domain", "prefix", "any"] = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    concurrency: int = 32
    grace: float = 1.5


class FetchConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request: who we say we are, how long we wait, how much we take."""

    user_agent: str = ""
    connect_timeout: float = 10.0
    first_byte_timeout: float = 20.0
    idle_timeout: float = 15.0
    total_timeout: float = 120.0
    max_body: int = 16 * UNITS
    max_headers: int = 256
    max_header_bytes: int = 32 * 1024
    allow_private: tuple[str, ...] = ()


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often and for how long a URL is asked again."""

    attempts: int = 4
    base: float = 1.0
    longest: float = 60.0
    within: float = 3600.0


class BreakerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a failing host is left alone, and when it is given up."""

    failures: int = 5
    cooldown: float = 30.0
    longest: float = 600.0
    openings: int = 3


class PolitenessConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a host is treated."""

    per_host: int = 2
    delay: float = 0.5
    robots: bool = True
    nofollow: bool = True
    longest_crawl_delay: float = 60.0
    longest_retry_after: float = 3600.0
    robots_expiry: float = 86400.0
    retry: RetryConfig = RetryConfig()
    breaker: BreakerConfig = BreakerConfig()


class ParseConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parse workers; `workers` None means one per core, 0 in this process."""

    workers: int | None = None
    timeout: float = 10.0
    memory: int = 1024 * UNITS
    builder: Literal["lxml", "html.parser"] = "lxml"


class StoreConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is kept, and when it is committed."""

    bodies: bool = True
    links: bool = False
    batch_pages: int = 200
    batch_seconds: float = 0.5
    synchronous: Literal["normal", "full"] = "normal"


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set."""

    crawl: CrawlConfig = CrawlConfig()
    fetch: FetchConfig = FetchConfig()
    politeness: PolitenessConfig = PolitenessConfig()
    parse: ParseConfig = ParseConfig()
    store: StoreConfig = StoreConfig()
