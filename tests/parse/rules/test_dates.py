import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.rules.dates import bad_format, read_date

DAY = "2024-03-12"


@pytest.mark.parametrize(
    "text",
    [
        *("2024-03-12", "2024-3-12", "2024/03/12", "2024.03.12", "20240312", "2024-W11-2", "２０２４-０３-１２"),
        *("12.03.2024", "12. 3. 2024", "12.3.2024,", "2024年3月12日", "2024년 3월 12일"),
        *("March 12, 2024", "Mar 12 2024", "Mar. 12th, 2024", "march 12,2024", "Tuesday, March 12, 2024"),
        *("12 March 2024", "12 Mar. 2024", "12th of March 2024", "12-Mar-2024", "2024-Mar-12", "12 MAR 2024"),
        *("12. März 2024", "12 mars 2024", "12 de marzo de 2024", "12 marzo 2024", "12 de março de 2024"),
        *("12 maart 2024", "12 marca 2024", "12. března 2024", "12 Mart 2024", "12 марта 2024 г.", "12 березня 2024"),
        *(
            "Published: 12 Mar 2024 by A.",
            "3 apples 2024, 12 Mar 2024",
            "12 March 2024 – 14 March 2024",
            " 12\nMar\t2024",
        ),
    ],
)
def test_day(text):
    """A date without a time is read in the ways that sites write it, and comes out as a day."""
    assert read_date(text) == DAY


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2024-03-12T10:00:00+01:00", "T10:00:00+01:00"),
        ("2024-03-12T10:00:00Z", "T10:00:00+00:00"),
        ("2024-03-12 10:00", "T10:00:00"),
        ("2024-03-12T10:00:00.125Z", "T10:00:00.125000+00:00"),
        ("20240312T100000Z", "T10:00:00+00:00"),
        ("on 2024-03-12T10:00-0330.", "T10:00:00-03:30"),
        ("Tue, 12 Mar 2024 10:00:00 +0100", "T10:00:00+01:00"),
        ("Tue, 12 Mar 2024 10:00:00 GMT", "T10:00:00+00:00"),
        ("Tue Mar 12 10:00:00 2024", "T10:00:00"),
        ("March 12, 2024 at 10:30 pm", "T22:30:00"),
        ("March 12, 2024 12 a.m.", "T00:00:00"),
        ("12.03.2024 um 10:30", "T10:30:00"),
        ("12 mars 2024 à 10h30", "T10:30:00"),
        ("12 March 2024 10:00 EST", "T10:00:00-05:00"),
        ("12 March 2024 10:00 UTC+2", "T10:00:00+02:00"),
        ("12 March 2024 10:00 XYZ", "T10:00:00"),
    ],
)
def test_moment(text, end):
    """A time that follows the date is kept, with its offset."""
    assert read_date(text) == DAY + end


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("Tue Mar 12 2024 10:00:00 GMT+0100 (CET)", "T10:00:00+01:00"),
        ("Tue Mar 12 2024 10:00:00 GMT-0500 (Eastern Standard Time)", "T10:00:00-05:00"),
        ("Tue Mar 12 10:00:00 CET 2024", "T10:00:00+01:00"),
        ("Tue Mar 12 10:00:00 +0200 2024", "T10:00:00+02:00"),
        ("2024-03-12 10:00 (GMT+01:00)", "T10:00:00+01:00"),
        ("2024-03-12 10:00 UTC +5:30", "T10:00:00+05:30"),
        ("2024-03-12 10:00 GMT+530", "T10:00:00+05:30"),
        ("2024-03-12 10:00 UTC−5", "T10:00:00-05:00"),
        ("2024-03-12 10:00 (MEZ)", "T10:00:00+01:00"),
        ("2024-03-12 10:00 utc", "T10:00:00+00:00"),
        ("2024-03-12t10:00z", "T10:00:00+00:00"),
        ("12 mars 2024 10:00 est l'heure", "T10:00:00"),
        ("2024-03-12 10:00 UTC+12345", "T10:00:00"),
        ("2024-03-12 10:00 UTC+15", "T10:00:00"),
        ("2024-03-12T10:00-12:00", "T10:00:00-12:00"),
        ("2024-03-12T10:00:00−05:00", "T10:00:00-05:00"),
        ("2024-03-12T10:00:00.1234567891Z", "T10:00:00.123456+00:00"),
        ("2024-03-12T10:00:00+01:00[Europe/Berlin]", "T10:00:00+01:00"),
        ("2024-03-12T10", "T10:00:00"),
        ("2024-03-12T1000Z", "T10:00:00+00:00"),
        ("2024-W11-2T10:00", "T10:00:00"),
        ("2024-03-12 10:00+14:00", "T10:00:00+14:00"),
        ("2024-03-12 10:00+01", "T10:00:00+01:00"),
        ("2024-03-12 10:00 +20 more", "T10:00:00"),
        ("2024-03-12 10:00 (+10 more)", "T10:00:00"),
        ("2024-03-12 10:00:00-05", "T10:00:00-05:00"),
        ("2024-03-12 10:00:00-05:00", "T10:00:00-05:00"),
        ("Tue, 12 Mar 2024 10:00 -0500", "T10:00:00-05:00"),
    ],
)
def test_offset(text, end):
    """An offset or a zone is read in every spelling that means one, and nothing else is taken for one."""
    assert read_date(text) == DAY + end


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2024-03-12 10:30-12:00", "T10:30:00"),
        ("2024-03-12 10:30-12", "T10:30:00"),
        ("March 12, 2024, 10:00-12:30", "T10:00:00"),
        ("March 12, 2024, 10:00–12:30", "T10:00:00"),
        ("March 12, 2024, 10:00 - 12:30", "T10:00:00"),
        ("March 12, 2024, 10:00 -12:30", "T10:00:00"),
        ("2024-03-12 10:00:00-12:00:00", "T10:00:00"),
        ("2024-03-12 10:00:00-23:00", "T10:00:00"),
        ("2024-03-12 10:00 CET-12:00 CET", "T10:00:00"),
        ("12.03.2024 10-12 Uhr", "T10:00:00"),
        ("March 12, 2024 7:00 – 9:00 PM", "T19:00:00"),
        ("March 12, 2024 07:00-09:00 PM", "T19:00:00"),
        ("March 12, 2024, 7-9 p.m.", "T19:00:00"),
        ("March 12, 2024, 7 to 9 pm", "T19:00:00"),
        ("March 12, 2024 10:30-12:00 pm", "T10:30:00"),
        ("March 12, 2024 11:00-1:00 pm", "T11:00:00"),
        ("March 12, 2024 10 pm - 2 am", "T22:00:00"),
        ("March 12, 2024 10 - 2 am", "T22:00:00"),
        ("March 12, 2024 14:00 - 16:00 pm", "T14:00:00"),
        ("12.03.2024 – 14.03.", ""),
    ],
)
def test_range(text, end):
    """Of a range of times the start is kept, without its end as an offset; half of a day told at the end counts."""
    assert read_date(text) == DAY + end


