"""What every store promises of crawls: begun whole or not at all, found, taken by one process at a time, ended.

This suite (with `test_store_claim`, `test_store_complete` and `test_store_model`) runs on every kind of database, by
operations alone.
"""

import asyncio
import os
import signal
import time

import pytest

from scraper.errors import CrawlNotFound, LeaseLost, StoreBusy
from scraper.model import Crawl, CrawlState, Tally
from scraper.store.lease import LEASE

CHILD_BEGINS = """
async def seeds():
    yield [Link("http://shop.example/", "http://shop.example", b"key")]

async with {opening} as store:
    await store.begin_crawl(NewCrawl("shop", "{{}}", (), 1, ""), seeds(), None, now=time.time())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
"""


async def test_a_crawl_begins_with_all_its_seeds(store, make, queued):
    """A crawl that has begun runs, knows what it was begun with, and has every seed queued at depth 0."""
    crawl = await make.crawl(store, "/a", "/b", "https://other.example/", now=1000.0)
    assert crawl == Crawl(
        crawl.id,
        "shop",
        CrawlState.RUNNING,
        ("http://shop.example/a", "http://shop.example/b", "https://other.example/"),
        "{}",
        started_at=1000.0,
        seed_count=3,
        digest="d",
        epoch=crawl.epoch,
    )
    urls = await queued(store, crawl)
    assert {url.url for url in urls} == set(crawl.seeds)
    assert {(url.depth, url.seed, url.attempts, url.via) for url in urls} == {(0, True, 0, ())}
    assert {url.host for url in urls} == {"http://shop.example", "https://other.example"}
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(discovered=3, queued=3)


async def test_a_seed_is_queued_once(store, make, queued):
    """A seed that stands twice, in one batch or in two, is one URL."""

    async def seeds():
        yield [make.link("/a"), make.link("/b"), make.link("/a")]
        yield [make.link("/b"), make.link("/c")]

    crawl = await store.begin_crawl(make.new("/a"), seeds(), None, now=1000.0)
    assert sorted(url.url[-2:] for url in await queued(store, crawl)) == ["/a", "/b", "/c"]
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(discovered=3, queued=3)


@pytest.mark.parametrize("failing", ["seeds", "roots"])
async def test_seeds_that_fail_leave_no_crawl(store, make, queued, failing):
    """An error from the seeds or from the roots leaves no crawl, and the next one begins as if nothing had been."""

    async def seeds():
        yield [make.link("/a"), make.link("http://other.example/")]
        if failing == "seeds":
            raise OSError("the list ends here")

    async def roots():
        yield "shop.example"
        raise OSError("the list ends here")

    with pytest.raises(OSError, match="the list ends here"):
        await store.begin_crawl(make.new("/a"), seeds(), roots() if failing == "roots" else None, now=1000.0)
    with pytest.raises(CrawlNotFound):
        await store.find_crawl(None)
    crawl = await make.crawl(store, "http://other.example/", "/a")
    assert len(await queued(store, crawl)) == 2
    assert await store.roots(crawl) == []


async def test_a_cancelled_begin_leaves_no_crawl(store, make):
    """Cancelled among its seeds, a crawl has not begun, and the store is free at once for the next."""
    at_rest = asyncio.Event()

    async def seeds():
        yield [make.link("/a")]
        at_rest.set()
        await asyncio.Event().wait()

    beginning = asyncio.create_task(store.begin_crawl(make.new("/a"), seeds(), None, now=1000.0))
    await at_rest.wait()
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    with pytest.raises(CrawlNotFound):
        await store.find_crawl(None)
    async with asyncio.timeout(5):
        await make.crawl(store, "/a")


