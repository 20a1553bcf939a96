"""What the shop sells: sixty invented goods in five categories, the same every time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """One of the goods; `price` in pence, `rating` from 1 to 5 stars."""

    slug: str
    name: str
    category: str
    price: int
    stock: int
    rating: float
    description: str

    @property
    def price_text(self) -> str:
        """As the shop writes it: `£12.50`."""
        return f"£{self.price // 100:,}.{self.price % 100:02}"


@dataclass(frozen=True, slots=True)
class Category:
    """A shelf: `noun` is what each of its goods is, `cheapest` and `step` (pence) make their prices."""

    slug: str
    title: str
    noun: str
    about: str
    cheapest: int
    step: int
    names: tuple[str, ...]


CATEGORIES = (
    Category(
        "teas", "Teas", "Tea", "Loose leaves in a paper bag of 100 grams", 420, 35,
        (
            "Morning Fog", "Old Harbour", "Lighthouse", "Salt & Smoke", "Green Ferry", "First Frost", "Amber Hill",
            "Quiet Garden", "North Wind", "Plum Orchard", "Silver Birch", "Long Evening", "Ginger Cat", "Wild Mint",
            "Blackberry Lane", "Captain's Watch", "River Stone", "Honey Field", "Cinder", "Snow Pear", "Velvet Moss",
            "Copper Kettle", "Rainy Sunday", "Juniper Path", "Little Comet",
        ),
    ),
    Category(
        "lamps", "Lamps", "Lamp", "Turned wood and linen, made to be mended", 2950, 640,
        (
            "Heron", "Pebble", "Attic", "Moonrise", "Cooper", "Willow", "Tall Tom", "Acorn", "Dovecote", "Ember",
            "Sailmaker", "Foxglove", "Night Train",
        ),
    ),
    Category(
        "notebooks", "Notebooks", "Notebook", "Sewn pages that lie flat, 120 leaves", 650, 110,
        (
            "Field", "Weather", "Birdwatcher's", "Kitchen", "Plain Speaking", "Left-Handed", "Dream", "Margin",
            "Travelling", "Ledger", "Night Shift", "Pocket", "Thousand Lists",
        ),
    ),
    Category(
        "blankets", "Blankets", "Blanket", "Woven from undyed wool, 130 by 180 centimetres", 6400, 975,
        ("Shepherd", "Harbour Grey", "Oatmeal", "Winter Term", "Checkerboard"),
    ),
    Category(
        "kites", "Kites", "Kite", "Ash and ripstop, with 40 metres of line", 1875, 725,
        ("Swallow", "Paper Dragon", "Box & Bow", "Red Herring"),
    ),
)  # fmt: skip


def _product(category: Category, number: int, name: str) -> Product:
    title = f"{name} {category.noun}"
    slug = "-".join("".join(letter if letter.isalnum() else " " for letter in title.lower().replace("'", "")).split())
    # Multiples of a number prime to the modulus walk through all its values: varied, and always the same.
    return Product(
        slug=slug,
        name=title,
        category=category.slug,
        price=category.cheapest + category.step * (number * 7 % len(category.names)),
        stock=(number * 11 + len(name)) % 17,
        rating=3 + (number * 9 + len(name)) % 21 / 10,
        description=f"{category.about}. The {title} is one of {len(category.names)} kinds we make.",
    )


PRODUCTS = tuple(
    _product(category, number, name) for category in CATEGORIES for number, name in enumerate(category.names)
)
