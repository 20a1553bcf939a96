"""What aiohttp, the sockets and the decoder raise, as FetchErrors with a reason; the only place that knows."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp

from scraper.errors import FetchError, PermanentFetchError, TransientFetchError
from scraper.fetch.access import Proxy
from scraper.fetch.body import BodyError
from scraper.fetch.guard import PrivateAddressError
from scraper.model import Reason

TRANSIENT = frozenset({Reason.DNS, Reason.CONNECT, Reason.RESET, Reason.TRUNCATED, Reason.TIMEOUT})

# The first row that fits decides: aiohttp's errors are each other's kinds. Second column: what lies beneath the error.
_ROWS: tuple[tuple[type[Exception], type[object], Reason], ...] = (
    (TimeoutError, object, Reason.TIMEOUT),
    (PrivateAddressError, object, Reason.PRIVATE_ADDRESS),
    (OSError, PrivateAddressError, Reason.PRIVATE_ADDRESS),
    (aiohttp.ClientConnectorDNSError, object, Reason.DNS),
    (socket.gaierror, object, Reason.DNS),
    (OSError, socket.gaierror, Reason.DNS),
    (aiohttp.ClientHttpProxyError, object, Reason.CONNECT),
    (OSError, ssl.SSLEOFError, Reason.RESET),  # cut off in the TLS handshake
    (aiohttp.ClientConnectorError, ConnectionResetError, Reason.RESET),
    (OSError, ssl.SSLError, Reason.TLS),
    (aiohttp.ClientSSLError, object, Reason.TLS),
    (aiohttp.ServerFingerprintMismatch, object, Reason.TLS),
    (aiohttp.ClientConnectorError, object, Reason.CONNECT),
    (aiohttp.ClientPayloadError, object, Reason.TRUNCATED),
    (aiohttp.ClientConnectionError, object, Reason.RESET),
    (OSError, object, Reason.RESET),
    (aiohttp.ClientError, object, Reason.PROTOCOL),
)


# What a resolver can say, in our words: the system's are another on each system.
_LOOKUPS = {
    socket.EAI_NONAME: "no such name",
    getattr(socket, "EAI_NODATA", socket.EAI_NONAME): "no such name, or none with an address",
    socket.EAI_AGAIN: "no answer from the name server for now",
    socket.EAI_FAIL: "the name server fails",
}
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")
_HTTP_DATE = re.compile(
    r"[A-Za-z0-9 ,:+-]{1,48}"
)  # the three forms of RFC 9110, section 5.6.7, and what resembles them


@contextmanager
def translated(url: str, phase: Callable[[], str], blamed: Callable[[], Proxy | None] = lambda: None) -> Iterator[None]:
    """Turn whatever the fetch of `url` raises into a FetchError; a timeout's detail is the phase it ended in.

    `blamed` names the proxy that a failure now is laid to: before the request is on its way, connecting is its work.
    """
    try:
        yield
    except BodyError as error:
        raise _failure(url, error.reason, error.detail) from error
    except (aiohttp.ClientError, OSError) as error:
        reason, detail = explained(error)
        if (proxy := blamed()) is not None:
            reason, detail = _laid_to(proxy, error, reason, detail)
        if isinstance(error, aiohttp.ClientResponseError):
            _forget_words(error)
        raise _failure(url, reason, phase() if reason is Reason.TIMEOUT else detail) from error


def explained(error: Exception) -> tuple[Reason, str]:
    """Return the reason of a failure and one line about it: the system's words or ours, never the server's."""
    beneath = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error.__cause__
    reason = next(reason for kind, cause, reason in _ROWS if isinstance(error, kind) and isinstance(beneath, cause))
    match error:
        case aiohttp.ClientPayloadError():
            return reason, "the connection ended before the body did"
        case aiohttp.ServerDisconnectedError():
            return reason, "the server closed the connection without an answer"
        case aiohttp.ClientHttpProxyError(status=status):
            return reason, status_line(status)
        case aiohttp.ClientResponseError():  # its status says nothing: the parser's own is 400
            return reason, error.message.partition(":")[0][:200] or type(error).__name__
    return reason, _system_words(beneath or error)


def _laid_to(proxy: Proxy, error: Exception, reason: Reason, detail: str) -> tuple[Reason, str]:
    """The reason and detail of a failure before the request: `connect` if it is the proxy's."""
    its_own = (getattr(error, "host", None), getattr(error, "port", None)) == (proxy.host, proxy.port)
    if reason is Reason.DNS and not its_own:
        how = "`resolve = false`" if proxy.takes_names else "socks5h and `resolve = false`"
        return reason, f"{detail}; for names that only the proxy knows, set {how}"
    if reason in {Reason.TIMEOUT, Reason.PRIVATE_ADDRESS} or (reason is Reason.TLS and not its_own):
        return reason, detail
    return Reason.CONNECT, f"proxy {proxy}: {detail}"


def _forget_words(error: aiohttp.ClientResponseError) -> None:
    """Leave nothing of what was sent and answered in an error that stays as the cause: it would show credentials."""
    error.request_info = error.request_info._replace(headers=None)  # type: ignore[arg-type]
    error.message, error.headers, error.args = "", None, ()
    error.__cause__ = error.__context__ = None


def status_line(status: int) -> str:
    """Return the status with the standard's phrase, never the server's."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _system_words(error: BaseException) -> str:
    match error:
        case PrivateAddressError():
            return error.address
        case ssl.SSLCertVerificationError(verify_message=words) | ssl.SSLError(reason=words) if words:
            return str(words)
        case socket.gaierror(errno=number, strerror=words) | OSError(errno=None as number, strerror=words) if words:
            return _LOOKUPS.get(number, words)
        case ConnectionResetError(errno=None):  # asyncio's own, of a handshake cut off
            return "closed before the connection stood"
        case OSError(errno=int(number)):  # not its text, into which asyncio and aiohttp write addresses
            return os.strerror(number)
    return type(error).__name__


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds from `now` that a `Retry-After` asks for (RFC 9110, section 10.2.3), None for nonsense.

    A fraction of a second is none of the standard's forms, but means what it says.
    """
    text = (text or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def _failure(url: str, reason: Reason, detail: str) -> FetchError:
    return (TransientFetchError if reason in TRANSIENT else PermanentFetchError)(url, reason, detail)