async def test_a_begin_cancelled_at_any_step_is_whole_or_nothing(store, make):
    """Wherever a cancellation falls, there is the whole crawl or none, and the next one begins."""
    for steps in range(60):
        beginning = asyncio.create_task(make.crawl(store, "/a", "/b", name=f"crawl {steps}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        beginning.cancel()
        await asyncio.gather(beginning, return_exceptions=True)
        try:
            begun = await store.find_crawl(f"crawl {steps}")
        except CrawlNotFound:
            continue
        assert await store.audit(begun) == Tally(discovered=2, queued=2)
    async with asyncio.timeout(5):
        assert await store.audit(await make.crawl(store, "/a", name="last")) == Tally(discovered=1, queued=1)


async def test_crawls_are_found(store, make):
    """A crawl is found by its name (the newest of them), by its number, and without either as the newest of all."""
    first = await make.crawl(store, "/", name="shop")
    await store.end_crawl(first, CrawlState.FINISHED, now=1001.0)
    again = await make.crawl(store, "/", name="shop")
    other = await make.crawl(store, "/", name="other")
    assert await store.find_crawl("shop") == again
    assert (await store.find_crawl(str(first.id))).id == first.id
    assert await store.find_crawl(None) == other


async def test_a_name_is_begun_once(store, make):
    """While somebody runs a crawl, none of its name is begun, however close together both started."""
    begun = await asyncio.gather(*(make.crawl(store, "/", name="shop") for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in begun].count(StoreBusy) == 2
    assert (await store.find_crawl(None)).id == 1


@pytest.mark.parametrize("state", [CrawlState.INTERRUPTED, CrawlState.LIMITED, CrawlState.RUNNING])
async def test_the_newest_unfinished_crawl_is_found(store, make, state):
    """What is asked for as unfinished may be running, interrupted or limited, and is never finished."""
    await make.crawl(store, "/", name="old")
    wanted = await make.crawl(store, "/")
    if state is not CrawlState.RUNNING:
        await store.end_crawl(wanted, state, now=1001.0)
    await store.end_crawl(await make.crawl(store, "/", name="done"), CrawlState.FINISHED, now=1001.0)
    found = await store.find_crawl(None, unfinished=True)
    assert (found.id, found.state) == (wanted.id, state)
    assert (await store.find_crawl("shop", unfinished=True)).id == wanted.id


async def test_a_crawl_named_like_a_number_is_no_trap(store, make):
    """A crawl taken by what was found stays that crawl, also when another has its number for a name."""
    first = await make.crawl(store, "/", name="shop")
    second = await make.crawl(store, "/", name=str(first.id))
    third = await make.crawl(store, "/", name="third")
    await store.end_crawl(first, CrawlState.INTERRUPTED, now=1000.0)
    assert (second.name, third.name) == (str(first.id), "third")
    taken = await store.take_crawl(first, "{}", now=1001.0)
    assert (taken.id, taken.name) == (first.id, "shop")


@pytest.mark.parametrize(
    ("asked", "unfinished", "told"),
    [
        pytest.param("shopp", False, ("no crawl 'shopp'", "shops"), id="near"),
        pytest.param("99", False, ("no crawl '99'", "news"), id="number"),
        pytest.param("9" * 30, False, ("no crawl", "news"), id="number-beyond-all"),
        pytest.param("x\0'; --", False, ("no crawl", "news"), id="anything"),
        pytest.param("news", True, ("no unfinished crawl 'news'", "shops"), id="finished"),
    ],
)
async def test_a_crawl_that_is_not_there_is_told_with_those_that_are(store, make, asked, unfinished, told):
    """An unknown crawl is an error that names the store, what was asked for and the nearest there is."""
    await make.crawl(store, "/", name="shops")
    await store.end_crawl(await make.crawl(store, "/", name="news"), CrawlState.FINISHED, now=1001.0)
    with pytest.raises(CrawlNotFound) as error:
        await store.find_crawl(asked, unfinished=unfinished)
    assert all(part in str(error.value) for part in told)


@pytest.mark.parametrize("unfinished", [False, True])
async def test_an_empty_store_says_so(store, unfinished):
    """In a store without crawls the error says how to start one."""
    with pytest.raises(CrawlNotFound, match="start one with `scraper crawl`"):
        await store.find_crawl(None, unfinished=unfinished)


async def test_a_crawl_that_is_run_cannot_be_taken(database, store, make):
    """While its owner lives and gives signs of it, a crawl is busy, also for the same process."""
    crawl = await make.crawl(store, "/", now=1000.0)
    async with database.open() as other:
        with pytest.raises(StoreBusy, match=f"'shop' .* process {os.getpid()}"):
            await other.take_crawl(crawl, "{}", now=1000.0 + LEASE - 0.1)
    await store.renew(crawl, now=1000.0)


async def test_a_run_that_is_being_left_is_waited_for(database, store, make, monkeypatch):
    """A run in this process that gives its crawl back within a moment is waited for, not refused."""
    monkeypatch.setattr("scraper.store.sqlite.LEAVING", 2.0)
    crawl = await make.crawl(store, "/", now=1000.0)
    async with database.open() as other, asyncio.timeout(10):
        taking = asyncio.create_task(other.take_crawl(crawl, "{}", now=1001.0))
        await other.audit(crawl)
        assert not taking.done()
        await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=1001.0)
        taken = await taking
    assert (taken.id, taken.state) == (crawl.id, CrawlState.RUNNING)
    assert taken.epoch > crawl.epoch


async def test_closing_ends_what_uses_the_store(database, make, queued, monkeypatch):
    """Who closes a store first cancels the tasks that use it and waits while they save what they have."""
    monkeypatch.setattr("scraper.store.sqlite.LEAVING", 5.0)
    ready = asyncio.Event()

    async def use(store):
        async with store.in_use():
            try:
                ready.set()
                await asyncio.Event().wait()
            finally:
                await store.complete(crawl, [make.fetched(url)], [], now=1000.0)
                await store.end_crawl(crawl, CrawlState.INTERRUPTED, now=1000.0)

    async with asyncio.timeout(10):
        async with database.open() as store:
            crawl = await make.crawl(store, "/")
            (url,) = await queued(store, crawl)
            using = asyncio.create_task(use(store))
            await ready.wait()
        assert using.cancelled()
        async with database.open() as store:
            assert await store.audit(crawl) == Tally(1, fetched=1)
            assert (await store.find_crawl("shop")).state is CrawlState.INTERRUPTED


async def test_a_lease_ends_without_signs_of_life(store, make):
    """A crawl whose owner was silent for the whole lease is taken, even if his process lives."""
    crawl = await make.crawl(store, "/", now=1000.0)
    taken = await store.take_crawl(crawl, '{"new": 1}', now=1000.0 + LEASE)
    assert (taken.id, taken.state, taken.config) == (crawl.id, CrawlState.RUNNING, '{"new": 1}')
    assert taken.epoch > crawl.epoch


@pytest.mark.parametrize("sign", ["renew", "complete"])
async def test_signs_of_life_keep_the_lease(store, make, sign):
    """A renewal and every commit keep the lease for its whole length again."""
    crawl = await make.crawl(store, "/", now=1000.0)
    if sign == "renew":
        await store.renew(crawl, now=1010.0)
    else:
        await store.complete(crawl, [], [], now=1010.0)
    with pytest.raises(StoreBusy):
        await store.take_crawl(crawl, "{}", now=1010.0 + LEASE - 0.1)
    await store.take_crawl(crawl, "{}", now=1010.0 + LEASE)


async def test_a_killed_owner_is_known_at_once(database, store, child):
    """A crawl of another process is busy while that lives, and free the moment it is killed."""
    process = child(CHILD_BEGINS.format(opening=database.opening))
    crawl = await store.find_crawl("shop")
    with pytest.raises(StoreBusy, match=f"process {process.pid}"):
        await store.take_crawl(crawl, "{}", now=time.time())
    process.send_signal(signal.SIGKILL)
    process.wait()
    taken = await store.take_crawl(crawl, "{}", now=time.time())
    assert taken.epoch > crawl.epoch
    assert await store.audit(taken) == Tally(discovered=1, queued=1)


@pytest.mark.parametrize("act", ["complete", "renew", "end_crawl"])
async def test_who_lost_the_lease_writes_nothing_more(store, make, queued, act):
    """After a takeover every commit of the old run is refused, and nothing of it is in the store."""
    crawl = await make.crawl(store, "/", now=1000.0)
    (url,) = await queued(store, crawl)
    taken = await store.take_crawl(crawl, "{}", now=1000.0 + LEASE)
    acts = {
        "complete": lambda: store.complete(crawl, [make.fetched(url, "/found", records=[{}])], [], now=1016.0),
        "renew": lambda: store.renew(crawl, now=1016.0),
        "end_crawl": lambda: store.end_crawl(crawl, CrawlState.FINISHED, now=1016.0),
    }
    with pytest.raises(LeaseLost, match="'shop'"):
        await acts[act]()
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(discovered=1, queued=1)
    assert await store.find_crawl("shop") == taken
    await store.complete(taken, [make.fetched(url, "/found")], [], now=1016.0)


@pytest.mark.parametrize(
    ("state", "finished_at"),
    [(CrawlState.FINISHED, 1005.0), (CrawlState.LIMITED, 1005.0), (CrawlState.INTERRUPTED, None)],
)
async def test_how_a_crawl_ends_is_written(store, make, state, finished_at):
    """An ended crawl has its state and, if it came to an end of its own, the moment; its lease is free at once."""
    crawl = await make.crawl(store, "/", now=1000.0)
    await store.end_crawl(crawl, state, now=1005.0)
    ended = await store.find_crawl("shop")
    assert (ended.state, ended.finished_at) == (state, finished_at)
    taken = await store.take_crawl(ended, "{}", now=1005.0)
    assert (taken.state, taken.finished_at) == (CrawlState.RUNNING, None)


async def test_two_crawls_do_not_mix(store, make, queued):
    """The same URL in two crawls of one store is two URLs: claimed, ended and counted apart."""
    one = await make.crawl(store, "/", name="one", roots=["shop.example"])
    two = await make.crawl(store, "/", name="two", roots=["other.example"])
    (first,) = await queued(store, one)
    (second,) = await queued(store, two)
    assert first.url == second.url
    assert (first.id, first.host_id) != (second.id, second.host_id)
    await store.complete(one, [make.fetched(first, "/found", records=[{"a": 1}])], [], now=1001.0)
    assert await store.tally(one) == await store.audit(one) == Tally(discovered=2, queued=1, fetched=1, records=1)
    assert await store.tally(two) == await store.audit(two) == Tally(discovered=1, queued=1)
    assert await queued(store, two) == [second]
    assert (await store.roots(one), await store.roots(two)) == (["shop.example"], ["other.example"])


async def test_two_crawls_run_side_by_side(database, store, make, queued):
    """Two processes' worth of commits into one store all arrive."""
    async with database.open() as other:
        crawls = [await make.crawl(each, "/", name=str(n)) for n, each in enumerate((store, other))]

        async def run(each, crawl):
            for n in range(20):
                (url,) = await queued(each, crawl)
                await each.complete(crawl, [make.fetched(url, f"/{n}")], [], now=1000.0)
            return await each.audit(crawl)

        async with asyncio.timeout(10):
            tallies = await asyncio.gather(run(store, crawls[0]), run(other, crawls[1]))
    assert tallies == [Tally(discovered=21, queued=1, fetched=20)] * 2


async def test_roots_are_kept_and_added_to(database, store, make, queued):
    """A crawl has the roots it began with and those its visits add, each once."""
    crawl = await make.crawl(store, "/", roots=["a.example", "b.example", "a.example"])
    (url,) = await queued(store, crawl)
    await store.complete(
        crawl, [make.visit(url, "redirected", found=["http://c.example/"], root="c.example")], [], now=1.0
    )
    async with database.open() as other:
        assert sorted(await other.roots(crawl)) == ["a.example", "b.example", "c.example"]
