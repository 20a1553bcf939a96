import pytest

from scraper.parse.soup import make_soup, take_apart
from scraper.parse.walk import walk


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("<p>one</p><p>two</p>", "one\ntwo", id="blocks"),
        pytest.param("a<div>b<div>c</div>d</div>e", "a\nb\nc\nd\ne", id="nested-blocks"),
        pytest.param("<p>un<b>believ</b>able</p>", "unbelievable", id="inline-joined"),
        pytest.param("<p> a \n\t b&nbsp;c </p>", "a b c", id="white-space-collapsed"),
        pytest.param("a<br>b<hr>c", "a\nb\nc", id="br-hr"),
        pytest.param("<ul>\n<li>a\n<li>b\n</ul>", "a\nb", id="list"),
        pytest.param("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc", id="cells-apart"),
        pytest.param("<p>a<script>x()</script>b<style>y{}</style>c</p>", "abc", id="script-style"),
        pytest.param("<template><p>x</p></template><noscript>y</noscript>z", "z", id="template-noscript"),
        pytest.param("<head><title>t</title></head><body>b</body>", "b", id="head"),
        pytest.param("a<!-- b -->c", "ac", id="comment"),
        pytest.param("<p>a</p><pre>\n\n  x\n\n\n\n y  \n</pre><p>b", "a\n  x\n\n y\nb", id="pre"),
        pytest.param("<pre>a<br>b\n<b>c</b></pre>d", "a\nb\nc\nd", id="br-in-pre"),
        pytest.param("<pre>\n \n</pre>x<p> </p>\n<pre>a", "x\na", id="empty-blocks"),
        pytest.param("<p>1 &lt; 2</p>", "1 < 2", id="references"),
        pytest.param("", "", id="empty"),
        pytest.param("just text", "just text", id="no-tags"),
    ],
)
@pytest.mark.parametrize("builder", ["lxml", "html.parser"])
def test_text(html, text, builder):
    """The text is what a reader sees: blocks on lines of their own, white space collapsed, code and head left out."""
    assert walk(make_soup(html, builder)).text == text


def test_anchors():
    """Tags that may link are found in document order with the text in them, those in templates are not."""
    soup = make_soup(
        "<link rel=next href=n><a href=1>o<b>n</b>e</a><a name=x>no</a><template><a href=2>t</a></template>"
        "<map><area href=3></map><iframe src=4></iframe><noscript><a href=5>n</a></noscript><a href=6><p>x<p>y</a>z"
    )
    found = [(tag.name, "".join(pieces)) for tag, pieces in walk(soup).anchors]
    assert found == [("link", ""), ("a", "one"), ("area", ""), ("iframe", ""), ("a", "n"), ("a", " x  y ")]


def test_heads():
    """The first title outside of an svg, the first base with an href, and each meta outside of a template are found."""
    outline = walk(
        make_soup(
            "<html lang=de><body><svg><title>drawing</title></svg><title>page</title><title>late</title>"
            "<base target=x><base href=1><base href=2><meta name=a><template><meta name=b></template><meta name=c>"
        )
    )
    assert outline.title is not None
    assert outline.title.string == "page"
    assert outline.base is not None
    assert outline.base["href"] == "1"
    assert outline.html is not None
    assert outline.html["lang"] == "de"
    assert [meta["name"] for meta in outline.metas] == ["a", "c"]


@pytest.mark.parametrize("shape", ["<div>", "<b><i>", "<a href=x>", "<table><tr><td>", "<pre>\n"])
def test_deep(shape):
    """A page of tens of thousands of open tags is walked without a limit on depth."""
    soup = make_soup(shape * 5_000 + "end")
    assert "end" in walk(soup).text or "end" not in soup.get_text()
    take_apart(soup)
