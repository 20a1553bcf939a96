"""Which lines of robots.txt are meant for us? Text in, our group out (RFC 9309, sections 2.1, 2.2.1 and 2.2.4).

Only what the RFC defines shapes groups: a rule ends a run of User-agent lines; a Crawl-delay, a Sitemap or a line that
nobody knows does not. Common misspellings are read as what they are meant for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

LONGEST_TIME = 64  # characters of a Crawl-delay or Request-rate that makes sense
_BLANK = " \t\v\f"

# One line that means something to us. Without a colon the value is a single word, lest it be prose.
_LINE = re.compile(
    r"^[ \t]*+(user[- ]?agent|allow|di(?:ss?all?ow|asllow|sallaw)|crawl[- ]delay|request[- ]rate|site-?maps?)"
    r"(?:[ \t]*+:([^#\n]*+)|[ \t]++([^#\s]++)[ \t]*+(?=[#\n]|\Z))",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
_LINE_END = re.compile(r"\r\n?")
IDENTIFIER = r"[A-Za-z_-]+"  # all that a product token can be
_AGENT = re.compile(rf"\**({IDENTIFIER})|\*(?!\S)")  # `*bot*` is nothing the RFC knows, and clear enough
_SECONDS = re.compile(r"(\d+\.?\d*|\.\d+)\s*(?:s|secs?|seconds?)?", re.ASCII | re.IGNORECASE)
_RATE = re.compile(
    r"(\d+)\s*/\s*(\d+)\s*(?:([smhd])(?:ec|econd|in|inute|r|our|ay)?s?)?(?:\s.*)?", re.ASCII | re.IGNORECASE | re.DOTALL
)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # seconds


@dataclass(slots=True, eq=False)
class Group:
    """What is said to one agent, from wherever in the file it stands.

    `rules` are pairs of whether one allows, and its pattern as written. `crawl_delay` is seconds from one request to
    the next: the longest of what Crawl-delay and Request-rate ask for.
    """

    rules: list[tuple[bool, str]] = field(default_factory=list)
    crawl_delay: float | None = None

    def delay(self, seconds: float | None) -> None:
        """Take a delay over if it is longer."""
        if seconds is not None:
            self.crawl_delay = max(seconds, self.crawl_delay or 0.0)


def own_group(text: str, agent: str) -> tuple[Group, list[str]]:
    """Return what is said to an agent, else what is said to `*`, else nothing; and the sitemaps, as written.

    Groups that name the same agent are one. A name in the file is as long as a product token can be, as ours is: `foo`
    in `foo/2.0`, `foo bar` and `foo2`.
    """
    groups: dict[str, Group] = {}
    current: list[Group] = []
    sitemaps: list[str] = []
    own = agent.lower()
    in_rules = False
    for name, after_colon, word in _LINE.findall(_LINE_END.sub("\n", text)):
        value = (after_colon or word).strip(_BLANK)
        kind = name[0].lower()  # enough to tell the names apart
        if kind == "u":
            if in_rules:
                current, in_rules = [], False
            token = _token(value)
            if token in {own, "*"} and (group := groups.setdefault(token, Group())) not in current:
                current.append(group)
        elif kind == "s":
            sitemaps.append(value)
        elif kind in {"c", "r"}:
            for group in current:
                group.delay(_seconds(value) if kind == "c" else _seconds_of_rate(value))
        else:
            in_rules = True
            for group in current if value else ():
                group.rules.append((kind == "a", value))
    return groups.get(own) or groups.get("*") or Group(), sitemaps


def _token(value: str) -> str:
    """The agent that a User-agent line names, in lower case; empty if none."""
    match = _AGENT.match(value)
    return (match[1] or "*").lower() if match else ""


def _seconds(value: str) -> float | None:
    """What a Crawl-delay asks for; None if it is no time."""
    match = _SECONDS.fullmatch(value) if len(value) <= LONGEST_TIME else None
    return float(match[1]) if match else None


def _seconds_of_rate(value: str) -> float | None:
    """What a Request-rate asks for: documents per time, `3/1m`; None if it is no rate.

    A time of day after it is disregarded: who wants to be spared from four to seven is spared all day.
    """
    match = _RATE.fullmatch(value) if len(value) <= LONGEST_TIME else None
    if match is None or not int(match[1]) or not int(match[2]):
        return None
    return int(match[2]) * _UNITS[(match[3] or "s").lower()] / int(match[1])
