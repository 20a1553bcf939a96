"""A crawl in a process of its own, killed or stopped at chosen moments, and resumed: nothing is lost, nothing twice."""

import asyncio
import os
import random
import signal
import sqlite3
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from aiohttp import web

import scraper
from scraper import config

CONCURRENCY = 6
DEADLINE = 30.0  # seconds
SETTINGS = """
[crawl]
depth = 99
concurrency = 6
grace = {grace}
[politeness]
delay = 0.0
per_host = 6
[parse]
workers = {workers}
[store]
batch_seconds = 0.2
"""
EXTRACTOR = """
import scraper

@scraper.extractor()
def paragraphs(page):
    for number, paragraph in enumerate(page.soup.select("p")):
        yield {"number": number, "text": paragraph.get_text(strip=True)}
"""


class Process:
    """The program, run in a session of its own."""

    def __init__(self, directory, site, *, grace=1.5, workers=1):
        self.directory, self.site = directory, site
        self.db = directory / "crawl.db"
        self.output = directory / "output.txt"
        self.extractor = f"{directory / 'records.py'}:paragraphs"
        (directory / "settings.toml").write_text(SETTINGS.format(grace=grace, workers=workers))
        (directory / "records.py").write_text(EXTRACTOR)
        self.process = None

    async def crawl(self):
        """Start the crawl."""
        options = ("--config", "settings.toml", "--extractor", self.extractor)
        await self._start("crawl", self.site.url("/p0"), *options)

    async def resume(self):
        """Go on with it."""
        await self._start("resume")

    async def resume_here(self):
        """Go on with it in this process, to the end."""
        async for _ in scraper.resume(store=self.db, parse_workers=0):
            pass
        assert self.is_sound()

    async def _start(self, *arguments):
        with self.output.open("ab") as output:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "scraper", *arguments, "--db", str(self.db),
                stdout=output, stderr=output, start_new_session=True, cwd=self.directory,
            )  # fmt: skip

    async def reaches(self, condition):
        """Wait until something holds; return whether the process still ran then."""
        async with asyncio.timeout(DEADLINE):
            while not condition() and self.process.returncode is None:  # noqa: ASYNC110 - it is another process's doing
                await asyncio.sleep(0.002)
        return self.process.returncode is None

    async def asked(self, number):
        """Wait until the site has been asked so many times."""
        return await self.reaches(lambda: len(self.site.requests) >= number)

    def signal(self, number, *, group=False):
        """Send a signal to the process, or to it and all that it started."""
        with suppress(ProcessLookupError):
            if group:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)

    async def ended(self, within=DEADLINE):
        """Wait for its end and return the exit code; no process of its session may be left a moment later."""
        code = await asyncio.wait_for(self.process.wait(), within)
        async with asyncio.timeout(5):
            while self.alive():  # noqa: ASYNC110 - nobody tells when somebody else's children end
                await asyncio.sleep(0.01)
        assert "Traceback" not in self.said()
        return code

    def alive(self):
        """The processes of its session that live."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == self.process.pid and fields[0] not in {"Z", "X"}:
                found.append(int(stat.parent.name))
        return found

    def prepares_workers(self):
        """Is the process from which those that parse are forked importing what they need?"""
        with suppress(OSError):
            servers = [pid for pid in self.alive() if b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()]
            return any(b"lxml" in Path(f"/proc/{pid}/maps").read_bytes() for pid in servers)
        return False

    def said(self):
        """What it printed, all runs together."""
        return self.output.read_text()

    def query(self, sql):
        """Ask the store."""
        with closing(sqlite3.connect(self.db)) as connection:
            return connection.execute(sql).fetchall()

    def result(self):
        """All that must not depend on how often the crawl was interrupted."""
        return {
            "pages": sorted(self.query("SELECT url, status, title, text, content_hash, depth IS NOT NULL FROM pages")),
            "records": sorted(self.query("SELECT url, rule, position, data FROM records")),
            "urls": sorted(self.query("SELECT url, state, reason, detail FROM urls")),
            "bodies": self.query("SELECT count(*) FROM body"),
        }

    def is_sound(self):
        """Is the database whole, finished, and do the sums match?"""
        assert self.query("PRAGMA integrity_check") == [("ok",)]
        assert self.query("SELECT state FROM crawls") == [("finished",)]
        assert self.query("SELECT count(*) FROM queue") == [(0,)]
        assert self.query("SELECT count(*) - count(DISTINCT url) FROM urls") == [(0,)]
        counts = "queued, fetched, redirected, skipped, failed"
        by_row = dict(self.query("SELECT state, count(*) FROM url GROUP BY state"))
        sums = ", ".join(f"sum({state})" for state in counts.split(", "))
        by_host = dict(zip(counts.split(", "), self.query(f"SELECT {sums} FROM host")[0], strict=True))
        assert by_host == {state: by_row.get(state, 0) for state in by_host}
        assert self.query("SELECT discovered FROM crawl") == [(sum(by_row.values()),)]
        assert by_host["queued"] == 0
        return True


def serve(site, number, seed):
    """Serve so many pages that answer after a random while, among them what is no page."""
    chance = random.Random(seed)

    def slow(n, links):
        seconds = chance.choice([0.0, 0.0, 0.01, 0.03])

        async def answer(_):
            await asyncio.sleep(seconds)
            anchors = "".join(f'<p><a href="{link}">to {link}</a></p>' for link in links)
            return web.Response(text=f"<title>Page {n}</title><h1>{n}</h1>{anchors}", content_type="text/html")

        return answer

    for n in range(number):
        children = [f"/p{child}" for child in (2 * n + 1, 2 * n + 2) if child < number]
        others = [f"/p{chance.randrange(number)}" for _ in range(3)]
        site.raw(
            f"/p{n}", slow(n, [*children, *others, *(["/missing", "/moved", "/private/1"] if n % 10 == 0 else [])])
        )
    site.redirect("/moved", "/moved-here")
    site.page("/moved-here", ["/p1"])
    site.robots("User-agent: *\nDisallow: /private")


@pytest.fixture
async def run(tmp_path, site):
    """Make processes that crawl the site, each with a directory of its own."""
    made = []

    def make(name, **options):
        (tmp_path / name).mkdir()
        made.append(Process(tmp_path / name, site, **options))
        return made[-1]

    yield make
    for process in made:
        if process.process is not None:
            process.signal(signal.SIGKILL, group=True)
            await process.process.wait()


async def uninterrupted(run):
    """Crawl in one go, in this process, and return what came of it, and how many requests it took."""
    whole = run("whole", workers=0)
    before = len(whole.site.requests)
    loaded = config.load(whole.directory / "settings.toml", options={"extractors": (whole.extractor,)})
    async for _ in scraper.crawl([whole.site.url("/p0")], store=whole.db, loaded=loaded):
        pass
    assert whole.is_sound()
    return whole.result(), len(whole.site.requests) - before


async def killed_again_and_again(run, chance, kills, step, workers=1):
    """Kill a crawl at random moments, resume it after each, and compare it with one that was left alone."""
    expected, enough = await uninterrupted(run)
    crawl = run("killed", workers=workers)
    site, before = crawl.site, len(crawl.site.requests)
    await crawl.crawl()
    done = 0
    for _ in range(kills):
        if not await crawl.asked(len(site.requests) + chance.randint(*step)):
            break
        crawl.signal(signal.SIGKILL, group=True)
        assert await crawl.ended() == -signal.SIGKILL
        done += 1
        await crawl.resume()
    assert await crawl.ended() == 0, crawl.said()
    assert crawl.is_sound()
    assert crawl.result() == expected
    assert len(site.requests) - before <= enough + done * (CONCURRENCY + 1)  # robots.txt may have to be asked again
    return done


@pytest.mark.parametrize("workers", [pytest.param(0, marks=pytest.mark.heavy), 1])
async def test_killed(site, run, workers):
    """SIGKILL at any moment loses nothing, makes nothing twice, and costs at most what was under way."""
    serve(site, 60, workers)
    assert await killed_again_and_again(run, random.Random(workers), 6, (1, 9), workers) >= 5


@pytest.mark.heavy
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(3))
async def test_killed_often(site, run, seed):
    """The same with 500 pages and 20 kills."""
    serve(site, 500, seed)
    assert await killed_again_and_again(run, random.Random(seed), 20, (0, 40)) == 20


async def test_killed_at_the_start(site, run):
    """Killed while the store is being made or the crawl begun, the same command begins or goes on, whichever it is."""
    serve(site, 20, 0)
    expected, _ = await uninterrupted(run)
    crawl = run("killed")
    for moment in (crawl.db.exists, lambda: crawl.db.with_name("crawl.db-wal").exists()):
        await crawl.crawl()
        await crawl.reaches(moment)
        crawl.signal(signal.SIGKILL, group=True)
        assert await crawl.ended() == -signal.SIGKILL
    await crawl.crawl()
    assert await crawl.ended() == 0, crawl.said()
    assert crawl.is_sound()
    assert crawl.result() == expected


@pytest.mark.heavy
async def test_only_the_crawler_is_killed(site, run):
    """When only the process that crawls is killed, those that parse for it end too, and a resume need not wait."""
    serve(site, 60, 1)
    crawl = run("killed")
    await crawl.crawl()
    assert await crawl.asked(12)
    crawl.signal(signal.SIGKILL)
    assert await crawl.ended() == -signal.SIGKILL
    await crawl.resume_here()


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("number", "code", "group"),
    [
        pytest.param(signal.SIGINT, 130, True, id="SIGINT-group"),  # as a terminal sends it
        pytest.param(signal.SIGTERM, 143, False, id="SIGTERM-process"),  # as a supervisor does
        pytest.param(signal.SIGINT, 130, False, id="SIGINT-process", marks=pytest.mark.heavy),
        pytest.param(signal.SIGTERM, 143, True, id="SIGTERM-group", marks=pytest.mark.heavy),
    ],
)
async def test_stopped(site, run, number, code, group):
    """A signal ends the crawl within three seconds though a page hangs: what ran is stored, no process is left.

    Also when all processes get it, as from a terminal or a service manager: no page fails for it.
    """
    serve(site, 60, 2)
    site.hang("/p3")
    crawl = run("stopped", grace=0.5 if group else 1.5)  # 1.5 is the default
    await crawl.crawl()
    assert await crawl.reaches(lambda: len(site.requests) >= 15 and "/p3" in site.paths())
    asked_at = time.monotonic()
    crawl.signal(number, group=group)
    assert await crawl.ended(within=10) == code
    assert time.monotonic() - asked_at < 3
    assert crawl.query("SELECT state FROM crawls") == [("interrupted",)]
    assert crawl.query("SELECT state FROM urls WHERE url LIKE '%/p3'") == [("queued",)]
    asked = len(site.requests)
    serve(site, 60, 2)
    await crawl.resume_here()
    assert crawl.query("SELECT count(*) FROM pages") == [(61,)]
    assert crawl.query("SELECT url, detail FROM urls WHERE state = 'failed' AND reason <> 'http-4xx'") == []
    again = set(site.paths()[:asked]) & set(site.paths()[asked:])
    assert again == {"/p3"} if not group else len(again) <= CONCURRENCY


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
async def test_stopped_at_the_start(site, run, number, code):
    """A signal to all processes while those that parse are being started ends the crawl as one does later."""
    serve(site, 10, 4)
    crawl = run("stopped")
    await crawl.crawl()
    assert await crawl.reaches(crawl.prepares_workers)
    crawl.signal(number, group=True)
    assert await crawl.ended(within=10) == code
    await crawl.resume_here()
    assert crawl.query("SELECT count(*) FROM pages") == [(11,)]


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_stopped_twice(site, run, number):
    """A second signal ends the process at once, however long the first would take, and a resume finds all."""
    serve(site, 30, 3)
    site.hang("/p3")
    crawl = run("stopped", grace=60.0)
    await crawl.crawl()
    assert await crawl.reaches(lambda: "/p3" in site.paths())
    crawl.signal(number)
    await asyncio.sleep(0.3)  # two signals at once would be one
    assert crawl.process.returncode is None
    asked_at = time.monotonic()
    crawl.signal(number)
    assert await crawl.ended(within=10) == 128 + number
    assert time.monotonic() - asked_at < 1
    serve(site, 30, 3)
    await crawl.resume_here()
    assert crawl.query("SELECT count(*) FROM pages") == [(31,)]
