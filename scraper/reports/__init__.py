"""Reading a store: guarded SQL, export, status. Synchronous and read-only; it works beside a running crawl."""

from scraper.reports.alone import Alone, limit_memory
from scraper.reports.check import Checked, check_store
from scraper.reports.connection import open_reader
from scraper.reports.export import What, export, rows, write_csv, write_jsonl
from scraper.reports.output import write_file
from scraper.reports.query import run
from scraper.reports.result import Result
from scraper.reports.status import (
    CrawlLine,
    HostStatus,
    ReasonCount,
    Status,
    crawls,
    find_crawl,
    reasons,
    status,
)

__all__ = [
    "Alone",
    "Checked",
    "CrawlLine",
    "HostStatus",
    "ReasonCount",
    "Result",
    "Status",
    "What",
    "check_store",
    "crawls",
    "export",
    "find_crawl",
    "limit_memory",
    "open_reader",
    "reasons",
    "rows",
    "run",
    "status",
    "write_csv",
    "write_file",
    "write_jsonl",
]
