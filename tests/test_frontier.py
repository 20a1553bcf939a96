"""Which URL is next? On a real store, in a time that passes only while the frontier waits."""

import asyncio
import dataclasses
import heapq
import math
import random
from collections import Counter, defaultdict
from itertools import count, pairwise

import pytest

from scraper import outcome, urls
from scraper.config import BreakerConfig, CrawlConfig, PolitenessConfig, RetryConfig
from scraper.errors import BreakerOpen, PermanentFetchError, RetryLater, TransientFetchError
from scraper.frontier import Frontier
from scraper.frontier.budget import Budget
from scraper.frontier.line import HostLine
from scraper.model import CrawlState, CrawlUrl, HostState, Kind, Link, Reason, Response, UrlState, Visit
from scraper.politeness import Host, judge_robots
from scraper.store import NewCrawl, open_sqlite

START = 1_000_000.0
OPEN = PolitenessConfig(robots=False, delay=0.0, per_host=4)
ALLOW_ALL = b""
DISALLOW_ALL = b"User-agent: *\nDisallow: /"


class Drive:
    """A frontier and those who use it: requests take `seconds`, a commit comes `age` after the first news for it.

    `answer` says what becomes of a URL: a Visit, an error of the fetch, or for robots.txt its text or an error.
    """

    def __init__(
        self, store, crawl, config=OPEN, answer=None, *, seconds=0.1, age=0.5, slots=8, now=START, expiry=1e6, **options
    ):
        self.now, self.expiry = now, expiry
        self.store, self.crawl, self.slots, self.age = store, crawl, slots, age
        self.answer = answer or fetched
        self.seconds = seconds if callable(seconds) else lambda _: seconds
        self.frontier = Frontier(
            store, crawl, config, agent="scraper", clock=lambda: self.now, wait=self.wait,
            **{"pages_left": None, **options},
        )  # fmt: skip
        self.frontier.starving = self.hurry
        self.taken_up = 0
        take_up = self.frontier._window._take_up

        def counted(host):
            self.taken_up += 1
            take_up(host)

        self.frontier._window._take_up = counted
        self.config = config
        self.log = []  # (moment, handout, how many of its host run then, itself included)
        self.waits = 0
        self.most_refused = 0
        self._out = []
        self._running = Counter()
        self._unsaved = []
        self._order = count()
        self._save_at = math.inf

    async def run(self, until=math.inf):
        """Take all handouts, or those until a moment, and let end what has begun."""
        async for handout in self.frontier:
            self._start(handout)
            while len(self._out) >= self.slots:
                await self.let_pass(math.inf)
            if self.now >= until:
                self.frontier.stop()
        while self._out:
            await self.let_pass(math.inf)
        await self.save()
        return self

    async def wait(self, event, seconds):
        """What the frontier waits by: no time passes while the event is set."""
        self.waits += 1
        assert self.waits < 50_000, f"never ends: {self.frontier!r}"
        if not event.is_set():
            await self.let_pass(self.now + seconds)

    async def let_pass(self, until):
        """Let the time pass to what comes first: the end of a request, a commit, or `until`."""
        ends_at = self._out[0][0] if self._out else math.inf
        if self._save_at == math.inf and (self._unsaved or self.frontier._window._news):
            self._save_at = self.now + self.age
        self.now = max(self.now, min(ends_at, self._save_at, until))
        if self._save_at <= self.now:
            await self.save()
        else:
            while self._out and self._out[0][0] <= self.now:
                await self.end()

    def hurry(self):
        """Commit at once."""
        if self._unsaved:
            self._save_at = self.now

    async def save(self):
        """Commit what has ended."""
        visits, self._unsaved, self._save_at = self._unsaved, [], math.inf
        hosts = self.frontier.news()
        if visits or hosts:
            await self.store.complete(self.crawl, visits, hosts, now=self.now)
        self.frontier.saved(visits)

    async def end(self):
        """Let the first request that is due end."""
        _, _, handout, entered = heapq.heappop(self._out)
        url = handout.url
        self._running[url.host] -= handout.verdict is None
        visit = outcome.refused(url, handout.verdict) if handout.verdict else self._ended(url, entered)
        self.frontier.ended(handout, visit)
        if visit is not None:
            self._unsaved.append(visit)

    def _start(self, handout):
        url, entered = handout.url, None
        if handout.verdict is None:
            self._running[url.host] += 1
            try:
                entered = self.frontier.host(url.host).breaker.enter(self.now)
            except BreakerOpen as refusal:
                entered = refusal
        self.log.append((self.now, handout, self._running[url.host]))
        ends_at = self.now + (0 if handout.verdict else self.seconds(url))
        heapq.heappush(self._out, (ends_at, next(self._order), handout, entered))
        self.most_refused = max(self.most_refused, len(self.frontier._refused))
        assert all(len(line.waiting) <= 64 for line in self.frontier._window.lines.values())

    def _ended(self, url, entered):
        host = self.frontier.host(url.host)
        answer = self.answer(url) if isinstance(entered, int) else entered
        if isinstance(answer, TransientFetchError):
            host.breaker.failed(self.now, entered)
        elif isinstance(entered, int):
            host.breaker.succeeded(entered)
            host.clock.answered(host.clock.slowdown.enter(), None)
        if url.kind is Kind.ROBOTS:
            if isinstance(answer, bytes):
                response = Response(url.url, 200, body=answer)
                host.learned(judge_robots(response, agent="scraper", now=self.now, expiry=self.expiry))
            elif not isinstance(answer, BreakerOpen):
                host.unlearned(answer, self.now)
            return None
        if isinstance(answer, BreakerOpen | RetryLater):
            return outcome.given_back(url, answer, self.now)
        return answer if isinstance(answer, Visit) else outcome.failed(url, answer, self.now)

    def asked(self, host=""):
        """The moments and URLs of requests, robots.txt too, of one host or all."""
        return [(at, it.url.url) for at, it, _ in self.log if it.verdict is None and it.url.host.endswith(host)]

    def handed_out(self):
        """How often each URL was handed out."""
        return Counter(handout.url.url for _, handout, _ in self.log if handout.url.kind is not Kind.ROBOTS)

    def is_polite(self, *, robots_first):
        """Did each host have at most `per_host` requests at once, `delay` apart, and robots.txt first and alone?"""
        by_host = defaultdict(list)
        for at, handout, running in self.log:
            if handout.verdict is None:
                by_host[handout.url.host].append((at, running, handout.url.kind is Kind.ROBOTS))
        for starts in by_host.values():
            moments = [at for at, _, _ in starts]
            assert all(later - earlier >= self.config.delay - 1e-6 for earlier, later in pairwise(moments))
            assert all(running <= self.config.per_host for _, running, _ in starts)
            assert all(running == 1 for _, running, is_robots in starts if is_robots)
            assert starts[0][2] is robots_first
        return True


