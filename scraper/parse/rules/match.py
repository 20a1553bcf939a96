"""Which URLs a rule is for: globs and expressions as patterns to search with."""

from __future__ import annotations

import re


def pattern(match: str) -> re.Pattern[str]:
    """Return what finds the URLs of a glob (`*` is any run of characters, all else itself) or of a `re:` expression.

    A glob is for the whole URL, an expression for any part of it. Raises ValueError, in words, for what is neither.
    """
    expression = match.removeprefix("re:")
    if expression == match:
        if not match.strip():
            raise ValueError('is empty; leave it out, or write "*", for every page')
        if match != match.strip():
            raise ValueError(f"{match!r} has white space around it, which no URL has")
        return re.compile(r"\A" + ".*".join(map(re.escape, match.split("*"))) + r"\Z", re.DOTALL)
    return expression_of(expression)


def expression_of(text: str) -> re.Pattern[str]:
    """Return a compiled regular expression. Raises ValueError, in words, for what is none."""
    if not text:
        raise ValueError("is an empty regular expression")
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    except (RecursionError, OverflowError):
        raise ValueError("is a regular expression beyond what can be compiled") from None
