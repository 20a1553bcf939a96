"""Stores that a disk has damaged: told by every command, and got out of them what is whole (A7)."""

import asyncio
import random
import shutil
import sqlite3
import struct
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

import scraper
from scraper import config
from scraper.errors import CrawlNotFound, ScraperError
from scraper.reports import check_store, crawls, export, open_reader, reasons, run, status
from scraper.store import salvage, sqlite_btree
from scraper.store.shapes import SALVAGED, shapes
from scraper.store.sqlite_image import open_image

PAGE = 4096
KEYS = {"root": 2, "record": 3, "link": 2, "rule": 2, "spent": 2}  # columns; of the others one
EXTRACTOR = """
import scraper

@scraper.extractor()
def paragraphs(page):
    for number, paragraph in enumerate(page.soup.select("p")):
        yield {"number": number, "text": paragraph.get_text()[:200]}
"""
KINDS = ("flip", "flips", "zero", "zero-pages", "truncate", "swap", "header", "garbage")


def mutated(data, chance, start=0, page=PAGE):
    """One kind of damage to bytes that are made of pages from `start` on; and the pages that it touched."""
    spoilt, kind = bytearray(data), chance.choice(KINDS)
    pages = (len(data) - start) // page
    if kind in {"flip", "flips"}:
        places = [chance.randrange(len(data)) for _ in range(1 if kind == "flip" else chance.randrange(2, 30))]
        for place in places:
            spoilt[place] ^= 1 << chance.randrange(8)
    elif kind == "header":
        places = [chance.randrange(min(100, len(data))) for _ in range(chance.choice([1, 4, 100]))]
        for place in places:
            spoilt[place] = chance.randrange(256)
    elif kind == "truncate":
        cut = chance.randrange(len(data))
        del spoilt[cut:]
        places = range(cut, len(data), 512)
    elif kind == "swap":
        first, second = (start + page * chance.randrange(pages) for _ in range(2))
        one, other = data[first : first + page], data[second : second + page]
        spoilt[first : first + page], spoilt[second : second + page] = other, one
        places = [first, second]
    else:
        whole = kind != "zero"
        place = start + page * chance.randrange(pages) if whole else chance.randrange(len(data))
        size = page if whole else min(chance.choice([16, 512, 5000]), len(data) - place)
        spoilt[place : place + size] = chance.randbytes(size) if kind == "garbage" else bytes(size)
        places = [*range(place, place + size, 16), place + size - 1]
    return kind, bytes(spoilt), {(place - start) // page if place >= start else -1 for place in places}


def whereabouts(path):
    """Of each row of a sound store, by table and key: the pages of file and log it lies on, and its columns."""
    found = {}
    with closing(sqlite3.connect(path)) as db:
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'"))
        counts = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in SALVAGED}
    with open_image(Path(path)) as image:
        for shape in shapes()[:-1]:
            found[shape.name] = dict(_rows(image, shape, roots[shape.name]))
    assert {name: len(rows) for name, rows in found.items()} == counts
    return found


