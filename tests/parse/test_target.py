import pytest
from bs4 import BeautifulSoup
from bs4.element import Tag
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.parse.target import build

NEIGHBOURS = {"parent", "previous_element", "next_element", "previous_sibling", "next_sibling"}
PAGE = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "x.dtd">
<?pi x?><html lang="en"><head><meta charset="koi8-r"><meta http-equiv="Content-Type" content="text/html; charset=x">
<title>a &amp; b</title><style>p { }</style><script>if (a < b) "</p>"</script><link rel="next  prev" href="x"></head>
<body class=" a  b " accesskey="x y"><!-- c --><p>one<p>two<br>three <b><i>x</b>y</i>   <td headers="a b">
<table><tr><td headers="a b"> </table><pre>
  x   <b> </b></pre> <textarea> </textarea><template> <p>t<script>s</script>u</template><ruby>a<rp>(<rt>b<i>c</i></ruby>
<svg:rect x:y="1"/><form accept-charset="a b"><input disabled></form></div></body></html>
trailing"""
PIECES = [
    *("<p>", "</p>", "<b>", "</b>", "<pre>", "</pre>", "<table>", "<tr>", "<td>", "</table>", " ", "\n", "x"),
    *("<br>", "<script>", "</script>", "<template>", "</template>", "<!--c-->", "<!---->", "<a rel='x y'>"),
    *("</a>", "<li>", "<html class=a>", "<body>", "</body>", "<head>", "<title>", "<form>", "&lt;", "<rt>"),
    *("<?x?>", "</nothing>", "<select>", "<option>", "<div class=''>", "</div>", "<style>", "<textarea>"),
    *("</textarea>"),
]


def nodes(soup):
    """Every node as its class, its text and its whole state, neighbours by their number in the document."""
    found = []
    node = soup.contents[0] if soup.contents else None
    while node is not None:
        found.append(node)
        node = node.next_element
    number = {id(node): place for place, node in enumerate([soup, *found])}

    def shown(name, value):
        if name in NEIGHBOURS:
            return None if value is None else number[id(value)]
        if name == "contents":
            return [number[id(child)] for child in value]
        if name == "attrs":
            return type(value), [(key, type(part), part) for key, part in value.items()]
        return value

    return [
        (
            type(node),
            "" if isinstance(node, Tag) else str(node),
            {key: shown(key, part) for key, part in vars(node).items()},
        )
        for node in [soup, *found]
        if node is not soup
    ] + [[number[id(child)] for child in soup.contents], set(vars(soup))]


def assert_same(text):
    """Fail unless both trees of a text are alike."""
    assert nodes(build(text)) == nodes(BeautifulSoup(text, "lxml"))


@pytest.mark.parametrize("text", ["", " ", "x", PAGE, PAGE * 3, "<p>" * 500], ids=["0", "space", "x", "1", "3", "deep"])
def test_same_as_bs4(text):
    """The tree is bs4's own, node for node and attribute for attribute, down to the state that bs4 keeps in each."""
    assert_same(text)


@pytest.mark.filterwarnings("ignore::bs4.XMLParsedAsHTMLWarning", "ignore::bs4.MarkupResemblesLocatorWarning")
@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
def test_same_as_bs4_whatever(text):
    """However the tags are nested or left open, the tree is bs4's own."""
    assert_same(text)


def test_can_be_changed():
    """What bs4 offers to change, copy and print a tree works on it."""
    soup = build(PAGE)
    soup.p.append(soup.new_tag("i", string="new"))
    soup.title.string = "t"
    soup.table.decompose()
    copy = soup.__copy__()
    assert str(copy) == str(soup)
    assert "<i>new</i>" in str(soup.p)
    assert soup.pre.find_next("textarea").name == "textarea"
    assert 'charset="utf-8"' in str(soup.meta.encode(), "ascii")
