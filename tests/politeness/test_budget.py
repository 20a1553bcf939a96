"""How many retries may a host still be asked?"""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.config import BreakerConfig
from scraper.errors import TransientFetchError
from scraper.model import Reason, Response
from scraper.politeness import RetryBudget


def test_the_first_retries_are_granted():
    """A host that was hardly asked has ten retries, and no eleventh."""
    budget = RetryBudget(0.1)
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]
    assert repr(budget) == "<RetryBudget 10 of 10 retries, 0 requests>"


@pytest.mark.parametrize(("requests", "granted"), [(100, 10), (109, 10), (110, 11), (1000, 100)])
def test_the_share_of_many_requests_is_granted(requests, granted):
    """A tenth of the URLs asked may be asked again, whole ones only."""
    budget = RetryBudget(0.1, requests=requests)
    assert sum(budget.spend() for _ in range(requests)) == granted


def test_a_retry_owed_is_made_good_by_later_ones():
    """What is asked again after an outage although nothing is left is charged all the same."""
    budget = RetryBudget(0.1, requests=100, retries=10)
    assert budget.owe()
    for _ in range(10):
        budget.asked()
    assert not budget.spend()
    for _ in range(10):
        budget.asked()
    assert budget.spend()


def test_a_host_that_keeps_failing_owes_nothing():
    """Who used its retries up less than a hundred requests ago is not in an outage, but unwell: nothing is lent."""
    budget = RetryBudget(0.1, requests=100, retries=10)
    assert not budget.spend()
    for _ in range(100):
        assert not budget.owe()
        budget.asked()
    assert budget.owe()


@given(share=st.floats(0.0, 1.0), steps=st.lists(st.booleans(), max_size=300))
def test_no_more_are_ever_granted(share, steps):
    """Whatever the order of requests and retries, there are never more than ten or the share."""
    budget = RetryBudget(share)
    for asked in steps:
        if asked:
            budget.asked()
        else:
            budget.spend()
        assert budget.retries <= max(10, share * budget.requests)


NEVER_OPEN = BreakerConfig(failures=10**6)


async def half_failing(url, crawl):
    """A server that fails half of all requests, in one way or another."""
    if crawl.random.random() < 0.5:
        return Response(url.url, 200)
    reason, detail = crawl.random.choice([
        (Reason.HTTP_5XX, "500 Internal Server Error"),
        (Reason.RESET, "no answer"),
        (Reason.TRUNCATED, "cut"),
    ])
    raise TransientFetchError(url.url, reason, detail)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("breaker", [NEVER_OPEN, BreakerConfig(openings=10**6)], ids=["without", "with"])
def test_half_of_all_requests_fail(crawl, seed, breaker):
    """Of a thousand URLs, half of whose requests fail, no more than a tenth is asked again, with a breaker or not."""
    done = crawl(half_failing, urls=1000, seed=seed, per_host=8, breaker=breaker)
    assert len(done.ended) == 1000
    assert len(done.asked) <= 1100
    assert (done.host.budget.requests, len(done.asked) - 1000) == (1000, done.host.budget.retries)
    assert {failure.detail.partition("; ")[2] for failure in done.failed} >= {"retry budget of the host is used up"}


def test_a_resume_grants_no_new_retries(crawl):
    """The second half of a crawl that was interrupted has only what the first left."""
    first = crawl(half_failing, urls=500, breaker=NEVER_OPEN)
    second = crawl(half_failing, urls=500, breaker=NEVER_OPEN, state=first.host.snapshot())
    assert len(first.asked) + len(second.asked) <= 1100


@pytest.mark.parametrize(("down_at", "per_host"), [(0.0, 32), (1.0, 32), (5.0, 2)])
def test_a_short_outage_eats_no_url(crawl, down_at, per_host):
    """When a host is gone for a while, with so many requests out, its URLs wait behind the breaker and none fails."""

    async def server(url, crawl):
        await asyncio.sleep(0.1)  # those that are out are lost with the host
        if 0 <= crawl.now() - 1000.0 - down_at < 40:
            raise TransientFetchError(url.url, Reason.RESET, "Connection reset by peer")
        return Response(url.url, 200, elapsed_ms=100.0)

    done = crawl(server, urls=300, per_host=per_host)
    assert (len(done.ended), done.failed) == (300, [])
