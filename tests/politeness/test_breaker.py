"""When is a failing host left alone, and when is it given up?"""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from scraper.config import BreakerConfig
from scraper.errors import BreakerOpen, PermanentFetchError, TransientFetchError
from scraper.model import CrawlUrl, Reason, Response
from scraper.politeness import Breaker, breaking

HOST = "http://h"
CONFIG = BreakerConfig(failures=3, cooldown=30.0, longest=100.0, openings=3)
URL = CrawlUrl(1, "http://h/a", HOST)


def fail(breaker, now, times=1):
    """Begin attempts that fail."""
    for _ in range(times):
        breaker.failed(now, breaker.enter(now))


def opened(now=0.0, config=CONFIG):
    """A breaker that has just opened."""
    breaker = Breaker(HOST, config)
    fail(breaker, now, config.failures)
    return breaker


def test_failures_in_a_row_open_it():
    """The configured number of failures in a row opens the breaker for the cooldown, and it says until when."""
    breaker = Breaker(HOST, CONFIG)
    fail(breaker, 10.0, 2)
    assert breaker.admits(10.0)
    fail(breaker, 10.0)
    assert repr(breaker) == "<Breaker http://h open, failures 3, openings 1, until 40>"
    with pytest.raises(BreakerOpen) as raised:
        breaker.enter(39.9)
    assert (raised.value.host, raised.value.until) == (HOST, 40.0)


def test_a_success_between_failures_starts_the_count_anew():
    """Failures that are not in a row do not open the breaker."""
    breaker = Breaker(HOST, CONFIG)
    fail(breaker, 0.0, 2)
    breaker.succeeded(breaker.enter(0.0))
    fail(breaker, 0.0, 2)
    assert (breaker.state, breaker.failures) == ("closed", 2)


def test_one_probe_and_no_second():
    """After the cooldown exactly one attempt may begin; the refused one is told a moment that is not past."""
    breaker = opened()
    breaker.enter(31.0)
    assert not breaker.admits(31.0)
    assert "probing" in repr(breaker)
    with pytest.raises(BreakerOpen) as raised:
        breaker.enter(32.0)
    assert raised.value.until == 32.0


def test_a_probe_that_succeeds_closes_it():
    """An answered probe closes the breaker and forgets failures and openings."""
    breaker = opened()
    breaker.succeeded(breaker.enter(30.0))
    assert repr(breaker) == "<Breaker http://h closed, failures 0, openings 0, until 0>"


def test_failed_probes_wait_longer_and_at_last_give_the_host_up():
    """Each failed probe doubles the cooldown up to the longest; beyond the configured openings the host is down."""
    breaker = opened()
    untils = [breaker.until]
    for _ in range(2):
        fail(breaker, breaker.until)
        untils.append(breaker.until)
    assert untils == [30.0, 30.0 + 60.0, 90.0 + 100.0]
    fail(breaker, breaker.until)
    assert breaker.state == "down"
    assert not breaker.admits(1e12)
    with pytest.raises(BreakerOpen):
        breaker.enter(1e12)


def test_an_abandoned_probe_leaves_its_place():
    """A probe that was cancelled says nothing, and the next attempt is the probe."""
    breaker = opened()
    breaker.abandoned(breaker.enter(30.0))
    assert breaker.state == "open"
    assert breaker.admits(30.0)


@pytest.mark.parametrize("moment", ["open", "probing", "closed again"])
def test_late_failures_change_nothing(moment):
    """A failure of an attempt that began before the breaker last opened or closed is not counted at all."""
    breaker = Breaker(HOST, CONFIG)
    late = breaker.enter(0.0)
    fail(breaker, 0.0, 3)
    if moment != "open":
        probe = breaker.enter(30.0)
    if moment == "closed again":
        breaker.succeeded(probe)
    before = repr(breaker)
    for _ in range(5):
        breaker.failed(35.0, late)
    breaker.abandoned(late)
    assert repr(breaker) == before


def test_a_late_success_does_not_close_it():
    """Only the probe closes an open breaker; an answer to an older request neither does nor ends the probe."""
    breaker = Breaker(HOST, CONFIG)
    late = breaker.enter(0.0)
    fail(breaker, 0.0, 3)
    breaker.enter(30.0)
    breaker.succeeded(late)
    assert (breaker.state, breaker.admits(30.0)) == ("open", False)


def test_what_is_persisted_is_enough_to_go_on():
    """A breaker made from another's failures, openings, until and state behaves like it."""
    old = opened(5.0)
    new = Breaker(HOST, CONFIG, failures=old.failures, openings=old.openings, until=old.until, state=old.state)
    assert repr(new) == repr(old)
    assert not new.admits(34.9)
    fail(new, 35.0)
    assert new.until == 35.0 + 60.0


