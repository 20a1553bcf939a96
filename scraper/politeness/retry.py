"""When is a URL asked again? The one table of failures, and the formula for the wait. No I/O."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from scraper.config import RetryConfig
from scraper.errors import FetchError
from scraper.model import CrawlUrl, Reason, Response

Fetch = Callable[[CrawlUrl], Awaitable[Response]]

MOST_DOUBLINGS = 60  # beyond it a float would overflow before `longest` could cut it


@dataclass(frozen=True, slots=True)
class Failure:
    """One way in which a fetch can fail, and what follows from it.

    `details` are what FetchError.detail then is, or for an answer its status; without any the row stands for all others
    of its reason. `retries` is how often a URL is asked again at most, None as often as `attempts` allows; `times` is
    by how much the wait is longer than `base`. `breaker`: the failure "counts", "resets" the count, or neither.
    `charged`: its retries go against the host's budget. `pace`: the host is asked "slower", or "fewer" at once.
    """

    reason: Reason
    name: str
    why: str
    details: tuple[str, ...] = ()
    retries: int | None = None
    times: float = 1.0
    breaker: Literal["counts", "resets", "neither"] = "neither"
    charged: bool = True
    pace: Literal["slower", "fewer", "same"] = "same"


def _final(
    reason: Reason,
    name: str,
    why: str,
    *details: str,
    breaker: Literal["resets", "neither"] = "neither",
    pace: Literal["fewer", "same"] = "same",
) -> Failure:
    """A failure after which asking again would bring the same."""
    return Failure(reason, name, why, details, retries=0, breaker=breaker, pace=pace)


_UNKNOWN_NAME = (
    "no such name",
    "no such name, or none with an address",
)
_HOPELESS = ("501", "505", "506", "510")

FAILURES = (
    Failure(
        Reason.DNS, "unknown name", "a final answer, but of name servers that err", _UNKNOWN_NAME,
        retries=1, times=10.0, breaker="counts", pace="fewer",
    ),
    _final(Reason.DNS, "impossible name", "no name server can know it", "not a name that can be looked up"),
    Failure(Reason.DNS, "others", "the name server is in trouble, not the host", breaker="counts", pace="fewer"),
    Failure(Reason.CONNECT, "", "refused or no way there: down, or restarting", breaker="counts", pace="fewer"),
    Failure(Reason.RESET, "", "closed without an answer: overloaded, or restarting", breaker="counts", pace="fewer"),
    Failure(
        Reason.TIMEOUT, "total, least rate", "too little came for the time; it would again, and takes a slot so long",
        ("total", "least rate"), retries=1, breaker="counts", pace="fewer",
    ),
    Failure(
        Reason.TIMEOUT, "connect, first byte, idle", "overloaded, or hanging", breaker="counts", pace="fewer",
    ),
    Failure(Reason.TRUNCATED, "", "the connection was lost on the way", breaker="counts"),
    _final(Reason.TLS, "", "a certificate does not heal in an hour"),
    _final(Reason.PROTOCOL, "", "the server speaks no HTTP that can be trusted"),
    _final(Reason.BAD_ENCODING, "", "the body came whole and does not decode"),
    _final(Reason.TOO_LARGE, "", "it will be as large again, and took its time", pace="fewer"),
    _final(Reason.PRIVATE_ADDRESS, "", "we do not connect there"),
    Failure(Reason.HTTP_4XX, "408", "the server gave up waiting for the request; it lives", ("408",), breaker="resets"),
    Failure(Reason.HTTP_4XX, "425", "too early for the server, as it says itself", ("425",), breaker="resets"),
    Failure(
        Reason.HTTP_4XX, "429", "the host lives and asks for patience, so it is not charged for it",
        ("429",), breaker="resets", charged=False, pace="slower",
    ),
    _final(Reason.HTTP_4XX, "others", "the answer is about the URL", breaker="resets"),
    Failure(Reason.HTTP_5XX, "503", "overloaded, or under repair", ("503",), breaker="counts", pace="slower"),
    _final(Reason.HTTP_5XX, "501, 505, 506, 510", "the server cannot, and says so", *_HOPELESS, breaker="resets"),
    Failure(
        Reason.HTTP_5XX, "511", "not the host but a network that wants a login",
        ("511",), times=10.0, breaker="counts", pace="fewer",
    ),
    Failure(Reason.HTTP_5XX, "500", "an accident on this page; the host answers", ("500",), breaker="resets"),
    Failure(Reason.HTTP_5XX, "others", "an accident, or what is behind the server is down", breaker="counts"),
)  # fmt: skip

_BY_DETAIL = {(row.reason, detail): row for row in FAILURES for detail in row.details}
_OTHERS = {row.reason: row for row in FAILURES if not row.details}
_UNLISTED = Failure(Reason.PROTOCOL, "unlisted", "fetching does not end so", retries=0)


def failure_of(error: FetchError) -> Failure:
    """Return the row of the table that a failed fetch falls under. A status decides, else the whole detail."""
    reason = error.reason
    detail = error.detail if error.status is None else str(error.status)
    row = _BY_DETAIL.get((reason, detail))
    if row is None:
        row = _OTHERS.get(reason, _UNLISTED)
    return row


def backoff(attempt: int, config: RetryConfig, random: Callable[[], float], times: float = 1.0) -> float:
    """Return the seconds to wait after the given attempt (1 is the first): full jitter.

    Uniform in 0 .. min(longest, times * base * 2 ** (attempt - 1)); `random` is uniform in 0 .. 1. The jitter spans the
    whole range because clients that failed together must not come back together.
    """
    ceiling = min(config.longest, times * config.base * 2.0 ** min(attempt - 1, MOST_DOUBLINGS))
    return ceiling * random()


def failures_table(rows: Iterable[Failure] = FAILURES) -> str:
    """Return the table in Markdown, as the README shows it."""
    lines = [
        "| failure | asked again | wait | circuit breaker | retry budget | pace | because |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| `{row.reason}`{f': {row.name}' if row.name else ''} | {_retries(row)} | {_wait(row)} | {_breaker(row)} "
        f"| {_charge(row)} | {_pace(row)} | {row.why} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _retries(row: Failure) -> str:
    return {None: "up to `attempts`", 0: "no", 1: "once"}.get(row.retries, f"{row.retries} times")


def _wait(row: Failure) -> str:
    if row.retries == 0:
        return ""
    return "`base`" if row.times == 1.0 else f"{row.times:g} × `base`"


def _breaker(row: Failure) -> str:
    return {"counts": "counts", "resets": "the host lives", "neither": "neither"}[row.breaker]


def _charge(row: Failure) -> str:
    if row.retries == 0:
        return ""
    return "charged" if row.charged else "free"


def _pace(row: Failure) -> str:
    return {"slower": "slower", "fewer": "two at once", "same": ""}[row.pace]
