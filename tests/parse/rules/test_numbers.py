import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.rules.numbers import number, whole_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.234,56 €", 1234.56),
        ("$1,234.56", 1234.56),
        ("1,234", 1234),
        ("1.234", 1.234),
        ("1.234 €", 1234),
        ("EUR 1.234", 1234),
        ("R$ 1.234", 1234),
        ("$1.234", 1.234),
        ("12.345 kr", 12345),
        ("0.123 €", 0.123),
        ("3,5 kg", 3.5),
        ("3,50", 3.5),
        ("0,123", 0.123),
        ("1234,567", 1234.567),
        ("1,2345", 1.2345),
        ("-12", -12),
        ("−12", -12),
        ("–12 °C", -12),
        ("-$12", -12),
        ("$-12", -12),
        ("-€ 12,50", -12.5),
        ("A-12", 12),
        ("10-12", 10),
        ("Price - 12", 12),
        ("(12)", 12),
        ("12,-", 12),
        ("CHF 1’234.–", 1234),
        ("1'234.50", 1234.5),
        ("5'10", 5),
        ("1 234,5", 1234.5),
        ("1\xa0234\u202f567", 1234567),
        ("1 2345", 1),
        ("2024 500", 2024),
        ("12.000.000", 12_000_000),
        ("1,234,567.89", 1234567.89),
        ("1.234.567,89", 1234567.89),
        ("1,23,456.78", 123456.78),
        ("1,234.567", 1234.567),
        ("1.2e3", 1200),
        ("1e-3 m", 0.001),
        ("2e", 2),
        ("2em", 2),
        (".5", 0.5),
        ("No.5", 5),
        ("٣", 3),
        ("١٬٢٣٤٫٥", 1234.5),
        ("１２，３４５．６", 12345.6),
        ("45%", 45),
        ("4.5 out of 5", 4.5),
        ("007", 7),
        ("", None),
        ("n/a", None),
        ("½", None),
        ("1.2.3", None),
        ("1,234.567,8", None),
        ("12,34.5", None),
        ("1e999", None),
        ("9" * 400, None),
        ("€", None),
    ],
)
def test_number(text, value):
    """The first number of a text is read however it is written; what is none is None."""
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "decimal", "value"),
    [
        ("1.234", ",", 1234),
        ("1,234", ",", 1.234),
        ("1.234", ".", 1.234),
        ("1,234", ".", 1234),
        ("1.234,5", ",", 1234.5),
        ("1.234,5", ".", None),
        ("1.234.567", ".", None),
        ("3,5", ".", None),
        (",5", ",", 0.5),
        (",5", ".", None),
    ],
)
def test_decimal_mark(text, decimal, value):
    """A known decimal mark decides what marks mean; a text that goes against it is no number."""
    assert number(text, decimal) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.234 reviews", 1234),
        ("1,234", 1234),
        ("12.00", 12),
        ("3.5", None),
        ("-7 °C", -7),
        ("1e3", 1000),
        ("1e300", None),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), None),
        ("9" * 5000, None),
        ("none", None),
    ],
)
def test_whole_number(text, value):
    """A whole number is exact to 64 bits, and a dot before three digits groups; a fraction is none."""
    assert whole_number(text) == value


@given(
    st.decimals(min_value=-(10**12), max_value=10**12, places=2),
    st.sampled_from([(",", "."), (".", ","), (" ", ","), ("\u202f", ","), ("'", "."), ("’", ".")]),
    st.sampled_from(["", "€", "$", "USD", " kg", "/St."]),
)
def test_reads_back(value, marks, unit):
    """A number with two decimals, written with any pair of marks and with a unit, reads back."""
    group, decimal = marks
    written = f"{value:,.2f}".replace(",", "\0").replace(".", decimal).replace("\0", group)
    assert number(f"{written}{unit}") == float(value)


@given(st.text(alphabet="0123456789.,'’ -e€٣٫\u202f", max_size=30))
def test_any_text(text):
    """Whatever marks and digits stand in a row, the answer is a finite float or None, and whole only if it is whole."""
    found, whole = number(text), whole_number(text)
    assert found is None or abs(found) < float("inf")
    assert whole is None or isinstance(whole, int)


def test_long_text():
    """A text of a hundred thousand digits, marks or signs takes no longer than its length allows."""
    for piece in ("1", "1,", "1 ", "-", "1 234", "$", ".1", "A"):
        number(piece * (100_000 // len(piece)))
