"""Which URL does a refresh lead to? Of `<meta http-equiv=refresh>` and of the HTTP header Refresh: one grammar.

Source: https://html.spec.whatwg.org/multipage/document-lifecycle.html#shared-declarative-refresh-steps
"""

from __future__ import annotations

import re

# Seconds, a separator that may be white space alone, `url=` or not, quotes or not. No part is read twice.
_REFRESH = re.compile(
    r"""[\t\n\f\r ]*+(?=[0-9.])[0-9.]*+(?=[;,\t\n\f\r ])[\t\n\f\r ]*+[;,]?+[\t\n\f\r ]*+"""
    r"""(?:url[\t\n\f\r ]*+=[\t\n\f\r ]*+)?+(?:"([^"]*+)|'([^']*+)|(.*+))""",
    re.ASCII | re.DOTALL | re.IGNORECASE,
)


def refresh_target(content: str) -> str | None:
    """Return the URL as it stands there, which may be relative; None if there is none, since that is the page itself.

    Of a content that is no refresh, such as `soon; url=x`, browsers make nothing either: None.
    """
    match = _REFRESH.match(content)
    return (match[1] or match[2] or match[3] or None) if match else None
