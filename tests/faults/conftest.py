"""The program killed and gone on with: it and a website in processes of their own, and what must hold after."""

import json
import mmap
import os
import random
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DEADLINE = 30.0  # seconds
CONCURRENCY = 16
SETTINGS = """
[crawl]
depth = 99
concurrency = 16
grace = {grace}
traps = false
[politeness]
delay = 0.0
per_host = 16
[politeness.retry]
base = 0.01
[parse]
workers = {workers}
[store]
batch_seconds = {seconds}
"""
RULES = """
[[rule]]
name = "link"
each = "p"
[rule.fields]
text = "."
target = "a::attr(href)"
[[rule]]
name = "title"
[rule.fields]
title = "h1"
"""
TITLES = '[[rule]]\nname = "title"\n[rule.fields]\nheading = "h1"\ntext = "title"\n'


class Website:
    """A site served by a process of its own."""

    def __init__(self, directory, **asked):
        counts = directory / f"counts-{time.monotonic_ns()}"
        counts.write_bytes(bytes(16))
        with counts.open("r+b") as file:
            self._counts = mmap.mmap(file.fileno(), 16)
        command = [sys.executable, str(HERE / "serving.py"), json.dumps(asked | {"counts": str(counts)}, default=str)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.origin = f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    @property
    def asked(self):
        """The requests so far."""
        return struct.unpack("QQ", self._counts[:])[0]

    @property
    def forbidden(self):
        """Those of them that robots.txt forbids."""
        return struct.unpack("QQ", self._counts[:])[1]

    def close(self):
        """End it."""
        self._process.communicate()
        self._counts.close()


class Nursery:
    """Starts the program, one at a time; what it started is killed when it is closed."""

    def __init__(self, *before):
        command = [*before, sys.executable, str(HERE / "nursery.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.pid = None
        self.cpu = 0.0  # seconds, of all that has ended

    def start(self, home, *argv, fault=None, fresh=False):
        """Start the program; fresh is as a user does, at the cost of all its imports."""
        places = {"cwd": str(home.directory), "output": str(home.output), "temporary": str(home.temporary)}
        self.pid = self._told({"argv": argv, "fault": fault, "fresh": fresh} | places)
        self._ending = os.pidfd_open(self.pid)
        self._home = home

    def hears(self):
        """Has the program come so far that it decides itself what a signal means?"""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return bool(int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> (signal.SIGTERM - 1) & 1)

    def pending(self):
        """Is there a signal that has not arrived yet?"""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return any(int(mask, 16) for mask in re.findall(r"(?:SigPnd|ShdPnd):\s*(\w+)", status))

    def used(self):
        """Seconds of CPU that the program itself has taken."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def session(self):
        """The numbers of the program's processes, its own first."""
        return [self.pid, *sorted(set(session(self.pid)) - {self.pid})]

    def prepares_workers(self):
        """Is the process from which those that parse are forked importing what they need?"""
        with suppress(OSError):
            servers = [pid for pid in session(self.pid) if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            return any(b"lxml" in Path(f"/proc/{pid}/maps").read_bytes() for pid in servers)
        return False

    def run(self, home, *argv, fault=None):
        """Run it to its end; return the exit code and how many changes SQLite made to files, as far as is known."""
        self.start(home, *argv, fault=fault)
        return self.ended()

    def kill(self, number=signal.SIGKILL, *, group=True):
        """Send a signal to the program and all that it started, or to itself alone."""
        (os.killpg if group else os.kill)(self.pid, number)

    def reaches(self, condition):
        """Wait until something holds; return whether the program still ran then."""
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline
            if not self.lives(0.001):
                return False
        return True

    def lives(self, seconds):
        """Wait so long; return whether the program still runs then."""
        return not select.select([self._ending], [], [], seconds)[0]

    def ended(self, within=DEADLINE):
        """Wait for its end, and that of all of its session; return the exit code and the number of writes."""
        in_time = not self.lives(within)
        os.close(self._ending)
        if not in_time:
            self.kill()
        leader = self.pid
        report = self._told({})
        self.pid = None
        self.cpu += report["cpu"]
        assert in_time, f"it ran for more than {within} seconds"
        deadline = time.monotonic() + 5
        while left := session(leader):
            assert time.monotonic() < deadline, f"left behind: {left}"
            time.sleep(0.005)
        said = self._home.said()
        assert "Traceback" not in said, said[-3000:]
        if report["code"] != -signal.SIGKILL:
            # What multiprocessing made for a program that was killed is left, and empty.
            assert not [file for file in self._home.temporary.iterdir() if not file.name.startswith("pymp-")]
        return report["code"], report.get("writes")

    def _told(self, order):
        self._process.stdin.write(json.dumps(order) + "\n")
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End it, and what it started."""
        if self.pid is not None:
            self.kill()
        self._process.communicate()


def session(leader):
    """The processes of a session that live."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] not in {"Z", "X"}:
                found.append(int(stat.parent.name))
    return found


class Home:
    """A directory with settings, rules and a store."""

    def __init__(self, directory, *, grace=1.5, workers=0, batch_seconds=0.1):
        directory.mkdir()
        self.directory = directory
        self.db = directory / "crawl.db"
        self.output = directory / "output.txt"
        self.temporary = Path(tempfile.mkdtemp(prefix="faults-"))  # a short name: the path of a socket has 108 bytes
        settings = SETTINGS.format(grace=grace, workers=workers, seconds=batch_seconds)
        (directory / "settings.toml").write_text(settings)
        self.rules, self.titles = directory.with_name("rules.toml"), directory.with_name("titles.toml")
        self.rules.write_text(RULES)  # one for all homes of a test: a crawl remembers where they are
        self.titles.write_text(TITLES)

    def crawl(self, url, *options):
        """The words that start a crawl of it, or go on with it."""
        files = ("--config", "settings.toml", "--rules", str(self.rules))
        return ("crawl", url, "--name", "it", *files, "--db", "crawl.db", *options)

    def said(self):
        """What was printed, all runs together."""
        return self.output.read_text() if self.output.exists() else ""

    def take(self, other):
        """Take another one's store as it is now, with its write-ahead log or its journal."""
        for file in self.directory.glob("crawl.db*"):
            file.unlink()
        for file in other.directory.glob("crawl.db*"):
            if file.suffix != ".db-shm":  # the memory of those who have it open
                shutil.copy(file, self.directory)

    def query(self, sql):
        """Ask the store."""
        with closing(sqlite3.connect(self.db)) as connection:
            return connection.execute(sql).fetchall()

    def result(self):
        """All that must not depend on how often the program was interrupted."""
        asked = {
            "pages": "SELECT url, status, title, text, content_hash, headings, vanished_at IS NULL FROM pages",
            "bodies": "SELECT url.url, body.zstd FROM body JOIN url ON url.id = url_id",
            "records": "SELECT url, rule, position, data FROM records",
            "urls": "SELECT url, state, reason, detail FROM urls",
            "rules": "SELECT rule, pages, empty, records FROM rules",
            "versions": "SELECT url, title, content_hash, records FROM versions",
            "extractions": "SELECT * FROM extraction",
        }
        return {"crawls": self.crawls()} | {name: sorted(self.query(sql)) for name, sql in asked.items()}

    def crawls(self):
        """Where each crawl stands; none if the store knows of no crawls, or is an old one."""
        with suppress(sqlite3.OperationalError):
            return self.query(
                "SELECT name, state, discovered, records, beyond_depth, round, new, changed, unchanged, vanished"
                " FROM crawl"
            )
        return []

    def faults(self):
        """What is wrong with the store, whether the crawl has ended or not."""
        (version,) = self.query("SELECT max(version) FROM migration")
        asked = FAULTS if version == (3,) else {}
        found = [] if (whole := self.query("PRAGMA integrity_check")) == [("ok",)] else [f"not whole: {whole}"]
        return found + [f"{what}: {rows[:3]}" for what, sql in asked.items() if (rows := self.query(sql))]


_STATES = ("queued", "fetched", "redirected", "skipped", "failed")
_COUNTED = " OR ".join(
    f"{state} <> (SELECT count(*) FROM url WHERE url.host_id = host.id AND state = '{state}')" for state in _STATES
)
FAULTS = {
    "a URL twice or more": "SELECT url FROM url GROUP BY host_id, url HAVING count(*) > 1",
    "a page of a URL that is not fetched": "SELECT url FROM page JOIN url ON url.id = url_id"
    " WHERE state <> 'fetched' AND vanished_at IS NULL AND (SELECT round FROM crawl) = 1",
    "a page of no URL": "SELECT url_id FROM page WHERE url_id NOT IN (SELECT id FROM url)",
    "a record of no page": "SELECT url_id FROM record WHERE url_id NOT IN (SELECT url_id FROM page)",
    "a body of no page": "SELECT url_id FROM body WHERE url_id NOT IN (SELECT url_id FROM page)",
    "a page without a body": "SELECT url_id FROM page WHERE url_id NOT IN (SELECT url_id FROM body)",
    "a fetched URL without its page": "SELECT id FROM url WHERE state = 'fetched'"
    " AND id NOT IN (SELECT url_id FROM page)",
    "queued, but not in the queue": "SELECT id FROM url WHERE state = 'queued'"
    " AND id NOT IN (SELECT url_id FROM queue)",
    "in the queue, but not queued": "SELECT id FROM url WHERE state <> 'queued' AND id IN (SELECT url_id FROM queue)",
    "twice in the queue": "SELECT url_id FROM queue GROUP BY url_id HAVING count(*) > 1",
    "a host's sums": f"SELECT host FROM host WHERE {_COUNTED}",
    "the sum of all": "SELECT id FROM crawl WHERE discovered <> (SELECT count(*) FROM url)",
    "the number of records": "SELECT id FROM crawl WHERE records <> (SELECT count(*) FROM record)",
}


@pytest.fixture
def website(tmp_path):
    """Serve sites: `website(folder=...)`."""
    made = []

    def website(**asked):
        made.append(Website(tmp_path, **asked))
        return made[-1]

    yield website
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def nursery():
    """What starts the program."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def traced(tmp_path):
    """What starts the program under strace, and the lines that this writes."""
    log = tmp_path / "strace.txt"
    made = Nursery("strace", "-f", "-y", "-qq", "-o", str(log), "-e", "trace=pwrite64,write,ftruncate,unlink")
    yield made, lambda: log.read_text().splitlines()
    made.close()


@pytest.fixture
def home(tmp_path):
    """Make directories with a store each: `home("killed", workers=1)`."""
    made = []

    def home(name, **options):
        made.append(Home(tmp_path / name, **options))
        return made[-1]

    yield home
    for one in made:
        shutil.rmtree(one.temporary)


@pytest.fixture
def tree(tmp_path):
    """Write a site of so many pages, `p0.html` leading to all, with a redirect, a missing and a forbidden page."""

    def tree(name, number, seed=0, edition=""):
        folder = tmp_path / name
        folder.mkdir()
        chance = random.Random(seed)
        for n in range(number):
            links = [f"/p{child}.html" for child in (2 * n + 1, 2 * n + 2) if child < number]
            links += [f"/p{chance.randrange(number)}.html" for _ in range(3)]
            links += ["/missing.html", "/moved", f"/private/{n}.html"] if n % 10 == 0 else []
            links += ["/p1.html"] if n == 0 else []
            text = "".join(f'<p><a href="{link}">to {link}</a></p>' for link in links)
            text += f"<p>{' '.join(chance.choices(_WORDS, k=100))}</p>"
            now = edition if n % 3 == 0 else ""
            (folder / f"p{n}.html").write_text(f"<title>Page {n}{now}</title><h1>{n}</h1>{text}")
        (folder / "moved-here.html").write_text("<title>Moved</title><h1>moved</h1><p><a href=/p1.html>1</a></p>")
        (folder / "robots.txt").write_text("User-agent: *\nDisallow: /private\n")
        return folder

    return tree


_WORDS = [f"word{number}" for number in range(1000)]
MOVED = {"/moved": "/moved-here.html"}


@pytest.fixture
def served_and_stored():
    """Compare a finished crawl with the files served; return what differs."""

    def differing(home, site, folder, *, records=False):
        from backports import zstd

        with closing(sqlite3.connect(home.db)) as connection:
            stored = dict(connection.execute("SELECT url.url, zstd FROM body JOIN url ON url.id = url_id"))
            made = dict(connection.execute("SELECT url, count(*) FROM records WHERE rule = 'link' GROUP BY 1"))
        bodies = {url.removeprefix(site.origin): zstd.decompress(body) for url, body in stored.items()}
        files = {f"/{file.relative_to(folder)}": file.read_bytes() for file in sorted(folder.rglob("*.html"))}
        wrong = [path for path in files.keys() | bodies.keys() if files.get(path) != bodies.get(path)]
        if records:
            found = {url.removeprefix(site.origin): number for url, number in made.items()}
            wrong += [path for path, body in files.items() if len(re.findall(b"<p>", body)) != found.get(path, 0)]
        return sorted(wrong)

    return differing
