"""Which encoding are these bytes in, and what do they say? Never fails, whatever the bytes.

The order is that of browsers (https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding):
a byte order mark, the charset of the HTTP header, the XML declaration or the `meta` in the first 1,024 bytes; then,
where browsers guess, UTF-8 if the bytes are valid UTF-8, else windows-1252. Labels mean what the Encoding Standard says
they mean (https://encoding.spec.whatwg.org/): `latin1` is windows-1252, and UTF-7 is nothing.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

PRESCAN = 1024  # bytes
LONGEST_LABEL = 40  # characters; the standard's longest has 19

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
# Labels of the standard that Python does not know, or means something else by.
_LABELS = {
    "unicode-1-1-utf-8": "utf-8",
    "x-unicode20utf8": "utf-8",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "windows-949": "cp949",
    "windows-874": "cp874",
    "dos-874": "cp874",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "logical": "iso8859-8",
    "visual": "iso8859-8",
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    "x-mac-roman": "mac-roman",
    "mac": "mac-roman",
    "koi": "koi8-r",
    "koi8": "koi8-r",
    "koi8-ru": "koi8-u",
    "unicode": "utf-16-le",
    "ucs-2": "utf-16-le",
    "iso-10646-ucs-2": "utf-16-le",
    "csunicode": "utf-16-le",
    "unicodefeff": "utf-16-le",
    "unicodefffe": "utf-16-be",
    **{f"x-cp125{digit}": f"cp125{digit}" for digit in range(9)},
}
# Python's names of the encodings that the web knows, and the superset browsers decode them with. What is not here
# (UTF-7, UTF-32, EBCDIC, Python's own `idna` or `rot13`) is no label.
_CODECS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
    **{
        name: name
        for name in (
            *("utf-8", "utf-16-le", "utf-16-be", "gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949"),
            *("cp874", "koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "cp866"),
            *(f"cp125{digit}" for digit in range(9)),
            *(f"iso8859-{part}" for part in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        )
    },
}
# The five bytes that windows-1252 leaves open are control characters on the web.
_CP1252 = "".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256))

_HEADER = re.compile(r"""charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))""", re.IGNORECASE)
_XML = re.compile(rb"""<\?xml\s[^>]*?\sencoding\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_META_OR_TAG = re.compile(rb"<(?:(?P<meta>meta(?=[\t\n\f\r /]))|/?[a-z][^\t\n\f\r >]*|(?P<other>[!/?]))", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*(=?[^\t\n\f\r /=>]*)[\t\n\f\r ]*"""
    rb"""(?:=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|([^\t\n\f\r >"'][^\t\n\f\r >]*)?))?"""
)


def decode(body: bytes, content_type: str = "") -> tuple[str, str, int]:
    """Return the text, the encoding used (Python's name), and how many replacement characters stand for bad bytes.

    `content_type` is the HTTP header's value, parameters included.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return _decode(body[len(mark) :], name)
    name = _header(content_type) or _prescan(body[:PRESCAN]) or ""
    if name:
        return _decode(body, name)
    try:
        return body.decode("utf-8"), "utf-8", 0
    except UnicodeDecodeError:
        return _decode(body, "cp1252")


@lru_cache(maxsize=256)
def codec(label: str) -> str | None:
    """The name of the codec that an encoding label of the web stands for; None for a label that means nothing."""
    label = label.strip().lower()
    if not label or len(label) > LONGEST_LABEL:
        return None
    try:
        return _CODECS.get(codecs.lookup(_LABELS.get(label, label)).name)
    except (LookupError, ValueError):
        return None


def _decode(body: bytes, name: str) -> tuple[str, str, int]:
    if name == "cp1252":
        return codecs.charmap_decode(body, "strict", _CP1252)[0], name, 0
    try:
        text, bad = body.decode(name), 0
    except UnicodeDecodeError:
        text = body.decode(name, "replace")
        bad = text.count("\ufffd")
    return text.removeprefix("\ufeff"), name, bad


def _header(content_type: str) -> str | None:
    match = _HEADER.search(content_type)
    return codec(match[1] or match[2] or match[3] or "") if match else None


def _prescan(head: bytes) -> str | None:
    """The declared encoding; an encoding that could not have been read this far is UTF-8, as the standard says."""
    match = _XML.match(head)
    name = codec((match[1] or match[2] or b"").decode("latin-1")) if match else None
    name = name or _meta(head)
    return "utf-8" if name in {"utf-16-le", "utf-16-be"} else name


def _meta(head: bytes) -> str | None:
    at = 0
    while (at := head.find(b"<", at)) >= 0:
        if head.startswith(b"<!--", at):
            end = head.find(b"-->", at + 2)
            if end < 0:
                return None
            at = end + 3
            continue
        match = _META_OR_TAG.match(head, at)
        if match is None:
            at += 1
        elif match["other"]:
            at = head.find(b">", at)
            if at < 0:
                return None
        else:
            attributes, at = _attributes(head, match.end())
            if match["meta"] and (name := _declared(attributes)):
                return name
    return None


def _attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of the tag whose name ends at `at`, the first of a name counting, and where they end."""
    found: dict[bytes, bytes] = {}
    while (match := _ATTRIBUTE.match(head, at)) and match.end() > at:
        at = match.end()
        if match[1]:
            found.setdefault(match[1].lower(), match[2] or match[3] or match[4] or b"")
    return found, at


def _declared(attributes: dict[bytes, bytes]) -> str | None:
    label = attributes.get(b"charset")
    if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
        match = _HEADER.search(attributes.get(b"content", b"").decode("latin-1"))
        label = (match[1] or match[2] or match[3] or "").encode("latin-1") if match else None
    if label is None:
        return None
    text = label.decode("latin-1")
    return "cp1252" if text.strip().lower() == "x-user-defined" else codec(text)
