"""What the demonstration does with the shop: an extractor as a user would write it, and queries over what it found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scraper.parse import Page, extractor

# How a crawl of the whole shop ends: 60 products, 9 pages of categories, 4 others; the rest is not to be had.
FETCHED = 73
REDIRECTED = 1  # /sale
SKIPPED = 2  # /basket (robots), https://example.org/ (scope)
FAILED = 1  # /discontinued (http-4xx)


@extractor("*/product/*")
def product(page: Page) -> Iterator[dict[str, Any]]:
    """One record for a product's page."""
    stock = _text(page, ".stock")
    yield {
        "name": _text(page, "h1"),
        "price": float(_text(page, ".price").lstrip("£").replace(",", "")),
        "category": _text(page, "a.category"),
        "stock": int(stock.split()[0]) if stock != "Sold out" else 0,
        "rating": float(str(page.select(".rating")[0]["title"]).split()[0]),
    }


def _text(page: Page, css: str) -> str:
    return page.select(css)[0].get_text(strip=True)


QUERIES = (
    (
        "The cheapest products in stock",
        """SELECT data ->> '$.name' AS product, data ->> '$.price' AS price, data ->> '$.stock' AS stock
FROM records WHERE data ->> '$.stock' > 0 ORDER BY price, product LIMIT 5""",
    ),
    (
        "Products by category, and what reading about them took",
        """SELECT data ->> '$.category' AS category, count(*) AS products,
       round(avg(data ->> '$.price'), 2) AS mean_price, max(data ->> '$.rating') AS best_rating,
       sum(bytes) AS bytes_read
FROM records JOIN pages USING (crawl_id, url) GROUP BY category ORDER BY products DESC, category""",
    ),
    (
        "How every URL ended",
        """SELECT state, reason, count(*) AS urls, min(detail) AS example
FROM urls GROUP BY state, reason ORDER BY urls DESC, state""",
    ),
)
