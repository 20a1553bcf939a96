"""Rows with the names of their columns, read while they are used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """What a query or an export gives. `rows` can be read once; `json` names the columns that hold JSON text."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]
    json: frozenset[str] = frozenset()
