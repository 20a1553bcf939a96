"""Where settings come from: defaults < file < environment < command line; and the text in which a crawl keeps them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from scraper.config.file import file_settings
from scraper.config.sections import Config
from scraper.config.table import OPTIONS, TYPES, Setting, built, fitting, is_list, nearest
from scraper.errors import ConfigError
from scraper.printable import printable

_NONE: Mapping[str, Any] = MappingProxyType({})
_PREFIX = "SCRAPER_"
_NOT_SETTINGS = ("SCRAPER_DB",)  # the command line's own
_FLAGS = {"extractors": "extractor"}  # given once for each value


class Loaded(NamedTuple):
    """The effective settings; for each dotted key its origin; and the SCRAPER_ variables that name no setting."""

    config: Config
    origins: Mapping[str, str]
    ignored: tuple[str, ...] = ()

    def settings(self) -> Iterator[Setting]:
        """Yield every setting, in the order of the sections."""
        for key, value in _flat(self.config):
            yield Setting(key, value, self.origins[key])


def load(file: Path | None = None, environ: Mapping[str, str] = _NONE, options: Mapping[str, object] = _NONE) -> Loaded:
    """Return the settings that file, environment and options make, each overriding the ones before.

    A variable is SCRAPER_ and an option's name; an empty one counts as unset; a list's values are separated by blanks.
    An option that is None, or an empty tuple, is not given; a lone text stands for a list of one.
    Raises ConfigError with everything that is wrong, one line each: origin, key, what was expected.
    """
    problems: list[str] = []
    given = file_settings(file, problems) if file is not None else []
    given = _fit(given, problems)
    given += _fit(_variables(environ), problems, text=True)
    given += _fit(_options(options, problems), problems)
    if problems:
        raise ConfigError("\n".join(problems))
    origins = dict.fromkeys(TYPES, "default") | {setting.key: setting.origin for setting in given}
    return Loaded(built(given), origins, _ignored(environ))


def overlaid(kept: Config, given: Loaded) -> Config:
    """Return settings that were kept, with those over them that are given now (whose origin is not their default)."""
    settings = [Setting(key, value, "kept") for key, value in _flat(kept)]
    return built([*settings, *(setting for setting in given.settings() if setting.origin != "default")])


def to_json(config: Config) -> str:
    """Return every setting as JSON, to be kept with a crawl."""
    return msgspec.json.encode(config).decode()


def from_json(text: str) -> Config:
    """Return the settings kept with a crawl; keys that this version lacks are ignored, missing ones have their default.

    Raises ConfigError for what no version wrote.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"settings kept with the crawl: not JSON: {error}; start it afresh with --new") from None
    problems: list[str] = []
    kept = _fit(_kept(tree), problems)
    if problems:
        raise ConfigError("\n".join(f"{printable(problem)}; start it afresh with --new" for problem in problems))
    return built(kept)


def _fit(settings: Iterable[Setting], problems: list[str], *, text: bool = False) -> list[Setting]:
    """Return the settings that fit, in their types; add what is wrong with the others to `problems`."""
    fit = []
    for setting in settings:
        try:
            fit.append(setting._replace(value=fitting(setting, text=text)))
        except ConfigError as error:
            problems.append(str(error))
    return fit


def _variables(environ: Mapping[str, str]) -> Iterator[Setting]:
    for option, key in OPTIONS.items():
        name = _PREFIX + option.upper()
        if text := environ.get(name, "").strip():
            yield Setting(key, text.split() if is_list(key) else text, f"environment {name}")


def _ignored(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = {_PREFIX + option.upper() for option in OPTIONS}.union(_NOT_SETTINGS)
    return tuple(sorted(name for name in environ if name.startswith(_PREFIX) and name not in known))


def _options(options: Mapping[str, object], problems: list[str]) -> Iterator[Setting]:
    for option, value in options.items():
        if option not in OPTIONS:
            match = nearest(option, OPTIONS)
            meant = f": did you mean {match}?" if match else f"; known: {', '.join(OPTIONS)}"
            problems.append(f"unknown option {option}{meant}")
        elif value is not None and value != ():
            key = OPTIONS[option]
            flag = f"--{'no-' if value is False else ''}{_FLAGS.get(option, option).replace('_', '-')}"
            several = (value,) if isinstance(value, str) and is_list(key) else value
            yield Setting(key, several, f"command line {flag}")


def _flat(config: Config) -> Iterator[tuple[str, Any]]:
    for key in TYPES:
        value: Any = config
        for name in key.split("."):
            value = getattr(value, name)
        yield key, value


def _kept(tree: object) -> Iterator[Setting]:
    for key in TYPES:
        value = tree
        for name in key.split("."):
            value = value.get(name, msgspec.UNSET) if isinstance(value, dict) else msgspec.UNSET
        if value is not msgspec.UNSET:
            yield Setting(key, value, "settings kept with the crawl")
