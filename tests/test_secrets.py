"""User and password of URLs are cut, tokens in queries hidden (C6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.secrets import redacted, without_userinfo


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://me:secret@a.example/", "http://a.example/"),
        ("https:me:secret@a.example", "https:a.example"),
        ("//me@a.example/", "//a.example/"),
        ("http:\\\\me:secret@a.example", "http:\\\\a.example"),
        ("http://a@b:c@d@a.example/", "http://a.example/"),
        ("http://[me:secret@a.example/", "http://a.example/"),
        ("line 3: 'http://me:secret@a' and <http://b:c@d>", "line 3: 'http://a' and <http://d>"),
        ("https://a.example/@me", "https://a.example/@me"),
        ("https://a.example:8080/x@y", "https://a.example:8080/x@y"),
        ("mailto:me@a.example", "mailto:me@a.example"),
        ("me@a.example", "me@a.example"),
    ],
)
def test_userinfo_is_cut(text, kept):
    """What stands before the @ of an authority is cut, wherever in a text; other @ are left alone."""
    assert without_userinfo(text) == kept


@given(st.text(st.characters(exclude_characters="/\\?#\"'<>", exclude_categories=["Z", "C"]), min_size=1), st.text())
def test_no_userinfo_is_left(secret, rest):
    """Whatever the secret and what surrounds it, an authority is without it."""
    assert without_userinfo(f"{rest} http://{secret}@a.example/").endswith(" http://a.example/")


@pytest.mark.parametrize(
    "name", ["token", "key", "sig", "password", "api_key", "apiKey", "X-Amz-Signature", "access_token", "PHPSESSID"]
)
def test_tokens_are_hidden(name):
    """The value of a parameter whose name speaks of a secret is not in a log."""
    assert redacted(f"https://a.example/?a=1&{name}=xyzzy&b=2") == f"https://a.example/?a=1&{name}=…&b=2"
    assert redacted(f"https://a.example/#{name}=xyzzy") == f"https://a.example/#{name}=…"


@pytest.mark.parametrize("name", ["keyword", "author", "page", "sigma", "sessions"])
def test_other_parameters_are_shown(name):
    """A name that only begins like one of a secret hides nothing."""
    assert redacted(f"https://a.example/?{name}=1&x=2") == f"https://a.example/?{name}=1&x=2"


@pytest.mark.parametrize("piece", [":", "@", "/@", "://", "?a", "?key", "//a", "&token="])
def test_time_is_linear(piece):
    """A text of a million characters ends in seconds, whatever it repeats: quadratic work would take an hour."""
    assert redacted(piece * (1_000_000 // len(piece)) + "@=") is not None