def test_absurd_numbers_of_openings_do_not_overflow():
    """A breaker that opened thousands of times still waits the longest cooldown, and no error is raised."""
    breaker = Breaker(HOST, BreakerConfig(openings=10**6, longest=600.0), openings=10**5, state="open")
    fail(breaker, 0.0)
    assert breaker.until == 600.0


def test_openings_are_the_times_it_is_left_alone():
    """A host is left alone as often as configured; the failure after that gives it up."""
    breaker, alone = opened(), 0
    while breaker.state == "open":
        alone += 1
        fail(breaker, breaker.until)
    assert (alone, breaker.state) == (CONFIG.openings, "down")


def test_a_host_that_flaps_for_weeks_is_not_given_up():
    """Openings do not add up over healthy stretches: a host that is gone twice an hour for a month is never down."""
    breaker, now = Breaker(HOST, CONFIG), 0.0
    for _ in range(30 * 24 * 2):
        fail(breaker, now, CONFIG.failures)
        for _ in range(2):
            fail(breaker, breaker.until)
        assert (breaker.state, breaker.openings) == ("open", 3)
        breaker.succeeded(breaker.enter(breaker.until))
        assert (breaker.state, breaker.failures, breaker.openings) == ("closed", 0, 0)
        now += 1800.0


class BreakerMachine(RuleBasedStateMachine):
    """Attempts begin and end in any order while time passes."""

    @initialize(failures=st.integers(1, 4), openings=st.integers(1, 3))
    def start(self, failures, openings):
        """A new breaker."""
        self.config = BreakerConfig(failures=failures, cooldown=10.0, longest=35.0, openings=openings)
        self.breaker = Breaker(HOST, self.config)
        self.now = 0.0
        self.running = []  # (stretch, number of state changes when it began)
        self.changes = 0
        self.in_a_row = 0
        self.openings = 0

    @rule(seconds=st.sampled_from([0.0, 1.0, 10.0, 40.0]))
    def time_passes(self, seconds):
        """The clock moves on."""
        self.now += seconds

    @rule()
    def begin(self):
        """An attempt begins if it is admitted, and is refused if not."""
        if not self.breaker.admits(self.now):
            with pytest.raises(BreakerOpen):
                self.breaker.enter(self.now)
            return
        assert self.breaker.state == "closed" or self.now >= self.breaker.until
        self.running.append((self.breaker.enter(self.now), self.changes))

    def take(self, data):
        """End one of the running attempts: its stretch, and whether the breaker has not changed since it began."""
        stretch, began = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        return stretch, began == self.changes

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def succeed(self, data):
        """An attempt is answered."""
        stretch, is_current = self.take(data)
        was_open = self.breaker.state == "open"
        self.breaker.succeeded(stretch)
        if is_current:
            self.in_a_row = self.openings = 0
            self.changes += was_open
            assert (self.breaker.state, self.breaker.failures, self.breaker.openings) == ("closed", 0, 0)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def fail(self, data):
        """An attempt fails."""
        stretch, is_current = self.take(data)
        was_open = self.breaker.state == "open"
        self.breaker.failed(self.now, stretch)
        if is_current:
            self.in_a_row += 1
            if was_open or self.in_a_row >= self.config.failures:
                self.openings += 1
                self.changes += 1
                assert self.breaker.until - self.now == min(35.0, 10.0 * 2 ** (self.openings - 1))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def abandon(self, data):
        """An attempt is cancelled."""
        stretch, is_current = self.take(data)
        before = (self.breaker.state, self.breaker.failures, self.breaker.openings, self.breaker.until)
        self.breaker.abandoned(stretch)
        assert before == (self.breaker.state, self.breaker.failures, self.breaker.openings, self.breaker.until)
        assert not (is_current and before[0] == "open" and self.now >= self.breaker.until) or self.breaker.admits(
            self.now
        )

    @invariant()
    def counts_are_right(self):
        """Failures, openings and state are what the outcomes add up to."""
        assert (self.breaker.failures, self.breaker.openings) == (self.in_a_row, self.openings)
        expected = "closed" if not self.openings else "open" if self.openings <= self.config.openings else "down"
        assert self.breaker.state == expected

    @invariant()
    def at_most_one_probe_runs(self):
        """While the breaker is not closed, at most one attempt of this stretch runs."""
        probes = sum(began == self.changes for _, began in self.running)
        assert self.breaker.state == "closed" or probes <= 1


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


class TestBreakerMachine(BreakerMachine.TestCase):
    """Whatever happens in whatever order, at most one probe runs, the counts are right, and a success closes."""


