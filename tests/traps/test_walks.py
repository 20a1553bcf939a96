"""Whole sites walked breadth first as the frontier would: endless ones end, honest ones lose nothing. Row C12."""

import random
from collections import deque
from datetime import date
from hashlib import sha1
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper import traps, urls
from scraper.traps import Hosts, Shapes

TODAY = date(2025, 6, 15)
HOST = "https://a.example"
HONEST = 60  # pages beside each trap
LONGEST_WALK = 150_000  # requests; what needs more does not end


def walk(site, start, *, limit=500):
    """Ask breadth first, from `start`; return the URLs asked and the details of those refused.

    `site` makes (text, links) of a URL's part behind the host, or None for a 404.
    """
    tallies, hosts = {}, Hosts(1000)
    queue, seen = deque([(start, 0)]), {start}
    asked, refused = [], {}
    while queue:
        url, generation = queue.popleft()
        host = urls.host(url)
        tally = tallies.setdefault(host, Shapes(limit))
        if verdict := hosts.verdict(host) or tally.verdict(url, generation):
            refused[url] = verdict.detail
            continue
        asked.append(url)
        assert len(asked) < LONGEST_WALK
        if (page := site(url)) is None:
            continue
        text, links = page
        form = traps.shape(url)
        copy = tally.fetched(url, generation, traps.fingerprint(text))
        for link in links:
            target = urls.canonical(link, url)
            if target in seen:
                continue
            seen.add(target)
            if verdict := traps.judge(target, TODAY):
                refused[target] = verdict.detail
            else:
                queue.append((target, traps.next_generation(traps.shape(target), form, generation, copy=copy)))
    return asked, refused


def words(number):
    """A text of its own for a page of this number, without digits."""
    return sha1(str(number).encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))


def around(path):
    """The links of honest page `path`: a chain of sixty, three of which are known from the start."""
    number = int(path.removeprefix("/page/"))
    return [f"/page/{next_}" for next_ in (number + 1, number * 2) if 0 < next_ <= HONEST]


def beside(trap):
    """A site of a trap and sixty honest pages, each of which also links to the trap."""
    chance = random.Random(11)

    def site(url):
        path = url.removeprefix(HOST)
        if path == "/":
            return "welcome", ["/page/1", *trap("/", chance)[1]]
        if path.partition("?")[0].partition(";")[0].startswith("/page/") and path.removeprefix("/page/").isdigit():
            return words(path), [*around(path), *trap("/", chance)[1]]
        return trap(path, chance)

    return site


def calendar(path, chance):
    """Month after month in both directions, each the same but for its name."""
    if path == "/":
        return "", ["/calendar/2025/06"]
    year, month = map(int, path.split("/")[2:4])
    after, before = year * 12 + month, year * 12 + month - 2
    return f"month {month % 12}: no events", [f"/calendar/{n // 12}/{n % 12 + 1:02}" for n in (after, before)]


def offsets(path, chance):
    """A calendar without a date: weeks counted from today."""
    week = 0 if path == "/" else int(path.split("=")[1])
    return "nothing this week", [f"/agenda?week={week + 1}", f"/agenda?week={week - 1}"]


def visitors(path, chance):
    """Links with a fresh id of an unknown name on every page."""
    return "dear visitor", [f"/offer?who={chance.randbytes(12).hex()}" for _ in range(3)]


def deeper(path, chance):
    """A relative link that forgot its slash."""
    return "the same", ["a/"] if path.endswith("/") else []


def crossing(path, chance):
    """Relative links among three folders."""
    return f"folder {path.split('/')[-2]}", ["about/", "team/", "contact/"]


def facets(path, chance):
    """A filter whose parameters are appended in the order of clicking."""
    _, _, query = path.partition("?")
    chosen = query.split("&") if query else []
    names = ["color=red", "size=m", "brand=acme", "sale=yes", "new=yes", "sort=price", "view=list"]
    return words(sorted(chosen)), ["/find?" + "&".join([*chosen, name]) for name in names if name not in chosen]


def soft(path, chance):
    """Any path is answered, with the same text and links to more of its kind."""
    return "not found, maybe you want", [f"/{chance.choice('abc')}/{chance.randrange(10**9)}" for _ in range(5)]


