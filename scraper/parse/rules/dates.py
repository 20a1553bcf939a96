"""The first date in a text, as ISO 8601: `2024-03-12`, with a time `2024-03-12T10:00:00+01:00`.

Read are ISO 8601 (extended anywhere; basic and week dates alone), RFC 2822, year first with any mark (`2024/3/12`),
day first with dots (`12.03.2024`), a named month in any order with a day and a year (`March 12, 2024`, `12. März 2024`;
`months.py`), and `2024年3月12日`. `12/03/2024` could be two days and is none, unless one of the two numbers can be no
month or both are the same; a field's `format` says what is meant. A year has four digits. A date without day or year
is none, nor is one relative to today: the same page must give the same record next week.

A time may follow the date: 24 hours, am and pm (`10:30 p. m.`), `10h30`, `10 Uhr`; with a dot (`10.30`) where nothing
behind it makes that a price or a measure. Of a range of times it is the start, and `7:00 – 9:00 PM` starts at 19:00.
24:00 is the next day's 0:00 and a leap second the second after it, as ISO 8601 counts them.

An offset is kept where ISO 8601 or RFC 2822 has it and from -12:00 to +14:00 (`10:00-12:00` is a range), or behind UTC
or GMT; and so is a zone that RFC 2822 names, or whose name in capitals means one offset. Another zone is left out.
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
_ASCTIME = re.compile(
    r"(?<![^\W_])(?P<m>[A-Z][a-z]{2}) (?P<d>\d{1,2}) "
    r"(?P<time>\d\d:\d\d:\d\d(?: [A-Z]{3,4}| [+-]\d{4})?) (?P<y>\d{4})(?!\d)"
)
# ISO 8601 with few marks between digits
_BASIC = re.compile(
    r"(?P<day>\d{4}(?:\d{4}|-\d\d-\d\d|-?W\d\d-?\d))"
    r"(?:(?P<mark>[T ])(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d(?:[.,]\d+)?))?)?"
    r"(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?"
)
# RFC 2822, section 4.3, and others that stand for one offset; in hours
_ZONES = {"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6}
_ZONES |= {"PST": -8, "PDT": -7, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "EEST": 3}
_ZONES |= {"MSK": 3, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13}
_EARLIEST, _LATEST = timedelta(hours=-12), timedelta(hours=14)
_HALF = r"[ap]\.? ?m(?!\w)\.?"
# A zone's name is in capitals, since `est` and `met` are words too.
_TIME = re.compile(
    r"(?:(?P<iso>T)|,? (?P<between>[-–—|·•@] )?"
    r"(?P<lead>(?:at|um|à|a las|às|alle|alle ore|ore|om|kl\.?|klo|в|v|from|von|ab|de) )?)"
    r"(?P<hour>\d{1,2})(?:(?P<mark>[:.]| ?h ?)(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d+))?)?(?!\d))?"
    rf" ?(?:(?P<half>{_HALF})|(?P<clock>Uhr\b|h(?!\w)))?"
    rf"(?: ?(?:[-–—]|to|till|until|bis) ?(?P<end_hour>\d{{1,2}})(?:[:.](?P<end_minute>\d\d))?"
    rf" ?(?:(?P<end_half>{_HALF})|(?P<end_clock>Uhr\b))"
    r"|(?P<offset> ?[+−-]\d\d(?::?\d\d)?)(?![\d:])"
    r"| ?\(?(?:UTC|GMT|UT) ?(?P<shift>[+−-]\d{1,2}(?::?\d\d)?)(?!\d)"
    rf"| ?\(?(?P<zone>(?-i:{'|'.join(_ZONES)})|utc|gmt|z)\b(?! ?[+−-]\d))?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"([+-])(\d\d?):?(\d\d)?")
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
    try:
        first = _basic(text) or _first(text)
        return None if first is None else _with_time(*first)
    except (ValueError, OverflowError):
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


def _basic(text: str) -> tuple[date, str] | None:
    """The day and the time of a text that is nothing but ISO 8601, such as `20240312T100000Z` and `2024-W11-2`."""
    match = _BASIC.fullmatch(text)
    if match is None:
        return None
    day = date.fromisoformat(match["day"])
    if not match["hour"]:
        return day, ""
    second = f":{match['second']}" if match["second"] else ""
    return day, f"{match['mark']}{match['hour']}:{match['minute'] or '00'}{second}{match['zone'] or ''}"


def _formatted(text: str, form: str) -> str | None:
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007 (the zone is the text's own, if it has one)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat() if _TIMED.search(form) else moment.date().isoformat()


def _first(text: str) -> tuple[date, str] | None:
    """The first that looks like a date, and what follows it; None if its order is not known. Raises ValueError."""
    found = [match for pattern in _NUMERIC if (match := pattern.search(text))]
    found.extend(match for pattern in (*_NAMED, _ASCTIME) if (match := _first_named(pattern, text)))
    if not found:
        return None
    first = min(found, key=lambda match: (match.start(), -match.end()))
    groups = first.groupdict()
    year, rest = int(groups["y"]), f" {groups['time']}" if "time" in groups else text[first.end() :]
    if "a" in groups:
        order = _order(int(groups["a"]), int(groups["b"]))
        return None if order is None else (date(year, *order), rest)
    month = groups["m"]
    return date(year, int(month) if month.isdecimal() else MONTHS[month.lower()], int(groups["d"])), rest


def _first_named(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """The first match whose word is a month's name."""
    return next((match for match in pattern.finditer(text) if match["m"].lower() in MONTHS), None)