def _place(image, number):
    """Where a page lies: in the file or in the log, and which of its pages that is."""
    start = image._newest.get(number)
    return ("db", number - 1) if start is None else ("wal", (start - 32) // (PAGE + 24))


def _rows(image, shape, number):
    page, used = image.page(number), set()
    kind = page[0]
    (count,) = struct.unpack_from(">H", page, 3)
    first = 8 if kind in sqlite_btree.LEAVES else 12
    original, image.continuation = image.continuation, lambda more, _: (used.add(more), image.page(more))[1]
    cells = []
    for (place,) in struct.iter_unpack(">H", page[first : first + 2 * count]):
        used.clear()
        child, row, _ = sqlite_btree._cell(image, page, place, kind, 0)
        cells.append((child, row, {number, *used}))
    image.continuation = original
    for child, row, pages in cells:
        if row is not None:
            values = shape.values(row)
            yield values[: KEYS.get(shape.name, 1)], ({_place(image, one) for one in pages}, values)
        if child:
            yield from _rows(image, shape, child)
    if kind not in sqlite_btree.LEAVES:
        yield from _rows(image, shape, struct.unpack_from(">I", page, 8)[0])


def rows_of(path):
    """The keys of all rows, by table."""
    with closing(sqlite3.connect(path)) as db:
        return {
            name: {row[: KEYS.get(name, 1)] for row in db.execute(f"SELECT * FROM {name}").fetchall()}
            for name in SALVAGED
        }


def result_of(path):
    """What a crawl came to, whatever the order: URLs, pages, records."""
    with closing(sqlite3.connect(path)) as db:
        return [
            sorted(db.execute(sql).fetchall(), key=repr)
            for sql in (
                "SELECT url, state, reason, kind FROM urls",
                "SELECT url, status, content_hash FROM pages",  # a letter that was flipped in a text nobody can tell
                "SELECT url, rule, position FROM records",
            )
        ]


def problem(path):
    """What SQLite itself finds wrong with a file, None if nothing."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            found = db.execute("PRAGMA integrity_check").fetchall()
    except sqlite3.Error as error:
        return str(error)
    return None if found == [("ok",)] else str(found)


def unsound(path):
    """What is wrong with a store that was salvaged, None if nothing."""
    try:
        found = check_store(Path(path)).problems
    except ScraperError as error:
        return str(error)
    return found or None


@pytest.fixture
def served(site):
    """A site of so many pages, each with links to others and out of the scope."""

    def served(pages):
        chance = random.Random(7)
        words = ["alpha", "bêta", "gamma", "дельта"]
        for number in range(pages):
            text = " ".join(
                f"{chance.choice(words)}{chance.randrange(9999)}" for _ in range(chance.choice([9, 90, 900]))
            )
            links = [f"/p{(number * 3 + more) % pages}" for more in (1, 2, 3)]
            site.page(f"/p{number}", [*links, f"http://other{number % 5}.example/{number}"], body=f"<p>{text}</p>")
        return site

    return served


@pytest.fixture
def crawled(served, tmp_path):
    """A finished crawl of such a site, and how it is gone on with."""
    extractor = tmp_path / "extractor.py"
    extractor.write_text(EXTRACTOR)
    options = {"depth": 99, "delay": 0.0, "per_host": 16, "parse_workers": 0, "store_links": True}

    async def crawled(pages):
        site, path = served(pages), tmp_path / "sound.db"
        loaded = config.load(options=options | {"extractors": (f"{extractor}:paragraphs",)})
        async for _ in scraper.crawl([site.url("/p0")], store=path, name="site", loaded=loaded):
            pass
        return path

    return crawled


async def gone_on_with(path):
    """Resume a crawl if it is not finished."""
    try:
        async for _ in scraper.resume(store=path):
            pass
    except CrawlNotFound:
        pass


def spoil(sound, broken, seed):
    """Damage a copy of a store, in its file or, if it has one, in its log; return the kind and what was touched."""
    chance = random.Random(seed)
    for copy in broken.parent.glob(f"{broken.name}*"):
        copy.unlink()
    log = sound.with_name(f"{sound.name}-wal")
    in_log = log.exists() and chance.random() < 0.5
    kind, data, touched = mutated((log if in_log else sound).read_bytes(), chance, *((32, PAGE + 24) if in_log else ()))
    broken.write_bytes(sound.read_bytes() if in_log else data)
    if log.exists():
        broken.with_name(f"{broken.name}-wal").write_bytes(data if in_log else log.read_bytes())
    if in_log and kind == "truncate":
        touched |= set(range(min(touched), log.stat().st_size // PAGE))
        touched |= set(range(max(0, min(touched) - 400), min(touched)))  # of a transaction whose end is cut off
    return f"{seed} {kind}{' in the log' * in_log}", {("wal" if in_log else "db", page) for page in touched}


def salvaged(broken, target):
    """Salvage, and return what there was to say against it."""
    target.unlink(missing_ok=True)
    try:
        salvage(broken, target)
    except ScraperError as error:
        return str(error)
    return None


def reached(broken):
    """Have every reading command look at a damaged store; each answers, or says in one line what is wrong."""
    told = []
    for look in (
        lambda db: crawls(db, now=time.time()),
        lambda db: [status(db, line.id, now=time.time()) for line in crawls(db, now=time.time())],
        lambda db: reasons(db, 1),
        lambda db: list(run(db, "SELECT * FROM pages JOIN urls USING (url)").rows),
        lambda db: list(export(db, 1, "records").rows),
    ):
        try:
            with open_reader(broken) as db:
                look(db)
        except ScraperError as error:
            told.append(str(error))
    try:
        check_store(broken, full=True)
    except ScraperError as error:
        told.append(str(error))
    return [line for line in told if "\n" in line]


async def try_seeds(goal, sound, seeds, resumed):
    """Damage a store in many ways; look at each, salvage it, and go on with every so manieth."""
    whole, there_are = result_of(sound), await asyncio.to_thread(whereabouts, sound)
    broken, target = sound.with_name("broken.db"), sound.with_name("salvaged.db")
    kept, there = Counter(), Counter()
    with goal("G4", "damaged stores: told in a line, salvaged, resumed") as tries:
        for seed in seeds:
            name, touched = spoil(sound, broken, seed)
            before, began = broken.read_bytes(), time.process_time()
            tries.check(not (lines := reached(broken)), f"{name}: {lines}")
            if problem(broken) is not None:
                tries.check(unsound(broken), f"{name}: what integrity_check tells is not told")
            refused = salvaged(broken, target)
            tries.check(time.process_time() - began < 5, f"{name}: took {time.process_time() - began:.1f} s")
            tries.check(broken.read_bytes() == before, f"{name}: the damaged file was written")
            left = {of: [key for key, (on, _) in rows.items() if not on & touched] for of, rows in there_are.items()}
            tries.check(refused is None or not any(left.values()), f"{name}: {refused}")
            if refused is None:
                wrong = unsound(target)
                tries.check(wrong is None, f"{name}: {wrong}")
                found = rows_of(target)
                for table, on_whole in left.items():
                    there[table] += len(on_whole)
                    kept[table] += sum(key in found[table] for key in on_whole)
                if seed % resumed == 0 and left["crawl"]:  # settings that are damaged bear no seal, and are no use
                    await gone_on_with(target)
                    wrong = [_difference(*both) for both in zip(result_of(target), whole, strict=True)]
                    tries.check(not any(wrong) and unsound(target) is None, f"{name}, resumed: {wrong}")
    return kept, there


def _difference(found, wanted):
    return f"{len(found)} for {len(wanted)}: {sorted(set(found) ^ set(wanted))[:3]}" if found != wanted else ""


def check_kept(goal, kept, there):
    """99 % of the rows on whole pages are salvaged."""
    with goal("G4", "rows on whole pages that were salvaged, of which 1 % may fail") as tries:
        tries.tried = there.total()
    lost = there.total() - kept.total()
    assert lost <= there.total() / 100, {table: (kept[table], there[table]) for table in there}


async def test_damaged_stores_are_told_and_salvaged(goal, crawled):
    """Whatever is damaged is told in a line, rows on whole pages are salvaged, and resumed it is whole again (A7)."""
    sound = await crawled(60)
    check_kept(goal, *await try_seeds(goal, sound, range(16), 4))


async def logged(crawled, pages):
    """A store that was not closed: most of it lies in its log."""
    path = await crawled(pages)
    copy = path.with_name("logged.db")
    async with scraper.open(path) as store:
        await store._writer.connection.execute_fetchall("BEGIN IMMEDIATE")
        for table in ("url", "page", "record", "body", "link", "host", "crawl"):
            column = {"url": "depth", "page": "bytes", "host": "failures", "crawl": "epoch"}.get(table)
            touch = column or {"record": "data", "body": "zstd", "link": "text"}[table]
            await store._writer.connection.execute_fetchall(f"UPDATE {table} SET {touch} = {touch}")
        await store._writer.connection.execute_fetchall("COMMIT")
        shutil.copy(path, copy)
        shutil.copy(f"{path}-wal", f"{copy}-wal")
    return copy


async def test_damaged_logs_are_told_and_salvaged(goal, crawled):
    """Of a log that is damaged all whole pages are taken, also those behind the damage (A7)."""
    check_kept(goal, *await try_seeds(goal, await logged(crawled, 40), range(1000, 1008), 4))


@pytest.mark.heavy
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("place", ["file", "log"])
async def test_two_thousand_damaged_stores(goal, crawled, place):
    """Of 2,000 damaged stores none crashes or hangs a command; 99 % of rows on whole pages are salvaged (A7)."""
    sound = await (crawled(200) if place == "file" else logged(crawled, 200))
    seeds = range(1_400) if place == "file" else range(10_000, 10_600)
    check_kept(goal, *await try_seeds(goal, sound, seeds, 20))
