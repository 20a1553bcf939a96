"""Every setting by its dotted key, every option by its name, and whether a single value fits.

An option's name, in Python, on the command line and in the environment, is the field's name; the fields of `retry`,
`breaker`, `parse` and `store` bear their section's name in front (`retry_attempts`, `parse_workers`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, Literal, NamedTuple, get_args, get_origin

import msgspec

from scraper.config.sections import Config
from scraper.errors import ConfigError

_PREFIXED = ("retry", "breaker", "parse", "store")
_NAMES: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


class Setting(NamedTuple):
    """A value for a dotted key (`politeness.delay`), and where it came from (`file scraper.toml:12`)."""

    key: str
    value: Any
    origin: str


def _sections(section: type[msgspec.Struct], name: str) -> Iterator[tuple[str, type[msgspec.Struct]]]:
    yield name, section
    for field in msgspec.structs.fields(section):
        if isinstance(field.default, msgspec.Struct):
            yield from _sections(type(field.default), f"{name}.{field.name}".lstrip("."))


SECTIONS = dict(_sections(Config, ""))  # "" is the whole: its keys are the tables
TYPES: dict[str, Any] = {
    f"{name}.{field.name}": field.type
    for name, section in SECTIONS.items()
    for field in msgspec.structs.fields(section)
    if not isinstance(field.default, msgspec.Struct)
}


def _option(key: str) -> str:
    path, _, field = key.rpartition(".")
    section = path.rpartition(".")[2]
    return f"{section}_{field}" if section in _PREFIXED else field


OPTIONS = {_option(key): key for key in TYPES}


def is_list(key: str) -> bool:
    """Whether this key holds several values."""
    return get_origin(TYPES[key]) is tuple


def fitting(setting: Setting, *, text: bool = False) -> object:
    """Return the setting's value in its type; with `text`, a number or truth may be spelled out.

    Raises ConfigError, in one line with origin, key and reason.
    """
    path, _, field = setting.key.rpartition(".")
    try:
        section = msgspec.convert({field: setting.value}, SECTIONS[path], strict=not text)
    except msgspec.ValidationError:
        kind = TYPES[setting.key]
        lone = isinstance(setting.value, str) and is_list(setting.key)
        out = f": write [{_shown(setting.value)}]" if lone else ""
        why = f"{setting.key} must be {_expected(kind)}, not {_shown(setting.value)}{out}"
        raise ConfigError(f"{setting.origin}: {why}") from None
    except ConfigError as error:
        raise ConfigError(f"{setting.origin}: {path}.{error}") from None
    return getattr(section, field)


def built(settings: Iterable[Setting]) -> Config:
    """Return the Config that these values make: the last one given for a key, else its default."""
    tree: dict[str, Any] = {}
    for key, value, _ in settings:
        *path, field = key.split(".")
        table = tree
        for name in path:
            table = table.setdefault(name, {})
        table[field] = value
    return msgspec.convert(tree, Config)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name.lower().replace("-", "_"), known, n=1)), None)


def _expected(kind: object) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return "a list of texts"
    if isinstance(kind, UnionType):
        return _expected(get_args(kind)[0])
    return _NAMES[kind]


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
