"""What opens a private place, and that it opens no more than that: ranges, typed seeds, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

import scraper
from scraper import app, urls
from scraper.config import FetchConfig, load
from scraper.errors import ConfigError
from scraper.fetch import Fetcher, Guard
from scraper.model import CrawlState, Reason
from scraper.seeds import Seeds

FAST = {"delay": 0.0, "per_host": 32, "parse_workers": 0, "retry_attempts": 1, "store_batch_seconds": 0.05, "depth": 2}
FAST |= {"robots": False, "scope": "any", "traps": False}
DEADLINE = 20.0  # seconds
PLACES = {  # what is asked for -> where it leads
    "127.0.0.1": "127.0.0.1", "127.9.9.9:8000": "127.9.9.9", "0x7f.1:6379": "127.0.0.1", "10.0.0.1": "10.0.0.1",
    "10.255.255.255": "10.255.255.255", "inside.example": "10.0.0.1", "[::ffff:10.0.0.1]": "10.0.0.1",
    "mapped.example": "127.0.0.1", "172.16.0.1": "172.16.0.1", "192.168.0.1": "192.168.0.1",
    "192.168.1.1": "192.168.1.1", "169.254.169.254": "169.254.169.254", "metadata.example": "169.254.169.254",
    "100.64.0.1": "100.64.0.1", "[::1]": "::1", "[fd00:ec2::254]": "fd00:ec2::254", "six.example": "fd00:ec2::254",
    "[fd00:ec2::255]": "fd00:ec2::255", "[2002:7f00:1::]": "2002:7f00:1::", "[2001:db8::1]": "2001:db8::1",
}  # fmt: skip
V4 = {place for place in PLACES.values() if "." in place}
OPENED = {
    "nothing": ([], set()),
    "one range": (["10.0.0.0/8"], {"10.0.0.1", "10.255.255.255"}),
    "one address": (["10.0.0.1"], {"10.0.0.1"}),
    "one IPv4 address": (["192.168.0.1/32"], {"192.168.0.1"}),
    "one IPv6 address": (["fd00:ec2::254/128"], {"fd00:ec2::254"}),
    "several": (["::1", "169.254.0.0/16", "192.168.1.0/24"], {"::1", "169.254.169.254", "192.168.1.1"}),
    "all of IPv4": (["0.0.0.0/0"], V4),
    "all of IPv6": (["::/0"], set(PLACES.values()) - V4),
    "mapped": (["::ffff:10.0.0.0/104"], {"10.0.0.1", "10.255.255.255"}),
    "public": (["8.0.0.0/8", "2606::/16"], set()),
}


async def _ended(run):
    async with asyncio.timeout(DEADLINE):
        visits = [visit async for visit in run]
    assert run.tally.holds
    return visits


def _listed(folder, *lines):
    (folder / "list").write_text("\n".join(lines))
    return folder / "list"


@pytest.mark.parametrize(("ranges", "places"), OPENED.values(), ids=OPENED)
async def test_ranges(network, tmp_path, ranges, places):
    """`--allow-private` opens exactly the addresses of its ranges, at every port, and to every name (C1)."""
    seeds = Seeds([], _listed(tmp_path, *(f"http://{place}/" for place in PLACES)))
    await _ended(scraper.crawl(seeds, store=tmp_path / "crawl.db", allow_private=ranges, **FAST))
    assert {address for address, _ in network.reached} == places


SIDES = [
    "127.0.0.1:80", "127.0.0.1:6379", "127.0.0.1:3128", "127.0.0.2:8000", "0.0.0.0:8000", "[::]:8000", "10.0.0.1:8000",
    "typed.example:8000", "inner.example:8000", "many.example:8000", "mapped.example:8000", "nat64.example:8000",
    "a.localhost:8000", "localhost.:8000", "localhost.localdomain:8000", "localhost:80", "[::1]:80", "metadata.example",
]  # fmt: skip
TYPED = {
    "127.0.0.1:8000": ({"127.0.0.1:8000", "[::ffff:127.0.0.1]:8000"}, {"localhost:8000", "[::1]:8000"}),
    "[::1]:8000": ({"[::1]:8000"}, {"localhost:8000", "127.0.0.1:8000", "ip6-localhost:8000"}),
    "[::ffff:7f00:1]:8000": ({"127.0.0.1:8000", "[::ffff:7f00:1]:8000"}, {"localhost:8000", "[::1]:8000"}),
    "localhost:8000": ({"localhost:8000", "127.0.0.1:8000", "[::1]:8000"}, {"ip6-localhost:8000"}),
    "a.localhost:8000": (set(), {"a.localhost:8000", "127.0.0.1:8000", "localhost:8000"}),
    "typed.example:8000": (set(), {"typed.example:8000", "127.0.0.1:8000", "localhost:8000"}),
}
HERE = {("127.0.0.1", 8000), ("::1", 8000)}


def _serve(network, places):
    """A server on loopback whose first page leads to all places, by link and by redirect."""
    network.open = HERE
    for host in ("127.0.0.1:8000", "localhost:8000", "[::1]:8000", "[::ffff:7f00:1]:8000"):
        moved = [f"/moved{number}" for number, _ in enumerate(places)]
        leading = [*moved, *(f"http://{place}/linked" for place in places)]
        network.page(f"{host}/", "".join(f'<a href="{link}">x</a>' for link in leading))
        for path, place in zip(moved, places, strict=True):
            network.page(f"{host}{path}", status=307, Location=f"http://{place}/led")


def _check(network, ends, opened, closed):
    """The opened places were asked, the closed ones were not, by link or redirect; and no canary has heard of it."""
    ended, ways = ends(), ("linked", "led")
    asked = {urls.canonical(f"http://{place}/{way}") for place in opened for way in ways}
    refused = {urls.canonical(f"http://{place}/{way}") for place in closed for way in ways}
    assert {url: ended[url] for url in asked} == dict.fromkeys(asked, ("failed", "http-4xx"))
    assert {url: ended[url] for url in refused} == dict.fromkeys(refused, ("skipped", "private-address"))
    assert network.reached == []


@pytest.mark.parametrize("typed", TYPED)
async def test_typed_seeds(network, tmp_path, ends, typed):
    """A seed typed as an address or `localhost` opens that address and port, and a resume holds to it (C1).

    It opens no other port, and to no other name that leads there.
    """
    opened, closed = TYPED[typed]
    closed = {*closed, *SIDES}
    _serve(network, sorted({*opened, *closed}))
    run = scraper.crawl(f"http://{typed}/", store=tmp_path / "crawl.db", max_pages=1, **FAST)
    await _ended(run)
    if opened:
        assert run.state is CrawlState.LIMITED
        await _ended(scraper.resume(store=tmp_path / "crawl.db", max_pages=1000))
        _check(network, ends, opened, closed)
    assert ends()[urls.canonical(f"http://{typed}/")] == (
        ("fetched", None) if opened else ("skipped", "private-address")
    )
    assert network.reached == []


async def test_typed_seeds_of_a_recrawl(network, tmp_path, ends):
    """A recrawl opens what is typed with it, and not what was typed before it (C1)."""
    closed = ("127.0.0.1:6379", "typed.example:8000", "localhost:8000")
    _serve(network, closed)
    recrawled = {"store": tmp_path / "crawl.db", "name": "one", "recrawl": True} | FAST
    for _ in range(2):
        await _ended(scraper.crawl("http://127.0.0.1:8000/", **recrawled))
        _check(network, ends, (), closed)
    asked = len(network.asked)
    await _ended(scraper.crawl(Seeds([], _listed(tmp_path, "http://127.0.0.1:8000/")), **recrawled))
    assert ends()["http://127.0.0.1:8000/"] == ("skipped", "private-address")
    assert (len(network.asked), network.reached) == (asked, [])


async def test_a_list_opens_nothing(network, tmp_path, ends):
    """The address of a seed in a list is not opened, nor by a typed seed beside it that leads elsewhere (C1)."""
    _serve(network, [])
    listed = _listed(tmp_path, "http://127.0.0.1:8000/", "http://localhost:8000/", "http://[::1]:8000/")
    network.page("www.example/", status=302, Location="http://127.0.0.1:8000/")
    seeds = Seeds(["http://www.example/", "http://typed.example:8000/"], listed)
    await _ended(scraper.crawl(seeds, store=tmp_path / "crawl.db", **FAST))
    skipped = {url for url, end in ends().items() if end == ("skipped", "private-address")}
    assert skipped == {f"http://{place}:8000/" for place in ("127.0.0.1", "localhost", "[::1]", "typed.example")}
    assert (network.asked, network.reached) == ([("www.example", "/")], [])


async def test_what_a_store_holds_opens_nothing(network, tmp_path, ends):
    """URLs that wait in a store are judged when they are asked, by what is open then (C1)."""
    _serve(network, [])
    network.page("www.example/", '<a href="http://127.0.0.1:8000/">x</a><a href="http://10.0.0.1:8000/">x</a>')
    db = tmp_path / "crawl.db"
    run = scraper.crawl(
        "http://www.example/", store=db, max_pages=1, allow_private=["127.0.0.0/8", "10.0.0.0/8"], **FAST
    )
    await _ended(run)
    assert set(ends().values()) == {("fetched", None), ("queued", None)}
    await _ended(scraper.resume(store=db, max_pages=9, allow_private=["192.168.0.0/16"]))
    assert {url: end for url, end in ends().items() if end[0] == "skipped"} == {
        "http://127.0.0.1:8000/": ("skipped", "private-address"),
        "http://10.0.0.1:8000/": ("skipped", "private-address"),
    }
    assert network.reached == []


async def test_trying(network):
    """`try` opens what is typed, as a crawl does, and nothing that leads there (C1)."""
    _serve(network, [])
    config = load(options={"parse_workers": 0}).config
    for typed in ("127.0.0.1", "localhost", "[::1]"):
        tried = await app.try_url(f"http://{typed}:8000/", config)
        assert (tried.reason, tried.response.status) == (None, 200)
    for typed in ("typed.example:8000", "a.localhost:8000", "metadata.example"):
        assert (await app.try_url(f"http://{typed}/", config)).reason is Reason.PRIVATE_ADDRESS
    for elsewhere in ("10.0.0.1", "127.0.0.1:6379", "typed.example:8000"):
        network.page("127.0.0.1:8000/robots.txt", status=301, Location=f"http://{elsewhere}/robots.txt")
        assert (await app.try_url("http://127.0.0.1:8000/", config)).reason is Reason.PRIVATE_ADDRESS
    assert network.reached == []


async def test_connections_are_kept_for_one_guard_only(network, attempt):
    """A connection that one crawl may use and keeps is not another's, who may not (C1)."""
    network.open = HERE
    url = "http://127.0.0.1:8000/"
    async with (
        Fetcher(FetchConfig(), Guard(["127.0.0.0/8"]), concurrency=1) as one,
        Fetcher(FetchConfig(), Guard(), concurrency=1) as other,
    ):
        assert await attempt(one, url) == 404
        assert await attempt(other, url) == Reason.PRIVATE_ADDRESS
        assert await attempt(one, url) == 404
        assert await attempt(other, "http://typed.example:8000/") == Reason.PRIVATE_ADDRESS
    assert network.public == 1


async def test_a_kept_connection_is_not_used_by_another_name(network, attempt):
    """What a typed seed opened and keeps connected is not handed to a name that leads there (C1, C2)."""
    network.open = HERE
    guard = Guard(origins=["http://127.0.0.1:8000", "http://localhost:8000"])
    async with Fetcher(FetchConfig(), guard, concurrency=1) as fetcher:
        for name in ("127.0.0.1", "localhost", "127.0.0.1"):
            assert await attempt(fetcher, f"http://{name}:8000/") == 404
        for name in ("typed.example", "a.localhost", "localhost."):
            assert await attempt(fetcher, f"http://{name}:8000/") == Reason.PRIVATE_ADDRESS
    assert network.public == 2


@pytest.mark.parametrize(
    "text", ["127.0.0.1/33", "10.0.0.1/8", "localhost", "0x7f.0/8", "::/129", "http://127.0.0.1", "*"]
)
def test_ranges_that_are_none(text):
    """A range that is none is told before anything is asked, with the option's name."""
    with pytest.raises(ConfigError, match="allow_private holds no address range"):
        FetchConfig(allow_private=(text,))