@pytest.mark.parametrize(
    ("text", "end"),
    [
        *[
            (f"12 de marzo de 2024 10:30 {half}", "T22:30:00")
            for half in ("p. m.", "p.m.", "p.m", "PM", "pm.", "p.\xa0m.")
        ],
        *[(f"12 de marzo de 2024 10:30 {half}", "T10:30:00") for half in ("a. m.", "a.m.", "AM", "a mano", "pmx")],
        ("12 March 2024 10:30pm", "T22:30:00"),
        ("12 March 2024 12:30 a. m.", "T00:30:00"),
        ("12.03.2024, 10 Uhr", "T10:00:00"),
        ("12.03.2024 | 10:30 Uhr", "T10:30:00"),
        ("12.03.2024 9.30 Uhr", "T09:30:00"),
        ("12.3.2024 klo 9.30", "T09:30:00"),
        ("2024-03-12 10.30", "T10:30:00"),
        ("12.03.2024 10.30, Berlin", "T10:30:00"),
        ("12.03.2024 10.30 €", ""),
        ("12.03.2024 19.90", ""),
        ("12.03.2024 10.30 km", ""),
        ("12 March 2024 4.50 stars", ""),
        ("12 March 2024 10.30.15", ""),
        ("2024-03-12T10.5", ""),
        ("2024-03-12T10.30", ""),
        ("12 mars 2024 à 10 h 30", "T10:30:00"),
        ("12 mars 2024 à 10 h", "T10:00:00"),
        ("12 mars 2024 - 5 h de lecture", ""),
        ("2024-03-12T23:59:59.9", "T23:59:59.900000"),
    ],
)
def test_clock(text, end):
    """Hours and minutes are read as the languages write them; a price or a measure after the date is no time."""
    assert read_date(text) == DAY + end


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-03-12 24:00", "2024-03-13T00:00:00"),
        ("20241231T240000Z", "2025-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T05:30:00+05:30"),
    ],
)
def test_end_of_day(text, moment):
    """The hour 24 is the next day's first, and a leap second the one after it."""
    assert read_date(text) == moment


