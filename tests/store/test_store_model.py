"""Is a store, after whatever was done with it, what a few lines of plain Python say it is?"""

import asyncio
import dataclasses
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scraper.errors import LeaseLost
from scraper.model import CrawlState, Tally, UrlState

URLS = [f"http://{host}.example/{path}" for host in "abc" for path in range(6)]
LINKS = st.lists(st.tuples(st.sampled_from(URLS), st.sampled_from([None, None, "nofollow", "scope"])), max_size=5)
OUTCOMES = st.tuples(st.sampled_from(["fetched", "redirected", "http-4xx", "robots", "queued"]), LINKS)


@dataclasses.dataclass
class Row:
    """What the model knows of a URL."""

    state: str
    depth: int = 0
    reason: str | None = None
    due_at: float = 0.0
    rank: int = 0


class Model(RuleBasedStateMachine):
    """One crawl: claimed, completed with any outcome, given back, interrupted, taken over; `rows` is what must be."""

    database = make = None

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.rows, self.held, self.now, self.records, self.beyond = {}, {}, 1000.0, 0, 0
        self.opened = type(self).database(Path(self.folder.name)).open()
        self.store = self.run(self.opened.__aenter__())

    def run(self, coroutine):
        """Run to its end, which must not take long."""

        async def limited():
            async with asyncio.timeout(10):
                return await coroutine

        return self.runner.run(limited())

    def teardown(self):
        """Close the store; nothing may be left."""
        self.run(self.opened.__aexit__(None, None, None))
        self.runner.close()
        self.folder.cleanup()

    @initialize(seeds=st.lists(st.sampled_from(URLS), min_size=1, max_size=6))
    def begin(self, seeds):
        """Begin with some seeds."""
        self.crawl = self.run(self.make.crawl(self.store, *seeds))
        self.rows = {url: Row("queued") for url in seeds}

    @rule(count=st.integers(1, 3))
    def claim(self, count):
        """Claim of every due host; what comes is the head of what the model has."""
        hosts = self.run(self.store.due_hosts(self.crawl, now=self.now, limit=9, apart=()))
        queued = Counter(url.rpartition("/")[0] for url, row in self.rows.items() if row.state == "queued")
        assert {host.host: host.queued for host in hosts} == queued
        held = {host.id: {url.id for url in self.held.values() if url.host_id == host.id} for host in hosts}
        claimed = self.run(self.store.claim({host.id: count for host in hosts}, held, now=self.now))
        for host in hosts:
            self._check(host.host, claimed[host.id], count)
            self.held |= {url.url: url for url in claimed[host.id].urls}

    def _check(self, host, claimed, count):
        free = [
            (row.due_at == 0, row.due_at, row.rank)
            for url, row in self.rows.items()
            if url.startswith(host) and row.state == "queued" and url not in self.held and row.due_at <= self.now
        ]
        got = [(url.due_at == 0, url.due_at, url.rank) for url in claimed.urls]
        assert got == sorted(free)[:count]
        assert all((url.depth, url.rank) == (self.rows[url.url].depth, self.rows[url.url].rank) for url in claimed.urls)
        later = [row.due_at for url, row in self.rows.items() if url.startswith(host) and row.state == "queued"]
        if len(got) < count:
            assert claimed.next_due_at == min((due_at for due_at in later if due_at > self.now), default=None)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), fails=st.booleans())
    def complete(self, data, fails):
        """End some of what is held in any way; or fail to, and then nothing is different."""
        some = data.draw(st.lists(st.sampled_from(sorted(self.held)), unique=True, max_size=4))
        outcomes = [(self.held[url], *data.draw(OUTCOMES)) for url in some]
        visits = [self._visit(*outcome) for outcome in outcomes]
        if fails:
            broken = self.make.fetched(self.held[min(self.held)], *URLS, records=[{"bad": object()}])
            with pytest.raises(TypeError):
                self.run(self.store.complete(self.crawl, [*visits, broken], [], now=self.now))
            return
        before = self._tally()
        added = self.run(self.store.complete(self.crawl, visits, [], now=self.now))
        for url, outcome, links in outcomes:
            self._end(url, outcome, links)
        after = self._tally()
        changes = zip(dataclasses.astuple(after), dataclasses.astuple(before), strict=True)
        assert dataclasses.astuple(added) == tuple(a - b for a, b in changes)

    def _visit(self, url, outcome, links):
        found = [self.make.link(link, reason) for link, reason in links]
        if outcome == "fetched":
            return self.make.fetched(url, *found, records=[{"n": n} for n in range(len(links))], beyond_depth=2)
        if outcome == "redirected":
            return self.make.visit(url, "redirected", found=found[:1])
        if outcome == "queued":
            return self.make.visit(url, "queued", due_at=self.now + len(links))
        return self.make.visit(url, reason=outcome)

    def _end(self, url, outcome, links):
        del self.held[url.url]
        row = self.rows[url.url]
        if outcome == "queued":
            row.due_at = self.now + len(links)
            return
        row.state = {"http-4xx": "failed", "robots": "skipped"}.get(outcome, outcome)
        hop = outcome == "redirected"
        for link, reason in links[:1] if hop else links if outcome == "fetched" else ():
            self._find(link, reason, row.depth if hop else row.depth + 1, hop)
        if outcome == "fetched":
            self.records += len(links)
            self.beyond += 2

    def _find(self, link, reason, depth, hop):
        row = self.rows.get(link)
        if row is None:
            rank = -1_000_000_000 if hop else depth
            self.rows[link] = Row("skipped" if reason else "queued", depth, reason, rank=rank)
        elif row.state == "skipped" and row.reason in {"nofollow", "scope"} and reason is None:
            self.rows[link] = Row("queued", depth, rank=depth)

    def _tally(self):
        states = Counter(row.state for row in self.rows.values())
        counts = {state.value: states[state] for state in UrlState}
        return Tally(len(self.rows), **counts, records=self.records, beyond_depth=self.beyond)

    @rule(seconds=st.integers(1, 4))
    def time_passes(self, seconds):
        """Deferred URLs come due."""
        self.now += seconds

    @rule(lost=st.booleans())
    def another_run(self, lost):
        """Go on in another run, after an interruption or a takeover; the old one can write nothing."""
        old = self.crawl
        if lost:
            self.now += 15.0
        else:
            self.run(self.store.end_crawl(old, CrawlState.INTERRUPTED, now=self.now))
        self.crawl = self.run(self.store.take_crawl(old, "{}", now=self.now))
        visits = [self.make.fetched(url) for url in self.held.values()]
        with pytest.raises(LeaseLost):
            self.run(self.store.complete(old, visits, [], now=self.now))
        self.held = {}

    @invariant()
    def the_accounting_is_that_of_the_model(self):
        """Counters, rows and model agree, and every URL is in one state."""
        if self.rows:
            tally = self.run(self.store.tally(self.crawl))
            assert tally == self.run(self.store.audit(self.crawl)) == self._tally()
            assert tally.holds


def test_a_store_is_what_the_model_says(implementation, make):
    """After any sequence of claims, commits, failures and takeovers a store holds what the model holds."""
    machine = type("Machine", (Model,), {"database": implementation, "make": make})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
