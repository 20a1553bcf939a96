"""A small shop to crawl without leaving this machine, and what can be asked about it afterwards."""

from scraper.demo.shop import serve
from scraper.demo.tour import QUERIES, product

__all__ = ["QUERIES", "product", "serve"]
