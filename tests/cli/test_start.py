"""`scraper crawl`: what a user sees of it, and what bad input gets."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest


@pytest.fixture
def links(site):
    """A home page, two pages it links to, and a link that is broken."""
    site.page("/", ["/a", "/b", "/gone"])
    site.page("/a", ["/b", "/deep"])
    site.page("/b")
    site.page("/deep")


def test_the_summary_tells_what_became_of_every_url(crawl, links):
    """The summary has the accounting line, the reasons and the next step, all on stderr; stdout stays empty."""
    ended = crawl("/", "--depth", 1)
    assert (ended.code, ended.out) == (0, "")
    lines = ended.err.splitlines()
    assert re.fullmatch(r"scraper: crawl 127\.0\.0\.1:\d+ begun with 1 seeds", lines[0])
    assert re.fullmatch(r"crawl 127\.0\.0\.1:\d+: finished after \d+\.\d s, \d+\.\d pages/s", lines[1])
    assert lines[2:] == [
        "  4 URLs discovered = 0 queued + 3 fetched + 0 redirected + 0 skipped + 1 failed",
        "  failed: http-4xx 1",
        "  2 links beyond depth 1 were not followed; --depth 2 --new follows them",
        "  look at it with: scraper query 'SELECT url, title FROM pages LIMIT 10'",
    ]


def test_depth_0_takes_the_seeds_and_tells_how_to_go_on(crawl, links, site):
    """Without --depth only the URLs given are asked for, and the summary says how many links were found."""
    ended = crawl("/")
    assert site.paths() == ["/robots.txt", "/"]
    assert "  3 links beyond depth 0 were not followed; --depth 1 --new follows them\n" in ended.err


@pytest.mark.parametrize(("options", "code"), [((), 0), (("--strict",), 3)], ids=["lenient", "strict"])
def test_strict_makes_a_failed_url_a_failure(crawl, links, options, code):
    """With --strict a crawl that finished ends with 3 if some URL failed; without, with 0."""
    assert crawl("/", "--depth", 1, *options).code == code


def test_strict_is_content_if_none_failed(crawl, site):
    """With --strict a crawl all of whose URLs were fetched ends with 0."""
    site.page("/")
    assert crawl("/", "--strict").code == 0


def test_quiet_says_nothing(crawl, links):
    """With --quiet a crawl prints nothing at all, also when URLs fail and when it goes on."""
    assert crawl("/", "--depth", 1, "--max-pages", 1, "--quiet") == (0, "", "")
    assert crawl("/", "--depth", 1, "--quiet", "--strict") == (3, "", "")


def test_verbose_tells_every_event(crawl, links, site):
    """With --verbose each URL's end is one line on stderr."""
    told = crawl("/", "--depth", 1, "--verbose").err
    for line in (f"fetched {site.url('/a')}", f"failed {site.url('/gone')} http-4xx 404"):
        assert f"scraper: {line}" in told


def test_the_same_command_goes_on_and_says_so(crawl, links, site):
    """A crawl at its --max-pages is `limited`; the same command with more goes on and asks for nothing twice."""
    first = crawl("/", "--depth", 1, "--max-pages", 2)
    assert first.code == 0
    assert ": limited after" in first.err
    assert "limited by --max-pages 2: the same command with more goes on" in first.err
    second = crawl("/", "--depth", 1, "--max-pages", 100)
    assert "goes on: 2 pages so far, 2 URLs queued" in second.err
    assert " 0 queued + 3 fetched " in second.err
    assert sorted(path for path in site.paths() if path != "/robots.txt") == ["/", "/a", "/b", "/gone"]


def test_new_starts_afresh(crawl, links, run):
    """With --new an unfinished crawl of the same name is left as it is, and another one begins."""
    crawl("/", "--depth", 1, "--max-pages", 1, "--name", "shop")
    ended = crawl("/", "--depth", 1, "--max-pages", 1, "--name", "shop", "--new")
    assert "crawl shop begun" in ended.err
    assert [(row["id"], row["state"]) for row in run("crawls", "--json").json] == [(2, "limited"), (1, "limited")]


def test_a_name_stands_for_its_seeds(crawl, links):
    """Other seeds, or another depth, under the name of an unfinished crawl are refused with the ways out."""
    crawl("/", "--depth", 1, "--max-pages", 1, "--name", "shop")
    told = crawl("/a", "--depth", 1, "--name", "shop").refused
    assert "the unfinished crawl 'shop' is another one: its seeds were others" in told
    assert "--new" in told
    assert "depth was 1 and is now 2" in crawl("/", "--depth", 2, "--name", "shop").refused


