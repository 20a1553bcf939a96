"""Killed at a write to the database, whichever it is, and gone on with: the result is that of a run left alone."""

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from scraper.store import migrate

ENOUGH = 3  # requests that a kill may cost beyond those under way: robots.txt, and a redirect's


@dataclass
class Scene:
    """Something the program does to a store, to be killed at."""

    site: Any
    folder: Any
    argv: tuple[str, ...]
    image: Any = None  # the store before, if there is one
    expected: Any = None
    asked: int = 0  # requests of a run that is left alone
    writes: int = 0  # in such a run


@pytest.fixture
def scene(tmp_path, website, home, tree, nursery):
    """Prepare what is to be killed: a crawl, or something with the store that one left."""

    def scene(kind, pages):
        folder = tmp_path / "served"
        folder.symlink_to(tree("site", pages))
        site = website(folder=folder, redirects={"/moved": "/moved-here.html"})
        image = home("image")
        crawl = image.crawl(f"{site.origin}/p0.html")
        made = Scene(site, folder, crawl)
        if kind != "crawl":
            half = _prepare(kind, image, crawl, nursery)
            made.image, made.argv = image, half
        if kind == "recrawl":
            other = tree("site again", pages + 5, edition=" again")
            (other / f"p{pages // 2}.html").unlink()
            folder.unlink()
            folder.symlink_to(other)
        whole, before = _fresh(made, home("whole")), site.asked
        code, made.writes = nursery.run(whole, *made.argv, fault={"at": 0})
        assert code == 0, whole.said()
        made.asked = site.asked - before
        made.expected = whole.result()
        assert not whole.faults()
        return made

    return scene


