"""`scraper crawl`: what a user sees of it, and what bad input gets."""

from __future__ import annotations

import re
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
    assert re.fullmatch(r"scraper: crawl 127\.0\.0\.1:\d+ begun with 1 seed", lines[0])
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


def test_the_same_command_goes_on_and_says_so(crawl, site):
    """A crawl at its --max-pages is `limited`; the same command with more goes on and asks for nothing twice."""
    site.page("/", ["/a", "/b", "/c"])
    for path in ("/a", "/b", "/c"):
        site.page(path)
    first = crawl("/", "--depth", 1, "--max-pages", 2)
    assert first.code == 0
    assert ": limited after" in first.err
    assert "limited by --max-pages 2: the same command with more goes on" in first.err
    second = crawl("/", "--depth", 1, "--max-pages", 100)
    assert "goes on: 2 pages so far, 2 URLs queued" in second.err
    assert " 0 queued + 4 fetched " in second.err
    assert sorted(path for path in site.paths() if path != "/robots.txt") == ["/", "/a", "/b", "/c"]


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
    """Blanks and comments are skipped, bad lines are told with their number; the rest is a crawl of the list's name."""
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
