"""A store file from elsewhere is hostile: nothing it declares runs, nothing it says opens, reads or writes anything."""

import hashlib
import json
import os
import socket
import sqlite3
import time
from contextlib import closing, suppress

import pytest

import scraper
from scraper.errors import ConfigError, ForeignSchema, NotAStore, ScraperError, StoreDamaged, StoreForbidden
from scraper.model import UrlState
from scraper.reports import check_store, crawls, open_reader, reasons, run, status
from scraper.store import salvage
from scraper.store.sqlite_prepare import prepare

FAST = {"depth": 9, "delay": 0.0, "per_host": 8, "parse_workers": 0, "retry_base": 0.0}


@pytest.fixture
def path(tmp_path):
    """Where the store lies."""
    return tmp_path / "scraper.db"


@pytest.fixture(autouse=True)
def silence(monkeypatch):
    """Shortens the time in which a run that lives is heard, in seconds."""
    monkeypatch.setattr("scraper.store.sqlite_lease.SILENCE", 0.05)


@pytest.fixture
async def left(site, path):
    """A crawl of two pages that stopped after the first."""
    site.page("/", ["/next"])
    site.page("/next")
    async for _ in scraper.crawl([site.url("/")], store=path, name="left", **FAST, max_pages=1):
        pass
    return path


def tampered(path, *statements, parameters=()):
    """Write to a store as any program can."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        for sql in statements:
            db.execute(sql, parameters)


def bytes_of(place):
    """What is in a directory, but for the index of the log, which every reader makes."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in place.iterdir()
        if file.is_file() and not file.name.endswith("-shm") and file.stat().st_size
    }


# --- no store at all ---


def another_programs(path):
    """A database in the middle of a transaction of its own."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)")


def with_our_number(path):
    """Another program's, that has our application id and tables of our names."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA application_id = 0x53435250; CREATE TABLE crawl (id); CREATE TABLE url (id)")


def a_link_to_nothing(path):
    """A link that leads nowhere."""
    path.symlink_to("nowhere")


def a_link_to_itself(path):
    """A link that leads round in a circle."""
    path.symlink_to(path)


