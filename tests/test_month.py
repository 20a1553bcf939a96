"""A site's month in seconds: nightly recrawls of five hosts that change, fail and forbid, in a time of their own.

All of it is real but the network and the time: the crawl as a user starts it, its store, its parse. The network is a
function of URL, headers and moment; the time passes only while nothing is to be done.
"""

import asyncio
import re
import selectors
import sqlite3
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import blake2b
from itertools import pairwise
from random import Random
from types import SimpleNamespace
from typing import NamedTuple
from zlib import crc32

import pytest

import scraper
from scraper import urls
from scraper.config import Config, CrawlConfig, Loaded, ParseConfig, PolitenessConfig, RetryConfig, StoreConfig
from scraper.errors import StoreError, TransientFetchError
from scraper.fetch.reasons import retry_after, status_line
from scraper.model import CrawlState, Reason, Response

DAYS = 30
DAY, HOUR = 86400.0, 3600.0  # seconds
START = datetime(2026, 3, 1, 3, tzinfo=UTC).timestamp()  # the first night, at three
CONFIG = Config(
    crawl=CrawlConfig(depth=9),
    politeness=PolitenessConfig(longest_retry_after=6 * HOUR, retry=RetryConfig(attempts=6)),
    parse=ParseConfig(workers=0),
    store=StoreConfig(batch_seconds=5.0, checkpoint_seconds=DAY),  # hours are waited, and each age costs work
)
LOADED = Loaded(CONFIG, defaultdict(lambda: "default"))
POLITE = CONFIG.politeness
JITTER = 1e-3  # seconds by which floats of that size may differ in sums

STEADY, FRAIL, BUSY, STRICT, HOP = HOSTS = [
    f"http://{name}.example" for name in ("steady", "frail", "busy", "strict", "hop")
]
LED_ROBOTS = f"{STRICT}/hop-robots.txt"  # where the robots.txt of HOP leads
WEEK = 8  # days after which the troubles of the hosts begin anew
OUTAGE = (3, 4)  # days on which FRAIL is not there
KILLED = {1: 60.0, 6: 80.0, 17: 4000.0, 22: 33.3}  # day, and seconds after three


# --- time and death ---


class Idle(selectors.DefaultSelector):
    """Lets the time pass instead of waiting, unless a thread is at work."""

    now = START
    outside = 0  # what threads are asked for

    def select(self, timeout=None):
        """Wait for threads only."""
        if timeout is None or (timeout > 0 and self.outside):
            return super().select(None)
        events = super().select(0)
        if not events:
            self.now += timeout
        return events


class Loop(asyncio.SelectorEventLoop):
    """A loop whose seconds are UTC, and pass when there is nothing to do."""

    def __init__(self):
        self.idle = Idle()
        super().__init__(self.idle)
        self._clock_resolution = 1e-6  # floats of this size are not much finer, and a timer were never due

    def time(self):
        """UTC seconds."""
        return self.idle.now

    def run_in_executor(self, *work):
        """No time passes while a thread works."""
        self.idle.outside += 1
        future = super().run_in_executor(*work)
        future.add_done_callback(lambda _: self.back())
        return future

    def back(self):
        """A thread is done."""
        self.idle.outside -= 1


class MortalStore:
    """A store until its process is killed: then nothing of that process reaches it any more."""

    def __init__(self, store, loop):
        self._store, self._loop, self.killed = store, loop, False

    def __getattr__(self, name):
        method = getattr(self._store, name)

        async def call(*args, **options):
            if self.killed:
                raise StoreError("killed")
            self._loop.idle.outside += 1
            try:
                return await method(*args, **options)
            finally:
                self._loop.back()

        return method if name == "in_use" else call


# --- the hosts: what they serve, and when they do not ---


class Answer(NamedTuple):
    """A status, or how a fetch fails; the seconds it takes."""

    status: int | Reason
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.05


def day_of(now):
    """The day whose pages are served; they change at three in the afternoon."""
    return int((now - START) / DAY + 0.5)


