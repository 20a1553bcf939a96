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


COMMA_COUNTRIES = [
    *("€", "EUR", "Euro", "euros", "eur", "Ft", "HUF", "huf", "Kč", "kč", "CZK", "₫", "đ", "VNĐ", "vnđ", "VND"),
    *("CLP", "ARS", "COP", "UYU", "PYG", "CRC", "CLP$", "COP$", "AR$", "R$", "BRL", "₲", "₡", "IDR", "Rp", "XOF"),
    *("ISK", "DKK", "NOK", "SEK", "kr", "kr.", "RSD", "din.", "MKD", "HRK", "kn", "BGN", "лв.", "RON", "lei"),
    *("PLN", "zł", "₽", "RUB", "руб.", "₴", "грн.", "TRY", "TL", "FCFA"),
]
DOT_COUNTRIES = [
    *("$", "US$", "£", "¥", "₹", "USD", "GBP", "JPY", "CHF", "MXN"),
    *("KWD", "BHD", "OMR", "TND", "JOD", "IQD", "LYD"),
]


@pytest.mark.parametrize("currency", COMMA_COUNTRIES)
def test_dot_groups(currency):
    """A dot before three digits groups beside any currency of a country with a decimal comma, however it is spelt."""
    assert [number(f"150.000{gap}{currency}") for gap in ("", " ", "\xa0", ",- ")] == [150_000] * 4
    assert [number(f"Ab {currency}{gap}1.234") for gap in ("", " ", "\xa0", ": ")] == [1234] * 4
    assert [number(f"{currency} 12.99"), number(f"12.99 {currency}"), number(f"0.125 {currency}")] == [
        12.99,
        12.99,
        0.125,
    ]


@pytest.mark.parametrize("currency", DOT_COUNTRIES)
def test_dot_is_decimal(currency):
    """A dot is decimal beside the currency of a country with a decimal dot or three decimals, and in its absence."""
    assert [number(f"{currency} 1.234"), number(f"{currency}1.234"), number(f"1.234 {currency}")] == [1.234] * 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$ 9.990 CLP", 9990),
        ("CLP $9.990", 9990),
        ("$1.234 (1.100 €)", 1.234),
        ("USD 1.234 (EUR 1.100)", 1.234),
        ("12.990 Ft/db", 12990),
        ("3.281 ft", 3.281),
        ("1.234 TRY", 1234),
        ("1.234 try", 1.234),
        ("xeur 1.234", 1.234),
        ("1.234 europium", 1.234),
        ("1.234 m €", 1.234),
        ("1.299,–", 1299),
        ("1.299,-", 1299),
        ("1.299,--", 1299),
        ("1.299,— €", 1299),
        ("1.299 ,-", 1299),
        ("1.299:-", 1299),
        ("1299.–", 1299),
        ("1.299.–", 1299),
        ("1,299.-", 1299),
        ("1.299 :-)", 1.299),
        ("1.299 - 1.399", 1.299),
        ("1.299-1.399", 1.299),
    ],
)
def test_one_dot(text, value):
    """A currency counts right beside the number only, as a whole word; a dash in place of decimals shows a group."""
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("SKU-123", 123),
        ("ABC-12", 12),
        ("XUSD-12", 12),
        ("Price:-500", 500),
        ("a/-5", 5),
        ("USD-12", -12),
        ("US$-12", -12),
        ("-US$12", -12),
        ("-USD 12", -12),
        ("-kr 12", -12),
        ("-SKU 12", 12),
        ("€ -1.234", -1234),
        ("(-12)", -12),
        ("[−12]", -12),
        ("now -5", -5),
        ("-.5", -0.5),
        ("a" * 40 + "-5", 5),
    ],
)
def test_sign(text, value):
    """A minus counts at the start, after white space, a bracket or a known currency; within a word it is a hyphen."""
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("iPhone 12 128 GB", 12),
        ("iPhone 12 128\xa0GB", 12),
        ("10 500 mg tablets", 10),
        ("model 12 128", 12),
        ("12 128,5 x 3", 12),
        ("12\xa0128 GB phone", 12128),
        ("iPhone 12\u202f128", 12128),
        ("1\u2009234 128 GB", 1234),
        ("now 1 234 €", 1234),
        ("now 1 234,50 zł", 1234.5),
        ("now 1 234,- Kč", 1234),
        ("now EUR 1 234 each", 1234),
        ("now -1 234 kr", -1234),
        ("over 10 000 customers", 10_000),
        ("some 12 345 067 people", 12_345_067),
        ("1 234", 1234),
        ("1 234 reviews", 1234),
        ("(1 234 reviews) and more", 1234),
        ("Distance: 12 345 km", 12345),
        ("-12 345 km", -12345),
    ],
)
def test_plain_space(text, value):
    """A plain space groups beside a currency, before a 0, or in a number alone; a space without a break always does."""
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
        ("12.990 Ft", ".", 12.99),
        ("1.299,–", ".", 1.299),
        ("USD 1.234", ",", 1234),
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
    for piece in ("1", "1,", "1 ", "-", "1 234", "$", ".1", "A", "EUR-", "kr ", " ", "(", "."):
        run = piece * (100_000 // len(piece))
        number(run)
        number(f"12 128{run}a b")