def soft_letters(path, chance):
    """The same with names of random letters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "not found, maybe you want", ["/" + "".join(chance.choices(letters, k=12)) for _ in range(5)]


def growing(path, chance):
    """A query that carries one more value on every page."""
    return words(path), [f"{path if '?' in path else '/q?x=0'}&x={path.count('x=')}"]


def endless_text(path, chance):
    """Page after page of new text, each with one link to the next."""
    number = 0 if path == "/" else int(path.split("/")[2])
    return words(path), [f"/story/{number + 1}"]


@pytest.mark.parametrize(
    ("trap", "most"),
    [
        (calendar, 700),
        (offsets, 700),
        (visitors, 1000),
        (deeper, 200),
        (crossing, 1000),
        (facets, 400),
        (soft, 2000),
        (soft_letters, 2000),
        (growing, 700),
        (endless_text, 5600),
    ],
)
def test_an_endless_site_ends(trap, most):
    """The walk ends within the given number of requests, all sixty honest pages asked, each cut URL with its rule."""
    asked, refused = walk(beside(trap), f"{HOST}/")
    assert {f"{HOST}/page/{number}" for number in range(1, HONEST + 1)} <= set(asked)
    assert len(asked) <= most
    assert refused
    assert all(refused.values())


@pytest.mark.parametrize("form", ["/p/{}?PHPSESSID={}", "/p/{};jsessionid={}", "/(S({1}))/p/{0}"])
def test_a_site_with_fresh_session_ids_is_asked_three_times(form):
    """If every link has a session id of its own, each of sixty pages is asked, and at most three times."""
    fresh = count()

    def site(url):
        bare = traps.skeleton(url) or url
        number = int(bare.rpartition("/")[2] or 0)
        links = [form.format(near, f"s{next(fresh):020}") for near in (1, number + 1, number * 2) if 0 < near <= HONEST]
        return words(number), links

    asked, refused = walk(site, f"{HOST}/")
    pages = [traps.skeleton(url) or url for url in asked]
    assert set(pages) == {f"{HOST}/", *(f"{HOST}/p/{number}" for number in range(1, HONEST + 1))}
    assert len(asked) <= 1 + 3 * HONEST
    assert set(refused.values()) == {"the same page was asked with 3 other session ids"}


def test_endless_host_names_end():
    """Of a domain whose every page names new hosts a thousand are asked, and its honest pages are all asked."""

    def site(url):
        path = url.removeprefix(HOST)
        if path.startswith("/page/"):
            return words(path), around(path)
        return "hello", [
            *([f"/page/{1}"] if path == "/" else []),
            *(f"https://{words(url + n)}.a.example/" for n in "xy"),
        ]

    asked, refused = walk(site, f"{HOST}/")
    assert {f"{HOST}/page/{number}" for number in range(1, HONEST + 1)} <= set(asked)
    assert len(asked) == 1000 + HONEST
    assert set(refused.values()) == {"more than 1000 hosts of a.example"}


def shop(size):
    """Categories of pages of forty products; each product leads to some related ones and to the categories."""

    def site(url):
        path = url.removeprefix(HOST)
        if path == "/":
            return "shop", [f"/category/{number}" for number in range(1, 21)]
        if path.startswith("/category/"):
            number, _, page = path.removeprefix("/category/").partition("?page=")
            first = (int(page or 1) - 1) * 40 + (int(number) - 1) * (size // 20)
            more = [f"/category/{number}?page={int(page or 1) + 1}"] if first + 40 < int(number) * (size // 20) else []
            return words(path), [*more, *(f"/product/{first + near}" for near in range(40) if first + near < size)]
        number = int(path.removeprefix("/product/"))
        return words(number), ["/", "/category/1", *(f"/product/{number * 7 % size + near}" for near in range(-1, 2))]

    return site


def related(size):
    """Pages named by UUIDs that only lead to each other."""
    names = [str(UUID(int=random.Random(number).getrandbits(128), version=4)) for number in range(size)]
    numbers = {name: number for number, name in enumerate(names)}

    def site(url):
        path = url.removeprefix(HOST)
        number = numbers[path.removeprefix("/item/")] if path != "/" else 0
        return words(number), [f"/item/{names[(number * 3 + near) % size]}" for near in range(4)]

    return site


def log(size):
    """The commits of a repository by their hashes: a log of fifty a page, and each commit leads to its parent."""
    hashes = [sha1(str(number).encode()).hexdigest() for number in range(size)]
    numbers = {name: number for number, name in enumerate(hashes)}

    def site(url):
        path, _, value = url.removeprefix(HOST).rpartition("=")
        if path == "/commit/?id":
            number = numbers[value]
            return words(number), [f"/commit/?id={hashes[number + 1]}"] if number + 1 < size else []
        first = int(value) if path else 0
        more = [f"/log/?ofs={first + 50}"] if first + 50 < size else []
        return words(path + value), [*more, *(f"/commit/?id={name}" for name in hashes[first : first + 50])]

    return site


def thread(size):
    """A thread of pages; each leads only to the next and the one before."""

    def site(url):
        page = int(url.partition("?page=")[2] or 1)
        return words(page), [f"/t/talk?page={near}" for near in (page - 1, page + 1) if 1 <= near <= size]

    return site


def archive(size):
    """News by year, month and day; each article leads to the next by date."""

    def links(path):
        parts = path.strip("/").split("/") if path != "/" else []
        names = [str(year) for year in range(1998, 2026)] if not parts else [f"{n:02}" for n in range(1, 13)]
        if len(parts) < 2:
            return [f"{path}{name}/" for name in names]
        if len(parts) == 2:
            return [f"{path}{day:02}/what-happened-on-{words(path + str(day))[:8]}" for day in range(1, size + 1)]
        return [f"/{parts[0]}/{int(parts[1]) % 12 + 1:02}/"]

    return lambda url: (words(url), links(url.removeprefix(HOST)))


def tiles(size):
    """A quadtree of tiles: /zoom/x/y/ leads to the four below it and to those beside it."""

    def site(url):
        path = url.removeprefix(HOST).strip("/")
        zoom, x, y = map(int, path.split("/")) if path else (0, 0, 0)
        below = [(zoom + 1, 2 * x + right, 2 * y + down) for right in (0, 1) for down in (0, 1) if zoom + 1 < size]
        near = [(zoom, x + 1, y), (zoom, x, y + 1)]
        return words(path), [f"/{z}/{a}/{b}/" for z, a, b in below + near if a < 2**z and b < 2**z]

    return site


def packages(size):
    """Documentation of Java packages up to ten deep; every page leads up, down, and to the overview."""

    def site(url):
        path = url.removeprefix(HOST)
        depth = path.count("/")
        names = ["core", "util", "internal", "io"][:size]
        folder = path if path.endswith("/") else path.rpartition("/")[0] + "/"
        deeper = [f"{folder}{name}{depth * 'x'}/package-summary.html" for name in names] if depth < 7 else []
        return words(path), ["/index.html", *deeper, f"{folder}ClassOf{depth}.Inner.html"]

    return site


def faceted(size):
    """A shop whose filter has empty combinations, while its unfiltered list has all products."""
    facets = {"color": ["red", "green", "blue", "black"], "size": list("smlx"), "brand": ["acme", "apex", "orbit"]}

    def site(url):
        path, _, query = url.removeprefix(HOST).partition("?")
        if path.startswith("/product/"):
            return words(path), ["/list"]
        chosen = dict(part.split("=") for part in query.split("&")) if query else {}
        ways = [{**chosen, name: value} for name, values in facets.items() for value in values]
        links = ["/list?" + "&".join(f"{name}={way[name]}" for name in facets if name in way) for way in ways]
        products = [f"/product/{number}" for number in range(size)] if not query else []
        return "no products" if len(chosen) == 3 else words(query), links + products

    return site


def reachable(site, start):
    """All URLs of a site that has an end."""
    queue, seen = deque([start]), {start}
    while queue:
        url = queue.popleft()
        new = {urls.canonical(link, url) for link in site(url)[1]} - seen
        seen |= new
        queue.extend(new)
    return seen


@pytest.mark.parametrize(
    ("make", "size", "least"),
    [
        (shop, 2000, 2060),
        (related, 1500, 1500),
        (log, 1500, 1530),
        (thread, 300, 300),
        (archive, 4, 1600),
        (tiles, 6, 1365),
        (packages, 2, 200),
        (faceted, 500, 550),
    ],
)
def test_an_honest_site_loses_nothing(make, size, least):
    """Every page of a big honest site is asked, and nothing is refused."""
    site = make(size)
    asked, refused = walk(site, f"{HOST}/" if make is not thread else f"{HOST}/t/talk?page=1")
    assert refused == {}
    assert len(asked) >= least
    assert set(asked) == reachable(site, asked[0])


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_any_site_of_new_texts_is_walked_whole(data):
    """A site of up to 400 pages whose texts all differ loses nothing, however its pages are named and linked."""
    size = data.draw(st.integers(1, 400))
    name = data.draw(st.sampled_from(["/p/{}", "/?id={}", "/{}-a-b-c", "/x{}/y{}", "/p?b={}&a={}"]))
    steps = data.draw(st.lists(st.integers(1, size), min_size=1, max_size=4))

    def site(url):
        number = numbers[url]
        return words(number), [name.format(*[(number + step) % size] * 2) for step in steps]

    numbers = {urls.canonical(name.format(*[number] * 2), HOST): number for number in range(size)}
    start = next(iter(numbers))
    asked, refused = walk(site, start)
    assert refused == {}
    assert set(asked) == reachable(site, start)
