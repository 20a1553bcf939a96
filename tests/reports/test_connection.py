from __future__ import annotations

import os
import re
import shutil
import sqlite3
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from scraper.errors import NotAStore, SchemaTooNew, StoreBusy, StoreError
from scraper.reports import connection as module
from scraper.reports import open_reader, run

NOBODY = 65534


@contextmanager
def unprivileged():
    """Root may read and write everywhere; be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def folder():
    """A directory that others can reach, unlike `tmp_path`."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def refusal(path, newest=1):
    """How opening the path is refused."""
    with pytest.raises(StoreError) as caught, open_reader(path, newest=newest):
        pass
    assert str(path) in str(caught.value)
    return caught.value


def test_a_missing_file_says_how_to_get_a_store(tmp_path):
    """A file that is not there is a StoreError that names it, `scraper crawl` and --db; and it is not created."""
    error = refusal(tmp_path / "no.db")
    assert "scraper crawl" in str(error)
    assert "--db" in str(error)
    assert not list(tmp_path.iterdir())


def test_a_directory_is_not_a_store(tmp_path):
    """A directory is NotAStore."""
    assert isinstance(refusal(tmp_path), NotAStore)


def test_a_pipe_is_not_a_store(tmp_path):
    """A named pipe is NotAStore at once, and nobody waits for its writer."""
    os.mkfifo(tmp_path / "pipe")
    assert isinstance(refusal(tmp_path / "pipe"), NotAStore)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"hello " * 1000, b"SQLite format 3\0"], ids=["empty", "short", "text", "head"]
)
def test_another_file_is_not_a_store(tmp_path, content):
    """A file that is no database is NotAStore, an empty one too, and stays as it was."""
    path = tmp_path / "some.db"
    path.write_bytes(content)
    assert isinstance(refusal(path), NotAStore)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    "script",
    [
        "",
        "CREATE TABLE t (x)",
        "PRAGMA application_id = 0x53435250; CREATE TABLE t (x)",
        "CREATE TABLE migration (version)",
    ],
    ids=["without-tables", "foreign", "no-migration", "no-id"],
)
def test_the_database_of_another_program_is_not_a_store(tmp_path, script):
    """A SQLite database without our application id and our table `migration` is NotAStore."""
    path = tmp_path / "other.db"
    db = sqlite3.connect(path)
    db.executescript("VACUUM;" + script)
    db.close()
    assert isinstance(refusal(path), NotAStore)


def test_a_newer_schema_is_refused(scene):
    """A store with a schema version above the newest known is SchemaTooNew, with both versions in the message."""
    scene.execute("INSERT INTO migration VALUES (7, '0007_later', 0)")
    error = refusal(scene.path)
    assert isinstance(error, SchemaTooNew)
    assert "schema 7, this one knows 1" in str(error)


def test_the_newest_known_schema_is_this_programs_own(scene):
    """Without being told, a reader takes the schema versions that this program's store writes."""
    with open_reader(scene.path):
        pass
    scene.execute("INSERT INTO migration VALUES (9999, '9999_later', 0)")
    with pytest.raises(SchemaTooNew), open_reader(scene.path):
        pass


@pytest.mark.parametrize("name", ["a b.db", "a?mode=rwc.db", "a#b.db", "a%20b.db", "ä&ü.db", "file:x.db", "-x.db"])
def test_any_file_name_is_taken_literally(scene, tmp_path, name):
    """Blanks and characters that mean something in a URI are part of the name."""
    shutil.copy(scene.path, tmp_path / name)
    with open_reader(tmp_path / name, newest=1) as connection:
        assert list(run(connection, "SELECT count(*) FROM crawls").rows) == [(2,)]
    assert {path.name.removesuffix("-shm").removesuffix("-wal") for path in tmp_path.iterdir()} == {name, "store"}


def test_a_path_with_a_nul_is_refused(tmp_path):
    """A path that no file can have is a StoreError, not a traceback."""
    refusal(f"{tmp_path}/a\0b")


def test_nothing_can_be_written(scene):
    """The connection refuses to write, even without the guard of a query."""
    with pytest.raises(StoreError, match="readonly"), scene.reading() as connection:
        connection.execute("DELETE FROM page")


