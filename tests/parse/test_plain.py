import dataclasses
import datetime as dt
import decimal
import json

import msgspec
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.plain import clean, plain


@dataclasses.dataclass
class Point:
    x: int
    tags: tuple[str, ...] = ()


class Shop(msgspec.Struct):
    name: str


class Model:
    def model_dump(self):
        """As pydantic's models do."""
        return {"m": 1}


class Derived(Model):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"a": (1, 2.5, None, True)}, {"a": [1, 2.5, None, True]}, id="tuple"),
        pytest.param(Point(1, ("a",)), {"x": 1, "tags": ["a"]}, id="dataclass"),
        pytest.param([Shop("s"), Derived()], [{"name": "s"}, {"m": 1}], id="struct-model"),
        pytest.param(dt.date(2026, 1, 2), "2026-01-02", id="date"),
        pytest.param(decimal.Decimal("1.10"), "1.10", id="decimal"),
        pytest.param({"a\0": "\ud83d\ude00 \ud800"}, {"a\ufffd": "\U0001f600 \ufffd"}, id="cleaned"),
    ],
)
def test_plain(value, expected):
    """Values become what JSON knows, all the way down, and their text is cleaned."""
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(object(), "object is no JSON value", id="object"),
        pytest.param([BeautifulSoup("<p>", "lxml").p], "Tag is no JSON value", id="tag"),
        pytest.param(b"x", "bytes is no JSON value; decode it", id="bytes"),
        pytest.param(float("nan"), "the float nan", id="nan"),
        pytest.param(2**63, "more than 64 bits", id="large-int"),
        pytest.param({1: 2}, "the key 1 is int, not str", id="key"),
        pytest.param(Point, "type is no JSON value", id="class"),
    ],
)
def test_not_plain(value, message):
    """What JSON does not know is an error that names the type."""
    with pytest.raises(TypeError, match=message):
        plain(value)


def test_bs4_strings():
    """A bs4 string becomes a plain str, or it would drag its whole tree along."""
    text = plain({"t": BeautifulSoup("<p>x", "lxml").p.string})["t"]
    assert type(text) is str
    assert text == "x"


@given(st.text(st.characters(categories=None)))
def test_clean(text):
    """Cleaned text can be written as UTF-8 and has no NUL; what was clean is unchanged."""
    cleaned = clean(text)
    assert "\0" not in cleaned
    assert json.loads(json.dumps(cleaned).encode()) == cleaned
    assert clean(cleaned) == cleaned
    if "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text):
        assert cleaned == text
