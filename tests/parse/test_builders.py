import sys

import pytest

from scraper.config import ParseConfig
from scraper.errors import ConfigError
from scraper.parse import Workers, make_soup
from scraper.parse.builders import BUILDERS, ensure
from scraper.scope import Patterns


@pytest.mark.parametrize("builder", BUILDERS)
def test_there(builder):
    """Each builder can be chosen in the settings, and makes a soup."""
    Workers(ParseConfig(builder=builder), Patterns())
    assert make_soup("<p class='a b'>x", builder).p["class"] == ["a", "b"]


def test_default():
    """Who chooses none gets ours."""
    assert ParseConfig().builder == BUILDERS[0] == "turbo"
    assert str(make_soup("<p>")) == "<html><head></head><body><p></p></body></html>"


def test_unknown():
    """A builder that there is not is an error that names those there are."""
    with pytest.raises(ConfigError, match=r"'xml' is none of turbo, lxml, html5lib, html\.parser"):
        make_soup("<p>", "xml")


def test_missing(monkeypatch):
    """Without html5lib its builder is an error that tells what to install, before any page is fetched."""
    monkeypatch.setitem(sys.modules, "html5lib", None)
    monkeypatch.setattr("scraper.parse.builders.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install html5lib"):
        Workers(ParseConfig(builder="html5lib"), Patterns())
    ensure("turbo")