def link(url):
    """A link to a URL."""
    return Link(url, urls.host(url), urls.key(url))


def fetched(url, *links):
    """A page with links, or an empty robots.txt."""
    if url.kind is Kind.ROBOTS:
        return ALLOW_ALL
    return Visit(url, UrlState.FETCHED, attempts=url.attempts + 1, found=tuple(map(link, links)))


def no_answer(url):
    """Nobody is there."""
    return TransientFetchError(url.url, Reason.CONNECT, "refused")


def deferred(url, until):
    """The server named a time."""
    return RetryLater(url.url, until, url.attempts + 1, TransientFetchError(url.url, Reason.HTTP_5XX, "503"))


def pages_of(host, number):
    """So many URLs of a host."""
    return [f"http://{host}/{n}" for n in range(number)]


@pytest.fixture
async def store(tmp_path):
    """A real store."""
    async with open_sqlite(tmp_path / "crawl.db") as opened:
        yield opened


@pytest.fixture
def begin(store):
    """Begin a crawl with these seeds."""

    async def begin(seeds):
        async def batches():
            yield [link(url) for url in seeds]

        return await store.begin_crawl(NewCrawl("crawl", "{}", (), len(seeds), ""), batches(), None, now=START)

    return begin


@pytest.fixture
def ended(store):
    """What the store holds: url -> (state, reason, attempts)."""

    async def read():
        rows = await store._reader.execute_fetchall("SELECT url, state, reason, attempts FROM urls")
        return {url: (state, reason, attempts) for url, state, reason, attempts in rows}

    return read


def interrupt_reads(store, monkeypatch, event):
    """Let things happen after the store has read an answer and before the frontier gets it."""
    read = store._reader.execute_fetchall

    async def late(sql, parameters=()):
        rows = list(await read(sql, parameters))
        await event()
        return rows

    monkeypatch.setattr(store._reader, "execute_fetchall", late)


# --- turns and pace ---


async def test_hosts_take_turns(store, begin):
    """A host with a thousand URLs does not keep one with three waiting."""
    crawl = await begin([*pages_of("big.example", 1000), *pages_of("small.example", 3)])
    drive = await Drive(store, crawl).run()
    first = [url for _, url in drive.asked()[:8]]
    assert sum("small.example" in url for url in first) == 3
    assert len(drive.asked()) == 1003


@pytest.mark.parametrize(("delay", "per_host", "seconds"), [(0.5, 2, 0.1), (0.5, 2, 3.0), (0.0, 3, 1.0), (2.0, 1, 5.0)])
async def test_pace(store, begin, delay, per_host, seconds):
    """A host never has more requests at once than allowed, and their starts keep the delay."""
    crawl = await begin([*pages_of("a.example", 20), *pages_of("b.example", 20)])
    drive = Drive(store, crawl, PolitenessConfig(delay=delay, per_host=per_host), seconds=seconds)
    assert (await drive.run()).is_polite(robots_first=True)
    assert max(running for *_, running in drive.log) == (per_host if seconds > delay else 1)
    assert len(drive.asked()) == 42


