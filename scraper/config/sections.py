"""The sections: frozen values that cannot hold what cannot be meant, each default stated once.

A section's name is its table in the TOML file and its package. Sizes are bytes, durations seconds. Making a section
with a value out of range raises ConfigError, whose text begins with the field's name.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from scraper.config.checks import (
    MOST_BYTES,
    are_networks,
    are_origins,
    are_paths,
    are_patterns,
    at_least,
    more_than_zero,
    one_line,
)

UNITS = 1024 * 1024  # bytes in a MiB


class CrawlConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is crawled, and how much at once."""

    depth: int = 0
    max_pages: int | None = None
    max_per_host: int | None = None
    max_per_path: tuple[str, ...] = ()
    scope: Literal["host", "domain", "prefix", "any"] = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    sitemaps: bool = False
    strip_parameters: tuple[str, ...] = ()
    traps: bool = True
    trap_pages: int = 500
    max_age: float = 0.0
    rules: tuple[str, ...] = ()
    extractors: tuple[str, ...] = ()
    concurrency: int = 32
    grace: float = 1.5

    def __post_init__(self) -> None:
        at_least(self, 0, "depth", "grace", "max_age")
        at_least(self, 1, "max_pages", "max_per_host", "trap_pages", "concurrency")
        are_patterns(self, "include", "exclude", "prefer")
        are_paths(self, "max_per_path")


class FetchConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request: who we say we are, how long we wait, how much we take."""

    user_agent: str = ""
    connect_timeout: float = 10.0
    first_byte_timeout: float = 20.0
    idle_timeout: float = 15.0
    total_timeout: float = 120.0
    least_rate: float = 100.0
    max_body: int = 16 * UNITS
    max_headers: int = 256
    max_header_bytes: int = 32 * 1024
    allow_private: tuple[str, ...] = ()
    allow_origins: tuple[str, ...] = ()
    access: str = ""
    cookies: bool = False
    cookie_file: str = ""

    def __post_init__(self) -> None:
        one_line(self, "user_agent", "access", "cookie_file")
        more_than_zero(self, "connect_timeout", "first_byte_timeout", "idle_timeout", "total_timeout")
        at_least(self, 1, "max_body", "max_headers", "max_header_bytes")
        at_least(self, 0, "least_rate")
        are_networks(self, "allow_private")
        are_origins(self, "allow_origins")


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How often and for how long a URL is asked again."""

    attempts: int = 4
    base: float = 1.0
    longest: float = 60.0
    within: float = 3600.0
    budget: float = 0.1

    def __post_init__(self) -> None:
        at_least(self, 1, "attempts")
        at_least(self, 0, "base", "longest", "within", "budget")


class BreakerConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When a failing host is left alone, and when it is given up."""

    failures: int = 5
    cooldown: float = 30.0
    longest: float = 600.0
    openings: int = 3

    def __post_init__(self) -> None:
        at_least(self, 1, "failures", "openings")
        at_least(self, 0, "cooldown", "longest")


class PolitenessConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a host is treated."""

    per_host: int = 2
    delay: float = 0.5
    robots: bool = True
    nofollow: bool = True
    noindex: bool = True
    adaptive: bool = True
    longest_crawl_delay: float = 60.0
    longest_retry_after: float = 3600.0
    robots_expiry: float = 86400.0
    retry: RetryConfig = RetryConfig()
    breaker: BreakerConfig = BreakerConfig()

    def __post_init__(self) -> None:
        at_least(self, 1, "per_host")
        at_least(self, 0, "delay", "longest_crawl_delay", "longest_retry_after")
        more_than_zero(self, "robots_expiry")


class ParseConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parse workers; `workers` None means one per core, 0 in this process."""

    workers: int | None = None
    timeout: float = 10.0
    memory: int = 1024 * UNITS
    builder: Literal["turbo", "lxml", "html5lib", "html.parser"] = "turbo"

    def __post_init__(self) -> None:
        at_least(self, 0, "workers")
        more_than_zero(self, "timeout")
        at_least(self, 1, "memory", most=MOST_BYTES)


class StoreConfig(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is kept, and when it is committed."""

    bodies: bool = True
    links: bool = False
    batch_pages: int = 200
    batch_seconds: float = 0.5
    synchronous: Literal["normal", "full"] = "normal"
    checkpoint_seconds: float = 10.0

    def __post_init__(self) -> None:
        at_least(self, 1, "batch_pages")
        at_least(self, 0, "batch_seconds", "checkpoint_seconds")


class Config(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything that can be set."""

    crawl: CrawlConfig = CrawlConfig()
    fetch: FetchConfig = FetchConfig()
    politeness: PolitenessConfig = PolitenessConfig()
    parse: ParseConfig = ParseConfig()
    store: StoreConfig = StoreConfig()
