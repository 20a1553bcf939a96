"""What does one URL show by itself? Paths that repeat, queries that grow, calendars far from today.

The limits are far beyond what honest sites do: what they let through in doubt, `Shapes` sees in the long run.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date

from scraper.model import Reason, Verdict

MOST_SEGMENTS = 32  # trees of Java sources and faceted shops reach twenty-odd
MOST_PARAMETERS = 50  # long search forms have about forty
LONGEST_QUERY = 2048  # characters; older browsers took no longer URLs, so sites that mean people keep below
MOST_EQUAL_PARAMETERS = 6  # the same name and value; a filter may be said twice by mistake, and twice more
YEARS_AHEAD = 10  # contracts, games and plans lie years ahead; a calendar goes there month by month
MOST_IN_A_ROW = 3  # the same segment: /news/news/ and the like are common, three are rare
MOST_BLOCKS_IN_A_ROW = 2  # the same sequence of segments: a source tree may mirror its own package once
MOST_NUMBERS_IN_A_ROW = 7  # numeric segments: tiles and chunked ids are full of /0/0/0
MOST_IN_ALL = 4  # the same named segment anywhere in the path
LONGEST_BLOCK = 8  # segments in a sequence that is looked for
FIRST_YEAR = 1900  # a calendar that shows earlier years shows any year
LAST_SURE_YEAR = 2100  # /2512/05 is December 2025 on sites that leave out the century
_NESTED = "%25252525"  # escaped four times over: a URL that carries itself along

# Four digits that are no year from 1900 to 2019, with what may follow in a date: what most numbers are not.
_MAY_BE_FAR = re.compile(
    r"(?:20[2-9]|1[0-8][0-9]|2[1-9][0-9]|[03-9][0-9]{2})[0-9](?<![0-9]{5})(?:[-/_.&]|[01][0-9]|\Z)"
)
_DATE = re.compile(r"(?<![0-9])([0-9]{4})([-/_.])([0-9]{1,2})(?:\2([0-9]{1,2}))?(?![0-9])")
_COMPACT = re.compile(
    r"[?&;_-](?:(?:date|month|ymd|ym)=([0-9]{4})([01][0-9])([0-3][0-9])?"
    r"|(?:day|start|from|to|d)=([0-9]{4})([01][0-9])([0-3][0-9]))(?![0-9])",
    re.IGNORECASE,
)
_NAMED = r"[?&;](?:[\w-]{0,20}[_-]|cal)?"  # what may stand before the names below
_YEAR = re.compile(rf"{_NAMED}(?:year|yr|y|jahr|ann?ee|anno)=([0-9]{{4}})(?![0-9])", re.IGNORECASE)
_MONTH = re.compile(rf"{_NAMED}(?:month|mon|mo|m|monat|mois|mese?|mes)=(0?[1-9]|1[0-2])(?![0-9])", re.IGNORECASE)
_CALENDAR = re.compile(r"calend|kalend|agenda|(?<![a-z])(?:months?|monat|mois|weeks?)(?![a-z])", re.IGNORECASE)
_DATED = re.compile(
    r"calend|kalend|agenda|(?<![a-z])(?:months?|monat|mois|weeks?|events?|days?|date)(?![a-z])", re.IGNORECASE
)


def judge(url: str, today: date) -> Verdict | None:
    """Return why a canonical URL is a trap's, or None; linear in its length."""
    may_be_far = _MAY_BE_FAR.search(url, 8)
    is_short = url.count("/") < 3 + MOST_IN_A_ROW and len(url) < LONGEST_QUERY
    if is_short and not may_be_far and "&" not in url and "%2525" not in url:
        return None  # as most URLs: nothing below could find anything
    path, _, query = url.partition("?")
    what = None if is_short else _path_sign(path.split("/")[3:])
    what = what or (query and _query_sign(query)) or (may_be_far and _date_sign(url, today))
    return Verdict(Reason.TRAP, what) if what else None


