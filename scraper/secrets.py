"""What of a text is nobody else's business: user and password of URLs, and tokens in their queries.

The first are cut from all that is kept or told, the second hidden in what is logged: a URL with its token is what was
asked for, and is stored. Both take time linear in the text, which may be a page's.
"""

from __future__ import annotations

import re

HIDDEN = "…"

_PART = re.compile(r"(^|[/\\]{2}|[/\\?#\s\"'<>])([^/\\?#\s\"'<>]*)@")  # up to the last @ of what a delimiter begins
_PARAMETER = re.compile(r"([?&;#])([^?&;#=\s]{1,200})=([^&;#\s\"'<>]+)")
_SECRET = re.compile(
    r"(?:token|key|sig|signature|password|passwd|pwd|secret|session|session_?id|sess|sid|auth|credentials?|jwt|otp)"
    r"(?![a-z])",
    re.IGNORECASE,
)


def without_userinfo(text: str) -> str:
    """Cut user and password from every URL in a text (RFC 3986, section 3.2.1), also from what is not quite one."""
    return _PART.sub(_kept, text) if "@" in text else text


def redacted(text: str) -> str:
    """Do the same for a log, and hide what parameters hold whose names speak of secrets: `?api_key=…`."""
    return _PARAMETER.sub(_hidden, without_userinfo(text)) if "=" in text else without_userinfo(text)


def _kept(found: re.Match[str]) -> str:
    start, inside = found.groups()
    if len(start) == 2:  # `//me:secret@`
        return start
    scheme, colon, _ = inside.partition(":")  # `http:me:secret@`; without a colon it is a name: `/@me`, `me@a.example`
    return f"{start}{scheme}:" if colon and scheme.lower() != "mailto" else found[0]


def _hidden(found: re.Match[str]) -> str:
    start, name, value = found.groups()
    return f"{start}{name}={HIDDEN if _SECRET.search(name) else value}"