async def test_a_crawl_delay_goes_before_our_own(store, begin):
    """A Crawl-delay counts from the request for robots.txt on and allows one request at a time."""
    crawl = await begin(pages_of("a.example", 4))
    text = b"User-agent: *\nCrawl-delay: 7"
    drive = Drive(store, crawl, PolitenessConfig(), lambda url: text if url.kind is Kind.ROBOTS else fetched(url))
    await drive.run()
    assert [round(at - START) for at, _ in drive.asked()] == [0, 7, 14, 21, 28]


async def test_robots_expire(store, begin):
    """An expired robots.txt is asked again before the next page; a Crawl-delay it no longer names is forgotten."""
    crawl = await begin(pages_of("a.example", 6))
    texts = [b"User-agent: *\nCrawl-delay: 7", b""]
    answer = lambda url: texts.pop(0) if url.kind is Kind.ROBOTS else fetched(url)  # noqa: E731
    drive = await Drive(store, crawl, PolitenessConfig(), answer, expiry=15.0).run()
    asked = [(round(at - START, 1), url.endswith("/robots.txt")) for at, url in drive.asked()]
    assert asked[:6] == [(0, True), (7, False), (14, False), (21, True), (28, False), (28.5, False)]


async def test_the_pace_is_kept_while_the_store_is_slow(store, begin, monkeypatch):
    """The delay counts from the moment when a URL is handed out, not from when the frontier began to look for it."""
    crawl = await begin(pages_of("a.example", 6))
    drive = Drive(store, crawl, PolitenessConfig(robots=False, delay=1.0))
    monkeypatch.setattr("scraper.frontier.window.URLS_AT_ONCE", 1)

    async def takes_time():
        drive.now += 0.4

    interrupt_reads(store, monkeypatch, takes_time)
    assert (await drive.run()).is_polite(robots_first=False)


# --- exhaustion ---


@pytest.mark.parametrize("read", range(7))
@pytest.mark.parametrize("target", ["http://a.example/next", "http://new.example/"], ids=["same host", "new host"])
async def test_exhaustion_race(store, begin, monkeypatch, read, target):
    """A page that is saved while the store is being read, whichever read it is, still adds its links to the crawl."""
    crawl = await begin(["http://a.example/"])
    drive = Drive(store, crawl, answer=lambda url: fetched(url, target))
    reads = count()

    async def save():
        if drive._unsaved and next(reads) == read:
            await drive.save()

    interrupt_reads(store, monkeypatch, save)
    assert set((await drive.run()).handed_out()) == {"http://a.example/", target}


async def test_saved_while_claimed(store, begin, monkeypatch):
    """A URL that is saved while a claim runs, which still saw it queued, is not handed out a second time."""
    crawl = await begin(pages_of("a.example", 40))
    monkeypatch.setattr("scraper.frontier.window.URLS_AT_ONCE", 4)
    drive = Drive(store, crawl, age=1e9)
    interrupt_reads(store, monkeypatch, drive.save)
    await drive.run()
    assert set(drive.handed_out().values()) == {1}
    assert len(drive.handed_out()) == 40


async def test_an_empty_crawl_ends(store, begin):
    """A crawl with nothing queued is exhausted at once."""
    assert (await Drive(store, await begin([])).run()).log == []


# --- deferred ---


async def test_deferred_until_due(store, begin):
    """A URL that was given back comes again when it is due, not before, and others do not wait for it."""
    crawl = await begin(pages_of("a.example", 3))

    def answer(url):
        return deferred(url, START + 100) if url.url.endswith("/0") and not url.attempts else fetched(url)

    drive = await Drive(store, crawl, answer=answer).run()
    again = [round(at - START, 1) for at, url in drive.asked() if url.endswith("/0")]
    assert again == [0.0, 100.0]
    assert max(at for at, url in drive.asked() if not url.endswith("/0")) < START + 5


async def test_deferred_at_different_times(store, begin):
    """Each of several deferred URLs of a host comes at its own time, the first deferred not being the first due."""
    crawl = await begin(pages_of("a.example", 4))
    due = {"/0": 400, "/1": 100, "/2": 300, "/3": 200}

    def answer(url):
        return fetched(url) if url.attempts else deferred(url, START + due[url.url[-2:]])

    drive = await Drive(store, crawl, answer=answer).run()
    again = {url[-2:]: round(at - START) for at, url in drive.asked()[4:]}
    assert again == due


async def test_a_link_comes_before_the_deferred(store, begin):
    """A new URL of a host that waits for a deferred one is asked at once."""
    crawl = await begin(["http://a.example/later", "http://b.example/"])

    def answer(url):
        if url.host == "http://b.example":
            return fetched(url, "http://a.example/new")
        return deferred(url, START + 400) if url.url.endswith("/later") and not url.attempts else fetched(url)

    drive = Drive(store, crawl, answer=answer, seconds=lambda url: 10.0 if url.host == "http://b.example" else 0.1)
    await drive.run()
    assert [round(at - START) for at, url in drive.asked("a.example")] == [0, 10, 400]


# --- robots.txt ---


