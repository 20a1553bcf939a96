"""Fetching: one request, one response, from an address that may be connected."""

from scraper.fetch.fetcher import Fetcher
from scraper.fetch.guard import Guard

__all__ = ["Fetcher", "Guard"]