def _prepare(kind, image, crawl, nursery):
    """Make the store that is there before, and return the words of what is killed then."""
    whole = kind in {"extract", "recrawl"}
    code, writes = nursery.run(image, *crawl, fault={"at": 0})
    assert code == 0, image.said()
    if not whole:
        for file in image.directory.glob("crawl.db*"):
            file.unlink()
        assert nursery.run(image, *crawl, fault={"at": writes // 2})[0] < 0
    if kind.startswith("migration"):
        _grow_old(image.db, int(kind[-1]))
    return {
        "extract": ("extract", "--rules", str(image.titles), "--parse-workers", "0", "--db", "crawl.db"),
        "recrawl": (*crawl, "--recrawl"),
    }.get(kind, ("resume", "--db", "crawl.db"))


def _grow_old(db, version):
    """Write a store as a former version of the program had it, with as much of its rows."""
    new = db.with_name("new.db")
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("VACUUM INTO ?", (str(new),))
    for file in db.parent.glob("crawl.db*"):
        file.unlink()
    with closing(sqlite3.connect(db, isolation_level=None)) as old:
        old.execute(f"PRAGMA application_id = {migrate.APPLICATION_ID}")
        old.execute("PRAGMA journal_mode = WAL")
        old.execute(migrate.BOOKKEEPING)
        for migration in migrate.migrations("sqlite")[:version]:
            old.executescript(migration.sql)
            old.execute("INSERT INTO migration VALUES (?, ?, 0)", migration[:2])
        old.execute("ATTACH ? AS new", (str(new),))
        for (table,) in old.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'migration'"):
            columns = ", ".join(name for _, name, *_ in old.execute(f"PRAGMA table_info({table})"))
            old.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
    new.unlink()


def _fresh(scene, place):
    if scene.image is not None:
        place.take(scene.image)
    return place


def _contents(home):
    """All rows of all tables but the migrations', if the store is of the version that the image is of."""
    tables = sorted(home.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'migration'"))
    return {table: home.query(f"SELECT * FROM {table}") for (table,) in tables}


@pytest.fixture
def killed(home, nursery, served_and_stored):
    """Kill at a write and go on; tell what is wrong, or that it ended before that write."""
    place, seen = home("killed"), home("seen")

    def killed(scene, at, *, torn=False):
        for file in place.directory.glob("crawl.db*"):
            file.unlink()
        _fresh(scene, place)
        before = scene.site.asked
        code, _ = nursery.run(place, *scene.argv, fault={"at": at, "torn": torn})
        if code == 0:
            return None
        seen.take(place)
        wrong = _left(seen, scene) if code == -9 else [f"exit code {code}: {place.said()[-500:]}"]
        if scene.argv[0] == "extract" or seen.crawls() != scene.expected["crawls"]:
            code, _ = nursery.run(place, *scene.argv)
            if code != 0:
                return [*wrong, f"exit code {code}: {place.said()[-500:]}"]
        result = place.result()
        wrong += [f"{name} differ" for name, rows in scene.expected.items() if result[name] != rows]
        wrong += place.faults()
        if scene.argv[0] != "extract" and "--recrawl" not in scene.argv:
            wrong += served_and_stored(place, scene.site, scene.folder, records=True)
        most = scene.asked + 16 + ENOUGH
        wrong += [] if scene.site.asked - before <= most else [f"{scene.site.asked - before} requests, {most} at most"]
        return wrong

    return killed


def _left(seen, scene):
    """What is wrong with what a kill has left."""
    if not seen.db.exists() or not seen.query("SELECT 1 FROM sqlite_schema"):
        return [] if scene.image is None else ["the store is gone"]
    (version,) = seen.query("SELECT max(version) FROM migration")
    if scene.image is not None and version == scene.image.query("SELECT max(version) FROM migration")[0] < (3,):
        return [] if _contents(seen) == _contents(scene.image) else ["the old store has changed"]
    return seen.faults()


PAGES, ALL_PAGES = {"extract": 250}, {"extract": 450}  # an extract commits 200 at a time
KINDS = ["crawl", "resume", "extract", "recrawl", "migration 1", "migration 2"]


@pytest.mark.parametrize("kind", KINDS)
def test_some_writes(scene, killed, goal, kind):
    """Killed at a write, whole or torn, a run leaves a sound store, and goes on to the same end (A1)."""
    made = scene(kind, PAGES.get(kind, 16))
    chance = random.Random(kind)
    with goal("G1", "kills at writes of a crawl, a resume, an extract, a recrawl, a migration") as tries:
        for at in chance.sample(range(1, made.writes * 19 // 20), 8 if kind == "crawl" else 4):
            torn = chance.random() < 0.3
            tries.check(not (wrong := killed(made, at, torn=torn)), f"{kind}, write {at}, torn {torn}: {wrong}")


def every(made, killed, tries, *, start, step, torn):
    """Kill at every so many-th write, until a run passes untouched."""
    at = start
    while (wrong := killed(made, at, torn=torn)) is not None:
        tries.check(not wrong, f"write {at} of {made.writes}: {wrong}")
        at += step
    assert at > made.writes / 2


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
def test_no_write_is_missed(traced, website, tree, home):
    """What is counted here is what the kernel sees: every write to the store, every cut and every deletion of it."""
    site, place = website(folder=tree("site", 30)), home("traced")
    nursery, lines = traced
    code, writes = nursery.run(place, *place.crawl(f"{site.origin}/p0.html"), fault={"at": 0})
    nursery.close()
    assert code == 0, place.said()
    calls = [line for line in lines() if "crawl.db" in line and "resumed>" not in line]
    assert len(calls) == writes > 500


@pytest.mark.heavy
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("share", range(4))
def test_every_write_of_a_crawl(scene, killed, goal, share):
    """The same at every single write of a crawl of 200 pages (A1)."""
    with goal("G1", "kills at every write of a crawl") as tries:
        every(scene("crawl", 200), killed, tries, start=share + 1, step=4, torn=False)


@pytest.mark.heavy
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_write(scene, killed, goal, kind):
    """The same at every single write of what else is done to a store of 60 pages (A1)."""
    with goal("G1", f"kills at every write of a {kind.rstrip(' 12')}") as tries:
        every(scene(kind, ALL_PAGES.get(kind, 60)), killed, tries, start=1, step=1, torn=False)


@pytest.mark.heavy
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", KINDS)
def test_torn_writes(scene, killed, goal, kind):
    """The same when half of the last write is there (A1)."""
    with goal("G1", f"kills within every third write of a {kind.rstrip(' 12')}") as tries:
        every(scene(kind, ALL_PAGES.get(kind, 60)), killed, tries, start=1, step=3, torn=True)
