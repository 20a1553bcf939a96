"""Content codings: whole or an error, and never more memory than was agreed. Rows B2, B4, B5, goal G6."""

from __future__ import annotations

import gzip
import random
import sys
import tracemalloc
import zlib
from pathlib import Path

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.fetch.body import (
    ACCEPTED,
    MOST_MEMBERS,
    MOST_RATIO,
    RATIO_FROM,
    SLACK,
    SLICE,
    STEP,
    BodyError,
    Decoder,
    codings,
)
from scraper.model import Reason

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SHARED = Path(__file__).parents[3] / "shared" / "data" / "compressed"
MANY = 1 << 30
MIXED = random.Random(6).randbytes(2000) + b"<p>the same and the same again</p>" * 20  # no coding makes less of it
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
    "zstd-checked": lambda data: zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1}),
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
    return Decoder(codings([", ".join(name.removesuffix("-raw").removesuffix("-checked") for name in chain)]), limit)


def decoded(data: bytes, chain: tuple[str, ...], chunk: int = MANY, limit: int = MANY) -> bytes:
    """Take the codings off, the body coming in chunks."""
    taking = decoder(chain, limit)
    whole = b"".join(piece for at in range(0, len(data), chunk) for piece in taking.feed(data[at : at + chunk]))
    taking.finish()
    return whole


def outcome(data: bytes, chain: tuple[str, ...], chunk: int = MANY, limit: int = MANY) -> bytes | Reason:
    """What becomes of a body."""
    try:
        return decoded(data, chain, chunk, limit)
    except BodyError as error:
        return error.reason


def is_truncated(taking: Decoder) -> bool:
    """Would the body be cut, if it ended here?"""
    try:
        taking.finish()
    except BodyError as error:
        return error.reason == Reason.TRUNCATED
    return False


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


def test_cut_at_every_byte(goal):
    """A coded body of 2 KB cut anywhere, even to nothing, is `truncated`, and whole after its last byte alone (B2)."""
    with goal("G6", "coded bodies cut at every byte: none is whole") as tries:
        for chain in CHAINS:
            data = encoded(MIXED, chain)
            assert len(data) > 2000
            taking = decoder(chain)
            for end in range(len(data)):
                tries.check(is_truncated(taking), f"{chain} cut at {end}")
                for _ in taking.feed(data[end : end + 1]):
                    pass
            tries.check(not is_truncated(taking), f"{chain}, all of it")


def test_split_at_every_byte(goal):
    """A body that arrives in two parts, wherever it is split, comes out as it went in (B2)."""
    with goal("G6", "coded bodies split at every byte: all are whole") as tries:
        for chain in CHAINS:
            data = encoded(TEXT, chain)
            for at in range(len(data) + 1):
                taking = decoder(chain)
                out = b"".join([*taking.feed(data[:at]), *taking.feed(data[at:])])
                taking.finish()
                tries.check(out == TEXT, f"{chain} split at {at}")


