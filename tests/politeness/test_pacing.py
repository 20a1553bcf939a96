"""What each attempt says about the pace that a host bears."""

import asyncio
from dataclasses import replace

import pytest

from scraper.errors import PermanentFetchError, TransientFetchError
from scraper.model import CrawlUrl, Reason, Response
from scraper.politeness import HostClock, Slowdown, pacing

URL = CrawlUrl(1, "http://h/a", "http://h")


async def after(clock, outcome, pace=None, url=URL):
    """The clock of a host after a fetch with this outcome."""

    async def fetch(url):
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    pace = pace or HostClock(0.5, 32)
    wrapped = pacing(fetch, lambda _: pace, clock=clock)
    if isinstance(outcome, BaseException):
        with pytest.raises(type(outcome)):
            await wrapped(url)
    else:
        assert await wrapped(url) is outcome
    return pace


def failure(reason, detail):
    """A failed attempt."""
    return TransientFetchError(URL.url, reason, detail)


@pytest.mark.parametrize(
    ("outcome", "per_host", "seconds"),
    [
        (Response(URL.url, 200), 8, 0.0),
        (Response(URL.url, 404), 8, 0.0),
        (failure(Reason.HTTP_5XX, "500 Internal Server Error"), 8, 0.0),
        (failure(Reason.HTTP_4XX, "429 Too Many Requests"), 1, 1.0),
        (failure(Reason.HTTP_5XX, "503 Service Unavailable"), 1, 1.0),
        (failure(Reason.TIMEOUT, "first byte"), 2, 0.0),
        (failure(Reason.DNS, "Temporary failure in name resolution"), 2, 0.0),
        (PermanentFetchError(URL.url, Reason.TLS, "expired"), 2, 0.0),
        (asyncio.CancelledError(), 2, 0.0),
    ],
    ids=["page", "404", "500", "429", "503", "timeout", "dns", "tls", "cancelled"],
)
async def test_what_an_attempt_teaches(clock, outcome, per_host, seconds):
    """An answer opens the host, 429 and 503 slow it down; silence, and what is about us, does neither."""
    pace = await after(clock, outcome)
    assert (pace.per_host, pace.slowdown.seconds) == (per_host, seconds)


async def test_silence_closes_the_host_again(clock):
    """After a failure without an answer the host has two places again, however many it had."""
    pace = HostClock(0.0, 32)
    for _ in range(2):
        await after(clock, Response(URL.url, 200), pace)
    assert pace.per_host == 32
    await after(clock, failure(Reason.RESET, "reset"), pace)
    assert pace.per_host == 2


async def test_a_url_is_an_event_once(clock):
    """A URL that failed before and answers 503 again does not slow its host down further; another one does."""
    busy, pace = failure(Reason.HTTP_5XX, "503 Service Unavailable"), HostClock(0.5, 2)
    for attempts in range(4):
        await after(clock, busy, pace, replace(URL, attempts=attempts))
    assert pace.slowdown.seconds == 1.0
    await after(clock, busy, pace, replace(URL, id=2))
    assert pace.slowdown.seconds == 2.0


async def test_a_step_is_kept_at_once(clock):
    """What was booked before the host asked for patience is moved on: the new distance holds from its answer."""
    pace = HostClock(0.5, 2)
    pace.start(clock.now)
    clock.now += 10.0
    await after(clock, failure(Reason.HTTP_4XX, "429 Too Many Requests"), pace)
    assert pace.next_at == 1010.0 + 1.5


@pytest.mark.parametrize(("size", "places"), [(1000, 4), (10**6, 8)])
async def test_long_bodies_tell_nothing_of_latency(clock, size, places):
    """An answer that is slow because its body is long does not count as slow."""
    pace = HostClock(0.0, 8, slowdown=Slowdown(8))
    pace.running = 8
    for elapsed_ms in [100.0] * 20 + [5000.0] * 5:
        body = b"x" * size if elapsed_ms > 1000 else b""
        await after(clock, Response(URL.url, 200, body=body, elapsed_ms=elapsed_ms), pace)
    assert pace.slowdown.places == places
