"""The same crawl as a Scrapy user would write it: `scrapy runspider` with -a start=URL -a db=FILE.

Runs in an environment of its own; nothing of the project is imported.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from lxml import etree
from scrapy.http import HtmlResponse, Response

ITEMS_A_COMMIT = 100

# Everything that leads to another page; what is marked nofollow is not followed.
LINKS = (
    "//a[not(contains(concat(' ', normalize-space(@rel), ' '), ' nofollow '))]/@href | //area/@href | //iframe/@src"
    " | //frame/@src | //link[@rel='next' or @rel='prev']/@href"
)
DESCRIPTION = "//meta[@name='description']/@content", "//meta[@property='og:description']/@content"

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
BLANK_LINES = re.compile(r"\n{3,}")


class SqlitePipeline:
    """Stores pages, and each distinct URL found, a hundred items a commit."""

    def __init__(self, db: str) -> None:
        self.path = db
        self.items: list[dict[str, Any]] = []

    @classmethod
    def from_crawler(cls, crawler: Any) -> SqlitePipeline:
        return cls(crawler.spider.db)

    def open_spider(self) -> None:
        self.db = sqlite3.connect(self.path)
        self.db.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
            "CREATE TABLE page (url TEXT PRIMARY KEY, status INTEGER, title TEXT, description TEXT, lang TEXT,"
            " text TEXT);"
            "CREATE TABLE url (url TEXT PRIMARY KEY, found_on TEXT) WITHOUT ROWID"
        )

    def close_spider(self) -> None:
        self.commit()
        self.db.close()

    def process_item(self, item: dict[str, Any]) -> dict[str, Any]:
        self.items.append(item)
        if len(self.items) >= ITEMS_A_COMMIT:
            self.commit()
        return item

    def commit(self) -> None:
        self.db.executemany(
            "INSERT OR REPLACE INTO page VALUES (:url, :status, :title, :description, :lang, :text)", self.items
        )
        links = [(link, item["url"]) for item in self.items for link in item["links"]]
        self.db.executemany("INSERT OR IGNORE INTO url VALUES (?, ?)", links)
        self.db.commit()
        self.items.clear()


class PageSpider(scrapy.Spider):
    """Follows every link of the start page's origin, and reads every page."""

    name = "pages"
    custom_settings = {  # noqa: RUF012 - as Scrapy has it
        "ITEM_PIPELINES": {SqlitePipeline: 100},
        "ROBOTSTXT_OBEY": True,
        "DOWNLOAD_DELAY": 0,
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "INFO",
    }

    def __init__(self, start: str, db: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.first = start
        self.origin = "/".join(start.split("/")[:3]) + "/"
        self.db = db

    async def start(self) -> AsyncIterator[scrapy.Request]:
        yield scrapy.Request(self.first)

    def parse(self, response: Response) -> Iterator[Any]:
        if not isinstance(response, HtmlResponse):
            return
        links = find_links(response)
        yield {
            "url": response.url,
            "status": response.status,
            "title": collapsed(response.xpath("//title/text()").get()),
            "description": collapsed(next(filter(None, (response.xpath(path).get() for path in DESCRIPTION)), None)),
            "lang": response.xpath("/html/@lang").get(),
            "text": readable(response.selector.root),
            "links": links,
        }
        for link in links:
            if link.startswith(self.origin):
                yield scrapy.Request(link)


def find_links(response: HtmlResponse) -> list[str]:
    """Return the distinct targets, without fragments: Scrapy would otherwise make a request of each of them."""
    hrefs = {href.partition("#")[0].strip(): None for href in response.xpath(LINKS).getall()}
    found: dict[str, None] = {}
    for href in filter(None, hrefs):
        try:
            found[response.urljoin(href)] = None
        except ValueError:
            continue
    return list(found)


def collapsed(text: str | None) -> str | None:
    return " ".join(text.split()) or None if text else None


def readable(root: Any) -> str:
    """Return the text a reader sees: blocks on lines of their own, cells apart, white space kept only in `pre`."""
    text = Text()
    walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
    for event, element in walk:
        tag = element.tag
        if event == "start":
            if tag in UNREAD:
                walk.skip_subtree()
                continue
            text.begin(tag)
            if element.text:
                text.line.append(element.text)
        else:
            if event == "end":
                text.end(tag)
            if element.tail:
                text.line.append(element.tail)
    text.end_line()
    return BLANK_LINES.sub("\n\n", "\n".join(text.lines)).strip("\n")


class Text:
    """The lines so far, and the one that is being read."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.line: list[str] = []
        self.kept = 0

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
