"""The values that travel the line: what is asked for, what came back, what became of it. Frozen."""

from scraper.model.crawl import Crawl, CrawlState, HostState, Tally
from scraper.model.listing import Entry, Listing
from scraper.model.states import Kind, Reason, UrlState, Verdict
from scraper.model.visit import CrawlUrl, Link, ParsedPage, Record, Response, Visit

__all__ = [
    "Crawl",
    "CrawlState",
    "CrawlUrl",
    "Entry",
    "HostState",
    "Kind",
    "Link",
    "Listing",
    "ParsedPage",
    "Reason",
    "Record",
    "Response",
    "Tally",
    "UrlState",
    "Verdict",
    "Visit",
]
