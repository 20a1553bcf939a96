"""The shop's pages as HTML; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from scraper.demo.catalogue import CATEGORIES, PRODUCTS, Category, Product

ON_A_PAGE = 12  # products
ROBOTS = "User-agent: *\nDisallow: /basket\n"
SHOP = "The Demo Shop"


def pages() -> dict[str, str]:
    """Every page by its path with query, but for those that need the server to do something."""
    found = {"/": _home(), "/about": _about(), "/opening-hours": _opening_hours(), "/gift-finder": _gift_finder()}
    for category in CATEGORIES:
        found |= _listing(category)
    for product in PRODUCTS:
        found[_path(product)] = _product(product)
    return found


def page(title: str, description: str, body: str, *, head: str = "") -> str:
    """A whole HTML document around a body."""
    shelves = "".join(f'<li><a href="/category/{each.slug}">{escape(each.title)}</a></li>' for each in CATEGORIES)
    return (
        '<!DOCTYPE html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)} - {SHOP}</title>\n"
        f'<meta name="description" content="{escape(description)}">\n{head}</head>\n<body>\n'
        f'<header><a href="/">{SHOP}</a>\n<nav><ul>{shelves}<li><a href="/sale">Sale</a></li></ul></nav>\n'
        f'<a href="/basket">Basket</a></header>\n<main>\n{body}\n</main>\n'
        f'<footer><a href="/about">About us</a></footer>\n</body>\n</html>\n'
    )


def _home() -> str:
    best = sorted(PRODUCTS, key=lambda product: (-product.rating, product.slug))[:4]
    body = (
        "<h1>Welcome</h1>\n<p>Sixty useful things, none of which exist.</p>\n"
        f"<h2>Well liked</h2>\n{_cards(best)}\n"
        '<p><a href="/gift-finder">Gift finder</a>, <a href="/opening-hours">Opening hours</a>, '
        '<a href="/discontinued">Discontinued goods</a></p>'
    )
    return page("Welcome", "A small shop that exists to be crawled", body)


def _about() -> str:
    body = (
        "<h1>About us</h1>\n<p>This shop is served from your own machine, and closes when the demonstration ends.</p>\n"
        '<p>We are not related to <a href="https://example.org/">anybody else</a>.</p>'
    )
    return page("About us", "Who we are, and why nothing can be bought here", body)


def _opening_hours() -> str:
    return page("Opening hours", "When we are open", "<h1>Opening hours</h1>\n<p>Whenever you run us.</p>")


def _gift_finder() -> str:
    body = "<h1>Gift finder</h1>\n<p>It thinks a while, then says what it always says: tea.</p>"
    return page("Gift finder", "A slow page with good advice", body)


def _listing(category: Category) -> dict[str, str]:
    products = [product for product in PRODUCTS if product.category == category.slug]
    count = -(-len(products) // ON_A_PAGE)
    found = {}
    for number in range(1, count + 1):
        shown = products[(number - 1) * ON_A_PAGE : number * ON_A_PAGE]
        body = f"<h1>{escape(category.title)}</h1>\n<p>{escape(category.about)}.</p>\n{_cards(shown)}"
        head = "".join(f'<link rel="{rel}" href="{href}">\n' for rel, href in _turns(category, number, count))
        turns = "".join(f'<a rel="{rel}" href="{href}">{rel}</a> ' for rel, href in _turns(category, number, count))
        if turns:
            body += f"\n<p>Page {number} of {count}: {turns}</p>"
        description = f"{category.title}, page {number} of {count}"
        found[_listing_path(category, number)] = page(category.title, description, body, head=head)
    return found


def _turns(category: Category, number: int, count: int) -> Iterator[tuple[str, str]]:
    if number > 1:
        yield "prev", _listing_path(category, number - 1)
    if number < count:
        yield "next", _listing_path(category, number + 1)


def _product(product: Product) -> str:
    shelf = next(category for category in CATEGORIES if category.slug == product.category)
    stock = f"{product.stock} in stock" if product.stock else "Sold out"
    body = (
        f'<p><a href="/category/{shelf.slug}" class="category">{escape(shelf.title)}</a></p>\n'
        f'<article class="product">\n<h1>{escape(product.name)}</h1>\n'
        f'<p class="price">{product.price_text}</p>\n<p class="stock">{stock}</p>\n'
        f'<p class="rating" title="{product.rating} of 5 stars">{"★" * round(product.rating)}</p>\n'
        f"<p>{escape(product.description)}</p>\n</article>"
    )
    return page(product.name, product.description, body)


def _cards(products: Iterable[Product]) -> str:
    cards = (
        f'<li><a href="{_path(product)}">{escape(product.name)}</a>'
        f' <span class="price">{product.price_text}</span></li>'
        for product in products
    )
    return "<ul>\n" + "\n".join(cards) + "\n</ul>"


def _path(product: Product) -> str:
    return f"/product/{product.slug}"


def _listing_path(category: Category, number: int) -> str:
    return f"/category/{category.slug}" + (f"?page={number}" if number > 1 else "")
