"""What bad input gets: exit code 2, one line that names the thing and what to do, nothing on stdout, nothing lost."""

from __future__ import annotations

import os
import shutil
import sqlite3

import pytest

BAD_LISTS = {
    "missing": (None, "urls.txt does not exist: name a file with one URL a line"),
    "empty": (b"", "urls.txt holds no URL"),
    "comments": (b"# nothing\n\n#\n", "urls.txt holds no URL"),
    "binary": (b"\x7fELF\x02\x01\x01\0\0\0\0\0", "urls.txt is not a text file"),
    "utf-16": ("http://example.com/\n".encode("utf-16"), "urls.txt is UTF-16: save it as UTF-8"),
    "utf-16-le": ("http://example.com/\n".encode("utf-16-le"), "urls.txt is not a text file"),
}


@pytest.mark.parametrize("kind", BAD_LISTS)
def test_a_list_that_is_none_is_refused(run, home, kind):
    """A list that is missing, holds no URL or is no text is told by name, with what to do."""
    content, told = BAD_LISTS[kind]
    if content is not None:
        (home / "urls.txt").write_bytes(content)
    assert told in run("crawl", "--from", "urls.txt").refused


def test_a_list_that_cannot_be_read_is_refused(run, home):
    """A directory and a pipe in place of a list are told, with what to do."""
    assert "is a directory: name a file" in run("crawl", "--from", home).refused
    os.mkfifo(home / "pipe")
    assert "is a pipe" in run("crawl", "--from", "pipe").refused


def test_nothing_on_standard_input_is_refused(start):
    """An empty standard input is told as such."""
    assert "standard input holds no URL" in start("crawl", "--from", "-").ended().refused


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://a b/",
    ],
)
def test_a_seed_that_is_no_url_is_refused(run, home, url):
    """A URL that is none, or not http(s), is told by name; nothing is crawled and no store is made."""
    assert url in run("crawl", url).refused
    assert not list(home.iterdir())


SETTINGS = {
    "unknown key": ("[politeness]\ndelai = 1\n", "scraper.toml:2: unknown key politeness.delai: did you mean delay?"),
    "unknown table": ("[polite]\n", "scraper.toml:1: unknown table [polite]: did you mean [politeness]?"),
    "wrong type": ("[crawl]\n\ndepth = 'deep'\n", "scraper.toml:3: crawl.depth must be a whole number"),
    "out of range": ("[crawl]\nconcurrency = 0\n", "scraper.toml:2: crawl.concurrency must be at least 1, not 0"),
    "syntax": ("[crawl]\ndepth = 1\nscope =\n", "scraper.toml:3: not TOML"),
    "not UTF-8": ("[crawl]\n# \xff\n", "scraper.toml: not UTF-8 text"),
}


@pytest.mark.parametrize("command", [("crawl", "http://127.0.0.1:9/"), ("config", "check")], ids=["crawl", "check"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_setting_that_cannot_be_meant_is_refused(run, home, kind, command):
    """A fault in the settings is told with file, line and key, and what was probably meant."""
    text, told = SETTINGS[kind]
    (home / "scraper.toml").write_bytes(text.encode("latin-1"))
    assert told in run(*command, "--config", "scraper.toml").refused
    assert not (home / "scraper.db").exists()


def test_a_missing_settings_file_is_refused(run):
    """A settings file that does not exist is told by name."""
    assert "none.toml: no such file" in run("crawl", "http://127.0.0.1:9/", "--config", "none.toml").refused


def test_an_option_out_of_range_is_refused(run, monkeypatch):
    """A value that cannot be meant is told with the option or the variable it came by."""
    assert "command line --depth" in run("crawl", "http://127.0.0.1:9/", "--depth", -1).refused
    assert "--include" in run("crawl", "http://127.0.0.1:9/", "--include", "(").refused
    monkeypatch.setenv("SCRAPER_DELAY", "soon")
    assert "environment SCRAPER_DELAY" in run("crawl", "http://127.0.0.1:9/").refused


def test_an_extractor_that_is_none_is_refused(run):
    """An extractor that cannot be found ends the crawl with 2, told by name, before anything is asked for."""
    ended = run("crawl", "http://127.0.0.1:9/", "--extractor", "nowhere.py:product")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("scraper: extractor nowhere.py:product: there is no file nowhere.py\n")


def store_of_the_future(path):
    """Make it a store that a newer version wrote."""
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO migration VALUES (9999, '9999_later', 0)")
    db.close()


def foreign_database(path):
    """Make it a database of another program."""
    path.unlink()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
    db.close()


def no_database(path):
    """Make it a text."""
    path.write_text("Dear diary, today I made no database at all. " * 99)


def directory(path):
    """Make it a directory."""
    path.unlink()
    path.mkdir()


BAD_STORES = {
    "directory": (directory, "is a directory"),
    "no database": (no_database, "is not a"),
    "foreign": (foreign_database, "is a database of another program"),
    "newer": (store_of_the_future, "was written by a newer scraper (schema 9999"),
}
EVERY = {
    "crawl": ("crawl", "http://127.0.0.1:9/"),
    "resume": ("resume",),
    "crawls": ("crawls",),
    "status": ("status",),
    "query": ("query", "SELECT 1"),
    "export": ("export",),
}


@pytest.mark.parametrize("kind", BAD_STORES)
def test_a_store_that_is_none_is_refused(run, crawl, home, kind):
    """Every command tells a --db that is a directory, no database, foreign or newer by name; and leaves it as it is."""
    crawl("/")
    spoil, told = BAD_STORES[kind]
    path = home / "scraper.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    for arguments in EVERY.values():
        refused = run(*arguments).refused
        assert told in refused, arguments
        assert "scraper.db" in refused
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("command", [name for name in EVERY if name != "crawl"])
def test_a_store_that_is_missing_is_refused(run, home, command):
    """A command that reads a store tells that there is none, and makes none."""
    assert "no store at scraper.db: run `scraper crawl`" in run(*EVERY[command]).refused
    assert not list(home.iterdir())


def test_a_store_that_cannot_be_made_is_refused(run):
    """A store in a directory that does not exist is told."""
    assert "there is no directory" in run("crawl", "http://127.0.0.1:9/", "--db", "no/such/shop.db").refused


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write everywhere, and setpriv is not there"
)
def test_a_store_that_may_not_be_written_is_refused(crawl, start, home):
    """A store that is read-only is told by name, with what to do; reading it goes on."""
    crawl("/")
    (home / "scraper.db").chmod(0o400)
    powers = "-dac_override,-dac_read_search"
    less = ("setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}") if os.geteuid() == 0 else ()
    assert "scraper.db is read-only: make it writable" in start(*EVERY["crawl"], before=less).ended().refused
    assert start(*EVERY["crawls"], "--json", before=less).ended().json[0]["id"] == 1
