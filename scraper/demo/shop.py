"""The shop as a server on loopback: pages, and the small troubles a crawl meets.

One page answers 503 to its first visitor, one takes its time, one address moved, one leads nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from scraper.demo.pages import ROBOTS, page, pages

if TYPE_CHECKING:  # a parse worker that imports the extractor needs no server
    from aiohttp import web

SLOW = 0.3  # seconds
RETRY_AFTER = 1  # seconds
SALE = "/category/teas"


@asynccontextmanager
async def serve(*, slow: float = SLOW) -> AsyncIterator[str]:
    """Serve a shop on a free port of 127.0.0.1 and give its address, without a slash at the end."""
    from aiohttp import web

    runner = web.ServerRunner(web.Server(_Shop(slow).answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class _Shop:
    """What one instance answers; it remembers whether it has been too busy once."""

    def __init__(self, slow: float) -> None:
        self._slow = slow
        self._pages = pages()
        self._was_busy = False

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        path = request.path_qs
        if path == "/robots.txt":
            return web.Response(text=ROBOTS)
        if path == "/sale":
            return web.Response(status=302, headers={"Location": SALE})
        if path == "/opening-hours" and not self._was_busy:
            self._was_busy = True
            busy = page("Too busy", "Come back in a second", "<h1>Too busy</h1>")
            return web.Response(
                status=503, text=busy, content_type="text/html", headers={"Retry-After": str(RETRY_AFTER)}
            )
        if path == "/gift-finder":
            await asyncio.sleep(self._slow)
        if path not in self._pages:
            lost = page("Not here", "There is no such page", "<h1>Not here</h1>")
            return web.Response(status=404, text=lost, content_type="text/html")
        return web.Response(text=self._pages[path], content_type="text/html")
