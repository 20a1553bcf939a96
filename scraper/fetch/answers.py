"""What is read of an answer before its body: its headers as text, and what is wrong with it that aiohttp lets pass."""

from __future__ import annotations

import re

import aiohttp

from scraper.fetch.reasons import status_line
from scraper.model import Response

_BLANK = re.compile(r"\s")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def headers_of(answer: aiohttp.ClientResponse) -> tuple[tuple[str, str], ...]:
    """Return the headers in the server's order, names in lower case."""
    return tuple((name.lower(), _text(value)) for name, value in answer.headers.items())


def _text(value: str) -> str:
    """A header's value as UTF-8 if it is, else as Latin-1: aiohttp leaves surrogates, which no database takes."""
    if value.isascii():
        return value
    sent = value.encode("utf-8", "surrogateescape")
    try:
        return sent.decode("utf-8")
    except UnicodeDecodeError:
        return sent.decode("latin-1")


def fault_of(response: Response, answer: aiohttp.ClientResponse, *, conditional: bool) -> str | None:
    """What is wrong with an answer that aiohttp lets pass (RFC 9110 and 9112)."""
    return (
        _fault_of_status(response, answer, conditional=conditional)
        or _fault_of_framing(response, answer)
        or _fault_of_headers(response)
    )


def _fault_of_status(response: Response, answer: aiohttp.ClientResponse, *, conditional: bool) -> str | None:
    version = answer.version
    if version is not None and version.major != 1:
        return f"HTTP/{version.major}.{version.minor} where HTTP/1 is spoken"
    if not 200 <= response.status <= 599:
        return f"status {response.status}"
    if response.status == 206 or (response.status == 304 and not conditional):
        return f"{status_line(response.status)}, but nothing of that kind was asked for"
    return "control character in the status line" if _CONTROL.search(answer.reason or "") else None


def _fault_of_framing(response: Response, answer: aiohttp.ClientResponse) -> str | None:
    transfer = [value.strip().lower() for value in response.header_values("transfer-encoding")]
    if transfer not in ([], ["chunked"]):
        return f"unknown transfer coding {', '.join(transfer)[:40]!a}"
    if transfer and response.header("content-length") is not None:
        return "both Content-Length and Transfer-Encoding"
    if transfer and answer.version is not None and answer.version.minor == 0:
        return "chunks in HTTP/1.0, which has none"
    return None


def _fault_of_headers(response: Response) -> str | None:
    if len(set(response.header_values("location"))) > 1:
        return "more than one Location"
    for name, value in response.headers:
        if _BLANK.search(name):
            return "white space in a header's name"
        if _CONTROL.search(value):
            return f"control character in the header {name[:40]}"
    return None