async def test_robots_first_and_alone(store, begin):
    """robots.txt is asked once, before anything else of its host, and nothing else of the host meanwhile."""
    crawl = await begin([*pages_of("a.example", 5), *pages_of("b.example", 5)])
    config = PolitenessConfig(delay=0.0, per_host=4)
    drive = Drive(store, crawl, config, seconds=lambda url: 9.0 if url.kind is Kind.ROBOTS else 0.1)
    assert (await drive.run()).is_polite(robots_first=True)
    assert [url for _, url in drive.asked()[:2]] == ["http://a.example/robots.txt", "http://b.example/robots.txt"]
    assert min(at for at, _ in drive.asked()[2:]) == START + 9
    assert len(drive.asked()) == 12


async def test_refused_without_waiting(store, begin, ended):
    """What robots.txt forbids ends at once and without a request, however slow the pace."""
    crawl = await begin(pages_of("a.example", 200))
    config = PolitenessConfig(delay=60.0)
    drive = Drive(store, crawl, config, lambda url: DISALLOW_ALL if url.kind is Kind.ROBOTS else fetched(url))
    await drive.run()
    assert [url for _, url in drive.asked()] == ["http://a.example/robots.txt"]
    assert drive.now < START + 5
    assert set((await ended()).values()) == {("skipped", "robots", 0)}


async def test_refused_in_batches(store, begin):
    """A host with any number of forbidden URLs has one claim of them in memory."""
    crawl = await begin(pages_of("a.example", 1000))
    answer = lambda url: DISALLOW_ALL if url.kind is Kind.ROBOTS else fetched(url)  # noqa: E731
    drive = await Drive(store, crawl, PolitenessConfig(), answer).run()
    assert len(drive.handed_out()) == 1000
    assert drive.most_refused < 64


async def test_robots_failing(store, begin, ended):
    """While robots.txt answers 5xx its host waits twice as long each time, and at last it forbids all."""
    crawl = await begin(pages_of("a.example", 3))
    config = PolitenessConfig(retry=RetryConfig(attempts=4, base=1.0))

    def answer(url):
        return TransientFetchError(url.url, Reason.HTTP_5XX, "503 Service Unavailable")

    drive = await Drive(store, crawl, config, answer).run()
    moments = [at for at, url in drive.asked() if url.endswith("/robots.txt")]
    assert [round(later - earlier, 1) for earlier, later in pairwise(moments)] == [1.1, 2.1, 4.1]
    assert len(drive.asked()) == 4
    assert set((await ended()).values()) == {("skipped", "robots", 0)}


async def test_robots_asks_for_patience(store, begin):
    """A Retry-After of robots.txt is kept, up to the ceiling."""
    crawl = await begin(pages_of("a.example", 1))
    answers = [50.0, 1e12]

    def answer(url):
        if url.kind is Kind.ROBOTS and answers:
            return TransientFetchError(url.url, Reason.HTTP_4XX, "429 Too Many Requests", answers.pop(0))
        return fetched(url)

    drive = await Drive(store, crawl, PolitenessConfig(longest_retry_after=200.0), answer).run()
    assert [round(at - START) for at, _ in drive.asked()] == [0, 50, 250, 251]


@pytest.mark.parametrize(("wait", "remembered"), [(None, 0), (50.0, 1)], ids=["soon", "later"])
async def test_robots_patience_is_remembered_at_once(store, begin, wait, remembered):
    """A Retry-After of robots.txt comes with no visit, and is to be saved at once: a kill must not forget it (B11)."""
    crawl = await begin(pages_of("a.example", 1))
    error = TransientFetchError("http://a.example/robots.txt", Reason.HTTP_4XX, "429 Too Many Requests", wait)
    drive = Drive(store, crawl, PolitenessConfig(), lambda _: error)
    calls = []
    drive.frontier.remember = lambda: calls.append(drive.now)
    await drive.run(until=START)
    assert len(calls) == remembered


async def test_robots_fail_again(store, begin):
    """After an answer the waits for a robots.txt that fails begin anew."""
    crawl = await begin(pages_of("a.example", 4))
    works = iter([False, False, True, False, False, True])

    def answer(url):
        if url.kind is not Kind.ROBOTS or next(works):
            return fetched(url)
        return TransientFetchError(url.url, Reason.HTTP_5XX, "503 Service Unavailable")

    config = PolitenessConfig(delay=0.0, per_host=1)
    drive = await Drive(store, crawl, config, answer, expiry=0.15, seconds=0.1).run()
    moments = [at for at, url in drive.asked() if url.endswith("/robots.txt")]
    assert [round(later - earlier, 1) for earlier, later in pairwise(moments)][:5] == [1.1, 2.1, 0.3, 1.1, 2.1]


@pytest.mark.parametrize("reason", [Reason.TLS, Reason.PRIVATE_ADDRESS])
async def test_closed_to_robots(store, begin, ended, reason):
    """What keeps us from robots.txt keeps us from every page: each ends with that reason, without a request."""
    crawl = await begin(pages_of("a.example", 3))
    drive = Drive(store, crawl, PolitenessConfig(), lambda url: PermanentFetchError(url.url, reason, "broken"))
    await drive.run()
    assert len(drive.asked()) == 1
    assert set((await ended()).values()) == {(reason.state, reason, 0)}
    assert {handout.verdict.detail for _, handout, _ in drive.log[1:]} == {"broken"}


