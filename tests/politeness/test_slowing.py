"""How much more gently than it allows is a host asked? Step by step, and against servers of several kinds."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.errors import TransientFetchError
from scraper.model import Reason, Response
from scraper.politeness import Slowdown


def strain(slowdown, times=1, delay=0.0):
    """The host asks for patience, each time after what it said before was heeded."""
    for _ in range(times):
        assert slowdown.strained(slowdown.enter(), delay, 1)


def answer(slowdown, times, latency=0.1, running=1):
    """The host answers so many times, after so many seconds."""
    for _ in range(times):
        slowdown.answered(slowdown.enter(), latency, running)


def test_each_event_doubles_up_to_a_minute():
    """The first step is a second, each further one doubles it, and a minute is the end."""
    slowdown, steps = Slowdown(2), []
    for _ in range(8):
        strain(slowdown)
        steps.append(slowdown.seconds)
    assert steps == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert repr(slowdown) == "<Slowdown 60 s, 1/2 places>"


def test_the_first_step_doubles_a_long_delay():
    """A host asked every ten seconds that asks for patience is asked every twenty."""
    slowdown = Slowdown(2)
    strain(slowdown, delay=10.0)
    assert slowdown.seconds == 10.0


def test_what_began_before_a_step_is_no_event():
    """Of thirty-two answers 429 to requests that were out together, one is a step."""
    slowdown = Slowdown(32)
    began = [slowdown.enter() for _ in range(32)]
    assert [slowdown.strained(stretch, 0.0, 32) for stretch in began] == [True] + [False] * 31
    assert repr(slowdown) == "<Slowdown 1 s, 16/32 places>"


def test_what_began_before_a_step_heals_nothing():
    """Good answers to requests that were out when the host asked for patience do not count."""
    slowdown = Slowdown(32)
    late = slowdown.enter()
    strain(slowdown)
    for _ in range(50):
        slowdown.answered(late, 0.1, 1)
    assert slowdown.seconds == 1.0


def test_rows_of_good_answers_heal():
    """Five good answers in a row halve the slowdown, below a tenth of a second it is over, and then places open."""
    slowdown, seen = Slowdown(4), []
    strain(slowdown)
    for _ in range(7):
        answer(slowdown, 4)
        slowdown.troubled(slowdown.enter())  # the row begins anew
        answer(slowdown, 5)
        seen.append((slowdown.seconds, slowdown.places))
    assert seen == [(0.5, 1), (0.25, 1), (0.125, 1), (0.0, 1), (0.0, 2), (0.0, 3), (0.0, 4)]


def test_a_relapse_heals_at_half_the_speed():
    """A host that asks for patience again during its recovery must be good for twice as long, until it is well."""
    slowdown = Slowdown(1)
    strain(slowdown)
    for row in (5, 10, 20, 40, 40):
        answer(slowdown, row - 1)
        assert slowdown.seconds == 1.0
        answer(slowdown, 1)
        assert slowdown.seconds == 0.5
        strain(slowdown)
    answer(slowdown, 40 * 4 + 40)
    strain(slowdown)
    answer(slowdown, 5)
    assert slowdown.seconds == 0.5


@pytest.mark.parametrize(
    ("latency", "steps"), [(0.9, 0), (1.5, 1)], ids=["nine times as slow, under a second", "over a second"]
)
def test_growing_latency_narrows(latency, steps):
    """Answers over a second and three times slower than usual halve how many run at once; those under do nothing."""
    slowdown = Slowdown(8)
    answer(slowdown, 50, 0.1, running=8)
    answer(slowdown, 7, latency, running=8)
    assert (slowdown.places, slowdown.seconds) == (8 >> steps, 0.0)


@pytest.mark.parametrize("latency", [0.01, 0.9, 2.5, 30.0, 300.0])
def test_a_host_that_is_always_slow_is_not_slowed(latency):
    """Answers that take as long as they always did are no sign."""
    slowdown = Slowdown(8)
    answer(slowdown, 500, latency, running=8)
    assert repr(slowdown) == "<Slowdown 0 s, 8/8 places>"


def test_a_host_of_quick_and_slow_pages_is_not_slowed():
    """Pages that differ a hundredfold from one to the next are usual for a host that has such."""
    slowdown = Slowdown(8)
    for n in range(1000):
        answer(slowdown, 1, 0.03 if n % 5 == 0 else 3.0, running=8)
    assert repr(slowdown) == "<Slowdown 0 s, 8/8 places>"


def test_one_page_that_takes_minutes_is_no_sign():
    """Two answers of any length do nothing to a host that is quick otherwise."""
    slowdown = Slowdown(8)
    answer(slowdown, 50, 0.1, running=8)
    answer(slowdown, 2, 1e9, running=8)
    answer(slowdown, 50, 0.1, running=8)
    assert repr(slowdown) == "<Slowdown 0 s, 8/8 places>"


def test_one_at_a_time_and_still_slow():
    """A host that is too slow one at a time is given pauses, at most twice as long as it takes for an answer."""
    slowdown = Slowdown(1)
    answer(slowdown, 50, 0.1)
    seen = set()
    for _ in range(25):
        answer(slowdown, 1, 1.4)
        seen.add(slowdown.seconds)
    assert max(seen) == pytest.approx(2.8)


def test_a_host_that_stays_slow_is_taken_as_it_is():
    """What a host has come to need becomes what is usual for it, and it is slowed for it no longer."""
    slowdown = Slowdown(4)
    answer(slowdown, 50, 0.1)
    slowest = 0.0
    for _ in range(500):
        answer(slowdown, 1, 3.0, running=4)
        slowest = max(slowest, slowdown.seconds)
    assert slowest > 1.0
    assert repr(slowdown) == "<Slowdown 0 s, 4/4 places>"


def test_switched_off():
    """With `adaptive` off nothing that a host does or did slows it down."""
    slowdown = Slowdown(8, seconds=30.0, adaptive=False)
    assert not slowdown.strained(slowdown.enter(), 0.5, 8)
    answer(slowdown, 50, 0.1)
    answer(slowdown, 50, 30.0)
    assert repr(slowdown) == "<Slowdown 0 s, 8/8 places>"


EVENTS = st.one_of(
    st.just("429"), st.just("500"), st.none(), st.floats(0.0, 1e12, allow_nan=False), st.floats(0.01, 3.0)
)


@given(most=st.integers(1, 64), events=st.lists(st.tuples(EVENTS, st.integers(0, 3), st.integers(0, 64)), max_size=200))
def test_slowdowns_stay_within_their_bounds(most, events):
    """Whatever comes in whatever order: at least one place, no more than allowed, and from nothing up to a minute."""
    slowdown, began = Slowdown(most), [0]
    for event, late, running in events:
        began.append(slowdown.enter())
        stretch = began[-min(late + 1, len(began))]
        if event == "429":
            slowdown.strained(stretch, 0.5, running)
        elif event == "500":
            slowdown.troubled(stretch)
        else:
            slowdown.answered(stretch, event, running)
        assert 1 <= slowdown.places <= most
        assert slowdown.seconds == 0.0 or 0.1 <= slowdown.seconds <= 60.0


# --- against servers ---


def page(url, seconds):
    """A page that took so long."""
    return Response(url.url, 200, elapsed_ms=seconds * 1000)


def patience(url, retry_after=None):
    """429."""
    return TransientFetchError(url.url, Reason.HTTP_4XX, "429 Too Many Requests", retry_after)


async def loopback(url, crawl):
    """A quick server that is the slower the more is asked of it: 2 to 200 ms."""
    seconds = crawl.random.uniform(0.002, 0.006) * crawl.running
    await asyncio.sleep(seconds)
    return page(url, seconds)


def test_a_busy_local_crawl_never_slows_itself(crawl):
    """A host that answers in 2 to 200 ms, the slower for what we ask of it, is asked as fast as was allowed."""
    adaptive = crawl(loopback, urls=3000, per_host=32)
    assert repr(adaptive.host.clock.slowdown) == "<Slowdown 0 s, 32/32 places>"
    assert adaptive.most == 32
    plain = crawl(loopback, urls=3000, per_host=32, adaptive=False)
    assert adaptive.now() == plain.now()


def test_a_server_that_gets_slower_is_asked_less_at_once(crawl):
    """A server that can do twenty pages a second, one by one, is kept busy, but not with thirty-two at once."""
    free_at, fewest = 0.0, 32

    async def queueing(url, crawl):
        nonlocal free_at, fewest
        now = crawl.now()
        fewest = min(fewest, crawl.host.clock.slowdown.places)
        free_at = max(free_at, now) + 0.05
        seconds = free_at - now
        await asyncio.sleep(seconds)
        return page(url, seconds)

    done = crawl(queueing, urls=3000, per_host=32)
    assert done.now() - 1000 < 3000 * 0.05 * 1.05
    assert done.host.clock.slowdown.seconds == 0.0
    assert fewest == 16


def test_a_server_with_a_limit(crawl):
    """A server that allows a page a second gets them all asked, and hardly ever has to say so."""
    allowed_at, refused = 0.0, 0

    async def limited(url, crawl):
        nonlocal allowed_at, refused
        await asyncio.sleep(0.05)
        if crawl.now() < allowed_at:
            refused += 1
            raise patience(url)
        allowed_at = crawl.now() + 1.0
        return page(url, 0.05)

    done = crawl(limited, urls=1000, delay=0.5, per_host=4)
    assert (len(done.ended), done.failed) == (1000, [])
    assert refused < 20
    assert done.now() - 1000 < 1500


def test_a_server_in_trouble_recovers(crawl):
    """A host that answers 503 for a time is asked ever more slowly, and after it as fast as before."""

    async def troubled(url, crawl):
        await asyncio.sleep(0.05)
        if 1030 < crawl.now() < 1060:
            raise TransientFetchError(url.url, Reason.HTTP_5XX, "503 Service Unavailable")
        return page(url, 0.05)

    done = crawl(troubled, urls=500, delay=0.5)
    assert (len(done.ended), done.failed) == (500, [])
    assert len([at for at in done.asked if 1031 < at < 1060]) <= 5
    assert repr(done.host.clock.slowdown) == "<Slowdown 0 s, 2/2 places>"
    assert done.asked[-1] - done.asked[-2] == pytest.approx(0.5)


def test_no_request_before_a_retry_after(crawl):
    """However many are out when a host names a time, nothing is asked before it, in place or anew."""
    named = []

    async def server(url, crawl):
        began = crawl.now()
        await asyncio.sleep(crawl.random.uniform(0.05, 1.5))
        assert all(not said < began < until for said, until in named)
        if crawl.random.random() < 0.02:
            named.append((crawl.now(), crawl.now() + 30.0))
            raise patience(url, 30.0)
        if crawl.random.random() < 0.1:
            raise TransientFetchError(url.url, Reason.RESET, "reset")
        return page(url, 0.1)

    done = crawl(server, urls=500, per_host=16)
    assert len(done.ended) == 500
    assert len(named) >= 3


def test_a_slowdown_and_a_crawl_delay_add_up(crawl):
    """The longer of the delays and the slowdown are both kept, from start to start."""

    async def server(url, crawl):
        await asyncio.sleep(0.01)
        if len(crawl.asked) == 1:
            crawl.host.clock.set_crawl_delay(5.0)
            raise patience(url)
        return page(url, 0.01)

    done = crawl(server, urls=4, delay=0.5)
    assert min(later - earlier for earlier, later in pairwise(done.asked)) >= 10.0 - 1e-6
