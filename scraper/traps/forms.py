"""What is left of a URL or a text when its variable parts are taken out: shape, skeleton, fingerprint. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from operator import add

LONGEST_SHAPE = 300  # characters; the rest of a longer one is hashed
SHORTEST_TOKEN = 7  # letters; in fewer, chance and words look alike
LONG_TOKEN = 10  # letters; of so many, random ones would hold at least one odd pair, and few words do
LONGEST_WORD = 40  # letters; a longer one is a token whatever it looks like
LONGEST_MIXED = 255  # characters of a segment that are looked into; a longer one is a token
MOST_NUMBERS = 0.4  # of the words of a text that is not about them
MOST_READ = 20_000  # characters of a text that its fingerprint sees
VARIABLE = "<"  # stands in every shape with a variable part, and in no canonical path or query

_NUMBER, _TOKEN, _TITLE, _WORDS = "<n>", "<x>", "<t>", "<w>"

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FOREIGN = re.compile(r"(?:%[89A-F][0-9A-F])+", re.IGNORECASE)  # letters beyond ASCII, as a path has them
_RUN = re.compile(r"<\w>|[A-Za-z0-9]+")
_LETTER = re.compile(r"[^\W\d_]")
_DIGITS = re.compile(r"[0-9]+")
_BETWEEN_WORDS = re.compile(r"[-_+]|%20")
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}\Z")
# Pairs of letters that words hardly have, whatever their language, and random letters have at every third place.
_ODD_PAIRS = frozenset(
    pair[0] + second
    for pair in (
        "b fgkpqvwxz", "c bdfgjmnpqvwxz", "d bfkpqtxz", "f bcdghjkmnpqvwxz", "g bcdfjpqvxz", "h bcdfghjkpqvxz",
        "j bcdfghjklmnpqrstvwxyz", "k bcdfgjmpqvxz", "l jqrxz", "m cdfghjkqrtvwxz", "n pqx", "p bcdfgjkmnqvwxz",
        "q abcdefghijklmnopqrstvwxyz", "r jqxz", "s bdfgjrvxz", "t bdfgjkpqvx", "v bcdfghjklmnpqrstvwxz",
        "w bcfgjmpquvwxz", "x bdfgjklmnrsvwxz", "z bcdfgjkmnpqrstvwx",
    )
    for second in pair[2:]
)  # fmt: skip
_ALL_DIGITS_ZERO = bytes.maketrans(b"123456789", b"000000000")
_ANY_DIGIT = re.compile(r"\d")

# Session ids. Names that mean nothing else, with any value; names that may, with a long random one; and one that is
# often a search, with a hash.
_SESSIONS = "phpsessid|jsessionid|aspsessionid[a-z]*|cfid|cftoken|oscsid|oscadminid|xtcsid|zenid|mscssid|bv_sessionid"
_MAYBE_SESSIONS = "sid|sess|sessid|session|sessionid|session_id|session-id|visitor|visitorid|visitor_id"
_RANDOM = r"(?=[a-z_-]{0,200}[0-9])(?=[0-9_-]{0,200}[a-z])[0-9a-z_-]{16,200}"
_SESSION = rf"(?:{_SESSIONS})=[^&;/]*|(?:{_MAYBE_SESSIONS})={_RANDOM}|s=[0-9a-f]{{32}}"
_IN_QUERY = re.compile(_SESSION, re.IGNORECASE)
_IN_PATH = re.compile(rf";(?:{_SESSION})(?=[/;]|\Z)", re.IGNORECASE)
_ASP_NET = re.compile(r"/\((?:[A-Z]\([0-9A-Za-z_-]{1,200}\)){1,4}\)(?=/)")  # cookieless sessions


def shape(url: str) -> str:
    """Return the form of a canonical URL: numbers, tokens and long titles in its path replaced, its values by class.

    Parameters are sorted, and those alike count once, so that all orders and lengths of a query have one shape. Runs
    of path segments of one form count once, and a path that has the same named segment twice has no form but that.
    """
    path, _, query = url.partition("?")
    origin_end = path.find("/", 8)
    segments = path[origin_end + 1 :].split("/")
    form = "/<again>" if len(segments) > 2 and _has_twice(segments) else _path_form(segments)
    if query:
        form += "?" + "&".join(sorted({_parameter_form(part) for part in set(query.split("&"))}))
    if len(form) > LONGEST_SHAPE:
        form = form[:LONGEST_SHAPE] + VARIABLE + _digest(form).hex() + ">"
    return path[:origin_end] + form


def skeleton(url: str) -> str | None:
    """Return the canonical URL without what is surely a session id, or None if it has none."""
    if "?" not in url and ";" not in url and "/(" not in url:
        return None
    path, mark, query = url.partition("?")
    bare = _ASP_NET.sub("", path) if "/(" in path else path
    if ";" in bare:
        bare = _IN_PATH.sub("", bare)
    if "=" in query:
        kept = [part for part in query.split("&") if not _IN_QUERY.fullmatch(part)]
        if len(kept) <= query.count("&"):
            query = "&".join(kept)
            mark = mark if kept else ""
    if len(bare) == len(path) and len(bare) + len(mark) + len(query) == len(url):
        return None
    return bare + mark + query


def fingerprint(text: str) -> bytes:
    """Return what two texts share if they differ only in words with digits and in white space.

    9 bytes; the last is 1 if so much of the text is numbers that they may be what it is about: a table, a list of ids.
    """
    text = text[:MOST_READ]
    if not text.isascii():
        text = _ANY_DIGIT.sub("0", text)  # of other scripts
    zeroed = text.encode("utf-8", "surrogatepass").translate(_ALL_DIGITS_ZERO).decode("utf-8", "surrogatepass")
    words = zeroed.split()
    plain = [word for word in words if "0" not in word]
    numbers = sum("0" in word and _LETTER.search(word) is None for word in words)
    return _digest(" ".join(plain)) + bytes([numbers > MOST_NUMBERS * (len(plain) + numbers)])


def _digest(text: str) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _has_twice(segments: list[str]) -> bool:
    """Whether a named segment stands twice in the path: what broken relative links make, and little else."""
    if len(set(segments)) == len(segments):
        return False
    named = [segment for segment in segments if segment and not segment[0].isdigit()]
    return len(set(named)) < len(named)


def _path_form(segments: list[str]) -> str:
    form, last = "", None
    for segment in segments:
        now = _form(segment)
        if now != last or VARIABLE not in now:
            form += "/" + now
        last = now
    return form


def _form(segment: str) -> str:
    """The form of a path segment, or of a parameter's name or value."""
    if segment.isalpha():
        return _TOKEN if len(segment) >= SHORTEST_TOKEN and _is_random(segment) else segment
    if segment.isdigit():
        return _NUMBER
    stem, _, extension = segment.partition(".")
    if extension.isalpha() and stem.isalpha():
        return f"{_form(stem)}.{extension}"
    return _TOKEN if len(segment) > LONGEST_MIXED else _mixed_form(segment)


