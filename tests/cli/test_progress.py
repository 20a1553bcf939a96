"""The progress of a crawl: a display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import re
import signal

import pytest

from scraper.cli.progress import Rate

OPTIONS = ("--depth", "1", "--parse-workers", "0", "--delay", "0")
AT_ONCE = {"SCRAPER_GRACE": "0"}  # what runs when the crawl is stopped is not waited for
XTERM = {"TERM": "xterm"}
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HOSTILE = "a\x1b]0;owned\x07b\x9b2Jc\u202ed"


@pytest.fixture
def slow(site):
    """A home page, a page that is gone, and one that never answers: the crawl goes on until it is stopped."""
    site.page("/", ["/gone", "/slow"], title=HOSTILE)
    site.hang("/slow")


def test_the_rate_is_that_of_the_last_seconds():
    """The rate is pages over the last ten seconds, and none at the start."""
    moments = iter([0.0, 4.0, 8.0, 12.0, 100.0])
    rate = Rate(lambda: next(moments))
    assert [rate.now(pages) for pages in (0, 8, 16, 16, 16)] == [0.0, 2.0, 2.0, 1.0, 0.0]


def test_off_a_terminal_there_are_plain_lines(start, site, slow, eventually, home):
    """Off a terminal progress is a plain line every few seconds, without escape sequences, also with FORCE_COLOR."""
    (home / "quick.py").write_text(
        "import scraper.cli.progress as progress\n"
        "progress.DISPLAY_EVERY, progress.LOOKS_A_LINE = 0.01, 1\n"
        "from scraper.cli import main\n"
        "main()\n"
    )
    with (home / "err").open("wb") as err:
        command = start(
            "crawl", site.url("/"), *OPTIONS, stderr=err, script="quick.py", env=AT_ONCE | {"FORCE_COLOR": "1"}
        )
        eventually(lambda: "1 failed" in (home / "err").read_text())
        assert command.signalled(signal.SIGINT).code == 130
    told = (home / "err").read_text()
    assert re.search(
        r"^1 pages, \d+\.\d/s, 1 queued, 0 skipped, 1 failed(, about .* to go|, next request in .*)?$",
        told,
        re.MULTILINE,
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", told)


@pytest.mark.parametrize("columns", [80, 40])
def test_on_a_terminal_there_is_a_display(start, site, slow, eventually, terminal, columns):
    """A display shows pages, hosts and failures by reason, fits any width, and is gone when the summary comes."""
    screen = terminal(columns)
    command = start("crawl", site.url("/"), *OPTIONS, "--name", "x", stderr=screen.end, env=AT_ONCE | XTERM)
    eventually(lambda: screen.has("failed: http-4xx 1"[: columns - 1]))
    assert command.signalled(signal.SIGINT).code == 130
    shown = screen.close()
    display = [line for line in re.split(r"[\r\n]+", ESCAPE.sub("", shown)) if line.startswith(("x: ", "hosts: "))]
    assert display
    assert all(len(line) <= columns for line in display)
    assert shown.rstrip().endswith("go on with: scraper resume x")
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    "arguments",
    [
        ("crawl", "--verbose", "--stream", "--name", HOSTILE),
        ("try",),
        ("query", "SELECT title, title AS again FROM pages"),
        ("query", "SELECT title FROM pages", "--format", "csv"),
        ("status",),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_nothing_hostile_reaches_a_terminal(crawl, start, site, terminal, arguments):
    """On a narrow terminal a title, a URL and a name full of escapes are text; only our own colours are sequences."""
    site.page("/", title=HOSTILE)
    site.page("/?q=%C2%9B%E2%80%AE", title=HOSTILE)
    if arguments[0] not in {"crawl", "try"}:
        crawl("/", "--name", HOSTILE, "--quiet")
    typed = [site.url("/?q=\x9b\u202e"), "--parse-workers", 0] if arguments[0] in {"crawl", "try"} else []
    screen = terminal(40)
    both = {"stdout": screen.end, "stderr": screen.end, "env": XTERM}
    assert start(*arguments, *typed, **both).ended().code == 0
    shown = screen.close()
    assert shown
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", re.sub(r"\x1b\[[0-9;]*m", "", shown))
    assert "Traceback" not in shown