@pytest.mark.parametrize("reason", [Reason.PROTOCOL, Reason.TOO_LARGE, Reason.BAD_ENCODING])
async def test_robots_for_good(store, begin, ended, reason):
    """What no second request can mend forbids all at once, and the detail of each URL says why."""
    crawl = await begin(pages_of("a.example", 3))
    drive = Drive(store, crawl, PolitenessConfig(), lambda url: PermanentFetchError(url.url, reason, "broken"))
    await drive.run()
    assert len(drive.asked()) == 1
    assert set((await ended()).values()) == {("skipped", "robots", 0)}
    assert {handout.verdict.detail for _, handout, _ in drive.log[1:]} == {f"robots.txt: {reason}"}


# --- the breaker ---

FRAGILE = PolitenessConfig(
    robots=False, delay=0.0, per_host=1, breaker=BreakerConfig(failures=3, cooldown=30.0, openings=2)
)


async def test_unreachable(store, begin, ended):
    """A host that never answers is given up when its breaker has opened often enough: `failed host-down`, uncharged."""
    crawl = await begin(pages_of("a.example", 300))
    config = PolitenessConfig(delay=0.0, breaker=FRAGILE.breaker)
    drive = await Drive(store, crawl, config, no_answer).run()
    assert {url for _, url in drive.asked()} == {"http://a.example/robots.txt"}
    assert len(drive.asked()) == 3 + 2
    assert set((await ended()).values()) == {("failed", "host-down", 0)}


async def test_an_open_breaker(store, begin, ended):
    """Behind an open breaker URLs wait without being charged; after the cooldown exactly one is the probe."""
    crawl = await begin(pages_of("a.example", 8))
    dead_until = START + 60

    def answer(url):
        return no_answer(url) if drive.now < dead_until else fetched(url)

    config = PolitenessConfig(robots=False, delay=0.0, per_host=4, breaker=BreakerConfig(failures=3, cooldown=30.0))
    drive = Drive(store, crawl, config, answer, seconds=5.0)
    await drive.run()
    starts = [round(at - START) for at, _ in drive.asked()]
    # Two at once, as it has not answered; the probe, which fails: twice as long; the next, which succeeds; the rest.
    assert starts == [0, 0, 5, 5, 40, 105, 110, 110]
    states = Counter((await ended()).values())
    assert states == {("failed", "connect", 1): 5, ("fetched", None, 1): 3}


@pytest.mark.parametrize(
    ("well", "attempts", "first"),
    [(False, [2, 1, 0, 0], 2), (False, [0, 1], 0), (False, [3, 1], 0), (True, [2, 1, 0], 0)],
    ids=["untried", "first untried", "all tried", "well"],
)
def test_the_probe_was_not_tried_before(well, attempts, first):
    """A host in trouble is probed with a URL that has not failed yet, if there is one (B12)."""
    host = Host(HostState("http://a.example", 1), FRAGILE, agent="scraper")
    while not well and host.is_well:
        host.breaker.failed(START, host.breaker.enter(START))
    line = HostLine(host, Budget(CrawlConfig()))
    line.waiting.extend(
        CrawlUrl(n, f"http://a.example/{n}", host.name, host_id=1, attempts=tried) for n, tried in enumerate(attempts)
    )
    assert line.due_at(START) is not None
    assert line.hand_out(START + 30).url.id == first
    assert len(line.waiting) == len(attempts) - 1


async def test_the_probe_is_alone(store, begin):
    """While the probe runs no other URL of its host is handed out, though the host has room."""
    crawl = await begin(pages_of("a.example", 9))
    config = PolitenessConfig(robots=False, delay=0.0, per_host=4, breaker=BreakerConfig(failures=1, cooldown=1.0))
    drive = Drive(store, crawl, config, lambda url: no_answer(url) if url.id == 1 else fetched(url), seconds=20.0)
    await drive.run()
    probe = [(round(at - START), running) for at, _, running in drive.log if at > START][:3]
    assert probe == [(21, 1), (41, 1), (41, 2)]


# --- the budget ---


@pytest.mark.parametrize("seed", range(4))
async def test_budget(store, begin, seed):
    """Exactly as many pages as allowed are made, though many requests run at once and some fail."""
    chance = random.Random(seed)
    crawl = await begin([url for host in "abcd" for url in pages_of(f"{host}.example", 30)])
    made = []

    def answer(url):
        if chance.random() < 0.3:
            return PermanentFetchError(url.url, Reason.HTTP_4XX, "404")
        made.append(url.url)
        return fetched(url)

    drive = Drive(store, crawl, answer=answer, pages_left=37, slots=32, seconds=lambda _: chance.random())
    start = drive._start

    def counted(handout):
        start(handout)
        assert len(drive._out) + len(made) <= 37

    drive._start = counted
    await drive.run()
    assert len(made) == 37
    assert drive.frontier.is_spent


