"""`scraper db`: a store is told to be sound or not, and what can be read of a damaged one is got out (A7, G4)."""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
from contextlib import closing

import pytest

from scraper.errors import StoreError
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
        assert (ended.code, ended.out) == (0, "scraper.db: sound\n")
    assert run("db", "check", "--json").json == {"ok": True, "faults": []}
    assert stored.read_bytes() == before


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("DELETE FROM page WHERE url_id = (SELECT max(url_id) FROM page)", "1 fetched URLs whose page is lost"),
        ("DELETE FROM host", "URLs whose host is lost"),
        ("DELETE FROM url WHERE id = 2", "and holds"),
        ("UPDATE url SET state = 'queued' WHERE id = 2", "queued URLs that nobody would ask for"),
        ("INSERT INTO queue VALUES (1, 0, 0, 4)", "places in the queue of URLs that are not queued"),
        ("UPDATE host SET fetched = fetched + 1", "has counted"),
        ("CREATE TRIGGER t AFTER INSERT ON url BEGIN DELETE FROM page; END", "trigger t is not of this program"),
        ("DROP INDEX url_seen", "index url_seen is missing"),
        ("DROP VIEW pages; CREATE VIEW pages AS SELECT 1", "view pages is not as this program makes it"),
    ],
)
def test_what_is_wrong_is_told(run, stored, harm, told):
    """Rows that contradict each other and a schema that is not ours are told, with exit code 1 and the way out."""
    with closing(sqlite3.connect(stored)) as db:
        db.executescript(harm)
    ended = run("db", "check")
    assert (ended.code, ended.out) == (1, "")
    assert told in ended.err
    assert "scraper db salvage" in ended.err


def test_damage_is_told(run, stored):
    """A page of the file that is overwritten is told by `check`, and by every command that meets it, in a line."""
    data = bytearray(stored.read_bytes())
    for page in range(2, len(data) // 4096):
        data[page * 4096 : page * 4096 + 512] = b"\xff" * 512
    stored.write_bytes(data)
    for command in (("db", "check"), ("query", "SELECT * FROM pages"), ("crawl", "http://127.0.0.1:9/"), ("status",)):
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
    assert {told[name] for name in ("damaged_pages", "urls_lost", "records_lost", "asked_again", "left_out")} == {0}
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
        assert "exists" in ended.err
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


def damaged(data, chance):
    """Damage a file in one of six ways; return it and the pages that are no longer as they were."""
    pages = len(data) // 4096
    before = bytes(data)
    match chance.choice(["zeros", "noise", "bits", "cut", "header", "swapped"]):
        case "zeros":
            for page in chance.sample(range(pages), chance.randint(1, 10)):
                data[page * 4096 : (page + 1) * 4096] = bytes(4096)
        case "noise":
            for page in chance.sample(range(pages), chance.randint(1, 10)):
                data[page * 4096 : (page + 1) * 4096] = chance.randbytes(4096)
        case "bits":
            for _ in range(chance.randint(1, 100)):
                data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        case "cut":
            del data[chance.randrange(len(data) // 2, len(data)) :]
        case "header":
            data[: chance.randint(1, 4096)] = bytes(0)
            data[:0] = bytes(len(before) - len(data))
        case "swapped":
            one, other = sorted(chance.sample(range(1, pages), 2))
            first, second = before[one * 4096 : (one + 1) * 4096], before[other * 4096 : (other + 1) * 4096]
            data[one * 4096 : (one + 1) * 4096], data[other * 4096 : (other + 1) * 4096] = second, first
    padded = bytes(data).ljust(len(before), b"\0")
    return {n + 1 for n in range(pages) if padded[n * 4096 : (n + 1) * 4096] != before[n * 4096 : (n + 1) * 4096]}


def on_whole_pages(path, broken):
    """How many rows of each table stand on pages of the file that are not broken, the pages they go on in included."""
    from scraper.store.btree import Page
    from scraper.store.pagefile import open_pages

    with closing(sqlite3.connect(path)) as db:
        roots = {
            name: root
            for name, root in db.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'")
            if name in {"url", "page", "record"}
        }
    found = {}
    with open_pages(path) as file:
        for name, root in roots.items():
            found[name], pending = 0, [root]
            while pending:
                number = pending.pop()
                page = Page(file, number)
                pending += page.children()
                for _ in page.rows():
                    parts, page.overflow = {number, *page.overflow}, []
                    found[name] += not parts & broken
    return found


@pytest.mark.parametrize(
    "seeds", [range(8), pytest.param(range(2000), marks=[pytest.mark.heavy, pytest.mark.timeout(3600)])]
)
def test_damaged_files(run, stored, home, goal, seeds):
    """Whatever is damaged: 99 of 100 rows on whole pages are got out, into a sound store, and nothing raises (G4)."""
    base = stored.read_bytes()
    kept = there = 0
    file, new = home / "damaged.db", home / "new.db"
    with goal("G4", "damaged databases: told in a line, salvaged into a sound store") as tries:
        for seed in seeds:
            data = bytearray(base)
            broken = damaged(data, random.Random(seed))
            file.write_bytes(data)
            for rest in home.glob("new.db*"):
                rest.unlink()
            checked = run("db", "check", "--full", "--db", file)
            tries.check(checked.code in {0, 1, 2} and "Traceback" not in checked.err, f"{seed}: {checked}")
            try:
                found = salvage(file, new)
            except StoreError:
                tries.check(len(broken) > len(base) // 4096 // 2, f"{seed}: nothing")
                continue
            ended = run("db", "check", "--full", "--db", new)
            tries.check(ended.code == 0, f"{seed}: {ended}")
            expected = on_whole_pages(stored, broken)
            kept += sum(min(found.rows[name], number) for name, number in expected.items())
            there += sum(expected.values())
    assert kept >= 0.99 * there