def a_socket(path):
    """A socket."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_STORES = {
    "another programs": another_programs,
    "with our number": with_our_number,
    "text": lambda path: path.write_text("hello\n" * 999),
    "its head alone": lambda path: path.write_bytes(b"SQLite format 3\0"),
    "a directory": lambda path: path.mkdir(),
    "a fifo": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/null"),
    "a socket": a_socket,
    "a link to nothing": a_link_to_nothing,
    "a link to itself": a_link_to_itself,
}


@pytest.mark.parametrize("what", NO_STORES)
@pytest.mark.goal("G4", "what is no store: refused at once, not a byte changed")
def test_what_is_no_store_is_refused(path, what):
    """What is no store is refused at once by who writes and who reads, in a line, and not a byte of it changes (A7)."""
    NO_STORES[what](path)
    before = bytes_of(path.parent)
    for look in (lambda: prepare(str(path)), lambda: open_reader(path).__enter__(), lambda: check_store(path)):
        with pytest.raises((NotAStore, StoreForbidden)) as refused:
            look()
        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)
    assert bytes_of(path.parent) == before


async def test_a_link_to_a_store_is_that_store(left, tmp_path):
    """A store may be reached through a link."""
    (tmp_path / "link.db").symlink_to(left)
    async with scraper.open(tmp_path / "link.db") as store:
        assert (await store.find_crawl("left")).id == 1


# --- what a stranger declared ---

STRANGE = {
    "a trigger": ["CREATE TRIGGER t AFTER INSERT ON host BEGIN UPDATE host SET host = 'http://evil.example'; END"],
    "a trigger on update": ["CREATE TRIGGER t AFTER UPDATE ON crawl BEGIN DELETE FROM url; END"],
    "a view": ["CREATE VIEW secrets AS SELECT owner FROM crawl"],
    "a view with a trigger": [
        "CREATE VIEW v AS SELECT 1 AS x",
        "CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN DELETE FROM url; END",
    ],
    "a table that is a view": ["ALTER TABLE url RENAME TO real", "CREATE VIEW url AS SELECT * FROM real"],
    "another view of ours": ["DROP VIEW urls", "CREATE VIEW urls AS SELECT owner AS url FROM crawl"],
    "a generated column": ["ALTER TABLE host ADD COLUMN g TEXT AS (hex(zeroblob(99)))"],
    "a default": ["ALTER TABLE host ADD COLUMN d INTEGER DEFAULT 7"],
    "an index on a function": ["CREATE INDEX i ON url (hex(zeroblob(length(url))))"],
    "a unique index": ["CREATE UNIQUE INDEX i ON url (state)"],
    "a virtual table": ["CREATE VIRTUAL TABLE f USING fts5 (x)"],
    "a table that is missing": ["DROP TABLE spent"],
    "an index that is missing": ["DROP INDEX url_seen"],
    "another collation": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'TEXT NOT', 'TEXT COLLATE NOCASE NOT') WHERE name='host'",
        "PRAGMA writable_schema = RESET",
    ],
    "a check": [
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(sql, 'PRIMARY KEY,', 'PRIMARY KEY CHECK (id < 9),') WHERE name='crawl'",
        "PRAGMA writable_schema = RESET",
    ],
}


@pytest.mark.parametrize("what", STRANGE)
@pytest.mark.goal("G4", "stores in which a stranger declared what would run")
async def test_what_a_stranger_declared_never_runs(left, what, tmp_path):
    """A store that declares what is not ours is opened by nobody; check says so; salvage leaves it behind (A7)."""
    tampered(left, *STRANGE[what])
    before = bytes_of(tmp_path)
    with pytest.raises(ForeignSchema, match=r"declares what is not ours: .*scraper db salvage"):
        prepare(str(left))
    with pytest.raises(ForeignSchema), open_reader(left):
        pass
    found = check_store(left)
    assert found.problems
    assert not found.whole
    assert bytes_of(tmp_path) == before
    whole = tmp_path / "whole.db"
    salvage(left, whole)
    assert check_store(whole) == ((), True)
    if what == "a trigger":
        async for _ in scraper.resume(store=whole, max_pages=9):
            pass
        with open_reader(whole) as db:
            assert crawls(db, now=time.time())[0][4:8] == (2, 2, 0, 0)


async def test_a_strangers_table_is_let_be(left):
    """A plain table that another program, such as one that replicates, added does no harm and stays."""
    tampered(left, "CREATE TABLE _replica (id INTEGER PRIMARY KEY, seq INTEGER)", "INSERT INTO _replica VALUES (1, 7)")
    async for _ in scraper.resume(store=left, max_pages=9):
        pass
    with closing(sqlite3.connect(left)) as db:
        assert db.execute("SELECT * FROM _replica").fetchall() == [(1, 7)]
    assert check_store(left) == ((), True)


# --- what a stranger wrote into the rows ---

ROWS = {
    "a state": "UPDATE crawl SET state = 'evil'",
    "seeds": "UPDATE crawl SET seeds = '[' || hex(zeroblob(9))",
    "seeds of numbers": "UPDATE crawl SET seeds = '{\"a\": 1}'",
    "settings": "UPDATE crawl SET config = 'none'",
    "settings in depth": "UPDATE crawl SET config = '" + "[" * 100_000 + "'",
    "a moment": "UPDATE crawl SET started_at = 1e300",
    "an owner": 'UPDATE crawl SET owner = \'{"pid": -1, "place": "x", "started": ""}\', lease_until = 1e300',
    "a url's state": "UPDATE url SET state = 'evil'",
    "a reason": "UPDATE url SET state = 'skipped', reason = 'evil'",
    "a kind": "UPDATE url SET kind = 'evil'",
    "the way to a url": "UPDATE url SET via = '[1'",
    "a host": "UPDATE host SET host = 'no host', next_at = -1e300",
    "robots.txt": "UPDATE host SET robots_text = hex(zeroblob(600000)), robots_status = 'x', robots_expires_at = 1e300",
    "text that is none": "UPDATE url SET url = CAST(x'ff00fe' AS TEXT)",
    "a script": "UPDATE url SET url = 'javascript:alert(1)'",
    "a file": "UPDATE url SET url = 'file:///etc/passwd'",
    "a line break": "UPDATE url SET url = 'http://127.0.0.1:1/' || char(13, 10) || 'X: y'",
    "nothing": "UPDATE url SET url = ''",
    "no port": "UPDATE url SET url = 'http://127.0.0.1:99999/'",
    "a budget": "INSERT INTO spent VALUES (1, 'like ' || hex(zeroblob(9)), -9)",
    "the queue": "UPDATE queue SET url_id = 999",
    "a counter": "UPDATE host SET queued = -5",
    "moments of a url": "UPDATE url SET due_at = 1e300, tried_at = -1e300",
}


@pytest.mark.parametrize("what", ROWS)
@pytest.mark.goal("G4", "stores in which a stranger wrote what no version writes")
async def test_what_a_stranger_wrote_is_told(left, what):
    """Whatever the rows of a store hold, each command answers, or ends with an error of ours in a line (A7)."""
    tampered(left, ROWS[what])

    async def resumed():
        async for visit in scraper.resume(store=left, max_pages=9, retry_attempts=1):
            assert visit.state is not UrlState.FETCHED or visit.url.url.startswith("http://127.0.0.1:"), visit

    for look in (lambda db: crawls(db, now=1.0), lambda db: status(db, 1, now=1.0), lambda db: reasons(db, 1)):
        with suppress(ScraperError), open_reader(left) as db:
            look(db)
    check_store(left)
    with suppress(ScraperError):
        await resumed()


# --- what its settings would do here ---

CODE = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
import scraper

@scraper.extractor()
def mine(page):
    yield {}
"""
RULES = '[[rule]]\nname = "r"\nmatch = "*"\n[rule.fields]\nt = "h1"\n'


