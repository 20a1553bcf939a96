"""Does a database come to this version whole, once, and in any of the ways the program is installed?"""

import sqlite3
from contextlib import closing

import pytest

from scraper.errors import MigrationError, NotAStore, SchemaTooNew, StoreDamaged
from scraper.store import APPLICATION_ID, newest
from scraper.store.migrate import _folder, migrations
from scraper.store.migrate import migrate as bring


@pytest.fixture
def path(tmp_path):
    """Where the database lies."""
    return tmp_path / "scraper.db"


@pytest.fixture
def db(path):
    """It, opened."""
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        yield opened


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes migrations and has them used."""
    folder = tmp_path / "migrations" / "sqlite"
    folder.mkdir(parents=True)
    monkeypatch.setattr("scraper.store.migrate._folder", lambda: folder.parent)

    def written(**sql):
        for name, text in sql.items():
            (folder / f"{name.removeprefix('_')}.sql").write_text(text, encoding="utf-8")

    return written


def schema(db):
    """All that it holds but rows."""
    return sorted(row for row in db.execute("SELECT type, name, sql FROM sqlite_schema"))


def versions(db):
    """What was applied to it."""
    return db.execute("SELECT version, name, applied_at FROM migration ORDER BY 1").fetchall()


def test_the_migrations_are_numbered_without_gaps():
    """The files that ship are numbered 1, 2, 3 …, the newest is what the program writes."""
    shipped = migrations("sqlite")
    assert [migration.version for migration in shipped] == list(range(1, len(shipped) + 1))
    assert newest("sqlite") == len(shipped)


def test_the_same_migrations_exist_for_every_database():
    """Each kind of database has migrations of the same names."""
    folders = [folder for folder in _folder().iterdir() if folder.is_dir()]
    names = {folder.name: sorted(file.name for file in folder.iterdir()) for folder in folders}
    assert set(map(tuple, names.values())) == {tuple(names["sqlite"])}


def test_a_new_database_is_brought_to_the_newest_version(db, path):
    """A new database is marked as ours and remembers each migration and when it was applied."""
    bring(db, str(path), 1234.5)
    assert versions(db) == [(migration.version, migration.name, 1234.5) for migration in migrations("sqlite")]
    assert db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert not db.in_transaction


def test_a_database_of_this_version_stays_as_it_is(db, path):
    """A second time nothing is applied."""
    bring(db, str(path), 1.0)
    before = schema(db), versions(db)
    bring(db, str(path), 2.0)
    assert (schema(db), versions(db)) == before


def test_every_statement_is_applied(db, path, written):
    """A migration's comments, triggers and a last statement without its semicolon are all read as SQL."""
    written(
        _0001_initial="""
-- A comment; with a semicolon.
CREATE TABLE a (x);  -- another
CREATE TRIGGER t AFTER INSERT ON a BEGIN
    UPDATE a SET x = 1;
    UPDATE a SET x = x + 1;
END;
CREATE TABLE
    b (y)""",
        _0002_more="INSERT INTO a VALUES (5);\n-- the end\n",
    )
    bring(db, str(path), 1.0)
    assert [name for _, name, _ in schema(db)] == ["a", "b", "migration", "t"]
    assert db.execute("SELECT x FROM a").fetchall() == [(2,)]


def test_only_what_is_missing_is_applied(db, path, written):
    """An older database gets the later migrations, in order, and keeps what it holds."""
    written(_0001_initial="CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n")
    bring(db, str(path), 1.0)
    written(_0002_b="UPDATE a SET x = x * 10;", _0003_c="UPDATE a SET x = x + 1;")
    bring(db, str(path), 2.0)
    assert db.execute("SELECT x FROM a").fetchall() == [(11,)]
    assert [(name, at) for _, name, at in versions(db)] == [("0001_initial", 1.0), ("0002_b", 2.0), ("0003_c", 2.0)]


@pytest.mark.parametrize(
    "broken", ["CREATE TABLE b (y);\nnonsense;\n", "CREATE TABLE b (y);\nINSERT INTO a VALUES (1);\n"]
)
def test_a_migration_that_fails_changes_nothing(db, path, written, broken):
    """A migration is applied whole or not at all, its error names the file, and those before it stay."""
    written(_0001_initial="CREATE TABLE a (x UNIQUE);\nINSERT INTO a VALUES (1);\n")
    bring(db, str(path), 1.0)
    before = schema(db), versions(db)
    written(_0002_good="INSERT INTO a VALUES (2);\n", _0003_broken=broken)
    with pytest.raises(MigrationError, match="0003_broken failed, nothing was changed") as error:
        bring(db, str(path), 2.0)
    assert str(path) in str(error.value)
    assert schema(db) == before[0]
    assert [name for _, name, _ in versions(db)] == ["0001_initial", "0002_good"]
    assert not db.in_transaction


def test_the_first_migration_that_fails_leaves_an_empty_file(db, path, written):
    """A file that could not become a store is as empty as before, and not marked as ours."""
    written(_0001_initial="CREATE TABLE a (x);\nnonsense;\n")
    with pytest.raises(MigrationError):
        bring(db, str(path), 1.0)
    assert schema(db) == []
    assert db.execute("PRAGMA application_id").fetchone() == (0,)


def test_another_process_may_have_been_first(db, path, written):
    """Two that find the same migration missing apply it once."""
    written(_0001_initial="CREATE TABLE a (x);\n")
    bring(db, str(path), 1.0)
    written(_0002_more="INSERT INTO a VALUES (1);\n")
    with closing(sqlite3.connect(path, isolation_level=None, factory=_Late)) as late:
        late.before_begin = lambda: bring(db, str(path), 2.0)
        bring(late, str(path), 3.0)
    assert db.execute("SELECT count(*) FROM a").fetchone() == (1,)
    assert versions(db)[-1] == (2, "0002_more", 2.0)


class _Late(sqlite3.Connection):
    """A connection that another one gets ahead of."""

    def execute(self, sql, *parameters):
        if sql == "BEGIN IMMEDIATE":
            self.before_begin()
        return super().execute(sql, *parameters)


def test_a_newer_database_is_refused(db, path):
    """A database that a newer program made is refused with both versions and what to do."""
    bring(db, str(path), 1.0)
    db.execute("INSERT INTO migration VALUES (?, 'later', 0)", (newest("sqlite") + 1,))
    before = schema(db)
    told = rf"schema {newest('sqlite') + 1}, this one knows {newest('sqlite')}\): upgrade scraper"
    with pytest.raises(SchemaTooNew, match=told):
        bring(db, str(path), 2.0)
    assert schema(db) == before


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("CREATE TABLE notes (id)", id="tables"),
        pytest.param("CREATE TABLE migration (version, name, applied_at)", id="a-table-of-that-name"),
        pytest.param(f"CREATE TABLE notes (id); PRAGMA application_id = {APPLICATION_ID}", id="only-the-mark"),
    ],
)
def test_another_programs_database_is_refused(db, path, sql):
    """A database with tables that are not ours is refused and left alone."""
    db.executescript(sql)
    before = schema(db)
    with pytest.raises(NotAStore, match="another program: name another file with --db"):
        bring(db, str(path), 1.0)
    assert schema(db) == before


def test_a_mark_without_a_version_is_an_error(db, path):
    """A database that claims to be ours and holds no version is an error of ours, not a crash."""
    bring(db, str(path), 1.0)
    db.execute("DELETE FROM migration")
    with pytest.raises(StoreDamaged, match="does not say its schema version"):
        bring(db, str(path), 2.0)
