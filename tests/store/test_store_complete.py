"""What every store promises of a commit: whole or not at all, every URL once, the accounting exact."""

import asyncio
import dataclasses

import pytest

from scraper.errors import StoreError
from scraper.model import Record, Tally

A = "http://a.example"


@pytest.fixture
def by_path(queued):
    """Claims all there is, by path."""

    async def by_path(store, crawl, **more):
        return {url.url.removeprefix(url.host): url for url in await queued(store, crawl, **more)}

    return by_path


async def test_a_batch_is_counted(store, make, by_path):
    """A commit returns what it added to the tally, which then equals what an audit counts."""
    crawl = await make.crawl(store, *(f"{A}/{n}" for n in range(6)))
    before = await store.tally(crawl)
    urls = await by_path(store, crawl)
    added = await store.complete(
        crawl,
        [
            make.fetched(urls["/0"], f"{A}/new", f"{A}/1", records=[{"a": 1}, {"a": 2}], beyond_depth=7),
            make.visit(urls["/1"], "redirected", found=[f"{A}/target"]),
            make.visit(urls["/2"], reason="robots"),
            make.visit(urls["/3"], reason="http-5xx", detail="503"),
            make.visit(urls["/4"], "queued", due_at=1005.0),
            make.fetched(urls["/5"], make.link("http://other.example/", "scope"), f"{A}/new", beyond_depth=1),
        ],
        [],
        now=1000.0,
    )
    assert added == Tally(3, queued=-3, fetched=2, redirected=1, skipped=2, failed=1, records=2, beyond_depth=8)
    after = Tally(*(a + b for a, b in zip(dataclasses.astuple(before), dataclasses.astuple(added), strict=True)))
    assert await store.tally(crawl) == await store.audit(crawl) == after
    assert after.holds


async def test_an_audit_of_an_empty_commit(store, make):
    """A commit of nothing adds nothing."""
    crawl = await make.crawl(store, "/")
    assert await store.complete(crawl, [], [], now=1000.0) == Tally()
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(discovered=1, queued=1)


@pytest.mark.parametrize(
    "data",
    [pytest.param({"price": object()}, id="no-json"), pytest.param({"name": "\ud800"}, id="lone-surrogate")],
)
async def test_a_commit_that_fails_leaves_nothing(store, make, by_path, data):
    """A batch with one record that cannot be written is not written at all, and the store goes on without it."""
    crawl = await make.crawl(store, f"{A}/good", f"{A}/bad", roots=["a.example"])
    urls = await by_path(store, crawl)
    (host,) = await store.due_hosts(crawl, now=1000.0, limit=9, apart=())
    good = make.fetched(urls["/good"], "http://new.example/", f"{A}/found", records=[{"a": 1}], root="new.example")
    bad = make.fetched(urls["/bad"], records=[data])
    with pytest.raises((TypeError, UnicodeEncodeError)):
        await store.complete(crawl, [good, bad], [dataclasses.replace(host, next_at=2000.0)], now=1000.0)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(discovered=2, queued=2)
    assert await by_path(store, crawl) == urls
    assert await store.roots(crawl) == ["a.example"]
    assert await store.due_hosts(crawl, now=1000.0, limit=9, apart=()) == [host]
    await store.complete(crawl, [good], [], now=1000.0)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(4, queued=3, fetched=1, records=1)
    assert set(await by_path(store, crawl)) == {"/bad", "/found", "/"}


async def test_a_record_exists_once(store, make, by_path):
    """A page that is committed a second time does not get its records a second time."""
    crawl = await make.crawl(store, f"{A}/")
    url = (await by_path(store, crawl))["/"]
    visit = make.fetched(url, records=[{"a": 1}])
    await store.complete(crawl, [visit], [], now=1000.0)
    twice = dataclasses.replace(visit.page, records=(Record("rule", 0, {"a": 2}),))
    with pytest.raises(StoreError, match=r"(?i)unique"):
        await store.complete(crawl, [dataclasses.replace(visit, page=twice)], [], now=1000.0)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(1, fetched=1, records=1)


async def test_a_link_is_discovered_once(store, make, by_path):
    """However often a URL is found, in one batch or later, it is one row, queued once, as it was first found."""
    crawl = await make.crawl(store, f"{A}/1", f"{A}/2", f"{A}/3", f"{A}/seed")
    urls = await by_path(store, crawl)
    found = [f"{A}/x", f"{A}/1", f"{A}/x", "http://b.example/", f"{A}/seed"]
    first, second, third = (make.fetched(urls[path], *found) for path in ("/1", "/2", "/3"))
    assert (await store.complete(crawl, [first, second], [], now=1000.0)).discovered == 2
    assert (await store.complete(crawl, [third], [], now=1000.0)).discovered == 0
    again = await by_path(store, crawl)
    assert set(again) == {"/x", "/", "/seed"}
    assert again["/seed"] == urls["/seed"]
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(6, queued=3, fetched=3)


