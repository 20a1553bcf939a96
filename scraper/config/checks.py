"""What a section's fields may hold: each check raises ConfigError, its text beginning with the field's name."""

from __future__ import annotations

import re

from msgspec import Struct

from scraper.errors import ConfigError

MOST = 2**31 - 1  # of anything counted, and of seconds: what every database, clock and calendar can hold
MOST_BYTES = 2**53  # what JSON keeps exact

_PATH = re.compile(r"(?P<path>/[^\t\r\n?#=]*)=(?P<pages>\d{1,9})")
_ORIGIN = re.compile(r"https?://(\[[\da-fA-F:.]+\]|[^\s/?#@:\[\]]+)(:(?P<port>\d{1,5}))?/?")


def at_least(section: Struct, least: int, *names: str, most: int = MOST) -> None:
    """Refuse numbers outside the bounds; None is none."""
    for name in names:
        value = getattr(section, name)
        if value is None:
            continue
        if not value >= least:  # so written, "not a number" is refused too
            raise ConfigError(f"{name} must be at least {least}, not {value}")
        if value > most:
            raise ConfigError(f"{name} must be at most {most}, not {value}")


def more_than_zero(section: Struct, *names: str) -> None:
    """Refuse zero, less, and what is no number."""
    at_least(section, 0, *names)
    for name in names:
        if getattr(section, name) == 0:
            raise ConfigError(f"{name} must be more than 0")


def are_patterns(section: Struct, *names: str) -> None:
    """Refuse what is no regular expression."""
    for name in names:
        for pattern in getattr(section, name):
            try:
                re.compile(pattern)
            except (re.error, OverflowError, RecursionError) as error:
                raise ConfigError(f"{name} holds no regular expression: {pattern!r}: {error}") from None


def are_networks(section: Struct, *names: str) -> None:
    """Refuse what is no address and no CIDR."""
    import ipaddress  # only where it is called: it would cost every start of the program

    for name in names:
        for text in getattr(section, name):
            try:
                ipaddress.ip_network(text)
            except ValueError:
                try:
                    meant = f": did you mean {ipaddress.ip_network(text, strict=False)}?"
                except ValueError:
                    meant = "; write 10.0.0.0/8 or 192.168.1.7"
                raise ConfigError(f"{name} holds no address range: {text!r}{meant}") from None


def one_line(section: Struct, *names: str) -> None:
    """Refuse control characters: the text stands in a header."""
    for name in names:
        text = getattr(section, name)
        if not text.isprintable():
            raise ConfigError(f"{name} must be one line without control characters, not {text!r}")


def are_origins(section: Struct, *names: str) -> None:
    """Refuse what does not name a scheme and a host, with a port or without."""
    for name in names:
        for text in getattr(section, name):
            origin = _ORIGIN.fullmatch(text)
            if origin is None or int(origin["port"] or 0) > 65535:
                raise ConfigError(f"{name} holds no origin: {text!r}; write http://127.0.0.1:8000")


def are_paths(section: Struct, *names: str) -> None:
    """Refuse what does not name a path and a number of pages."""
    for name in names:
        for text in getattr(section, name):
            if path_budget(text) is None:
                raise ConfigError(f"{name} holds no path and number: {text!r}; write /calendar/=100")


def path_budget(text: str) -> tuple[str, int] | None:
    """Return the path and the number of pages that a text such as `/calendar/=100` names; None if it does not."""
    match = _PATH.fullmatch(text)
    return (match["path"], int(match["pages"])) if match else None
