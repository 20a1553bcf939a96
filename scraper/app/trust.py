"""Whose settings are these? What a store from elsewhere says does not run, open, read or write anything here.

A crawl keeps its settings in its store, and `resume` takes them from there: which functions to import, which files to
read and write, which private addresses to open. Anybody can write a store. So settings are sealed (HMAC-SHA256) with a
key that this user has on this machine; what bears no seal of ours may say how to crawl, but none of these.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from scraper import config as settings
from scraper.config import Config, Loaded
from scraper.errors import ConfigError
from scraper.fetch import Guard
from scraper.printable import printable

KEY_BYTES = 32
SHOWN = 80  # characters of a value that is refused
_SEAL = '{"seal":"'
# What a setting could do here, by section and name.
_PERILS = {
    ("crawl", "extractors"): "run",
    ("crawl", "rules"): "read",
    ("fetch", "access"): "read",
    ("fetch", "cookie_file"): "read and write",
    ("fetch", "allow_private"): "open",
    ("fetch", "allow_origins"): "open",
}


def kept_text(config: Config, key: bytes | None) -> str:
    """Return the text in which a crawl keeps its settings, sealed if there is a key."""
    text = settings.to_json(config)
    return f'{_SEAL}{_mark(text, key)}",{text[1:]}' if key is not None else text


def is_sealed(text: str, key: bytes | None) -> bool:
    """Did this key seal these settings, as they are?"""
    mark, found, rest = text.removeprefix(_SEAL).partition('",')
    if key is None or not found or not text.startswith(_SEAL):
        return False
    return hmac.compare_digest(mark.encode(), _mark(f"{{{rest}", key).encode())


def harmless(kept: Config, given: Loaded, name: str) -> Config:
    """Return settings that a stranger may have written, if what they could do here is said anew in this call.

    Raises ConfigError naming what is not. A typed seed's origin that is public opens nothing, and is let be.
    """
    origins = tuple(filter(_opens, kept.fetch.allow_origins))
    kept = msgspec.structs.replace(kept, fetch=msgspec.structs.replace(kept.fetch, allow_origins=origins))
    perils = [
        f"{does} {_shown(value)} ({section}.{field})"
        for (section, field), does in _PERILS.items()
        if (value := getattr(getattr(kept, section), field)) and given.origins[f"{section}.{field}"] == "default"
    ]
    if perils:
        raise ConfigError(
            f"crawl {name!r} was not begun by this user on this machine, and its settings would {'; '.join(perils)}: "
            "say these anew, as options or in a --config file, or take them as they are with --trust"
        )
    return kept


def own_key(environ: Mapping[str, str]) -> bytes | None:
    """Return the key of this user on this machine, made the first time; None if there can be none.

    It lies in `$XDG_STATE_HOME/scraper/key` (by default in `~/.local/state`), and nobody else may read it.
    """
    with suppress(OSError, RuntimeError):  # RuntimeError: a user without a home
        state = environ.get("XDG_STATE_HOME", "")
        place = (Path(state) if state else Path.home() / ".local" / "state") / "scraper" / "key"
        if not place.exists():
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_key(place)
        status = place.stat()
        if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
            key = place.read_bytes()
            return key if len(key) == KEY_BYTES else None
    return None


def _write_key(place: Path) -> None:
    """Put a whole key there, unless somebody was first."""
    half = place.with_name(f"key-{secrets.token_hex(8)}")
    try:
        half.touch(mode=0o600, exist_ok=False)
        half.write_bytes(secrets.token_bytes(KEY_BYTES))
        with suppress(FileExistsError):
            place.hardlink_to(half)
    finally:
        half.unlink(missing_ok=True)


def _mark(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _opens(origin: str) -> bool:
    """Does it open an address that is closed by default?"""
    try:
        parts = urlsplit(origin)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return True
    host = parts.hostname or ""
    return host == "localhost" or (Guard(origins=[origin]).admits(host, port) and not Guard().admits(host, port))


def _shown(value: Any) -> str:  # noqa: ANN401 - whatever a setting holds
    text = printable(value if isinstance(value, str) else ", ".join(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
