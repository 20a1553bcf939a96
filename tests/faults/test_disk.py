"""The disk fails under any call, once or for good, or is full: told in a line, nothing broken, nothing told in vain."""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import NamedTuple

import pytest

import scraper
from scraper import config
from scraper.errors import DiskFailed
from scraper.model import CrawlState
from scraper.store import SqliteStore

SHM = Path("/dev/shm")
DEADLINE = 30.0  # seconds for a command on a busy machine; it takes one
SETTINGS = """
[crawl]
depth = 99
rules = ["{folder}/rules.toml"]
concurrency = 4
grace = 0.5
[politeness]
delay = 0.0
per_host = 4
[parse]
workers = 0
[store]
batch_seconds = 0.05
synchronous = "{synchronous}"
checkpoint_seconds = 0.1
"""
RULES = """
[[rule]]
name = "paragraph"
match = "*"
each = "p"
[rule.fields]
text = "::text"
"""
# Imports what commands need, and forks for each, which saves most of its time. The child waits to be traced.
NURSERY = """
import importlib, json, os, resource, signal, sys
COMMANDS = "cli.start cli.resume cli.extract cli.query cli.export cli.running"
for name in f"{COMMANDS} app store.sqlite".split():
    importlib.import_module(f"scraper.{name}")
for line in sys.stdin:
    task = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(task["folder"])
        for number, name in ((0, os.devnull), (1, task["out"]), (2, task["err"])):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | (os.O_TRUNC if number else 0), 0o600), number)
        if task["largest"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (task["largest"], task["largest"]))
        sys.argv = ["scraper", *task["arguments"]]
        if task["traced"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        from scraper.cli import main
        try:
            main()
        except SystemExit as error:
            code = error.code
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = code or 120
        os._exit(code)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
CALLS = "openat,pwrite64,ftruncate,fsync,fdatasync,unlink"


class Fault(NamedTuple):
    """An error that the n-th call of a kind meets in a thread, or all from the n-th on."""

    call: str
    error: str
    number: int
    for_good: bool

    def __str__(self):
        return f"{self.call} {self.error} at {self.number}{' and after' if self.for_good else ''}"

    @property
    def option(self):
        """As strace wants to be told."""
        return f"inject={self.call}:error={self.error}:when={self.number}{'+' if self.for_good else ''}"


class Ended(NamedTuple):
    """How a command ended; `calls` are those on the database's files: call, name of the file, how it ended."""

    code: int
    out: str
    err: str
    seconds: float
    calls: list[tuple[str, str, str]]

    @property
    def faults(self):
        """How many calls failed."""
        return sum("INJECTED" in how for _, _, how in self.calls)

    @property
    def told(self):
        """The records that were printed whole."""
        lines = [json.loads(line) for line in self.out.splitlines(keepends=True) if line.endswith("\n")]
        return {(line["url"], line["position"]) for line in lines if "position" in line}


class Nursery:
    """Runs commands in processes of their own, one at a time."""

    def __init__(self, process):
        self._process = process
        self.pid = process.pid
        self.root = f"/proc/{process.pid}/root"  # its files, as it sees them

    async def run(self, folder, *arguments, fault=None, out=None, err=None, largest=None, db="crawl.db"):
        """Run a command to its end; with a fault, under strace."""
        out, err = str(out or folder / "out"), str(err or folder / "err")
        task = {"folder": str(folder), "out": out, "err": err, "largest": largest}
        task |= {"arguments": list(map(str, arguments)), "traced": fault is not None}
        started = time.monotonic()
        self._process.stdin.write(json.dumps(task).encode() + b"\n")
        child, tracer = int(await self._process.stdout.readline()), None
        try:
            async with asyncio.timeout(DEADLINE):
                if fault is not None:
                    tracer = await _traced(child, folder, db, fault)
                code = int(await self._process.stdout.readline())
                if tracer is not None:
                    await tracer.wait()
        except TimeoutError:
            os.kill(child, signal.SIGKILL)
            await self._process.stdout.readline()
            code = 999
        seconds = time.monotonic() - started
        return Ended(
            code,
            _text(self.root + out),
            _text(self.root + err),
            seconds,
            _calls(folder / "trace") if fault is not None else [],
        )


