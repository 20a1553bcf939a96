"""The values that travel the line: states by reason, the accounting identity, and that nothing changes them."""

import dataclasses
import pickle

import pytest

from scraper import model
from scraper.model import CrawlUrl, Link, ParsedPage, Reason, Record, Response, Tally, UrlState, Visit

SKIPPED = ["robots", "scope", "budget", "trap", "scheme", "private-address", "content-type", "nofollow", "duplicate"]
FAILED = [
    "http-4xx",
    "http-5xx",
    "timeout",
    "dns",
    "connect",
    "tls",
    "reset",
    "truncated",
    "too-large",
    "bad-encoding",
    "protocol",
    "redirect-loop",
    "host-down",
    "parse",
]
VALUES = [each for each in vars(model).values() if dataclasses.is_dataclass(each)]


@pytest.mark.parametrize(
    ("reason", "state"),
    [*((each, UrlState.SKIPPED) for each in SKIPPED), *((each, UrlState.FAILED) for each in FAILED)],
)
def test_a_reason_decides_the_state(reason, state):
    """A URL with this reason is skipped or failed, and nothing else."""
    assert Reason(reason).state is state


def test_the_list_of_reasons_is_closed():
    """There are no reasons but those that the contract names, and the five states."""
    assert sorted(Reason) == sorted(SKIPPED + FAILED)
    assert sorted(UrlState) == ["failed", "fetched", "queued", "redirected", "skipped"]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_values_are_frozen_and_slotted(value):
    """Nothing changes a value once it is made, and it costs no dictionary."""
    assert value.__dataclass_params__.frozen
    assert "__slots__" in vars(value)


def test_a_change_is_refused():
    """Setting a field raises."""
    url = CrawlUrl(1, "https://a.test/", "https://a.test")
    with pytest.raises(dataclasses.FrozenInstanceError):
        url.depth = 3
    with pytest.raises(AttributeError):
        Link("https://a.test/", "https://a.test", b"").text = "x"


def test_a_visit_survives_a_process_boundary():
    """A page with links and records comes back equal."""
    link = Link("https://a.test/b", "https://a.test", b"k" * 16, verdict=model.Verdict(Reason.SCOPE, "other host"))
    page = ParsedPage("utf-8", "00", links=(link,), records=(Record("book", 0, {"title": "ä"}),), body=b"z")
    visit = Visit(CrawlUrl(1, "https://a.test/", "https://a.test"), UrlState.FETCHED, page=page)
    assert pickle.loads(pickle.dumps(visit)) == visit


def test_a_visit_without_a_page_has_no_records():
    """`records` are those of the page, and none if there is no page."""
    url = CrawlUrl(1, "https://a.test/", "https://a.test")
    record = Record("book", 0, {})
    assert Visit(url, UrlState.FETCHED, page=ParsedPage("utf-8", "00", records=(record,))).records == (record,)
    assert Visit(url, UrlState.FAILED, Reason.DNS).records == ()


@pytest.mark.parametrize(
    ("value", "content_type"),
    [("Text/HTML; charset=utf-8", "text/html"), ("text/plain", "text/plain"), (" a/b ;x", "a/b"), (None, "")],
)
def test_the_content_type_is_the_bare_media_type(value, content_type):
    """Parameters, case and blanks do not count; without a header it is empty."""
    headers = () if value is None else (("content-type", value), ("content-type", "second/one"))
    assert Response("https://a.test/", 200, headers).content_type == content_type


def test_headers_that_repeat_are_all_there():
    """`header` is the first value, `header_values` are all, in the server's order."""
    response = Response("https://a.test/", 200, (("link", "a"), ("x", "y"), ("link", "b")))
    assert response.header("link") == "a"
    assert response.header("absent") is None
    assert response.header_values("link") == ["a", "b"]


@pytest.mark.parametrize("state", ["queued", "fetched", "redirected", "skipped", "failed"])
def test_the_accounting_identity_is_a_check(state):
    """It holds if every discovered URL is in exactly one state, and fails if one is lost or counted twice."""
    assert Tally(discovered=2, fetched=2).holds
    assert Tally(discovered=2, **{state: 2}).holds
    assert not Tally(discovered=2, **{state: 1}).holds
    assert not Tally(discovered=1, **{state: 2}).holds
