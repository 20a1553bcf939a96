"""Killed at random moments, again and again within one crawl, and gone on with: the result is that of a quiet one."""

import random
import time
from pathlib import Path

import pytest

CONCURRENCY = 16  # as in the settings of every test here
LONGEST = 600.0  # seconds that a crawl may take
DOCUMENTATION = Path("/usr/share/doc/postgresql-doc-15/html")
installed = pytest.mark.skipif(not DOCUMENTATION.is_dir(), reason="needs Debian's postgresql-doc-15")


@pytest.fixture
def kill_often(home, nursery, served_and_stored):
    """Kill one crawl so many times, go on each time, and tell what is wrong in the end, and how many requests it took.

    `pages` is how many requests there are between two kills at most.
    """

    def kill_often(name, site, folder, start, chance, *, kills, pages, workers=0, alone=False, records=False):
        crawl = home(name, workers=workers, batch_seconds=0.02)
        argv, before, done = crawl.crawl(site.origin + start), site.asked, 0
        nursery.start(crawl, *argv)
        for _ in range(kills):
            goal, pause = site.asked + chance.randrange(pages), chance.choice((0.0, chance.random() * 0.03))
            if not nursery.reaches(lambda goal=goal: site.asked >= goal):
                break
            time.sleep(pause)
            nursery.kill(group=not alone)
            code, _ = nursery.ended()
            assert code == -9
            done += 1
            nursery.start(crawl, *argv)
        code, _ = nursery.ended(within=LONGEST)
        wrong = [f"exit code {code}: {crawl.said()[-500:]}"] if code else crawl.faults()
        wrong += served_and_stored(crawl, site, folder, records=records)
        return crawl, done, wrong, site.asked - before

    return kill_often


@pytest.fixture
def compare(home, nursery, kill_often):
    """Kill a crawl often and compare it with one left alone, which comes first."""

    def compare(site, folder, start, chance, **options):
        quiet, before = home("quiet"), site.asked
        nursery.start(quiet, *quiet.crawl(site.origin + start))
        code, _ = nursery.ended(within=LONGEST)
        assert code == 0, quiet.said()
        assert not quiet.faults()
        enough = site.asked - before
        crawl, done, wrong, asked = kill_often("killed", site, folder, start, chance, **options)
        result = crawl.result()
        wrong += [f"{name} differ" for name, rows in quiet.result().items() if result[name] != rows]
        most = enough + done * (CONCURRENCY + 1)  # robots.txt may have to be asked again
        wrong += [] if asked <= most else [f"{asked} requests, {most} at most"]
        wrong += [f"{site.forbidden} forbidden requests"] if site.forbidden else []
        return done, wrong

    return compare


def test_killed_often(website, tree, compare, goal):
    """Killed 30 times within one crawl, the program alone or with all it started, it ends as one left alone (A1)."""
    folder = tree("site", 200)
    site = website(folder=folder, redirects={"/moved": "/moved-here.html"}, delay=0.01, resets=0.03)
    with goal("G1", "kills at random moments of one crawl") as tries:
        done, wrong = compare(site, folder, "/p0.html", random.Random(1), kills=30, pages=12, records=True)
        for _ in range(done):
            tries.check(not wrong, wrong)
    assert done >= 25


def test_workers_end_with_the_program(website, tree, compare, goal):
    """Killed alone, the program takes those that parse for it along, and a resume need not wait for them (A1)."""
    folder = tree("site", 40)
    site = website(folder=folder, redirects={"/moved": "/moved-here.html"}, delay=0.01)
    with goal("G1", "kills of the program alone, with workers") as tries:
        done, wrong = compare(
            site, folder, "/p0.html", random.Random(2), kills=2, pages=15, workers=1, alone=True, records=True
        )
        for _ in range(done):
            tries.check(not wrong, wrong)
    assert done == 2


@pytest.mark.heavy
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("alone", [False, True], ids=["all", "alone"])
@pytest.mark.parametrize("seed", range(3))
def test_killed_often_with_workers(website, tree, compare, goal, seed, alone):
    """The same 20 times with two workers, the program alone or with all it started (A1)."""
    folder = tree("site", 500, seed)
    site = website(folder=folder, redirects={"/moved": "/moved-here.html"}, delay=0.01, resets=0.03, seed=seed)
    with goal("G1", "kills at random moments, with workers") as tries:
        done, wrong = compare(
            site, folder, "/p0.html", random.Random(seed), kills=20, pages=40, workers=2, alone=alone, records=True
        )
        for _ in range(done):
            tries.check(not wrong, wrong)
    assert done >= 15


@installed
@pytest.mark.heavy
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(10))
def test_killed_a_hundred_times(website, compare, goal, seed):
    """A crawl of 1,169 pages of documentation, killed 100 times, ends as one left alone, and asks little twice (A1)."""
    site = website(folder=DOCUMENTATION, delay=0.01, resets=0.02, seed=seed)
    with goal("G1", "kills at random moments, 100 within one crawl of 1,169 pages") as tries:
        done, wrong = compare(site, DOCUMENTATION, "/index.html", random.Random(seed), kills=100, pages=20)
        for _ in range(done):
            tries.check(not wrong, wrong)
    assert done >= 90
