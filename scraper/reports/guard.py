"""What a query may do: read the public views, by functions known to be harmless, within SQLite's own limits.

`mode=ro` is no sandbox (ATTACH writes other files), hence the authorizer and the limits (`open_reader` has set what
makes a stranger's schema harmless); the values are those of
https://sqlite.org/security.html, section 1, but for the length: it has to be the longest value that is stored, since
longer ones cannot be read. The guard keeps private tables private so that nobody builds on them, not as a secret: a CTE
that is named as a view is taken for it.
"""

from __future__ import annotations

import sqlite3

from scraper.errors import QueryError
from scraper.reports.bounded import Bounded

LONGEST_VALUE = 48 * 1024 * 1024  # bytes: a body of 16 MiB whose every byte became the three of a replacement
PUBLIC = ("crawls", "urls", "pages", "records", "links", "hosts", "rules", "versions")
ONLY_READING = "only reading is allowed: SELECT, or WITH and SELECT"

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LONGEST_VALUE,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 3,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 10,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 10,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
# fmt: off
_FUNCTIONS = frozenset({
    "->", "->>", "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "avg", "ceil", "ceiling", "char",
    "coalesce", "concat", "concat_ws", "cos", "cosh", "count", "cume_dist", "current_date", "current_time",
    "current_timestamp", "date", "datetime", "degrees", "dense_rank", "exp", "first_value", "floor", "format",
    "glob", "group_concat", "hex", "if", "ifnull", "iif", "instr", "json", "json_array", "json_array_length",
    "json_error_position", "json_extract", "json_group_array", "json_group_object", "json_insert", "json_object",
    "json_pretty", "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid",
    "julianday", "lag", "last_value", "lead", "length", "like", "likelihood", "likely", "ln", "log", "log10", "log2",
    "lower", "ltrim", "match", "max", "median", "min", "mod", "nth_value", "ntile", "nullif", "octet_length",
    "percent_rank", "percentile", "percentile_cont", "percentile_disc", "pi", "pow", "power", "printf", "quote",
    "radians", "random", "rank", "regexp", "replace", "round", "row_number", "rtrim", "sign", "sin", "sinh",
    "soundex", "sqlite_version", "sqrt", "strftime", "string_agg", "substr", "substring", "sum", "tan", "tanh",
    "time", "timediff", "total", "trim", "trunc", "typeof", "unhex", "unicode", "unistr", "unixepoch", "unlikely",
    "upper", "zeroblob",
})
# fmt: on


class Guard:
    """The rules for one query, and what they refused: the first refusal is the one to tell."""

    def __init__(self, public: dict[str, tuple[str, ...]], private: frozenset[str]) -> None:
        self.public = public  # the views by name, with their columns
        self.refused: list[str] = []
        self.functions = Bounded(self.refused.append, _LIMITS)
        self._private = private
        self._seen_a_view = False

    def __repr__(self) -> str:
        return f"<Guard public={sorted(self.public)} refused={self.refused}>"

    def authorize(
        self, action: int, first: str | None, second: str | None, _database: str | None, inside: str | None
    ) -> int:
        """Answer SQLite's question whether a statement may do this; `inside` names the view that does it."""
        if action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}:
            return sqlite3.SQLITE_OK
        why = self._objection(action, first or "", second or "", inside)
        if why is None:
            return sqlite3.SQLITE_OK
        self.refused.append(why)
        return sqlite3.SQLITE_DENY

    def _objection(self, action: int, first: str, second: str, inside: str | None) -> str | None:
        if action == sqlite3.SQLITE_READ:
            self._seen_a_view |= inside in self.public
            if first not in self._private or inside in self.public:
                return None
            # A table none of whose columns are used, as in count(*), is asked for without the view it is used by.
            if not second and self._seen_a_view:
                return None
            return f"{first} is private: read {self.names}"
        if action == sqlite3.SQLITE_FUNCTION:
            return None if second.lower() in _FUNCTIONS else f"the function {second} is not allowed"
        if action == sqlite3.SQLITE_UPDATE and first == "sqlite_master":
            # So SQLite asks when a table is named that exists without having been created: dbstat, pragma_table_info.
            return f"only reading is allowed, and only from {self.names}"
        return ONLY_READING

    @property
    def names(self) -> str:
        """The public views, as a sentence shows them."""
        return ", ".join(self.public)


def guarded(connection: sqlite3.Connection) -> Guard:
    """Put the connection under guard. It is good for nothing but queries afterwards, one at a time."""
    connection.set_authorizer(None)
    connection.set_progress_handler(None, 0)
    for touched in ("json_each", "json_tree"):  # made at their first use, which the guard would refuse
        connection.execute(f"SELECT 1 FROM {touched}('[]')").fetchall()  # noqa: S608 - two names from the line above
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    guard = Guard(_views(connection), frozenset(name for (name,) in tables))
    try:
        guard.functions.put_into(connection)
    except sqlite3.OperationalError as error:
        raise QueryError("the rows of the query before are still being read: close them first") from error
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    connection.set_authorizer(guard.authorize)
    return guard


def _views(connection: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """The views of the contract and their columns; others, which only a stranger can have made, stay what they are."""
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    return {view: _columns(connection, view) for view in PUBLIC if view in found}


def _columns(connection: sqlite3.Connection, view: str) -> tuple[str, ...]:
    try:
        return tuple(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (view,)))
    except sqlite3.OperationalError:  # a stranger's, that names what is not there: the query will tell, if it reads it
        return ()
