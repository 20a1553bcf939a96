"""What every store promises of its queue: which hosts are due, which of their URLs are next, when the others are."""

import dataclasses

import pytest

A, B, C = "http://a.example", "http://b.example", "http://c.example"


@pytest.fixture
def host_of():
    """Finds a host's state by its name."""

    async def host_of(store, crawl, name):
        hosts = await store.due_hosts(crawl, now=1e12, limit=100, apart=())
        return next(host for host in hosts if host.host == name)

    return host_of


async def test_due_hosts_have_waited_longest_first(store, make, host_of):
    """Hosts that may be asked now come in the order of their moments; those with a later one do not come."""
    crawl = await make.crawl(store, f"{A}/", f"{B}/", f"{C}/", "http://d.example/")
    moments = {A: 1003.0, B: 1001.0, C: 1002.0, "http://d.example": 1003.5}
    hosts = [dataclasses.replace(await host_of(store, crawl, name), next_at=at) for name, at in moments.items()]
    await store.complete(crawl, [], hosts, now=1000.0)
    due = await store.due_hosts(crawl, now=1003.0, limit=10, apart=())
    assert [host.host for host in due] == [B, C, A]
    assert [host.queued for host in due] == [1, 1, 1]


async def test_due_hosts_are_limited_and_leave_out_those_apart(store, make):
    """Hosts held apart do not take the places of others."""
    crawl = await make.crawl(store, *(f"http://{n:02}.example/" for n in range(20)))
    every = await store.due_hosts(crawl, now=1000.0, limit=100, apart=())
    assert len(every) == 20
    apart = {host.id for host in every[:15]}
    assert await store.due_hosts(crawl, now=1000.0, limit=3, apart=apart) == every[15:18]
    assert await store.due_hosts(crawl, now=1000.0, limit=100, apart=apart) == every[15:]
    assert await store.due_hosts(crawl, now=1000.0, limit=100, apart={host.id for host in every}) == []


async def test_a_host_without_queued_urls_is_not_due(store, make, queued):
    """A host whose URLs have all ended, or were never to be asked, is not handed out."""
    crawl = await make.crawl(store, f"{A}/", f"{B}/")
    url = next(url for url in await queued(store, crawl) if url.host == A)
    await store.complete(
        crawl, [make.visit(url, reason="http-4xx", found=[make.link(f"{C}/", "scope")])], [], now=1000.0
    )
    assert [host.host for host in await store.due_hosts(crawl, now=1000.0, limit=9, apart=())] == [B]


async def test_what_is_known_of_a_host_comes_back(database, store, make, host_of):
    """A host's clock, breaker and robots.txt survive the process."""
    crawl = await make.crawl(store, f"{A}/")
    known = dataclasses.replace(
        await host_of(store, crawl, A),
        next_at=1234.5,
        crawl_delay=7.0,
        breaker="open",
        failures=3,
        openings=2,
        robots_status="200",
        robots_text="User-agent: *\nDisallow: /ü",
        robots_expires_at=99999.0,
    )
    await store.complete(crawl, [], [known], now=1000.0)
    async with database.open() as other:
        assert await host_of(other, crawl, A) == known


async def test_the_next_due_host(store, make, host_of):
    """The next moment is the earliest after now of a host with queued URLs that is not apart; without one, None."""
    crawl = await make.crawl(store, f"{A}/", f"{B}/", f"{C}/")
    moments = {A: 1001.0, B: 1002.0, C: 1003.0}
    hosts = {name: dataclasses.replace(await host_of(store, crawl, name), next_at=at) for name, at in moments.items()}
    await store.complete(crawl, [], list(hosts.values()), now=1000.0)
    ids = {name: host.id for name, host in hosts.items()}
    assert await store.next_due_at(crawl, now=1000.0, apart=()) == 1001.0
    assert await store.next_due_at(crawl, now=1000.0, apart={ids[A]}) == 1002.0
    assert await store.next_due_at(crawl, now=1001.0, apart={ids[B]}) == 1003.0
    assert await store.next_due_at(crawl, now=1000.0, apart=set(ids.values())) is None
    assert await store.next_due_at(crawl, now=1003.0, apart=()) is None
    claimed = await store.claim({ids[A]: 1}, {}, now=1000.0)
    await store.complete(crawl, [make.visit(claimed[ids[A]].urls[0], reason="dns")], [], now=1000.0)
    assert await store.next_due_at(crawl, now=1000.0, apart=()) == 1002.0


