"""How robots.txt is asked for: up to five redirects, also to other hosts (RFC 9309, section 2.3.1.2)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable

from scraper import urls
from scraper.errors import UrlError
from scraper.model import CrawlUrl, Response
from scraper.politeness.retry import Fetch
from scraper.politeness.robots import Robots, judge_robots

REDIRECTS_FOLLOWED = 5


def asking(
    fetch: Fetch, *, agent: str, expiry: float, clock: Callable[[], float]
) -> Callable[[CrawlUrl], Awaitable[Robots]]:
    """Turn a fetch into a question for a host's rules; `expiry` seconds they hold. Raises what the fetch raises."""

    async def ask(url: CrawlUrl) -> Robots:
        for _ in range(REDIRECTS_FOLLOWED + 1):
            response = await fetch(url)
            target = _target(url, response)
            if target is None:
                break
            url = dataclasses.replace(url, url=target)
        # After too many redirects the file counts as unavailable, which allows all, as a 404 does.
        # The longest take most of a second to read.
        return await asyncio.to_thread(judge_robots, response, agent=agent, now=clock(), expiry=expiry)

    return ask


def _target(url: CrawlUrl, response: Response) -> str | None:
    location = response.header("location")
    if not 300 <= response.status < 400 or location is None:
        return None
    try:
        target = urls.canonical(location, url.url)
    except UrlError:
        return None
    return target if urls.is_web(target) else None
