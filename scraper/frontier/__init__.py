"""Which URL is next? The queue as the crawler sees it."""

from scraper.frontier.frontier import Frontier
from scraper.frontier.line import Handout
from scraper.frontier.seen import Seen

__all__ = ["Frontier", "Handout", "Seen"]