async def test_what_has_ended_stays_ended(store, make, by_path):
    """A link to a URL that was fetched, failed or skipped does not queue it again."""
    crawl = await make.crawl(store, f"{A}/fetched", f"{A}/failed", f"{A}/robots", f"{A}/last")
    urls = await by_path(store, crawl)
    visits = [
        make.fetched(urls["/fetched"], make.link(f"{A}/trap", "trap")),
        make.visit(urls["/failed"], reason="dns"),
        make.visit(urls["/robots"], reason="robots"),
    ]
    await store.complete(crawl, visits, [], now=1000.0)
    again = make.fetched(urls["/last"], f"{A}/fetched", f"{A}/failed", f"{A}/robots", f"{A}/trap")
    assert (await store.complete(crawl, [again], [], now=1000.0)).discovered == 0
    assert await by_path(store, crawl) == {}
    assert await store.audit(crawl) == Tally(5, fetched=2, skipped=2, failed=1)


@pytest.mark.parametrize("reason", ["nofollow", "scope"])
@pytest.mark.parametrize("order", ["nofollow-first", "nofollow-last", "one-batch"])
async def test_a_nofollow_link_is_followed_if_another_page_says_so(store, make, by_path, order, reason):
    """A link that one page marks nofollow and another does not is followed, in whatever order; so too out of scope."""
    crawl = await make.crawl(store, f"{A}/1", f"{A}/2", f"{A}/3")
    urls = await by_path(store, crawl)
    no = make.fetched(urls["/1"], make.link(f"{A}/x", reason), make.link(f"{A}/y", reason))
    yes, also = make.fetched(urls["/2"], f"{A}/x"), make.fetched(urls["/3"], f"{A}/x")
    batches = {
        "nofollow-first": [[no], [yes, also]],
        "nofollow-last": [[yes], [no], [also]],
        "one-batch": [[no, yes, also]],
    }
    total = Tally(3, queued=3)
    for batch in batches[order]:
        added = await store.complete(crawl, batch, [], now=1000.0)
        total = Tally(*(a + b for a, b in zip(dataclasses.astuple(total), dataclasses.astuple(added), strict=True)))
    assert total == await store.tally(crawl) == await store.audit(crawl) == Tally(5, queued=1, fetched=3, skipped=1)
    followed = await by_path(store, crawl)
    assert [(path, url.depth) for path, url in followed.items()] == [("/x", 1)]
    await store.complete(crawl, [make.fetched(followed["/x"], f"{A}/x", make.link(f"{A}/x", reason))], [], now=1000.0)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(5, fetched=4, skipped=1)


async def test_a_nofollow_link_is_followed_from_where_it_was_first_allowed(store, make, by_path):
    """Of several pages that allow it, the first gives a once forbidden link its depth."""
    crawl = await make.crawl(store, f"{A}/top", f"{A}/no", f"{A}/yes")
    urls = await by_path(store, crawl)
    first = [make.fetched(urls["/top"], f"{A}/below"), make.fetched(urls["/no"], make.link(f"{A}/x", "nofollow"))]
    await store.complete(crawl, first, [], now=1000.0)
    below = (await by_path(store, crawl))["/below"]
    both = [make.fetched(urls["/yes"], f"{A}/x"), make.fetched(below, f"{A}/x")]
    await store.complete(crawl, both, [], now=1000.0)
    assert (await by_path(store, crawl))["/x"].depth == 1


async def test_a_skipped_url_stays_skipped_in_another_crawl(store, make, by_path):
    """What another crawl follows does not change a nofollow of this one."""
    one, two = await make.crawl(store, f"{A}/", name="one"), await make.crawl(store, f"{A}/", name="two")
    await store.complete(
        one, [make.fetched((await by_path(store, one))["/"], make.link(f"{A}/x", "nofollow"))], [], now=1.0
    )
    await store.complete(two, [make.fetched((await by_path(store, two))["/"], f"{A}/x")], [], now=1.0)
    assert await by_path(store, one) == {}
    assert await store.tally(one) == await store.audit(one) == Tally(2, fetched=1, skipped=1)
    assert await store.tally(two) == await store.audit(two) == Tally(2, queued=1, fetched=1)


