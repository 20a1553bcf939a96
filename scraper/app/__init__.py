"""The use cases, wiring only: run a crawl, go on with one, try one page."""

from scraper.app.begin import crawl, resume
from scraper.app.run import Run
from scraper.app.trying import Tried, try_url

__all__ = ["Run", "Tried", "crawl", "resume", "try_url"]
