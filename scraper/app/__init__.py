"""The use cases, wiring only: run a crawl, go on with one, run new rules over one, try one page."""

from scraper.app.begin import crawl, resume
from scraper.app.extracting import Extracting, extract
from scraper.app.fetching import access_of
from scraper.app.run import Run
from scraper.app.trying import Tried, try_url

__all__ = ["Extracting", "Run", "Tried", "access_of", "crawl", "extract", "resume", "try_url"]