@pytest.mark.parametrize("times", [1, 2, 5])
async def test_a_cancelled_commit_is_whole(store, make, by_path, times):
    """A commit whose caller is cancelled, however often, is written to its end; the cancellation arrives afterwards."""
    crawl = await make.crawl(store, *(f"{A}/{n}" for n in range(20)))
    urls = (await by_path(store, crawl)).values()
    visits = [make.fetched(url, f"{url.url}/found", records=[{}]) for url in urls]
    committing = asyncio.create_task(store.complete(crawl, visits, [], now=1000.0))
    for _ in range(times):
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # twice, for the transaction to begin
        committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(40, queued=20, fetched=20, records=20)


async def test_the_accounting_holds_at_every_moment(database, store, make, by_path):
    """Whoever reads the tally while batches are committed sees the state before or after one, never between."""
    crawl = await make.crawl(store, *(f"{A}/{n}" for n in range(5)))
    over, seen = asyncio.Event(), set()

    async def watch(reader):
        while not over.is_set():
            tally = await reader.tally(crawl)
            audit = await reader.audit(crawl)
            assert tally.holds
            assert audit.holds
            assert audit.fetched * 2 == audit.records
            seen.add(tally.fetched)

    async def run():
        for _ in range(40):
            urls = list((await by_path(store, crawl, count=5)).values())
            visits = [make.fetched(url, *(f"{url.url}/{n}" for n in range(10)), records=[{}, {}]) for url in urls]
            await store.complete(crawl, visits, [], now=1000.0)
        over.set()

    async with asyncio.timeout(20), database.open() as other, asyncio.TaskGroup() as tasks:
        for reader in (store, other):
            tasks.create_task(watch(reader))
        tasks.create_task(run())
    assert len(seen) > 1
    assert (await store.tally(crawl)).fetched == 200


async def test_commits_take_their_turns(store, make, by_path):
    """Commits and renewals asked for at the same time are written one after the other, and all of them are."""
    crawl = await make.crawl(store, *(f"{A}/{n}" for n in range(10)))
    urls = (await by_path(store, crawl)).values()
    async with asyncio.timeout(10):
        added = await asyncio.gather(
            *(store.complete(crawl, [make.fetched(url, f"{A}/same")], [], now=1000.0) for url in urls),
            *(store.renew(crawl, now=1000.0) for _ in range(5)),
        )
    assert sum(tally.discovered for tally in added if tally) == 1
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(11, queued=1, fetched=10)


async def test_many_urls_of_many_hosts_are_committed_at_once(store, make, by_path):
    """A page that links to ten thousand hosts finds them all, each due."""
    crawl = await make.crawl(store, f"{A}/")
    found = [f"http://h{n}.example/" for n in range(10_000)]
    await store.complete(crawl, [make.fetched((await by_path(store, crawl))["/"], *found)], [], now=1000.0)
    assert await store.tally(crawl) == await store.audit(crawl) == Tally(10_001, queued=10_000, fetched=1)
    assert len(await store.due_hosts(crawl, now=1000.0, limit=20_000, apart=())) == 10_000


async def test_a_resumed_crawl_is_where_it_was(database, make, by_path):
    """What was committed is there for the next process, what was only claimed is claimed again."""
    async with database.open() as store:
        crawl = await make.crawl(store, f"{A}/1", f"{A}/2", f"{A}/3")
        urls = await by_path(store, crawl)
        await store.complete(crawl, [make.fetched(urls["/1"], f"{A}/4")], [], now=1000.0)
    async with database.open() as store:
        taken = await store.take_crawl(await store.find_crawl("shop"), "{}", now=1100.0)
        assert set(await by_path(store, taken)) == {"/2", "/3", "/4"}
        assert await store.tally(taken) == Tally(4, queued=3, fetched=1)


async def test_what_a_rule_follows_is_no_deeper(store, make, queued):
    """What a rule follows has the depth of its page, also if it was found before by a way that counts."""
    crawl = await make.crawl(store, "/list", "/about")
    urls = {url.url.rpartition("/")[2]: url for url in await queued(store, crawl)}
    await store.complete(crawl, [make.fetched(urls["about"], "/list?2", "/other")], [], now=1000.0)
    follow = [make.link(f"/list?{page}")._replace(follow=True) for page in (2, 3)]
    await store.complete(crawl, [make.fetched(urls["list"], *follow)], [], now=1000.0)
    found = {url.url.rpartition("/")[2]: url.depth for url in await queued(store, crawl)}
    assert found == {"list?2": 0, "list?3": 0, "other": 1}
