import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.charset import codec, decode

META = '<!doctype html><head><meta charset="{}">'


@pytest.mark.parametrize(
    ("body", "content_type", "text", "name"),
    [
        pytest.param(b"\xef\xbb\xbfgr\xc3\xbcn", "text/html; charset=latin1", "grün", "utf-8", id="mark-over-header"),
        pytest.param("\ufeffgrün".encode("utf-16-le"), "", "grün", "utf-16-le", id="utf-16-le-mark"),
        pytest.param("\ufeffgrün".encode("utf-16-be"), "", "grün", "utf-16-be", id="utf-16-be-mark"),
        pytest.param(b"gr\xfcn", "text/html; charset=ISO-8859-1", "grün", "cp1252", id="header"),
        pytest.param(b"gr\xfcn", 'text/html; x=1; Charset = "latin1"', "grün", "cp1252", id="header-quoted"),
        pytest.param(b"\x93\x80\x94", "text/html; charset=us-ascii", "“€”", "cp1252", id="ascii-is-windows-1252"),
        pytest.param("grün".encode("utf-16-le"), "text/html;charset=utf-16", "grün", "utf-16-le", id="header-utf-16"),
        pytest.param(b"gr\xc3\xbcn", "text/html; charset=nonsense", "grün", "utf-8", id="header-unknown"),
        pytest.param(b"gr\xc3\xbcn", "text/html; charset=utf-7", "grün", "utf-8", id="header-utf-7"),
        pytest.param(b"gr\xc3\xbcn", "text/html; charset=rot13", "grün", "utf-8", id="header-rot13"),
        pytest.param(b"gr\xc3\xbcn", "text/html", "grün", "utf-8", id="valid-utf-8"),
        pytest.param(b"gr\xfcn \x81", "", "grün \x81", "cp1252", id="neither"),
        pytest.param(b"", "", "", "utf-8", id="empty"),
    ],
)
def test_order(body, content_type, text, name):
    """A byte order mark counts more than the header, the header more than a guess; an unknown label counts nothing."""
    assert decode(body, content_type) == (text, name, 0)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param('<meta charset="iso-8859-2">', "iso8859-2", id="charset"),
        pytest.param("<META CHARSET=koi8-r>", "koi8-r", id="upper-case-unquoted"),
        pytest.param("<meta\tcharset='shift_jis'/>", "cp932", id="tab-single-quotes"),
        pytest.param(
            '<meta http-equiv="Content-Type" content="text/html; charset=big5">', "big5hkscs", id="http-equiv"
        ),
        pytest.param("<meta content='text/html;charset=gb2312' http-equiv=content-type>", "gb18030", id="any-order"),
        pytest.param('<meta content="text/html; charset=gb2312">', "cp1252", id="content-without-pragma"),
        pytest.param('<!-- <meta charset="koi8-r"> --><meta charset="iso-8859-5">', "iso8859-5", id="comment"),
        pytest.param('<!--><meta charset="koi8-r">', "koi8-r", id="shortest-comment"),
        pytest.param('<!-- <meta charset="koi8-r">', "cp1252", id="open-comment"),
        pytest.param('<a title="<meta charset=koi8-r>"><meta charset=cp866>', "cp866", id="inside-an-attribute"),
        pytest.param('<? <meta charset="koi8-r"> ?><metal charset=cp866>', "cp1252", id="inside-an-instruction"),
        pytest.param('<meta charset="utf-16">', "utf-8", id="utf-16-cannot-be"),
        pytest.param('<meta charset="x-user-defined">', "cp1252", id="x-user-defined"),
        pytest.param('<meta charset="nope"><meta charset="euc-kr">', "cp949", id="unknown-then-known"),
        pytest.param('<meta charset="koi8-r" charset="cp866">', "koi8-r", id="first-attribute-counts"),
        pytest.param('<?xml version="1.0" encoding="windows-1251"?><html>', "cp1251", id="xml-declaration"),
        pytest.param("<" * 50 + "<meta charset=koi8-r>", "koi8-r", id="stray-brackets"),
        pytest.param(" " * 1024 + "<meta charset=koi8-r>", "cp1252", id="too-late"),
    ],
)
def test_declared(head, name):
    """The encoding that the first 1,024 bytes declare is used, read as the HTML standard's prescan reads it."""
    text, used, _ = decode(head.encode() + b"\xe9" * 4)
    assert used == name
    if name != "utf-8":
        assert text.startswith(head)


def test_replacements():
    """Bytes that are none in the declared encoding become U+FFFD and are counted; one that stands there is not."""
    assert decode(b"a\xffb\xfe", "text/html; charset=utf-8") == ("a\ufffdb\ufffd", "utf-8", 2)
    assert decode("a\ufffdb".encode(), "text/html; charset=utf-8") == ("a\ufffdb", "utf-8", 0)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes(body, label):
    """No bytes and no header make decoding fail, and what comes out can be written as UTF-8."""
    text, name, replacements = decode(body, f"text/html; charset={label}")
    text.encode()
    assert codec(name) is not None
    assert 0 <= replacements <= len(text)


@given(st.binary(max_size=300), st.sampled_from(["utf-8", "gbk", "iso-2022-jp", "cp932", "utf-16", "big5", "cp874"]))
def test_any_bytes_declared(body, label):
    """Bytes that are nothing in the encoding a page declares do not make decoding fail."""
    text, _, _ = decode(META.format(label).encode() + body)
    text.encode()


@given(st.text())
def test_utf8_round_trip(text):
    """A text in UTF-8 comes back as it was, but for the byte order mark before it."""
    body = text.encode()
    assert decode(body, "text/html; charset=utf-8")[0] == text.removeprefix("\ufeff")
