"""When may a host be asked again?"""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.config import BreakerConfig
from scraper.errors import TransientFetchError
from scraper.model import Reason, Response
from scraper.politeness import HostClock, Slowdown


def test_a_new_host_is_due_at_once():
    """A host never asked is due."""
    assert HostClock(0.5, 2).is_due(0.0)


def test_requests_keep_their_distance_from_start_to_start():
    """The next request may start a delay after the last one started, whether or not that has ended."""
    clock = HostClock(0.5, 2)
    clock.start(10.0)
    assert repr(clock) == "<HostClock 1/2 running, every 0.5 s, next at 10.5>"
    assert not clock.is_due(10.4)
    assert clock.is_due(10.5)


def test_no_more_run_at_once_than_per_host():
    """A host whose places are taken is not due until one is free."""
    clock = HostClock(0.0, 2)
    clock.start(10.0)
    clock.start(10.0)
    assert not clock.has_room
    assert not clock.is_due(99.0)
    clock.end()
    assert clock.is_due(99.0)


def test_a_further_attempt_books_the_clock_but_no_place():
    """A retry in the same slot keeps its distance too, and takes no second place."""
    clock = HostClock(0.5, 2)
    clock.start(10.0)
    clock.again(10.5)
    assert (clock.running, clock.next_at) == (1, 11.0)


def test_an_early_start_is_made_good():
    """A request that starts before its time moves the next one on by a whole delay all the same."""
    clock = HostClock(0.5, 2, next_at=50.0)
    clock.start(10.0)
    assert clock.next_at == 50.5


def test_an_end_without_a_start_is_an_error():
    """Ending more requests than were started raises, for it would let too many run."""
    with pytest.raises(RuntimeError, match="never started"):
        HostClock(0.5, 2).end()


@pytest.mark.parametrize(
    ("crawl_delay", "delay", "per_host"),
    [
        pytest.param(None, 0.5, 4, id="none"),
        pytest.param(0.0, 0.5, 4, id="zero-is-none"),
        pytest.param(0.2, 0.5, 1, id="shorter-than-ours"),
        pytest.param(10.0, 10.0, 1, id="longer-than-ours"),
    ],
)
def test_a_crawl_delay_slows_down(crawl_delay, delay, per_host):
    """The longer delay is in force, and with a Crawl-delay requests come one at a time."""
    clock = HostClock(0.5, 4, crawl_delay=crawl_delay)
    clock.answered(0, 0.1)
    assert (clock.delay, clock.per_host) == (delay, per_host)


@pytest.mark.parametrize(("answers", "per_host"), [(0, 2), (1, 8), (2, 20), (9, 20)])
def test_places_open_with_answers(answers, per_host):
    """A host that has not answered has two places, and each answer, a failure too, makes it four times as many."""
    clock = HostClock(0.0, 20)
    for n in range(answers):
        clock.answered(0, 0.1) if n % 2 else clock.troubled(0)
    assert clock.per_host == per_host


def test_one_place_stays_one():
    """Where one at a time is set it is one, whatever the host does."""
    clock = HostClock(0.0, 1)
    clock.silent(0)
    clock.answered(0, 0.1)
    assert clock.per_host == 1


def test_a_slowdown_comes_on_top():
    """While a host is slowed, the slowdown is added to the longer delay, and requests come one at a time."""
    clock = HostClock(0.5, 4, crawl_delay=3.0, slowdown=Slowdown(4, seconds=8.0))
    assert (clock.delay, clock.per_host) == (11.0, 1)
    clock.set_crawl_delay(None)
    assert (clock.delay, clock.per_host) == (8.5, 1)


def test_a_crawl_delay_keeps_a_host_parked():
    """A Crawl-delay that is learned while a host is parked does not let it off earlier, nor does one that goes away."""
    clock = HostClock(0.5, 2)
    clock.start(100.0)
    clock.park(700.0)
    clock.set_crawl_delay(10.0)
    clock.set_crawl_delay(None)
    assert clock.next_at == 700.0


async def _hang(url, crawl):
    await asyncio.sleep(30.0)
    raise TransientFetchError(url.url, Reason.TIMEOUT, "first byte")


def test_a_host_that_hangs_takes_two_slots(crawl):
    """A host that never answers has two requests running at most, though thirty-two are allowed."""
    assert crawl(_hang, urls=100, per_host=32).most == 2


def test_a_host_that_begins_to_hang_takes_no_more(crawl):
    """A host that stops answering is down to two at once when those that were out have failed."""
    late = []

    async def server(url, crawl):
        if crawl.now() < 1010.0:
            await asyncio.sleep(0.1)
            return Response(url.url, 200, elapsed_ms=100.0)
        if crawl.now() > 1041.0:
            late.append(crawl.running)
        return await _hang(url, crawl)

    crawl(server, urls=4000, per_host=32, breaker=BreakerConfig(failures=100, openings=1, longest=1.0))
    assert max(late) <= 2


def test_a_healthy_host_does_not_notice(crawl):
    """Opening up costs a healthy host less than half a second of its crawl, however many may run at once."""

    async def server(url, crawl):
        await asyncio.sleep(0.1)
        return Response(url.url, 200, elapsed_ms=100.0)

    done = crawl(server, urls=3200, per_host=32)
    assert done.most == 32
    assert done.now() - 1000 < 3200 / 32 * 0.1 + 0.5


def test_a_crawl_delay_counts_from_the_last_start():
    """The Crawl-delay found in a robots.txt already holds between robots.txt and the first page."""
    clock = HostClock(0.5, 2)
    clock.start(100.0)
    clock.end()
    clock.set_crawl_delay(10.0)
    assert not clock.is_due(109.9)
    assert clock.is_due(110.0)


def test_a_crawl_delay_of_an_earlier_run_delays_no_first_request():
    """Setting a Crawl-delay on a host not yet asked in this run leaves its next moment alone."""
    clock = HostClock(0.5, 2, next_at=50.0)
    clock.set_crawl_delay(10.0)
    assert clock.next_at == 50.0


@pytest.mark.parametrize(("until", "next_at"), [(70.0, 70.0), (20.0, 50.0)], ids=["later", "earlier"])
def test_parking_only_ever_delays(until, next_at):
    """A Retry-After that ends before the host was due anyway changes nothing."""
    clock = HostClock(0.5, 2, next_at=50.0)
    clock.park(until)
    assert clock.next_at == next_at


@given(
    delay=st.floats(0.0, 60.0),
    crawl_delay=st.none() | st.floats(0.0, 60.0),
    steps=st.lists(st.tuples(st.floats(0.0, 30.0), st.booleans(), st.none() | st.floats(0.0, 90.0))),
)
def test_no_start_is_ever_early(delay, crawl_delay, steps):
    """Whatever happens, two starts are a delay apart, none falls into a Retry-After, and never too many run."""
    clock = HostClock(delay, 2, crawl_delay=crawl_delay)
    now, not_before = 0.0, 0.0
    for elapsed, ends, retry_after in steps:
        now += elapsed
        if ends and clock.running:
            clock.end()
        if clock.is_due(now):
            assert now >= not_before
            clock.start(now)
            not_before = now + clock.delay
        assert clock.running <= clock.per_host
        if retry_after is not None:
            clock.park(now + retry_after)
            not_before = max(not_before, now + retry_after)
