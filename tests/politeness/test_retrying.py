"""A URL is asked again: in place, later, or not at all."""

import asyncio
import pickle
from contextlib import suppress
from dataclasses import replace

import pytest

from scraper.config import BreakerConfig, PolitenessConfig, RetryConfig
from scraper.errors import BreakerOpen, PermanentFetchError, RetryLater, TransientFetchError
from scraper.model import CrawlUrl, HostState, Reason, Response
from scraper.politeness import Host, breaking, retrying

URL = CrawlUrl(1, "http://h/a", "http://h")
CONFIG = RetryConfig(attempts=4, base=1.0, longest=60.0, within=600.0)
PAGE = Response(URL.url, 200, body=b"hello")


def transient(retry_after=None, reason=Reason.TIMEOUT, detail="first byte"):
    """A failure that may pass."""
    return TransientFetchError(URL.url, reason, detail, retry_after)


def busy(retry_after=None):
    """A server that asks for patience."""
    return transient(retry_after, Reason.HTTP_4XX, "429 Too Many Requests")


class Line:
    """A fetch that gives outcomes in turn, wrapped; with the host, its clock, and the moments it was asked."""

    def __init__(self, clock, *outcomes, config=CONFIG, random=0.5, delay=0.0, failures=5, state=None):
        self.clock = clock
        self.outcomes = list(outcomes)
        self.asked_at = []
        polite = PolitenessConfig(robots=False, delay=delay, retry=config, breaker=BreakerConfig(failures=failures))
        self.whole = Host(state or HostState(URL.host, 1), polite, agent="scraper")
        self.host = self.whole.clock
        self.fetch = retrying(
            breaking(self.answer, lambda _: self.whole.breaker, clock=clock),
            config,
            lambda _: self.whole,
            longest_retry_after=3600.0,
            clock=clock,
            sleep=clock.sleep,
            random=lambda: random,
        )

    async def answer(self, url):
        """Give the next outcome."""
        self.asked_at.append(self.clock.now)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def raises(self, kind, url=URL):
        """Fetch, and return the error of that kind that must come of it."""
        with pytest.raises(kind) as raised:
            await self.fetch(url)
        return raised.value


async def test_a_success_tells_its_attempts(clock):
    """A response carries all attempts charged to the URL, those of earlier runs included."""
    line = Line(clock, PAGE, PAGE)
    assert await line.fetch(URL) == PAGE
    assert (await line.fetch(replace(URL, attempts=2, tried_at=999.0))).attempts == 3
    assert clock.slept == []


async def test_a_short_wait_is_slept_in_the_slot(clock):
    """A backoff of up to a second is slept in place, the host's clock is booked, and the URL is tried again."""
    line = Line(clock, transient(), PAGE, delay=0.5)
    response = await line.fetch(URL)
    assert (response.attempts, line.asked_at) == (2, [1000.0, 1000.5])
    assert (line.host.next_at, line.host.running) == (1001.0, 0)


async def test_each_attempt_knows_those_before(clock):
    """What is fetched anew in place carries the attempts charged so far."""
    seen = []

    class Seeing(Line):
        async def answer(self, url):
            seen.append(url.attempts)
            return await super().answer(url)

    await Seeing(clock, transient(), transient(), PAGE, random=0.0).fetch(replace(URL, attempts=1, tried_at=999.0))
    assert seen == [1, 2, 3]


async def test_a_long_wait_gives_the_url_back(clock):
    """A backoff beyond a second is not slept: the frontier gets the URL back with moment, attempts and cause."""
    failure = transient()
    later = await Line(clock, failure, random=1.0).raises(RetryLater, replace(URL, attempts=1, tried_at=900.0))
    assert (later.url, later.until, later.attempts, later.cause) == (URL.url, 1002.0, 2, failure)
    assert clock.slept == []


async def test_the_hosts_clock_decides_with_the_backoff(clock):
    """A host that is not due delays the retry, in the slot if short and through the frontier if long."""
    line = Line(clock, transient(), PAGE, random=0.0)
    line.host.park(1000.75)
    assert (await line.fetch(URL)).attempts == 2
    assert line.asked_at == [1000.0, 1000.75]
    line = Line(clock, transient(), random=0.0)
    line.host.park(1009.0)
    assert (await line.raises(RetryLater)).until == 1009.0


async def test_a_retry_after_that_arrives_during_the_sleep_is_obeyed(clock):
    """If another URL of the host brings a Retry-After while this one sleeps, it is not fetched but given back."""
    line = Line(clock, transient())
    clock.on_sleep = lambda: line.host.park(1060.0)
    assert (await line.raises(RetryLater)).until == 1060.0
    assert line.asked_at == [1000.0]


