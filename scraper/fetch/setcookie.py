"""A Set-Cookie line: the cookie it makes, or None; by draft-ietf-httpbis-rfc6265bis, of which the sections are named.

Only what concerns a client whose requests are all top-level GETs: HttpOnly is kept for a file's sake, SameSite has no
effect but one (`None` wants Secure). Whatever a line holds, nothing raises, and the work is linear in its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

from scraper import urls

LONGEST_COOKIE = 4096  # bytes of name and value together
LONGEST_ATTRIBUTE = 1024  # bytes
LONGEST_LIFE = 400 * 86_400  # seconds
LONGEST_HOST = 254  # characters, with a final dot; what is longer has no address
MOST_ATTRIBUTES = 64  # of a line; one with more is ignored, which section 5.7, 1 leaves to us
MOST_DATES = 4  # Expires attributes of a line that are looked at, from the last
MOST_TOKENS = 16  # of a date; the longest in use has 10

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_AGE = re.compile(r"-?[0-9]+")
_DELIMITERS = re.compile(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?![0-9])")
_DAY = re.compile(r"[0-9]{1,2}(?![0-9])")
_YEAR = re.compile(r"[0-9]{2,4}(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NEVER = float("-inf")  # the earliest moment: a cookie that is not to live
_BLANKS = " \t"

Parts = tuple[bool, str, str]  # of a URL: whether it is https, its host name, its path


@dataclass(frozen=True, slots=True)
class Cookie:
    """What a site wants back. Its value is a secret, which no `repr` shows.

    `domain` is a host name; unless `host_only`, the names below it get the cookie too. `expires_at` is UTC seconds,
    None for as long as the crawl lasts.
    """

    name: str
    value: str = field(repr=False)
    domain: str
    host_only: bool
    path: str
    secure: bool
    http_only: bool
    expires_at: float | None

    def is_for(self, asked: Parts) -> bool:
        """Whether a request gets this cookie (section 5.8.3, 1)."""
        is_secure, host, path = asked
        if self.secure and not is_secure:
            return False
        if host != self.domain and (self.host_only or not host.endswith("." + self.domain)):
            return False
        return self.path == "/" or path_matches(path, self.path)

    def is_sane(self) -> bool:
        """Whether the cookie may be kept at all: sizes, characters, and what its name promises (sections 5.6, 5.7).

        A nameless cookie would be sent as its bare value, which must not look like a name with such a promise.
        """
        if not (self.name or self.value) or octets(self.name) + octets(self.value) > LONGEST_COOKIE:
            return False
        if _CONTROL.search(self.name) or _CONTROL.search(self.value) or _CONTROL.search(self.path):
            return False
        start = (self.name or self.value)[:9].lower()
        if start.startswith("__secure-"):
            return bool(self.name) and self.secure
        if start.startswith("__host-"):
            return bool(self.name) and self.secure and self.host_only and self.path == "/"
        return True


def parts(url: str) -> Parts:
    """Take a canonical URL apart; it has no host if no cookie can be meant."""
    scheme, _, rest = url.partition("://")
    if scheme != "https" and scheme != "http":  # noqa: PLR1714 - each request passes here: the fastest way
        return False, "", "/"
    authority, _, tail = rest.partition("/")
    host = authority
    if ":" in authority:
        host = authority[: authority.find("]") + 1] if authority[0] == "[" else authority.partition(":")[0]
    return scheme == "https", host if len(host) <= LONGEST_HOST else "", "/" + tail.partition("?")[0]


def path_matches(path: str, of_cookie: str) -> bool:
    """Whether a request's path lies within a cookie's (section 5.1.4)."""
    if not path.startswith(of_cookie):
        return False
    return len(path) == len(of_cookie) or of_cookie.endswith("/") or path[len(of_cookie)] == "/"


def octets(text: str) -> int:
    """How many bytes a text is on the wire."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=1024)
def site(host: str) -> str:
    """The registrable domain of a host name, which is a walk through the Public Suffix List (4 to 12 µs)."""
    return urls.registrable_domain(host)


