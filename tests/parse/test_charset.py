"""Which encoding, and what do the bytes say? Row B15."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.parse.charset import codec, decode
from scraper.parse.labels import STANDARD_NAMES

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
        pytest.param(b"gr\xc3\xbcn", "text/html; charset=latin-1", "grün", "utf-8", id="header-python-s-own-label"),
        pytest.param(b"gr\xc3\xbcn", "text/html; mycharset=latin1", "grün", "utf-8", id="header-other-parameter"),
        pytest.param(b"gr\xfcn", "text/html;charset='latin1'", "grün", "cp1252", id="header-single-quotes"),
        pytest.param(b"gr\xfcn", 'text/html;charset="latin1', "grün", "cp1252", id="header-open-quote"),
        pytest.param(b"gr\xfcn", "text/html charset=latin1", "grün", "cp1252", id="header-without-semicolon"),
        pytest.param(b"\xef\xbb\xbf\xef\xbb\xbfx", "", "\ufeffx", "utf-8", id="one-mark-only"),
        pytest.param(b"a\x80", "text/html; charset=gbk", "a€", "gb18030", id="euro-in-gbk"),
        pytest.param(b"a\x80\x81", "text/html; charset=tis-620", "a€\x81", "cp874", id="windows-874"),
        pytest.param(b"\xe5\x81", "text/html; charset=cp1250", "ĺ\x81", "cp1250", id="controls-in-windows-1250"),
        pytest.param(b"\xae", "text/html; charset=koi8-ru", "ў", "koi8-u", id="koi8-u"),
        pytest.param(b"a\x80", "text/html; charset=x-user-defined", "a\uf780", "x-user-defined", id="x-user-defined"),
        pytest.param("<?xml ü".encode("utf-16-le"), "", "<?xml ü", "utf-16-le", id="utf-16-le-xml"),
        pytest.param("<?xml ü".encode("utf-16-be"), "", "<?xml ü", "utf-16-be", id="utf-16-be-xml"),
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
        pytest.param("<?xml version='1.0'encoding = 'koi8-r' ?>", "koi8-r", id="xml-white-space"),
        pytest.param('<?xml encoding="koi8-r"?>', "koi8-r", id="xml-encoding-first"),
        pytest.param("<?xml encoding='utf-16'?>", "utf-8", id="xml-utf-16-cannot-be"),
        pytest.param('<?xml encoding="nope"?>', "cp1252", id="xml-unknown"),
        pytest.param('<?xml encoding="koi8-r"?><meta charset=cp866>', "cp866", id="meta-over-xml"),
        pytest.param('<?xml encoding="koi8-r"?><meta charset=nope>', "koi8-r", id="xml-after-unknown-meta"),
        pytest.param(' <?xml encoding="koi8-r"?>', "cp1252", id="xml-not-at-the-beginning"),
        pytest.param(
            "<meta charset=nope http-equiv=content-type content=charset=koi8-r>", "cp1252", id="charset-first"
        ),
        pytest.param(
            "<meta http-equiv=content-type content='x charset koi8 charset=koi8-r'>", "koi8-r", id="second-one"
        ),
        pytest.param("<meta http-equiv=content-type content='charset=\"koi8-r'>", "cp1252", id="open-quote-in-content"),
        pytest.param(
            "<meta http-equiv=content-type content='charset=koi8-r\"'>", "cp1252", id="stray-quote-in-content"
        ),
        pytest.param("<meta http-equiv=content-type content='xcharset=koi8-r'>", "koi8-r", id="no-boundary-in-content"),
        pytest.param("<meta charset=' \tkoi8-r\n'>", "koi8-r", id="white-space-around-label"),
        pytest.param("<meta/charset=koi8-r>", "koi8-r", id="slash-after-meta"),
        pytest.param("<meta charset=koi8-r" + " " * 1024 + ">", "cp1252", id="not-closed-in-time"),
        pytest.param(
            "<a title='" + "x" * 500 + "<b><meta charset=koi8-r>" + "x" * 500 + "'>", "cp1252", id="open-value"
        ),
        pytest.param("</a title='<meta charset=koi8-r>'><meta charset=cp866>", "cp866", id="end-tag-has-attributes"),
        pytest.param("</ <meta charset=koi8-r><meta charset=cp866>", "cp866", id="end-of-nothing"),
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
    assert decode(b"a\xffb", "text/html; charset=gbk") == ("a\ufffdb", "gb18030", 1)
    assert decode(b"a\0b", "text/html; charset=utf-16le") == ("\u0061\ufffd", "utf-16-le", 1)


@pytest.mark.parametrize("label", ["utf_8", "u8", "latin-1", "cp936", "utf-7", "utf-32", "idna", "ｕtf-8", "utf 8", ""])
def test_no_label(label):
    """What the Encoding Standard does not list is no label, though Python may know it."""
    assert codec(label) is None


def test_labels():
    """Every label of the Encoding Standard stands for what it says there, whatever its case and the space around it."""
    standard = pytest.importorskip("webencodings.labels").LABELS
    assert len(standard) == 228
    for label, name in standard.items():
        meant = codec(f" {label.upper()}\n")
        same = {"iso-8859-8-i": "iso-8859-8", "gbk": "gb18030"}.get(name, name)  # those that are decoded alike
        assert codec(same) == meant
        assert STANDARD_NAMES[meant] in {name, same, "gbk" if name == "gb18030" else name}


@pytest.mark.parametrize("name", STANDARD_NAMES)
def test_decoders(name):
    """ASCII is read in every encoding, and a stored name is a label of it; `replacement` and UTF-16 hold none."""
    assert codec(name) == name
    text = decode(b"<p>x", f"text/html; charset={name}")
    if not name.startswith("utf-16"):
        assert text == (("\ufffd", name, 1) if name == "replacement" else ("<p>x", name, 0))


@pytest.mark.parametrize("part", [b"<", b"<a ", b"<meta ", b"charset=", b"<!--", b"a='", b'"', b" ", b"<?xml encoding"])
def test_hostile(part):
    """Whatever is repeated in a page or a header, its encoding is found in no time."""
    for start in (b"", b"<meta ", b"<?xml ", b"<meta http-equiv=content-type content='"):
        decode(start + part * 100_000, "charset" + part.decode() * 100_000)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_bytes(body, label):
    """No bytes and no header make decoding fail, and what comes out can be written as UTF-8."""
    text, name, replacements = decode(body, f"text/html; charset={label}")
    text.encode()
    assert codec(name) is not None
    assert 0 <= replacements <= len(text)


@given(
    st.binary(max_size=300),
    st.sampled_from(["utf-8", "gbk", "iso-2022-jp", "cp932", "utf-16", "big5", "cp874", "hz-gb-2312"]),
)
def test_any_bytes_declared(body, label):
    """Bytes that are nothing in the encoding a page declares do not make decoding fail."""
    text, _, _ = decode(META.format(label).encode() + body)
    text.encode()


@given(st.text())
def test_utf8_round_trip(text):
    """A text in UTF-8 comes back as it was, but for the byte order mark before it."""
    body = text.encode()
    assert decode(body, "text/html; charset=utf-8")[0] == text.removeprefix("\ufeff")
