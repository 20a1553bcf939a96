from __future__ import annotations

import json

import pytest

from scraper.errors import CrawlNotFound
from scraper.model import CrawlState, Tally
from scraper.reports import crawls, find_crawl, reasons, status

NOW = 1_800_000_000.0


def test_crawls_are_listed_newest_first(reader):
    """Each crawl is one line with its counts and moments as the views show them."""
    newest, oldest = crawls(reader, now=NOW)
    assert newest == (2, "shop", "interrupted", 1, 6, 2, 1, 1, "1970-01-01T00:05:00.000Z", None)
    assert (oldest.name, oldest.state, oldest.finished_at) == ("old", CrawlState.FINISHED, "1970-01-01T00:03:20.500Z")


def test_an_empty_store_has_no_crawls(empty):
    """A store without a crawl lists none, and says how to start one when asked for one."""
    with empty.reading() as connection:
        assert crawls(connection, now=NOW) == []
        with pytest.raises(CrawlNotFound, match="no crawl yet: start one with `scraper crawl`"):
            find_crawl(connection, None)


@pytest.mark.parametrize(("wanted", "number"), [(None, 2), ("shop", 2), ("old", 1), ("1", 1), (1, 1), ("2", 2)])
def test_a_crawl_is_found_by_name_or_number(reader, wanted, number):
    """A name or a number finds a crawl; nothing finds the newest."""
    crawl = find_crawl(reader, wanted)
    assert crawl.id == number
    assert crawl.seeds == (f"http://{'a' if number == 2 else 'old'}.example/",)


def test_of_crawls_with_one_name_the_newest_is_found(scene):
    """A name that several crawls have means the newest of them."""
    scene.execute(
        "INSERT INTO crawl (id, name, state, seeds, config, started_at) VALUES (3, 'old', 'running', '[]', '{}', 1)"
    )
    with scene.reading() as connection:
        assert find_crawl(connection, "old").id == 3


@pytest.mark.parametrize(
    ("wanted", "named"),
    [("shpo", "shop"), ("99", "shop, old"), ("9" * 40, "shop, old"), ("²", "shop, old"), ("", "shop, old")],
)
def test_an_unknown_crawl_names_those_there_are(reader, wanted, named):
    """A crawl that does not exist is CrawlNotFound with the nearest names, or the newest if none is near."""
    with pytest.raises(CrawlNotFound) as caught:
        find_crawl(reader, wanted)
    assert repr(wanted) in str(caught.value)
    assert f"has {named} (" in str(caught.value)


def test_status_is_read_from_counters(scene):
    """The tally is the sum of the counters: no row of a URL is read for it."""
    scene.execute("UPDATE host SET failed = 5 WHERE id = 3")
    scene.execute("UPDATE crawl SET discovered = 10 WHERE id = 2")
    with scene.reading() as connection:
        found = status(connection, 2, now=scene.now)
    assert found.tally == Tally(10, 1, 2, 1, 1, 5, records=3, beyond_depth=7)
    assert found.tally.holds


def test_status_names_the_busiest_hosts_first(scene):
    """Hosts come by queued, then by failed URLs, as many as asked for; the others are counted."""
    scene.execute("INSERT INTO host (id, crawl_id, host) VALUES (9, 2, 'http://idle.example')")
    with scene.reading() as connection:
        found = status(connection, 2, now=scene.now, hosts=2)
    assert found.more_hosts == 1
    assert found.hosts == (
        ("http://a.example", 1, 2, 1, 1, 0, "2027-01-15T08:00:00.000Z", "closed", None),
        ("http://b.example", 0, 0, 0, 0, 1, None, "open", "404"),
    )


ELSEWHERE = '{"pid": 1, "place": "another machine", "started": "1"}'


@pytest.mark.parametrize(
    ("owner", "lease", "running"),
    [(ELSEWHERE, 10.0, True), (ELSEWHERE, -1.0, False), (None, 10.0, False)],
    ids=["alive", "lease-ran-out", "given-back"],
)
def test_a_crawl_runs_while_its_lease_does(scene, owner, lease, running):
    """A crawl is running while somebody owns it and has renewed the lease, whatever its state says."""
    scene.execute("UPDATE crawl SET owner = ?, lease_until = ? WHERE id = 2", owner, scene.now + lease)
    with scene.reading() as connection:
        assert status(connection, 2, now=scene.now).running is running


def test_status_can_be_written_as_json(reader, scene):
    """A status as a dict is plain values, with the tally among them."""
    found = json.loads(json.dumps(status(reader, 2, now=scene.now).as_dict()))
    assert (found["name"], found["state"], found["queued"], found["records"]) == ("shop", "interrupted", 1, 3)
    assert found["started_at"] == "1970-01-01T00:05:00.000Z"
    assert found["hosts"][1] == {
        "host": "http://b.example", "queued": 0, "fetched": 0, "redirected": 0, "skipped": 0, "failed": 1,
        "next_at": None, "breaker": "open", "robots": "404",
    }  # fmt: skip


def test_a_report_on_no_crawl_is_refused(reader):
    """A number that no crawl has is CrawlNotFound, and the connection can still be used."""
    with pytest.raises(CrawlNotFound):
        status(reader, 77, now=0.0)
    assert len(crawls(reader, now=NOW)) == 2


def test_reasons_are_counted_by_state(scene):
    """How URLs ended is counted by state and reason, the most frequent first, for one crawl."""
    with scene.reading() as connection:
        assert reasons(connection, 2) == [
            ("fetched", None, 2),
            ("failed", "http-4xx", 1),
            ("queued", None, 1),
            ("redirected", None, 1),
            ("skipped", "robots", 1),
        ]