def answers(*outcomes):
    """A fetch that gives these outcomes in turn."""
    queue = list(outcomes)

    async def fetch(url):
        outcome = queue.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    return fetch


def transient(reason=Reason.CONNECT):
    """A failure that may pass."""
    return TransientFetchError(URL.url, reason, "no answer")


async def attempts(fetch, times):
    """Fetch so many times, each time in vain."""
    for _ in range(times):
        with pytest.raises((TransientFetchError, PermanentFetchError)):
            await fetch(URL)


async def test_the_wrapper_counts_each_attempt_and_then_refuses(clock):
    """Transient failures pass through and open the breaker; then nothing is fetched any more."""
    breaker = Breaker(HOST, CONFIG)
    fetch = breaking(answers(*[transient() for _ in range(3)]), lambda _: breaker, clock=clock)
    await attempts(fetch, 3)
    with pytest.raises(BreakerOpen) as raised:
        await fetch(URL)
    assert raised.value.until == 1030.0


async def test_breakers_are_per_host(clock):
    """The breaker is that of the URL's host."""
    asked = []
    fetch = breaking(
        answers(Response(URL.url, 200)), lambda host: asked.append(host) or Breaker(host, CONFIG), clock=clock
    )
    await fetch(URL)
    assert asked == [HOST]


@pytest.mark.parametrize(
    ("reason", "detail", "failures"),
    [
        (Reason.HTTP_5XX, "503 Service Unavailable", 3),
        (Reason.HTTP_5XX, "501 Not Implemented", 0),
        (Reason.HTTP_4XX, "429 Too Many Requests", 0),
        (Reason.HTTP_4XX, "408 Request Timeout", 0),
        (Reason.TIMEOUT, "first byte", 3),
        (Reason.TRUNCATED, "cut", 3),
        (Reason.DNS, "not a name that can be looked up", 2),
    ],
)
async def test_the_table_says_what_counts(clock, reason, detail, failures):
    """A failure counts, forgives those before it, or does neither, as its row of the table says."""
    breaker = Breaker(HOST, CONFIG, failures=2)
    error = TransientFetchError(URL.url, reason, detail)
    await attempts(breaking(answers(error), lambda _: breaker, clock=clock), 1)
    assert breaker.failures == failures


@pytest.mark.parametrize("status", [200, 301, 404], ids=str)
async def test_any_response_is_a_success(clock, status):
    """A response forgives the failures before it, whatever its status."""
    breaker = Breaker(HOST, CONFIG, failures=2)
    await breaking(answers(Response(URL.url, status)), lambda _: breaker, clock=clock)(URL)
    assert breaker.failures == 0


async def test_a_permanent_failure_counts_neither_way(clock):
    """A permanent failure adds nothing to the failures and forgives none."""
    breaker = Breaker(HOST, CONFIG, failures=2)
    error = PermanentFetchError(URL.url, Reason.TLS, "expired")
    await attempts(breaking(answers(error), lambda _: breaker, clock=clock), 1)
    assert breaker.failures == 2


async def test_a_permanent_failure_ends_a_probe(clock):
    """A probe that fails for good leaves its place to the next URL."""
    breaker = Breaker(HOST, CONFIG, failures=3, openings=1, state="open")
    error = PermanentFetchError(URL.url, Reason.TOO_LARGE, "more than 16 MiB")
    await attempts(breaking(answers(error), lambda _: breaker, clock=clock), 1)
    assert breaker.state == "open"
    assert breaker.admits(clock.now)


async def test_a_cancelled_probe_leaves_its_place(clock):
    """Cancelling a probe frees its place, and the cancellation goes on."""
    breaker = Breaker(HOST, CONFIG, failures=3, openings=1, state="open")
    started = asyncio.Event()

    async def hang(url):
        started.set()
        await asyncio.Event().wait()

    probe = asyncio.create_task(breaking(hang, lambda _: breaker, clock=clock)(URL))
    await started.wait()
    assert not breaker.admits(clock.now)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert breaker.admits(clock.now)


async def test_of_many_urls_one_is_the_probe(clock):
    """When the cooldown is over and many URLs come at once, one is fetched and the others are refused."""
    breaker = Breaker(HOST, CONFIG, failures=3, openings=1, state="open")
    go, fetched = asyncio.Event(), []

    async def wait(url):
        fetched.append(url)
        await go.wait()
        return Response(url.url, 200)

    fetch = breaking(wait, lambda _: breaker, clock=clock)
    probe = asyncio.create_task(fetch(URL))
    others = await asyncio.gather(*(fetch(URL) for _ in range(9)), return_exceptions=True)
    assert all(isinstance(other, BreakerOpen) for other in others)
    go.set()
    await probe
    assert (len(fetched), breaker.state) == (1, "closed")
