"""`scraper db`: damage told by every command, and looked after."""

from __future__ import annotations

import sqlite3
import stat
import time
from contextlib import closing

import pytest

from scraper.store import lease


@pytest.fixture
def crawled(crawl, site, home):
    """A crawl `shop` of three pages; and its store's bytes."""
    site.page("/", ["/a", "/b"])
    site.page("/a")
    site.page("/b")
    crawl("/", "--depth", 1, "--name", "shop", "--max-pages", 2)
    return home / "scraper.db"


def overwritten(path, start):
    """Damage a file from a place on."""
    data = path.read_bytes()
    path.write_bytes(data[:start] + b"\xab" * (len(data) - start))


def test_a_sound_store_is_told(run, crawled):
    """A sound store ends with 0, in words and as JSON."""
    assert run("db", "check") == (0, "scraper.db is sound\n", "")
    assert run("db", "check", "--full", "--json").json == {"sound": True, "problems": [], "whole": True}


COMMANDS = {
    "check": ("db", "check"),
    "status": ("status",),
    "crawls": ("crawls",),
    "query": ("query", "SELECT * FROM pages JOIN urls USING (url)"),
    "export": ("export", "--what", "pages"),
    "resume": ("resume",),
    "extract": ("extract", "--rules", "rules.toml"),
    "crawl": ("crawl", "http://127.0.0.1:9/", "--name", "shop"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.goal("G4", "commands that tell damage in a line with the way out")
def test_every_command_tells_damage(run, crawled, command):
    """On a damaged store every command ends with an error in one line that names check and salvage (A7)."""
    (crawled.parent / "rules.toml").write_text('[[rule]]\nname = "r"\nmatch = "*"\n[rule.fields]\nt = "h1"\n')
    overwritten(crawled, 4096)
    before = crawled.read_bytes()
    ended = run(*COMMANDS[command])
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith("scraper: scraper.db is damaged (")
    assert ended.err.endswith("`scraper db check`, and get out what is whole with `scraper db salvage`\n")
    assert ended.err.count("\n") == 1
    assert crawled.read_bytes() == before


@pytest.mark.parametrize("command", COMMANDS)
def test_a_header_that_is_gone_is_told(run, crawled, command):
    """Where not even the header is left, commands say that it is no database, and what to do if it was one (A7)."""
    (crawled.parent / "rules.toml").write_text('[[rule]]\nname = "r"\nmatch = "*"\n[rule.fields]\nt = "h1"\n')
    crawled.write_bytes(b"\xab" * 100 + crawled.read_bytes()[100:])
    ended = run(*COMMANDS[command])
    assert ended.code == (1 if command == "check" else 2)
    assert "`scraper db salvage`" in ended.err
    assert ended.err.count("\n") == 1


def test_sums_that_do_not_come_out_are_told(run, crawled, query):
    """What SQLite cannot see, rows that belong to nothing and counters that err, is told: a line each, and 1 (A7)."""
    with closing(sqlite3.connect(crawled)) as db, db:
        db.execute("UPDATE crawl SET discovered = 9, records = 5")
        db.execute("UPDATE host SET fetched = fetched + 1")
        db.execute("INSERT INTO body VALUES (999, x'00')")
        db.execute("DELETE FROM queue")
    ended = run("db", "check")
    assert ended.code == 1
    told = ended.out.splitlines()
    assert len(told) == 5
    assert all(line.endswith("get out what is whole with `scraper db salvage`") for line in told)
    assert "1 bodies without their URL" in told[0]
    assert "1 queued URLs that are not in the queue" in told[1]
    assert "3 URLs counted as fetched, 2 are" in told[2]
    assert "9 URLs counted as discovered, 3 are" in told[3]
    assert "5 records counted, 0 are there" in told[4]
    refused = run("resume")
    assert refused.code == 1
    assert "counted as queued and are not in the queue" in refused.err
    assert run("db", "salvage").code == 0
    assert run("db", "check", "--db", "scraper-salvaged.db").code == 0
    assert run("resume", "--db", "scraper-salvaged.db", "--max-pages", "9", "--quiet").code == 0


def test_salvage_makes_a_new_store(run, crawled, site):
    """The new store lies beside the damaged one, is its owner's alone, and goes on where that stood (A7)."""
    before = crawled.read_bytes()
    crawled.write_bytes(b"\xab" * 100 + before[100:])
    ended = run("db", "salvage")
    assert ended.code == 0
    assert "rows: 1 of crawl, 1 of root, 1 of host, 3 of url, 2 of page, 2 of body" in ended.out
    assert "go on with `scraper resume --db scraper-salvaged.db`" in ended.err
    target = crawled.with_name("scraper-salvaged.db")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    names = {file.name for file in crawled.parent.iterdir()}
    assert names - {"scraper.db-wal", "scraper.db-shm"} == {"scraper.db", "scraper-salvaged.db"}
    assert run("resume", "--db", target.name, "--max-pages", 9).code == 0
    assert sorted(site.paths()) == ["/", "/a", "/b", "/robots.txt"]
    assert crawled.read_bytes() == b"\xab" * 100 + before[100:]


def test_salvage_overwrites_nothing(run, crawled):
    """A file that is there already is refused, a link that leads nowhere too, and stays as it is."""
    target = crawled.with_name("there.db")
    target.write_text("mine")
    crawled.with_name("link.db").symlink_to("nowhere.db")
    for name in ("there.db", "link.db"):
        assert "there already: name another file with -o" in run("db", "salvage", "-o", name).refused
    assert target.read_text() == "mine"
    assert not crawled.with_name("nowhere.db").exists()


@pytest.mark.parametrize("content", [b"", b"hello" * 5000, bytes(40960)], ids=["empty", "text", "zeros"])
def test_salvage_of_what_was_no_store(run, home, content):
    """What never was a store leaves nothing behind but an error."""
    (home / "other.db").write_bytes(content)
    assert "holds nothing of a store" in run("db", "salvage", "--db", "other.db").refused
    assert [file.name for file in home.iterdir()] == ["other.db"]


def test_salvage_of_nothing(run, home):
    """A file that is not there is an error that names it, and so is a directory to write to that is not."""
    assert "no store at none.db" in run("db", "salvage", "--db", "none.db").refused


def test_what_is_being_written_is_not_salvaged(run, crawled):
    """A store in which a crawl is run is not read as it lies."""
    with closing(sqlite3.connect(crawled)) as db, db:
        db.execute("UPDATE crawl SET owner = ?, lease_until = ?", (lease.to_json(lease.myself()), time.time() + 9))
    assert "is being run: stop it first" in run("db", "salvage").refused


def test_the_log_shows_in_status(run, crawled, monkeypatch):
    """A write-ahead log is told with its size, and who lets it grow if it is long (A8)."""
    assert "write-ahead log" not in run("status").out
    with closing(sqlite3.connect(crawled)) as db:
        db.execute("UPDATE crawl SET name = 'shop'")
        db.commit()
        assert "write-ahead log: 0.0 MB\n" in run("status").out
        monkeypatch.setattr("scraper.cli.status.LONG_LOG", 100)
        assert "MB: somebody has been reading for long" in run("status").out


def test_a_strangers_crawl_asks_for_trust(run, crawled, monkeypatch, tmp_path):
    """On another machine a crawl that opened a private address is resumed with --trust only; the line says so (A7)."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert "--trust" in run("resume", "--max-pages", 9).refused
    assert run("resume", "--max-pages", 9, "--trust", "--quiet").code == 0