@pytest.mark.parametrize(
    ("text", "day"), [("25/12/2024", "2024-12-25"), ("12/25/2024", "2024-12-25"), ("4-4-2024", "2024-04-04")]
)
def test_one_order(text, day):
    """Two numbers and a year are a date where only one of the numbers can be the day, or both are the same."""
    assert read_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        *("", "n/a", "12", "2024", "2024-03", "March 2024", "12 March", "May", "Sat", "12:30", "5 stars 2024"),
        *("03/04/2024", "03-04-2024", "12/03/24", "12.03.24", "yesterday", "2 days ago", "tomorrow at 3 pm"),
        *("30 February 2024", "2024-13-01", "2024-02-30", "2024-W60-1", "12 March 2024 25:00", "12 March 2024 13 pm"),
        *("2024-03-12 24:01", "9999-12-31T24:00", "2024-03-12T10:00:60Z", "2024-03-12T10:00-18:00", "2024-W11"),
        *("2024-03-12T10:00+99:00", "0000-01-01", "1.2.3", "192.168.2024", "²-3-2024"),
    ],
)
def test_no_date(text):
    """What is no day of the calendar, leaves a choice, or depends on today is no date."""
    assert read_date(text) is None


@pytest.mark.parametrize(
    ("text", "formats", "found"),
    [
        ("03/04/2024", ["%d/%m/%Y"], "2024-04-03"),
        (" 03/04/2024\n", ["%m/%d/%Y"], "2024-03-04"),
        ("03/04/24 10:30", ["%d.%m.%Y", "%d/%m/%y %H:%M"], "2024-04-03T10:30:00"),
        ("03/04/2024 x", ["%d/%m/%Y"], None),
        ("2024-04-03", ["%d/%m/%Y"], None),
    ],
)
def test_format(text, formats, found):
    """With formats the whole text is a date as one of them says, or none."""
    assert read_date(text, tuple(formats)) == found


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        *[(form, None) for form in ("%d/%m/%Y", "%Y-%j", "%x", "%c", "%G-W%V-%u", "%B %d, %y")],
        ("%q", "'q' is a bad directive in format '%q'"),
        ("%d %", "stray % in format '%d %'"),
        ("%m/%Y", "'%m/%Y' names no day"),
        ("%d/%Y", "'%d/%Y' names no month"),
        ("%d/%m", "'%d/%m' names no year"),
    ],
)
def test_bad_format(form, wrong):
    """A format that strptime does not know, or that leaves out a part of the date, is told."""
    assert bad_format(form) == wrong


@given(
    st.dates(min_value=dt.date(1000, 1, 1)),
    st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%B %d, %Y", "%Y%m%d", "%Y/%m/%d"]),
)
def test_day_reads_back(day, form):
    """Any day, written in a common way, reads back."""
    written = day.strftime(form)
    assert read_date(written) == day.isoformat()


@given(st.datetimes(timezones=st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=-3, minutes=-30))])))
def test_moment_reads_back(moment):
    """Any moment in ISO 8601 reads back, within other text too."""
    assert read_date(moment.isoformat()) == moment.isoformat()
    assert read_date(f"at {moment.isoformat()}.") == moment.isoformat()


@given(st.text(alphabet="0123456789 /.-–:TZ+MarchpmW年月日", max_size=40))
def test_any_text(text):
    """Whatever stands in a row, the answer is None or reads back as itself."""
    found = read_date(text)
    assert found is None or dt.datetime.fromisoformat(found)


def test_long_text():
    """A hundred thousand characters of what begins like a date take no longer than their length allows."""
    for piece in ("1", "12 ", "12 March ", "2024-", "March ", "1.1.", "2024年"):
        run = piece * (100_000 // len(piece))
        read_date(run)
        read_date(f"2024-03-12 10:00 {run}")
