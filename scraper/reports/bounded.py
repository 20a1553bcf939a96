"""SQLite's own functions that one call of can keep busy for minutes, with bounds on what makes them slow.

No deadline reaches into a function: `printf('%.2000000000c', 'x')` counts to two thousand million; `instr` and
`replace` compare every place with a whole text, `trim` an end with each of its characters. Within bounds a call goes to
SQLite as it is, on another connection. With `trusted_schema` off no view can use them.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Callable

Value = str | bytes | int | float | None

LONGEST_PATTERN = 200  # characters to look for
MOST_TRIMMED = 20_000_000  # characters of the text times characters to trim: 0.1 s
LONGEST_FORMAT = 10_000  # characters
_ENDLESS = re.compile(r"%[^a-zA-Z%]*(?:\*|[0-9]{5})")  # a width or precision above 9,999, or one that is computed

_PATTERNS = (("instr", 2), ("replace", 3))
_TRIMS = ("trim", "ltrim", "rtrim")
_FORMATS = ("printf", "format")


class Bounded:
    """The functions for one query; `refuse` is told why a call was not made."""

    def __init__(self, refuse: Callable[[str], None], limits: dict[int, int]) -> None:
        self._refuse = refuse
        self._limits = limits
        self._plain: sqlite3.Connection | None = None

    def __repr__(self) -> str:
        return f"<Bounded {'open' if self._plain else 'closed'}>"

    def put_into(self, connection: sqlite3.Connection) -> None:
        """Replace the functions of a connection. Fails while one of its statements runs."""
        for name, count in _PATTERNS:
            connection.create_function(name, count, self._looking_for(name), deterministic=True)
        for name in _TRIMS:
            connection.create_function(name, 2, self._trimming(name), deterministic=True)
        for name in _FORMATS:
            connection.create_function(name, -1, self._formatting(name), deterministic=True)

    def close(self) -> None:
        """Close what was opened for the calls; it is opened again when it is needed."""
        if self._plain is not None:
            self._plain.close()
            self._plain = None

    def _looking_for(self, name: str) -> Callable[..., Value]:
        def call(*values: Value) -> Value:
            if isinstance(values[1], (str, bytes)) and len(values[1]) > LONGEST_PATTERN:
                raise self._refused(f"{name} looks for at most {LONGEST_PATTERN} characters")
            return self._call(name, values)

        return call

    def _trimming(self, name: str) -> Callable[..., Value]:
        def call(*values: Value) -> Value:
            text, trimmed = values
            sizes = [len(value) for value in (text, trimmed) if isinstance(value, (str, bytes))]
            if min(sizes, default=0) > 1 and math.prod(sizes) > MOST_TRIMMED:
                raise self._refused(f"{name} takes only one character off a text of this length")
            return self._call(name, values)

        return call

    def _formatting(self, name: str) -> Callable[..., Value]:
        def call(*values: Value) -> Value:
            form = values[0] if values else None
            if isinstance(form, (str, bytes)) and len(form) > LONGEST_FORMAT:
                raise self._refused(f"{name} takes a format of at most {LONGEST_FORMAT:,} characters")
            if _ENDLESS.search(form.decode("latin-1") if isinstance(form, bytes) else str(form)):
                raise self._refused(f"{name} takes no width above 9,999, and no computed one")
            return self._call(name, values)

        return call

    def _call(self, name: str, values: tuple[Value, ...]) -> Value:
        if self._plain is None:
            self._plain = sqlite3.connect(":memory:", check_same_thread=False)
            for limit, value in self._limits.items():
                self._plain.setlimit(limit, value)
        sql = f"SELECT {name}({', '.join('?' * len(values))})"
        try:
            (value,) = self._plain.execute(sql, values).fetchone()
        except sqlite3.Error as error:
            raise self._refused(str(error)) from error
        return value  # type: ignore[no-any-return]  # SQLite knows five types

    def _refused(self, why: str) -> ValueError:
        # Any exception ends the query, but SQLite's message for it is always the same.
        self._refuse(why)
        return ValueError(why)
