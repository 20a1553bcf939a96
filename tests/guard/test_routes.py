"""No way leads inside: every spelling of a private place by every way that a crawl finds a URL."""

from __future__ import annotations

from scraper import urls
from scraper.config import FetchConfig
from scraper.fetch import Fetcher, Guard
from scraper.model import Reason

WHAT = "spellings of private places by ways to name them: not connected"

# What no kernel connects by TCP: several or all at once, and a link without its name.
UNROUTED = {"224.0.0.1", "239.255.255.250", "255.255.255.255", "[ff02::1]", "[ff0e::1]", "[fe80::1]", "[febf::1]"}


def _check(attack, network, ended, tries):
    """Each URL that was meant is `private-address`, what only a browser loads is no URL, and no canary was reached."""
    shut = attack.meant.pop("shut")
    for way, named in attack.meant.items():
        for url in named:
            tries.check(ended.get(url) == ("skipped", "private-address"), (way, url, ended.get(url)))
    for url in attack.redirecting:
        tries.check(ended.get(url) == ("skipped", "robots"), ("robots redirect", url, ended.get(url)))
    tries.check(shut.isdisjoint(ended), shut & set(ended))
    tries.check(network.reached == [], network.reached)
    assert network.public > 0  # what is right is connected


async def test_no_way_leads_inside(attack, network, spellings, ends, goal):
    """However a private place is spelt and whatever names it, it is `private-address` and not connected (C1, C3)."""
    with goal("G9", WHAT) as tries:
        _check(await attack(spellings, share=8), network, ends(), tries)


async def test_no_way_leads_inside_without_robots(attack, network, around, ends, goal):
    """Whatever stands around a private address, and if robots.txt is not asked first, it is not connected (C1, C3)."""
    with goal("G9", WHAT) as tries:
        _check(await attack(around, robots=False, share=4), network, ends(), tries)


async def test_the_fetcher_itself(network, spellings, around, attempt, goal):
    """A fetcher that is handed a private place, canonical or as it was written, does not connect it (C1, C3)."""
    with goal("G9", WHAT) as tries:
        async with Fetcher(FetchConfig(), Guard(), concurrency=1) as fetcher:
            for form in (*spellings, *around):
                url = urls.canonical(form.format(""), "http://www.example/")
                tries.check(await attempt(fetcher, url) == Reason.PRIVATE_ADDRESS, url)
                raw = await attempt(fetcher, form.format(""))  # which our own rules never read
                tries.check(raw in {Reason.PRIVATE_ADDRESS, Reason.PROTOCOL, Reason.DNS}, (form, raw))
        tries.check((network.public, network.reached) == (0, []), network.reached)


async def test_canaries_hear(network, spellings, attempt):
    """Where all private addresses are open, each spelling of one leads to a canary: their silence tells (C1)."""
    unheard = set()
    async with Fetcher(FetchConfig(connect_timeout=1.0), Guard(["0.0.0.0/0", "::/0"]), concurrency=1) as fetcher:
        for form in spellings:
            before, url = len(network.reached), urls.canonical(form.format(""))
            await attempt(fetcher, url)
            if len(network.reached) == before:
                unheard.add(urls.hostname(url))
    assert unheard <= (UNROUTED if network.is_real else set())
