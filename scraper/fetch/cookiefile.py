"""The cookies.txt file that curl reads and browsers' exporters write: a line a cookie, seven fields between tabs.

Domain (`#HttpOnly_` before it if it is), whether names below it get the cookie, path, whether only https, the second it
ends (0: with the session), name, value. Nothing raised here holds a line's text: values are secrets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scraper import urls
from scraper.errors import ConfigError, ScraperError, UrlError
from scraper.fetch.setcookie import LONGEST_LIFE, Cookie, parts, scoped

FIRST_LINE = "# Netscape HTTP Cookie File"
LONGEST_LINE = 32 * 1024  # bytes; the longest cookie is a third of it

_HTTP_ONLY = "#HttpOnly_"
_SECONDS = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")  # some exporters write fractions
_FLAGS = {"TRUE": True, "FALSE": False}


def read(path: str | Path, now: float) -> Iterator[Cookie | None]:
    """Yield the cookies of a file in its order, None for each line that is none; comments and blank lines are passed.

    Blocking. Raises ConfigError, which names the path, if it cannot be read.
    """
    with _blamed(path, "read", ConfigError), Path(path).open("rb") as stream:
        is_first, is_rest = True, False
        while line := stream.readline(LONGEST_LINE):
            if is_first:
                line, is_first = line.removeprefix(b"\xef\xbb\xbf"), False
            is_whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
            if is_rest or not is_whole:
                if not is_rest:
                    yield None
                is_rest = not is_whole
            elif line.strip() and not _is_comment(line):
                yield _cookie(line.rstrip(b"\r\n"), now)


def write(path: str | Path, cookies: Iterable[Cookie]) -> int:
    """Replace the file, in one step and readable by its owner alone; return how many cookies it cannot carry.

    Those are the ones with a tab in name or path. Blocking. Raises ScraperError, which names the path; then an existing
    file is as it was.
    """
    lines, left_out = [FIRST_LINE], 0
    for cookie in cookies:
        if "\t" in cookie.name or "\t" in cookie.path:
            left_out += 1
        else:
            lines.append(_line(cookie))
    with _blamed(path, "written", ScraperError):
        target = Path(path).resolve()
        if target.exists() and not target.is_file():
            raise OSError("it is not a file")
        _replace(target, "\n".join([*lines, ""]).encode())
    return left_out


def _is_comment(line: bytes) -> bool:
    return line.startswith(b"#") and not line.startswith(_HTTP_ONLY.encode())


def _cookie(line: bytes, now: float) -> Cookie | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    fields = text.removeprefix(_HTTP_ONLY).split("\t", 6)
    if len(fields) == 6:
        fields.append("")  # an empty value, whose tab an editor took away
    if len(fields) != 7:
        return None
    domain, below, path, secure, ends_at, name, value = fields
    host = domain.removeprefix(".").lower()
    if not (_is_host(host) and path.startswith("/") and _SECONDS.fullmatch(ends_at)):
        return None
    if below.upper() not in _FLAGS or secure.upper() not in _FLAGS:
        return None
    # Below a public suffix or an address nobody may be meant: such a cookie becomes one for that host alone.
    scope = (scoped(host, host) if _FLAGS[below.upper()] else None) or (host, True)
    seconds = float(ends_at)
    cookie = Cookie(
        name,
        value,
        *scope,
        path=path,
        secure=_FLAGS[secure.upper()],
        http_only=text.startswith(_HTTP_ONLY),
        expires_at=min(seconds, now + LONGEST_LIFE) if seconds else None,
    )
    return cookie if cookie.is_sane() else None


def _is_host(name: str) -> bool:
    """Whether this is a host name, and nothing more, as canonical URLs have them."""
    url = f"http://{name}/"
    try:
        return bool(name) and parts(url) == (False, name, "/") and urls.canonical(url) == url
    except UrlError:
        return False


def _line(cookie: Cookie) -> str:
    # A fraction of a second is left off; what is left must not be the 0 that means "no end".
    ends_at = 0 if cookie.expires_at is None else max(1, int(cookie.expires_at))
    return "\t".join((
        (_HTTP_ONLY if cookie.http_only else "") + ("" if cookie.host_only else ".") + cookie.domain,
        "FALSE" if cookie.host_only else "TRUE",
        cookie.path,
        "TRUE" if cookie.secure else "FALSE",
        str(ends_at),
        cookie.name,
        cookie.value,
    ))


def _replace(target: Path, content: bytes) -> None:
    beside = target.with_name(f".{target.name[:60]}.{os.urandom(4).hex()}.tmp")
    # Nobody else may read it at any moment, whatever the umask and the mode of the file before it.
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o600)
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        beside.replace(target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    with suppress(OSError):  # the new name, too, is to survive a power cut, where a folder can be synced
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _blamed(path: str | Path, done: str, blame: type[ScraperError]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: a loop of symbolic links
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise blame(f"{path}: the cookies were not {done}: {why}") from error
