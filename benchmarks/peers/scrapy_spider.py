"""The same crawl as a Scrapy user would write it: `scrapy runspider` with -a start=URL -a db=FILE [-a rules=JSON].

Runs in an environment of its own; nothing of the project is imported.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Any

import scrapy
from lxml import etree
from reading import HEADINGS, UNREAD, Text, collapsed
from scrapy.http import HtmlResponse, Response

ITEMS_A_COMMIT = 100

# Everything that leads to another page; what is marked nofollow is not followed.
LINKS = (
    "//a[not(contains(concat(' ', normalize-space(@rel), ' '), ' nofollow '))]/@href | //area/@href | //iframe/@src"
    " | //frame/@src | //link[@rel='next' or @rel='prev']/@href"
)
DESCRIPTION = "//meta[@name='description']/@content", "//meta[@property='og:description']/@content"


class SqlitePipeline:
    """Stores pages, their records, and each distinct URL found, a hundred items a commit."""

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
            "CREATE TABLE pages (url TEXT PRIMARY KEY, status INTEGER, title TEXT, description TEXT, lang TEXT,"
            " headings TEXT, text TEXT);"
            "CREATE TABLE records (url TEXT, rule TEXT, position INTEGER, data TEXT,"
            " PRIMARY KEY (url, rule, position)) WITHOUT ROWID;"
            "CREATE TABLE urls (url TEXT PRIMARY KEY, found_on TEXT) WITHOUT ROWID"
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
            "INSERT OR REPLACE INTO pages VALUES (:url, :status, :title, :description, :lang, :headings, :text)",
            self.items,
        )
        records = [(item["url"], rule, 0, data) for item in self.items for rule, data in item["records"]]
        self.db.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", records)
        links = [(link, item["url"]) for item in self.items for link in item["links"]]
        self.db.executemany("INSERT OR IGNORE INTO urls VALUES (?, ?)", links)
        self.db.commit()
        self.items.clear()


class PageSpider(scrapy.Spider):
    """Follows every link of the start page's origin, and reads every page; `rules` are CSS selectors by name."""

    name = "pages"
    custom_settings = {  # noqa: RUF012 - as Scrapy has it
        "ITEM_PIPELINES": {SqlitePipeline: 100},
        "ROBOTSTXT_OBEY": True,
        "DOWNLOAD_DELAY": 0,
        "COOKIES_ENABLED": False,
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "INFO",
    }

    def __init__(self, start: str, db: str, rules: str = "{}", **arguments: Any) -> None:
        super().__init__(**arguments)
        self.first = start
        self.origin = "/".join(start.split("/")[:3]) + "/"
        self.db = db
        self.rules: dict[str, str] = json.loads(rules)

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
            "headings": json.dumps(headings(response.selector.root), ensure_ascii=False),
            "text": readable(response.selector.root),
            "records": [(rule, record(rule, css, response)) for rule, css in self.rules.items()],
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


def record(name: str, css: str, response: HtmlResponse) -> str:
    """Return what a rule finds as JSON: the attributes it names, or the texts of the elements."""
    found = response.css(css)
    values = found.getall() if "::" in css else [collapsed(one.xpath("string()").get()) or "" for one in found]
    return json.dumps({name: values}, ensure_ascii=False)


def headings(root: Any) -> list[tuple[int, str]]:
    """Return the headings that are not empty: level and text, in document order."""
    texts = ((int(one.tag[1]), collapsed(one.xpath("string()"))) for one in root.iter(*HEADINGS))
    return [(level, text) for level, text in texts if text]


def readable(root: Any) -> str:
    """Return the text a reader sees."""
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
    return text.whole()
