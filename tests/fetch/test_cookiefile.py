"""The cookies.txt format: what its lines mean, and that the file is whole, private, and its errors tell no secret."""

import os
import stat

import pytest

from scraper.errors import ConfigError, ScraperError
from scraper.fetch.cookiefile import FIRST_LINE, LONGEST_LINE, read, write
from scraper.fetch.setcookie import LONGEST_LIFE, Cookie

NOW = 1_700_000_000.0


def _cookie(**changed):
    fields = {
        "name": "a",
        "value": "hunter2",
        "domain": "home.example.org",
        "host_only": True,
        "path": "/",
        "secure": False,
        "http_only": False,
        "expires_at": None,
    }
    return Cookie(**(fields | changed))


LINES = [
    ("home.example.org\tFALSE\t/\tFALSE\t0\ta\thunter2", _cookie()),
    (".home.example.org\tTRUE\t/\tFALSE\t0\ta\thunter2", _cookie(host_only=False)),
    ("#HttpOnly_home.example.org\tFALSE\t/\tTRUE\t0\ta\thunter2", _cookie(http_only=True, secure=True)),
    ("#HttpOnly_.home.example.org\tTRUE\t/x\tFALSE\t1700000009\ta\thunter2", None),
    ("home.example.org\tFALSE\t/\tFALSE\t0\t\thunter2", _cookie(name="")),
    ("home.example.org\tFALSE\t/\tFALSE\t0\ta\t", _cookie(value="")),
    ("home.example.org\tFALSE\t/\tFALSE\t0\ta\tx\ty = z", _cookie(value="x\ty = z")),
    ("home.example.org\tFALSE\t/ä\tFALSE\t0\tö\t€", _cookie(path="/ä", name="ö", value="€")),
    ("127.0.0.1\tFALSE\t/\tFALSE\t0\ta\thunter2", _cookie(domain="127.0.0.1")),
    ("[::1]\tFALSE\t/\tFALSE\t0\ta\thunter2", _cookie(domain="[::1]")),
]
LINES[3] = (LINES[3][0], _cookie(http_only=True, host_only=False, path="/x", expires_at=NOW + 9))


@pytest.mark.parametrize(("line", "cookie"), LINES, ids=[line.replace("\t", " ") for line, _ in LINES])
def test_a_line_is_a_cookie_and_a_cookie_that_line(tmp_path, line, cookie):
    """Each field survives both ways: a host-only cookie stays one, an HttpOnly one too, one without an end as well."""
    file = tmp_path / "cookies.txt"
    file.write_text(f"{line}\n", encoding="utf-8")
    assert list(read(file, NOW)) == [cookie]
    assert write(file, [cookie]) == 0
    assert file.read_text(encoding="utf-8") == f"{FIRST_LINE}\n{line}\n"


TAKEN = [
    ("home.example.org\tTRUE\t/\tFALSE\t0\ta\thunter2", _cookie(host_only=False)),
    (".home.example.org\tFALSE\t/\tFALSE\t0\ta\thunter2", _cookie()),
    ("HOME.example.org\tfalse\t/\tfalse\t0\ta\thunter2\r", _cookie()),
    ("home.example.org\tFALSE\t/\tFALSE\t0\ta", _cookie(value="")),
    ("home.example.org\tFALSE\t/\tFALSE\t1700000009.5\ta\thunter2", _cookie(expires_at=NOW + 9.5)),
    ("home.example.org\tFALSE\t/\tFALSE\t99999999999\ta\thunter2", _cookie(expires_at=NOW + LONGEST_LIFE)),
    (".127.0.0.1\tTRUE\t/\tFALSE\t0\ta\thunter2", _cookie(domain="127.0.0.1")),
    (".co.uk\tTRUE\t/\tFALSE\t0\ta\thunter2", _cookie(domain="co.uk")),
    ("localhost\tTRUE\t/\tFALSE\t0\ta\thunter2", _cookie(domain="localhost")),
    ("\ufeffhome.example.org\tFALSE\t/\tFALSE\t0\ta\thunter2", _cookie()),
]


@pytest.mark.parametrize(("line", "cookie"), TAKEN, ids=[ascii(line) for line, _ in TAKEN])
def test_what_other_programs_write_is_understood(tmp_path, line, cookie):
    """The second field alone tells host-only; for a suffix or an address all are; no end is over 400 days away."""
    file = tmp_path / "cookies.txt"
    file.write_bytes(f"{line}\n".encode())
    assert list(read(file, NOW)) == [cookie]


