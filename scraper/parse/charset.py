"""Which encoding are these bytes in, and what do they say? Never fails, whatever the bytes.

The order is that of browsers (https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding):
a byte order mark, the charset of the HTTP header, the `meta` in the first 1,024 bytes, the XML declaration; then, where
browsers guess, UTF-8 if the bytes are valid UTF-8, else windows-1252. Labels mean what the Encoding Standard says they
mean (https://encoding.spec.whatwg.org/), and bytes what its decoders say: `latin1` is windows-1252, UTF-7 is nothing,
and a page in an encoding that is a danger (`iso-2022-kr`) is one replacement character.
"""

from __future__ import annotations

import codecs
import re

from scraper.parse.labels import LABELS, STANDARD_NAMES

PRESCAN = 1024  # bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_PYTHONS = frozenset(name for _, name in _MARKS)  # which Python decodes as the standard does, and fast

# A parameter of a media type; more than the standard takes: single quotes, and white space around the equals sign.
_HEADER = re.compile(
    r"""(?<![^\t\n\f\r ;,])charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)|'([^']*)|([^\t\n\f\r ;,"']+))""", re.IGNORECASE
)
# The charset in a meta's content, by the standard's own steps: a quote that nothing closes is no label.
_CONTENT = re.compile(
    rb"""charset[\t\n\f\r ]*=[\t\n\f\r ]*(?:"([^"]*)"|'([^']*)'|["']|([^\t\n\f\r ;]*))""", re.IGNORECASE
)
_XML = re.compile(rb"""<\?xml[^>]*?encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^">]*)"|'([^'>]*)')[^>]*>""")
_XML_IN_UTF_16 = {b"<\0?\0x\0": "utf-16-le", b"\0<\0?\0x": "utf-16-be"}
_META_OR_TAG = re.compile(rb"<(?:(?P<meta>meta(?=[\t\n\f\r /]))|/?[a-z][^\t\n\f\r >]*|(?P<other>[!/?]))", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    rb"""[\t\n\f\r /]*(=?[^\t\n\f\r /=>]*)[\t\n\f\r ]*"""
    rb"""(?:=[\t\n\f\r ]*(?:"([^"]*)(?:"|\Z)|'([^']*)(?:'|\Z)|([^\t\n\f\r >"'][^\t\n\f\r >]*)?))?"""
)


def decode(body: bytes, content_type: str = "") -> tuple[str, str, int]:
    """Return the text, the encoding used (by its stored name), and how many replacement characters are for bad bytes.

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


def codec(label: str) -> str | None:
    """Return the name, as it is stored, of the encoding that a label stands for; None if the label means nothing."""
    return LABELS.get(label.strip("\t\n\f\r ").lower())


def _decode(body: bytes, name: str) -> tuple[str, str, int]:
    if name in _PYTHONS:
        try:
            return body.decode(name), name, 0
        except UnicodeDecodeError:
            text = body.decode(name, "replace")
    else:
        import turbohtml.detect  # noqa: F401 (0.06 s; it registers the standard's decoders, where Python's differ)

        text = body.decode(f"whatwg-{STANDARD_NAMES[name]}", "replace")
    return text, name, text.count("\ufffd")


def _header(content_type: str) -> str | None:
    match = _HEADER.search(content_type)
    return codec(match[1] or match[2] or match[3] or "") if match else None


def _prescan(head: bytes) -> str | None:
    """The declared encoding: by a meta, else by the XML declaration.

    One in UTF-16 that could be read as ASCII is not, and means UTF-8. In UTF-16 the beginning alone declares it.
    """
    if name := _XML_IN_UTF_16.get(head[:6]):
        return name
    name = _meta(head)
    if name is None and (match := _XML.match(head)):
        name = codec((match[1] or match[2] or b"").decode("latin-1"))
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
            if at >= len(head):
                return None  # the tag does not end within the prescan
            if match["meta"] and (name := _declared(attributes)):
                return name
    return None


def _attributes(head: bytes, at: int) -> tuple[dict[bytes, bytes], int]:
    """The attributes of the tag whose name ends at `at`, the first of a name counting, and where they end.

    A value whose quote does not close ends with the prescan, and so do they.
    """
    found: dict[bytes, bytes] = {}
    while (match := _ATTRIBUTE.match(head, at)) and match.end() > at:
        at = match.end()
        if match[1]:
            found.setdefault(match[1].lower(), match[2] or match[3] or match[4] or b"")
    return found, at


def _declared(attributes: dict[bytes, bytes]) -> str | None:
    label = attributes.get(b"charset")
    if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
        match = _CONTENT.search(attributes.get(b"content", b""))
        label = (match[1] or match[2] or match[3]) if match else None
    if label is None:
        return None
    text = label.decode("latin-1")
    return "cp1252" if text.strip().lower() == "x-user-defined" else codec(text)