def scoped(host: str, domain: str) -> tuple[str, bool] | None:
    """Return the domain of a cookie and whether it is for that host only; None if the host may not set it (5.7, 9).

    A public suffix (`co.uk`, `github.io`, `localhost`) may set one for itself alone, as may an address, and nobody for
    it. As in browsers the two must be of one registrable domain, not only match.
    """
    if not domain:
        return host, True
    if domain == host:
        below = f"0.{host}"
        return host, urls.is_address(host) or site(below) == below.removesuffix(".")
    if urls.is_address(host) or not host.endswith("." + domain) or site(host) != site(domain):
        return None
    return domain, False


def received(line: str, asked: Parts, now: float) -> Cookie | None:
    """Return the cookie of one line, answered to such a request at `now`; None if it is to be ignored.

    One that is to be deleted has a moment in the past (sections 5.6 and 5.7, but for what depends on other cookies).
    """
    if _CONTROL.search(line) or not _is_text(line):
        return None
    is_secure, host, path = asked
    if line.count(";") > MOST_ATTRIBUTES:
        return None
    pair, _, rest = line.partition(";")
    name, has_name, value = pair.partition("=")
    if not has_name:
        name, value = "", pair
    attributes, dates = _attributes(rest)
    scope = scoped(host, attributes.get("domain", ""))
    secure = "secure" in attributes
    if scope is None or (secure and not is_secure) or (attributes.get("samesite") == "none" and not secure):
        return None
    own = attributes.get("path", "")
    cookie = Cookie(
        name.strip(_BLANKS),
        value.strip(_BLANKS),
        *scope,
        path=own if own.startswith("/") else path[: path.rfind("/")] or "/",
        secure=secure,
        http_only="httponly" in attributes,
        expires_at=_expiry(attributes.get("max-age"), dates, now),
    )
    promises_path = "path" in attributes or not cookie.name.lower().startswith("__host-")
    return cookie if promises_path and cookie.is_sane() else None


def _is_text(line: str) -> bool:
    """Whether it can be sent again: lone surrogates cannot."""
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _attributes(text: str) -> tuple[dict[str, str], list[str]]:
    """Return the last value of each attribute, whose name is in lower case, and all of Expires (5.6.1 to 5.6.7).

    A wrong Max-Age or Expires leaves an earlier right one in force, an empty Domain or Path does not.
    """
    found: dict[str, str] = {}
    dates: list[str] = []
    for attribute in text.split(";"):
        name, _, value = attribute.partition("=")
        name, value = name.strip(_BLANKS).lower(), value.strip(_BLANKS)
        if octets(value) > LONGEST_ATTRIBUTE or (name == "max-age" and not _MAX_AGE.fullmatch(value)):
            continue
        if name == "expires":
            dates.append(value)
        elif name == "domain":
            value = value.removeprefix(".")
            # In lower case some other letters become ASCII; a domain that has any is nobody's, and the cookie refused.
            value = value.lower() if value.isascii() else "\x80"
        elif name == "samesite":
            value = value.lower()
        found[name] = value
    return found, dates


def _expiry(age: str | None, dates: list[str], now: float) -> float | None:
    """When the cookie ends: Max-Age goes before Expires, and neither beyond 400 days (section 5.5)."""
    if age is not None:
        return now + min(int(age), LONGEST_LIFE) if int(age) > 0 else _NEVER
    moments = (moment(date) for date in reversed(dates[-MOST_DATES:]))
    ends_at = next((each for each in moments if each is not None), None)
    return None if ends_at is None else min(ends_at, now + LONGEST_LIFE)


def moment(date: str) -> float | None:
    """Return the UTC seconds that a cookie's date means; None if none (section 5.1.1).

    Tokens between delimiters, each taken for the first of time, day, month and year that it fits and that is not known
    yet; names of weekdays and zones mean nothing.
    """
    if date.count(":") < 2:
        return None
    time: tuple[int, int, int] | None = None
    day = month = year = None
    for token in _DELIMITERS.split(date, MOST_TOKENS):
        if time is None and (match := _TIME.match(token)):
            time = (int(match[1]), int(match[2]), int(match[3]))
        elif day is None and (match := _DAY.match(token)):
            day = int(match[0])
        elif month is None and (name := token[:3].lower()) in _MONTHS:
            month = _MONTHS.index(name) + 1
        elif year is None and (match := _YEAR.match(token)):
            year = int(match[0])
    if time is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime(year, month, day, *time, tzinfo=UTC).timestamp() if year >= 1601 else None
    except ValueError:
        return None
