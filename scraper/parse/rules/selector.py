"""A selector as it is written in a rules file, in both languages: compiled, and checked before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from scraper.parse.rules.rule import Selector
from scraper.parse.rules.standard import standard

_ITSELF = frozenset({"", ".", ":scope"})
_PART = re.compile(r"::\s*(?:(?P<text>text)|attr\(\s*(?P<quote>['\"]?)(?P<name>[^()'\"\s]+)(?P=quote)\s*\))\s*(?=,|$)")
_STRING_OR_CONTAINS = re.compile(r"\"[^\"]*\"|'[^']*'|:contains\(")
_LONGEST_REASON = 160  # characters


class Judged(NamedTuple):
    """A selector, why it is no CSS, why it is no JMESPath, and whether it ends in `::text`."""

    selector: Selector
    not_css: str | None
    not_json: str | None
    is_text: bool


def judge(text: str) -> Judged:
    """Compile a selector. `::text` is what a field gives anyway: the readable text, of all that is in the element."""
    css, attr, is_text, wrong = _split(text.strip())
    not_css = "it is empty" if not text.strip() else wrong or _no_css(css)
    path, not_json = _json_path("@" if text.strip() == "." else text)
    if not not_css and path is not None and path.parsed["type"] == "comparator":
        path, not_json = None, "it compares, where CSS has a child"  # `div > p`
    direct = standard(css) if css and not not_css else None
    return Judged(Selector(text, None if not_css else css, direct, attr, path), not_css, not_json, is_text)


def _split(text: str) -> tuple[str, str | None, bool, str | None]:
    """Return the CSS, the attribute's name, whether it is `::text`, and what is wrong with what stands behind `::`."""
    parts = list(_PART.finditer(text))
    named = {(part["text"], part["name"]) for part in parts}
    css = _PART.sub("", text).strip()
    if len(named) > 1:
        return css, None, False, "it gives several things; write a list of selectors"
    if parts and parts[-1].end() != len(text):
        return css, None, False, f"what stands behind the comma lacks {parts[-1][0].strip()}"
    css = "" if css in _ITSELF else _STRING_OR_CONTAINS.sub(_today, css)
    if css.startswith(">"):
        css = f":scope {css}"  # as in :has(> a)
    attr = parts[0]["name"] if parts else None
    return css, attr, bool(parts and not attr), None


def _today(match: re.Match[str]) -> str:
    """Write `:contains` as soupsieve does now; CSS never had it."""
    return ":-soup-contains(" if match[0] == ":contains(" else match[0]


def _no_css(css: str) -> str | None:
    import soupsieve

    if not css:
        return None
    try:
        soupsieve.compile(css)
    except NotImplementedError:
        return "after `::` only text and attr(name) are known"
    except RecursionError:
        return "it is nested too deep"
    except (ValueError, TypeError, soupsieve.SelectorSyntaxError) as error:
        return _short(str(error).partition("\n")[0].partition(". If the syntax")[0])
    return None


def _json_path(text: str) -> tuple[Any, str | None]:
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        path = jmespath.compile(text)
        wrong = next(_wrong_calls(path.parsed), None)
    except RecursionError:
        return None, "it is nested too deep"
    except (JMESPathError, ValueError, TypeError) as error:
        return None, _short(str(error).partition("\n")[0].partition(", for expression")[0])
    return (None, wrong) if wrong else (path, None)


def _wrong_calls(node: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with calls of functions, which jmespath itself looks at only when it comes by one."""
    from jmespath.functions import Functions

    if node["type"] == "function_expression":
        known = Functions.FUNCTION_TABLE.get(node["value"])
        given = len(node["children"])
        if known is None:
            yield f"it has no function {node['value']}()"
        else:
            signature = known["signature"]
            variadic = bool(signature and signature[-1].get("variadic"))
            if given != len(signature) and not (variadic and given > len(signature)):
                yield f"{node['value']}() takes {len(signature)} arguments, not {given}"
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _wrong_calls(child)


def _short(text: str) -> str:
    text = text.strip().rstrip(":.")
    return text if len(text) <= _LONGEST_REASON else f"{text[: _LONGEST_REASON - 1]}…"