@lru_cache(maxsize=2048)
def _mixed_form(segment: str) -> str:
    """The form of what is neither letters alone nor a number; a file's extension stays."""
    if not segment:
        return segment
    extension = _EXTENSION.search(segment)
    stem = segment[: extension.start()] if extension else segment
    if "%" in stem:
        stem = _FOREIGN.sub(_WORDS, stem)
    if "-" in stem:
        stem = _UUID.sub(_TOKEN, stem)
    words = _BETWEEN_WORDS.split(stem)
    is_title = sum(word.isalpha() for word in words) > 2
    stem = _TITLE if is_title else _RUN.sub(_run_form, stem)
    return stem + (extension[0] if extension else "")


def _run_form(run: re.Match[str]) -> str:
    """The form of a run of letters and digits: a number, a token, or a word in which numbers vary."""
    text = run[0]
    if text[0] == VARIABLE:
        return text  # a form already
    if text.isdigit():
        return _NUMBER
    if text.isalpha():
        return _form(text)
    pieces = len(_DIGITS.findall(text))
    if len(text) >= 12 or pieces > 2 or (len(text) >= 7 and pieces > 1):
        return _TOKEN
    return _DIGITS.sub(_NUMBER, text)


def _is_random(letters: str) -> bool:
    """Whether letters of at least SHORTEST_TOKEN are no word."""
    if len(letters) > LONGEST_WORD:
        return True
    text = letters.lower()
    odd = len(_ODD_PAIRS.intersection(map(add, text, text[1:])))
    return odd > 1 or (odd == 1 and len(text) >= LONG_TOKEN)


def _parameter_form(part: str) -> str:
    name, equals, value = part.partition("=")
    if not value:
        return _form(name) + equals
    if value.lstrip("-").isdigit():
        return f"{_form(name)}={_NUMBER}"
    return f"{_form(name)}={_TOKEN if VARIABLE in _form(value) else _WORDS}"
