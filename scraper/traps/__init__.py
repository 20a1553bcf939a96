"""Crawler traps told by structure: endless sites end, and the pages beside them are all fetched. Pure.

`judge` sees one URL by itself. `Shapes` sees a host's URLs together: pages of one `shape` that bring nothing new, one
page under ever new session ids (`skeleton`), one query in ever new orders. `Hosts` sees a domain's host names.
"""

from scraper.traps.forms import VARIABLE, fingerprint, shape, skeleton
from scraper.traps.hosts import Hosts
from scraper.traps.shapes import Shapes, next_generation
from scraper.traps.signs import judge

__all__ = ["VARIABLE", "Hosts", "Shapes", "fingerprint", "judge", "next_generation", "shape", "skeleton"]