async def test_two_sleepers_of_one_host_keep_their_distance(clock):
    """Of two URLs that wake at the same moment, the second waits for the host's clock again."""
    line = Line(clock, transient(), PAGE, delay=0.3)
    clock.on_sleep = lambda: len(clock.slept) == 1 and line.host.again(clock.now)
    await line.fetch(URL)
    assert line.asked_at == [1000.0, 1000.8]
    assert clock.slept == pytest.approx([0.5, 0.3])


async def test_sleeps_in_the_slot_end_after_a_second(clock):
    """A host that others keep busy does not hold the slot for ever: after a second the URL is given back."""
    line = Line(clock, transient(), delay=0.4)
    clock.on_sleep = lambda: line.host.again(clock.now)
    await line.raises(RetryLater)
    assert sum(clock.slept) <= 1.0


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        pytest.param(120.0, 120.0, id="seconds"),
        pytest.param(1e12, 3600.0, id="clamped"),
        pytest.param(1.5, 1.5, id="little"),
    ],
)
async def test_a_retry_after_is_obeyed(clock, retry_after, wait):
    """A Retry-After up to the longest delays the URL and its whole host."""
    line = Line(clock, busy(retry_after), random=0.0)
    later = await line.raises(RetryLater)
    assert later.until == line.host.next_at == 1000.0 + wait


@pytest.mark.parametrize("retry_after", [-5.0, 0.0, float("nan")], ids=str)
async def test_a_retry_after_in_the_past_is_no_invitation(clock, retry_after):
    """A Retry-After that is over or no number leaves the backoff in force."""
    line = Line(clock, transient(retry_after), PAGE)
    await line.fetch(URL)
    assert line.asked_at == [1000.0, 1000.5]


async def test_the_last_failure_still_parks_the_host(clock):
    """A Retry-After on a URL's last attempt delays the host's other URLs."""
    line = Line(clock, transient(120.0))
    await line.raises(TransientFetchError, replace(URL, attempts=3, tried_at=999.0))
    assert line.host.next_at == 1120.0


async def test_the_last_attempt_is_final(clock):
    """The failure itself is raised when the attempts are used up, and it tells how many there were."""
    failures = [transient() for _ in range(4)]
    line = Line(clock, *failures, random=0.0)
    error = await line.raises(TransientFetchError)
    assert error is failures[-1]
    assert (error.attempts, len(line.asked_at)) == (4, 4)
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("tried_at", "kind"), [(402.0, RetryLater), (401.9, TransientFetchError)], ids=["within", "beyond"]
)
async def test_retries_end_after_a_time(clock, tried_at, kind):
    """A failure is final if the backoff leads beyond the time allowed since the URL's first attempt."""
    line = Line(clock, transient(), random=1.0)  # the second attempt's backoff: until 1002.0
    error = await line.raises(kind, replace(URL, attempts=1, tried_at=tried_at))
    assert error.attempts == 2


async def test_a_retry_after_may_lead_beyond_that_time(clock):
    """A URL that the server asks to be patient with is asked again, though our own retries would have ended."""
    line = Line(clock, transient(900.0), random=1.0)
    assert (await line.raises(RetryLater, replace(URL, attempts=1, tried_at=100.0))).until == 1900.0


async def test_a_host_parked_for_another_url_ends_no_retries(clock):
    """The wait for a host that another URL's Retry-After parked does not count against this URL."""
    line = Line(clock, transient(), random=0.0)
    line.host.park(4000.0)
    assert (await line.raises(RetryLater)).until == 4000.0


async def test_a_permanent_failure_is_not_retried(clock):
    """A permanent failure passes through at once, with the attempts charged."""
    line = Line(clock, PermanentFetchError(URL.url, Reason.TLS, "expired"))
    error = await line.raises(PermanentFetchError, replace(URL, attempts=1))
    assert (error.attempts, len(line.asked_at)) == (2, 1)


async def test_an_open_breaker_is_no_attempt(clock):
    """A breaker that is open before any attempt passes through unchanged."""
    refusal = BreakerOpen(URL.host, 1030.0)
    assert await Line(clock, refusal).raises(BreakerOpen, replace(URL, attempts=2)) is refusal


async def test_a_breaker_that_opens_between_attempts_keeps_what_was_charged(clock):
    """If the breaker opens on a URL, it goes back until the breaker's moment, with its attempts, and holds no slot."""
    line = Line(clock, transient(), transient(), random=0.0, failures=2)
    later = await line.raises(RetryLater)
    assert (later.until, later.attempts, len(line.asked_at)) == (line.whole.breaker.until, 2, 2)
    assert isinstance(later.cause, TransientFetchError)


async def test_a_cancelled_sleep_ends_the_fetch(clock):
    """A cancellation during the sleep goes through, and nothing more is fetched."""
    line = Line(clock, transient(), PAGE)

    def cancel():
        raise asyncio.CancelledError

    clock.on_sleep = cancel
    await line.raises(asyncio.CancelledError)
    assert line.asked_at == [1000.0]


