"""The TOML file: its settings, each with its line, or what is wrong with it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scraper.config.table import SECTIONS, TYPES, Setting, nearest
from scraper.errors import ConfigError

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def file_settings(file: Path, problems: list[str]) -> list[Setting]:
    """Return what the file sets; each unknown key and table is added to `problems`, as one line.

    Raises ConfigError if it cannot be read at all: missing, a folder, not UTF-8, not TOML.
    """
    text = _text(file)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_syntax(file, text, str(error))) from None
    lines = _lines(text)
    found = []
    for key, value, problem in _walk(table, ""):
        origin = f"file {file}:{lines.get(key, 1)}"
        if problem:
            problems.append(f"{origin}: {problem}")
        else:
            found.append(Setting(key, value, origin))
    return found


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except FileNotFoundError:
        why = "no such file; name an existing one, or begin with a copy of config.example.toml"
    except IsADirectoryError:
        why = "a folder; name a TOML file in it"
    except UnicodeDecodeError as error:
        why = f"not UTF-8 text (byte {error.start + 1}); save it as UTF-8"
    except (OSError, ValueError) as error:
        why = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise ConfigError(f"file {file}: {why}")


def _syntax(file: Path, text: str, message: str) -> str:
    place = _PLACE.search(message)
    line = place[1] if place and place[1] else text.rstrip("\n").count("\n") + 1
    column = f", column {place[2]}" if place and place[2] else ""
    return f"file {file}:{line}: not TOML: {_PLACE.sub('', message)}{column}"


def _walk(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any, str | None]]:
    """Yield key, value, and what is wrong with the key."""
    for name, value in table.items():
        key = f"{path}.{name}" if path else name
        if key in SECTIONS and isinstance(value, dict):
            yield from _walk(value, key)
        elif key in SECTIONS:
            yield key, value, f"{key} is a table: write [{key}], and its keys on lines of their own"
        elif key in TYPES:
            yield key, value, None
        else:
            yield key, value, _unknown(name, path, is_table=isinstance(value, dict))


def _unknown(name: str, path: str, *, is_table: bool) -> str:
    """Name the nearest that is known: beside it, else wherever a key of that name stands."""
    full = f"{path}.{name}".lstrip(".")
    beside = {
        key.rpartition(".")[2]: key for key in (SECTIONS if is_table else TYPES) if key.rpartition(".")[0] == path
    }
    beside.pop("", None)
    what = f"unknown table [{full}]" if is_table else f"unknown key {full}"
    if match := nearest(name, beside):
        return f"{what}: did you mean {f'[{beside[match]}]' if is_table else match}?"
    anywhere = {key.rpartition(".")[2]: key for key in TYPES}
    if not is_table and (match := nearest(name, anywhere)):
        return f"{what}: did you mean {match} in [{anywhere[match].rpartition('.')[0]}]?"
    if beside and path:
        return f"{what}; known here: {', '.join(beside)}"
    return f"{what}; known tables: {', '.join(key for key in SECTIONS if key)}"


def _lines(text: str) -> dict[str, int]:
    """Return the line on which each key and table of a valid file first stands.

    tomllib tells lines for errors only. A statement ends with the first line that makes it valid under its table's
    header; every key it adds stands on its first line.
    """
    lines: dict[str, int] = {}
    header = ""
    statement: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        statement.append(line)
        source = "\n".join(statement)
        if source.lstrip().startswith("["):
            header, source = source, ""
        try:
            table = tomllib.loads(f"{header}\n{source}")
        except tomllib.TOMLDecodeError:
            continue  # a value of several lines goes on
        for key in _keys(table, ""):
            lines.setdefault(key, number - len(statement) + 1)
        statement.clear()
    return lines


def _keys(table: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, value in table.items():
        key = f"{path}.{name}" if path else name
        yield key
        if isinstance(value, dict):
            yield from _keys(value, key)
