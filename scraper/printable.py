r"""Text from elsewhere made fit for a terminal or a log: it moves no cursor, forges no line, turns no direction.

Replaced, and still to be seen: control characters (C0 as their Unicode pictures, `␛`; DEL and C1 escaped, `\x9b`),
those that change the direction of writing (Unicode's Bidi_Control), line and paragraph separators, lone surrogates.
JSON stays exact: there they are escaped.
"""

from __future__ import annotations

import re

_PICTURES = 0x2400  # U+2400 is the picture of NUL, and so on up to U+241F
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SEPARATORS = (0x2028, 0x2029)

_ONE_LINE = (
    {code: chr(_PICTURES + code) for code in range(0x20)}
    | {code: f"\\x{code:02x}" for code in range(0x7F, 0xA0)}
    | {code: f"\\u{code:04x}" for code in (*_BIDI, *_SEPARATORS, *range(0xD800, 0xE000))}
)
_LINES = {code: shown for code, shown in _ONE_LINE.items() if chr(code) not in "\n\t"}
# The same in UTF-8, but for C0 and surrogates, which no JSON holds as they are.
_IN_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")


def printable(text: str, *, one_line: bool = True) -> str:
    """Return the text as it may be shown; unless it has to stay on one line, LF and TAB are kept."""
    if text.isprintable():  # the common case, at the speed of C
        return text
    return text.translate(_ONE_LINE if one_line else _LINES)


def printable_json(line: bytes) -> bytes:
    """Return JSON as it may be shown, and with the same meaning: such characters stand in strings only."""
    if line.isascii() and b"\x7f" not in line:  # the common case, at the speed of C
        return line
    return _IN_JSON.sub(_escaped, line)


def _escaped(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match[0].decode())