async def test_urls_are_claimed_in_their_order(store, make, queued):
    """Deferred URLs that are due come first, then redirect targets, then lesser depths, then what was found earlier."""
    crawl = await make.crawl(store, f"{A}/deferred", f"{A}/start", f"{A}/later", f"{A}/hop")
    urls = {url.url: url for url in await queued(store, crawl)}
    start, hop = urls[f"{A}/start"], urls[f"{A}/hop"]
    await store.complete(crawl, [make.fetched(start, f"{A}/z-found-first")], [], now=1000.0)
    await store.complete(
        crawl,
        [
            make.visit(urls[f"{A}/deferred"], "queued", due_at=1005.0),
            make.visit(urls[f"{A}/later"], "queued", due_at=1004.0),
            make.visit(hop, "redirected", found=[f"{A}/target"], redirect_to=f"{A}/target"),
        ],
        [],
        now=1000.0,
    )
    first = next(url for url in await queued(store, crawl) if url.url.endswith("first"))
    await store.complete(crawl, [make.fetched(first, f"{A}/deeper")], [], now=1000.0)
    more = await make.crawl(store, f"{A}/x", name="more")  # another crawl of the host does not come between
    order = ["later", "deferred", "target", "deeper"]
    assert [url.url for url in await queued(store, crawl, now=1005.0)] == [f"{A}/{name}" for name in order]
    assert [url.url for url in await queued(store, crawl, now=1005.0, count=2)] == [f"{A}/later", f"{A}/deferred"]
    assert [url.url for url in await queued(store, crawl, now=1004.9)] == [
        f"{A}/{name}" for name in ("later", *order[2:])
    ]
    assert [url.url for url in await queued(store, more)] == [f"{A}/x"]


async def test_what_was_found_earlier_is_asked_earlier(store, make, queued):
    """Within a depth, URLs come in the order in which they were found."""
    crawl = await make.crawl(store, f"{A}/1", f"{A}/2")
    one, two = sorted(await queued(store, crawl), key=lambda url: url.url)
    await store.complete(crawl, [make.fetched(two, f"{A}/found-of-2")], [], now=1000.0)
    await store.complete(crawl, [make.fetched(one, f"{A}/found-of-1")], [], now=1000.0)
    assert [url.url for url in await queued(store, crawl)] == [f"{A}/found-of-2", f"{A}/found-of-1"]


async def test_a_redirect_target_knows_where_it_came_from(store, make, queued):
    """A redirect's target has the depth of what led there, counts as a seed if that did, and names the chain."""
    crawl = await make.crawl(store, f"{A}/", f"{A}/page")
    urls = {url.url: url for url in await queued(store, crawl)}
    await store.complete(
        crawl,
        [
            make.visit(urls[f"{A}/"], "redirected", found=[f"{A}/one"]),
            make.fetched(urls[f"{A}/page"], f"{A}/link"),
        ],
        [],
        now=1000.0,
    )
    one, link = await queued(store, crawl)
    assert (one.url, one.depth, one.seed, one.via) == (f"{A}/one", 0, True, (f"{A}/",))
    assert (link.url, link.depth, link.seed, link.via) == (f"{A}/link", 1, False, ())
    await store.complete(
        crawl,
        [make.visit(one, "redirected", found=[f"{A}/two"]), make.visit(link, "redirected", found=[f"{A}/three"])],
        [],
        now=1000.0,
    )
    two, three = sorted(await queued(store, crawl), key=lambda url: url.depth)
    assert (two.depth, two.seed, two.via) == (0, True, (f"{A}/", f"{A}/one"))
    assert (three.depth, three.seed, three.via) == (1, False, (f"{A}/link",))


