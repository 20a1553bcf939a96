"""The first date in a text, as ISO 8601: `2024-03-12`, with a time `2024-03-12T10:00:00+01:00`.

Read are ISO 8601 (extended anywhere; basic and week dates alone), RFC 2822, year first with any mark (`2024/3/12`),
day first with dots (`12.03.2024`), a named month in any order with a day and a year (`March 12, 2024`, `12. März 2024`;
`months.py`), and `2024年3月12日`. `12/03/2024` could be two days and is none, unless one of the two numbers can be no
month or both are the same; a field's `format` says what is meant. A year has four digits. A date without day or year
is none, nor is one relative to today: the same page must give the same record next week.

A time may follow the date, 24 hours or am and pm; an offset or a zone that RFC 2822 names is kept as an offset, another
zone's name is left out.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta, timezone

from scraper.parse.rules.digits import ascii_digits
from scraper.parse.rules.months import MONTHS

# Each has groups for year, month and day: `y`, `m`, `d`; or `a` and `b`, of which one is the day.
_NUMERIC = (
    re.compile(r"(?<![\d.,/-])(?P<y>\d{4})(?P<mark>[-/.])(?P<m>\d{1,2})(?P=mark)(?P<d>\d{1,2})(?!\d)"),
    re.compile(r"(?<![\d.,/-])(?P<d>\d{1,2})\. ?(?P<m>\d{1,2})\. ?(?P<y>\d{4})(?!\d)"),
    re.compile(r"(?<![\d.,/-])(?P<a>\d{1,2})(?P<mark>[-/])(?P<b>\d{1,2})(?P=mark)(?P<y>\d{4})(?!\d)"),
    re.compile(r"(?<!\d)(?P<y>\d{4}) ?[年년] ?(?P<m>\d{1,2}) ?[月월] ?(?P<d>\d{1,2}) ?[日일]"),
)
_WORD = r"(?P<m>[^\W\d_]{3,12})\.?"
_YEAR = r"(?P<y>\d{4})(?![\d])"
_NAMED = (
    re.compile(
        r"(?<!\d)(?P<d>\d{1,2})(?:st|nd|rd|th|er|º|ª|\.)?[ /-]?(?:of |de |d['’])?"
        rf"{_WORD},?[ /-]?(?:de |del )?{_YEAR}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<![^\W_]){_WORD}[ /-]?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:, ?|[ /-]){_YEAR}", re.IGNORECASE),
    re.compile(rf"(?<!\d)(?P<y>\d{{4}})[ /-]{_WORD}[ /-](?P<d>\d{{1,2}})(?!\d)", re.IGNORECASE),
)
_ASCTIME = re.compile(r"(?<![^\W_])(?P<m>[A-Z][a-z]{2}) (?P<d>\d{1,2}) (?P<time>\d\d:\d\d:\d\d) (?P<y>\d{4})(?!\d)")
_TIME = re.compile(
    r"(?:T|,? (?:at |um |à |a las |alle |om |kl\.? |в |- |– |@ )?)"
    r"(?P<hour>\d{1,2})(?:[:h](?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?(?!\d))?"
    r" ?(?P<half>[ap]\.?m\b\.?)? ?(?P<zone>Z\b|[A-Z]{2,5}(?:[+-]\d\d?)?\b|(?:UTC|GMT)?[+-]\d\d:?(?:\d\d)?(?!\d))?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])(\d\d?):?(\d\d)?$")
# RFC 2822, section 4.3, and the two that are as common; in hours
_ZONES = {"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6}
_ZONES |= {"PST": -8, "PDT": -7, "CET": 1, "CEST": 2}
_TIMED = re.compile(r"%-?[HIMSfTXcRp]")
_DAYS = (
    re.compile(r"%[dDxcj]|%[WUV].*%[aAuw]|%[aAuw].*%[WUV]"),
    re.compile(r"%[mbBDxcjWUV]"),
    re.compile(r"%[yYGDxc]"),
)


def read_date(text: str, formats: tuple[str, ...] = ()) -> str | None:
    """Return the first date in the text, with `formats` the date that the whole text is; None if there is none."""
    text = " ".join(ascii_digits(text).split())
    if formats:
        return next((found for form in formats if (found := _formatted(text, form)) is not None), None)
    whole = _basic(text)
    if whole is not None:
        return whole
    first = _first(text)
    if first is None:
        return None
    year, month, day, rest = first
    try:
        return _with_time(date(year, month, day), rest)
    except ValueError:
        return None


def bad_format(form: str) -> str | None:
    """Return what is wrong with a format for strptime, None if it makes a date."""
    try:
        datetime.strptime("", form)  # noqa: DTZ007 (only its complaint matters)
    except (ValueError, re.error) as error:
        if "does not match" not in str(error):
            return str(error)
    named = zip(("day", "month", "year"), _DAYS, strict=True)
    missing = [part for part, pattern in named if not pattern.search(form)]
    return f"{form!r} names no {missing[0]}" if missing else None


def _basic(text: str) -> str | None:
    """A text that is an ISO 8601 date of any form, such as `20240312T100000Z` and `2024-W11-2`."""
    if not re.match(r"\d{4}(?:\d{4}|-\d\d-\d\d|-?W\d\d)", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    timed = "T" in text or " " in text or ":" in text
    return moment.isoformat() if timed else moment.date().isoformat()


def _formatted(text: str, form: str) -> str | None:
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 (the zone is the text's own, if it has one)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat() if _TIMED.search(form) else moment.date().isoformat()


def _first(text: str) -> tuple[int, int, int, str] | None:
    """Year, month, day and what follows of the first that looks like a date; None if its order is not known."""
    found = [match for pattern in _NUMERIC if (match := pattern.search(text))]
    found.extend(match for pattern in (*_NAMED, _ASCTIME) if (match := _first_named(pattern, text)))
    if not found:
        return None
    first = min(found, key=lambda match: (match.start(), -match.end()))
    groups = first.groupdict()
    year, rest = int(groups["y"]), f" {groups['time']}" if "time" in groups else text[first.end() :]
    if "a" in groups:
        order = _order(int(groups["a"]), int(groups["b"]))
        return None if order is None else (year, *order, rest)
    month = groups["m"]
    return year, int(month) if month.isdecimal() else MONTHS[month.lower()], int(groups["d"]), rest


def _first_named(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match whose word is a month's name."""
    return next((match for match in pattern.finditer(text) if match["m"].lower() in MONTHS), None)


def _order(first: int, second: int) -> tuple[int, int] | None:
    """Month and day of two numbers, if only one order makes a date."""
    if first == second or first > 12:
        return second, first
    return (first, second) if second > 12 else None


def _with_time(day: date, rest: str) -> str:
    """The date with the time that follows it, if one does. Raises ValueError for an hour or an offset beyond a day."""
    match = _TIME.match(rest)
    if match is None or not (match["minute"] or match["half"]):
        return day.isoformat()
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("no hour of half a day")
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    micro = int((match["part"] or "")[:6].ljust(6, "0"))
    clock = time(hour, int(match["minute"] or 0), int(match["second"] or 0), micro)
    return datetime.combine(day, clock, _zone(match["zone"])).isoformat()


def _zone(name: str | None) -> timezone | None:
    """The offset that a zone's name or number stands for. Raises ValueError for one of a day or more."""
    if not name:
        return None
    offset = _OFFSET.search(name)
    if offset is None:
        hours = _ZONES.get(name.upper())
        return None if hours is None else timezone(timedelta(hours=hours))
    length = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    return timezone(length if offset[1] == "+" else -length)