async def _traced(child, folder, db, fault):
    paths = [option for end in ("", "-wal", "-journal", "-shm") for option in ("-P", str(folder / f"{db}{end}"))]
    await _has(child, "State:\tT")  # it has stopped itself, or what is to wake it would come too early
    tracer = await asyncio.create_subprocess_exec(
        "strace", "-f", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}", "-e", fault.option, *paths,
        "-o", str(folder / "trace"), "-p", str(child),
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await _has(child, "TracerPid:\t[1-9]")
    os.kill(child, signal.SIGCONT)
    return tracer


async def _has(child, status):
    while not re.search(status, _text(f"/proc/{child}/status")):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.002)


def _text(name):
    return Path(name).read_text() if Path(name).is_file() else ""


def _calls(trace):
    text = re.sub(r"^(\d+) +(.*) <unfinished \.\.\.>$", r"\1 \2", trace.read_text(), flags=re.MULTILINE)
    found = re.findall(r"^\d+ +(?:<\.\.\. )?(\w+)(?:\(.*?crawl\.db([\w-]*))?(.*)$", text, flags=re.MULTILINE)
    return [(call, name, how) for call, name, how in found]


@asynccontextmanager
async def nursing(*within):
    """A nursery while the block runs; `within` is a command that starts it."""
    process = await asyncio.create_subprocess_exec(
        *within, sys.executable, "-c", NURSERY, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Nursery(process)
    finally:
        process.stdin.close()
        await process.wait()


@pytest.fixture
async def nursery():
    """Where commands are run."""
    async with nursing() as made:
        yield made


@pytest.fixture
def memory():
    """A folder in memory, if there is any: it is the calls that are to fail, not the real disk that is to be slow."""
    made = []

    def make(usual):
        folder = Path(tempfile.mkdtemp(prefix="disk-", dir=SHM)) if SHM.is_dir() else usual
        made.append(folder)
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


class Scene:
    """A site and what a crawl of it comes to; folders with settings, in memory if there is room."""

    def __init__(self, folder, site, pages, bulk=1500):
        self.folder, self.site, self.pages = folder, site, pages
        for page in range(pages):
            links = [f"/p{2 * page + 1}", f"/p{2 * page + 2}"] if 2 * page + 2 < pages else []
            site.page(f"/p{page}", links, body=f"<p>{page} of {pages}<p>{page}<h2>{str(page) * bulk}</h2>")

    def new(self, name, *, synchronous="normal", before=None):
        """A folder for a command, with the database of another one in it."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "settings.toml").write_text(SETTINGS.format(folder=folder, synchronous=synchronous))
        for rules in ("rules", "more"):
            (folder / f"{rules}.toml").write_text(RULES.replace("paragraph", f"paragraph {rules}"))
        for path in before.glob("crawl.db*") if before else ():
            shutil.copy(path, folder)
        return folder

    @property
    def crawl(self):
        """The command that crawls it."""
        site = ("crawl", self.site.url("/p0"), "--name", "site")
        return (*site, "--config", "settings.toml", "--db", "crawl.db", "--stream")

    async def begun(self, name):
        """A folder with a crawl that was killed half way: its log still lies beside the database."""
        live, folder = self.new(f"{name} alive"), self.new(name)
        loaded = config.load(live / "settings.toml")
        async with scraper.open(live / "crawl.db") as store:
            run, seen = scraper.crawl([self.site.url("/p0")], store=store, name="site", loaded=loaded), 0
            async for _ in run:
                seen += 1
                if seen == self.pages // 2:
                    break
            for end in ("", "-wal"):
                shutil.copy(live / f"crawl.db{end}", folder)
            await run.aclose()
        assert (folder / "crawl.db-wal").stat().st_size > 0
        with closing(sqlite3.connect(folder / "crawl.db", isolation_level=None)) as db:
            db.execute("UPDATE crawl SET owner = NULL, lease_until = 0")  # its process is this one, which lives
            for end in ("", "-wal"):
                shutil.copy(folder / f"crawl.db{end}", live)
        for end in ("", "-wal"):
            shutil.copy(live / f"crawl.db{end}", folder)
        return folder


def result(folder):
    """All that must not depend on what failed."""
    with closing(sqlite3.connect(folder / "crawl.db")) as db:
        return {
            "pages": sorted(db.execute("SELECT url, status, title, text, content_hash FROM pages")),
            "records": sorted(db.execute("SELECT url, rule, position, data FROM records")),
            "urls": sorted(db.execute("SELECT url, state, reason, detail FROM urls")),
            "states": db.execute("SELECT name, state FROM crawls").fetchall(),
        }


def broken(folder, told=frozenset()):
    """What is wrong with the database, or nothing."""
    if not (folder / "crawl.db").exists():
        return "it is not there" if told else None
    with closing(sqlite3.connect(folder / "crawl.db")) as db:
        whole = db.execute("PRAGMA integrity_check").fetchall()
        if whole != [("ok",)]:
            return whole
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'records'").fetchone():
            return "its tables are not there" if told else None
        missing = told - set(db.execute("SELECT url, position FROM records"))
    return f"told, and not there: {sorted(missing)[:3]}" if missing else None


TOLD = r"scraper: .*crawl\.db(: the disk is full| cannot be (written|read)).*\n"
ROOM = (
    r".*: the disk is full: make room .*bytes free\)|.*bytes free\): see to its disk, then run .*|.*cannot be read: .*"
)


def complaint(ended):
    """What is wrong with how a command told of a disk that failed, or nothing."""
    if ended.code not in {0, 1}:
        return f"exit code {ended.code}: {ended.err}"
    if "Traceback" in ended.err or "never retrieved" in ended.err:
        return f"a traceback: {ended.err}"
    if ended.code == 1 and not (re.search(TOLD, ended.err) and re.search(ROOM, ended.err)):
        return f"path, room and way out are not told: {ended.err}"
    return None


def written_after_a_failed_sync(calls):
    """What was still written to the database or its log after one of them could not be synced."""
    opened = next((number for number, (call, name, _) in enumerate(calls) if (call, name) == ("openat", "-wal")), None)
    failed = next(
        (
            number
            for number, (call, name, how) in enumerate(calls)
            if "INJECTED" in how
            and call in {"fsync", "fdatasync"}
            and name in {"", "-wal"}
            and (call, "EINTR" in how) != ("fsync", True)  # which is ours, and tried again
        ),
        None,
    )
    if failed is None or opened is None or failed < opened:  # before that it was made, by a connection now closed
        return []
    after = calls[failed + 1 :]
    return [(call, name) for call, name, _ in after if call in {"pwrite64", "ftruncate"} and name in {"", "-wal"}]


async def went_on(nursery, folder, command, seen=None):
    """Do what the message says, now that the disk works; `seen` is the folder as it can be seen from here."""
    state, db = None, (seen or folder) / "crawl.db"
    if db.exists():
        with closing(sqlite3.connect(db)) as db, suppress(sqlite3.OperationalError):
            state = next((state for (state,) in db.execute("SELECT state FROM crawl")), None)
    if command[0] == "extract" or state is None:
        return await nursery.run(folder, *command)
    return await nursery.run(folder, "resume", "site", "--db", "crawl.db") if state != "finished" else None


# --- faults by strace, at every call ---

STEP = 11  # every write fails once with EIO; every so many-th in other ways
MATRIX = [
    (call, error, for_good)
    for call in ("openat", "pwrite64", "ftruncate", "fsync,fdatasync", "unlink")
    for error, for_good in (("EIO", False), ("EIO", True), ("ENOSPC", False), ("ENOSPC", True), ("EINTR", False))
]


async def every_fault(nursery, scene, name, command, before, expected, tries, call, error, *, for_good, step):
    """Let the n-th call fail for n = 1, 1 + step, … until a run passes untouched."""
    number = 1
    while True:
        fault = Fault(call, error, number, for_good)
        folder = scene.new(f"{name} {fault}", before=before, synchronous="full" if number % 2 else "normal")
        ended = await nursery.run(folder, *command, fault=fault)
        told = ended.told if command[0] != "query" else frozenset()
        wrong = complaint(ended) or broken(folder, told)
        if written := written_after_a_failed_sync(ended.calls):
            wrong = wrong or f"written after a failed sync: {written}"
        if ended.faults > 20:
            wrong = wrong or f"tried {ended.faults} times"
        if not wrong and command[0] != "query":
            again = await went_on(nursery, folder, command) if ended.code == 1 else None
            if (again is not None and again.code != 0) or result(folder) != expected:
                wrong = f"it cannot be gone on with: {again}" if ended.code == 1 else "something is missing"
        tries.check(not wrong, f"{name}: {fault}: {wrong}")
        shutil.rmtree(folder)
        if not ended.faults:
            return
        number += step


async def scene_of(kind, scene, nursery):
    """What is there before a command, the command, and what it must come to."""
    whole = scene.new("whole")
    assert (await nursery.run(whole, *scene.crawl)).code == 0
    if kind == "crawl":
        return None, scene.crawl, result(whole)
    if kind == "resume":
        return await scene.begun("begun"), ("resume", "--db", "crawl.db", "--stream"), result(whole)
    if kind == "query":
        return whole, ("query", "SELECT count(*) FROM pages", "--db", "crawl.db", "--format", "csv"), result(whole)
    command = ("extract", "site", "--config", "settings.toml", "--rules", "more.toml", "--db", "crawl.db")
    extracted = scene.new("extracted", before=whole)
    assert (await nursery.run(extracted, *command)).code == 0
    return whole, command, result(extracted)


@pytest.mark.heavy
@pytest.mark.timeout(3000)
@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("kind", ["crawl", "extract", "query", "resume"])
async def test_the_disk_fails_at_every_call(site, tmp_path, memory, nursery, goal, kind):
    """An error of any call, once or for good, is told in a line, breaks nothing, and can be gone on from (A4)."""
    scene = Scene(memory(tmp_path), site, 10)
    before, command, expected = await scene_of(kind, scene, nursery)
    with goal("G3", f"calls that fail, {kind}") as tries:
        for call, error, for_good in MATRIX:
            step = STEP if call == "pwrite64" and (error, for_good) != ("EIO", False) else 1
            await every_fault(
                nursery, scene, kind, command, before, expected, tries, call, error, for_good=for_good, step=step
            )


# --- a full disk ---


async def test_no_room_for_more(site, tmp_path, memory, nursery, goal):
    """A file that may not grow, its last write cut short, ends the crawl with a message; resume completes it (A4)."""
    scene = Scene(memory(tmp_path), site, 50)
    whole = scene.new("whole")
    assert (await nursery.run(whole, *scene.crawl)).code == 0
    expected = result(whole)
    with goal("G3", "files that may not grow") as tries:
        for largest in (600, 100_000):
            folder, before = scene.new(str(largest)), len(site.requests)
            ended = await nursery.run(folder, *scene.crawl, largest=largest)
            wrong = complaint(ended) or broken(folder, ended.told)
            tries.check(ended.code == 1 and not wrong, f"{largest}: {ended.code} {wrong}")
            tries.check(len(site.requests) - before < 0.9 * scene.pages, f"{largest}: it went on fetching")
            again = await went_on(nursery, folder, scene.crawl)
            tries.check(again.code == 0 and result(folder) == expected, f"{largest}: {again}")


async def test_no_room_for_what_is_told(site, tmp_path, nursery):
    """A full log is no error, output that is full stops a crawl, an export leaves no half a file (A4)."""
    scene = Scene(tmp_path, site, 12, bulk=4000)
    folder = scene.new("crawl")
    ended = await nursery.run(folder, *scene.crawl, out="/dev/full")
    assert (ended.code, "standard output failed: No space left on device" in ended.err) == (1, True)
    assert (await nursery.run(folder, "resume", "--db", "crawl.db", err="/dev/full")).code == 0
    assert broken(folder) is None
    for place, largest in (("pages.jsonl", 40_000), ("/dev/full", None)):
        export = ("export", "--what", "pages", "-o", place, "--db", "crawl.db", "--format", "jsonl")
        ended = await nursery.run(folder, *export, largest=largest)
        assert ended.code == 1
        assert re.fullmatch(rf"scraper: .*{place} was not written: .*\n", ended.err), ended.err
    assert [path.name for path in folder.iterdir() if "pages" in path.name] == []


async def test_an_end_that_is_not_saved_is_not_told(site, tmp_path, monkeypatch):
    """A crawl whose last commit fails is not told as finished, but raises what failed (A4)."""
    site.page("/")

    async def fail(*_, **__):
        raise DiskFailed("no room")

    monkeypatch.setattr(SqliteStore, "end_crawl", fail)
    run = scraper.crawl([site.url("/")], store=tmp_path / "crawl.db", parse_workers=0)
    with pytest.raises(DiskFailed, match="no room"):
        async for _ in run:
            pass
    assert run.state is not CrawlState.FINISHED


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root, to mount a disk that is full"
)
async def test_the_disk_is_full(site, tmp_path, goal):
    """A crawl that fills a disk of any size says so and ends; when that has grown, resume completes it (A4)."""
    scene = Scene(tmp_path, site, 300)
    async with nursing() as nursery:
        whole = scene.new("whole")
        assert (await nursery.run(whole, *scene.crawl)).code == 0
    expected = result(whole)
    with goal("G3", "full disks, KB") as tries:
        for size in (16, 24, 60, 100, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 2000):
            await filled(scene, size, expected, tries)


async def filled(scene, size, expected, tries):
    """Crawl on a disk of so many KB of memory; let it grow; resume."""
    disk, beside = scene.folder / f"disk {size}", scene.new(f"beside {size}")
    disk.mkdir()
    mounting = f"mount -t tmpfs -o size={size}k none '{disk}' && cp '{beside}'/*.toml '{disk}' && exec \"$@\""
    async with nursing("unshare", "-m", "sh", "-c", mounting, "sh") as nursery:
        files = {"out": beside / "out", "err": beside / "err"}
        before = len(scene.site.requests)
        ended = await nursery.run(disk, *scene.crawl, **files)
        fetched = len(scene.site.requests) - before
        wrong = complaint(ended) or broken(copied(nursery, disk), ended.told)
        tries.check(ended.code == 1 and not wrong, f"{size} KB: {ended.code} {wrong}")
        tries.check(fetched < 1.1 * len(expected["pages"]), f"{size} KB: {fetched} requests")
        grow = ("nsenter", "-t", str(nursery.pid), "-m", "mount", "-o", "remount,size=64m", str(disk))
        assert await (await asyncio.create_subprocess_exec(*grow)).wait() == 0
        again = await went_on(nursery, disk, scene.crawl, seen=copied(nursery, disk))
        tries.check(again.code == 0 and result(copied(nursery, disk)) == expected, f"{size} KB: {again}")


def copied(nursery, folder):
    """A database that only a nursery sees, to be looked at here (SQLite would resolve the way to it, and lose it)."""
    copy = Path(tempfile.mkdtemp(dir=folder.parent))
    for path in Path(nursery.root + str(folder)).glob("crawl.db*"):
        shutil.copy(path, copy)
    return copy