BAD = [
    b"home.example.org\tFALSE\t/\tFALSE\t0",
    b"home.example.org FALSE / FALSE 0 a hunter2",
    b"home.example.org\tMAYBE\t/\tFALSE\t0\ta\thunter2",
    b"home.example.org\tFALSE\t/\tMAYBE\t0\ta\thunter2",
    b"home.example.org\tFALSE\tx\tFALSE\t0\ta\thunter2",
    b"home.example.org\tFALSE\t/\tFALSE\tsoon\ta\thunter2",
    b"home.example.org\tFALSE\t/\tFALSE\t1e9\ta\thunter2",
    b"home.example.org\tFALSE\t/\tFALSE\t\xd9\xa3\ta\thunter2",
    b"home.example.org\tFALSE\t/\tFALSE\t0\t\t",
    b"home.example.org\tFALSE\t/\tFALSE\t0\ta\tx\x00y",
    b"home.example.org\tFALSE\t/\tFALSE\t0\ta\tx\ry",
    b"home.example.org\tFALSE\t/\tFALSE\t0\ta\t\xff",
    b"home.example.org\tFALSE\t/\tFALSE\t0\ta\t" + b"v" * 4096,
    b"home.example.org\tFALSE\t/\tFALSE\t0\ta\t" + b"v" * 2 * LONGEST_LINE,
    b"home.example.org\tFALSE\t/\tFALSE\t0\t__Secure-a\thunter2",
    b"home.example.org\tFALSE\t/x\tTRUE\t0\t__Host-a\thunter2",
    b"home.example.org\tTRUE\t/\tTRUE\t0\t__Host-a\thunter2",
    b"\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b".\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"home.example.org:80\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"home.example.org/x\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"me@home.example.org\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"home example\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"b\xc3\xbccher.example\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"127.1\tFALSE\t/\tFALSE\t0\ta\thunter2",
    b"h" * 300 + b"\tFALSE\t/\tFALSE\t0\ta\thunter2",
]


@pytest.mark.parametrize("line", BAD, ids=[ascii(line[:70]) for line in BAD])
def test_a_bad_line_is_told_and_skipped(tmp_path, line):
    """A line that is no cookie is one None, and the cookies around it are read; comments and blanks are nothing."""
    good = b"home.example.org\tFALSE\t/\tFALSE\t0\ta\thunter2"
    file = tmp_path / "cookies.txt"
    file.write_bytes(b"\n".join([b"# Netscape HTTP Cookie File", b"", b"#x", good, line, b" \t\r", good]))
    assert list(read(file, NOW)) == [_cookie(), None, _cookie()]


def test_what_the_format_cannot_carry_is_counted(tmp_path):
    """A tab in a name or a path would forge fields: such a cookie is left out; in a value it is kept."""
    file = tmp_path / "cookies.txt"
    assert write(file, [_cookie(name="a\tb"), _cookie(path="/\tx"), _cookie(value="x\ty")]) == 2
    assert list(read(file, NOW)) == [_cookie(value="x\ty")]


def test_seconds_are_whole_and_never_none(tmp_path):
    """Fractions of seconds are left off, and an early end does not become the 0 that means "no end"."""
    write(tmp_path / "cookies.txt", [_cookie(expires_at=12.9), _cookie(expires_at=0.5)])
    assert [cookie.expires_at for cookie in read(tmp_path / "cookies.txt", 0.0)] == [12.0, 1.0]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277], ids=oct)
def test_the_file_is_for_its_owner_alone(tmp_path, monkeypatch, umask):
    """Its mode is 0600 whatever the umask and the old mode, from before the first byte; nothing is left beside it."""
    file = tmp_path / "cookies.txt"
    file.write_text("old")
    file.chmod(0o666)
    modes = []
    change = os.fchmod

    def watched(descriptor, mode):
        modes.append((os.fstat(descriptor).st_size, stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077))
        change(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", watched)
    before = os.umask(umask)
    try:
        write(file, [_cookie()])
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (modes, list(tmp_path.iterdir())) == ([(0, 0)], [file])


def test_a_link_stays_a_link(tmp_path):
    """A symbolic link is followed, and what it leads to is replaced."""
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")
    write(tmp_path / "link.txt", [_cookie()])
    assert (tmp_path / "link.txt").is_symlink()
    assert list(read(tmp_path / "real.txt", NOW)) == [_cookie()]


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    """If the disk fails before all is there, the old file is untouched, nothing lies beside it, no value is told."""
    file = tmp_path / "cookies.txt"
    file.write_text("old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ScraperError, match=r"cookies\.txt: the cookies were not written: No space left") as caught:
        write(file, [_cookie()])
    assert "hunter2" not in str(caught.value)
    assert (file.read_text(), list(tmp_path.iterdir())) == ("old", [file])


@pytest.mark.parametrize("place", ["", "absent/cookies.txt", "nul\0"], ids=["a folder", "no such folder", "a NUL"])
def test_a_place_that_cannot_be_is_an_error(tmp_path, place):
    """What is no file, or in no folder, is neither read nor written, and the message names it."""
    with pytest.raises(ScraperError, match="the cookies were not written"):
        write(f"{tmp_path}/{place}", [_cookie()])
    with pytest.raises(ConfigError, match="the cookies were not read"):
        list(read(f"{tmp_path}/{place}", NOW))
