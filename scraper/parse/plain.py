"""Values as they leave the parse: built-in types, text that every database and every JSON reader takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from math import isfinite
from typing import Any

LARGEST = 2**63  # whole numbers from here on fit no database's integer


def clean(text: str) -> str:
    """Return the text as a plain str without NUL and lone surrogates; U+FFFD stands for each.

    SQLite refuses the ones, PostgreSQL both, and a page can smuggle them in by way of JSON. A pair of surrogates
    becomes the character it stands for.
    """
    text = str.__str__(text)  # of a bs4 string, the bare characters
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def plain(value: object) -> Any:  # noqa: ANN401 (JSON has no type)
    """Return a value as JSON knows it: dict, list, str, int, float, bool or None, all the way down.

    Raises TypeError, naming the type, for what JSON does not know.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    fields = as_fields(value)
    if fields is not None:
        return {_key(name): plain(part) for name, part in fields.items()}
    return plain(_builtin(value))


def as_fields(value: object) -> Mapping[Any, Any] | None:
    """The named parts of a mapping, a dataclass, a msgspec Struct or a pydantic model; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, type):
        return None
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    kind = type(value)
    names = getattr(kind, "__struct_fields__", None)
    if names is not None:
        return {name: getattr(value, name) for name in names}
    dump = getattr(kind, "model_dump", None)
    return None if dump is None else dump(value)


def _number(value: float) -> float:
    if isinstance(value, int):
        if not -LARGEST <= value < LARGEST:
            raise TypeError("an int of more than 64 bits is no JSON value here")
        return int(value)
    if not isfinite(value):
        raise TypeError(f"the float {value} is no JSON value")
    return float(value)


def _key(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the key {name!r} is {type(name).__name__}, not str")
    return clean(name)


def _builtin(value: object) -> object:
    """A date, a decimal, an enum and the like as msgspec writes them to JSON."""
    import msgspec

    if isinstance(value, (bytes, bytearray, memoryview)):
        raise TypeError(f"{type(value).__name__} is no JSON value; decode it")
    try:
        return msgspec.to_builtins(value)
    except TypeError:
        raise TypeError(f"{type(value).__name__} is no JSON value") from None
