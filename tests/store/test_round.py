"""Recrawls: what is asked again, what is kept of what was, and what is told of it. On every store."""

import dataclasses

import pytest

from scraper.model import Response, Tally

A = "http://a.example"
NOW = 5_000.0


@pytest.fixture
def path(database):
    """Where the store lies."""
    return database.place


@pytest.fixture
def by_path(queued):
    """The queued URLs by their path."""

    async def by_path(store, crawl, now=NOW):
        return {url.url.removeprefix(A): url for url in await queued(store, crawl, now=now)}

    return by_path


@pytest.fixture
def again(make):
    """Begin a recrawl of a crawl whose lease is given back."""

    async def again(store, crawl, *seeds, due=lambda _url, _asked_at: True, roots=None):
        async def links():
            yield [make.link(seed) for seed in seeds or [f"{A}/"]]

        taken = await store.take_crawl(await store.find_crawl(crawl.id), "{}", now=NOW)
        return await store.begin_round(taken, make.new(*seeds), links(), roots, due, now=NOW)

    return again


def answered(url, status, *headers, at=NOW):
    """An answer of that status."""
    return Response(url.url, status, headers, fetched_at=at)


def changed(visit, digest):
    """The same visit with another body."""
    return dataclasses.replace(visit, page=dataclasses.replace(visit.page, content_hash=digest, title=digest))


async def test_a_recrawl_queues_what_was_asked_and_keeps_what_was_left_out(store, make, by_path, again):
    """Fetched, redirected, failed URLs and those robots.txt forbade are queued again; those out of scope stay."""
    crawl = await make.crawl(store, f"{A}/", f"{A}/gone", f"{A}/moved", f"{A}/no")
    urls = await by_path(store, crawl, 1000.0)
    await store.complete(
        crawl,
        [
            make.fetched(urls["/"], make.link(f"{A}/out", "scope"), f"{A}/in"),
            make.visit(urls["/gone"], reason="http-4xx"),
            make.visit(urls["/moved"], "redirected", redirect_to=f"{A}/in"),
            make.visit(urls["/no"], reason="robots"),
        ],
        [],
        now=1000.0,
    )
    crawl = await again(store, crawl)
    assert crawl.round == 2
    assert set(await by_path(store, crawl)) == {"/", "/gone", "/moved", "/no", "/in"}
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(6, queued=5, skipped=1)


async def test_a_page_that_is_not_due_is_not_asked(store, make, by_path, again):
    """`is_due` is asked with a page's URL and the moment it was last asked; what is not due stays fetched."""
    crawl = await make.crawl(store, f"{A}/", f"{A}/news")
    urls = await by_path(store, crawl, 1000.0)
    await store.complete(crawl, [make.fetched(url) for url in urls.values()], [], now=1000.0)
    asked = {}
    crawl = await again(store, crawl, due=lambda url, at: bool(asked.update({url: at})) or url.endswith("news"))
    assert asked == {f"{A}/": 1000.0, f"{A}/news": 1000.0}
    assert set(await by_path(store, crawl)) == {"/news"}
    assert await store.tally(crawl) == Tally(2, queued=1, fetched=1)


async def test_new_seeds_are_added_and_known_ones_are_not_doubled(store, make, by_path, again):
    """A recrawl with further seeds queues them too."""
    crawl = await make.crawl(store, f"{A}/")
    await store.complete(crawl, [make.fetched((await by_path(store, crawl, 1000.0))["/"])], [], now=1000.0)
    crawl = await again(store, crawl, f"{A}/", f"{A}/new")
    assert set(await by_path(store, crawl)) == {"/", "/new"}
    assert await store.audit(crawl) == Tally(2, queued=2)
    assert crawl.seeds == (f"{A}/", f"{A}/new")


