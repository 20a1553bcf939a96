"""What aiohttp, the sockets and the decoder raise, as FetchErrors with a reason; the only place that knows."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from email.utils import parsedate_to_datetime

import aiohttp

from scraper.errors import FetchError, PermanentFetchError, TransientFetchError
from scraper.fetch.body import BodyError
from scraper.fetch.guard import PrivateAddressError
from scraper.model import Reason

TRANSIENT = frozenset({Reason.DNS, Reason.CONNECT, Reason.RESET, Reason.TRUNCATED, Reason.TIMEOUT})

# The first row that fits decides: aiohttp's errors are each other's kinds. Second column: what lies beneath the error.
_ROWS: tuple[tuple[type[Exception], type[object], Reason], ...] = (
    (TimeoutError, object, Reason.TIMEOUT),
    (aiohttp.ClientConnectorError, PrivateAddressError, Reason.PRIVATE_ADDRESS),
    (aiohttp.ClientConnectorDNSError, object, Reason.DNS),
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


@contextmanager
def translated(url: str, phase: Callable[[], str]) -> Iterator[None]:
    """Turn whatever the fetch of `url` raises into a FetchError; a timeout's detail is the phase it ended in."""
    try:
        yield
    except BodyError as error:
        raise _failure(url, error.reason, error.detail) from error
    except (aiohttp.ClientError, OSError) as error:
        reason, detail = explained(error)
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
        case aiohttp.ClientResponseError():  # its status says nothing: the parser's own is 400
            return reason, error.message.partition(":")[0][:200] or type(error).__name__
    return reason, _system_words(beneath or error)


def _system_words(error: BaseException) -> str:
    match error:
        case PrivateAddressError():
            return error.address
        case ssl.SSLCertVerificationError(verify_message=words) if words:
            return str(words)
        case ssl.SSLError(reason=words) if words:
            return str(words)
        case socket.gaierror(strerror=words) | OSError(errno=None, strerror=words) if words:
            return words
        case OSError(errno=int(number)):  # not its text, into which asyncio and aiohttp write addresses
            return os.strerror(number)
    return type(error).__name__


def retry_after(text: str | None, now: float) -> float | None:
    """Return the seconds from `now` that a `Retry-After` asks for (RFC 9110, section 10.2.3), None for nonsense."""
    text = (text or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return seconds if seconds >= 0 else None


def _failure(url: str, reason: Reason, detail: str) -> FetchError:
    return (TransientFetchError if reason in TRANSIENT else PermanentFetchError)(url, reason, detail)
