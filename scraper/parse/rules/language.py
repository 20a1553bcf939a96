"""The language that a rule's selectors are in: CSS, JMESPath, or either; found by reading all of them."""

from __future__ import annotations

from scraper.parse.rules.mistakes import Mistakes
from scraper.parse.rules.places import Path
from scraper.parse.rules.rule import Selector
from scraper.parse.rules.selector import Judged, judge


class Languages:
    """Reads the selectors of one rule and remembers in which languages each is valid."""

    def __init__(self, mistakes: Mistakes, document: str | None) -> None:
        self.mistakes = mistakes
        self._document = document
        self._judged: list[tuple[Path, str, Judged]] = []

    def selectors(self, given: object, path: Path, key: str, *, text: bool = True) -> tuple[Selector, ...]:
        """Read a selector or a list of them; without `text`, `::text` is a mistake."""
        many = given if isinstance(given, list) else [given]
        if not many:
            self.mistakes.add(path, f"{key} is an empty list")
        found = []
        for position, one in enumerate(many):
            place = (*path, position) if isinstance(given, list) else path
            if isinstance(one, str):
                judged = self._judge(one, place, key)
                if judged.is_text and not text:
                    self.mistakes.add(place, f"{key} is for links; `::text` is none, `::attr(name)` can be")
                found.append(judged.selector)
            else:
                self.mistakes.add(place, f"{key} must be a selector or a list of them, not {one!r}")
        return tuple(found)

    def elements(self, given: object, path: Path, key: str) -> tuple[Selector, ...]:
        """Read a selector or a list of them that stand for elements, not for what is in them."""
        found = self.selectors(given, path, key)
        if any(where[: len(path)] == path and (one.is_text or one.selector.attr) for where, _, one in self._judged):
            self.mistakes.add(path, f"{key} is for elements: leave out what begins with `::`, and write it in a field")
        return found

    def decide(self) -> tuple[bool, bool]:
        """Tell whether the rule is for HTML pages, and whether for JSON documents; a rule for neither is a mistake."""
        no_css = [(path, key, one) for path, key, one in self._judged if one.not_css]
        no_json = [(path, key, one) for path, key, one in self._judged if one.not_json]
        html = self._document != "json" and not no_css
        json = self._document != "html" and not no_json
        if html or json:
            return html, json
        # The language of most of its selectors is the one that was meant.
        as_css = self._document == "html" or (self._document is None and len(no_css) <= len(no_json))
        for path, key, one in no_css if as_css else no_json:
            self.mistakes.add(
                path, f"{key} `{' '.join(one.selector.text.split())}` is no {_reason(one, as_css=as_css)}"
            )
        return False, False

    def _judge(self, given: str, path: Path, key: str) -> Judged:
        judged = judge(given)
        self._judged.append((path, key, judged))
        return judged


def _reason(judged: Judged, *, as_css: bool) -> str:
    if not as_css:
        return f"JMESPath: {judged.not_json}"
    other = " (it is JMESPath, while the rule's other selectors are CSS)" if judged.not_json is None else ""
    return f"CSS selector: {judged.not_css}{other}"