def _order(first: int, second: int) -> tuple[int, int] | None:
    """Month and day of two numbers, if only one order makes a date."""
    if first == second or first > 12:
        return second, first
    return (first, second) if second > 12 else None


def _with_time(day: date, rest: str) -> str:
    """The date with the time that follows it, if one does. Raises ValueError for a time that no day has."""
    match = _TIME.match(rest)
    if match is None or not _is_time(match, rest):
        return day.isoformat()
    hour, minute, second = _hour(match), int(match["minute"] or 0), int(match["second"] or 0)
    micro = int((match["part"] or "")[:6].ljust(6, "0"))
    midnight = hour == 24 and not (minute or second or micro)
    # A leap second is put in at midnight UTC, which is at a quarter of an hour everywhere.
    leap = second == 60 and minute % 15 == 14
    if not (hour < 24 or midnight) or minute > 59 or not (second < 60 or leap):
        raise ValueError("no time of a day")
    start = datetime.combine(day, time(0), _zone(match))
    return (start + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)).isoformat()


def _is_time(match: re.Match[str], rest: str) -> bool:
    """Is the number that follows a date a time, rather than a price, a measure or a list's next number?"""
    if match["half"] or match["end_half"] or match["end_clock"] or (match["clock"] or "").lower() == "uhr":
        return True
    if match["mark"] != ".":
        return match["minute"] is not None or bool(match["clock"] and match["lead"])
    if int(match["minute"]) > 59 or match["second"] or match["iso"]:
        return False
    if match["lead"] or match["clock"]:
        return True
    # In `12.03.2024 – 14.03.` the next number is a day.
    behind = re.match(r" ?[\w€$£¥%]|\.|,\d", rest[match.end() :])
    return len(match["hour"]) == 2 and not match["between"] and behind is None


def _hour(match: re.Match[str]) -> int:
    """The hour of 24; half of a day that a range tells at its end is that of its start, if the end is later then."""
    hour, half = int(match["hour"]), match["half"]
    if half:
        return _of_24(hour, half)
    end = int(match["end_hour"] or 0)
    if not match["end_half"] or not (1 <= hour <= 12 and 1 <= end <= 12):
        return hour
    started, ended = _of_24(hour, match["end_half"]), _of_24(end, match["end_half"])
    later = (ended, int(match["end_minute"] or 0)) >= (started, int(match["minute"] or 0))
    return started if later else (started + 12) % 24


def _of_24(hour: int, half: str) -> int:
    if not 1 <= hour <= 12:
        raise ValueError("no hour of half a day")
    return hour % 12 + (12 if half.lower().startswith("p") else 0)


def _zone(match: re.Match[str]) -> timezone | None:
    """The zone that an offset or a name behind the time stands for. Raises ValueError for a wrong one behind a `T`."""
    if match["zone"]:
        return timezone(timedelta(hours=_ZONES[match["zone"].upper()]))
    written = (match["offset"] or match["shift"] or "").strip().replace("−", "-")
    offset = _OFFSET.fullmatch(written)
    if offset is None or not (match["shift"] or match["iso"] or _is_offset(match, written)):
        return None
    length = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
    length = length if offset[1] == "+" else -length
    if _EARLIEST <= length <= _LATEST and int(offset[3] or 0) < 60:
        return timezone(length)
    if match["iso"]:
        raise ValueError("no offset")
    return None


def _is_offset(match: re.Match[str], written: str) -> bool:
    """Is a number behind a time without `T` its offset, rather than the end of a range or a number of something?"""
    if len(written) == 3:  # hours alone, as databases write them
        return not match["offset"].startswith(" ") and (written[0] == "+" or match["second"] is not None)
    return written[0] == "+" or ":" not in written or match["second"] is not None
