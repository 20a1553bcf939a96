"""The numbers of hosts, remembered."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

HOSTS_REMEMBERED = 100_000  # names and numbers, about 20 MB


class HostIds:
    """Remembers the numbers of hosts, so that a page's links need no look-up."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, str], int] = {}

    def clear(self) -> None:
        """Forget all."""
        self._ids.clear()

    def resolve(self, db: sqlite3.Connection, crawl_id: int, hosts: Iterable[str]) -> dict[str, int]:
        """Return the number of each host, giving one to those that have none."""
        wanted = set(hosts)
        unknown = sorted(host for host in wanted if (crawl_id, host) not in self._ids)
        if unknown:
            if len(self._ids) > HOSTS_REMEMBERED:
                self._ids.clear()
                unknown = sorted(wanted)
            db.executemany(
                "INSERT INTO host (crawl_id, host) VALUES (?, ?) ON CONFLICT (crawl_id, host) DO NOTHING",
                [(crawl_id, host) for host in unknown],
            )
            rows = db.execute(
                "SELECT host, id FROM host WHERE crawl_id = ? AND host IN (SELECT value FROM json_each(?))",
                (crawl_id, json.dumps(unknown)),
            )
            self._ids.update({(crawl_id, host): number for host, number in rows})
        return {host: self._ids[crawl_id, host] for host in wanted}