async def test_a_claim_tells_how_to_ask_whether_a_page_has_changed(store, make, by_path, again):
    """ETag and Last-Modified of the stored page come with its URL."""
    crawl = await make.crawl(store, f"{A}/")
    url = (await by_path(store, crawl, 1000.0))["/"]
    assert (url.etag, url.last_modified) == (None, None)
    response = answered(url, 200, ("etag", '"v1"'), ("last-modified", "Mon, 01 Jan 2024 00:00:00 GMT"))
    await store.complete(crawl, [make.fetched(url, response=response)], [], now=1000.0)
    url = (await by_path(store, await again(store, crawl)))["/"]
    assert (url.etag, url.last_modified) == ('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT")


@pytest.mark.parametrize("status", [304, 200])
async def test_an_unchanged_page_is_left_as_it_is(store, make, by_path, again, look, status):
    """A 304, or the same body again, leaves page and records alone, says when it was checked, and counts."""
    crawl = await make.crawl(store, f"{A}/")
    url = (await by_path(store, crawl, 1000.0))["/"]
    await store.complete(crawl, [make.fetched(url, records=({"n": 1},))], [], now=1000.0)
    crawl = await again(store, crawl)
    url = (await by_path(store, crawl))["/"]
    fresh = answered(url, status, ("etag", '"v2"'))
    if status == 304:
        visit = make.visit(url, "fetched", response=fresh)
    else:
        visit = make.fetched(url, records=({"n": 1},), response=fresh)
    added = await store.complete(crawl, [visit], [], now=NOW)
    assert (added.unchanged, added.changed, added.new, added.records) == (1, 0, 0, 0)
    ((fetched, checked, etag),) = look("SELECT fetched_at, checked_at, etag FROM pages")
    assert (fetched, checked, etag) == ("1970-01-01T00:16:40.000Z", "1970-01-01T01:23:20.000Z", '"v2"')
    assert look("SELECT count(*), (SELECT count(*) FROM records) FROM versions") == [(0, 1)]
    assert (await store.audit(crawl)).records == 1


async def test_a_changed_page_keeps_what_it_was(store, make, by_path, again, look):
    """A new body takes the page's place with its own records; the former page, body and records are a version."""
    crawl = await make.crawl(store, f"{A}/")
    url = (await by_path(store, crawl, 1000.0))["/"]
    await store.complete(crawl, [make.fetched(url, records=({"n": 1}, {"n": 2}))], [], now=1000.0)
    crawl = await again(store, crawl)
    url = (await by_path(store, crawl))["/"]
    visit = changed(make.fetched(url, records=({"n": 3},), response=answered(url, 200)), "other")
    added = await store.complete(crawl, [visit], [], now=NOW)
    assert (added.changed, added.unchanged, added.records) == (1, 0, -1)
    assert look("SELECT title, first_at, fetched_at FROM pages") == [
        ("other", "1970-01-01T00:16:40.000Z", "1970-01-01T01:23:20.000Z")
    ]
    assert look("SELECT data FROM records") == [('{"n":3}',)]
    ((title, replaced, records),) = look("SELECT title, replaced_at, records FROM versions")
    assert (title, replaced) == (f"Title of {A}/", "1970-01-01T01:23:20.000Z")
    assert '"data":{"n":2}' in records
    assert look("SELECT zstd FROM version") == [(b"zstd",)]
    tally = await store.tally(crawl)
    assert tally == await store.audit(crawl)
    assert (tally.records, tally.changed) == (1, 1)


@pytest.mark.parametrize(("status", "marked"), [(404, 1), (410, 1), (500, 0), (403, 0)])
async def test_a_page_that_vanished_is_kept_and_marked(store, make, by_path, again, look, status, marked):
    """404 and 410 mark a page as vanished, once; another failure says nothing about it."""
    crawl = await make.crawl(store, f"{A}/")
    url = (await by_path(store, crawl, 1000.0))["/"]
    await store.complete(crawl, [make.fetched(url)], [], now=1000.0)
    for expected in (marked, 0):
        crawl = await again(store, crawl)
        url = (await by_path(store, crawl))["/"]
        visit = make.visit(url, reason="http-4xx", response=answered(url, status))
        assert (await store.complete(crawl, [visit], [], now=NOW)).vanished == expected
        await store.end_crawl(crawl, crawl.state, now=NOW)
    assert look("SELECT vanished_at IS NOT NULL, title FROM pages") == [(marked, f"Title of {A}/")]
    crawl = await again(store, crawl)
    await store.complete(crawl, [make.fetched((await by_path(store, crawl))["/"])], [], now=NOW)
    assert look("SELECT vanished_at FROM pages") == [(None,)]


async def test_a_page_that_leads_elsewhere_now_has_vanished(store, make, by_path, again):
    """A known page that redirects is marked; it is kept as it was."""
    crawl = await make.crawl(store, f"{A}/")
    await store.complete(crawl, [make.fetched((await by_path(store, crawl, 1000.0))["/"])], [], now=1000.0)
    crawl = await again(store, crawl)
    url = (await by_path(store, crawl))["/"]
    visit = make.visit(url, "redirected", found=(f"{A}/new",), response=answered(url, 301))
    assert (await store.complete(crawl, [visit], [], now=NOW)).vanished == 1
    assert await store.audit(crawl) == await store.tally(crawl)


async def test_what_a_host_used_up_is_given_back(store, make, by_path, again):
    """A recrawl gives each host another chance: breaker, budgets and counts begin anew; its robots.txt is kept."""
    crawl = await make.crawl(store, f"{A}/")
    url = (await by_path(store, crawl, 1000.0))["/"]
    (host,) = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    down = dataclasses.replace(
        host, breaker="down", openings=4, requests=9, retries=3, robots_status="404", robots_expires_at=9e9
    )
    visit = dataclasses.replace(make.visit(url, reason="host-down"), spent=("pages", "pages", "path /x"))
    await store.complete(crawl, [visit], [down], now=1000.0)
    crawl = await again(store, crawl)
    (host,) = await store.due_hosts(crawl, now=NOW, limit=9, apart=())
    assert (host.breaker, host.openings, host.requests, host.retries, host.spent) == ("closed", 0, 0, 0, ())
    assert host.robots_status == "404"


async def test_what_visits_spend_is_remembered_of_their_host(store, make, by_path):
    """What visits use up of a host's budgets is counted in their transaction and comes with the host."""
    crawl = await make.crawl(store, f"{A}/1", f"{A}/2", f"{A}/3")
    urls = await by_path(store, crawl, 1000.0)
    for path in ("/1", "/2"):
        visit = dataclasses.replace(make.fetched(urls[path]), spent=("pages", "path /x"))
        await store.complete(crawl, [visit], [], now=1000.0)
    (host,) = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    assert dict(host.spent) == {"pages": 2, "path /x": 2}


async def test_sitemaps_of_a_host_are_stored_with_it(store, make, by_path):
    """Sitemaps that a robots.txt names are seeds in the transaction that remembers it, once, on whatever host."""
    crawl = await make.crawl(store, f"{A}/")
    (host,) = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    named = dataclasses.replace(host, sitemaps=(f"{A}/map.xml", "http://b.example/map.xml"))
    for new in (2, 0):
        added = await store.complete(crawl, [], [named], now=1000.0)
        assert (added.discovered, added.queued) == (new, new)
    found = await by_path(store, crawl)
    assert {path: (url.kind, url.depth, url.seed) for path, url in found.items()} == {
        "/": ("page", 0, True),
        "/map.xml": ("sitemap", 0, True),
        "http://b.example/map.xml": ("sitemap", 0, True),
    }
    assert await store.audit(crawl) == Tally(3, queued=3)


async def test_what_a_listing_names_stands_beside_it(store, make, by_path, look):
    """URLs of a sitemap have its depth, and widen no scope; their change is noted, also of known ones."""
    crawl = await make.crawl(store, f"{A}/map.xml", f"{A}/known")
    urls = await by_path(store, crawl, 1000.0)
    found = [make.link(f"{A}/{name}")._replace(lastmod=1000.0) for name in ("new", "known")]
    visit = make.visit(urls["/map.xml"], "fetched", found=found, response=answered(urls["/map.xml"], 200))
    added = await store.complete(crawl, [dataclasses.replace(visit, kind="sitemap")], [], now=1000.0)
    assert (added.fetched, added.listings, added.pages) == (1, 1, 0)
    assert look("SELECT url, kind, depth, lastmod FROM urls ORDER BY url") == [
        (f"{A}/known", "page", 0, "1970-01-01T00:16:40.000Z"),
        (f"{A}/map.xml", "sitemap", 0, None),
        (f"{A}/new", "page", 0, "1970-01-01T00:16:40.000Z"),
    ]
    assert not (await by_path(store, crawl))["/new"].seed
    assert await store.tally(crawl) == await store.audit(crawl)


async def test_priority_goes_before_depth(store, make, queued):
    """A host's URLs of greater priority are claimed first, then those of lesser depth, then the first found."""
    crawl = await make.crawl(store, f"{A}/")
    (url,) = await queued(store, crawl)
    first = make.link(f"{A}/first")._replace(priority=1)
    await store.complete(crawl, [make.fetched(url, f"{A}/b", first, f"{A}/a")], [], now=1000.0)
    assert [url.url for url in await queued(store, crawl)] == [f"{A}/first", f"{A}/b", f"{A}/a"]


async def test_when_a_host_may_be_asked(store, make, by_path):
    """The store tells when a host may be asked; one it has never heard of at once. Its hosts come as they turned up."""
    crawl = await make.crawl(store, f"{A}/", "http://b.example/")
    hosts = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    (parked,) = [dataclasses.replace(host, next_at=7000.0) for host in hosts if host.host == A]
    await store.complete(crawl, [], [parked], now=1000.0)
    assert [await store.host_due_at(crawl, host) for host in (A, "http://b.example", "http://c.example")] == [
        7000,
        0,
        0,
    ]
    assert set(await store.host_names(crawl)) == {A, "http://b.example"}
