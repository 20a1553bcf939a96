"""Dates of sitemaps and feeds."""

import math
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scraper.parse.moments import moment

NOON = datetime(2024, 2, 29, 12, 0, 5, tzinfo=UTC).timestamp()
DAY = datetime(2024, 2, 29, tzinfo=UTC).timestamp()

TOLD = [
    ("2024", datetime(2024, 1, 1, tzinfo=UTC).timestamp()),
    ("2024-02", datetime(2024, 2, 1, tzinfo=UTC).timestamp()),
    ("2024-02-29", DAY),
    ("2024-2-29", DAY),
    ("2024-02-29T12:00Z", NOON - 5),
    ("2024-02-29T12:00:05Z", NOON),
    ("2024-02-29t12:00:05z", NOON),
    (" 2024-02-29T12:00:05Z\n", NOON),
    ("2024-02-29T12:00:05.250Z", NOON + 0.25),
    ("2024-02-29T12:00:05,250+00:00", NOON + 0.25),
    ("2024-02-29T13:30:05+01:30", NOON),
    ("2024-02-29T10:30:05-0130", NOON),
    ("2024-02-29T12:00:05", NOON),
    ("2024-02-29 12:00:05", NOON),
    ("2024-02-29 12:00:05 UTC", NOON),
    ("2024-02-29 07:00:05 EST", NOON),
    ("0001-01-01T00:00:00+14:00", datetime(1, 1, 1, tzinfo=UTC).timestamp() - 14 * 3600),
    ("9999-12-31T23:59:59-12:00", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() + 12 * 3600),
    ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()),
    ("Thu, 29 Feb 2024 12:00:05 GMT", NOON),
    ("Thursday, 29-February-2024 12:00:05 GMT", NOON),
    ("Mon, 29 Feb 2024 12:00:05 +0000", NOON),
    ("29 Feb 24 12:00:05", NOON),
    ("29 feb 2024 12:00 Z", NOON - 5),
    ("Thu, 29 Feb 2024 04:00:05 PST", NOON),
    ("Thu, 29 Feb 2024 12:00:05 MARS", NOON),
    ("29 Feb 2024", DAY),
    ("6 Sep 99 00:00 GMT", datetime(1999, 9, 6, tzinfo=UTC).timestamp()),
]
UNTOLD = ["", "now", "2023-02-29", "2024-13-01", "2024-02-29T25:00Z", "29 Foo 2024", "0 Jan 2024", "1709208005", "0000"]


@pytest.mark.parametrize(("text", "told"), TOLD, ids=[text.strip() for text, _ in TOLD])
def test_moment(text, told):
    """A date as W3C or as RFC 822 writes it, or nearly so, is a moment; what it leaves out is the first it can be."""
    assert moment(text) == told


@pytest.mark.parametrize("text", [*UNTOLD, "2024-02-29" + " " * 60, "٢٠٢٤"], ids=ascii)
def test_no_moment(text):
    """What is no date, or none that there was, tells no moment."""
    assert moment(text) is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=70) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.,]{0,12}[Z+-][0-9:]{0,5}"))
@example("2024-02-29T12:00:05+99:99")
@example("\ud800")
def test_any_text(text):
    """Whatever the text, there is a finite moment or none."""
    told = moment(text)
    assert told is None or math.isfinite(told)
