"""One GET, one Response or one FetchError: what is sent, what comes back, and when a body is whole."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from datetime import UTC, datetime, timedelta
from importlib import metadata

import brotli
import pytest

from scraper.errors import PermanentFetchError, TransientFetchError
from scraper.fetch.body import STEP
from scraper.fetch.fetcher import NO_LENGTH
from scraper.model import Reason

NOW = 1_700_000_000.0
OK = b"HTTP/1.1 200 OK\r\n"
TEXT = b"<!doctype html><title>A small page</title><p>" + b"words and more words " * 4


async def test_page(site, outcome):
    """A page comes back with its status, lower-cased headers in order, whole body, moment and duration."""
    site.page("/a", body=TEXT, headers={"X-One": "1", "X-Two": "2", "Content-Type": "Text/HTML; charset=utf-8"})
    response = await outcome(site.url("/a"))
    assert (response.url, response.status, response.body, response.note) == (site.url("/a"), 200, TEXT, None)
    assert response.content_type == "text/html"
    assert [pair for pair in response.headers if pair[0].startswith("x-")] == [("x-one", "1"), ("x-two", "2")]
    assert response.fetched_at == NOW
    assert 0 < response.elapsed_ms < 5000


async def test_url_is_sent_untouched(site, outcome):
    """The path and query go out exactly as they stand in the canonical URL."""
    await outcome(site.url("/a%2Fb/~/%zz/+;=:@!$&'()*,?x=~&y=a+b%20c&z=%zz&&k&"))
    assert site.paths() == ["/a%2Fb/~/%zz/+;=:@!$&'()*,?x=~&y=a+b%20c&z=%zz&&k&"]


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://127.0.0.1/a b", "http:///", "x", ""]
)
async def test_no_url(url, outcome):
    """What is not a canonical web URL is refused without a request."""
    assert (await outcome(url)).reason == Reason.PROTOCOL


async def test_no_forged_request(site, outcome):
    """Line ends in a URL cannot add headers or a second request."""
    assert (await outcome(site.url("/a HTTP/1.1\r\nX: y\r\n\r\n"))).reason == Reason.PROTOCOL
    assert site.requests == []


async def test_request_headers(site, opened):
    """A request says who we are and what we can read, and carries no cookie and no authorization."""
    site.page("/", headers={"Set-Cookie": "id=7; Path=/"})
    url = site.url("/").replace("127.0.0.1", "localhost")  # to an address no client returns a cookie
    async with opened() as fetcher:
        await fetcher.fetch(url)
        await fetcher.fetch(url.replace("//", "//user:secret@"))
    for headers in site.headers:
        assert headers["User-Agent"] == f"scraper/{metadata.version('scraper')}"
        assert headers["Accept-Encoding"] == "gzip, deflate, br, zstd"
        assert headers["Accept"].startswith("text/html")
        assert not {"Cookie", "Authorization"} & set(headers)
    assert len(site.requests) == 2


async def test_userinfo_is_dropped(site, outcome):
    """User and password of a URL are neither sent nor returned."""
    site.page("/")
    assert (await outcome(site.url("/").replace("//", "//user:secret@"))).url == site.url("/")


async def test_user_agent_setting(site, outcome):
    """`user_agent` replaces the name we give."""
    await outcome(site.url("/"), user_agent="otherbot/2.0 (+https://bot.example/)")
    assert site.headers[0]["User-Agent"] == "otherbot/2.0 (+https://bot.example/)"


async def test_environment_is_not_trusted(site, monkeypatch, tmp_path, outcome):
    """Proxies and netrc of the environment are not used."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    site.page("/")
    assert (await outcome(site.url("/"))).status == 200
    assert "Authorization" not in site.headers[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_an_answer(status, site, outcome):
    """A redirect is not followed: it comes back with its Location."""
    site.redirect("/old", "/new", status)
    response = await outcome(site.url("/old"))
    assert (response.status, response.header("location"), response.body) == (status, "/new", b"")
    assert site.paths() == ["/old"]


@pytest.mark.parametrize("status", [300, 400, 401, 403, 404, 405, 410, 418, 451, 499])
async def test_other_answers(status, site, outcome):
    """A 3xx or 4xx that asking again would not change is an answer without a body."""
    site.page("/x", status=status, body=TEXT)
    response = await outcome(site.url("/x"))
    assert (response.status, response.body) == (status, b"")


CONDITIONS = [("If-None-Match", 'W/"a"'), ("If-Modified-Since", "Tue, 14 Nov 2023 22:13:20 GMT")]


@pytest.mark.parametrize("conditions", [CONDITIONS[:1], CONDITIONS[1:], CONDITIONS], ids=["etag", "date", "both"])
async def test_not_modified(conditions, site, opened):
    """A conditional request sends what it was given, and a 304 to it is an answer without a body."""
    site.page("/x", status=304, headers={"ETag": 'W/"a"', "Content-Encoding": "gzip"})
    async with opened() as fetcher:
        response = await fetcher.fetch(site.url("/x"), headers=conditions)
    assert (response.status, response.body, response.header("etag")) == (304, b"", 'W/"a"')
    assert [(name, site.headers[0][name]) for name, _ in conditions] == conditions


async def test_not_modified_unasked(site, outcome):
    """A 304 to a request without conditions is `protocol`."""
    site.page("/x", status=304)
    error = await outcome(site.url("/x"))
    assert (error.reason, error.detail) == (Reason.PROTOCOL, "304 Not Modified, but nothing of that kind was asked for")


async def test_modified(site, opened):
    """A conditional request whose page has changed brings the whole page."""
    site.page("/x", body=TEXT)
    async with opened() as fetcher:
        assert (await fetcher.fetch(site.url("/x"), headers=CONDITIONS)).body == TEXT


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\0", "\udce9"], ids=["line end", "NUL", "surrogate"])
async def test_condition_that_cannot_be_sent(value, site, opened):
    """A stored value that would forge or break the request is left out, and a 304 is then none that was asked for."""
    site.page("/x", status=304)
    async with opened() as fetcher:
        with pytest.raises(PermanentFetchError):
            await fetcher.fetch(site.url("/x"), headers=[("If-None-Match", value)])
    assert not {"If-None-Match", "X"} & set(site.headers[0])


@pytest.mark.parametrize("status", [204, 205])
async def test_no_body_by_right(status, answered):
    """204 and 205 have no body, whatever coding they name."""
    head = b"HTTP/1.1 %d X\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n" % status
    response = await answered(head)
    assert (response.status, response.body, response.note) == (status, b"", None)


@pytest.mark.parametrize(
    ("status", "reason", "detail"),
    [
        (408, Reason.HTTP_4XX, "408 Request Timeout"),
        (429, Reason.HTTP_4XX, "429 Too Many Requests"),
        (500, Reason.HTTP_5XX, "500 Internal Server Error"),
        (503, Reason.HTTP_5XX, "503 Service Unavailable"),
        (599, Reason.HTTP_5XX, "599"),
    ],
)
async def test_failing_statuses(status, reason, detail, site, outcome):
    """408, 429 and 5xx are transient failures, told in the standard's words and not in the server's."""
    site.page("/x", status=status, headers={"Retry-After": "7"})
    error = await outcome(site.url("/x"))
    assert (type(error), error.reason, error.detail, error.retry_after) == (TransientFetchError, reason, detail, 7.0)


async def test_retry_after_date(site, outcome):
    """A Retry-After date counts from the clock that was passed in."""
    moment = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=90)
    site.page("/x", status=503, headers={"Retry-After": moment.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    assert (await outcome(site.url("/x"))).retry_after == 90.0


async def test_unwanted_body_is_not_read(answered):
    """The body of a media type that is not wanted is not waited for."""
    asked = []
    head = OK + b"Content-Type: Video/MP4; x=y\r\nContent-Length: 99999999\r\n\r\n"
    response = await answered(head, end="hold", wanted=lambda kind: asked.append(kind) or False)
    assert (response.status, response.body, asked) == (200, b"", ["video/mp4"])


async def test_wanted_is_asked_of_good_answers_only(site, outcome):
    """`wanted` decides on 2xx answers; a redirect or a 404 is an answer anyway."""
    site.redirect("/old", "/new")
    for path in ("/old", "/missing"):
        response = await outcome(site.url(path), wanted=pytest.fail)
        assert response.status in {302, 404}


@pytest.mark.parametrize(
    ("value", "text"), [(b"caf\xc3\xa9", "café"), (b"caf\xe9", "café"), (b"plain", "plain"), (b"a\tb", "a\tb")]
)
async def test_header_values(value, text, answered):
    """A header's value is UTF-8 if it can be, else Latin-1, and always storable text."""
    response = await answered(OK + b"X: " + value + b"\r\nContent-Length: 0\r\n\r\n")
    assert response.header("x") == text


ENCODERS = {
    "identity": bytes,
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data, mtime=0)),
}
each_coding = pytest.mark.parametrize("coding", list(ENCODERS))


