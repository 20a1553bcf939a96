"""The power goes at any moment: of what was not synced any part may have reached the disk, and nothing is broken.

The writes of a real process are recorded by strace and played back up to some moment. What was synced by then is there;
of the rest each sector of 512 bytes, each cut and each new name may be there or not. Each such image is opened, looked
through, and some of them are gone on with.
"""

import asyncio
import json
import random
import re
import shutil
import sqlite3
import sys
import tempfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import pytest

import scraper
from scraper import config
from scraper.errors import CrawlNotFound
from scraper.store import migrate, open_sqlite

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

SECTOR = 512  # bytes that a disk writes whole or not at all
SAFE_AFTER = 0.3  # seconds; `checkpoint_seconds`
SLACK = 0.9  # seconds that a busy machine may be late
CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2"
SETTINGS = """
[crawl]
depth = 99
rules = ["{folder}/rules.toml"]
[politeness]
delay = {delay}
per_host = 4
[parse]
workers = 0
[store]
batch_seconds = 0.1
synchronous = "{synchronous}"
checkpoint_seconds = {checkpoint_seconds}
"""
RULES = """
[[rule]]
name = "paragraph"
match = "*"
each = "p"
[rule.fields]
text = "::text"
"""


class Call(NamedTuple):
    """A system call: `began` and `ended` are lines of the record, `at` is the second in which it began."""

    name: str
    began: int
    ended: int
    at: float
    path: str
    offset: int = 0
    data: bytes = b""


@dataclass
class File:
    """What of a file is on the disk for certain, and what was written to it since."""

    synced: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)


def recorded(text):
    """The calls in what strace wrote, in the order in which they ended."""
    began, calls = {}, []
    for number, line in enumerate(text.splitlines()):
        pid, at, rest = line.split(None, 2)
        if rest.endswith("<unfinished ...>"):
            began[pid] = number, at, rest.removesuffix("<unfinished ...>")
            continue
        first = number
        if rest.startswith("<... "):
            first, at, start = began.pop(pid)
            rest = start + rest.partition("resumed>")[2]
        found = re.fullmatch(r"(\w+)\((.*)\)\s+= (-?\d+|\?).*", rest)
        if found is not None and int(found[3]) >= 0:
            calls.append(_call(found[1], found[2], first, number, float(at)))
    return calls


def _call(name, arguments, began, ended, at):
    strings = [bytes.fromhex(text.replace("\\x", "")) for text in re.findall(r'"([^"]*)"', arguments)]
    if name in {"openat", "unlink", "unlinkat"}:
        kind = "create" if "O_CREAT" in arguments else "open" if name == "openat" else "unlink"
        return Call(kind, began, ended, at, strings[0].decode())
    path = bytes.fromhex(re.match(r"\d+<((?:\\x..)*)>", arguments)[1].replace("\\x", "")).decode()
    if name == "write":
        return Call("write", began, ended, at, path, data=strings[0])
    if name == "pwrite64":
        return Call("pwrite", began, ended, at, path, int(arguments.rpartition(", ")[2]), strings[0])
    if name == "ftruncate":
        return Call("cut", began, ended, at, path, int(arguments.rpartition(", ")[2]))
    assert name in {"fsync", "fdatasync"}, name  # what else changes a file must be played back too
    return Call("sync", began, ended, at, path)