async def test_a_spent_budget_asks_nothing(store, begin):
    """With no page left nothing is handed out, not even what needs no request."""
    drive = await Drive(store, await begin(pages_of("a.example", 3)), pages_left=0).run()
    assert drive.log == []


async def test_a_spent_budget_refuses_nothing(store, begin):
    """A crawl that goes on with no page left does not work through what robots.txt forbids either."""
    crawl = await begin([*pages_of("a.example", 3), "http://a.example/ok"])
    text = b"User-agent: *\nAllow: /ok\nDisallow: /"
    answer = lambda url: text if url.kind is Kind.ROBOTS else fetched(url)  # noqa: E731
    await Drive(store, crawl, PolitenessConfig(), answer).run(until=START)
    crawl = await again(store, START)
    second = await Drive(store, crawl, PolitenessConfig(), answer, pages_left=0, now=START + 9).run()
    assert second.log == []


async def test_a_full_budget_waits(store, begin):
    """While the last pages of the budget are under way the frontier sleeps, though other hosts are due."""
    crawl = await begin([*pages_of("a.example", 5), *pages_of("b.example", 5)])
    drive = await Drive(store, crawl, pages_left=1, seconds=100.0).run()
    assert len(drive.asked()) == 1
    assert drive.waits < 30


async def test_stop(store, begin):
    """`stop` ends the handouts also while the frontier waits, and all stays queued."""
    crawl = await begin(pages_of("a.example", 3))
    config = PolitenessConfig(robots=False, delay=1e6)
    frontier = Frontier(store, crawl, config, agent="scraper", pages_left=None, clock=lambda: START)
    await anext(frontier)
    waiting = asyncio.ensure_future(anext(frontier, None))
    await asyncio.sleep(0.05)  # for the frontier to come to rest; too short a time only makes the test easier
    assert not waiting.done()
    frontier.stop()
    assert await asyncio.wait_for(waiting, 5) is None
    assert (await store.tally(crawl)).queued == 3


# --- the window ---


async def test_more_hosts_than_places(store, begin, monkeypatch):
    """With three places every URL of fifty hosts is handed out once; no host has a third turn before each had one."""
    monkeypatch.setattr("scraper.frontier.window.URLS_AT_ONCE", 2)
    crawl = await begin([url for n in range(50) for url in pages_of(f"h{n}.example", 6)])
    drive = await Drive(store, crawl, PolitenessConfig(delay=0.2), hosts_at_once=3).run()
    assert len(drive.handed_out()) == 300
    assert set(drive.handed_out().values()) == {1}
    assert drive.is_polite(robots_first=True)
    served = Counter()
    for _, handout, _ in drive.log:
        if handout.url.kind is Kind.PAGE:
            served[handout.url.host] += 1
            assert served[handout.url.host] <= 4 or len(served) == 50
    assert drive.taken_up <= 4 * 50  # three turns of two URLs, and one to see that there are no more


@pytest.mark.parametrize("robots", [False, True])
async def test_resting_hosts_give_their_places(store, begin, robots):
    """Hosts that are not to be asked for an hour do not keep others waiting for their places, and come again."""
    crawl = await begin([url for n in range(12) for url in pages_of(f"h{n:02}.example", 3)])

    def answer(url):
        if url.host[-10:-8] in {"00", "01", "02", "03"} and not url.attempts and url.kind is Kind.PAGE:
            until = START + 3600
            drive.frontier.host(url.host).clock.park(until)
            return deferred(url, until)
        return fetched(url)

    drive = Drive(store, crawl, PolitenessConfig(robots=robots, delay=0.0, per_host=1), answer, hosts_at_once=3)
    await drive.run()
    done = {url.host: at for at, (url, _), _ in drive.log}
    late = {host for host, at in done.items() if at > START + 600}
    assert late == {f"http://h0{n}.example" for n in range(4)}
    assert set(drive.handed_out().values()) <= {1, 2}
    assert len(drive.handed_out()) == 36


async def test_deferred_urls_give_their_hosts_places(store, begin):
    """Hosts of which only a deferred URL is left make room, and come back when it is due."""
    crawl = await begin([f"http://h{n:02}.example/" for n in range(12)])

    def answer(url):
        return deferred(url, START + 3600) if url.host < "http://h06" and not url.attempts else fetched(url)

    drive = await Drive(store, crawl, answer=answer, hosts_at_once=3).run()
    again = [at - START for at, _ in drive.asked()[12:]]
    assert len(again) == 6
    assert drive.taken_up <= 3 * 12
    assert all(3600 <= late < 3610 for late in again)
    assert all(at < START + 600 for at, _ in drive.asked()[:12])


async def test_idle_hosts_make_room_for_one_that_comes_due(store, begin):
    """Hosts that only wait for deferred URLs make room for one that comes due outside the window."""
    crawl = await begin(["http://a.example/", "http://b.example/", "http://parked.example/"])
    await park(store, crawl, "parked.example", START + 3)
    answer = lambda url: fetched(url) if url.attempts or "parked" in url.url else deferred(url, START + 900)  # noqa: E731
    drive = await Drive(store, crawl, answer=answer, hosts_at_once=2).run()
    ((at, _),) = drive.asked("parked.example")
    assert START + 3 <= at < START + 5


