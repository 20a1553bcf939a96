"""Why a selector finds nothing: how much of it does, and whether it is only looked for in the wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from scraper.parse.rules.records import Source
from scraper.parse.rules.rule import Selector
from scraper.parse.rules.selector import judge

MOST_COUNTED = 1_000  # elements; a hint need not be exact
_CSS_TOKEN = re.compile(
    r"\\.|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|[(\[]|[)\]]|\s*[>+~]\s*|\s+|,|[^\\\"'(\[)\]>+~,\s]+", re.DOTALL
)
_PATH_TOKEN = re.compile(
    r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`|[(\[{]|[)\]}]|[.|]|[^\"'`(\[{)\]}.|]+", re.DOTALL
)


def hint(source: Source, selector: Selector, within: Any) -> str | None:  # noqa: ANN401 (an element or a value)
    """Return what to tell about a selector that finds nothing within an element or value; None if there is nothing."""
    is_css = source.default_kind == "text"
    if not is_css and (error := _error(selector, within)):
        return error
    text = selector.css if is_css else selector.text
    for leading in _leading(text or "", _CSS_TOKEN if is_css else _PATH_TOKEN):
        part = judge(leading)
        if part.not_css if is_css else part.not_json:
            continue
        if found := len(source.find(part.selector, within, MOST_COUNTED)):
            return f"`{leading}` matches {_count(found)}" if is_css else f"`{leading}` is there"
    if within is not source.root and (found := len(source.find(selector, source.root, MOST_COUNTED))):
        return f"on the whole page it matches {_count(found)}, but none within what `each` or `select` found"
    return None


def _error(selector: Selector, within: Any) -> str | None:  # noqa: ANN401 (a value of JSON)
    """What a JMESPath function says of a value that it does not take."""
    try:
        selector.path.search(within)
    except Exception as error:  # noqa: BLE001 (its functions raise whatever Python raises)
        return str(error).partition("\n")[0]
    return None


def _count(found: int) -> str:
    return f"{found}{' or more' if found == MOST_COUNTED else ''} element{'s' if found > 1 else ''}"


def _leading(text: str, token: re.Pattern[str]) -> Iterator[str]:
    """Yield the leading parts of a chain, longest first; of a list of selectors none, as each could be meant."""
    ends = []
    depth = 0
    for match in token.finditer(text):
        piece = match[0].strip() or " "
        if piece in {"(", "[", "{"}:
            if depth == 0 and piece == "[" and token is _PATH_TOKEN:
                ends.append(match.start())
            depth += 1
        elif piece in {")", "]", "}"}:
            depth -= 1
        elif depth == 0 and piece == ",":
            return
        elif depth == 0 and piece in {" ", ">", "+", "~", ".", "|"}:
            ends.append(match.start())
    for end in reversed(ends):
        leading = text[:end].strip()
        if leading not in {"", ":scope"}:
            yield leading
