"""Which builders make a soup, and is the chosen one there? Light to import: no parser is loaded."""

from __future__ import annotations

from importlib.util import find_spec

from scraper.errors import ConfigError

BUILDERS = ("turbo", "lxml", "html5lib", "html.parser")  # the first is ours, the others are bs4's own


def ensure(builder: str) -> None:
    """Raise ConfigError unless this is a builder, and what it needs is installed."""
    if builder not in BUILDERS:
        raise ConfigError(f"builder: {builder!r} is none of {', '.join(BUILDERS)}")
    if builder == "html5lib" and find_spec("html5lib") is None:
        raise ConfigError('builder: "html5lib" needs a package that is not installed: pip install html5lib')
