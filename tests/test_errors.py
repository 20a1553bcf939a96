"""The error tree: every class survives a process boundary and has its exit code."""

import copy
import pickle

import pytest

from scraper import errors
from scraper.model import Reason

FETCH = errors.TransientFetchError("https://a.test/", Reason.TIMEOUT, "no first byte", 2.5)
DAMAGED = (
    "a.db is damaged (malformed): look at it with `scraper db check`, and get out what is whole with"
    " `scraper db salvage`"
)
EXAMPLES = [
    (errors.ScraperError("it broke"), "it broke", 1),
    (errors.ConfigError("line 3"), "line 3", 2),
    (errors.UrlError("x", "is not a URL"), "'x' is not a URL", 2),
    (errors.FetchError("https://a.test/", Reason.DNS, "no such name"), "https://a.test/: dns: no such name", 1),
    (FETCH, "https://a.test/: timeout: no first byte", 1),
    (errors.PermanentFetchError("https://a.test/", Reason.TLS, "expired"), "https://a.test/: tls: expired", 1),
    (errors.RetryLater("https://a.test/", 5.0, 2, FETCH), "https://a.test/: again after timeout", 1),
    (errors.BreakerOpen("https://a.test", 5.0), "https://a.test: circuit breaker open", 1),
    (errors.ParseError("https://a.test/", "rule book: no match"), "https://a.test/: rule book: no match", 1),
    (errors.ParseInterrupted("stopped"), "stopped", 1),
    (errors.StoppedEarly("stopped"), "stopped", 1),
    (errors.QueryError("no such table"), "no such table", 2),
    (errors.StoreError("disk full"), "disk full", 1),
    (errors.MigrationError("0002 failed"), "0002 failed", 1),
    (errors.SchemaTooNew("version 9"), "version 9", 2),
    (errors.NotAStore("a.png"), "a.png", 2),
    (errors.ForeignSchema("a trigger"), "a trigger", 2),
    (errors.StoreDamaged("a.db", "malformed"), DAMAGED, 1),
    (errors.CrawlNotFound("no crawl 7"), "no crawl 7", 2),
    (errors.StoreBusy("in use"), "in use", 2),
    (errors.StoreForbidden("read-only"), "read-only", 2),
    (errors.DiskFailed("no room"), "no room", 1),
    (errors.LeaseLost("taken over"), "taken over", 1),
]
_ids = [type(error).__name__ for error, _, _ in EXAMPLES]


def _classes(root: type[Exception]) -> set[type[Exception]]:
    return {root}.union(*(_classes(child) for child in root.__subclasses__() if child.__module__ == errors.__name__))


def test_every_class_has_a_row_here():
    """The table above holds each class of the tree once, so that no new one escapes these tests."""
    assert sorted(_ids) == sorted(each.__name__ for each in _classes(errors.ScraperError))


@pytest.mark.parametrize(("error", "text", "exit_code"), EXAMPLES, ids=_ids)
def test_an_error_survives_pickling_and_copying(error, text, exit_code):
    """Class, text, arguments and fields come back as they went; the command line knows how to exit."""
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error) == text
        fields = {name: str(value) for name, value in vars(error).items()}
        assert {name: str(value) for name, value in vars(again).items()} == fields
    assert error.exit_code == exit_code


def test_only_transient_failures_may_tell_when_to_ask_again():
    """What the server demanded stays with the error, in seconds from now."""
    assert FETCH.retry_after == 2.5
    assert errors.PermanentFetchError("https://a.test/", Reason.TLS, "expired").retry_after is None
