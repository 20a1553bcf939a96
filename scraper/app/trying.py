"""One page, fetched and parsed as a crawl would, with nothing stored."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from scraper import urls
from scraper.app.fetching import ROBOTS_BYTES, opened_fetcher
from scraper.app.line import patterns_of
from scraper.config import Config
from scraper.errors import FetchError, ParseError
from scraper.fetch import Fetcher, Guard
from scraper.model import CrawlUrl, Kind, ParsedPage, Reason, Response, Verdict
from scraper.parse import ExplainedRule, Workers, wanted
from scraper.politeness import Robots, asking, product_token, unrestricted


@dataclasses.dataclass(frozen=True, slots=True)
class Tried:
    """What came of one URL; `reason` is None if it is a page."""

    url: str
    reason: Reason | None = None
    detail: str | None = None
    response: Response | None = None
    page: ParsedPage | None = None
    rules: tuple[ExplainedRule, ...] = ()

    def facts(self) -> Iterator[tuple[str, Any]]:
        """Yield what there is to know, name and value."""
        yield "url", self.url
        if self.reason is not None:
            yield "outcome", f"{self.reason.state}, {self.reason}: {self.detail or ''}"
        if self.response is not None:
            yield "status", self.response.status
            yield "type", self.response.content_type or "none"
            yield "took", f"{self.response.elapsed_ms:.0f} ms"
            if (location := self.response.header("location")) is not None:
                yield "location", location
        if (page := self.page) is not None:
            yield "charset", page.charset
            yield "bytes", page.size
            for name in ("title", "description", "lang"):
                yield name, getattr(page, name) or "none"
            yield (
                "links",
                f"{len(page.links)}, {sum(link.verdict is not None for link in page.links)} of them not to follow",
            )
            yield "records", len(page.records)

    def as_dict(self) -> dict[str, Any]:
        """The same for a program, with text and records."""
        facts = dict(self.facts())
        if self.page is not None:
            facts["text"] = self.page.text
            facts["links"] = [link.url for link in self.page.links]
            facts["headings"] = self.page.headings
            facts["records"] = [{"rule": r.rule, "position": r.position, "data": r.data} for r in self.page.records]
        facts["rules"] = [_explained(rule) for rule in self.rules]
        return facts


def _explained(rule: ExplainedRule) -> dict[str, Any]:
    made = [one._asdict() | {"fields": [field._asdict() for field in one.fields]} for one in rule.records]
    return rule._asdict() | {"records": made}


async def try_url(url: str, config: Config) -> Tried:
    """Fetch and parse one URL; robots.txt is obeyed as in a crawl, a failure is told, not retried. Raises UrlError."""
    target = urls.from_line(url)
    guard = Guard(config.fetch.allow_private, origins=(urls.host(target),))
    patterns = patterns_of(config.crawl)
    workers = Workers(
        config.parse,
        patterns,
        bodies=False,
        nofollow=config.politeness.nofollow,
        strip=patterns.strip,
        agent=product_token(config.fetch.user_agent),
        rules=config.crawl.rules,
        extractors=config.crawl.extractors,
    )
    async with opened_fetcher(config.fetch, guard, concurrency=1, clock=time.time) as fetcher:
        try:
            if (verdict := (await _robots(fetcher, target, config)).allows(target)) is not None:
                return Tried(target, *verdict)
            response = await fetcher.fetch(target, wanted=wanted)
        except FetchError as error:
            return Tried(target, error.reason, error.detail)
        if (reason := _no_page(response)) is not None:
            return Tried(target, *reason, response)
        async with workers:
            try:
                explained = await workers.explain(response) if config.crawl.rules else ()
                page = await workers.parse(response)
            except ParseError as error:
                return Tried(target, Reason.PARSE, error.detail, response)
            failed = None if page.failure is None else Reason.PARSE
            return Tried(target, failed, page.failure or response.note, response, page, explained)


async def _robots(fetcher: Fetcher, target: str, config: Config) -> Robots:
    if not config.politeness.robots:
        return unrestricted()

    async def fetch(url: CrawlUrl) -> Response:
        return await fetcher.fetch(url.url, limit=ROBOTS_BYTES)

    agent = product_token(config.fetch.user_agent)
    ask = asking(fetch, agent=agent, expiry=config.politeness.robots_expiry, clock=time.time)
    host = urls.host(target)
    return await ask(CrawlUrl(0, f"{host}/robots.txt", host, Kind.ROBOTS))


def _no_page(response: Response) -> Verdict | None:
    if 300 <= response.status < 400:
        return Verdict(Reason.PROTOCOL, f"{response.status}: a redirect; try its location")
    if response.status >= 400:
        return Verdict(Reason.HTTP_4XX, str(response.status))
    if not wanted(response.content_type):
        return Verdict(Reason.CONTENT_TYPE, response.content_type)
    return None
