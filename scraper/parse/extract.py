"""Extractors: the user's functions that make records of pages. How they are marked, found, loaded and run."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import re
import sys
import traceback
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from functools import lru_cache, update_wrapper
from hashlib import blake2b
from pathlib import Path
from types import ModuleType
from typing import Any

from scraper.errors import ConfigError, ParseError
from scraper.model import Record
from scraper.parse.page import Page
from scraper.parse.plain import as_fields, plain

LONGEST_TRACEBACK = 2_000  # characters kept of an extractor's failure


class Extractor:
    """A function over pages, and which pages; calling it calls the function."""

    def __init__(self, name: str, match: str | None, function: Callable[[Page], Any]) -> None:
        update_wrapper(self, function)
        self.name = name
        self.match = match
        self.function = function
        _pattern(match)  # an expression that cannot be compiled is said where it stands

    def __repr__(self) -> str:
        return f"<Extractor {self.name}>"

    def __call__(self, page: Page) -> object:
        """Call the function."""
        return self.function(page)

    def takes(self, url: str) -> bool:
        """Tell whether the page of this URL is one for the extractor."""
        pattern = _pattern(self.match)
        return pattern is None or pattern(url) is not None


def extractor(match: str | None = None, name: str | None = None) -> Callable[[Callable[[Page], Any]], Extractor]:
    """Mark a function that makes records of pages whose URL matches: a glob with `*`, or `re:` and an expression.

    It yields (or returns) dicts, dataclasses, msgspec Structs or pydantic models. `name` is the records' rule, the
    function's own name if not given. Raises ConfigError for an expression that cannot be compiled.
    """
    if callable(match):
        raise ConfigError("write @extractor() with brackets: it takes the URLs it is for")

    def mark(function: Callable[[Page], Any]) -> Extractor:
        return Extractor(name or function.__name__, match, function)

    return mark


@lru_cache(maxsize=256)
def _pattern(match: str | None) -> Callable[[str], re.Match[str] | None] | None:
    if match is None:
        return None
    expression = match.removeprefix("re:")
    try:
        if expression != match:
            return re.compile(expression).search
        return re.compile(".*".join(map(re.escape, match.split("*"))), re.DOTALL).fullmatch
    except re.error as error:
        raise ConfigError(f"extractor match {match!r}: {error}") from None


def load_all(specs: Iterable[str | Callable[[Page], Any]]) -> tuple[Extractor, ...]:
    """Return the extractors that specs and functions name; raises ConfigError if two share a name."""
    found: list[Extractor] = []
    for spec in specs:
        if isinstance(spec, str):
            found.extend(load(spec))
        else:
            found.append(_as_extractor(spec, str(getattr(spec, "__name__", spec))))
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two extractors are named {name!r}; give one of them another: @extractor(name=...)")
    return tuple(found)


def load(spec: str) -> tuple[Extractor, ...]:
    """Return the extractors of `module:NAME` or `path/file.py:NAME`, without NAME all that are marked in it.

    Raises ConfigError, naming the spec, for whatever is wrong with it.
    """
    place, name = (spec, "") if spec.endswith(".py") or ":" not in spec else spec.rsplit(":", 1)
    try:
        module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (FileNotFoundError, IsADirectoryError):
        raise ConfigError(f"extractor {spec}: there is no file {place}") from None
    except Exception as error:  # a stranger's module may raise anything
        raise ConfigError(f"extractor {spec}: cannot import {place}: {_last_line(error)}") from error
    if not name:
        found = tuple(value for value in vars(module).values() if isinstance(value, Extractor))
        if not found:
            raise ConfigError(f"extractor {spec}: nothing in {place} is marked with @scraper.extractor")
        return found
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    if value is None:
        raise ConfigError(f"extractor {spec}: {place} has no {name}")
    return (_as_extractor(value, spec),)


def spec_of(function: Callable[..., Any]) -> str | None:
    """Return the `module:NAME` under which a worker can import a function, None if it cannot.

    What was defined in the main script, at a prompt or inside another function is not there to import.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", "<")
    if not module or module == "__main__" or "<" in name:
        return None
    value: Any = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return f"{module}:{name}" if value is function and _is_findable(module) else None


def run(extractors: Sequence[Extractor], page: Page) -> list[Record]:
    """Return the records that extractors make of a page, in order; each one's are numbered from 0.

    Raises ParseError, naming the extractor, for whatever goes wrong in it; memory that runs out stays a MemoryError.
    """
    records: list[Record] = []
    for one in extractors:
        if not one.takes(page.url):
            continue
        try:
            for position, made in enumerate(_made(_awaited(one(page)))):
                records.append(Record(one.name, position, _fields(made)))
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001 (a stranger's code may raise anything, SystemExit too)
            tail = "".join(traceback.format_exception(error))[-LONGEST_TRACEBACK:]
            raise ParseError(page.url, f"extractor {one.name}: {_last_line(error)}\n{tail}") from None
    return records


def _awaited(result: object) -> object:
    """What an async extractor returns, or all that it yields, in a loop of its own; workers have no other."""
    if isinstance(result, AsyncIterable):

        async def collect() -> list[object]:
            return [made async for made in result]

        return asyncio.run(collect())
    if isinstance(result, Awaitable):

        async def wait() -> object:
            return await result

        return asyncio.run(wait())
    return result


def _made(result: object) -> Iterable[object]:
    if result is None:
        return ()
    many = isinstance(result, Iterable) and not isinstance(result, str) and as_fields(result) is None
    return result if many else (result,)  # type: ignore[return-value]


def _fields(made: object) -> dict[str, Any]:
    if as_fields(made) is None:
        raise TypeError(f"{type(made).__name__} is no record; yield a dict or a dataclass")
    fields: dict[str, Any] = plain(made)
    return fields


def _as_extractor(value: object, spec: str) -> Extractor:
    if isinstance(value, Extractor):
        found = value
    elif callable(value) and not isinstance(value, type):
        found = Extractor(getattr(value, "__name__", spec), None, value)
    else:
        raise ConfigError(f"extractor {spec}: {type(value).__name__} is no extractor; mark a function with @extractor")
    return found


def _from_file(path: Path) -> ModuleType:
    path = path.expanduser().resolve(strict=True)
    # Two files of one name in two folders are two modules; dataclasses look themselves up in sys.modules.
    name = f"scraper_extractors_{path.stem}_{blake2b(bytes(path), digest_size=4).hexdigest()}"
    found = importlib.util.spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    try:
        found.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_findable(module: str) -> bool:
    """Would another process find this module? One that is loaded here need not be on the path."""
    path, so_far = None, ""
    for part in module.split("."):
        so_far = f"{so_far}.{part}" if so_far else part
        finders = (finder for finder in sys.meta_path if hasattr(finder, "find_spec"))
        found = next((spec for finder in finders if (spec := finder.find_spec(so_far, path, None))), None)
        if found is None:
            return False
        path = found.submodule_search_locations
    return True


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()[:LONGEST_TRACEBACK]
