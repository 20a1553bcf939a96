"""What is read of a page, for every peer: plain functions, fed by the walk over a peer's own tree.

The rules of the readable text are ours: blocks on lines of their own, cells apart, white space kept only in `pre`.
"""

from __future__ import annotations

import re

BLOCKS = frozenset((
    *("address", "article", "aside", "blockquote", "body", "br", "caption", "center", "dd", "details", "dialog", "dir"),
    *("div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frameset", "h1", "h2", "h3", "h4"),
    *("h5", "h6", "header", "hgroup", "hr", "html", "legend", "li", "listing", "main", "menu", "nav", "ol"),
    *("optgroup", "option", "p", "plaintext", "search", "section", "select", "summary", "table", "tbody", "tfoot"),
    *("thead", "tr", "ul", "xmp"),
))
ENDED = BLOCKS - {"br", "hr"}
CELLS = frozenset(("td", "th"))
UNREAD = frozenset(("head", "iframe", "noembed", "noframes", "noscript", "script", "style", "template", "title"))
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
BLANK_LINES = re.compile(r"\n{3,}")


def collapsed(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


class Text:
    """The lines so far, and the one that is being read: what it is made of is appended to `line`."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.kept = 0

    def whole(self) -> str:
        self.end_line()
        return BLANK_LINES.sub("\n\n", "\n".join(self.lines)).strip("\n")

    def begin(self, tag: str) -> None:
        if tag == "br" and self.kept:
            self.line.append("\n")
        elif tag in BLOCKS:
            self.end_line()
        elif tag in CELLS:
            self.line.append(" ")
        elif tag == "pre":
            self.end_line()
            self.kept += 1

    def end(self, tag: str) -> None:
        if tag in ENDED:
            self.end_line()
        elif tag in CELLS:
            self.line.append(" ")
        elif tag == "pre":
            self.end_line()
            self.kept -= 1

    def end_line(self) -> None:
        if not self.line:
            return
        text = "".join(self.line)
        self.line.clear()
        if self.kept:
            self.lines.append("\n".join(row.rstrip() for row in text.split("\n")).strip("\n"))
        else:
            self.lines.append(" ".join(text.split()))
        if not self.lines[-1]:
            self.lines.pop()
