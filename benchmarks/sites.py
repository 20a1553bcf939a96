"""The site to crawl: folders as one, or where none is given the same made pages every time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from random import Random
from urllib.parse import quote

PAGES = 400
LINKS = 100  # on a page, a few of them off the site
SECTIONS = 16
_SYLLABLES = ("ba", "co", "der", "en", "fi", "gra", "hu", "in", "lo", "ment", "no", "per", "qua", "ri", "sto", "tal")


def joined(directory: Path, sites: Sequence[tuple[Path, str]]) -> tuple[Path, str]:
    """Return what is to be served, and its first page, of folders and the first page of each.

    Several folders become one site in `directory`: each under a name of its own, and a page that links to the first
    page of each, which is a page of the crawl like any other.
    """
    for folder, first in sites:
        if not (folder / first).is_file():
            raise SystemExit(f"there is no {folder / first}: name the first page with --start")
    if len(sites) == 1:
        return sites[0]
    links = []
    for number, (folder, first) in enumerate(sites, 1):
        (directory / f"site-{number}").symlink_to(folder.resolve(), target_is_directory=True)
        links.append(f'<li><a href="site-{number}/{escape(quote(first))}">{escape(first)}</a></li>\n')
    head = '<!DOCTYPE html>\n<html lang="en">\n<title>Several sites</title>\n<h1>Several sites</h1>'
    (directory / "index.html").write_text(f"{head}\n<ul>\n{''.join(links)}</ul>\n", encoding="utf-8")
    return directory, "index.html"


def made(directory: Path) -> Path:
    """Write a site into a directory, as large and as linked as documentation is; `index.html` leads to every page."""
    for number in range(PAGES):
        (directory / _name(number)).write_text(_page(number), encoding="utf-8")
    return directory


def _name(number: int) -> str:
    return f"page-{number:03}.html" if number else "index.html"


def _page(number: int) -> str:
    random = Random(number)
    links = _links(number, random)
    share = len(links) // (SECTIONS + 1)
    menu, rest = links[:share], links[share:]
    sections = [_section(part, rest[part * share : (part + 1) * share], random) for part in range(SECTIONS)]
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Page {number}: {_words(3, random)}'
        f'</title>\n<meta name="description" content="{_words(12, random)}">\n<link rel="stylesheet" href="site.css">\n'
        f"<script>var page = {number};</script>\n</head>\n<body>\n<nav><ul>\n"
        + "".join(f"<li>{link}</li>\n" for link in menu)
        + f'</ul></nav>\n<main role="main">\n<h1>{_words(4, random)}</h1>\n'
        + "".join(sections)
        + "</main>\n<footer><p>Made for measuring.</p></footer>\n</body>\n</html>\n"
    )


def _links(number: int, random: Random) -> list[str]:
    """The two pages below this one in a binary tree, which makes all reachable; then any, many of them twice."""
    targets = [below for below in (2 * number + 1, 2 * number + 2) if below < PAGES]
    targets += [random.randrange(PAGES) for _ in range(LINKS - 5 - len(targets))]
    hrefs = [_name(target) + random.choice(("", "", f"#section-{target % SECTIONS}")) for target in targets]
    hrefs += [f"https://example.com/{random.randrange(1000)}" for _ in range(5)]
    return [f'<a class="reference internal" href="{href}"><code>{_words(2, random)}</code></a>' for href in hrefs]


def _section(part: int, links: list[str], random: Random) -> str:
    mentions = "\n".join(f"<p>{_words(18, random)} <em>{_words(2, random)}</em>, {link}.</p>" for link in links)
    rows = "\n".join(f"<tr><td>{_words(1, random)}</td><td>{_words(3, random)}</td></tr>" for _ in range(4))
    code = "\n".join(_code(random) for _ in range(5))
    return (
        f'<section id="section-{part}">\n<h2>{_words(4, random)}'
        f'<a class="headerlink" href="#section-{part}">¶</a></h2>\n{mentions}\n'
        f"<table><tbody>\n{rows}\n</tbody></table>\n"
        f'<div class="highlight"><pre>{code}</pre></div>\n</section>\n'
    )


def _code(random: Random) -> str:
    """A line of code, coloured as documentation colours it."""
    return "    " + " ".join(f'<span class="{kind}">{_words(1, random)}</span>' for kind in ("k", "nf", "p", "n", "o"))


def _words(count: int, random: Random) -> str:
    return " ".join("".join(random.choices(_SYLLABLES, k=random.randint(2, 4))) for _ in range(count))
