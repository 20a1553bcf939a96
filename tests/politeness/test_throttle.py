"""When may a host be asked again?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.politeness import HostClock


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
    assert (clock.delay, clock.per_host) == (delay, per_host)


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
