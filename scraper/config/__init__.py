"""The settings: frozen values, one section a component; where each value came from; how crawls keep them."""

from scraper.config.checks import path_budget
from scraper.config.sections import (
    BreakerConfig,
    Config,
    CrawlConfig,
    FetchConfig,
    ParseConfig,
    PolitenessConfig,
    RetryConfig,
    StoreConfig,
)
from scraper.config.sources import Loaded, from_json, load, overlaid, to_json
from scraper.config.table import OPTIONS, Setting

__all__ = [
    "OPTIONS",
    "BreakerConfig",
    "Config",
    "CrawlConfig",
    "FetchConfig",
    "Loaded",
    "ParseConfig",
    "PolitenessConfig",
    "RetryConfig",
    "Setting",
    "StoreConfig",
    "from_json",
    "load",
    "overlaid",
    "path_budget",
    "to_json",
]
