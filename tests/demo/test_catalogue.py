from __future__ import annotations

from html.parser import HTMLParser

import pytest

from scraper.demo.catalogue import CATEGORIES, PRODUCTS
from scraper.demo.pages import ON_A_PAGE, pages

VOID = {"meta", "link"}


class Outline(HTMLParser):
    """Follows the tags, and objects to what is not nested."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        """Open, and remember."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close what was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Remember."""
        self.texts.append(data)


def test_there_are_sixty_products_with_names_of_their_own():
    """The catalogue is sixty products in five categories, no two of one name or address."""
    assert (
        len(PRODUCTS)
        == len({product.slug for product in PRODUCTS})
        == len({product.name for product in PRODUCTS})
        == 60
    )
    assert len(CATEGORIES) == 5


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.slug)
def test_a_product_is_plausible(product):
    """A product has a price, a stock that may be nothing, one to five stars, and an address that needs no escaping."""
    assert 100 <= product.price < 20_000
    assert 0 <= product.stock < 100
    assert 1 <= product.rating <= 5
    assert product.slug.replace("-", "").isascii()
    assert product.slug.replace("-", "").isalnum()


def test_some_products_are_sold_out():
    """Stock and prices vary: some products are sold out, most are not, and prices are many."""
    assert 1 <= sum(product.stock == 0 for product in PRODUCTS) <= 10
    assert len({product.price for product in PRODUCTS}) > 40


def test_prices_are_written_as_shops_do():
    """A price is text with a pound sign and two digits of pence."""
    assert PRODUCTS[0].price_text == "£4.20"


def test_long_categories_have_several_pages():
    """A category shows twelve products a page, and all its products on its pages together."""
    found = pages()
    for category in CATEGORIES:
        listing = [html for path, html in found.items() if path.partition("?")[0] == f"/category/{category.slug}"]
        assert len(listing) == -(-len(category.names) // ON_A_PAGE)
        assert sum(html.count("/product/") for html in listing) == len(category.names)
        assert sum('rel="next"' in html for html in listing) == len(listing) - 1


@pytest.mark.parametrize("path", pages())
def test_a_page_is_valid_html(path):
    """Every page is a well-nested HTML5 document with language, one title, one description, and escaped text."""
    html = pages()[path]
    outline = Outline()
    outline.feed(html)
    outline.close()
    assert html.startswith("<!DOCTYPE html>")
    assert outline.open == []
    tags = [tag for tag, _ in outline.seen]
    assert [tags.count(tag) for tag in ("html", "head", "title", "body", "main", "h1")] == [1] * 6
    assert outline.seen[0] == ("html", {"lang": "en-GB"})
    assert sum(attributes.get("name") == "description" for _, attributes in outline.seen) == 1
    assert not any("<" in text or "&" in text.replace(" & ", "") for text in outline.texts)
