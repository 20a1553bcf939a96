"""Signs of life while a crawl is worked on, also when nothing is committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from scraper.errors import StoreError
from scraper.model import Crawl
from scraper.store import HEARTBEAT, Store

log = logging.getLogger(__name__)


@asynccontextmanager
async def kept_alive(store: Store, crawl: Crawl, stop: Callable[[], None]) -> AsyncIterator[None]:
    """Renew the lease while the block runs; once it is lost, call `stop`."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                await store.renew(crawl, now=time.time())
            except StoreError as error:
                log.error("crawl %s stops: %s", crawl.name, error)  # noqa: TRY400 - told, not traced
                stop()
                return

    keeper = asyncio.create_task(keep(), name="lease")
    try:
        yield
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