def test_a_flipped_bit(goal):
    """A coding with a checksum never passes a body with one bit wrong; it says so and nothing else goes wrong (B2)."""
    with goal("G6", "coded bodies with each bit flipped: none is another body") as tries:
        for name, coding in (("gzip", "gzip"), ("deflate", "deflate"), ("zstd-checked", "zstd")):
            data = bytearray(ENCODERS[name](TEXT))
            for bit in range(len(data) * 8):
                data[bit // 8] ^= 1 << bit % 8
                became = outcome(bytes(data), (coding,))
                tries.check(became in {TEXT, Reason.BAD_ENCODING, Reason.TRUNCATED}, f"{name}, bit {bit}")
                data[bit // 8] ^= 1 << bit % 8


@given(st.sampled_from(CHAINS), st.binary(max_size=400), st.integers(0, 400), st.integers(1, 50))
def test_any_bytes(chain, junk, at, chunk):
    """Whatever the bytes, a decoder ends with a body or with one of three reasons."""
    whole = encoded(TEXT[:300], chain)
    for data in (junk, whole[:at] + junk + whole[at:], whole[:at] + junk):
        became = outcome(data, chain, chunk, 5000)
        assert isinstance(became, bytes) or became in {Reason.TRUNCATED, Reason.BAD_ENCODING, Reason.TOO_LARGE}


@each_chain
@pytest.mark.parametrize("junk", [b"<p>junk", b"\n", b"\0", b"\0" * 100], ids=["text", "line", "zero", "zeros"])
def test_bytes_after_the_end(chain, junk):
    """Anything after the end of a coding is `bad-encoding`, in the same chunk or in a later one (B4)."""
    data = encoded(TEXT, chain) + junk
    assert failure(data, chain) == Reason.BAD_ENCODING
    assert failure(data, chain, len(data) - len(junk)) == Reason.BAD_ENCODING


def member(flags, fields):
    """A gzip member with the given fields in its header (RFC 1952, section 2.3)."""
    return b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\0\xff" + fields + gzip.compress(TEXT, mtime=0)[10:]


HEADERS = {
    "extra": (4, b"\x05\0abcde"),
    "name": (8, b"page.html\0"),
    "comment": (16, b"no comment\0"),
    "all": (28, b"\x05\0abcdepage.html\0no comment\0"),
}


@pytest.mark.parametrize("name", sorted(HEADERS))
def test_gzip_headers(name):
    """A gzip header may hold a name, a comment and more; cut anywhere in it the body is `truncated` (B2)."""
    data = member(*HEADERS[name])
    assert decoded(data, ("gzip",), 3) == TEXT
    assert all(failure(data[:end], ("gzip",)) == Reason.TRUNCATED for end in range(60))


def test_gzip_header_checksum():
    """A gzip header with a checksum of its own is believed if it fits, and is else `bad-encoding`."""
    head = b"\x1f\x8b\x08\x02" + bytes(4) + b"\0\xff"
    rest = gzip.compress(TEXT, mtime=0)[10:]
    assert decoded(head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + rest, ("gzip",)) == TEXT
    assert failure(head + b"no" + rest, ("gzip",)) == Reason.BAD_ENCODING


def skippable(content, number=0):
    """A zstd frame that holds no data (RFC 8878, section 3.1.2)."""
    return (0x184D2A50 + number).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def test_zstd_skippable_frames():
    """Skippable frames stand for nothing wherever they are; one that is cut is `truncated`."""
    whole = zstd.compress(TEXT)
    for data in (skippable(b"hey", 3) + whole, whole + skippable(b""), whole + skippable(b"hey", 15) + whole[:0]):
        assert decoded(data, ("zstd",)) == TEXT
    assert failure((whole + skippable(b"hey"))[:-1], ("zstd",)) == Reason.TRUNCATED
    assert failure(whole + b"\x50\x2a\x4d\x18" + b"\xff" * 4 + b"hey", ("zstd",)) == Reason.TRUNCATED


def test_dictionaries():
    """A coding that needs a dictionary which only the server has is `bad-encoding`."""
    words = zstd.train_dict([b"<p>Paragraph %d of many.</p>" % number * 3 for number in range(400)], 400)
    assert failure(zstd.compress(TEXT, zstd_dict=words), ("zstd",)) == Reason.BAD_ENCODING
    packer = zlib.compressobj(zdict=b"Paragraph")
    assert failure(packer.compress(TEXT) + packer.flush(), ("deflate",)) == Reason.BAD_ENCODING


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


WINDOWS = {
    "zstd-16-mib": ("zstd", b"\x28\xb5\x2f\xfd\0" + bytes([14 << 3]) + b"\x01\0\0"),
    "zstd-2-gib": ("zstd", b"\x28\xb5\x2f\xfd\0" + bytes([21 << 3]) + b"\x01\0\0"),
    "zstd-one-segment": ("zstd", b"\x28\xb5\x2f\xfd\xe0" + (1 << 40).to_bytes(8, "little") + b"\x01\0\0"),
    "brotli-large": ("br", bytes([0x11, 0x1E]) + bytes(20)),
}


@pytest.mark.parametrize("name", sorted(WINDOWS))
def test_windows(name):
    """A stream that wants a larger window than the web may use is refused before memory is taken (B5)."""
    coding, data = WINDOWS[name]
    assert failure(data, (coding,)) == Reason.BAD_ENCODING


@pytest.mark.parametrize("chain", [(), ("gzip",), ("br", "gzip")], ids=["identity", "one", "two"])
@pytest.mark.parametrize("chunk", [1, 7, MANY])
def test_limit(chain, chunk):
    """Exactly `limit` bytes are no overflow; one more is, and only `limit` bytes come out."""
    for limit, overflows in ((len(TEXT), False), (len(TEXT) - 1, True), (10, True), (0, True)):
        taking, data = decoder(chain, limit), encoded(TEXT, chain)
        out = b"".join(piece for at in range(0, len(data), chunk) for piece in taking.feed(data[at : at + chunk]))
        assert (out, taking.excess) == (TEXT[:limit], f"over {limit} bytes" if overflows else None)


@each_chain
def test_bomb(chain):
    """Of 16 MiB of zeros in a few kilobytes only the limit is decoded, in small steps and little memory (B5)."""
    data = encoded(bytes(16 * 1024 * 1024), chain)
    taking = decoder(chain, 1024 * 1024)
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in taking.feed(data)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taking.excess
    assert sum(sizes) <= 1024 * 1024
    assert max(sizes) < 2 * STEP
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize("chain", CHAINS[:6], ids="+".join)
@pytest.mark.parametrize("chunk", [1000, MANY], ids=["pieces", "whole"])
def test_ratio(chain, chunk):
    """A body that decodes to far more than it came as is given up, long before it reaches the limit (B5)."""
    data = encoded(bytes(12 * 1024 * 1024), chain)
    taking, size = decoder(chain), 0
    for at in range(0, len(data), chunk):
        size += sum(map(len, taking.feed(data[at : at + chunk])))
    assert taking.excess == f"over {MOST_RATIO} times as long as its encoded form"
    assert size <= max(RATIO_FROM, MOST_RATIO * len(data)) + 2 * STEP


def test_dense_pages():
    """A page that repeats itself much is taken: any up to four mebibytes, and one that shrinks to a hundredth (B5)."""
    assert decoded(encoded(bytes(RATIO_FROM), ("br",)), ("br",)) == bytes(RATIO_FROM)
    rows = b"".join(random.Random(number).randbytes(15) + bytes(3000) for number in range(2000))
    for coding in ("gzip", "deflate"):
        assert 100 < len(rows) / len(encoded(rows, (coding,))) < MOST_RATIO
        assert decoded(encoded(rows, (coding,)), (coding,), 1000) == rows


def idle():
    """Megabytes that say nothing, by the coding that takes them."""
    empty, skipped = gzip.compress(b"", mtime=0), skippable(b"")
    blocks = b"\0\0\0\xff\xff" * 400_000
    return {
        "gzip": (empty * 1000, ("gzip",)),
        "gzip-in-zstd": (zstd.compress(empty * 1000), ("gzip", "zstd")),
        "zstd": (skipped * 1000, ("zstd",)),
        "deflate": (blocks, ("deflate",)),
        "deflate-in-gzip": (gzip.compress(blocks), ("deflate", "gzip")),
        "brotli": (b"\x0c" + b"\x06" * 1_000_000, ("br",)),
        "brotli-in-brotli": (brotli.compress(b"\x0c" + b"\x06" * 1_000_000, quality=1), ("br", "br")),
    }


IDLE = idle()


@pytest.mark.parametrize("name", sorted(IDLE))
def test_work_without_output(name):
    """Between two pieces lies the work on one slice of one coding, even if nothing comes of it: the loop may pause."""
    data, chain = IDLE[name]
    taking = decoder(chain)
    inner = decoder(chain[1:])
    hidden = sum(map(len, inner.feed(data))) if len(chain) > 1 else 0
    pieces = list(taking.feed(data))
    assert sum(map(len, pieces)) == 0
    assert len(pieces) >= max(len(data), hidden) / SLICE


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
    """A known bomb of 11.5 MB is stopped on its way, though it is below the limit (B5)."""
    data = (SHARED / f"bomb-{coding}.bin").read_bytes()
    taking = decoder((coding,), 16 * 1024 * 1024)
    assert sum(len(piece) for piece in taking.feed(data)) < 11_511_612
    assert taking.excess


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared sample bombs are not beside this checkout")
def test_sample_without_trailer():
    """A known gzip page whose text is all there but whose trailer is missing is `truncated`."""
    assert failure((SHARED / "truncated-crc-error-short.gz").read_bytes(), ("gzip",)) == Reason.TRUNCATED
