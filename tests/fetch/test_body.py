"""Content codings: whole or an error, and never more memory than was agreed."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.fetch.body import ACCEPTED, MOST_MEMBERS, SLACK, STEP, BodyError, Decoder, codings
from scraper.model import Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SHARED = Path(__file__).parents[3] / "shared" / "data" / "compressed"
MANY = 1 << 30
TEXT = b"".join(b"<p>Paragraph %d of a page that is worth reading.</p>\n" % number for number in range(60))


def raw_deflate(data: bytes) -> bytes:
    """Deflate without the zlib wrapping, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


ENCODERS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "x-gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "deflate-raw": raw_deflate,
    "br": lambda data: brotli.compress(data, quality=5),
    "zstd": zstd.compress,
}
CHAINS = [(name,) for name in ENCODERS] + [("gzip", "gzip"), ("gzip", "br"), ("zstd", "deflate-raw"), ("br", "x-gzip")]
each_chain = pytest.mark.parametrize("chain", CHAINS, ids="+".join)
each_coding = pytest.mark.parametrize("coding", list(ENCODERS))


def encoded(data: bytes, chain: tuple[str, ...]) -> bytes:
    """Put the codings on, in order."""
    for name in chain:
        data = ENCODERS[name](data)
    return data


def decoder(chain: tuple[str, ...], limit: int = MANY) -> Decoder:
    """A decoder for these codings."""
    return Decoder(codings([", ".join(name.removesuffix("-raw") for name in chain)]), limit)


def decoded(data: bytes, chain: tuple[str, ...], chunk: int = MANY, limit: int = MANY) -> bytes:
    """Take the codings off, the body coming in chunks."""
    taking = decoder(chain, limit)
    whole = b"".join(piece for at in range(0, len(data), chunk) for piece in taking.feed(data[at : at + chunk]))
    taking.finish()
    return whole


def failure(data: bytes, chain: tuple[str, ...], chunk: int = MANY, limit: int = MANY) -> Reason:
    """The reason why a body cannot be decoded."""
    with pytest.raises(BodyError) as caught:
        decoded(data, chain, chunk, limit)
    return caught.value.reason


@given(st.binary(max_size=300), st.sampled_from(CHAINS), st.integers(1, 50))
def test_decoding_undoes_encoding(data, chain, chunk):
    """A body comes out as it went in, in whatever pieces it arrives."""
    assert decoded(encoded(data, chain), chain, chunk) == data


