"""What a section may hold."""

import math

import pytest

from scraper.config import (
    BreakerConfig,
    Config,
    CrawlConfig,
    FetchConfig,
    ParseConfig,
    PolitenessConfig,
    RetryConfig,
    StoreConfig,
)
from scraper.errors import ConfigError

BOUNDS = [
    (CrawlConfig, "depth", 0),
    (CrawlConfig, "max_pages", 1),
    (CrawlConfig, "concurrency", 1),
    (CrawlConfig, "grace", 0),
    (FetchConfig, "max_body", 1),
    (FetchConfig, "max_headers", 1),
    (FetchConfig, "max_header_bytes", 1),
    (PolitenessConfig, "per_host", 1),
    (PolitenessConfig, "delay", 0),
    (PolitenessConfig, "longest_crawl_delay", 0),
    (PolitenessConfig, "longest_retry_after", 0),
    (RetryConfig, "attempts", 1),
    (RetryConfig, "base", 0),
    (RetryConfig, "longest", 0),
    (RetryConfig, "within", 0),
    (BreakerConfig, "failures", 1),
    (BreakerConfig, "cooldown", 0),
    (BreakerConfig, "longest", 0),
    (BreakerConfig, "openings", 1),
    (ParseConfig, "workers", 0),
    (ParseConfig, "memory", 1),
    (StoreConfig, "batch_pages", 1),
    (StoreConfig, "batch_seconds", 0),
    (StoreConfig, "checkpoint_seconds", 0),
]
POSITIVE = [
    *((FetchConfig, f"{phase}_timeout") for phase in ("connect", "first_byte", "idle", "total")),
    (PolitenessConfig, "robots_expiry"),
    (ParseConfig, "timeout"),
]
_ids = [f"{section.__name__}.{name}" for section, name, *_ in BOUNDS]


@pytest.mark.parametrize(("section", "name", "least"), BOUNDS, ids=_ids)
def test_a_number_has_a_least_value(section, name, least):
    """The least value is taken, one below it is an error that begins with the field's name; so is infinity."""
    assert getattr(section(**{name: least}), name) == least
    with pytest.raises(ConfigError, match=f"^{name} must be at least {least}, not {least - 1}$"):
        section(**{name: least - 1})
    with pytest.raises(ConfigError, match=f"^{name} must be at most "):
        section(**{name: math.inf})


@pytest.mark.parametrize(("section", "name"), POSITIVE)
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf])
def test_a_timeout_is_more_than_zero(section, name, value):
    """No time at all, less, and what is no number are refused."""
    with pytest.raises(ConfigError, match=f"^{name} must be "):
        section(**{name: value})


@pytest.mark.parametrize("field", ["include", "exclude"])
@pytest.mark.parametrize("pattern", ["(", "[", "*", "a{99999999999}", "(?P<a>x)(?P<a>y)"])
def test_a_pattern_compiles(field, pattern):
    """A text that is no regular expression is named together with what is wrong with it."""
    with pytest.raises(ConfigError, match=rf"^{field} holds no regular expression: '.+': \w+"):
        CrawlConfig(**{field: ("fine", pattern)})


@pytest.mark.parametrize("text", ["127.0.0.0/8", "10.1.2.3", "::1", "fd00::/8", "0.0.0.0/0"])
def test_an_address_range_is_an_address_or_a_cidr(text):
    """Addresses and networks of both families are taken."""
    assert FetchConfig(allow_private=(text,)).allow_private == (text,)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("127.0.0.1/8", ": did you mean 127.0.0.0/8?"),
        ("localhost", "; write 10.0.0.0/8 or 192.168.1.7"),
        ("10.0.0.0/33", "; write 10.0.0.0/8 or 192.168.1.7"),
        ("", "; write 10.0.0.0/8 or 192.168.1.7"),
    ],
)
def test_what_is_no_address_range_is_refused(text, hint):
    """The error tells what was probably meant."""
    with pytest.raises(ConfigError) as caught:
        FetchConfig(allow_private=(text,))
    assert str(caught.value) == f"allow_private holds no address range: {text!r}{hint}"


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000", "https://[::1]", "http://localhost:80/"])
def test_an_origin_is_scheme_host_and_port(text):
    """Addresses of both families and names are taken."""
    assert FetchConfig(allow_origins=(text,)).allow_origins == (text,)


@pytest.mark.parametrize("text", ["127.0.0.1:8000", "http://", "http://h:x", "http://h:65536", "ftp://h", "http://h/a"])
def test_what_is_no_origin_is_refused(text):
    """The error tells how one is written."""
    with pytest.raises(ConfigError) as caught:
        FetchConfig(allow_origins=(text,))
    assert str(caught.value) == f"allow_origins holds no origin: {text!r}; write http://127.0.0.1:8000"


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\0", "a\x1b[0m", "a\tb"])
def test_a_user_agent_cannot_forge_a_header(text):
    """Control characters are refused."""
    with pytest.raises(ConfigError, match=r"^user_agent must be one line"):
        FetchConfig(user_agent=text)


def test_settings_are_frozen():
    """Nothing changes a setting once it is made."""
    with pytest.raises(AttributeError):
        Config().crawl.depth = 1
    with pytest.raises(AttributeError):
        Config().crawl = CrawlConfig()
