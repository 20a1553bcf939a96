"""Tags and text of XML, however broken, in one pass; without a DTD, so that no entity can stand for anything.

An XML parser must give up at the first fault, and libxml2 told to recover does so at many: after a bare `<`, a value
without quotes, `--->`, a stray end tag or a byte that its encoding lacks, the rest of the document is gone, and of
`?a=1&b=2` it makes `?a=1=2`. Here each `<` is a new beginning: a fault costs the tag it is in. Declarations are stepped
over, unread; of references the five predefined and those to characters count (XML 1.0, section 4.6 and 4.1), a bare `&`
is itself, and any other entity is U+FFFD, so that whoever reads it knows that something is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

LONGEST_TAG = 64 * 1024  # characters, of a tag with the text after it; longer text comes in parts
LONGEST_REFERENCE = 104  # characters of an entity's name with its marks
LONGEST_ATTRIBUTES = 16 * 1024  # characters of a tag; of a longer one they are not read

# The name of a tag, `/` before that of an end; its attributes, unread; the text after it. Text alone has no name.
Token: TypeAlias = tuple[str, str, str]

_TAG = re.compile(r"""<(/?[^\W\d][\w:.\-]*+)([^"'>]*+(?:(?:"[^"]*+"|'[^']*+')[^"'>]*+)*+)>""")
_TORN_TAG = re.compile(r"<(/?[^\W\d][\w:.\-]*+)([^>]*+)>?")  # a quote without its end, or no end at all
_ATTRIBUTE = re.compile(r"""(?<![\w:.\-])([\w:.\-]++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""")
_REFERENCE = re.compile(r"&(?:([A-Za-z_][\w.\-]{0,99})|#([0-9]{1,7})|#[xX]([0-9A-Fa-f]{1,6}));")
_PREDEFINED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_MISSING = "\ufffd"


class _Section(NamedTuple):
    """A stretch in which `<` means nothing; `is_text` tells what becomes of what stands in it."""

    end: re.Pattern[str]
    is_text: bool = False


_COMMENT = _Section(re.compile("-->"))
_CDATA = _Section(re.compile(r"\]\]>"), is_text=True)
_INSTRUCTION = _Section(re.compile(r"\?>"))
_SUBSET = _Section(re.compile(r"\]\s*+>"))
_SECTIONS = (("<!--", _COMMENT), ("<![CDATA[", _CDATA))


def tokens(pieces: Iterable[str]) -> Iterator[Token]:
    """Yield the tags of a document in their order, each with the text after it; takes any text and raises nothing."""
    scan = _Scan()
    rest = ""
    for piece in pieces:
        buffer = rest + piece
        cut = buffer.rfind("<")  # what begins there may go on in the next piece
        if cut < 0 or len(buffer) - cut > LONGEST_TAG:
            cut = buffer.rfind("&", max(0, len(buffer) - LONGEST_REFERENCE))
            if cut < 0 or ";" in buffer[cut:]:
                cut = len(buffer)
        rest = buffer[cut:]
        yield from scan.read(buffer[:cut])
    yield from scan.read(rest)


def attributes(text: str) -> dict[str, str]:
    """Return the attributes of a tag by lower-case name with its prefix; of one that stands twice the first."""
    found: dict[str, str] = {}
    if len(text) <= LONGEST_ATTRIBUTES:
        for name, double, single, bare in _ATTRIBUTE.findall(text):
            found.setdefault(name.lower(), unescape(double or single or bare))
    return found


def unescape(text: str) -> str:
    """Return the text that XML text stands for."""
    return _REFERENCE.sub(_referred, text) if "&" in text else text


def _referred(match: re.Match[str]) -> str:
    name, decimal, hexadecimal = match.groups()
    if name:
        return _PREDEFINED.get(name, _MISSING)
    code = int(decimal) if decimal else int(hexadecimal, 16)
    return _MISSING if code == 0 or 0xD800 <= code < 0xE000 or code > 0x10FFFF else chr(code)


class _Scan:
    """Where in a document the reading stands: in a section, or between tags."""

    def __init__(self) -> None:
        self._section: _Section | None = None
        self._tail = ""  # of what was read of a section: its end may be in two parts

    def read(self, text: str) -> list[Token]:
        """Return the tokens of what goes up to the next `<`, or to wherever a very long text was cut."""
        found: list[Token] = []
        at, size = 0, len(text)
        while at < size:
            if self._section is not None:
                at = self._skip(self._section, text, at, found)
                continue
            end = text.find("<", at + 1)
            if end < 0:
                end = size
            if match := _TAG.match(text, at, end):
                name, attributes = match.groups()
                after = text[match.end() : end]
                found.append((name, attributes, unescape(after) if "&" in after else after))
                at = end
            else:
                at = self._odd(text, at, end, found)
        return found

    def _skip(self, section: _Section, text: str, at: int, found: list[Token]) -> int:
        """Step over a section; return where its end ends. Each is a token, so that it counts."""
        tail, self._tail = self._tail, ""
        if tail and (over := section.end.search(tail + text[at : at + 2])):
            self._section = None
            return at + over.end() - len(tail)
        end = section.end.search(text, at)
        stop = len(text) if end is None else end.start()
        found.append(("", "", text[at:stop] if section.is_text else ""))
        if end is None:
            self._tail = (tail + text[at:])[-2:]
            return stop
        self._section = None
        return end.end()

    def _odd(self, text: str, at: int, end: int, found: list[Token]) -> int:
        """Read text, or what a `<` begins and is no whole tag; return where to go on."""
        for beginning, section in _SECTIONS:
            if text.startswith(beginning, at):
                self._section = section
                return at + len(beginning)
        part = text[at:end]
        name, inside = "", ""
        if part.startswith(("<!", "<?")):
            head, bracket, after = part.partition(">")
            is_instruction = part.startswith("<?") and (not bracket or "?>" in part[2:])
            if is_instruction or ("[" in head and head[:9].upper() == "<!DOCTYPE"):
                self._section = _INSTRUCTION if is_instruction else _SUBSET
                return at + 2
            part = after
        elif match := _TORN_TAG.match(part):
            name, inside, part = match[1], match[2], part[match.end() :]
        found.append((name, inside, unescape(part)))
        return end