def settings(path, **changes):
    """Change the settings that a crawl keeps, as a stranger would, and leave what else stands there."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        ((text,),) = db.execute("SELECT config FROM crawl")
        kept = json.loads(text)
        for key, value in changes.items():
            section, _, name = key.partition("_")
            kept[section][name] = value
        db.execute("UPDATE crawl SET config = ?", (json.dumps(kept),))


def elsewhere(monkeypatch, tmp_path):
    """Be another user, or on another machine."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))


@pytest.fixture
def files(tmp_path):
    """Files of this machine that a stranger may name."""
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "cookies.txt").write_text("# mine\n")
    (tmp_path / "access.toml").write_text("")
    return tmp_path


PERILS = {
    "crawl_extractors": lambda files: [f"{files / 'code.py'}:mine"],
    "crawl_rules": lambda files: [str(files / "rules.toml")],
    "fetch_cookie_file": lambda files: str(files / "cookies.txt"),
    "fetch_access": lambda files: str(files / "access.toml"),
    "fetch_allow_private": lambda files: ["0.0.0.0/0"],
    "fetch_allow_origins": lambda files: ["http://127.0.0.1:1", "http://localhost:2"],
}


@pytest.mark.parametrize("key", PERILS)
async def test_a_strangers_settings_do_nothing_here(left, files, site, key):
    """Settings that we did not write run, read, write and open nothing: the error names them and --trust (A7, C1)."""
    settings(left, **{"fetch_allow_origins": [], key: PERILS[key](files)})
    before, asked = bytes_of(files), len(site.requests)
    with pytest.raises(ConfigError, match="--trust"):
        async for _ in scraper.resume(store=left, max_pages=9):
            pass
    assert len(site.requests) == asked
    assert {name: found for name, found in bytes_of(files).items() if not name.startswith("scraper.db")} == {
        name: found for name, found in before.items() if not name.startswith("scraper.db")
    }
    assert not (files / "code.ran").exists()


