"""One host's politeness in one place; what of it survives a resume."""

import asyncio
from dataclasses import replace

import pytest

from scraper.config import BreakerConfig, PolitenessConfig, RetryConfig
from scraper.errors import PermanentFetchError, TransientFetchError
from scraper.model import HostState, Reason, Response
from scraper.politeness import Host, judge_robots

NOW = 1_000_000.0
STATE = HostState("http://h", 1)
CONFIG = PolitenessConfig(retry=RetryConfig(attempts=4, base=1.0))


def host_of(state=STATE, config=CONFIG):
    """A host, as a frontier takes it up."""
    return Host(state, config, agent="scraper")


def robots_failed(reason, detail, retry_after=None, kind=TransientFetchError):
    """What became of the request for robots.txt."""
    return kind("http://h/robots.txt", reason, detail, retry_after)


BUSY = robots_failed(Reason.HTTP_5XX, "503 Service Unavailable")


def closed(error, times, config=CONFIG):
    """A host whose robots.txt failed so often, and the moment of the last failure."""
    host, now = host_of(config=config), NOW
    for _ in range(times):
        now = max(now, host.clock.next_at)
        host.unlearned(error, now)
    return host, now


@pytest.mark.parametrize(
    ("error", "times"),
    [
        (BUSY, 4),
        (robots_failed(Reason.HTTP_4XX, "429 Too Many Requests"), 4),
        (robots_failed(Reason.PROTOCOL, "no HTTP", kind=PermanentFetchError), 1),
        (robots_failed(Reason.HTTP_5XX, "501 Not Implemented", kind=PermanentFetchError), 1),
    ],
    ids=["503", "429", "protocol", "501"],
)
def test_a_robots_txt_that_cannot_be_had_forbids_for_an_hour(error, times):
    """After the configured attempts all is forbidden, for an hour and not for the day that a good answer holds."""
    host, _ = closed(error, times - 1)
    assert host.judge("http://h/a") is None
    host, now = closed(error, times)
    assert host.judge("http://h/a").reason is Reason.ROBOTS
    assert not host.wants_robots(now + 3599)
    assert host.wants_robots(now + 3600)


def test_a_shorter_expiry_holds_for_a_failure_too():
    """A robots.txt is asked again after its expiry if that is less than an hour."""
    host, now = closed(BUSY, 4, replace_config(robots_expiry=60.0))
    assert host.wants_robots(now + 60)


def replace_config(**changes):
    """The configuration with other values."""
    return PolitenessConfig(**{"retry": CONFIG.retry, **changes})


@pytest.mark.parametrize(("retry_after", "wait"), [(1800.0, 1800.0), (1e12, 3600.0), (0.2, 1.0)])
def test_the_retry_after_of_robots_txt(retry_after, wait):
    """A host whose robots.txt names a time is not asked before it, up to the longest Retry-After."""
    host = host_of()
    host.unlearned(robots_failed(Reason.HTTP_5XX, "503 Service Unavailable", retry_after), NOW)
    assert host.due_at(NOW) == NOW + wait


def test_a_failed_robots_txt_is_remembered_as_such():
    """After a resume an unavailable robots.txt still forbids, and until the same moment."""
    host, now = closed(BUSY, 4)
    again = host_of(host.snapshot())
    assert (again.robots.status, again.robots.expires_at) == ("503", now + 3600)
    assert again.judge("http://h/a").detail == "robots.txt: 503"


def test_a_crawl_delay_is_bounded():
    """A Crawl-delay beyond the ceiling counts as the ceiling, and a slowdown comes on top of it."""
    host = host_of(replace(STATE, slowdown=4.0))
    text = b"User-agent: *\nCrawl-delay: 86400\nDisallow: /x"
    host.learned(judge_robots(Response("http://h/robots.txt", 200, body=text), agent="scraper", now=NOW, expiry=60.0))
    assert (host.clock.crawl_delay, host.clock.delay, host.clock.per_host) == (60.0, 64.0, 1)


def test_what_is_remembered_is_enough_to_go_on():
    """A host made of another's snapshot keeps clock, slowdown, budget and breaker, and is due at the same moment."""
    config = replace_config(robots=False, breaker=BreakerConfig(failures=2))
    state = replace(
        STATE, next_at=NOW + 50, crawl_delay=7.0, slowdown=16.0, requests=900, retries=80, failures=1, openings=2
    )
    old = host_of(state, config)
    assert old.snapshot() == state
    old.clock.start(NOW + 50)
    old.breaker.failed(NOW + 50, old.breaker.enter(NOW + 50))
    old.clock.end()
    new = host_of(old.snapshot(), config)
    assert new.due_at(NOW) == old.due_at(NOW) == NOW + 50 + 120
    assert (new.breaker.state, new.breaker.openings, new.breaker.failures) == ("open", 3, 2)
    assert (new.clock.delay, new.clock.per_host) == (23.0, 1)
    assert repr(new.budget) == repr(old.budget) == "<RetryBudget 80 of 90 retries, 900 requests>"


def test_after_a_resume_one_probe_and_no_second():
    """An open breaker that was remembered lets one probe out when its time has come; its failure doubles the time."""
    config = replace_config(robots=False, per_host=8, breaker=BreakerConfig(failures=1, cooldown=30.0))
    old = host_of(config=config)
    old.breaker.failed(NOW, old.breaker.enter(NOW))
    new = host_of(old.snapshot(), config)
    assert new.due_at(NOW) == NOW + 30
    new.clock.start(NOW + 30)
    probe = new.breaker.enter(NOW + 30)
    assert new.due_at(NOW + 30) is None
    new.breaker.failed(NOW + 31, probe)
    new.clock.end()
    assert new.due_at(NOW + 31) == NOW + 31 + 60


def test_a_host_that_is_down_stays_so():
    """A host that was given up is given up after a resume too."""
    host = host_of(replace(STATE, breaker="down", openings=4), replace_config(robots=False))
    assert host.is_down
    assert not host.is_well
    assert host.judge("http://h/a").reason is Reason.HOST_DOWN


def test_a_slowdown_is_forgotten_where_it_is_switched_off():
    """With `adaptive` off a slowdown that was remembered is over."""
    host = host_of(replace(STATE, slowdown=30.0), replace_config(adaptive=False))
    assert (host.clock.delay, host.clock.per_host, host.snapshot().slowdown) == (0.5, 2, 0.0)


def test_an_interrupted_crawl_asks_nothing_before_its_time(crawl):
    """What a Retry-After forbade before an interruption is not asked after it either."""

    async def busy(url, crawl):
        await asyncio.sleep(0.1)
        raise TransientFetchError(url.url, Reason.HTTP_4XX, "429 Too Many Requests", 600.0)

    async def well(url, crawl):
        await asyncio.sleep(0.1)
        return Response(url.url, 200)

    first = crawl(busy, urls=1, retry=RetryConfig(attempts=1))
    second = crawl(well, urls=3, state=first.host.snapshot())
    assert second.asked[0] == pytest.approx(1000.1 + 600.0)