def test_attempts_survive_pickling():
    """A failure tells one attempt by default, and a pickled one the attempts it was given."""
    error = transient(5.0)
    assert error.attempts == 1
    error.attempts = 3
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.attempts, copy.retry_after, str(copy)) == (3, 5.0, str(error))


async def test_a_breaker_that_another_url_opens_during_the_wait(clock):
    """A URL that waits in place while another opens the breaker goes back with its attempts, and is not asked."""
    line = Line(clock, transient(), failures=2)
    clock.on_sleep = lambda: line.whole.breaker.failed(clock.now, line.whole.breaker.enter(clock.now))
    later = await line.raises(RetryLater)
    assert (later.until, later.attempts, line.asked_at) == (1030.5, 1, [1000.0])


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (transient(reason=Reason.DNS, detail="no such name"), 2),
        (transient(reason=Reason.DNS, detail="Temporary failure in name resolution"), 4),
        (transient(detail="total"), 2),
        (transient(reason=Reason.HTTP_5XX, detail="501 Not Implemented"), 1),
        (transient(reason=Reason.HTTP_5XX, detail="500 Internal Server Error"), 4),
    ],
    ids=["unknown name", "name server", "total", "501", "500"],
)
async def test_the_table_says_how_often(clock, failure, asked):
    """A URL is asked again as often as the row of its failure says, whatever the error's class."""
    line = Line(clock, *[failure] * 9, random=0.0)
    assert (await line.raises(TransientFetchError)).attempts == asked
    assert len(line.asked_at) == asked


async def test_the_table_says_how_long(clock):
    """The wait is as many times longer as the row of the failure says."""
    unknown = transient(reason=Reason.DNS, detail="no such name")
    assert (await Line(clock, unknown, random=0.5).raises(RetryLater)).until == 1005.0


def spent(requests=0, retries=10):
    """A host whose retries are used up."""
    return HostState(URL.host, 1, requests=requests, retries=retries)


async def test_a_used_up_budget_is_final(clock):
    """Over the budget a failure is final after one attempt, keeps its reason, and its detail says so."""
    line = Line(clock, transient(reason=Reason.HTTP_5XX, detail="503 Service Unavailable"), state=spent())
    error = await line.raises(TransientFetchError)
    assert (error.reason, error.detail, error.attempts, error.status) == (
        Reason.HTTP_5XX,
        "503 Service Unavailable; retry budget of the host is used up",
        1,
        503,
    )
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("failure", "charged"),
    [
        (transient(), 1),
        (busy(), 0),
        (busy(20.0), 0),
        (transient(20.0, Reason.HTTP_5XX, "503 Service Unavailable"), 0),
        (transient(0.0, Reason.HTTP_5XX, "503 Service Unavailable"), 1),
        (PermanentFetchError(URL.url, Reason.TLS, "expired"), 0),
    ],
    ids=["timeout", "429", "429-after", "503-after", "503-after-0", "final"],
)
async def test_what_the_host_asked_for_is_free(clock, failure, charged):
    """A retry is charged to the host unless it asked for it, by a 429 or by naming a time."""
    line = Line(clock, failure, PAGE)
    with suppress(RetryLater, PermanentFetchError):
        await line.fetch(URL)
    assert (line.whole.budget.requests, line.whole.budget.retries) == (1, charged)


async def test_a_first_request_is_counted_once(clock):
    """A URL counts as asked with its first attempt, not with later ones, of this run or of another."""
    line = Line(clock, transient(), PAGE, PAGE)
    await line.fetch(URL)
    await line.fetch(replace(URL, attempts=2, tried_at=999.0))
    assert line.whole.budget.requests == 1


async def test_a_host_that_goes_down_costs_no_url(clock):
    """A failure on which the breaker opens is deferred, without a wait, though nothing of the budget is left."""
    line = Line(clock, transient(), failures=1, state=spent())
    later = await line.raises(RetryLater)
    assert (later.until, line.whole.budget.retries, clock.slept) == (1030.0, 11, [])


async def test_a_place_that_is_no_longer_there(clock):
    """A URL is not asked again in place if the host may have less at once by now: it goes back at once."""
    line = Line(clock, transient(), random=0.0)
    for _ in range(3):
        line.host.start(clock.now)
    later = await line.raises(RetryLater)
    assert (later.until, line.asked_at) == (1000.0, [1000.0])


async def test_a_final_failure_parks_the_host_too(clock):
    """A Retry-After on an answer that is final delays the host's other URLs."""
    line = Line(clock, transient(120.0, Reason.HTTP_5XX, "501 Not Implemented"))
    await line.raises(TransientFetchError)
    assert line.host.next_at == 1120.0
