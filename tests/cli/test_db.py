"""`scraper db`: a store is told to be sound or not, and what can be read of a damaged one is got out (A7, G4)."""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from scraper.store import salvage

PAGES = 60
EXTRACTOR = """
import scraper

@scraper.extractor()
def lines(page):
    for number in range(5):
        yield {"number": number, "title": page.title}
"""
TABLES = ("crawl", "host", "root", "url", "page", "body", "record", "link", "rule")


@pytest.fixture
def stored(run, site, home):
    """A finished crawl of a site of pages, some long, with records and links."""
    for n in range(PAGES):
        text = "".join(f"<p>{random.Random(n * 1000 + i).randbytes(40).hex()}</p>" for i in range(n))
        site.page(f"/p{n}", [f"/p{n + 1}", f"/p{2 * n}", "/missing"], body=f"<h1>{n}</h1>{text}")
    (home / "records.py").write_text(EXTRACTOR)
    (home / "settings.toml").write_text("[store]\nlinks = true\n")
    options = ("--parse-workers", 0, "--delay", 0, "--per-host", 8, "--depth", 99, "--config", "settings.toml")
    ended = run("crawl", site.url("/p0"), *options, "--extractor", "records.py", "--name", "site")
    assert ended.code == 0, ended.err
    with closing(sqlite3.connect(home / "scraper.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return home / "scraper.db"


def counts(path):
    """How many rows each table has."""
    with closing(sqlite3.connect(path)) as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def result(path):
    """What a crawl came to."""
    with closing(sqlite3.connect(path)) as db:
        return [
            sorted(db.execute(sql).fetchall())
            for sql in (
                "SELECT url, state, reason FROM urls",
                "SELECT url, title, text, content_hash FROM pages",
                "SELECT url, rule, position, data FROM records",
            )
        ]


def test_a_sound_store_is_told(run, stored):
    """Of a sound store `check` says so, and exits with 0; it changes nothing."""
    before = stored.read_bytes()
    for options in ((), ("--full",)):
        ended = run("db", "check", *options)
        assert (ended.code, ended.out) == (0, "scraper.db is sound\n")
    assert run("db", "check", "--json").json["sound"] is True
    assert stored.read_bytes() == before


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("DELETE FROM page WHERE url_id = (SELECT max(url_id) FROM page)", "1 fetched URLs without their page"),
        ("DELETE FROM host", "URLs without their host"),
        ("DELETE FROM url WHERE id = 2", "pages without their URL"),
        ("UPDATE url SET state = 'queued' WHERE id = 2", "1 queued URLs that are not in the queue"),
        ("INSERT INTO queue VALUES (1, 0, 0, 4)", "1 URLs in the queue that are not queued"),
        ("UPDATE host SET fetched = fetched + 1", "61 URLs counted as fetched, 60 are"),
        ("CREATE TRIGGER t AFTER INSERT ON url BEGIN DELETE FROM page; END", "trigger t on url"),
        ("DROP INDEX url_seen", "index url_seen is missing"),
        ("DROP VIEW pages; CREATE VIEW pages AS SELECT 1", "view pages is not as this program makes it"),
    ],
)
def test_what_is_wrong_is_told(run, stored, harm, told):
    """Rows that contradict each other and a schema that is not ours are told, with exit code 1 and the way out."""
    with closing(sqlite3.connect(stored)) as db:
        db.executescript(harm)
    ended = run("db", "check")
    assert ended.code == 1
    assert told in ended.out
    assert "scraper db salvage" in ended.out


def test_damage_is_told(run, stored):
    """A page of the file that is overwritten is told by `check`, and by every command that meets it, in a line."""
    data = bytearray(stored.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 512] = b"\xff" * 512
    stored.write_bytes(data)
    assert run("db", "check").code == 1
    for command in (("query", "SELECT * FROM pages"), ("crawl", "http://127.0.0.1:9/"), ("status",)):
        ended = run(*command)
        assert ended.code == 1
        assert "is damaged" in ended.err
        assert "scraper db salvage" in ended.err
        assert "Traceback" not in ended.err


def test_all_of_a_sound_store_is_got_out(run, stored):
    """What is salvaged of a sound store is the same store: private, sound, and with nothing left to do."""
    before = stored.read_bytes()
    told = run("db", "salvage", "-o", "new.db", "--json").json
    new = stored.with_name("new.db")
    assert (counts(new), result(new)) == (counts(stored), result(stored))
    assert not any(told["mended"].values())
    assert stat.S_IMODE(new.stat().st_mode) == 0o600
    assert run("db", "check", "--full", "--db", "new.db").code == 0
    assert stored.read_bytes() == before


def test_what_is_lost_is_fetched_again(run, stored, site):
    """A salvaged crawl is resumed: pages that were lost are asked again, those that were not are not."""
    whole = result(stored)
    with closing(sqlite3.connect(stored)) as db, db:
        lost = [url for (url,) in db.execute("SELECT url FROM pages WHERE depth BETWEEN 5 AND 6")]
        db.execute("DELETE FROM page WHERE url_id IN (SELECT id FROM url WHERE depth BETWEEN 5 AND 6)")
    assert run("db", "salvage").code == 0
    site.requests.clear()
    ended = run("resume", "--db", "scraper-salvaged.db")
    assert ended.code == 0, ended.err
    assert {site.url(path) for path in site.paths()} - {site.url("/robots.txt")} == set(lost)
    assert result(stored.with_name("scraper-salvaged.db")) == whole


def test_nothing_is_overwritten(run, stored, home):
    """The new store is a new file: what exists is refused, a link too, and stays as it was."""
    (home / "taken.db").write_text("mine")
    (home / "link.db").symlink_to(home / "nowhere.db")
    for name in ("taken.db", "link.db", "scraper.db"):
        ended = run("db", "salvage", "-o", name)
        assert ended.code == 2
        assert "is there already" in ended.err
    assert (home / "taken.db").read_text() == "mine"
    assert not (home / "nowhere.db").exists()


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + b"\xff" * 9000, bytes(50_000)])
def test_where_there_is_nothing_nothing_is_made(run, home, content):
    """A file that holds no rows of ours is told so, and no new file is left."""
    (home / "scraper.db").write_bytes(content)
    ended = run("db", "salvage")
    assert ended.code == 2
    assert ended.err.startswith("scraper: scraper.db ")
    assert ended.err.count("\n") == 1
    assert [file.name for file in home.iterdir()] == ["scraper.db"]


def test_a_log_that_was_not_taken_in_is_read(run, stored):
    """What is committed in the write-ahead log alone is got out as well, and what is not committed is not."""
    with closing(sqlite3.connect(stored, isolation_level=None)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("UPDATE page SET title = 'in the log' WHERE url_id = 2")
        db.execute("BEGIN")
        db.execute("PRAGMA cache_size = 1")
        db.execute("UPDATE page SET title = 'not committed'")
        copy = stored.with_name("copy.db")
        for suffix in ("", "-wal"):
            shutil.copy(f"{stored}{suffix}", f"{copy}{suffix}")
    salvage(copy, stored.with_name("new.db"))
    with closing(sqlite3.connect(stored.with_name("new.db"))) as db:
        titles = dict(db.execute("SELECT title, count(*) FROM page GROUP BY 1"))
    assert titles.pop("in the log") == 1
    assert "not committed" not in titles
    assert sum(titles.values()) == counts(stored)["page"] - 1