def test_a_reader_works_while_a_crawl_writes(scene):
    """While another connection holds an unfinished transaction, a reader answers with what was committed before."""
    with scene.writing() as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM record")
        db.execute("DELETE FROM page")
        with scene.reading() as connection:
            assert list(run(connection, "SELECT count(*) FROM pages").rows) == [(3,)]
        db.execute("COMMIT")
    with scene.reading() as connection:
        assert list(run(connection, "SELECT count(*) FROM pages").rows) == [(0,)]


def test_what_was_committed_since_the_last_checkpoint_is_read(scene):
    """Rows that are still in the write-ahead log are seen."""
    with scene.writing() as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("DELETE FROM page WHERE crawl_id = 1")
        with scene.reading() as connection:
            assert list(run(connection, "SELECT count(*) FROM pages").rows) == [(2,)]


def test_a_store_in_a_read_only_directory_is_read(scene, folder):
    """A store that was closed cleanly can be read where not even the log's index can be written."""
    shutil.copy(scene.path, folder / "x.db")
    (folder / "x.db").chmod(0o444)
    folder.chmod(0o555)
    with unprivileged(), open_reader(folder / "x.db", newest=1) as connection:
        assert list(run(connection, "SELECT count(*) FROM pages").rows) == [(3,)]
    assert [path.name for path in folder.iterdir()] == ["x.db"]


def test_a_log_that_cannot_be_read_is_not_left_out(scene, folder):
    """A store with a log in a read-only directory is refused with the way out, never read without its newest rows."""
    with scene.writing() as db:
        db.execute("DELETE FROM page")
        for suffix in ("", "-wal"):
            shutil.copy(f"{scene.path}{suffix}", f"{folder}/x.db{suffix}")
    folder.chmod(0o555)
    with unprivileged():
        assert "copy it and x.db-wal" in str(refusal(folder / "x.db"))


def test_a_file_that_may_not_be_read_says_so(scene, folder):
    """Without the permission to read, the message names permissions."""
    shutil.copy(scene.path, folder / "x.db")
    (folder / "x.db").chmod(0o000)
    with unprivileged():
        assert "permissions" in str(refusal(folder / "x.db"))


def test_a_lock_of_another_process_is_store_busy(scene, monkeypatch):
    """A database that another process has locked for itself is StoreBusy; nobody reads "database is locked"."""
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.0)
    with scene.writing() as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        error = refusal(scene.path)
    assert isinstance(error, StoreBusy)
    assert "database is locked" not in str(error)


def test_a_damaged_store_is_told(scene):
    """Damage met while reading is a StoreError that names the file."""
    content = bytearray(scene.path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    scene.path.write_bytes(content)
    with pytest.raises(StoreError, match=r"scraper\.db is damaged"), scene.reading() as connection:
        list(run(connection, "SELECT * FROM pages").rows)


def test_bytes_that_are_not_utf_8_are_read(reader):
    """Text that is not UTF-8 is read with replacement characters."""
    assert list(run(reader, "SELECT CAST(x'61ff' AS TEXT)").rows) == [("a\ufffd",)]


def test_a_strangers_schema_is_not_trusted(reader):
    """No view or column of a store from elsewhere may call what does harm, and pages are checked when read (A7)."""
    assert reader.execute("PRAGMA trusted_schema").fetchone() == (0,)
    assert reader.execute("PRAGMA cell_size_check").fetchone() == (1,)


@pytest.mark.parametrize("table", ["migration", "crawl", "host", "url", "page", "record", "link"])
@pytest.mark.parametrize(
    "made",
    [
        "VIEW {table} AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n",
        "VIRTUAL TABLE {table} USING fts5(x)",
    ],
    ids=["view", "virtual"],
)
def test_what_stands_in_for_a_table_is_not_read(scene, table, made):
    """A store one of whose tables is a view, which could run for ever, or a virtual table is no store (A7)."""
    scene.execute(f"DROP TABLE {table}")
    scene.execute(f"CREATE {made.format(table=table)}")
    assert re.search("another program|not ours|cannot be read", str(refusal(scene.path)))
