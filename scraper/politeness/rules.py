"""Which rule of robots.txt decides on a URL? The longest that matches, Allow before Disallow (RFC 9309, section 2.2.2).

Rule and URL are compared in one spelling, so that it does not matter which octets either has percent-encoded: every
printable ASCII character stands for itself, all else is encoded, with upper-case digits. An encoded `/`, `?` or `%`
is not the character itself; but in a query an encoded `/` or `?` is, for there they separate nothing (the table in
section 2.2.2). `*` and a final `$` are special as written; `%2A` and `%24` are the characters (section 2.2.3).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MOST_STEPS = 10_000_000  # a URL's characters compared with patterns, at worst; about 20 ms
LONGEST_SHOWN = 200  # characters of a pattern
GRAM = 3  # characters; patterns are found by so many of their own
FEW = 50  # grams; so many are sought in the URL, of more the URL's own are looked up

_UNUSUAL = re.compile(r"%([0-9A-Fa-f]{2})|[^!-~]+")
_ENCODED_SEPARATOR = re.compile(r"%(?:2[Ff]|3[Ff])")
_OTHER_WHEN_ENCODED = frozenset("/?%")


class Rule(NamedTuple):
    """A line of robots.txt. The greater of two that match decides: `length` counts octets, in the common spelling."""

    length: int
    allows: bool
    pattern: str  # as the file has it

    def __str__(self) -> str:
        return f"{'Allow' if self.allows else 'Disallow'}: {self.pattern[:LONGEST_SHOWN]}"


_NO_RULE = Rule(0, allows=True, pattern="")
_TOO_MUCH = Rule(MOST_STEPS, allows=False, pattern="(too many patterns to try)")  # longer than any other


class _Pattern(NamedTuple):
    """A rule with a wildcard: the parts between its stars. The first begins the URL; the last ends it if `anchored`."""

    rule: Rule
    head: str
    middle: tuple[str, ...]
    last: str
    anchored: bool
    shortest: int  # characters of the shortest URL that can match
    widest: int  # characters of the longest part

    def steps(self, path: str) -> int:
        """What matching costs at worst: each part is sought once, from where the one before was found."""
        return len(path) * self.widest

    def matches(self, path: str) -> bool:
        at = len(self.head)
        for part in self.middle:
            found = path.find(part, at)
            if found < 0:
                return False
            at = found + len(part)
        if self.anchored:
            return path.endswith(self.last) and len(path) - len(self.last) >= at
        return path.find(self.last, at) >= 0


class Rules:
    """The rules of one group. Judging a URL takes 4 µs with 60 of them, 20 ms with the worst that 500 KiB hold."""

    __slots__ = ("_any", "_by_gram", "_exact", "_lengths", "_prefixes")

    def __init__(self, rules: Iterable[tuple[bool, str]]) -> None:
        """Take pairs of whether a rule allows and its pattern; one that cannot match any path is dropped."""
        self._prefixes: dict[str, tuple[bool, str]] = {}
        self._exact: dict[str, tuple[bool, str]] = {}
        self._by_gram: defaultdict[str, list[_Pattern]] = defaultdict(list)
        self._any: list[_Pattern] = []
        wild: dict[tuple[bool, str], None] = {}
        for rule in rules:
            allows, pattern = rule
            if "*" in pattern:
                wild[rule] = None
            elif pattern[:1] == "/":
                written = _with_open_query(pattern) if "%" in pattern else pattern
                is_whole = written[-1] == "$"
                kept, path = (self._exact, _common(written[:-1])) if is_whole else (self._prefixes, _common(written))
                if allows or path not in kept:
                    kept[path] = rule
        self._lengths = sorted({len(prefix) for prefix in self._prefixes}, reverse=True)
        for allows, pattern in wild:
            self._add(allows=allows, pattern=pattern)

    def decide(self, url: str) -> Rule | None:
        """Return the rule that decides on a canonical URL; None if none matches, and for /robots.txt itself."""
        start = url.find("/", 8)
        raw = url[start:].partition("#")[0] if start > 0 else "/"
        path = _common(raw)
        if path == "/robots.txt":
            return None
        best = self._best(path)
        if "%" in raw and (opened := _common(_with_open_query(raw))) != path:
            best = max(best, self._best(opened))
        return best if best is not _NO_RULE else None

    def _add(self, *, allows: bool, pattern: str) -> None:
        """Take a rule with a wildcard."""
        written = _with_open_query(pattern)
        anchored = written.endswith("$")
        head, *middle, last = map(_common, written.removesuffix("$").split("*"))
        rule = Rule(len(head) + sum(map(len, middle)) + len(last) + written.count("*") + anchored, allows, pattern)
        middle = [part for part in middle if part]
        parts = (head, *middle, last)
        sizes = [len(part) for part in parts]
        longest = max(parts, key=len)
        place = self._by_gram[longest[:GRAM]] if len(longest) >= GRAM else self._any
        place.append(_Pattern(rule, head, tuple(middle), last, anchored, sum(sizes), max(sizes)))

    def _best(self, path: str) -> Rule:
        best = _NO_RULE
        if plain := self._exact.get(path):
            best = Rule(len(path) + 1, *plain)
        else:
            for length in self._lengths:
                if length <= len(path) and (plain := self._prefixes.get(path[:length])):
                    best = Rule(length, *plain)
                    break
        left = MOST_STEPS
        for pattern in self._candidates(path):
            if pattern.shortest > len(path) or pattern.rule <= best or not path.startswith(pattern.head):
                continue
            left -= pattern.steps(path)
            if left < 0:
                return _TOO_MUCH
            if pattern.matches(path):
                best = pattern.rule
        return best

    def _candidates(self, path: str) -> Iterator[_Pattern]:
        yield from self._any
        grams: Iterable[str]
        if len(self._by_gram) <= FEW:
            grams = [gram for gram in self._by_gram if gram in path]
        else:
            grams = dict.fromkeys([path[at : at + GRAM] for at in range(len(path) - GRAM + 1)])
        for gram in grams:
            yield from self._by_gram.get(gram, ())


def _common(text: str) -> str:
    """The common spelling of a path or a part of it."""
    if "%" not in text and " " not in text and text.isascii() and text.isprintable():
        return text
    return _UNUSUAL.sub(_respelled, text)


def _respelled(match: re.Match[str]) -> str:
    if not match[1]:
        return "".join(f"%{octet:02X}" for octet in match[0].encode("utf-8", "surrogatepass"))
    char = chr(int(match[1], 16))
    return char if "!" <= char <= "~" and char not in _OTHER_WHEN_ENCODED else match[0].upper()


def _with_open_query(text: str) -> str:
    """The text with each encoded `/` and `?` of its query written out."""
    path, mark, query = text.partition("?")
    return path + mark + _ENCODED_SEPARATOR.sub(lambda match: "/" if match[0][1] == "2" else "?", query)