@pytest.mark.parametrize("ends", ["deferred", "page", "link"])
async def test_a_host_comes_back_for_the_first_due(store, begin, ends):
    """A host that made room while a URL was deferred comes back for one that turned up since and is due before."""
    seeds = ["http://a.example/0", "http://b.example/", "http://a.example/1"]
    crawl = await begin(seeds[:2] if ends == "link" else seeds)
    seconds = {"http://a.example/0": 1, "http://a.example/1": 10, "http://b.example/": 5}

    def answer(url):
        if url.url == "http://a.example/0" and not url.attempts:
            return deferred(url, START + 400)
        if url.url == "http://a.example/1" and not url.attempts:
            return deferred(url, START + 100) if ends == "deferred" else fetched(url, "http://a.example/2")
        found = ["http://c.example/", "http://d.example/", *(["http://a.example/2"] if ends == "link" else [])]
        return fetched(url, *found) if "b.example" in url.url else fetched(url)

    drive = Drive(store, crawl, answer=answer, hosts_at_once=2, seconds=lambda url: seconds.get(url.url, 50))
    await drive.run()
    moments = [round(at - START) for at, _ in drive.asked("a.example")]
    assert moments[0] == 0
    assert moments[-2] == 100 if ends == "deferred" else 5 < moments[-2] < 70
    assert moments[-1] == 400


async def park(store, crawl, name, until):
    """Let the store remember that a host is not to be asked before a moment."""
    states = await store.due_hosts(crawl, now=START, limit=99, apart=())
    parked = [dataclasses.replace(state, next_at=until) for state in states if state.host.endswith(name)]
    await store.complete(crawl, [], parked, now=START)


async def test_a_host_that_comes_due_meanwhile(store, begin):
    """A host outside the window that comes due is taken up though there is never a moment without a handout."""
    crawl = await begin([*pages_of("busy.example", 400), "http://parked.example/"])
    await park(store, crawl, "parked.example", START + 3)
    drive = await Drive(store, crawl, slots=1).run()
    ((at, _),) = drive.asked("parked.example")
    assert START + 3 <= at < START + 4


# --- what is remembered ---


async def test_hosts_are_remembered(store, begin):
    """A crawl that goes on keeps robots.txt, Crawl-delay and pace of the run before, and asks no host at once."""
    crawl = await begin(pages_of("a.example", 4))
    text = b"User-agent: *\nCrawl-delay: 20\nDisallow: /3"
    answer = lambda url: text if url.kind is Kind.ROBOTS else fetched(url)  # noqa: E731
    first = await Drive(store, crawl, PolitenessConfig(), answer).run(until=START + 20)
    await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=first.now)
    second = Drive(store, await again(store, first.now), PolitenessConfig(), answer, now=first.now)
    await second.run()
    assert [url.endswith("/robots.txt") for _, url in first.asked()] == [True, False]
    assert [round(at - START) for at, _ in second.asked()] == [40, 60]
    assert set(first.handed_out() | second.handed_out()) == {f"http://a.example/{n}" for n in range(4)}


async def test_an_open_breaker_is_remembered(store, begin):
    """A breaker that was open when the crawl stopped stays open until its time, and its next failure counts on."""
    crawl = await begin(pages_of("a.example", 9))
    first = await Drive(store, crawl, FRAGILE, no_answer).run(until=START + 0.2)
    await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=first.now)
    second = await Drive(store, await again(store, first.now), FRAGILE, no_answer, now=first.now).run()
    assert len(first.asked()) == 3
    assert [round(at - START) for at, _ in second.asked()] == [30, 90]


async def test_failures_are_remembered(store, begin):
    """Failures in a row before a stop and after it count together."""
    crawl = await begin(pages_of("a.example", 9))
    first = await Drive(store, crawl, FRAGILE, no_answer).run(until=START + 0.1)
    await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=first.now)
    second = await Drive(store, await again(store, first.now), FRAGILE, no_answer, now=first.now).run()
    assert len(first.asked()) == 2
    assert len(second.asked()) == 1 + 2


async def test_what_was_asked_before_the_kill(store, begin):
    """Of a host that was asked but not remembered before the process died, the delay is kept all the same."""
    crawl = await begin(pages_of("a.example", 3))
    first = Drive(store, crawl, PolitenessConfig(delay=5.0), age=1e9)
    await anext(first.frontier)
    second = Drive(store, await again(store, START + 0.1), PolitenessConfig(delay=5.0), now=START + 0.1)
    await second.run()
    assert second.asked()[0][0] >= START + 5


async def again(store, now):
    """Take the crawl up in another run."""
    found = await store.find_crawl("crawl")
    await store.end_crawl(found, CrawlState.INTERRUPTED, now=now)
    return dataclasses.replace(await store.take_crawl(found, "{}", now=now), continued=True)


# --- all at once ---