class Disk:
    """The directory of a database while calls are played back."""

    def __init__(self, folder, files):
        self.folder = str(folder)
        self.names = {name: File(bytearray(content)) for name, content in files.items()}  # as programs see it
        self.synced = dict(self.names)
        self.pending = []  # (call, name, file or None): made or unlinked, and not yet on the disk

    def play(self, call):
        """Let a call happen."""
        if call.path == self.folder:
            if call.name == "sync":
                self._sync_names(call.began)
            return
        name = call.path.removeprefix(f"{self.folder}/")
        if not name.startswith("crawl.db") or name.endswith(("-shm", " (deleted)")):
            return
        if call.name == "create" and name not in self.names:
            self.names[name] = File()
            self.pending.append((call, name, self.names[name]))
        elif call.name == "unlink":
            del self.names[name]
            self.pending.append((call, name, None))
        elif call.name in {"pwrite", "cut"}:
            self.names[name].pending.append(call)
        elif call.name == "sync":
            file = self.names[name]
            done = [each for each in file.pending if each.ended < call.began]
            file.synced = _applied(file.synced, [(each.offset, _content(each)) for each in done])
            file.pending = [each for each in file.pending if each.ended >= call.began]

    def _sync_names(self, moment):
        for call, name, file in self.pending:
            if call.ended < moment:
                _rename(self.synced, name, file)
        self.pending = [each for each in self.pending if each[0].ended >= moment]

    def image(self, chance):
        """What may be found after a power cut now."""
        how = chance.choice(["none", "some", "some", "some", "start", "start", "all"])
        share = chance.choice([0.1, 0.5, 0.9, 0.99])
        names = dict(self.synced)
        for _, name, file in _chosen(self.pending, how, share, chance, shuffle=False):
            _rename(names, name, file)
        return {name: bytes(self._found(file, how, share, chance)) for name, file in sorted(names.items())}

    def _found(self, file, how, share, chance):
        pieces = []
        for call in file.pending:
            start = call.offset
            while start < call.offset + len(call.data):
                end = min((start // SECTOR + 1) * SECTOR, call.offset + len(call.data))
                pieces.append((start, call.data[start - call.offset : end - call.offset]))
                start = end
            if call.name == "cut":
                pieces.append((call.offset, None))
        return _applied(file.synced, _chosen(pieces, how, share, chance, shuffle=chance.random() < 0.5))


def _chosen(pending, how, share, chance, *, shuffle):
    """Those of what is pending that have reached the disk."""
    if how == "none":
        return []
    if how == "start":
        return pending[: chance.randint(0, len(pending))]
    chosen = pending if how == "all" else [each for each in pending if chance.random() < share]
    return chance.sample(chosen, len(chosen)) if shuffle and how == "some" else chosen


def _rename(names, name, file):
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def _content(call):
    return None if call.name == "cut" else call.data


def _applied(content, pieces):
    """The content after pieces were written, None meaning that it was cut there (or made longer)."""
    after = bytearray(content)
    for offset, data in pieces:
        if data is None:
            del after[offset:]
            after.extend(bytes(offset - len(after)))
        else:
            after.extend(bytes(max(0, offset - len(after))))
            after[offset : offset + len(data)] = data
    return after


class Recorded:
    """A command whose writes were recorded, and what it told: `told` holds (second, URL, position of a record)."""

    def __init__(self, folder, before, calls):
        self.folder, self.before, self.calls = folder, before, calls
        lines = [(call.at, call.data) for call in calls if call.path.endswith("/out")]
        values = [(at, json.loads(line)) for at, data in lines for line in data.splitlines()]
        self.told = [(at, value["url"], value["position"]) for at, value in values]
        said = [call.at for call in calls if call.path.endswith("/err") and b": finished after" in call.data]
        self.finished_at = min(said, default=None)

    def moments(self, number, chance):
        """Yield so many moments (disk, second), in order; the more there is that may be lost, the likelier one."""
        disk, marks = Disk(self.folder, self.before), []
        for call, following in zip(self.calls, [*self.calls[1:], self.calls[-1]], strict=True):
            disk.play(call)
            marks.append((len(disk.pending) + sum(len(file.pending) for file in disk.names.values()), following.at))
        weights = [1 + min(left, 50) for left, _ in marks]
        wanted = sorted(chance.choices(range(len(marks)), weights, k=number))
        disk, done = Disk(self.folder, self.before), 0
        for index in wanted:
            while done <= index:
                disk.play(self.calls[done])
                done += 1
            yield disk, marks[index][1]


def found(folder):
    """The database's files there. (Who closes one of them loses the locks that SQLite has on it in this process.)"""
    return {path.name: path.read_bytes() for path in folder.glob("crawl.db*") if not path.name.endswith("-shm")}


async def strace(folder, *arguments, before=None):
    """Run a command of the program to its end and record what it does to the database and to its output."""
    before = before if before is not None else found(folder)
    watched = [folder, *(folder / name for name in ("crawl.db", "crawl.db-wal", "crawl.db-journal", "out", "err"))]
    paths = [option for path in watched for option in ("-P", str(path))]
    tracer = ["strace", "-f", "-qq", "-ttt", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", *paths]
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            *tracer, "-o", folder / "trace", sys.executable, "-m", "scraper", *arguments,
            cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err,
        )  # fmt: skip
        try:
            code = await process.wait()
        except BaseException:
            process.terminate()  # strace passes it on
            await process.wait()
            raise
    said = (folder / "err").read_text()
    if "PTRACE" in said:
        pytest.skip("strace may not trace here")
    assert code == 0, said
    return Recorded(folder, before, recorded((folder / "trace").read_text()))


def fault(folder, told, *, finished=False):
    """What is wrong with the database there, or nothing."""
    path = folder / "crawl.db"
    if not path.exists() or not path.stat().st_size:
        return "the database is gone" if told else None
    try:
        with closing(sqlite3.connect(path)) as db:
            return _fault(db, told, finished=finished)
    except sqlite3.Error as error:
        return f"{type(error).__name__}: {error}"


def _fault(db, told, *, finished):
    if (whole := db.execute("PRAGMA integrity_check").fetchall()) != [("ok",)]:
        return f"integrity_check: {whole[:2]}"
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"crawl", "url", "queue", "record"} <= tables:
        return "the tables are gone" if told else None
    wrong = {what: left for what, sql in SUMS.items() if (left := db.execute(sql).fetchone()) is not None}
    if finished and db.execute("SELECT 1 FROM crawl WHERE state <> 'finished'").fetchone():
        wrong["state"] = "it was told to be finished"
    if lost := told - set(db.execute("SELECT url, position FROM records")):
        wrong["lost"] = f"{sorted(lost)[:3]} … {len(lost)}"
    return wrong or None


SUMS = {
    "twice": "SELECT url FROM urls GROUP BY crawl_id, url HAVING count(*) > 1",
    "host's sums": (
        "SELECT host FROM host WHERE queued <> (SELECT count(*) FROM url WHERE host_id = host.id AND state = 'queued')"
        " OR fetched <> (SELECT count(*) FROM url WHERE host_id = host.id AND state = 'fetched')"
    ),
    "crawl's sum": (
        "SELECT name FROM crawl WHERE discovered <>"
        " (SELECT count(*) FROM url JOIN host ON host.id = host_id WHERE crawl_id = crawl.id)"
    ),
    "queue": "SELECT 1 WHERE (SELECT count(*) FROM queue) <> (SELECT count(*) FROM url WHERE state = 'queued')",
    "no page": "SELECT url FROM urls WHERE state = 'fetched' AND url NOT IN (SELECT url FROM pages)",
    "half a page": "SELECT url FROM pages WHERE url NOT IN (SELECT url FROM urls WHERE state = 'fetched')",
}


def result(path):
    """All that must not depend on what was lost and done again."""
    with closing(sqlite3.connect(path)) as db:
        return {
            "pages": sorted(db.execute("SELECT url, status, title, text, content_hash FROM pages")),
            "records": sorted(db.execute("SELECT url, rule, position, data FROM records")),
            "urls": sorted(db.execute("SELECT url, state, reason, detail FROM urls")),
            "states": db.execute("SELECT name, state FROM crawls").fetchall(),
        }


async def gone_on(path, scene):
    """Do what a user does after the cut: resume, or begin if there is nothing yet; what is finished is."""
    loaded = config.load(scene.folder / "settings.toml", options={"delay": 0.0})
    async with scraper.open(path) as store:
        try:
            crawl = await store.find_crawl("site")
        except CrawlNotFound:
            run = scraper.crawl([scene.seed], store=store, name="site", loaded=loaded)
        else:
            if crawl.state == "finished":
                return
            run = scraper.resume("site", store=store, loaded=loaded)
        async for _ in run:
            pass


def serve(site, number):
    """Pages that lead to each other, of a few paragraphs each, and what is no page."""
    chance = random.Random(number)
    for page in range(number):
        words = ["".join(chance.choices("abcdefgh", k=6)) for _ in range(chance.choice([20, 60, 900]))]
        body = f"<h1>{page}</h1><p>{' '.join(words)}<p>{page} of {number}"
        links = [f"/p{2 * page + 1}", f"/p{2 * page + 2}", f"/p{chance.randrange(number)}"]
        site.page(f"/p{page}", [*links, *(["/moved"] if page == 3 else [])], title=f"Page {page}", body=body)
    site.redirect("/moved", "/p1")


class Scene:
    """A site, a folder with settings, and what was there before the command that is recorded."""

    def __init__(self, folder, site, synchronous, *, delay, pages):
        self.folder, self.site, self.pages = folder, site, pages
        serve(site, pages)
        values = {"folder": folder, "delay": delay, "synchronous": synchronous, "checkpoint_seconds": SAFE_AFTER}
        (folder / "settings.toml").write_text(SETTINGS.format(**values))
        (folder / "rules.toml").write_text(RULES)
        self.seed = site.url("/p0")
        self.db = str(folder / "crawl.db")
        self.crawl = ("crawl", self.seed, "--name", "site", "--config", "settings.toml", "--db", self.db, "--stream")

    async def record(self, kind):
        """Record the command of that kind, after what must come before."""
        return await getattr(self, f"_{kind}")()

    async def _crawl(self):
        return await strace(self.folder, *self.crawl)

    async def _read(self):
        """A crawl during which somebody reads an old state, so that the log cannot be taken over."""
        async with open_sqlite(self.db):
            pass
        before = found(self.folder)
        with closing(sqlite3.connect(self.db, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM crawl").fetchone() == (0,)
            record = await strace(self.folder, *self.crawl, before=before)
            assert not [call for call in record.calls if call.name == "unlink"], "the log was not held"
            record.calls.insert(0, Call("create", -1, -1, record.calls[0].at, f"{self.db}-wal"))  # by the reader
            return record

    async def _resume(self):
        loaded = config.load(self.folder / "settings.toml", options={"delay": 0.0})
        run = scraper.crawl([self.seed], store=self.db, name="site", loaded=loaded)
        seen = 0
        async for _ in run:
            seen += 1
            if seen == self.pages // 4:
                run.stop()
        options = ("--config", "settings.toml", "--db", self.db, "--stream")
        return await strace(self.folder, "resume", *options)

    async def _migration(self):
        """A crawl into a store of the first version, which holds a crawl of another name already."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(migrate, "migrations", lambda database, known=migrate.migrations: known(database)[:1])
            with closing(sqlite3.connect(self.db, isolation_level=None)) as db:
                migrate.migrate(db, self.db, 0.0)
                db.executescript(OLD)
        return await strace(self.folder, *self.crawl)


OLD = """
BEGIN;
INSERT INTO crawl (id, name, state, seeds, config, started_at, discovered)
VALUES (1, 'old', 'finished', '[]', '{}', 1, 200);
INSERT INTO host (id, crawl_id, host, fetched) VALUES (1, 1, 'http://old.example', 200);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO url (id, host_id, key, url, depth, state, discovered_at)
SELECT i, 1, CAST(printf('%08d', i) AS BLOB), 'http://old.example/' || i, 0, 'fetched', 1 FROM n;
INSERT INTO page (url_id, crawl_id, status, text, bytes, content_hash, elapsed_ms, fetched_at)
SELECT id, 1, 200, hex(zeroblob(300)), 300, id, 1, 1 FROM url;
INSERT INTO record SELECT id, 'old', 0, '{}' FROM url;
COMMIT;
"""


async def cut(scene, kind, *, images, resumed, synchronous, tries, resumes):
    """Record, cut the power at so many moments, look at what is left, and go on from some of it."""
    chance = random.Random(f"{kind} {synchronous}")
    record = await scene.record(kind)
    expected = result(scene.folder / "crawl.db")
    assert len(record.told) >= scene.pages
    assert expected["states"][-1] == ("site", "finished")
    old = {("http://old.example/7", 0)} if kind == "migration" else set()
    seen, later = set(), set(chance.sample(range(images), resumed))
    with ExitStack() as opened:
        for number, (disk, moment) in enumerate(record.moments(images, chance)):
            image = disk.image(chance)
            print_ = blake2b(repr(sorted((name, bytes(data)) for name, data in image.items())).encode()).digest()
            if print_ in seen and number not in later:
                continue
            seen.add(print_)
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="cut-", dir=scratch(scene.folder))))
            for name, content in image.items():
                (folder / name).write_bytes(content)
            due = moment if synchronous == "full" else moment - SAFE_AFTER - SLACK
            told = {(url, position) for at, url, position in record.told if at <= due} | old
            finished = record.finished_at is not None and record.finished_at <= due
            wrong = fault(folder, told, finished=finished)
            tries.check(wrong is None, f"{kind} {synchronous} image {number}: {wrong}")
            if number in later and wrong is None:
                await gone_on(folder / "crawl.db", scene)
                resumes.check(
                    result(folder / "crawl.db") == expected and fault(folder, told) is None,
                    f"{kind} {synchronous} image {number} gone on with",
                )
            opened.close()
    return record


def scratch(folder):
    """Where thousands of files may be written and deleted: in memory, if that can be had."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else folder


@pytest.mark.parametrize("synchronous", ["full", "normal"])
async def test_the_power_goes_during_a_crawl(site, tmp_path, goal, synchronous):
    """A power cut breaks nothing; `full` loses nothing told, `normal` nothing told before its bound (A2)."""
    scene = Scene(tmp_path, site, synchronous, delay=0.0 if synchronous == "full" else 0.1, pages=24)
    with (
        goal("G2", "crash images, a sample of each push") as tries,
        goal("G2", "crash images gone on with, a sample of each push") as resumes,
    ):
        await cut(scene, "crawl", images=60, resumed=1, synchronous=synchronous, tries=tries, resumes=resumes)


@pytest.mark.heavy
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("kind", "synchronous"),
    [(kind, synchronous) for kind in ("crawl", "migration", "read", "resume") for synchronous in ("full", "normal")],
)
async def test_the_power_goes_at_any_moment(site, tmp_path, goal, kind, synchronous):
    """A power cut at any moment of a crawl, a resume, a migration, or a crawl under a long reader, breaks nothing (A2).

    With `full` nothing that was told is lost; with `normal` only what was told within the last `checkpoint_seconds`.
    """
    scene = Scene(tmp_path, site, synchronous, delay=0.1, pages=60)
    with (
        goal("G2", f"crash images, {synchronous}") as tries,
        goal("G2", f"crash images gone on with, {synchronous}") as resumes,
    ):
        await cut(scene, kind, images=1500, resumed=40, synchronous=synchronous, tries=tries, resumes=resumes)
