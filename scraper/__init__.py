"""An async web scraper: crawls politely and fast, streams pages into SQLite, loses nothing when killed."""

__version__ = "0.1.0"