def pages_on(host, day):
    """Path and version of each page that a host has, but for the one that leads to all of them."""
    match host:
        case "http://steady.example":
            lasting = {f"/p{k}": (day + k) // (k + 1) for k in range(8) if k != 7 or day % WEEK not in {3, 4}}
            return lasting | {f"/new{since}": 0 for since in range(max(0, day - 3), day + 1)}
        case "http://frail.example":
            return {f"/f{k}": (day + k) // 3 for k in range(6)}
        case "http://busy.example":
            return {f"/b{k}": (day + k) // 2 for k in range(8)}
        case "http://strict.example":
            return {f"/{part}/{k}": day // (k + 1) for part in ("open", "private") for k in range(3)}
    return {} if day % 2 else {"/swing": 0}


def served_on(day):
    """URL and body of each page that there is."""
    served = {}
    for host in HOSTS:
        pages = pages_on(host, day)
        links = [*pages, "/basket", *(["/swing", "/sneak", "/loop/1", "/old/0", "/old/5"] if host == HOP else [])]
        first = "/home" if host == HOP else "/"
        served[host + first] = "".join(f"<p><a href={link}>{link}</a>" for link in links).encode()
        for path, version in pages.items():
            served[host + path] = f"<title>{path}</title><h1>{path}, version {version}</h1>".encode()
    return served


def page(url, headers, day):
    """A page with an ETag, or with Last-Modified, or with an ETag that is new every day; or 304; or none."""
    host = urls.host(url)
    path = url.removeprefix(host)
    body = served_on(day).get(url)
    if body is None:
        return Answer(410 if crc32(path.encode()) % 2 else 404)
    version = pages_on(host, day).get(path)
    kind = crc32(path.encode()) % 3
    if kind == 0 and version is not None:
        sent = ("last-modified", http_date(START + (version - 40) * DAY))
    else:
        sent = ("etag", f'"{digest(body)}{day if kind == 1 else ""}"')
    known = headers.get("If-None-Match" if sent[0] == "etag" else "If-Modified-Since")
    return Answer(304, b"", (sent,)) if known == sent[1] else Answer(200, body, (sent, ("content-type", "text/html")))


def robots_of(host, day, at):
    """What is answered for robots.txt, `at` seconds after three."""
    if host == HOP and day % WEEK == 1 and at < 150:
        return Answer(429, b"", (("retry-after", str(int(150 - at) + 1)),))
    if host == HOP:
        return Answer(301, b"", (("location", LED_ROBOTS),))
    if host == FRAIL:
        return Answer(404)
    if host == BUSY and day % WEEK == 4 and at < HOUR / 2:
        return Answer(429, b"", (("retry-after", str(int(HOUR / 2 - at) + 1)),))
    if host != STRICT:
        return Answer(200, b"User-agent: *\nDisallow: /basket")
    told = (
        "Disallow: /private\nCrawl-delay: 30", "Disallow: /private/0\nRequest-rate: 1/20", 500, 404,
        "Disallow: /open/1\nDisallow: /basket", "Disallow: /", 500 if at < 5 else "", "Crawl-delay: 90",
    )[day % WEEK]  # fmt: skip
    return Answer(told) if isinstance(told, int) else Answer(200, f"User-agent: scraper\n{told}".encode())


def trouble(host, path, now):
    """How a host fails at a moment, if it does."""
    at, week_day = (now - START) % DAY, day_of(now) % WEEK
    if host == FRAIL and week_day in OUTAGE:
        return Answer(Reason.CONNECT)
    if host == FRAIL and week_day == 6 and 4 <= at < 100:
        return Answer(Reason.TIMEOUT, seconds=20.0)
    if host != BUSY or path == "/robots.txt":
        return None
    every_fourth = crc32(f"{path} {int(now / 3)}".encode()) % 4 == 0
    busy = {  # what it says on which days, while that holds
        1: (429, str(int(2 * HOUR - at) + 1), 2 <= at < 2 * HOUR),
        2: (503, http_date(now + 1.5 * HOUR - at), at < 1.5 * HOUR),
        5: (503, "2", every_fourth),
        7: (429, "1000000000000", 1 <= at < 5.9 * HOUR),
    }
    status, wait, holds = busy.get(week_day, (200, "", False))
    return Answer(status, b"", (("retry-after", wait),)) if holds else None


def answer(url, headers, now):
    """What comes back: a function of what is asked and when."""
    host, day = urls.host(url), day_of(now)
    path = url.removeprefix(host)
    if (failing := trouble(host, path, now)) is not None:
        return failing
    if path == "/robots.txt":
        return robots_of(host, day, (now - START) % DAY)
    if url == LED_ROBOTS:
        return Answer(200, b"User-agent: *\nDisallow: /basket")
    moved = {
        "/": "/home", "/sneak": f"{STRICT}/private/0", "/loop/1": "/loop/2", "/loop/2": "/loop/1",
        "/old/0": f"{STEADY}/p0", "/old/5": f"{STEADY}/p5", **({"/swing": "/home"} if day % 2 else {}),
    }  # fmt: skip
    if host == HOP and path in moved:
        return Answer(302, b"", (("location", moved[path]),))
    return page(url, headers, day)


def http_date(moment):
    """The form that Retry-After and Last-Modified have; never earlier than the moment."""
    return format_datetime(datetime.fromtimestamp(int(moment) + 1, UTC), usegmt=True)


def digest(body):
    """What the store keeps as `content_hash`."""
    return blake2b(body, digest_size=16).hexdigest()


# --- what was asked ---


@dataclass
class Asked:
    """A request; how it ended is not known if the process was killed before. `wait` is its Retry-After in seconds.

    `life` is 1 once the night's first process was killed, else 0.
    """

    url: str
    host: str
    night: int
    life: int
    start: float
    end: float = float("inf")
    status: int | Reason | None = None
    body: bytes = b""
    wait: float = 0.0

    @property
    def is_robots(self):
        """Is it for a robots.txt, this host's or the one that it leads to?"""
        return self.url.endswith("robots.txt")

    @property
    def text(self):
        """What the robots.txt says."""
        return self.body.decode()


class Network:
    """In place of the fetcher; `log` is what all servers would have logged."""

    def __init__(self, clock):
        self._clock, self.log, self.headers = clock, [], Counter()
        self.night = self.life = 0

    async def fetch(self, url, *, headers=(), wanted=None, limit=None, sending=None):
        """Take the time it takes, return the response or raise as the fetcher does."""
        if sending is not None:
            sending()
        asked = Asked(url, urls.host(url), self.night, self.life, self._clock())
        self.log.append(asked)
        self.headers.update(name for name, _ in headers)
        got = answer(url, dict(headers), asked.start)
        await asyncio.sleep(got.seconds)
        asked.status, asked.end, asked.body = got.status, self._clock(), got.body
        if isinstance(got.status, Reason):
            raise TransientFetchError(url, got.status, "first byte" if got.status is Reason.TIMEOUT else "refused")
        if got.status == 429 or got.status >= 500:
            wait = retry_after(dict(got.headers).get("retry-after"), asked.end)
            asked.wait = min(wait or 0.0, POLITE.longest_retry_after)
            reason = Reason.HTTP_5XX if got.status >= 500 else Reason.HTTP_4XX
            raise TransientFetchError(url, reason, status_line(got.status), wait)
        if got.status == 304:
            asked.body = served_on(day_of(asked.start))[url]
        return Response(url, got.status, got.headers, got.body, got.seconds * 1000, asked.end)


@pytest.fixture
def line(monkeypatch):
    """A loop with a time of its own, and the crawl's line on it, with the network in place of its sessions."""
    loop = Loop()
    network = Network(loop.time)

    @asynccontextmanager
    async def opened(*_, **__):
        yield network

    clocks = SimpleNamespace(time=loop.time, monotonic=loop.time)
    for place in ("begin", "course", "line"):
        monkeypatch.setattr(f"scraper.app.{place}.time", clocks)
    monkeypatch.setattr("scraper.app.line.opened_fetcher", opened)
    monkeypatch.setattr("scraper.app.fetching.random", SimpleNamespace(random=Random(1).random))
    monkeypatch.setattr("scraper.app.lease.HEARTBEAT", DAY)  # or there were a commit every four seconds
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        yield SimpleNamespace(run=runner.run, loop=loop, network=network)


async def nights(line, path, days, look):
    """Crawl at three in the first night, recrawl in all others; `look` at what each has come to."""
    loop, network = line.loop, line.network
    async with scraper.open(path, CONFIG.store) as store:
        for night in range(days):
            await asyncio.sleep(START + night * DAY - loop.time())
            network.night, network.life = night, 0
            seeds, mortal = [f"{host}/" for host in HOSTS], MortalStore(store, loop)
            run = scraper.crawl(seeds, store=mortal, name="month", recrawl=night > 0, loaded=LOADED)
            if night in KILLED:
                await killed(run, mortal, KILLED[night])
                # A process that is killed is known to be dead at once; ours lives on.
                loop.idle.outside += 1
                await store._writer.write(lambda db: db.execute("UPDATE crawl SET owner = NULL"))
                loop.back()
                network.life = 1
                run = scraper.resume("month", store=MortalStore(store, loop), loaded=LOADED)
            async for _ in run:
                pass
            assert run.state is CrawlState.FINISHED
            assert loop.time() < START + (night + 0.4) * DAY, "it took until the pages changed"
            look(night, run.tally)


async def killed(run, store, seconds):
    """Begin to crawl, and be killed after so many seconds: what is not in the store by then is lost."""

    async def crawl():
        async for _ in run:
            pass

    task = asyncio.create_task(crawl())
    await asyncio.sleep(seconds)
    assert not task.done()
    store.killed = True
    task.cancel()
    await asyncio.wait({task})


# --- the laws ---


def forbidden(url, text):
    """Does a robots.txt of this kind, one group and no patterns, forbid a URL?"""
    return any(url.removeprefix(urls.host(url)).startswith(path) for path in re.findall(r"Disallow: (\S+)", text))


def asked_delay(text):
    """The seconds that a robots.txt wants between requests, at most our ceiling."""
    found = re.search(r"Crawl-delay: (\d+)|Request-rate: 1/(\d+)", text)
    return min(float(found[1] or found[2]), POLITE.longest_crawl_delay) if found else 0.0


def against_robots(log):
    """Requests that the robots.txt in force forbids; and for robots.txt while one was in force."""
    in_force = {}
    for asked in sorted(log, key=lambda asked: asked.start):
        rules = in_force.get(asked.host)
        if asked.url == f"{asked.host}/robots.txt":
            if rules is not None and rules.start <= asked.start < rules.end + DAY and rules.status in {200, 301, 404}:
                yield "too soon", asked, rules
            in_force[asked.host] = asked
        elif asked.url == LED_ROBOTS:
            in_force[HOP] = asked
        elif rules is None or rules.status not in {200, 404} or not rules.end <= asked.start < rules.end + DAY:
            yield "not in force", asked, rules
        elif forbidden(asked.url, rules.text):
            yield "forbidden", asked, rules


def too_soon(log):
    """Requests before a Retry-After has passed, or inside the delay from start to start."""
    by_host = defaultdict(list)
    for asked in sorted(log, key=lambda asked: asked.start):
        by_host[asked.host].append(asked)
    for requests in by_host.values():
        text, left_alone = "", 0.0
        answers = sorted(requests, key=lambda asked: asked.end)
        for before, asked in pairwise(requests):
            while answers and answers[0].end <= asked.start:
                answered = answers.pop(0)
                left_alone = max(left_alone, answered.end + answered.wait)
                if answered.url == f"{asked.host}/robots.txt" and answered.status in {200, 404}:
                    text = answered.text
            delay = max(POLITE.delay, asked_delay(text))
            if asked.start < before.start + delay - JITTER:
                yield f"{asked.start - before.start:.3f} of {delay} s", before, asked
            if asked.start < left_alone - JITTER:
                yield f"{left_alone - asked.start:.3f} s before its Retry-After", asked


class Watch:
    """A breaker as the README tells of it, that looks on for a night; `broken` is what should not have been asked."""

    def __init__(self):
        self.state, self.failures, self.openings, self.until, self.since, self.probe = "closed", 0, 0, 0.0, 0.0, None
        self.life = 0
        self.broken = []

    def starts(self, asked):
        """A request starts; while the breaker is open none may, but one when its time has come."""
        if asked.life != self.life:  # what was out is lost, and failures that nobody had time to write down
            self.life, self.probe = asked.life, None
            self.failures = self.failures if self.state == "open" else 0
        if self.state == "down" or (self.state == "open" and (asked.start < self.until or self.probe is not None)):
            self.broken.append((repr(self.__dict__), asked))
        elif self.state == "open":
            self.probe = asked

    def ends(self, asked):
        """A request has ended; one from before the last change says nothing."""
        if asked.start < self.since or (self.probe is not None and asked is not self.probe):
            return
        if asked.status == 503 or isinstance(asked.status, Reason):
            self.failures += 1
            if self.probe is not None or self.failures >= POLITE.breaker.failures:
                self.openings += 1
                self.state = "open" if self.openings <= POLITE.breaker.openings else "down"
                self.until = asked.end + min(POLITE.breaker.longest, POLITE.breaker.cooldown * 2 ** (self.openings - 1))
                self.since, self.probe = asked.end, None
        else:
            self.state, self.failures, self.openings, self.probe = "closed", 0, 0, None


def watched(log):
    """A watch for every host and night, in which each begins anew."""
    moments = [(asked.start, 1, number, asked) for number, asked in enumerate(log)]
    moments += [(asked.end, 0, number, asked) for number, asked in enumerate(log) if asked.status is not None]
    watches = defaultdict(Watch)
    for _, is_start, _, asked in sorted(moments, key=lambda moment: moment[:3]):
        # Where robots.txt leads elsewhere it is the first host's breaker that is asked.
        watch = watches[asked.night, HOP if asked.url == LED_ROBOTS else asked.host]
        watch.starts(asked) if is_start else watch.ends(asked)
    return watches


class Books:
    """What the store must hold, told from the log alone: each page's contents in their order, and if it is gone."""

    def __init__(self, path, network):
        self._path, self._network, self._read = path, network, 0
        self.contents, self.gone = defaultdict(list), {}
        self._rules = {}

    def look(self, night, tally):
        """Compare, after a night."""
        log = [asked for asked in self._network.log[self._read :] if asked.status is not None]
        self._read = len(self._network.log)
        asked_for = {asked.url for asked in log}
        rules = self._rules_of(log)
        self._keep(log)
        with closing(sqlite3.connect(self._path)) as db:
            pages = db.execute("SELECT url, content_hash, vanished_at IS NOT NULL FROM pages").fetchall()
            versions = db.execute("SELECT url, content_hash FROM versions ORDER BY replaced_at").fetchall()
            ended = db.execute("SELECT host, url, state, reason FROM urls").fetchall()
        assert {url: (found, bool(gone)) for url, found, gone in pages} == {
            url: (contents[-1], self.gone[url]) for url, contents in self.contents.items()
        }
        kept = defaultdict(list)
        for url, found in versions:
            kept[url].append(found)
        assert kept == {url: contents[:-1] for url, contents in self.contents.items() if len(contents) > 1}
        assert tally.holds
        assert tally.queued == 0
        counts = Counter(state for _, _, state, _ in ended)
        assert (tally.discovered, tally.fetched, tally.failed) == (len(ended), counts["fetched"], counts["failed"])

        served = served_on(night)
        down = {FRAIL} if night % WEEK in OUTAGE else set()
        open_to_us = {
            url
            for url in {*served, *self.contents}
            if urls.host(url) not in down and not any(forbidden(url, text) for text in rules[urls.host(url)])
        }
        assert open_to_us - asked_for == set()
        assert {url for url in open_to_us & served.keys() if self.contents[url][-1] != digest(served[url])} == set()
        assert {url for url in open_to_us - served.keys() if not self.gone[url]} == set()
        failures = {(urls.host(url), reason) for _, url, state, reason in ended if state == "failed"}
        assert {failure for failure in failures if failure[1] not in {"http-4xx", "redirect-loop"}} <= {
            (host, reason) for host in down for reason in ("host-down", "connect")
        }

    def _keep(self, log):
        for asked in sorted(log, key=lambda asked: asked.end):
            if asked.is_robots:
                continue
            if asked.status in {200, 304}:
                self.gone[asked.url] = False
                if (found := digest(asked.body)) not in self.contents[asked.url][-1:]:
                    self.contents[asked.url].append(found)
            elif asked.status in {302, 404, 410} and asked.url in self.contents:
                self.gone[asked.url] = True

    def _rules_of(self, log):
        """The texts of robots.txt that were in force in a night, one of the night before too; "/" if it failed."""
        rules = {host: [self._rules.get(host, "")] for host in HOSTS}
        for asked in log:
            if asked.is_robots and asked.status != 301:
                host = HOP if asked.url == LED_ROBOTS else asked.host
                text = "" if asked.status == 404 else asked.text if asked.status == 200 else "Disallow: /"
                self._rules[host] = text
                rules[host] = [*rules[host][:1], text]
        return rules


def test_a_month(line, tmp_path):
    """Night after night no host is asked what or when it does not want, and what it has is stored as it is.

    No request that robots.txt forbids, none for robots.txt within 24 hours, none before a Retry-After or inside a
    delay, none but a probe while a breaker is open, whoever was killed meanwhile; each page has its present content and
    its former ones, each that is gone is marked, and the accounting holds.
    """
    books = Books(tmp_path / "month.db", line.network)
    began = time.monotonic()
    line.run(nights(line, tmp_path / "month.db", DAYS, books.look))
    seconds = time.monotonic() - began
    log = line.network.log
    assert list(against_robots(log)) == []
    assert list(too_soon(log)) == []
    watches = watched(log)
    assert [what for watch in watches.values() for what in watch.broken] == []

    statuses = Counter(asked.status for asked in log)
    hard = {200, 301, 302, 304, 404, 410, 429, 500, 503, Reason.CONNECT, Reason.TIMEOUT}
    assert hard <= statuses.keys(), f"the month was too quiet: {statuses}"
    assert {watch.state for watch in watches.values()} >= {"closed", "down"}
    assert max(asked.wait for asked in log) == POLITE.longest_retry_after
    assert line.network.headers.keys() == {"If-None-Match", "If-Modified-Since"}
    assert seconds < 60, f"{DAYS} days and {len(log)} requests took {seconds:.1f} s"