def framed(data: bytes, framing: str, coding: str) -> bytes:
    """The whole answer as it goes over the wire."""
    head = OK + b"Content-Type: text/html\r\nContent-Encoding: %s\r\n" % coding.encode()
    if framing == "length":
        return head + b"Content-Length: %d\r\n\r\n" % len(data) + data
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(data[at : at + 40]), data[at : at + 40]) for at in range(0, len(data), 40))
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


@each_coding
@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_cut_on_the_wire(framing, coding, wired, opened, attempt):
    """An answer cut at any byte is `reset` up to the end of its headers, `truncated` after it, never a short page."""
    whole = framed(ENCODERS[coding](TEXT), framing, coding)
    body_at = whole.index(b"\r\n\r\n") + 4
    async with wired(whole) as wire, opened() as fetcher:
        assert (await fetcher.fetch(wire.url)).body == TEXT
        for end in range(len(whole)):
            wire.scripts = [((whole[:end],), "close")]
            error = await attempt(fetcher, wire.url)
            assert getattr(error, "reason", None) == (Reason.RESET if end < body_at else Reason.TRUNCATED), end


@each_coding
async def test_reset_in_the_body(coding, answered):
    """A connection reset in the middle of a body is `truncated`."""
    whole = framed(ENCODERS[coding](TEXT), "length", coding)
    assert (await answered(whole[:-5], end="reset")).reason == Reason.TRUNCATED


