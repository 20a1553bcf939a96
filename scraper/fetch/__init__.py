"""Fetching: one request, one response, from an address that may be connected."""

from scraper.fetch.access import Access, Proxy
from scraper.fetch.accessfile import read_access
from scraper.fetch.cookies import CookieJar
from scraper.fetch.fetcher import Fetcher
from scraper.fetch.guard import Guard
from scraper.fetch.room import Room

__all__ = ["Access", "CookieJar", "Fetcher", "Guard", "Proxy", "Room", "read_access"]
