"""What did a run store? Its pages by URL, and whether those of two runs are the same and read alike."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

FIELDS = ("title", "description", "lang", "text", "headings")

Found = dict[str, dict[str, bytes]]  # by URL, by field: the digest of its value, which is enough to compare


def stored(place: Path) -> Found:
    """Read a database with tables or views `pages` and `records`; a field that its pages lack is left out."""
    with closing(_opened(place)) as db:
        rows = db.execute("SELECT * FROM pages")
        has = {column[0] for column in rows.description}
        fields = [name for name in FIELDS if name in has]
        found = {row["url"]: _digests({name: row[name] for name in fields}) for row in rows}
        records: dict[str, list[Any]] = {}
        for url, *record in db.execute("SELECT url, rule, data FROM records ORDER BY url, rule, position"):
            values = {name: value for name, value in json.loads(record[1]).items() if value}
            if values:  # whether nothing found is a record or none is a matter of taste
                records.setdefault(url, []).append([record[0], values])
        for url, those in records.items():
            found.setdefault(url, {})["records"] = _digest(those)
        return found


def pushed(place: Path) -> Found:
    """Read Crawlee's data set."""
    with closing(_opened(place)) as db:
        items = [json.loads(row["data"]) for row in db.execute("SELECT data FROM dataset_records")]
    return {item["url"]: _digests({name: item[name] for name in FIELDS}) for item in items}


def differences(name: str, ours: Found, other: str, theirs: Found, *, cut: bool = False) -> Iterator[str]:
    """Yield what is to be said of two results: whether the pages are the same ones, and read alike.

    The other one's may be `cut`: then they must be among ours.
    """
    ours, theirs = _spelled(ours), _spelled(theirs)
    missing, extra = theirs.keys() - ours.keys(), set() if cut else ours.keys() - theirs.keys()
    if missing or extra:
        yield f"NOT THE SAME PAGES: {name} {len(ours)}, {other} {len(theirs)}"
        for who, urls in ((other, missing), (name, extra)):
            yield from (f"  only {who}: {url}" for url in sorted(urls)[:5])
        return
    fields = [field for field in (*FIELDS, "records") if any(field in page for page in ours.values())]
    fields = [field for field in fields if any(field in page for page in theirs.values())]
    counts = {field: sum(ours[url].get(field) == page.get(field) for url, page in theirs.items()) for field in fields}
    alike = sum(all(ours[url].get(field) == page.get(field) for field in fields) for url, page in theirs.items())
    told = ", ".join(f"{field} {count}" for field, count in counts.items())
    yield f"{name} and {other}: {'of ' if cut else ''}the same {len(theirs)} pages; all agree on {alike} ({told})"


def same(ours: Found, theirs: Found, *, cut: bool) -> bool:
    """Are the pages of both the same ones, or if theirs are `cut`, among ours?"""
    ours, theirs = _spelled(ours), _spelled(theirs)
    return theirs.keys() <= ours.keys() if cut else theirs.keys() == ours.keys()


def _spelled(found: Found) -> Found:
    """Spell URLs in one way: where a link says %3D, we and Scrapy keep it, Crawlee makes = of it."""
    return {unquote(url): page for url, page in found.items()}


def _opened(place: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{(place / 'pages.db').as_uri()}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return db


def _digests(fields: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: _digest(_value(name, value)) for name, value in fields.items()}


def _value(name: str, value: Any) -> Any:
    return json.loads(value) if name == "headings" and isinstance(value, str) else value


def _digest(value: Any) -> bytes:
    return sha256(json.dumps(value, sort_keys=True).encode()).digest()