async def test_held_urls_are_not_claimed_again(store, make):
    """What is held is not given again, however much of the queue's head it is, and others come in its place."""
    crawl = await make.crawl(store, *(f"{A}/{n}" for n in range(10)))
    (host,) = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    held, taken = set(), []
    for more in (True, True, True, False):
        claimed = (await store.claim({host.id: 3}, {host.id: held}, now=1000.0))[host.id]
        assert claimed.more is more
        taken += [url.url for url in claimed.urls]
        held |= {url.id for url in claimed.urls}
    assert sorted(taken) == [f"{A}/{n}" for n in range(10)]
    assert (await store.claim({host.id: 3}, {host.id: held}, now=1000.0))[host.id].urls == ()
    assert len((await store.claim({host.id: 99}, {}, now=1000.0))[host.id].urls) == 10


async def test_a_deferred_url_comes_back_at_its_moment(store, make, queued):
    """A URL given back is claimed from its moment on, not before, with the attempts it was charged."""
    crawl = await make.crawl(store, f"{A}/")
    (url,) = await queued(store, crawl)
    await store.complete(crawl, [make.visit(url, "queued", attempts=3, tried_at=999.0, due_at=1060.25)], [], now=1000.0)
    early = (await store.claim({url.host_id: 5}, {}, now=1060.2))[url.host_id]
    assert (early.urls, early.more, early.next_due_at) == ((), False, 1060.25)
    (again,) = (await store.claim({url.host_id: 5}, {}, now=1060.25))[url.host_id].urls
    assert again == dataclasses.replace(url, attempts=3, tried_at=999.0, due_at=1060.25)
    await store.complete(crawl, [make.fetched(again, attempts=4)], [], now=1061.0)
    assert (await store.claim({url.host_id: 5}, {}, now=2000.0))[url.host_id].next_due_at is None
    assert await queued(store, crawl, now=2000.0) == []


async def test_the_next_deferred_url_is_told_of_each_host(store, make, queued):
    """A host that gave fewer URLs than wanted tells when the earliest of its deferred ones is due."""
    crawl = await make.crawl(store, f"{A}/1", f"{A}/2", f"{B}/", f"{C}/")
    urls = {url.url: url for url in await queued(store, crawl)}
    due = {f"{A}/1": 1090.0, f"{A}/2": 1030.0, f"{B}/": 1060.0}
    await store.complete(crawl, [make.visit(urls[url], "queued", due_at=at) for url, at in due.items()], [], now=1000.0)
    ids = {url.host: url.host_id for url in urls.values()}
    claimed = await store.claim(dict.fromkeys(ids.values(), 5), {}, now=1000.0)
    assert {name: claimed[number].next_due_at for name, number in ids.items()} == {A: 1030.0, B: 1060.0, C: None}


async def test_many_hosts_are_claimed_at_once(store, make):
    """A claim for a thousand hosts gives each its own URLs, as many as wanted."""
    crawl = await make.crawl(store, *(f"http://{n:04}.example/{path}" for n in range(1000) for path in range(2)))
    hosts = await store.due_hosts(crawl, now=1000.0, limit=2000, apart=())
    claimed = await store.claim({host.id: 1 for host in hosts}, {}, now=1000.0)
    assert {host.host: [url.host for url in claimed[host.id].urls] for host in hosts} == {
        f"http://{n:04}.example": [f"http://{n:04}.example"] for n in range(1000)
    }


async def test_no_host_no_claim(store):
    """A claim for no host at all gives nothing."""
    assert await store.claim({}, {}, now=1000.0) == {}