async def test_what_is_said_anew_is_trusted(left, files, site):
    """A setting that is given in the call that resumes is the user's own, and is kept as that."""
    settings(left, crawl_extractors=[f"{files / 'evil.py'}:mine"], fetch_allow_origins=[])
    given = {"extractors": (f"{files / 'code.py'}:mine",), "allow_private": ("127.0.0.1",), "max_pages": 1}
    async for _ in scraper.resume(store=left, **given):
        pass
    async for _ in scraper.resume(store=left, max_pages=9):
        pass
    assert site.paths().count("/next") == 1


async def test_a_strangers_crawl_can_be_trusted(left, files, monkeypatch, tmp_path, site):
    """With `trust` a crawl is gone on with as it was begun, and is one's own from then on."""
    settings(left, crawl_extractors=[f"{files / 'code.py'}:mine"])
    elsewhere(monkeypatch, tmp_path)
    with pytest.raises(ConfigError, match=r"open http://127\.0\.0\.1"):
        async for _ in scraper.resume(store=left, max_pages=1):
            pass
    async for _ in scraper.resume(store=left, trust=True, max_pages=1):
        pass
    async for _ in scraper.resume(store=left, max_pages=9):
        pass
    assert site.paths().count("/next") == 1
    assert (files / "code.ran").exists()


async def test_ones_own_crawl_goes_on_without_a_word(left, site):
    """A crawl of one's own is resumed with all its settings, and so is one that was salvaged."""
    salvage(left, left.with_name("whole.db"))
    for store in (left, left.with_name("whole.db")):
        async for _ in scraper.resume(store=store, max_pages=9):
            pass
    assert site.paths().count("/next") == 2


async def test_a_public_seed_of_a_stranger_is_no_peril(left):
    """A typed seed that is public opens nothing, so who resumes a stranger's crawl of it need say nothing."""
    settings(left, fetch_allow_origins=["https://example.com", "http://93.184.216.34"])
    tampered(left, "DELETE FROM queue", "UPDATE host SET queued = 0", "UPDATE url SET state = 'skipped'")
    async for _ in scraper.resume(store=left):
        pass


async def test_without_a_place_for_the_key_nothing_is_sealed(monkeypatch, site, path):
    """Where no key can be kept a crawl runs all the same, and its resume asks for trust."""
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    site.page("/", ["/next"])
    async for _ in scraper.crawl([site.url("/")], store=path, name="left", **FAST, max_pages=1):
        pass
    with pytest.raises(ConfigError, match="--trust"):
        async for _ in scraper.resume(store=path):
            pass
    async for _ in scraper.resume(store=path, trust=True, max_pages=9):
        pass


def test_nothing_in_a_store_is_unpickled(path):
    """No part of the program that reads a store can unpickle."""
    import scraper.store

    place = os.path.dirname(scraper.store.__file__)  # noqa: PTH120
    sources = [os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names]  # noqa: PTH118
    for source in sources:
        if source.endswith(".py"):
            with open(source, encoding="utf-8") as file:  # noqa: PTH123
                assert "pickle" not in file.read()


async def test_a_view_of_ours_reads_as_before(left):
    """A store that nobody touched is open to queries."""
    with open_reader(left) as db:
        assert list(run(db, "SELECT count(*) FROM urls").rows) == [(2,)]


async def test_damage_that_a_crash_left_is_told_as_it_is_opened(left, monkeypatch):
    """A file that was not closed, and is damaged, is told when it is opened, unless it is large or in use (A7)."""
    from scraper.store import sqlite_prepare

    data = bytearray(left.read_bytes())
    with closing(sqlite3.connect(left)) as db:
        ((root,),) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'body'")
    data[(root - 1) * 4096] = 99
    left.write_bytes(data)
    prepare(str(left))  # it was closed: nobody looks
    left.with_name("scraper.db-wal").write_bytes(bytes(32))
    with pytest.raises(StoreDamaged, match=r"`scraper db check`.*`scraper db salvage`"):
        prepare(str(left))
    left.with_name("scraper.db-wal").write_bytes(bytes(32))
    monkeypatch.setattr(sqlite_prepare, "QUICKLY_CHECKED", 4096)
    prepare(str(left))
