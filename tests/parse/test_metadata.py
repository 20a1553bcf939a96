import pytest

from scraper.parse import Page


@pytest.mark.parametrize(
    ("html", "title"),
    [
        pytest.param("<title> a\n b </title><title>c</title>", "a b", id="first-collapsed"),
        pytest.param("<svg><title>x</title></svg><title>y</title>", "y", id="not-of-a-drawing"),
        pytest.param("<title> </title><meta property='og:title' content='o'>", "o", id="open-graph"),
        pytest.param("<title>&lt;b&gt; &amp; c</title>", "<b> & c", id="references"),
        pytest.param("<p>x", None, id="none"),
    ],
)
def test_title(html, title):
    """The title is the first title element that has text, else og:title, else None."""
    assert Page("http://a.test/", html).title == title


@pytest.mark.parametrize(
    ("html", "description"),
    [
        pytest.param("<meta name=Description content=' a\n b '><meta name=description content=c>", "a b", id="first"),
        pytest.param(
            "<meta name=description content=''><meta property=og:description content=o>", "o", id="open-graph"
        ),
        pytest.param("<meta name=description><meta content=x>", None, id="none"),
    ],
)
def test_description(html, description):
    """The description is the meta of that name, else og:description, else None."""
    assert Page("http://a.test/", html).description == description


@pytest.mark.parametrize(
    ("html", "header", "lang"),
    [
        pytest.param("<html lang=' de-AT '>", "en", "de-AT", id="attribute"),
        pytest.param("<html lang=''>", "fr, en", "fr", id="header"),
        pytest.param("<p lang=de>", None, None, id="none"),
    ],
)
def test_lang(html, header, lang):
    """The language is that of the html element, else the first of Content-Language, else None."""
    headers = [("content-language", header)] if header else []
    assert Page("http://a.test/", html, headers=headers).lang == lang


@pytest.mark.parametrize(
    ("html", "headers", "noindex"),
    [
        pytest.param("<meta name=robots content='noindex,follow'>", [], True, id="meta"),
        pytest.param("<meta name=robots content=none>", [], True, id="none"),
        pytest.param("<meta name=robots content=index><meta name=robots content=noindex>", [], True, id="second-meta"),
        pytest.param("", [("x-robots-tag", "otherbot: noindex"), ("x-robots-tag", "scraper: noindex")], True, id="us"),
        pytest.param("", [("x-robots-tag", "otherbot: noindex")], False, id="them"),
        pytest.param("<meta name=robots content='index, nofollow'>", [], False, id="nofollow-only"),
    ],
)
def test_noindex(html, headers, noindex):
    """A page that asks not to be kept, in a meta or a header that concerns us, is marked."""
    assert Page("http://a.test/", html, headers=headers).metadata.noindex is noindex