def _path_sign(segments: list[str]) -> str | None:
    if segments and not segments[-1]:
        segments.pop()
    if len(segments) > MOST_SEGMENTS:
        return f"more than {MOST_SEGMENTS} path segments"
    if len(segments) - len(set(segments)) < MOST_IN_A_ROW:  # the least that any rule below needs
        return None
    if (block := _repeated(segments)) is not None:
        return f"/{_brief(block)} repeats in the path"
    times = Counter(segment for segment in segments if not segment.isdigit())
    name, most = times.most_common(1)[0] if times else ("", 0)
    return f"/{_brief(name)} stands {most} times in the path" if most > MOST_IN_ALL else None


def _repeated(segments: list[str]) -> str | None:
    """The sequence of segments that follows itself too often, if any."""
    for size in range(1, min(LONGEST_BLOCK, len(segments) // 2) + 1):
        run = 0  # how many segments in a row equal the one `size` before
        for place in range(size, len(segments)):
            run = run + 1 if segments[place] == segments[place - size] else 0
            if run < size * MOST_BLOCKS_IN_A_ROW:
                continue
            block = segments[place - size + 1 : place + 1]
            if all(segment.isdigit() for segment in block):
                most = MOST_NUMBERS_IN_A_ROW
            else:
                most = MOST_IN_A_ROW if size == 1 else MOST_BLOCKS_IN_A_ROW
            if run >= size * most:
                return "/".join(block)
    return None


def _query_sign(query: str) -> str | None:
    if len(query) > LONGEST_QUERY:
        return f"the query is longer than {LONGEST_QUERY} characters"
    if _NESTED in query:
        return "the query is escaped more than three times over"
    if (ampersands := query.count("&")) < MOST_EQUAL_PARAMETERS:
        return None
    if ampersands >= MOST_PARAMETERS:
        return f"more than {MOST_PARAMETERS} parameters"
    times = Counter(query.split("&"))
    del times[""]
    parameter, most = times.most_common(1)[0] if times else ("", 0)
    return f"{_brief(parameter)} stands {most} times in the query" if most > MOST_EQUAL_PARAMETERS else None


def _date_sign(url: str, today: date) -> str | None:
    """What a date in the path or query is too far from; a year and a page number must not be read as one.

    Without a word that says calendar, only whole dates and /2047/05 count, and only those ahead of today: libraries
    hold newspapers of any century.
    """
    start = url.find("/", 8)
    for found in _DATE.finditer(url, start):
        year, separator, month, day = found.groups()
        whole = bool(day) and len(month) == 2 and len(day) == 2
        folders = separator == "/" and not day and month[0] == "0"
        sure = (whole or folders) and int(year) < LAST_SURE_YEAR
        if what := _distance(url, (year, month, day), today, sure=sure):
            return what
    if "?" not in url:
        return None
    if compact := _COMPACT.search(url, start):
        return _distance(url, tuple(filter(None, compact.groups())), today, sure=True)
    if year_only := _YEAR.search(url, start):
        with_month = _MONTH.search(url, start)
        parts = (year_only[1], with_month and with_month[1])
        return _distance(url, parts, today, sure=with_month is not None)
    return None


def _distance(url: str, parts: tuple[str | None, ...], today: date, *, sure: bool) -> str | None:
    """Say that year, month and day, as far as given, are no date a site can have pages for; None if they are."""
    numbers = tuple(int(part) for part in parts if part)
    if not all(1 <= number <= most for number, most in zip(numbers[1:], (12, 31), strict=False)):
        return None
    if numbers > (today.year + YEARS_AHEAD, today.month, today.day)[: len(numbers)]:
        if sure or _DATED.search(url, url.find("/", 8)):
            return f"a date more than {YEARS_AHEAD} years ahead: {_written(numbers)}"
    elif numbers[0] < FIRST_YEAR and _CALENDAR.search(url, url.find("/", 8)):
        return f"a calendar before {FIRST_YEAR}: {_written(numbers)}"
    return None


def _written(numbers: tuple[int, ...]) -> str:
    return "-".join([f"{numbers[0]:04}", *(f"{number:02}" for number in numbers[1:])])


def _brief(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