@each_coding
async def test_coding_cut_in_a_whole_frame(coding, answered):
    """A coded body that is cut while the framing is whole is `truncated`; so is an empty body under a coding."""
    data = ENCODERS[coding](TEXT)
    for end in range(0, len(data), 7):
        result = await answered(framed(data[:end], "length", coding))
        assert result.body == data[:end] if coding == "identity" else result.reason == Reason.TRUNCATED


async def test_body_without_a_length(answered):
    """A body that ends with the connection is taken, and the response notes it."""
    response = await answered(OK + b"\r\n" + TEXT)
    assert (response.body, response.note) == (TEXT, NO_LENGTH)
    assert (
        await answered(OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(TEXT)[:-1])
    ).reason == Reason.TRUNCATED


@pytest.mark.parametrize("coding", ["foo", "gzip, gzip, gzip"])
async def test_undecodable_coding(coding, answered):
    """A coding that cannot be decoded is `bad-encoding`, not a page of encoded bytes."""
    assert (await answered(framed(TEXT, "length", coding))).reason == Reason.BAD_ENCODING


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_largest_body(framing, answered):
    """A body of exactly `max_body` bytes is whole, one more byte is `too-large`."""
    whole = framed(TEXT, framing, "identity")
    assert (await answered(whole, max_body=len(TEXT))).body == TEXT
    error = await answered(whole, max_body=len(TEXT) - 1)
    assert (error.reason, error.detail) == (Reason.TOO_LARGE, f"over {len(TEXT) - 1} bytes")


async def test_declared_size_is_believed(answered):
    """A body that is announced as too large is not waited for."""
    assert (await answered(OK + b"Content-Length: 1001\r\n\r\n", end="hold", max_body=1000)).reason == Reason.TOO_LARGE


@pytest.mark.parametrize("coding", ["gzip", "br"])
async def test_bomb_is_stopped(coding, answered):
    """A compressed body that decodes beyond `max_body` is `too-large`."""
    data = framed(ENCODERS[coding](bytes(4_000_000)), "length", coding)
    assert (await answered(data, max_body=1_000_000)).reason == Reason.TOO_LARGE


async def test_decoding_lets_others_run(wired, opened):
    """While a small chunk decodes to megabytes, other tasks get their turn at every step."""
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with wired(framed(ENCODERS["br"](bytes(64 * STEP)), "length", "br")) as wire, opened() as fetcher:
        running = asyncio.create_task(others())
        turns = 0
        body = (await fetcher.fetch(wire.url)).body
        running.cancel()
    assert len(body) == 64 * STEP
    assert turns > 30


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_limit_keeps_the_beginning(coding, answered):
    """With `limit` only that many decoded bytes are kept, without an error, even if more was announced."""
    data = framed(ENCODERS[coding](TEXT * 50), "length", coding)
    assert (await answered(data, limit=100, max_body=1000)).body == TEXT[:100]
    assert (await answered(OK + b"Content-Length: 99999\r\n\r\n" + TEXT, end="hold", limit=100)).body == TEXT[:100]
    assert (await answered(framed(ENCODERS[coding](TEXT), "length", coding), limit=100_000)).body == TEXT