def test_a_name_is_shown_as_text(crawl, links):
    """A name cannot forge lines or escape sequences, and the command to go on is quoted for a shell."""
    told = crawl("/", "--depth", 1, "--name", "it's\x1b[2J\nscraper: all lost", "--db", "my shop.db").err
    assert "\x1b" not in told
    assert "\nscraper: all lost" not in told
    assert told.endswith("--db 'my shop.db'\n")


def test_a_list_is_crawled_without_its_bad_lines(run, site, home):
    """Blanks and comments are skipped, bad lines are told with their numbers; the rest is a crawl of the list's name."""
    site.page("/a")
    site.page("/b")
    text = f"# shops\n\n{site.url('/a')}\nnot a url\nftp://example.com/\n\xff\n  {site.url('/b')}  \r\n"
    (home / "shops.txt").write_bytes(text.encode("latin-1"))
    ended = run("crawl", "--from", "shops.txt", "--allow-private", "127.0.0.0/8", "--parse-workers", 0, "--delay", 0)
    assert ended.code == 0
    for line in ("line 4: 'not a url'", "line 5: 'ftp://example.com/'", "line 6: not UTF-8"):
        assert f"shops.txt, {line}" in ended.err
    assert " 2 fetched " in ended.err
    assert "crawl shops: finished" in ended.err


def test_a_list_opens_no_private_address(run, site, home):
    """What a list names is not opened as what is typed is: its private addresses are skipped."""
    (home / "urls.txt").write_text(site.url("/"))
    ended = run("crawl", "--from", "urls.txt", "--parse-workers", 0)
    assert (ended.code, " 1 skipped " in ended.err) == (0, True)
    assert site.requests == []


def test_a_list_comes_on_standard_input(start, site, home):
    """`--from -` reads the list from standard input."""
    site.page("/a")
    command = start("crawl", "--from", "-", site.url("/b"), "--parse-workers", 0, "--delay", 0, "--quiet")
    command.process.stdin.write(f"{site.url('/a')}\nnonsense\n".encode())
    ended = command.ended()
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == "standard input, line 2: 'nonsense' is not a URL; skipped\n"
    assert {"/a", "/b"} < set(site.paths())


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


def test_a_crawl_that_runs_is_not_run_twice(crawl, start, site, run, eventually):
    """The same crawl in a second process is refused with the first one's number; the first does not notice."""
    site.page("/", ["/slow"])
    site.hang("/slow")
    options = ("--depth", 1, "--parse-workers", 0, "--delay", 0, "--name", "shop")
    first = start("crawl", site.url("/"), *options)
    eventually(lambda: "/slow" in site.paths())
    assert f"crawl 'shop' in scraper.db is being run by process {first.process.pid}" in crawl("/", *options).refused
    assert "is being run by" in run("resume", "shop").refused
    assert run("status", "--json").json["running"]


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of another process is read from /proc")
def test_a_million_lines_stay_bounded(start, home):
    """A list of a million URLs becomes a million rows in at most 200 MB, and stops on a signal in order."""
    with (home / "urls.txt").open("w") as lines:
        lines.writelines(f"http://{n % 1000}.invalid/page/{n}\n" for n in range(1_000_000))
    command = start("crawl", "--from", "urls.txt", "--max-pages", 1, "--quiet", "--parse-workers", 0)
    peak = 0
    while not discovered(home / "scraper.db"):
        assert command.process.poll() is None
        peak = max(peak, memory(command.process.pid))
    peak = max(peak, memory(command.process.pid))
    assert command.signalled(15).code == 143
    assert discovered(home / "scraper.db") == 1_000_000
    assert peak < 200 * 1024 * 1024


def discovered(path: Path) -> int:
    """How many URLs a store that may not be there yet holds."""
    if not path.exists():
        return 0
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        rows = db.execute("SELECT name FROM sqlite_schema WHERE name = 'crawl'").fetchall()
        counts = db.execute("SELECT coalesce(max(discovered), 0) FROM crawl").fetchone() if rows else (0,)
    db.close()
    return counts[0]


def memory(pid: int) -> int:
    """The most memory the process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024