class World:
    """Random sites: what becomes of each URL, its links, and how often it is deferred first."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.hosts = [f"http://h{n}.example" for n in range(self.chance.choice([1, 4, 12]))]
        self.disallowing = {host for host in self.hosts if self.chance.random() < 0.15}
        self.urls = [f"{self.chance.choice(self.hosts)}/{n}" for n in range(60)]
        self.seeds = self.urls[:3]
        self.links = {url: self.chance.sample(self.urls, self.chance.choice([0, 1, 3, 8])) for url in self.urls}
        self.fate = {url: self.chance.choices(["page", "fail", "redirect"], [8, 2, 2])[0] for url in self.urls}
        self.times = {url: self.chance.choices([0, 1, 3], [8, 2, 1])[0] for url in self.urls}

    def expected(self):
        """Return the state of every URL that can be reached."""
        found, new = {}, list(self.seeds)
        while new:
            url = new.pop()
            if url in found:
                continue
            found[url] = self.state(url)
            new += self.found_on(url)
        return found

    def state(self, url):
        """Return how a URL ends."""
        if urls.host(url) in self.disallowing:
            return "skipped"
        fate = self.fate[url]
        return "fetched" if fate == "page" else "failed" if fate == "fail" or not self.links[url] else "redirected"

    def found_on(self, url):
        """Return the links of a page, or where a redirect leads."""
        return {"fetched": self.links[url], "redirected": self.links[url][:1]}.get(self.state(url), [])

    def answer(self, now):
        """Make the function that answers for this world."""

        def answer(url):
            if url.kind is Kind.ROBOTS:
                return DISALLOW_ALL if url.host in self.disallowing else ALLOW_ALL
            assert url.due_at <= now()
            if url.attempts < self.times[url.url]:
                until = now() + self.chance.choice([0, 1, 30, 500])
                return deferred(url, until)
            state = self.state(url.url)
            if state == "failed":
                return PermanentFetchError(url.url, Reason.PROTOCOL, "nonsense")
            found = tuple(map(link, self.found_on(url.url)))
            return Visit(url, UrlState(state), attempts=url.attempts + 1, found=found)

        return answer


@pytest.mark.parametrize("seed", range(30))
async def test_every_url_once(store, begin, ended, monkeypatch, seed):
    """Whatever the sites, the outcomes, the window and the moments of saving: each URL is handed out once for each time

    it was deferred and once more, the crawl ends when all has ended, and neither before nor never.
    """
    world = World(seed)
    chance = world.chance
    monkeypatch.setattr("scraper.frontier.window.URLS_AT_ONCE", chance.choice([1, 3, 64]))
    config = PolitenessConfig(delay=chance.choice([0.0, 0.3]), per_host=chance.choice([1, 3]))
    crawl = await begin(dict.fromkeys(world.seeds))
    drive = Drive(
        store, crawl, config, slots=chance.choice([1, 4, 16]), age=chance.choice([0.1, 2.0, 90.0]),
        hosts_at_once=chance.choice([1, 2, 5, 1000]), seconds=lambda _: chance.choice([0.0, 0.1, 1.0, 20.0]),
    )  # fmt: skip
    drive.answer = world.answer(lambda: drive.now)
    busy = False

    async def happen():
        nonlocal busy
        if not busy and chance.random() < 0.3:
            busy = True
            if drive._out and drive._out[0][0] <= drive.now:
                await drive.end()
            if chance.random() < 0.5:
                await drive.save()
            busy = False

    with monkeypatch.context() as patched:
        interrupt_reads(store, patched, happen)
        await drive.run()
    assert {url: state for url, (state, *_) in (await ended()).items()} == world.expected()
    expected = {url: 1 + (world.times[url] if state != "skipped" else 0) for url, state in world.expected().items()}
    assert drive.handed_out() == expected
    assert drive.is_polite(robots_first=True)
    assert (await store.audit(crawl)).holds


@pytest.mark.parametrize("seed", range(12))
async def test_killed_and_resumed(store, begin, ended, seed):
    """A crawl that is killed again and again, each time with work not yet saved, ends as if it had not been."""
    world = World(seed)
    crawl = await begin(dict.fromkeys(world.seeds))
    now, kills = START, 0
    while (await store.tally(crawl)).queued and kills < 60:
        config = PolitenessConfig(delay=0.3)
        drive = Drive(store, crawl, config, age=2.0, seconds=lambda _: world.chance.choice([0.1, 1.0]), now=now)
        drive.answer = world.answer(lambda drive=drive: drive.now)
        dies_at = now + world.chance.choice([4.0, 20.0, 1000.0])
        async for handout in drive.frontier:
            drive._start(handout)
            if drive.now >= dies_at:
                break
            while len(drive._out) >= drive.slots:
                await drive.let_pass(math.inf)
        else:
            while drive._out:
                await drive.let_pass(math.inf)
            await drive.save()
        now, kills = drive.now, kills + 1
        crawl = await again(store, now)
    assert {url: state for url, (state, *_) in (await ended()).items()} == world.expected()
    assert (await store.audit(crawl)).holds