@each_chain
@pytest.mark.parametrize("size", [0, 1, STEP - 1, STEP, STEP + 1, 3 * STEP, 5 * STEP + 7])
def test_sizes_around_the_step(chain, size):
    """A body that ends exactly with a decoding step is whole, neither cut nor waited for."""
    data = (TEXT * (size // len(TEXT) + 1))[:size]
    assert decoded(encoded(data, chain), chain) == data
    assert decoded(encoded(bytes(size), chain), chain, 1000) == bytes(size)


@each_chain
def test_cut_at_every_byte(chain):
    """A coded body cut anywhere, even to nothing, is `truncated`."""
    data = encoded(TEXT, chain)
    assert len(data) > 50
    for end in range(len(data)):
        assert failure(data[:end], chain) == Reason.TRUNCATED, end


@each_chain
def test_bytes_after_the_end(chain):
    """Anything after the end of a coding is `bad-encoding`, in the same chunk or in a later one."""
    data = encoded(TEXT, chain) + b"<p>junk"
    assert failure(data, chain) == Reason.BAD_ENCODING
    assert failure(data, chain, len(data) - 7) == Reason.BAD_ENCODING


@each_coding
def test_plain_text_with_a_coding(coding):
    """Plain text labelled as coded is `bad-encoding`; encoded bytes are never taken for a page."""
    assert failure(b"<!doctype html><title>Plain</title>", (coding,)) == Reason.BAD_ENCODING


@pytest.mark.parametrize("position", [-8, -1], ids=["checksum", "length"])
def test_gzip_trailer_is_checked(position):
    """A gzip body whose checksum or length does not fit is `bad-encoding`."""
    data = bytearray(gzip.compress(TEXT))
    data[position] ^= 1
    assert failure(bytes(data), ("gzip",)) == Reason.BAD_ENCODING


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members(coding):
    """A body of several members is their contents in order; cut in the last one it is `truncated`."""
    data = ENCODERS[coding](b"one ") + ENCODERS[coding](b"") + ENCODERS[coding](b"two")
    assert decoded(data, (coding,)) == b"one two"
    assert decoded(data, (coding,), 1) == b"one two"
    assert failure(data[:-1], (coding,)) == Reason.TRUNCATED


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_too_many_members(coding):
    """Fifty thousand empty members are `too-large`, after the first thousand."""
    empty = ENCODERS[coding](b"")
    assert decoded(empty * MOST_MEMBERS, (coding,)) == b""
    assert failure(empty * 50_000, (coding,)) == Reason.TOO_LARGE


@pytest.mark.parametrize("coding", ["deflate", "deflate-raw", "br"])
def test_single_member(coding):
    """A second stream is `bad-encoding` where the coding knows only one."""
    assert failure(ENCODERS[coding](b"one") * 2, (coding,)) == Reason.BAD_ENCODING


def test_zstd_window():
    """A zstd frame that wants a window beyond 8 MiB is refused before memory is taken."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 24})
    assert failure(packer.compress(TEXT) + packer.flush(), ("zstd",)) == Reason.BAD_ENCODING


@pytest.mark.parametrize("chain", [(), ("gzip",), ("br", "gzip")], ids=["identity", "one", "two"])
@pytest.mark.parametrize("chunk", [1, 7, MANY])
def test_limit(chain, chunk):
    """Exactly `limit` bytes are no overflow; one more is, and only `limit` bytes come out."""
    for limit, overflows in ((len(TEXT), False), (len(TEXT) - 1, True), (10, True), (0, True)):
        taking, data = decoder(chain, limit), encoded(TEXT, chain)
        out = b"".join(piece for at in range(0, len(data), chunk) for piece in taking.feed(data[at : at + chunk]))
        assert (out, taking.overflowed) == (TEXT[:limit], overflows)


@each_chain
def test_bomb(chain):
    """Of 16 MiB of zeros in a few kilobytes only the limit is decoded, in small steps and little memory."""
    data = encoded(bytes(16 * 1024 * 1024), chain)
    taking = decoder(chain, 1024 * 1024)
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in taking.feed(data)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taking.overflowed
    assert sum(sizes) == 1024 * 1024
    assert max(sizes) < 2 * STEP
    assert peak < 2 * 1024 * 1024


def test_much_input_without_output():
    """A coding that takes megabytes and gives nothing is `too-large`, also when another coding hides them."""
    idle = b"\x00\x00\x00\xff\xff" * 200_000 + raw_deflate(b"small")
    assert decoded(idle, ("deflate-raw",)) == b"small"
    assert failure(idle, ("deflate-raw",), limit=1000) == Reason.TOO_LARGE
    assert failure(gzip.compress(idle), ("deflate-raw", "gzip"), limit=1000) == Reason.TOO_LARGE
    assert len(idle) > 1000 + SLACK > len(gzip.compress(idle))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], ()),
        (["identity"], ()),
        ([""], ()),
        (["gzip"], ("gzip",)),
        ([" GZip "], ("gzip",)),
        (["x-gzip"], ("gzip",)),
        (["gzip, br"], ("gzip", "br")),
        (["gzip", "br"], ("gzip", "br")),
        (["gzip,, identity"], ("gzip",)),
    ],
)
def test_codings(values, expected):
    """The codings are read from all Content-Encoding lines, in order, whatever their case."""
    assert codings(values) == expected


@pytest.mark.parametrize(
    "value", ["foo", "gzip, foo", "compress", "utf-8", "gzip;q=1", "gzip gzip", "gzip, gzip, gzip", "\x1b[31m"]
)
def test_undecodable_codings(value):
    """An unknown coding, or a third one, is `bad-encoding`, and its name is shown harmlessly."""
    with pytest.raises(BodyError) as caught:
        codings([value])
    assert caught.value.reason == Reason.BAD_ENCODING
    assert caught.value.detail.isprintable()


def test_accepted_codings_are_decodable():
    """Every coding we ask for is one we decode."""
    assert codings(ACCEPTED.split(", ")[:2]) + codings(ACCEPTED.split(", ")[2:]) == tuple(ACCEPTED.split(", "))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared sample bombs are not beside this checkout")
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_sample_bombs(coding):
    """A known bomb of 11.5 MB is stopped at a lower limit, and decodes whole under a higher one."""
    data = (SHARED / f"bomb-{coding}.bin").read_bytes()
    taking = decoder((coding,), 1024 * 1024)
    assert sum(len(piece) for piece in taking.feed(data)) == 1024 * 1024
    assert taking.overflowed
    assert len(decoded(data, (coding,))) == 11_511_612


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared sample bombs are not beside this checkout")
def test_sample_without_trailer():
    """A known gzip page whose text is all there but whose trailer is missing is `truncated`."""
    assert failure((SHARED / "truncated-crc-error-short.gz").read_bytes(), ("gzip",)) == Reason.TRUNCATED
