"""How robots.txt is asked for: up to five redirects, also to other hosts (RFC 9309, section 2.3.1.2)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from functools import partial

from scraper import urls
from scraper.errors import UrlError
from scraper.model import CrawlUrl, Response
from scraper.politeness.retry import Fetch
from scraper.politeness.robots import Robots, judge_robots

REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECTS_FOLLOWED = 5
SMALL = 8 * 1024  # bytes; what is longer is read in a thread


async def _at_once(_: CrawlUrl) -> None:
    """No wait."""


def asking(
    fetch: Fetch,
    *,
    agent: str,
    expiry: float,
    clock: Callable[[], float],
    wait: Callable[[CrawlUrl], Awaitable[None]] = _at_once,
) -> Callable[[CrawlUrl], Awaitable[Robots]]:
    """Turn a fetch into a question for a host's rules; `expiry` seconds they hold. Raises what the fetch raises.

    A sixth redirect, one without a target and one to what is not http(s) count as "unavailable", which allows all, as a
    404 does; a circle is followed as far, for the same URL may answer at last. `wait` is awaited before each redirect
    is followed, with the target as URL and its own host, to keep that host's distance. The fetch is told the host whose
    rules are asked for: if they cannot be had, the failure is that one's.
    """

    async def ask(url: CrawlUrl) -> Robots:
        hop = url.url
        response = await fetch(url)
        for _ in range(REDIRECTS_FOLLOWED):
            target = _target(hop, response)
            if target is None:
                break
            hop = target
            await wait(dataclasses.replace(url, url=hop, host=urls.host(hop)))
            response = await fetch(dataclasses.replace(url, url=hop))

        judge = partial(judge_robots, response, agent=agent, now=clock(), expiry=expiry, base=url.url)
        return judge() if len(response.body) <= SMALL else await asyncio.to_thread(judge)

    return ask


def _target(url: str, response: Response) -> str | None:
    """Where a response redirects to; None if nowhere we could ask."""
    location = response.header("location")
    if response.status not in REDIRECTS or location is None:
        return None
    try:
        target = urls.canonical(location, url)
    except UrlError:
        return None
    return target if urls.is_web(target) else None
