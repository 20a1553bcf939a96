"""When is a URL asked again? The table of failures, and the formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.config import RetryConfig
from scraper.errors import FetchError, TransientFetchError
from scraper.fetch.fetcher import ASK_AGAIN
from scraper.fetch.reasons import TRANSIENT
from scraper.model import Reason
from scraper.politeness import FAILURES, Failure, backoff, failure_of, failures_table

CONFIG = RetryConfig(attempts=4, base=1.0, longest=60.0, within=600.0)
STATUSES = [str(status) for status in range(400, 600)]
UNASKED = {Reason.REDIRECT_LOOP, Reason.HOST_DOWN, Reason.PARSE}  # failed without a failure of a fetch


def row(reason, detail="something"):
    """The row of a failure."""
    return failure_of(FetchError("http://h/", reason, detail))


def row_of(status):
    """The row of an answer."""
    return row(Reason.HTTP_4XX if status[0] == "4" else Reason.HTTP_5XX, f"{status} Some Phrase")


@pytest.mark.parametrize(
    ("attempt", "ceiling"), [(1, 1.0), (2, 2.0), (3, 4.0), (6, 32.0), (7, 60.0), (10**9, 60.0)], ids=str
)
def test_the_ceiling_doubles_up_to_the_longest(attempt, ceiling):
    """The backoff's upper end is the base, doubled with each attempt, and at most the longest."""
    assert backoff(attempt, CONFIG, lambda: 1.0) == ceiling
    assert backoff(attempt, CONFIG, lambda: 0.25) == ceiling / 4
    assert backoff(attempt, CONFIG, lambda: 0.0) == 0.0


@given(
    attempt=st.integers(1, 10_000),
    base=st.floats(0.0, 2e9),
    longest=st.floats(0.0, 1e9),
    chance=st.floats(0.0, 1.0, exclude_max=True),
)
def test_a_backoff_stays_within_its_bounds(attempt, base, longest, chance):
    """Whatever the settings, a backoff is between zero and the longest, and no error is raised."""
    config = RetryConfig(base=base, longest=longest)
    assert 0.0 <= backoff(attempt, config, lambda: chance) <= longest


def test_a_longer_wait_has_the_same_bound():
    """A row whose wait is a multiple of the base multiplies the upper end, and never beyond the longest."""
    assert [backoff(attempt, CONFIG, lambda: 1.0, 10.0) for attempt in (1, 2, 3, 4)] == [10.0, 20.0, 40.0, 60.0]


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason.state == "failed" and reason not in UNASKED])
def test_every_reason_has_its_row(reason):
    """Each reason with which a fetch fails stands in the table, also with a detail that nobody thought of."""
    assert row(reason).reason is reason
    assert row(reason, "").reason is reason


def test_no_detail_has_two_rows():
    """A failure falls under one row only, and one row of each reason takes what no other names."""
    named = [(failure.reason, detail) for failure in FAILURES for detail in failure.details]
    assert len(named) == len(set(named))
    rest = [failure.reason for failure in FAILURES if not failure.details]
    assert len(rest) == len(set(rest)) == len({failure.reason for failure in FAILURES})


@pytest.mark.parametrize(
    ("reason", "detail", "retries", "breaker", "charged", "pace"),
    [
        (Reason.DNS, "no such name", 1, "counts", True, "fewer"),
        (Reason.DNS, "Temporary failure in name resolution", None, "counts", True, "fewer"),
        (Reason.DNS, "not a name that can be looked up", 0, "neither", True, "same"),
        (Reason.TIMEOUT, "connect", None, "counts", True, "fewer"),
        (Reason.TIMEOUT, "total", 1, "counts", True, "fewer"),
        (Reason.TIMEOUT, "least rate", 1, "counts", True, "fewer"),
        (Reason.TRUNCATED, "cut", None, "counts", True, "same"),
        (Reason.TLS, "expired", 0, "neither", True, "same"),
        (Reason.HTTP_4XX, "404 Not Found", 0, "resets", True, "same"),
        (Reason.HTTP_4XX, "408 Request Timeout", None, "resets", True, "same"),
        (Reason.HTTP_4XX, "429 Too Many Requests", None, "resets", False, "slower"),
        (Reason.HTTP_5XX, "503 Service Unavailable", None, "counts", True, "slower"),
        (Reason.HTTP_5XX, "599", None, "counts", True, "same"),
        (Reason.HTTP_5XX, "505 HTTP Version Not Supported", 0, "resets", True, "same"),
    ],
)
def test_the_row_decides(reason, detail, retries, breaker, charged, pace):
    """A failure's reason and detail lead to what is done after it."""
    found = row(reason, detail)
    assert (found.retries, found.breaker, found.charged, found.pace) == (retries, breaker, charged, pace)


@given(reason=st.sampled_from(Reason), detail=st.text(max_size=12))
def test_any_failure_has_a_row(reason, detail):
    """Whatever the reason and the detail, there is a row, and no error is raised."""
    assert isinstance(row(reason, detail), Failure)


def test_fetching_agrees_with_the_table():
    """What fetching calls transient is what the table asks again, but for these few, on which the table decides."""
    again = {reason for reason in Reason if row(reason).retries != 0} - {Reason.HTTP_5XX}
    assert again == TRANSIENT
    transient = {status for status in STATUSES if status[0] == "5" or int(status) in ASK_AGAIN}
    asked_again = {status for status in STATUSES if row_of(status).retries != 0}
    assert transient ^ asked_again <= {"425", "501", "505", "506", "510"}


def test_the_table_in_markdown():
    """The README's table has one line for each row, with what the row says."""
    head, rule, *lines = failures_table().splitlines()
    assert head.count("|") == rule.count("|")
    assert all(line.count("|") == head.count("|") for line in lines)
    assert len(lines) == len(FAILURES)
    one = Failure(Reason.DNS, "x", "why", ("x",), retries=2, times=3.0, breaker="counts", pace="fewer")
    assert failures_table([one]).splitlines()[2] == (
        "| `dns`: x | 2 times | 3 × `base` | counts | charged | two at once | why |"
    )


def test_a_failure_knows_its_status():
    """An error tells the status with which its detail begins, and none if there was no answer."""
    error = TransientFetchError("http://h/", Reason.HTTP_5XX, "503 Service Unavailable")
    assert error.status == 503
    for reason, detail in [
        (Reason.TIMEOUT, "503"),
        (Reason.HTTP_4XX, "٤٠٤"),
        (Reason.HTTP_4XX, "40"),
        (Reason.HTTP_4XX, ""),
    ]:
        assert FetchError("http://h/", reason, detail).status is None
