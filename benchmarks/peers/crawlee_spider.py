"""The same crawl as a Crawlee user would write it: `python crawlee_spider.py URL FILE CONCURRENCY [PAGES]`.

Runs in an environment of its own; nothing of the project is imported.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from typing import Any
from urllib.parse import urljoin

from bs4 import NavigableString
from crawlee import ConcurrencySettings
from crawlee.crawlers import BeautifulSoupCrawler, BeautifulSoupCrawlingContext
from crawlee.storage_clients import SqlStorageClient
from reading import HEADINGS, UNREAD, Text, collapsed

FOLLOWED = 'a[href]:not([rel~="nofollow"]), area[href], link[rel~="next"][href], link[rel~="prev"][href]'


async def main(start: str, db: str, concurrency: str, pages: str | None = None) -> None:
    """Crawl into one SQLite file: queue, state and data set are Crawlee's own tables in it."""
    warnings.simplefilter("ignore", UserWarning)  # that this storage is experimental
    async with SqlStorageClient(connection_string=f"sqlite+aiosqlite:///{db}") as storage:
        crawler = BeautifulSoupCrawler(
            storage_client=storage,
            concurrency_settings=ConcurrencySettings(
                desired_concurrency=int(concurrency), max_concurrency=int(concurrency)
            ),
            max_requests_per_crawl=int(pages) if pages else None,
            respect_robots_txt_file=True,
        )
        crawler.router.default_handler(read)
        await crawler.run([start])


async def read(context: BeautifulSoupCrawlingContext) -> None:
    """Store what the page says, follow its links."""
    if not context.http_response.headers.get("content-type", "").startswith("text/html"):
        return
    soup = context.soup
    url = (context.request.loaded_url or context.request.url).partition("#")[0]
    html = soup.find("html")
    await context.push_data({
        "url": url,
        "status": context.http_response.status_code,
        "title": collapsed(soup.title.string) if soup.title else None,
        "description": description(soup),
        "lang": html.get("lang") if html else None,
        "headings": headings(soup),
        "text": readable(soup),
        "links": list({
            urljoin(url, link["href"].partition("#")[0].strip()): None for link in soup.find_all("a", href=True)
        }),
    })
    await context.enqueue_links(selector=FOLLOWED, strategy="same-origin")


def description(soup: Any) -> str | None:
    found = soup.find("meta", attrs={"name": "description"}) or soup.find("meta", property="og:description")
    return collapsed(found.get("content")) if found else None


def headings(soup: Any) -> list[tuple[int, str]]:
    """Return the headings that are not empty: level and text, in document order."""
    texts = ((int(one.name[1]), collapsed(one.get_text())) for one in soup.find_all(HEADINGS))
    return [(level, text) for level, text in texts if text]


def readable(soup: Any) -> str:
    """Return the text a reader sees."""
    text = Text()
    open_tags = [(soup, iter(soup.contents))]
    while open_tags:
        tag, children = open_tags[-1]
        for child in children:
            if type(child) is NavigableString:
                text.line.append(child)
            elif not isinstance(child, NavigableString) and child.name not in UNREAD:
                text.begin(child.name)
                open_tags.append((child, iter(child.contents)))
                break
        else:
            text.end(tag.name)
            open_tags.pop()
    return text.whole()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
